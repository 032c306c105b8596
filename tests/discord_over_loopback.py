"""Points the real discord.py at a loopback Discord, and takes its slow waits down. Shared by the tests that need it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import discord
import yarl

from bot.playground import Playground


@contextlib.contextmanager
def point_discord_at(api_url: str, gateway_url: str) -> Iterator[None]:
    """Send all REST and gateway traffic of discord.py there, until the end of the block."""
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    discord.http.Route.BASE = api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    try:
        yield
    finally:
        discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = before


class QuickClient(discord.Client):
    """discord.py's own client, only without its pauses before READY and before a second IDENTIFY."""

    def __init__(self, *, intents: discord.Intents | None = None, **options: Any) -> None:
        if intents is None:
            intents = discord.Intents.default()
            intents.message_content = True
        super().__init__(intents=intents, guild_ready_timeout=0.05, **options)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        pass


class Listener(QuickClient):
    """Keeps what it hears, so that a test can wait for it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.heard: list[discord.Message] = []
        self.edits: list[discord.RawMessageUpdateEvent] = []
        self.deleted: list[int] = []
        self.typists: list[int] = []

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        self.edits.append(payload)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        self.deleted.append(payload.message_id)

    async def on_typing(self, channel: object, user: discord.abc.Snowflake, when: object) -> None:
        self.typists.append(user.id)

    async def hear(self, content: str) -> discord.Message:
        for message in self.heard:
            if message.content == content:
                return message
        return await self.wait_for("message", check=lambda m: m.content == content, timeout=20)


@contextlib.asynccontextmanager
async def running(client: discord.Client, playground: Playground, *, token: str | None = None) -> AsyncIterator[None]:
    """Run a client against a playground until the end of the block; it is ready at the beginning."""
    with point_discord_at(playground.api_url, playground.gateway_url):
        async with client:
            await client.login(token or playground.token)
            connection = asyncio.create_task(client.connect())
            ready = asyncio.create_task(client.wait_until_ready())
            try:
                await asyncio.wait({connection, ready}, return_when=asyncio.FIRST_COMPLETED)
                if connection.done():
                    await connection
                yield
            finally:
                ready.cancel()
                await client.close()
                with contextlib.suppress(asyncio.CancelledError, discord.DiscordException):
                    await connection
