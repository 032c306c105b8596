"""Permissions that are missing where the bot is asked: admins are told which, once for each channel and set of them.

Owns whom they are told to and how often. That who asked sees a sign where no answer is possible is `intake`'s.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import discord
import structlog

from bot.frontends.discord.pace import Timing
from bot.frontends.discord.permitted import WRITING, Place, may_write_in
from bot.frontends.discord.surface import NO_PINGS, Unreachable, Unwritable, calling, patiently
from bot.frontends.discord.told import Told
from bot.ops.invitation import names_of
from bot.texts import text

log = structlog.get_logger(__name__)

HOUR_S: Final = 3600.0
MOST_AN_HOUR: Final = 5
"""Of how many places one server's admins are told within an hour; of others when somebody asks there later."""


class Lacking:
    """Says what is missing, and remembers to whom."""

    def __init__(self, told: Told, timing: Timing, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what remembers what was told; `clock` gives seconds."""
        self._told = told
        self._timing = timing
        self._clock = clock
        self._one_by_one = asyncio.Lock()  # who asks again meanwhile finds it told
        self._times: defaultdict[int, deque[float]] = defaultdict(deque)

    async def report(self, client: discord.Client, place: Place, missing: tuple[str, ...]) -> None:
        """Tell the server's admins what is missing in a place, unless they know; nothing means that it is mended.

        What could not be told for the moment is told when somebody asks there again.
        """
        about, what = _name_of(place), ",".join(missing)
        async with self._one_by_one:
            if (await self._told.last(about) or "") == what:
                return
            if not missing:
                await self._told.note(about, None)  # lost again it is news
            elif self._may_tell(place.guild.id):
                by = await self._tell(client, place, missing)
                log.warning("permissions_missing", channel=place.id, missing=names_of(missing), told_by=by)
                if by is not None:
                    await self._told.note(about, what)

    def _may_tell(self, guild_id: int) -> bool:
        times, now = self._times[guild_id], self._clock()
        while times and times[0] <= now - HOUR_S:
            times.popleft()
        if len(times) >= MOST_AN_HOUR:
            return False
        times.append(now)
        return True

    async def _tell(self, client: discord.Client, place: Place, missing: tuple[str, ...]) -> str | None:
        """Return by what way the admins were told; None: by none for the moment."""
        guild = place.guild
        locale = str(guild.preferred_locale)
        key = "lacking.partly" if WRITING.isdisjoint(missing) else "lacking.silent"
        names = names_of(missing, locale)
        sentence = text(key, locale, channel=place.mention, server=guild.name, permissions=names)
        for way, send in self._ways(client, guild, sentence):
            try:
                await patiently(send, self._timing.sentence_retries_s)
            except Unreachable as exc:
                log.info("admins_not_reached", guild=guild.id, way=way, reason=str(exc))
                return None
            except Unwritable as exc:
                log.info("admins_not_told", guild=guild.id, way=way, kind=type(exc).__name__, reason=str(exc))
            else:
                return way
        return "log"

    def _ways(
        self, client: discord.Client, guild: discord.Guild, sentence: str
    ) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        """Yield the ways to a server's admins: to its owner, who may mend it; if he takes no messages, to all there."""
        nonce, timeout_s = secrets.randbits(63), self._timing.call_timeout_s

        async def write_to_owner() -> None:
            await write_in(await client.create_dm(discord.Object(guild.owner_id or 0)))

        async def write_in(channel: discord.DMChannel | discord.TextChannel) -> None:
            await channel.send(sentence, nonce=nonce, allowed_mentions=NO_PINGS)

        yield "owner", lambda: calling(write_to_owner(), timeout_s)
        system = guild.system_channel
        if system is not None and may_write_in(system):
            yield "system channel", lambda: calling(write_in(system), timeout_s)


def _name_of(place: Place) -> str:
    """Return what permissions are told of: all threads of a channel have the same."""
    return f"{place.parent_id} threads" if isinstance(place, discord.Thread) else str(place.id)
