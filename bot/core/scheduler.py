"""Whose turn it is: a fair wait for one of the engine's slots, and how long it will take.

Fair by person, with the virtual token counter of "Fairness in Serving Large Language Models" (Sheng et al., OSDI 2024):
each person's counter grows with the tokens computed for them, and a free slot goes to the smallest. Knows persons as
ids and nothing of questions, answers or engines.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PROMPT_WEIGHT = 1.0
ANSWER_WEIGHT = 2.0
"""What a token adds to the counter: the paper's weights. Prompt tokens share their steps, an answer's do not."""

SMOOTHING = 0.2
"""How much the newest generation counts in the means."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question stands: `ahead` go first; `wait_s` is None while no generation has been measured yet."""

    ahead: int
    wait_s: float | None


@dataclass(eq=False, slots=True)
class Lease:
    """A wait for a slot, and then the slot."""

    scheduler: Scheduler
    user_id: int
    number: int  # in order of arrival
    granted: asyncio.Future[None]
    since_s: float = 0.0  # once granted: the clock then
    cost: float = 0.0

    def charge(self, *, prompt_tokens: int = 0, answer_tokens: int = 0) -> None:
        """Put tokens that were computed on the person's counter."""
        self.scheduler.charge(self, PROMPT_WEIGHT * prompt_tokens + ANSWER_WEIGHT * answer_tokens)

    def place(self) -> Place:
        """Tell how many go first as things are now, and the seconds that takes."""
        return self.scheduler.place(self)


@dataclass(eq=False, slots=True)
class _Person:
    served: float = 0.0  # the virtual token counter
    running: int = 0
    waiting: list[Lease] = field(default_factory=list)  # in message order


class Scheduler:
    """Hands out `slots`. A person holds at most half of them while others wait."""

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take how many may run side by side; `clock` gives seconds."""
        self._slots = slots
        self._clock = clock
        self._persons: dict[int, _Person] = {}  # whoever asked since the last time that nobody ran or waited
        self._active: set[_Person] = set()  # those of them who run or wait now
        self._running: set[Lease] = set()
        self._numbers = itertools.count()
        self._mean_s: float | None = None  # a generation holds its slot so long
        self._mean_cost: float | None = None

    @asynccontextmanager
    async def slot(self, user_id: int, on_wait: Callable[[Lease], None] | None = None) -> AsyncIterator[Lease]:
        """Wait for a slot and hold it; `on_wait` is handed the lease before the wait, to ask its place meanwhile.

        Cancelling leaves the queue; no slot is ever lost.
        """
        lease = Lease(self, user_id, next(self._numbers), asyncio.get_running_loop().create_future())
        self._join(lease)
        try:
            self._grant()
            if on_wait is not None:
                on_wait(lease)
            await lease.granted
            yield lease
        finally:
            self._leave(lease)

    def charge(self, lease: Lease, cost: float) -> None:
        """Add to the counter of the person who holds this lease."""
        lease.cost += cost
        self._persons[lease.user_id].served += cost

    def place(self, lease: Lease) -> Place:
        """Play the queue through as if each generation took the mean time and cost the mean."""
        if lease.granted.done():
            return Place(0, 0.0)
        ahead = self._order().index(lease)
        return Place(ahead, self._free_after_s(ahead))

    def wait_s(self) -> float | None:
        """Return the seconds until a slot for somebody who asks now, None while no generation has been measured."""
        return self._free_after_s(sum(len(person.waiting) for person in self._active))

    def _join(self, lease: Lease) -> None:
        person = self._persons.setdefault(lease.user_id, _Person())
        if person not in self._active:  # who was away has saved nothing up
            person.served = max(person.served, min((other.served for other in self._active), default=0.0))
            self._active.add(person)
        person.waiting.append(lease)

    def _leave(self, lease: Lease) -> None:
        person = self._persons[lease.user_id]
        if lease in self._running:
            self._running.remove(lease)
            person.running -= 1
            self._mean_s = _mean(self._mean_s, self._clock() - lease.since_s)
            self._mean_cost = _mean(self._mean_cost, lease.cost)
            self._grant()
        else:
            person.waiting.remove(lease)
        if not person.running and not person.waiting:
            self._active.remove(person)
        if not self._active:
            self._persons.clear()

    def _grant(self) -> None:
        while len(self._running) < self._slots:
            order = self._order(1)
            if not order:
                return
            [lease] = order
            person = self._persons[lease.user_id]
            person.waiting.remove(lease)
            person.running += 1
            self._running.add(lease)
            lease.since_s = self._clock()
            lease.granted.set_result(None)

    def _order(self, most: int | None = None) -> list[Lease]:
        """Return the waiting leases in the order of their turns, as things are now; `most`: only so many of them.

        First whoever holds less than half the slots, among those the least served, among those who asked first.
        """
        share = max(1, self._slots // 2)
        cost = self._mean_cost or 1.0
        heap = []
        for person in self._active:
            waiting = [
                lease for lease in person.waiting if not lease.granted.done()
            ]  # cancelled ones leave by themselves
            if waiting:
                heap.append((person.running >= share, person.served, waiting[0].number, 0, person, waiting))
        heapq.heapify(heap)
        order: list[Lease] = []
        while heap and (most is None or len(order) < most):
            _, served, _, taken, person, waiting = heapq.heappop(heap)
            order.append(waiting[taken])
            taken += 1
            if taken < len(waiting):
                is_over = person.running + taken >= share
                heapq.heappush(heap, (is_over, served + cost, waiting[taken].number, taken, person, waiting))
        return order

    def _free_after_s(self, ahead: int) -> float | None:
        """Return the seconds until `ahead` generations have begun and there is a slot for one more."""
        if self._mean_s is None:
            return None
        now = self._clock()
        ends = [max(0.0, lease.since_s + self._mean_s - now) for lease in self._running]
        ends += [0.0] * (self._slots - len(ends))
        heapq.heapify(ends)
        for _ in range(ahead):
            heapq.heapreplace(ends, ends[0] + self._mean_s)
        return ends[0]


def _mean(before: float | None, newest: float) -> float:
    return newest if before is None else before + SMOOTHING * (newest - before)
