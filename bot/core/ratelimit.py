"""When each person asked, in each place: how many questions a minute that is, and how long ago the last one was.

Knows persons and places as numbers, and nothing of what they may do (`bot.core.quotas`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

MINUTE_S: Final = 60.0


class Pace:
    """The questions of the last minute, and each person's last one while it matters. Counts; refuses nobody."""

    def __init__(self, longest_pause_s: Callable[[int], float], clock: Callable[[], float] = time.monotonic) -> None:
        """Take what tells the longest pause between two questions that a place demands of anybody now.

        Who asked before that, and before the last minute, is forgotten within a minute; so a longer pause, when it is
        chosen, begins with the next question of whoever was forgotten. `clock` gives seconds.
        """
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._asked: dict[tuple[int, int], list[float]] = {}  # by person and place; never empty, the newest last
        self._looked_through_s = clock()

    def count(self, user_id: int, place_id: int, *, ago_s: float = 0.0) -> None:
        """Count a question, asked so long ago: later than all that were counted before."""
        now = self._clock()
        if now - self._looked_through_s > MINUTE_S:  # seldom: it looks at everybody
            self._looked_through_s = now
            self._forget(now)
        self._asked.setdefault((user_id, place_id), []).append(now - ago_s)
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
        """Return the seconds until the last question is `pause_s` (a minute, or what is demanded) ago; 0: it is."""
        asked = self._asked.get((user_id, place_id))
        return max(0.0, asked[-1] + pause_s - self._clock()) if asked else 0.0

    def _forget(self, now: float) -> None:
        places = {place_id for _, place_id in self._asked}
        since_s = {place_id: now - max(MINUTE_S, self._longest_pause_s(place_id)) for place_id in places}
        self._asked = {who: times for who, times in self._asked.items() if times[-1] > since_s[who[1]]}

    def _recent(self, user_id: int, place_id: int, now: float) -> Sequence[float]:
        """Return when questions were asked within the last 60 seconds; of older ones only the last is kept."""
        asked = self._asked.get((user_id, place_id))
        if asked is None:
            return ()
        while len(asked) > 1 and asked[0] <= now - MINUTE_S:
            del asked[0]
        return asked if asked[0] > now - MINUTE_S else ()
