"""Servers that the admin does not serve: told one sentence, where the bot may write, and left.

Owns that nobody is told twice, however often Discord repeats an event and however often the bot starts.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable
from typing import Final

import discord
import structlog

from bot.frontends.discord.pace import Timing
from bot.frontends.discord.permitted import writable_channels
from bot.frontends.discord.surface import NO_PINGS, Gone, Unreachable, Unwritable, calling, patiently
from bot.frontends.discord.told import Told
from bot.frontends.discord.triggers import Rules
from bot.texts import text

log = structlog.get_logger(__name__)

_CHANNELS_TRIED: Final = 3  # the bot's rights may have changed since Discord told of them


class Unserved:
    """Leaves the servers that `Rules` do not allow."""

    def __init__(self, rules: Rules, told: Told, timing: Timing) -> None:
        self._rules = rules
        self._told = told
        self._timing = timing
        self._leaving: set[int] = set()
        self._one_by_one = asyncio.Lock()  # a long list of servers is no reason for a burst of calls

    async def take(self, guild: discord.Guild) -> None:
        """Leave a guild if it is not served, after one sentence. A task boundary.

        One that is unavailable is left alone: it comes again when its outage is over. What fails is tried again with
        the next connection; nobody is told a second time then.
        """
        if self._rules.allows(guild.id) or guild.unavailable or guild.id in self._leaving:
            return
        self._leaving.add(guild.id)
        try:
            async with self._one_by_one:
                was_told = await self._tell(guild)
                await self._leave(guild)
            log.info("guild_left", guild=guild.id, name=guild.name, was_told=was_told, reason="it is not served")
        except Unwritable as exc:
            log.warning("guild_not_left", guild=guild.id, kind=type(exc).__name__, reason=str(exc))
        except Exception:
            log.exception("guild_not_left", guild=guild.id)
        finally:
            self._leaving.discard(guild.id)

    async def _tell(self, guild: discord.Guild) -> bool:
        """Say why in the first channel that takes it, unless it was said since the bot joined. Tells if it is said."""
        joined_at = str(guild.me.joined_at)
        if await self._told.last(str(guild.id)) == joined_at:
            return True
        sentence = text("unserved.leaving", str(guild.preferred_locale))
        for channel in itertools.islice(writable_channels(guild), _CHANNELS_TRIED):
            try:
                await self._say(channel, sentence, _nonce(guild.id, joined_at))
            except Unreachable as exc:  # it may stand there all the same, and is not to stand anywhere twice
                log.warning("farewell_not_shown", guild=guild.id, channel=channel.id, reason=str(exc))
                return False
            except Unwritable as exc:
                log.info("farewell_refused", guild=guild.id, channel=channel.id, reason=str(exc))
            else:
                await self._told.note(str(guild.id), joined_at)
                return True
        return False

    async def _say(self, channel: discord.TextChannel, sentence: str, nonce: int) -> None:
        def send() -> Awaitable[object]:
            sending = channel.send(sentence, nonce=nonce, allowed_mentions=NO_PINGS)
            return calling(sending, self._timing.call_timeout_s)

        await patiently(send, self._timing.sentence_retries_s)

    async def _leave(self, guild: discord.Guild) -> None:
        """Leave a guild, unless the bot is out of it already. Raises: Unwritable."""
        try:
            await patiently(
                lambda: calling(guild.leave(), self._timing.call_timeout_s), self._timing.sentence_retries_s
            )
        except Gone as exc:
            log.info("guild_gone", guild=guild.id, reason=str(exc))


def _nonce(guild_id: int, joined_at: str) -> int:
    """Return the farewell's nonce: for some minutes Discord takes no second message with it, also after a restart."""
    return int.from_bytes(hashlib.sha256(f"farewell {guild_id} {joined_at}".encode()).digest()[:8], "big") >> 1
