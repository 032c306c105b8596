"""When each person asked, in each place: how many questions a minute that is, and how long ago the last one was.

Knows persons and places as numbers, and nothing of what they may do (`bot.core.quotas`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

MINUTE_S: Final = 60.0

REMEMBERED_S: Final = 3600.0
"""How long it is known when somebody asked last: the longest pause between two questions that can be demanded."""


class Pace:
    """The questions of the last minute, and each person's last one of the last hour. Counts; refuses nobody."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock, which gives seconds."""
        self._clock = clock
        self._asked: dict[tuple[int, int], deque[float]] = {}  # by person and place; never empty, the newest last
        self._looked_through_s = clock()

    def count(self, user_id: int, place_id: int, *, ago_s: float = 0.0) -> None:
        """Count a question, asked so long ago: later than all that were counted before."""
        now = self._clock()
        if now - self._looked_through_s > MINUTE_S:  # seldom: it looks at everybody
            self._looked_through_s = now
            self._asked = {who: times for who, times in self._asked.items() if times[-1] > now - REMEMBERED_S}
        self._asked.setdefault((user_id, place_id), deque()).append(now - ago_s)
        self._recent(user_id, place_id, now)  # which forgets older ones, also where nobody asks for them

    def in_last_minute(self, user_id: int, place_id: int) -> int:
        """Return how many questions were asked within the last 60 seconds."""
        return len(self._recent(user_id, place_id, self._clock()))

    def wait_s(self, user_id: int, place_id: int, per_minute: int) -> float:
        """Return the seconds until one more makes no more than `per_minute` in any 60 seconds; 0: now."""
        now = self._clock()
        recent = self._recent(user_id, place_id, now)
        return 0.0 if len(recent) < per_minute else recent[-per_minute] + MINUTE_S - now

    def cooldown_s(self, user_id: int, place_id: int, pause_s: float) -> float:
        """Return the seconds until the last question is `pause_s` (at most an hour) ago; 0: it is."""
        asked = self._asked.get((user_id, place_id))
        return max(0.0, asked[-1] + pause_s - self._clock()) if asked else 0.0

    def _recent(self, user_id: int, place_id: int, now: float) -> Sequence[float]:
        """Return when questions were asked within the last 60 seconds; of older ones only the last is kept."""
        asked = self._asked.get((user_id, place_id))
        if asked is None:
            return ()
        while len(asked) > 1 and asked[0] <= now - MINUTE_S:
            asked.popleft()
        return asked if asked[0] > now - MINUTE_S else ()
