"""How fast one person may ask. Knows persons as ids."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from bot.errors import TooManyQuestions

MINUTE_S = 60.0


class RateLimit:
    """At most `per_minute` questions of one person in any 60 seconds; remembers who asked within the last 120."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the limit; `clock` gives seconds."""
        self._per_minute = per_minute
        self._clock = clock
        self._asked: dict[int, deque[float]] = {}
        self._looked_through_s = clock()

    def count(self, user_id: int) -> None:
        """Count one question. Raises: TooManyQuestions, and then it does not count."""
        now = self._clock()
        if now - self._looked_through_s > MINUTE_S:  # seldom: it looks at everybody
            self._looked_through_s = now
            self._asked = {other: times for other, times in self._asked.items() if times[-1] > now - MINUTE_S}
        asked = self._asked.setdefault(user_id, deque())
        while asked and asked[0] <= now - MINUTE_S:
            asked.popleft()
        if len(asked) >= self._per_minute:
            raise TooManyQuestions(self._per_minute, asked[0] + MINUTE_S - now)
        asked.append(now)
