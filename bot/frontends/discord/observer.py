"""Who is told how Discord answers, for whoever counts it: the frontend owns this interface and knows of no metrics.

Calls are seen on the wire, one by one: what discord.py tries again by itself counts each time. Nothing of what is sent
or received is told.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final, Protocol

import aiohttp


class Observer(Protocol):
    """Told of events as they happen, on the event loop; every method returns at once and raises nothing."""

    def called(self, outcome: str) -> None:
        """Hear of a call: `ok`, `refused` (4xx), `rate_limited` (429), `failed` (5xx) or `unanswered`."""

    def connected(self, session: str) -> None:
        """Hear that Discord listens: in a `new` session, or in an old one `resumed`."""


class _Nobody:
    """Listens to nothing."""

    def called(self, outcome: str) -> None: ...
    def connected(self, session: str) -> None: ...


NOBODY: Final[Observer] = _Nobody()


def trace(observer: Observer) -> aiohttp.TraceConfig:
    """Return what makes one client of discord.py tell the observer how its calls end."""

    async def ended(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        observer.called(outcome_of(end.response.status))

    async def broke_off(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, _end: aiohttp.TraceRequestExceptionParams
    ) -> None:
        observer.called("unanswered")

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    config.on_request_exception.append(broke_off)
    return config


def outcome_of(status: int) -> str:
    """Return the word for an HTTP status."""
    if status < 400:
        return "ok"
    if status == 429:
        return "rate_limited"
    return "refused" if status < 500 else "failed"
