"""What the history survives: a cancellation at any await, another task's rollback, kill -9 while it writes."""

import asyncio
import itertools
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from dataclasses import replace
from pathlib import Path
from types import coroutine
from typing import Any

import pytest

from bot.core import editing, forgetting, versions
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, Turn, TurnState, Usage
from bot.errors import HistoryFailed

KEY = ConversationKey(channel_id=1, user_id=2)


def asked(message_id: int, text: str = "hi", key: ConversationKey = KEY) -> Question:
    return Question(key, user_id=key.user_id or 0, message_id=message_id, text=text)


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    opened = await History.open(tmp_path / "bot.db")
    yield opened
    await opened.aclose()


@coroutine
def _cancelling(work: Coroutine[Any, Any, None], first: int, *, again: bool) -> Generator[Any, Any, int]:
    """Drive `work`, cancelling its task at its suspension number `first` (and at every later one); count them."""
    suspensions = 0
    step: Callable[[Any], Any] = work.send
    argument: Any = None
    while True:
        try:
            waited_for = step(argument)
        except StopIteration:
            return suspensions
        suspensions += 1
        if suspensions == first or (again and suspensions > first):
            task = asyncio.current_task()
            assert task
            task.cancel()
        try:
            step, argument = work.send, (yield waited_for)
        except BaseException as exc:  # noqa: BLE001 - handed on, whatever it is
            step, argument = work.throw, exc


async def cancelled_at(first: int, work: Coroutine[Any, Any, None], *, again: bool) -> bool:
    """Run `work`, cancelling it at one await or from one on. Returns whether it had as many awaits as that."""

    async def drive() -> None:
        await _cancelling(work, first, again=again)

    task = asyncio.create_task(drive())
    await asyncio.wait([task])
    if task.cancelled():
        return True
    task.result()
    return False


async def waiting_turn(history: History, message_id: int) -> Turn:
    return (await history.accept(asked(message_id, f"q{message_id}"))).turn


@pytest.mark.parametrize("again", [False, True], ids=["once", "and again"])
async def test_an_accept_cancelled_anywhere_is_wholly_there_or_not(history: History, *, again: bool) -> None:
    async def accept(number: int) -> None:
        await history.accept(asked(number, key=ConversationKey(number, 2)))

    seen = set()
    for number in itertools.count(1):
        if not await cancelled_at(number, accept(number), again=again):
            break
        turn = await history.turn_of_message(number)
        recent = await history.recent(ConversationKey(number, 2), 5)
        assert [turn] == recent if turn else recent == []
        seen.add(turn is not None)
        assert (await history.accept(asked(10**6 + number))).turn  # it goes on working
    assert number > 1
    assert seen == {True}  # a write that has begun runs to its end; one that waits is test_write's subject


@pytest.mark.parametrize("again", [False, True], ids=["once", "and again"])
async def test_a_join_cancelled_anywhere_leaves_question_and_messages_in_step(history: History, *, again: bool) -> None:
    async def join(number: int) -> None:
        await history.accept(asked(1000 + number, f"and {number}"))

    turn = await waiting_turn(history, 1)
    for number in itertools.count(1):
        more = await cancelled_at(number, join(number), again=again)
        stored = await history.turn(turn.id)
        assert stored
        texts = ["q1", *(f"and {message_id - 1000}" for message_id in stored.question_message_ids[1:])]
        assert stored.question == "\n".join(texts)
        if not more:
            break
    assert number > 1


async def test_a_finish_cancelled_anywhere_is_wholly_there_or_not(history: History) -> None:
    async def finish(turn: Turn) -> None:
        await history.finish(
            turn.id, state=TurnState.DONE, finish=Finish.STOP, answer="a", answer_ids=(1,), usage=Usage(1, 2),
            window_from=turn.id,
        )  # fmt: skip

    for number in itertools.count(1):
        turn = await waiting_turn(history, number)
        more = await cancelled_at(number, finish(turn), again=False)
        stored = await history.turn(turn.id)
        assert stored
        whole = (TurnState.DONE, "a", (1,), Usage(1, 2), turn.id)
        nothing = (TurnState.QUEUED, "", (), Usage(), turn.window_from)
        got = (stored.state, stored.answer, stored.answer_ids, stored.usage, stored.window_from)
        assert got in (whole, nothing)
        if not more:
            break
        await finish(turn)
    assert number > 1


CHANGES = {
    "edit": lambda history, turn: editing.edit(history, asked(turn.question_message_ids[0], "other")),
    "forget": lambda history, turn: forgetting.forget_turn(history, turn.id),
    "regenerate": lambda history, turn: versions.add(history, turn.id),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("again", [False, True], ids=["once", "and again"])
async def test_a_change_of_the_tree_cancelled_anywhere_is_wholly_there_or_not(
    history: History, change: Callable[[History, Turn], Coroutine[Any, Any, Any]], *, again: bool
) -> None:
    async def run(turn: Turn) -> None:
        await change(history, turn)

    for number in itertools.count(1):
        turn = await waiting_turn(history, number)
        done = await history.finish(
            turn.id, state=TurnState.DONE, finish=None, answer="a", answer_ids=(1,), usage=Usage()
        )
        more = await cancelled_at(number, run(done), again=again)
        shown = await history.turn_of_message(number)
        edited = replace(
            done, question="other", asked="other", answer="", answer_ids=(), edits=1, state=TurnState.QUEUED,
            created_at=shown.created_at if shown else 0.0,
        )  # fmt: skip
        if shown is None:
            assert await history.turn(done.id) is None
        elif shown.id == done.id:
            assert shown in (done, edited)
        else:
            assert (shown.version, shown.versions, shown.state) == (2, 2, TurnState.QUEUED)
        [head] = await history.recent(KEY, 1) or [None]
        assert (head and head.id) == (shown.id if shown else done.parent_id)
        if shown is not None:
            await history.finish(
                shown.id, state=TurnState.DONE, finish=None, answer="b", answer_ids=(2,), usage=Usage()
            )
        if not more:
            break
    assert number > 1


async def test_a_cancelled_transaction_is_left_only_when_its_statement_and_rollback_have_run(history: History) -> None:
    gate, inside = threading.Event(), asyncio.Event()

    async def write() -> None:
        async with history.transaction() as connection:
            await connection.create_function("hold", 0, lambda: gate.wait(30))
            await connection.execute("INSERT INTO facts VALUES ('mine', 'x')")
            inside.set()
            await connection.execute_fetchall("SELECT hold()")

    writing = asyncio.create_task(write())
    await inside.wait()
    following = asyncio.create_task(history.accept(asked(1)))
    for _ in range(5):
        await asyncio.sleep(0)
        writing.cancel()
    await asyncio.sleep(0)
    assert not writing.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await history.recall("mine") is None
    assert (await following).outcome == "new"


async def test_a_cancelled_read_disturbs_nothing(history: History) -> None:
    turn = await waiting_turn(history, 1)

    async def read() -> None:
        await history.path(turn.id)

    assert await cancelled_at(1, read(), again=True)
    assert await history.turn(turn.id) == turn


async def test_a_waiter_cancelled_before_its_turn_leaves_the_lock_to_the_next(history: History) -> None:
    async with history.transaction():
        waiters = [asyncio.create_task(history.accept(asked(number))) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        waiters[1].cancel()
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert await history.turn_of_message(2) is None
    assert await history.turn_of_message(3)


async def test_a_rollback_does_not_take_another_tasks_insert_with_it(history: History) -> None:
    inside = asyncio.Event()

    async def fail() -> None:
        async with history.transaction() as connection:
            await connection.execute("INSERT INTO facts VALUES ('mine', 'x')")
            inside.set()
            for _ in range(5):  # the other task is at the door by now
                await asyncio.sleep(0)
            raise RuntimeError("changed my mind")

    failing = asyncio.create_task(fail())
    await inside.wait()
    accepted = await history.accept(asked(1))
    with pytest.raises(RuntimeError, match="changed my mind"):
        await failing
    assert await history.recall("mine") is None
    assert await history.turn_of_message(1) == accepted.turn


async def test_one_failing_write_among_many_spoils_only_itself(history: History) -> None:
    async def good(number: int) -> None:
        await history.accept(asked(number, key=ConversationKey(number, 2)))

    async def bad() -> None:
        with pytest.raises(HistoryFailed):
            await history.add_answer_messages(404, [10**6])

    writes: list[Awaitable[None]] = [write for number in range(1, 21) for write in (good(number), bad())]
    await asyncio.gather(*writes)
    assert [turn.question_message_ids[0] for turn in await history.unfinished()] == list(range(1, 21))


WRITE = """
import asyncio, itertools, sys
from pathlib import Path
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, TurnState, Usage

async def main():
    history = await History.open(Path(sys.argv[1]))
    async def talk(channel):
        for number in itertools.count(int(sys.argv[2])):
            message = number * 10 + channel
            turn = (await history.accept(Question(ConversationKey(channel, 7), 7, message, f"q{message}"))).turn
            print("accepted", message, turn.id, file=sys.stderr, flush=True)
            await history.begin(turn.id, question=turn.question, question_ids=range(50), tokenizer="t",
                                window_from=None, seed=None)
            await history.save_partial(turn.id, answer="half", answer_ids=range(20))
            if number % 3:
                await history.finish(turn.id, state=TurnState.DONE, finish=Finish.STOP, answer=f"a{message}",
                                     answer_ids=range(40), usage=Usage())
                print("finished", message, turn.id, file=sys.stderr, flush=True)
    await asyncio.gather(*(talk(channel) for channel in range(1, 5)))

asyncio.run(main())
"""


def write_until_killed(path: Path, start: int, lines: int) -> list[tuple[str, int, int]]:
    """Let a process write, kill -9 it after so many acknowledgements, and return all that it gave."""
    command = [sys.executable, "-c", WRITE, str(path), str(start)]
    told = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as writer:
        assert writer.stderr
        try:
            for line in writer.stderr:
                if not line.endswith("\n"):
                    break  # the kill came in the middle of a word
                what, message_id, turn_id = line.split()
                told.append((what, int(message_id), int(turn_id)))
                if len(told) == lines:
                    writer.kill()  # and read on: what it told before it died counts too
        finally:
            writer.kill()
    return told


async def test_whatever_was_acknowledged_before_a_kill_9_is_there_after(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    told: list[tuple[str, int, int]] = []
    for round_ in range(3):  # three lives of the same file
        new = write_until_killed(path, start=round_ * 1000, lines=40 + round_ * 7)
        assert len(new) >= 40
        told += new
        history = await History.open(path)
        for what, message_id, turn_id in told:
            turn = await history.turn_of_message(message_id)
            assert turn
            assert turn.id == turn_id
            assert f"q{message_id}" in turn.question.split("\n")  # the next life's question joins one that still waits
            if what == "finished":
                assert (turn.state, turn.answer) == (TurnState.DONE, f"a{message_id}")
        left = await history.unfinished()
        assert {turn.state for turn in left} <= {TurnState.QUEUED, TurnState.INTERRUPTED}  # none generates any more
        assert all(turn.answer in {"", "half"} for turn in left)
        async with history.transaction() as connection:
            [[verdict]] = await connection.execute_fetchall("PRAGMA integrity_check")
        assert verdict == "ok"
        await history.aclose()
