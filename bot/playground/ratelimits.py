"""Rate limits as Discord's: buckets of fixed windows per route and major parameter, and a global one.

Owns the counting and the headers. Which routes share a bucket is said where the routes are (rest/). The numbers
that Discord does not publish are from facts gathered by the community; a client must obey the headers anyway.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final

from bot.playground.state import Clock

GLOBAL_LIMIT: Final = 50
GLOBAL_WINDOW_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's name, how many calls it takes in one window, and the window's length in seconds."""

    name: str
    calls: int
    window_s: float


@dataclass(slots=True)
class _Window:
    ends_at: float
    left: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may go on: `retry_after_s` is None if so."""

    headers: dict[str, str]
    retry_after_s: float | None = None
    is_global: bool = False

    def body(self) -> dict[str, object]:
        """Return the JSON body of the 429."""
        message = "You are being rate limited."
        return {"message": message, "retry_after": self.retry_after_s, "global": self.is_global}


class RateLimits:
    """Counts calls. Switched off (`enabled=False`) it lets everything pass and sends no headers."""

    def __init__(self, clock: Clock, *, enabled: bool = True) -> None:
        self.clock = clock
        self.enabled = enabled
        self._windows: dict[tuple[str, ...], _Window] = {}

    def take(self, limit: Limit, major: str, token: str, *, counts_globally: bool = True) -> Verdict:
        """Count one call of the application with `token` against its bucket and the global limit."""
        if not self.enabled:
            return Verdict({})
        now = self.clock()
        if counts_globally:
            overall = self._window(("global", token), GLOBAL_LIMIT, GLOBAL_WINDOW_S, now)
            if overall.left == 0:
                wait_s = _round_up(overall.ends_at - now)
                return Verdict(_refusal(wait_s, "global"), wait_s, is_global=True)
            overall.left -= 1
        window = self._window((limit.name, major, token), limit.calls, limit.window_s, now)
        if window.left == 0:
            wait_s = _round_up(window.ends_at - now)
            return Verdict(_headers(limit, window, now) | _refusal(wait_s, "user"), wait_s)
        window.left -= 1
        return Verdict(_headers(limit, window, now))

    def exhaust(self, limit: Limit, major: str, token: str) -> None:
        """Use up a bucket at once, so that the next call to it meets a 429."""
        self._window((limit.name, major, token), limit.calls, limit.window_s, self.clock()).left = 0

    def _window(self, key: tuple[str, ...], calls: int, window_s: float, now: float) -> _Window:
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = self._windows[key] = _Window(now + window_s, calls)
        return window


def _headers(limit: Limit, window: _Window, now: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit.calls),
        "X-RateLimit-Remaining": str(window.left),
        "X-RateLimit-Reset": f"{window.ends_at:.3f}",
        "X-RateLimit-Reset-After": f"{_round_up(window.ends_at - now):.3f}",
        "X-RateLimit-Bucket": hashlib.sha256(limit.name.encode()).hexdigest()[:32],
    }


def _refusal(wait_s: float, scope: str) -> dict[str, str]:
    # Without Via discord.py takes a 429 for a ban by the proxy in front of Discord and gives up.
    headers = {"Via": "1.1 playground", "Retry-After": str(math.ceil(wait_s)), "X-RateLimit-Scope": scope}
    return headers | ({"X-RateLimit-Global": "true"} if scope == "global" else {})


def _round_up(seconds: float) -> float:
    """Round up to a millisecond: a client that waits exactly this long must find the window over."""
    return math.ceil(seconds * 1000) / 1000
