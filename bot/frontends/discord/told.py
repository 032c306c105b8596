"""What servers were told already, so that nobody hears the same twice: kept between starts."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import structlog

from bot.errors import BotError
from bot.frontends.discord.sync import Recall, Remember

log = structlog.get_logger(__name__)

CAPACITY: Final = 1000
"""How much of what was told is remembered, the newest: a bot in more places than that repeats itself now and then."""


class Told:
    """What was told last about each thing, in one fact of the store. What that cannot keep is known until the end."""

    def __init__(self, subject: str, recall: Recall, remember: Remember) -> None:
        """Take what it is about; it names the fact."""
        self._fact = f"discord.told.{subject}"
        self._recall = recall
        self._remember = remember
        self._known: dict[str, str] | None = None
        self._lock = asyncio.Lock()  # one write after the other, so that the newest is what stays

    async def last(self, about: str) -> str | None:
        """Return what was told last about a thing."""
        return (await self._loaded()).get(about)

    async def note(self, about: str, what: str | None) -> None:
        """Note what was told about a thing; None: as if nothing ever was."""
        known = await self._loaded()
        if known.pop(about, None) is None and what is None:
            return
        if what is not None:
            known[about] = what
        for oldest in list(known)[:-CAPACITY]:
            del known[oldest]
        async with self._lock:
            try:
                await self._remember(self._fact, json.dumps(known))
            except BotError as exc:
                log.warning("told_not_remembered", fact=self._fact, reason=exc.detail)

    async def _loaded(self) -> dict[str, str]:
        async with self._lock:
            if self._known is None:
                try:
                    self._known = json.loads(await self._recall(self._fact) or "{}")
                except BotError as exc:
                    log.warning("told_not_recalled", fact=self._fact, reason=exc.detail)
                    self._known = {}  # at worst somebody hears something twice
            return self._known
