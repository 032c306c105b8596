"""The door to Discord: keeps the bot connected until it is told to close, and closes in order.

Owns the connection's supervision. discord.py reconnects by itself after most faults; here is what ends it: refused
tokens and intents, a first socket that fails, malformed events.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

import aiohttp
import discord
import structlog

from bot.core.chat import Answer, Chat
from bot.errors import LoginRefused
from bot.files.reader import FileReader
from bot.frontends.discord.attachments import DEFAULT_LIMITS, AttachmentLimits, Attachments
from bot.frontends.discord.client import CommandSync, Endpoints, PhibotClient
from bot.frontends.discord.fetch import DISCORD_ORIGINS, Fetcher
from bot.frontends.discord.lacking import Lacking
from bot.frontends.discord.mending import mend
from bot.frontends.discord.observer import NOBODY, Observer
from bot.frontends.discord.pace import DEFAULT_TIMING, Timing
from bot.frontends.discord.permitted import missing_in
from bot.frontends.discord.service import Service
from bot.frontends.discord.sync import Recall, Remember
from bot.frontends.discord.told import Told
from bot.frontends.discord.triggers import Rules
from bot.frontends.discord.unserved import Unserved
from bot.frontends.discord.writers import Writers

log = structlog.get_logger(__name__)

_CLOSE_S: Final = 5.0  # for each goodbye; the process ends anyway

_MOST_DOUBLINGS: Final = 10

_PORTAL = "https://discord.com/developers/applications"
_BAD_TOKEN = (
    f"Discord does not accept DISCORD_TOKEN: open {_PORTAL}, choose your application, Bot, Reset Token, and put the "
    "new token into .env."
)
_FATAL_CLOSES: Final = {
    4004: _BAD_TOKEN,
    4010: "Discord refused the connection (4010, invalid shard): this bot runs as one process without shards.",
    4011: "Discord refused the connection (4011, sharding required): it is in more servers than one process serves.",
    4012: "Discord refused the connection (4012, invalid API version): install the discord.py of constraints.txt.",
    4013: "Discord refused the connection (4013, invalid intents): install the discord.py of constraints.txt.",
}
_INTENT_OFF = (
    f"The Message Content intent is off, so only mentions and DMs are served: open {_PORTAL}, choose your application, "
    "Bot, switch on Message Content Intent and restart."
)


class DiscordFrontend:
    """Serves `chat` to Discord."""

    def __init__(
        self,
        chat: Chat,
        *,
        reader: FileReader,
        recall: Recall,
        remember: Remember,
        allowed_guild_ids: frozenset[int] = frozenset(),
        free_channel_ids: frozenset[int] = frozenset(),
        allow_dms: bool = True,
        owner_ids: frozenset[int] = frozenset(),
        force_sync: bool = False,
        left_over: Sequence[Answer] = (),
        max_messages: int | None = None,
        attachment_limits: AttachmentLimits = DEFAULT_LIMITS,
        endpoints: Endpoints | None = None,
        timing: Timing = DEFAULT_TIMING,
        observer: Observer = NOBODY,
    ) -> None:
        """Take the chat, and who reads people's files, which is not closed here.

        `recall` and `remember` keep small facts by name between starts. `free_channel_ids`: channels, with their
        threads, where no mention is needed. `owner_ids`: who is an admin everywhere. `left_over`: what an earlier
        process left unanswered, to be shown in the messages that it began. `max_messages`: an answer that needs more
        becomes a file. `endpoints`: another Discord.
        """
        if endpoints is not None:
            endpoints.use()
        rules = Rules(allow_dms, allowed_guild_ids, free_channel_ids)
        elsewhere = endpoints.files_origin if endpoints is not None else None
        fetcher = Fetcher(DISCORD_ORIGINS if elsewhere is None else frozenset({elsewhere}))
        attachments = Attachments(reader, fetcher, attachment_limits)
        writers = Writers(chat.shown, chat.forget_messages, timing, max_messages, lost=self._lost)
        lacking = Lacking(Told("missing_permissions", recall, remember), timing)
        self._service = Service(chat, rules, timing, writers, attachments, lacking, owner_ids)
        self._unserved = Unserved(rules, Told("unserved", recall, remember), timing)
        self._sync = CommandSync(recall, remember, force_sync)
        self._observer = observer
        self._sees_content = True
        self._left_over = left_over
        self._began_at = time.time()
        self._mending: asyncio.Task[None] | None = None
        self._client: PhibotClient | None = None
        self._ready_at: float | None = None
        self._failures = 0
        self._closing = asyncio.Event()
        self.ready = asyncio.Event()
        """Set once Discord has said READY for the first time."""

    async def run_until_closed(self, token: str) -> None:
        """Stay connected until `close`. Cancelling closes the connection. Raises: LoginRefused."""
        if not token.isascii() or not token.isprintable() or " " in token:  # aiohttp could not even send it
            raise LoginRefused(_BAD_TOKEN)
        while not self._closing.is_set():
            self._ready_at = None
            client = self._client = PhibotClient(
                self._service,
                self._sync,
                self._unserved,
                sees_content=self._sees_content,
                on_connected=self._connected,
                observer=self._observer,
            )
            try:
                async with client:
                    await client.start(token)
            except discord.PrivilegedIntentsRequired:
                self._sees_content = False
                log.warning("message_content_off", advice=_INTENT_OFF)
                await self._wait(self._service.timing.identify_s)
                continue
            except (discord.LoginFailure, discord.ConnectionClosed) as exc:
                self._give_up_if_fatal(exc)
            except (discord.DiscordException, aiohttp.ClientError, OSError) as exc:
                log.warning("discord_lost", kind=type(exc).__name__, reason=str(exc))
            except Exception:  # a malformed event, or a first socket that failed, ends discord.py with anything
                if not self._closing.is_set():
                    log.exception("discord_lost")
            finally:
                self._service.connection = None
            await self._pause()

    def _give_up_if_fatal(self, exc: discord.LoginFailure | discord.ConnectionClosed) -> None:
        """Tell what never ends well from what may. Raises: LoginRefused."""
        if isinstance(exc, discord.LoginFailure):
            raise LoginRefused(_BAD_TOKEN) from exc
        sentence = _FATAL_CLOSES.get(exc.code)
        if sentence is not None:
            raise LoginRefused(sentence) from exc
        log.warning("discord_lost", code=exc.code, reason=exc.reason)

    async def _pause(self) -> None:
        """Wait before the next connection: longer each time, and not at the same second as everybody else."""
        timing = self._service.timing
        if self._ready_at is not None and time.monotonic() - self._ready_at > timing.steady_s:
            self._failures = 0
        longest_s = min(timing.restart_s * 2**self._failures, timing.slowest_restart_s)
        pause_s = longest_s * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
        await self._wait(pause_s)
        if not self._closing.is_set():
            log.info("discord_restart", after_s=round(pause_s, 1))

    async def _wait(self, pause_s: float) -> None:
        """Wait, but not when the bot is closing."""
        try:
            async with asyncio.timeout(pause_s):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _connected(self) -> None:
        """Take note of a READY; it comes again with every new session."""
        self._ready_at = time.monotonic()
        self.ready.set()
        if self._mending is not None:
            return
        resumed = []
        for answer in self._left_over:
            key = answer.turn.key
            if key is None:
                log.error("answer_without_place", turn=answer.turn_id)
                continue
            surface, locale = self._service.channel(key), self._service.locale_in(key.guild_id)
            resumed.append(self._service.show(answer, surface, key, locale, is_left_over=True))
        self._left_over = ()
        self._mending = asyncio.create_task(mend(self._service, resumed, self._began_at), name="mending")

    async def _lost(self, channel_id: int) -> None:
        """Tell admins if a permission is missing where an answer could not be shown. A task boundary."""
        connection = self._service.connection
        place = connection.get_channel(channel_id) if connection is not None else None
        if connection is None or not isinstance(place, discord.abc.GuildChannel | discord.Thread):
            return
        try:
            await self._service.lacking.report(connection, place, missing_in(place))
        except Exception:
            log.exception("missing_permissions_not_told", channel=channel_id)

    # Closing: begin_closing, then chat.drain, then finish_writers, then close ---------------------------------------

    def begin_closing(self) -> None:
        """Take no more questions; who asks is told once that the bot is being restarted."""
        self._service.is_closing = True

    async def finish_writers(self, timeout_s: float) -> None:
        """Wait until every answer is shown to its end, at most `timeout_s`."""
        await self._service.writers.finish(timeout_s)

    async def close(self) -> None:
        """Go offline and close the connection; `run_until_closed` returns."""
        self.begin_closing()
        self._closing.set()
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
        await self._service.attachments.aclose()
        client = self._client
        if client is None or client.is_closed():
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                if client.is_ready():
                    await client.change_presence(status=discord.Status.invisible)
        except (discord.DiscordException, aiohttp.ClientError, OSError, RuntimeError) as exc:
            log.debug("goodbye_failed", reason=str(exc))
        await client.close()
