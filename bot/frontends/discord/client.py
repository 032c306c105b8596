"""One connection to Discord: events in, handlers called. Lives until it is closed or broken, and is never reused.

Which connection comes after it, and when, is `frontend`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.frontends.discord.admin_people import Wipe
from bot.frontends.discord.changes import take_channel_deletion, take_deletion, take_edit
from bot.frontends.discord.commands import PhibotTree, add_commands
from bot.frontends.discord.context import PinSelect
from bot.frontends.discord.intake import take_message
from bot.frontends.discord.menus import take_lost_form
from bot.frontends.discord.observer import Observer, trace
from bot.frontends.discord.personas import take_persona_form
from bot.frontends.discord.preferences import CONTROLS, take_form
from bot.frontends.discord.service import Service
from bot.frontends.discord.surface import NO_PINGS
from bot.frontends.discord.sync import Recall, Remember, sync_commands
from bot.frontends.discord.unserved import Unserved
from bot.frontends.discord.views import ITEMS
from bot.ops.invitation import invite_url

log = structlog.get_logger(__name__)

discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # this bot has no voice to warn about


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Discord is, if it is not Discord: "http://127.0.0.1:1234/api/v10" and "ws://127.0.0.1:1234/".

    `files_origin` is where its attachments lie, "http://127.0.0.1:1234"; None: still on Discord's hosts only.
    """

    api_url: str
    gateway_url: str
    files_origin: str | None = None

    def use(self) -> None:
        """Point discord.py there, in the whole process: it keeps both in class attributes."""
        Route.BASE = self.api_url
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self.gateway_url)


@dataclass(frozen=True, slots=True)
class CommandSync:
    """How the commands that Discord knows are remembered between starts."""

    recall: Recall
    remember: Remember
    force: bool = False


class PhibotClient(discord.Client):
    """discord.py's client with this bot's commands, intents and handlers."""

    def __init__(
        self,
        service: Service,
        sync: CommandSync,
        unserved: Unserved,
        *,
        sees_content: bool,
        on_connected: Callable[[], Awaitable[None]],
        observer: Observer,
    ) -> None:
        intents = discord.Intents.default()
        intents.message_content = sees_content
        super().__init__(
            intents=intents,
            allowed_mentions=NO_PINGS,
            max_messages=None,  # what people write is kept in no cache; a reply brings what it replies to along
            guild_ready_timeout=service.timing.guild_ready_s,
            heartbeat_timeout=service.timing.heartbeat_timeout_s,
            http_trace=trace(observer),
        )
        self.service = service
        self._sees_content = sees_content  # `intents` makes a copy each time
        self._sync = sync
        self._unserved = unserved
        self._on_connected = on_connected
        self._observer = observer
        self.tree = PhibotTree(self)
        add_commands(self.tree, in_dms=service.rules.allow_dms)
        self.add_dynamic_items(*ITEMS, PinSelect, *CONTROLS, Wipe)

    async def setup_hook(self) -> None:
        """Make this the connection that answers are written through, and tell Discord changed commands."""
        self.service.connection = self
        if self.application_id is not None:
            await sync_commands(
                self.tree,
                self.application_id,
                recall=self._sync.recall,
                remember=self._sync.remember,
                force=self._sync.force,
            )

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Keep Discord's interval between two IDENTIFYs."""
        del shard_id
        if not initial:
            await asyncio.sleep(self.service.timing.identify_s)

    async def on_ready(self) -> None:
        """Note that Discord listens; comes again with every new session."""
        log.info(
            "discord_ready",
            user=str(self.user),
            guilds=len(self.guilds),
            sees_content=self.intents.message_content,
            invite=invite_url(self.application_id) if self.application_id is not None else None,
        )
        self._observer.connected("new")
        await self._on_connected()

    async def on_resumed(self) -> None:
        """Note that a broken session goes on."""
        self._observer.connected("resumed")

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Leave it again if it is not served."""
        await self._unserved.take(guild)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Leave it if it is not served; comes for each server at the start, and when an outage of one is over."""
        await self._unserved.take(guild)

    async def on_message(self, message: discord.Message) -> None:
        """Answer it if it is for us."""
        if self.user is not None:
            await take_message(self.service, message, our_user_id=self.user.id, sees_content=self._sees_content)

    async def on_interaction(self, interaction: discord.Interaction[PhibotClient]) -> None:
        """Answer what nobody else does; comes after the handlers of commands, controls and forms have begun."""
        await take_form(interaction)
        await take_persona_form(interaction)
        await take_lost_form(interaction)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Answer an edited question anew; of the bot's own messages this comes with each piece of an answer."""
        if self.user is not None:
            await take_edit(self.service, payload.message, our_user_id=self.user.id, sees_content=self._sees_content)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Forget what was asked with it."""
        await take_deletion(self.service, [payload.message_id])

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Forget what was asked with them."""
        await take_deletion(self.service, payload.message_ids)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Forget what was said there; comes for each thread of a deleted channel that is not archived."""
        await take_channel_deletion(self.service, payload.thread_id)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Forget what was said there."""
        await take_channel_deletion(self.service, channel.id)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log an exception that a handler let through."""
        del args, kwargs  # they hold message content
        log.exception("event_failed", handler=event_method)
