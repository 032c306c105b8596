"""The wait for a slot and the limit on how fast one person may ask."""

import asyncio

import pytest

from bot.core.scheduler import RateLimit, Scheduler
from bot.errors import TooManyQuestions

ADA, BEN, CLEO = 1, 2, 3


async def hold(scheduler: Scheduler, user_id: int, name: str, order: list[str], release: asyncio.Event) -> None:
    async with scheduler.slot(user_id):
        order.append(name)
        await release.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_slots_go_in_order_of_arrival_and_never_more_than_there_are() -> None:
    scheduler, order, release = Scheduler(2), [], asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for user_id, name in ((ADA, "ada"), (BEN, "ben"), (CLEO, "cleo")):
            tasks.create_task(hold(scheduler, user_id, name, order, release))
        await settle()
        assert order == ["ada", "ben"]
        release.set()
    assert order == ["ada", "ben", "cleo"]


async def test_who_holds_nothing_goes_before_who_holds_a_slot_already() -> None:
    scheduler, order = Scheduler(2), []
    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(scheduler, ADA, "ada 1", order, first))
        tasks.create_task(hold(scheduler, CLEO, "cleo", order, second))
        await settle()
        tasks.create_task(hold(scheduler, CLEO, "cleo 2", order, second))
        tasks.create_task(hold(scheduler, BEN, "ben", order, second))
        await settle()
        first.set()
        await settle()
        assert order == ["ada 1", "cleo", "ben"]
        second.set()
    assert order[-1] == "cleo 2"


@pytest.mark.parametrize("granted", [False, True])
async def test_cancelling_a_wait_or_a_grant_loses_no_slot(granted: bool) -> None:
    scheduler, order, release = Scheduler(1), [], asyncio.Event()
    holder = asyncio.create_task(hold(scheduler, ADA, "ada", order, release))
    await settle()
    waiting = asyncio.create_task(hold(scheduler, BEN, "ben", order, release))
    await settle()
    if granted:
        holder.cancel()  # ben is granted the slot in the same turn of the loop in which he is cancelled
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    release.set()
    await asyncio.wait({holder})
    async with asyncio.timeout(1), scheduler.slot(CLEO):
        pass


def test_a_person_over_the_limit_is_told_when_to_come_back_and_others_are_not_touched() -> None:
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    rate.count(ADA)
    now[0] = 10
    rate.count(ADA)
    rate.count(BEN)
    now[0] = 20
    with pytest.raises(TooManyQuestions) as refused:
        rate.count(ADA)
    assert refused.value.fields == {"per_minute": 2, "retry_after_s": 40}
    now[0] = 60.5
    rate.count(ADA)


def test_what_is_over_a_minute_old_is_forgotten() -> None:
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    for user_id in range(1000):
        rate.count(user_id)
    now[0] = 61
    rate.count(ADA)
    assert len(rate._asked) == 1
