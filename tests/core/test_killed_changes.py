"""kill -9 before every single statement of what changes the tree of turns: all of it is on disk afterwards, or nothing.

A process prepares a database and forks for each statement: the child makes the change on a copy and kills itself there.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bot.core import editing, forgetting, summaries, versions
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, Summarizes, TurnState, Usage

HERE, THERE, ALONE = ConversationKey(1, 7), ConversationKey(2, 7), ConversationKey(3, 7)
NOW = 1_000_000.0
MOST_STATEMENTS = 60


def opened(path):
    return History.open(path, clock=lambda: NOW)


async def done(history, turn, *, finish=Finish.STOP, **end):
    return await history.finish(
        turn.id, state=TurnState.DONE, finish=finish, answer="said", answer_ids=(1, 2), usage=Usage(), **end
    )


async def talk(history, key, message_id):
    turn = (await history.accept(Question(key, 7, message_id, f"secret {message_id}"))).turn
    await history.add_answer_messages(turn.id, [100 + message_id])
    return await done(history, turn, finish=Finish.LENGTH)


async def summarize(history, key):
    [head] = await history.recent(key, 1)
    return await summaries.add(history, key, head.id, user_id=7, summarizes=Summarizes.ALL)


async def prepare(path):
    """Three exchanges, the second in two versions, their summary and one more; elsewhere a summary that waits.

    And a question that is not to be stored.
    """
    history = await opened(path)
    for message_id in (1, 2):
        await talk(history, HERE, message_id)
    second = await history.turn_of_message(2)
    await done(history, await versions.add(history, second.id), finish=Finish.LENGTH)
    await talk(history, HERE, 3)
    summary = await summarize(history, HERE)
    await done(history, summary, next_window=(summary.id, ()))
    await talk(history, HERE, 4)
    await talk(history, THERE, 5)
    await summarize(history, THERE)
    await history.accept(Question(ALONE, 7, 6, "secret 6", no_store=True))
    await history.aclose()


async def turn_of(history, message_id):
    return (await history.turn_of_message(message_id)).id


async def finish_summary(history):
    [waiting] = [turn for turn in await history.unfinished() if turn.summarizes]
    await done(history, waiting, next_window=(waiting.id, ()))


async def edit(history):
    await editing.edit(history, Question(HERE, 7, 2, "other"))


async def regenerate(history):
    await versions.add(history, await turn_of(history, 1))


async def show_version(history):
    await versions.show_neighbour(history, await turn_of(history, 2), -1)


async def go_on(history):
    await versions.go_on(history, await turn_of(history, 2), answer_ids=(1, 2), tokenizer="t")


async def forget_turn(history):
    await forgetting.forget_turn(history, await turn_of(history, 2))


async def forget_messages(history):
    await forgetting.forget_messages(history, [1, 3])


async def forget_channel(history):
    await forgetting.forget_channels(history, [1])


async def sum_up(history):
    await summarize(history, HERE)


async def end_unstored(history):
    await forgetting.forget_as_it_ends(history, await turn_of(history, 6), edits=0)


CHANGES = {
    change.__name__: change
    for change in (
        edit, regenerate, show_version, go_on, forget_turn, forget_messages, forget_channel, sum_up, finish_summary,
        end_unstored,
    )
}  # fmt: skip
SAME_MESSAGES = {"edit": (2, 102), "regenerate": (1, 101), "go_on": (2, 102)}
FORGOTTEN = {
    "edit": b"secret 2",
    "forget_turn": b"secret 2",
    "forget_messages": b"secret 3",
    "forget_channel": b"secret 4",
    "end_unstored": b"secret 6",
}


async def change_until(path, change, statement):
    """Make a change; before its write statement number `statement` the process kills itself."""
    history = await opened(path)
    seen = 0

    def count(_sql):
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    await history.write(lambda connection: connection.set_trace_callback(count))
    await CHANGES[change](history)
    await history.aclose()


def main(folder, change):
    """Kill a child before every statement of a change, and tell how many there were."""
    asyncio.run(prepare(folder / "prepared"))
    for statement in range(MOST_STATEMENTS + 1):
        path = folder / str(statement)  # number 0 is never killed
        shutil.copyfile(folder / "prepared", path)
        child = os.fork()
        if not child:
            asyncio.run(change_until(path, change, statement))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
        elif statement:  # there are no more
            assert os.waitstatus_to_exitcode(status) == 0
            return
    raise AssertionError("a change has many more statements than it had")


def dump(path):
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_killed_before_any_of_its_statements_is_wholly_there_or_not(tmp_path: Path, change: str) -> None:
    command = [sys.executable, __file__, str(tmp_path), change]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
    states = []
    for statement in range(len([file for file in tmp_path.iterdir() if file.name.isdecimal()])):
        history = await opened(tmp_path / str(statement))
        left = [turn for turn in await history.unfinished() if not turn.no_store]
        if change in SAME_MESSAGES and len(left) > 1:
            question, answer = SAME_MESSAGES[change]
            resumed = next(turn for turn in left if turn.summarizes is None)
            assert (resumed.question_message_ids, resumed.answer_message_ids) == ((question,), (answer,))
        await history.aclose()
        states.append(dump(tmp_path / str(statement)))
        if change in FORGOTTEN and states[-1] == states[0]:
            assert FORGOTTEN[change] not in (tmp_path / str(statement)).read_bytes()
    whole = states[0]
    nothing = dump(tmp_path / "prepared")
    assert whole != nothing
    assert all(state in (whole, nothing) for state in states)
    assert states[1] == nothing  # killed before the first
    assert states[-1] == whole  # which had no such statement any more
    assert len(states) > 3


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
