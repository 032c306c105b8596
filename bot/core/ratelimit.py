"""How fast one person may ask. Knows persons as ids."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from bot.errors import TooManyQuestions

MINUTE_S = 60.0


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
