"""The history against a model of it in plain Python: any sequence of calls, the same answers."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from bot.core.history import History
from bot.core.messages import ConversationKey, Question, TurnState, Usage

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

    @property
    def question(self) -> str:
        return "\n".join(text for _, text in sorted(self.messages.items()))


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

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.history.aclose())
        self.runner.close()
        self.folder.cleanup()

    def owner(self, message_id: int) -> int | None:
        return next((number for number, node in self.nodes.items() if message_id in node.messages), None)

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
        accepted = self.run(self.history.accept(Question(key, user_id, message_id, text)))
        known, head = self.owner(message_id), self.heads[key]
        node = self.nodes.get(head or 0)
        if known is not None:
            assert (accepted.outcome, accepted.turn.id) == ("duplicate", known)
            return multiple()
        if node is not None and node.state is TurnState.QUEUED and node.user_id == user_id:
            assert (accepted.outcome, accepted.turn.id) == ("joined", head)
            node.messages[message_id] = text
            return multiple()
        assert accepted.outcome == "new"
        self.add(accepted.turn.id, Node(key, user_id, head, node.window_from if node else None, {message_id: text}))
        return accepted.turn.id

    @rule(target=turns, parent=turns, message_id=st.integers(100, 200))
    def branch(self, parent: int, message_id: int) -> Any:
        node = self.nodes[parent]
        question = Question(node.key, node.user_id, message_id, "branch")
        accepted = self.run(self.history.accept(question, parent_id=parent))
        if self.owner(message_id) is not None:
            assert accepted.outcome == "duplicate"
            return multiple()
        child = Node(node.key, node.user_id, parent, node.window_from, {message_id: "branch"})
        self.add(accepted.turn.id, child)
        return accepted.turn.id

    def add(self, number: int, node: Node) -> None:
        assert number not in self.nodes
        self.nodes[number] = node
        self.heads[node.key] = number

    @rule(number=turns, data=st.data(), stale=st.booleans())
    def begin(self, number: int, data: st.DataObject, *, stale: bool) -> None:
        node = self.nodes[number]
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
        if self.nodes[number].state is TurnState.GENERATING:
            self.nodes[number].answer = answer

    @rule(number=turns, state=st.sampled_from([*FINAL, TurnState.INTERRUPTED]), answer=st.text("cd", max_size=4))
    def finish(self, number: int, state: TurnState, answer: str) -> None:
        self.run(self.history.finish(number, state=state, finish=None, answer=answer, answer_ids=(), usage=Usage()))
        node = self.nodes[number]
        if node.state not in FINAL:
            node.state, node.answer = state, answer

    @rule(number=turns, message_ids=st.lists(st.integers(1000, 1010), max_size=3, unique=True))
    def show(self, number: int, message_ids: list[int]) -> None:
        self.run(self.history.add_answer_messages(number, message_ids))
        mine = self.nodes[number].shown
        for message_id in [one for one in message_ids if one not in mine]:
            for node in self.nodes.values():
                if message_id in node.shown:
                    node.shown.remove(message_id)
            mine.append(message_id)

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
        assert [turn.id for turn in self.run(self.history.path(number))] == self.ancestors(number)

    @rule(number=turns)
    def turn_is_the_models(self, number: int) -> None:
        node, turn = self.nodes[number], self.run(self.history.turn(number))
        assert (turn.key, turn.user_id, turn.parent_id) == (node.key, node.user_id, node.parent)
        assert (turn.state, turn.answer, turn.attempts) == (node.state, node.answer, node.attempts)
        assert (turn.question, turn.window_from) == (node.question, node.window_from)
        assert list(turn.question_message_ids) == sorted(node.messages)
        assert list(turn.answer_message_ids) == node.shown

    @invariant()
    def what_is_left_to_do_is_the_models(self) -> None:
        expected = [number for number, node in sorted(self.nodes.items()) if node.state not in FINAL]
        assert [turn.id for turn in self.run(self.history.unfinished())] == expected

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
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
