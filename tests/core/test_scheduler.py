"""The wait for a slot: fair by person, told honestly, and never losing a slot."""

import asyncio

import pytest

from bot.core.scheduler import Scheduler

ADA, BEN, CLEO = 1, 2, 3


class Office:
    """Holds slots for people until they are told to leave."""

    def __init__(self, slots):
        self.now = 0.0
        self.scheduler = Scheduler(slots, lambda: self.now)
        self.order = []
        self.leases = {}
        self.tasks = {}
        self.leaving = {}

    async def come(self, user_id, name, cost=10):
        self.leaving[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(user_id, name, cost))
        await settle()

    async def _hold(self, user_id, name, cost):
        async with self.scheduler.slot(user_id, lambda lease: self.leases.__setitem__(name, lease)) as lease:
            self.order.append(name)
            await self.leaving[name].wait()
            lease.charge(prompt_tokens=cost)

    async def leave(self, name, after_s=0):
        self.now += after_s
        self.leaving[name].set()
        await asyncio.wait_for(self.tasks[name], 1)
        await settle()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def office():
    made = []

    def open_office(slots):
        made.append(Office(slots))
        return made[-1]

    yield open_office
    for task in [task for office in made for task in office.tasks.values()]:
        task.cancel()
        await asyncio.wait([task])


async def test_slots_go_in_order_of_arrival_and_never_more_than_there_are(office):
    room = office(2)
    for user_id, name in ((ADA, "ada"), (BEN, "ben"), (CLEO, "cleo")):
        await room.come(user_id, name)
    assert room.order == ["ada", "ben"]
    await room.leave("ada")
    assert room.order == ["ada", "ben", "cleo"]


async def test_the_least_served_goes_first_whoever_came_first(office):
    room = office(1)
    await room.come(ADA, "a1", cost=1000)
    await room.come(ADA, "a2")
    await room.come(ADA, "a3")
    await room.come(BEN, "b1", cost=10)
    await room.come(BEN, "b2")
    for name in ("a1", "b1", "b2"):
        await room.leave(name)
    assert room.order == ["a1", "b1", "b2", "a2"]


async def test_twenty_questions_of_one_person_do_not_hold_up_five_people_with_one_each(office):
    room = office(4)
    greedy = [f"g{number}" for number in range(20)]
    for name in greedy:
        await room.come(ADA, name)
    others = [f"o{number}" for number in range(5)]
    for number, name in enumerate(others):
        await room.come(10 + number, name)
    while not set(others) <= set(room.order):
        await room.leave(next(name for name in room.order if not room.leaving[name].is_set()))
    assert sum(name in room.order for name in greedy) < 10


async def test_a_person_holds_at_most_half_the_slots_while_others_wait_and_all_of_them_else(office):
    room = office(4)
    for number in range(6):
        await room.come(ADA, f"a{number}")
    assert room.order == ["a0", "a1", "a2", "a3"]
    for number in range(4):
        await room.come(BEN, f"b{number}", cost=1000)
    for name in ("a0", "a1", "a2", "a3"):
        await room.leave(name)
    assert room.order[4:] == ["b0", "b1", "a4", "a5"]


async def test_who_was_away_has_saved_nothing_up(office):
    room = office(1)
    await room.come(ADA, "a1", cost=1000)
    await room.come(ADA, "a2", cost=1000)
    await room.come(BEN, "b1", cost=100)
    await room.leave("a1")  # Ada 1000, Ben 0
    await room.leave("b1")  # Ben 100, and gone
    await room.come(ADA, "a3")
    await room.come(CLEO, "c1", cost=10)  # is lifted to Ada's 1000, and came after a3
    await room.leave("a2")  # Ada 2000
    await room.come(CLEO, "c2")
    await room.leave("c1")
    assert room.order == ["a1", "b1", "a2", "c1", "c2"]


async def test_a_counter_is_kept_while_anybody_is_served_so_that_coming_back_gains_nothing(office):
    room = office(1)
    await room.come(ADA, "a1", cost=1000)
    await room.come(BEN, "b1", cost=10)
    await room.leave("a1")  # Ada 1000, and gone
    await room.come(ADA, "a2")
    await room.come(CLEO, "c1")  # Ben's 0
    await room.leave("b1")
    assert room.order == ["a1", "b1", "c1"]


async def test_nobody_is_remembered_once_nobody_asks(office):
    room = office(2)
    for user_id in range(50):
        await room.come(user_id, str(user_id))
        await room.leave(str(user_id))
    assert not room.scheduler._persons


@pytest.mark.parametrize("is_granted", [False, True])
async def test_cancelling_a_wait_or_a_grant_loses_no_slot(office, is_granted):
    room = office(1)
    await room.come(ADA, "ada")
    await room.come(BEN, "ben")
    if is_granted:  # in the same turn of the loop in which it is cancelled
        room.leaving["ada"].set()
        while not room.leases["ben"].granted.done():
            await asyncio.sleep(0)
    room.tasks["ben"].cancel()
    await asyncio.wait({room.tasks["ben"]})
    room.leaving["ada"].set()
    await asyncio.wait({room.tasks["ada"]})
    await room.come(CLEO, "cleo")
    assert room.order[-1] == "cleo"


async def test_a_wait_cancelled_in_the_very_turn_in_which_a_slot_comes_free_is_passed_over(office):
    room = office(1)
    for user_id, name in ((ADA, "ada"), (BEN, "ben"), (CLEO, "cleo")):
        await room.come(user_id, name)
    room.tasks["ben"].cancel()  # his future is cancelled at once, he himself leaves a turn later
    room.leaving["ada"].set()
    await asyncio.wait([room.tasks["ada"], room.tasks["ben"]])
    await settle()
    assert room.tasks["ada"].exception() is None
    assert room.order == ["ada", "cleo"]


async def test_the_place_is_who_goes_first_and_the_seconds_are_those_measured_here(office):
    room = office(2)
    await room.come(ADA, "a1")
    await room.come(BEN, "b1")
    await room.come(CLEO, "c1")
    assert (room.leases["c1"].place().ahead, room.leases["c1"].place().wait_s) == (0, None)
    await room.leave("a1", after_s=10)  # the first measurement: 10 s
    assert room.order == ["a1", "b1", "c1"]
    await room.come(CLEO, "c2")
    await room.come(ADA, "a2")
    room.now += 4
    # b1 has run for 14 s and may end at once; c1, begun 4 s ago, in 6 s.
    ahead = {name: (room.leases[name].place().ahead, room.leases[name].place().wait_s) for name in ("a2", "c2", "c1")}
    assert ahead["c1"] == (0, 0.0)
    assert sorted((ahead["a2"], ahead["c2"])) == [(0, 0.0), (1, 6.0)]
    assert room.scheduler.wait_s() == 10.0
