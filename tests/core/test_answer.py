"""How an answer tells of itself: often enough for a reader, seldom enough for many answers."""

import asyncio
import time

from bot.core.answer import Answer, Phase, Snapshot
from bot.core.messages import Turn, TurnState


def an_answer() -> Answer:
    turn = Turn(
        id=1, conversation_id=1, parent_id=None, user_id=1, question="Hello", state=TurnState.QUEUED, created_at=0
    )
    return Answer(turn, lambda answer: Snapshot(answer.phase, answer.text))


async def test_what_is_new_at_about_the_same_time_is_told_once() -> None:
    answer = an_answer()
    first = answer.changed
    answer.move_to(Phase.WAITING)
    answer.move_to(Phase.ANSWERING)
    assert not first.is_set()
    async with asyncio.timeout(10):
        await first.wait()
    assert answer.newest().phase is Phase.ANSWERING
    await asyncio.sleep(0.1)
    assert not answer.changed.is_set()


async def test_the_end_is_told_at_once_and_nothing_after_it() -> None:
    answer = an_answer()
    answer.move_to(Phase.ANSWERING)
    changed = answer.changed
    answer.end(answer.turn, None)
    assert changed.is_set()
    last = answer.changed
    await asyncio.sleep(0.1)
    assert not last.is_set()


async def test_whoever_reads_on_misses_no_change() -> None:
    answer = an_answer()
    seen: set[Phase] = set()

    async def read() -> None:
        async for snapshot in answer:
            seen.add(snapshot.phase)

    reading = asyncio.create_task(read())
    began_s = time.monotonic()
    for phase in (Phase.LOADING, Phase.WAITING, Phase.ANSWERING):
        answer.move_to(phase)
        async with asyncio.timeout(10):
            while phase not in seen:
                await asyncio.sleep(0.005)
    answer.end(answer.turn, None)
    await reading
    assert Phase.ENDED in seen
    assert time.monotonic() - began_s < 4  # nobody waited for the reminder, which comes after 5 s
