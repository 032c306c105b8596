"""The history against a model of it in plain Python: any sequence of calls, the same answers."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from bot.core import editing, forgetting, versions
from bot.core.history import History, MessageForgotten
from bot.core.messages import ConversationKey, Finish, Question, TurnState, Usage
from bot.errors import AnswerStillRuns, NothingToContinue

KEYS = [ConversationKey(1, 1), ConversationKey(1, 2), ConversationKey(2, 1), ConversationKey(3, None)]
WAITING = {TurnState.QUEUED, TurnState.INTERRUPTED}
FINAL = {TurnState.DONE, TurnState.STOPPED, TurnState.FAILED}


@dataclass
class Node:
    key: ConversationKey
    user_id: int
    parent: int | None
    window_from: int | None
    messages: dict[int, str]
    state: TurnState = TurnState.QUEUED
    answer: str = ""
    attempts: int = 0
    shown: list[int] = field(default_factory=list)
    edits: int = 0
    version: int = 1
    group: int = 0  # the first version
    question: str = ""
    finish: Finish | None = None

    def compose(self) -> None:
        self.question = "\n".join(text for _, text in sorted(self.messages.items()))


class HistoryMachine(RuleBasedStateMachine):
    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "bot.db"
        self.history = self.run(History.open(self.path))
        self.nodes: dict[int, Node] = {}
        self.heads: dict[ConversationKey, int | None] = dict.fromkeys(KEYS)
        self.forgotten: set[int] = set()  # messages
        self.secrets: set[str] = set()  # what is to stand in no file
        self.texts = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.history.aclose())
        self.runner.close()
        self.folder.cleanup()

    def owner(self, message_id: int) -> int | None:
        return next((number for number, node in self.nodes.items() if message_id in node.messages), None)

    def tagged(self, text: str) -> str:
        """Return a text that occurs nowhere else."""
        self.texts += 1
        return f"<{self.texts:05}>{text}"

    def forget_text(self, text: str) -> None:
        self.secrets.add(text[:7])

    def versions(self, number: int) -> list[int]:
        return sorted(other for other, node in self.nodes.items() if node.group == self.nodes[number].group)

    def hand_over(self, gone: int, to: int | None) -> None:
        for key, head in self.heads.items():
            if head == gone:
                self.heads[key] = to

    def ancestors(self, number: int) -> list[int]:
        found, above = [], self.nodes[number].parent
        while above is not None and above >= (self.nodes[number].window_from or 0):
            found.append(above)
            above = self.nodes[above].parent
        return found[::-1]

    def set_window(self, number: int, window_from: int | None) -> None:
        self.nodes[number].window_from = window_from
        for node in self.nodes.values():
            if node.parent == number and node.state is TurnState.QUEUED:
                node.window_from = window_from

    @rule(
        target=turns,
        key=st.sampled_from(KEYS),
        user_id=st.sampled_from([1, 2]),
        message_id=st.integers(1, 60),
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    )
    def accept(self, key: ConversationKey, user_id: int, message_id: int, text: str) -> Any:
        user_id = key.user_id or user_id
        text = self.tagged(text)
        if message_id in self.forgotten:
            with pytest.raises(MessageForgotten):
                self.run(self.history.accept(Question(key, user_id, message_id, text)))
            return multiple()
        accepted = self.run(self.history.accept(Question(key, user_id, message_id, text)))
        known, head = self.owner(message_id), self.heads[key]
        node = self.nodes.get(head or 0)
        if known is not None:
            assert (accepted.outcome, accepted.turn.id) == ("duplicate", known)
            return multiple()
        if node is not None and self.may_join(node, user_id):
            assert (accepted.outcome, accepted.turn.id) == ("joined", head)
            node.messages[message_id] = text
            node.compose()
            return multiple()
        assert accepted.outcome == "new"
        self.add(accepted.turn.id, Node(key, user_id, head, node.window_from if node else None, {message_id: text}))
        return accepted.turn.id

    @rule(target=turns, parent=turns, message_id=st.integers(100, 200))
    def branch(self, parent: int, message_id: int) -> Any:
        if parent not in self.nodes or message_id in self.forgotten:
            return multiple()
        node, text = self.nodes[parent], self.tagged("branch")
        question = Question(node.key, node.user_id, message_id, text)
        accepted = self.run(self.history.accept(question, parent_id=parent))
        if self.owner(message_id) is not None:
            assert accepted.outcome == "duplicate"
            return multiple()
        head = self.heads[node.key]
        newest = self.nodes.get(head or 0)
        if newest is not None and self.may_join(newest, node.user_id) and parent in (head, newest.parent):
            assert (accepted.outcome, accepted.turn.id) == ("joined", head)
            newest.messages[message_id] = text
            newest.compose()
            return multiple()
        assert accepted.outcome == "new"
        child = Node(node.key, node.user_id, parent, node.window_from, {message_id: text})
        self.add(accepted.turn.id, child)
        return accepted.turn.id

    def may_join(self, node: Node, user_id: int) -> bool:
        waits = (node.state, node.attempts, node.version) == (TurnState.QUEUED, 0, 1)
        return waits and node.user_id == user_id

    def add(self, number: int, node: Node) -> None:
        assert number not in self.nodes
        self.nodes[number] = node
        node.group = node.group or number
        if not node.question:
            node.compose()
        self.heads[node.key] = number

    @rule(number=turns, data=st.data(), stale=st.booleans())
    def begin(self, number: int, data: st.DataObject, *, stale: bool) -> None:
        if (node := self.nodes.get(number)) is None:
            return
        window = data.draw(st.sampled_from([node.window_from, number, *self.ancestors(number)]), label="window")
        question = node.question + ("?" if stale else "")
        begun = self.run(
            self.history.begin(
                number, question=question, question_ids=(number,), tokenizer="t", window_from=window, seed=None
            )
        )
        if stale or node.state not in WAITING:
            assert begun is None
            return
        node.state, node.attempts = TurnState.GENERATING, node.attempts + 1
        self.set_window(number, window)
        assert begun.attempts == node.attempts

    @rule(number=turns, answer=st.text("ab\n", max_size=4))
    def save_partial(self, number: int, answer: str) -> None:
        self.run(self.history.save_partial(number, answer=answer, answer_ids=()))
        if number in self.nodes and self.nodes[number].state is TurnState.GENERATING:
            self.nodes[number].answer = answer

    @rule(
        number=turns,
        state=st.sampled_from([*FINAL, TurnState.INTERRUPTED]),
        answer=st.text("cd", max_size=4),
        finish=st.sampled_from([None, Finish.STOP, Finish.LENGTH]),
    )
    def finish(self, number: int, state: TurnState, answer: str, finish: Finish | None) -> None:
        if number not in self.nodes:
            return
        self.run(self.history.finish(number, state=state, finish=finish, answer=answer, answer_ids=(), usage=Usage()))
        node = self.nodes[number]
        if node.state not in FINAL:
            node.state, node.answer, node.finish = state, answer, finish

    @rule(number=turns, message_ids=st.lists(st.integers(1000, 1010), max_size=3, unique=True))
    def show(self, number: int, message_ids: list[int]) -> None:
        if number not in self.nodes or not self.nodes[number].messages:  # only the version that is shown
            return
        self.run(self.history.add_answer_messages(number, message_ids))
        mine = self.nodes[number].shown
        for message_id in [one for one in message_ids if one not in mine]:
            for node in self.nodes.values():
                if message_id in node.shown:
                    node.shown.remove(message_id)
            mine.append(message_id)

    @rule(message_id=st.integers(1, 60) | st.integers(100, 200), text=st.text("xy", max_size=3))
    def edit(self, message_id: int, text: str) -> None:
        known, text = self.owner(message_id), self.tagged(text)
        question = Question(KEYS[0], 1, message_id, text)
        edited = self.run(editing.edit(self.history, question))
        if known is None:
            assert edited is None
            return
        node = self.nodes[known]
        assert (edited.turn.id, edited.was) == (known, node.state)
        self.forget_text(node.messages[message_id])
        node.messages[message_id] = text
        node.compose()
        for other in [version for version in self.versions(known) if version != known]:
            for number, child in self.nodes.items():
                if child.parent == other:
                    child.parent = known if number > known else node.parent
            self.hand_over(other, known)
            del self.nodes[other]
        if node.state in FINAL:
            self.heads[node.key] = known
        node.window_from = self.nodes[node.parent].window_from if node.parent else None
        node.state, node.answer, node.attempts = TurnState.QUEUED, "", min(node.attempts, 1)
        node.edits, node.version, node.group, node.finish = node.edits + 1, 1, known, None

    @rule(message_id=st.integers(1, 60) | st.integers(100, 200) | st.integers(1000, 1010))
    def forget_message(self, message_id: int) -> None:
        known = self.owner(message_id)
        gone = self.run(forgetting.forget_messages(self.history, [message_id]))
        node = self.nodes.get(known or 0)
        if node is None or known is None:
            assert gone == []
            showing = [one for one in self.nodes.values() if message_id in one.shown]
            for one in showing:
                one.shown.remove(message_id)
            self.forgotten.update(() if showing else {message_id})
            return
        self.forgotten.add(message_id)
        self.forget_text(node.messages[message_id])
        if node.state is TurnState.QUEUED and len(node.messages) > 1:
            assert gone == []
            del node.messages[message_id]
            node.compose()
            return
        assert [turn.id for turn in gone] == self.versions(known)
        for version in self.versions(known):
            removed = self.nodes.pop(version)
            self.forgotten |= set(removed.messages)
            for text in removed.messages.values():
                self.forget_text(text)
            for child in self.nodes.values():
                if child.parent == version:
                    child.parent = removed.parent
            self.hand_over(version, removed.parent)

    def move_messages(self, group: list[int], to: int) -> None:
        [had] = [version for version in group if self.nodes[version].messages]
        if had != to:
            self.nodes[to].messages, self.nodes[had].messages = self.nodes[had].messages, {}
            self.nodes[to].shown, self.nodes[had].shown = self.nodes[had].shown, []

    @rule(target=turns, number=turns)
    def regenerate(self, number: int) -> Any:
        if number not in self.nodes:
            return multiple()
        node, group = self.nodes[number], self.versions(number)
        if any(self.nodes[version].state not in FINAL for version in group):
            with pytest.raises(AnswerStillRuns):
                self.run(versions.add(self.history, number))
            return multiple()
        added = self.run(versions.add(self.history, number))
        window = self.nodes[node.parent].window_from if node.parent else None
        new = Node(node.key, node.user_id, node.parent, window, {}, question=node.question)
        new.version, new.group = 1 + max(self.nodes[version].version for version in group), node.group
        self.add(added.id, new)
        self.move_messages([*group, added.id], added.id)
        return added.id

    @rule(number=turns, step=st.sampled_from([-1, 1]))
    def show_version(self, number: int, step: int) -> None:
        if number not in self.nodes:
            return
        group = self.versions(number)
        if any(self.nodes[version].state not in FINAL for version in group):
            with pytest.raises(AnswerStillRuns):
                self.run(versions.show_neighbour(self.history, number, step))
            return
        wanted = group[min(max(group.index(number) + step, 0), len(group) - 1)]
        assert self.run(versions.show_neighbour(self.history, number, step)).id == wanted
        self.move_messages(group, wanted)
        for version in group:
            self.hand_over(version, wanted)

    @rule(number=turns)
    def go_on(self, number: int) -> None:
        if number not in self.nodes:
            return
        node, group = self.nodes[number], self.versions(number)
        going_on = versions.go_on(self.history, number, answer_ids=(7,), tokenizer="t")
        if any(self.nodes[version].state not in FINAL for version in group):
            with pytest.raises(AnswerStillRuns):
                self.run(going_on)
            return
        if (node.state, node.finish) != (TurnState.DONE, Finish.LENGTH):
            with pytest.raises(NothingToContinue):
                self.run(going_on)
            return
        continued = self.run(going_on)
        assert (continued.id, continued.answer, continued.continued_from) == (number, node.answer, 1)
        node.state, node.finish, node.attempts = TurnState.INTERRUPTED, None, min(node.attempts, 1)
        self.move_messages(group, number)
        for version in group:
            self.hand_over(version, number)

    @rule(channel_id=st.sampled_from([1, 2, 3]), seldom=st.integers(0, 3))
    def forget_channel(self, channel_id: int, seldom: int) -> None:
        if seldom:
            return
        gone = [number for number, node in sorted(self.nodes.items()) if node.key.channel_id == channel_id]
        unfinished = [number for number in gone if self.nodes[number].state not in FINAL]
        forgotten = self.run(forgetting.forget_channels(self.history, [channel_id]))
        assert [turn.id for turn in forgotten] == unfinished
        for number in gone:
            node = self.nodes.pop(number)
            self.forgotten |= set(node.messages)
            for text in node.messages.values():
                self.forget_text(text)
        self.heads.update((key, None) for key in KEYS if key.channel_id == channel_id)

    @rule(key=st.sampled_from(KEYS))
    def reset(self, key: ConversationKey) -> None:
        assert self.run(self.history.reset(key)) is (self.heads[key] is not None)
        self.heads[key] = None

    @rule(user_id=st.sampled_from([1, 2]))
    def reset_everywhere(self, user_id: int) -> None:
        gone = [key for key, head in self.heads.items() if key.user_id == user_id and head is not None]
        assert self.run(self.history.reset_everywhere(user_id)) == len(gone)
        self.heads.update(dict.fromkeys(gone))

    @rule()
    def restart(self) -> None:
        self.run(self.history.aclose())
        self.history = self.run(History.open(self.path))
        for node in self.nodes.values():
            if node.state is TurnState.GENERATING:
                node.state = TurnState.INTERRUPTED

    @rule(number=turns)
    def path_is_the_models(self, number: int) -> None:
        expected = self.ancestors(number) if number in self.nodes else []
        assert [turn.id for turn in self.run(self.history.path(number))] == expected

    @rule(number=turns)
    def turn_is_the_models(self, number: int) -> None:
        node, turn = self.nodes.get(number), self.run(self.history.turn(number))
        if node is None:
            assert turn is None
            return
        assert (turn.key, turn.user_id, turn.parent_id) == (node.key, node.user_id, node.parent)
        assert (turn.state, turn.answer, turn.attempts) == (node.state, node.answer, node.attempts)
        assert (turn.question, turn.window_from) == (node.question, node.window_from)
        assert list(turn.question_message_ids) == sorted(node.messages)
        assert list(turn.answer_message_ids) == node.shown
        assert turn.finish == node.finish
        assert (turn.edits, turn.version, turn.versions) == (node.edits, node.version, len(self.versions(number)))

    @invariant()
    def what_is_left_to_do_is_the_models(self) -> None:
        expected = [number for number, node in sorted(self.nodes.items()) if node.state not in FINAL]
        assert [turn.id for turn in self.run(self.history.unfinished())] == expected

    @invariant()
    def ids_rise_along_every_path(self) -> None:
        rows = self.run(self.history.fetch("SELECT id, parent_id FROM turns", {}))
        assert {row["id"]: row["parent_id"] for row in rows} == {number: it.parent for number, it in self.nodes.items()}
        assert all(row["parent_id"] is None or row["parent_id"] < row["id"] for row in rows)

    @invariant()
    def nothing_forgotten_stands_in_a_file(self) -> None:
        files = b"".join(file.read_bytes() for file in Path(self.folder.name).iterdir())
        assert [secret for secret in self.secrets if secret.encode() in files] == []

    @invariant()
    def the_current_paths_are_the_models(self) -> None:
        for key, number in self.heads.items():
            expected: list[int] = []
            above = number
            while above is not None and len(expected) < 3:
                expected.insert(0, above)
                above = self.nodes[above].parent
            assert [turn.id for turn in self.run(self.history.recent(key, 3))] == expected


TestHistoryAgainstItsModel = HistoryMachine.TestCase
TestHistoryAgainstItsModel.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
