"""Whose turn it is: a bounded, fair wait for one of the engine's slots, and how fast one person may ask.

Knows persons as ids and nothing of questions, answers or engines.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.errors import TooManyQuestions

MINUTE_S = 60.0


@dataclass(eq=False, slots=True)
class _Waiter:
    user_id: int
    granted: asyncio.Future[None]


class Scheduler:
    """Hands out `slots`. A free slot goes to whoever holds fewest slots now; among those, to who came first."""

    def __init__(self, slots: int) -> None:
        """Take how many may run side by side."""
        self._free = slots
        self._held: Counter[int] = Counter()
        self._waiters: list[_Waiter] = []

    @asynccontextmanager
    async def slot(self, user_id: int) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Cancelling leaves the queue; no slot is ever lost."""
        waiter = _Waiter(user_id, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._grant()
        try:
            await waiter.granted
            yield
        finally:
            if waiter.granted.done() and not waiter.granted.cancelled():
                self._give_back(user_id)
            else:
                self._waiters.remove(waiter)

    def _grant(self) -> None:
        while self._free and self._waiters:
            waiter = min(self._waiters, key=lambda waiting: self._held[waiting.user_id])
            self._waiters.remove(waiter)
            self._free -= 1
            self._held[waiter.user_id] += 1
            waiter.granted.set_result(None)

    def _give_back(self, user_id: int) -> None:
        self._free += 1
        self._held[user_id] -= 1
        if not self._held[user_id]:
            del self._held[user_id]
        self._grant()


class RateLimit:
    """At most `per_minute` questions of one person in any 60 seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the limit; `clock` gives seconds."""
        self._per_minute = per_minute
        self._clock = clock
        self._asked: dict[int, deque[float]] = {}

    def count(self, user_id: int) -> None:
        """Count one question. Raises: TooManyQuestions, and then it does not count."""
        now = self._clock()
        self._forget_until(now - MINUTE_S)
        asked = self._asked.setdefault(user_id, deque())
        if len(asked) >= self._per_minute:
            raise TooManyQuestions(self._per_minute, asked[0] + MINUTE_S - now)
        asked.append(now)

    def _forget_until(self, oldest: float) -> None:
        """Forget what is over a minute old, so that memory holds only who asked within the last one."""
        for user_id in list(self._asked):
            asked = self._asked[user_id]
            while asked and asked[0] <= oldest:
                asked.popleft()
            if not asked:
                del self._asked[user_id]
