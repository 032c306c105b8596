"""Places where an answer can be written: a channel, or the response to a slash command.

Owns the translation of everything that Discord and the network may answer to four errors. Knows nothing of answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import aiohttp
import discord

T = TypeVar("T")

CALL_TIMEOUT_S: Final = 30.0
"""discord.py itself would wait for aiohttp's 300 s; its five tries at a 5xx take about 25 s."""

NO_PINGS: Final = discord.AllowedMentions.none()

KEEP: Final[Any] = discord.utils.MISSING
"""In place of a view: nothing is said of what stands below a message, so it stays as it is."""

# Discord's JSON error codes. Source: its API documentation, "JSON Error Codes".
_UNKNOWN_WEBHOOK: Final = 10015
_UNKNOWN_INTERACTION: Final = 10062
_INVALID_WEBHOOK_TOKEN: Final = 50027
_THREAD_ARCHIVED: Final = 50083
_REPLY_NEEDS_HISTORY: Final = 160002
_EXPIRED: Final = (_UNKNOWN_WEBHOOK, _UNKNOWN_INTERACTION, _INVALID_WEBHOOK_TOKEN)


class Unwritable(Exception):
    """The root of what can go wrong when writing to a surface."""


class Gone(Unwritable):
    """The channel, the message or the permission is no more; trying again changes nothing."""


class Refused(Unwritable):
    """Discord will not have this content."""


class Expired(Unwritable):
    """The interaction's 15 minutes are over."""


class Unreachable(Unwritable):
    """The network or Discord failed; what was asked may or may not have happened."""


class Surface(Protocol):
    """A place that shows messages. Each method raises Gone, Refused or Unreachable and can be called again."""

    async def create(
        self, content: str, *, nonce: int, reply_to: int | None, view: discord.ui.View | None = None
    ) -> int:
        """Post a message, without pinging anyone; return its id.

        A repeated call with the same nonce posts nothing new, whatever became of the first; the message may then hold
        the first call's content.
        """

    async def edit(self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP) -> None:
        """Replace a message's content, and what it has below: nothing for None."""

    async def delete(self, message_id: int) -> None:
        """Remove a message."""

    async def type(self) -> None:
        """Show "is typing" for 10 seconds or until a message is posted."""


async def calling(call: Awaitable[T], timeout_s: float = CALL_TIMEOUT_S) -> T:
    """Await one call to Discord. Raises: Gone, Refused, Expired, Unreachable."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except discord.HTTPException as exc:
        raise _meaning_of(exc) from exc
    except (discord.DiscordException, aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
        raise Unreachable(str(exc)) from exc
    except RuntimeError as exc:  # aiohttp's "Session is closed": the supervisor is changing clients
        raise Unreachable(str(exc)) from exc


def _meaning_of(exc: discord.HTTPException) -> Unwritable:
    if exc.code in _EXPIRED:
        return Expired(str(exc))
    if exc.status >= 500 or exc.status == 429:
        return Unreachable(str(exc))
    if exc.status in (401, 403, 404) or exc.code == _THREAD_ARCHIVED:
        return Gone(str(exc))
    return Refused(str(exc))


class ChannelSurface:
    """Messages of the bot's own in a channel, thread or DM; the first may be a reply."""

    def __init__(
        self,
        client: Callable[[], discord.Client],
        channel_id: int,
        guild_id: int | None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Take `client`, which returns the client connected now: an answer may outlive one."""
        self._client = client
        self._channel_id = channel_id
        self._guild_id = guild_id
        self._timeout_s = timeout_s

    @property
    def _channel(self) -> discord.PartialMessageable:
        return self._client().get_partial_messageable(self._channel_id, guild_id=self._guild_id)

    async def create(
        self, content: str, *, nonce: int, reply_to: int | None, view: discord.ui.View | None = None
    ) -> int:
        """See Surface. A reply to a deleted message, or one that may not be made, becomes a plain message."""
        below = KEEP if view is None else view
        if reply_to is None:
            sending = self._channel.send(content, nonce=nonce, view=below, allowed_mentions=NO_PINGS)
            return (await calling(sending, self._timeout_s)).id
        reference = discord.MessageReference(
            message_id=reply_to, channel_id=self._channel_id, guild_id=self._guild_id, fail_if_not_exists=False
        )
        replying = self._channel.send(
            content, nonce=nonce, reference=reference, view=below, mention_author=False, allowed_mentions=NO_PINGS
        )
        try:
            return (await calling(replying, self._timeout_s)).id
        except Unwritable as exc:
            if isinstance(exc.__cause__, discord.HTTPException) and exc.__cause__.code == _REPLY_NEEDS_HISTORY:
                return await self.create(content, nonce=nonce, reply_to=None, view=view)
            raise

    async def edit(self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP) -> None:
        """See Surface."""
        message = self._channel.get_partial_message(message_id)
        await calling(message.edit(content=content, view=view, allowed_mentions=NO_PINGS), self._timeout_s)

    async def delete(self, message_id: int) -> None:
        """See Surface."""
        await calling(self._channel.get_partial_message(message_id).delete(), self._timeout_s)

    async def type(self) -> None:
        """See Surface."""
        await calling(_typing(self._channel), self._timeout_s)


async def _typing(channel: discord.abc.Messageable) -> None:
    await channel.typing()


class InteractionSurface:
    """The response to a deferred slash command or control, then followups; the channel once the token has expired.

    Followups have no nonce, so one that is retried may be doubled: where the bot may post in the channel itself
    (`channel_is_open`), messages after the first go there.
    """

    def __init__(
        self,
        interaction: discord.Interaction[discord.Client],
        channel: ChannelSurface,
        *,
        channel_is_open: bool,
        timeout_s: float = CALL_TIMEOUT_S,
        shown_id: int | None = None,
    ) -> None:
        """Take `shown_id`, the message that has the control: the token's own response."""
        self._interaction = interaction
        self._channel = channel
        self._channel_is_open = channel_is_open
        self._timeout_s = timeout_s
        self._shown_id = shown_id
        self._of_token = set() if shown_id is None else {shown_id}
        self._is_expired = False

    async def create(
        self, content: str, *, nonce: int, reply_to: int | None, view: discord.ui.View | None = None
    ) -> int:
        """See Surface; `reply_to` means nothing to an interaction, which has its own line above it."""
        if not self._of_token and not self._is_expired:
            editing = self._interaction.edit_original_response(content=content, view=view, allowed_mentions=NO_PINGS)
            return await self._by_token(editing, content, nonce, view)
        if self._channel_is_open or self._is_expired:
            return await self._channel.create(content, nonce=nonce, reply_to=None, view=view)
        below = KEEP if view is None else view
        sending = self._interaction.followup.send(content, wait=True, view=below, allowed_mentions=NO_PINGS)
        return await self._by_token(sending, content, nonce, view)

    async def _by_token(
        self, call: Awaitable[discord.Message], content: str, nonce: int, view: discord.ui.View | None
    ) -> int:
        try:
            message = await calling(call, self._timeout_s)
        except Expired:
            self._is_expired = True
            return await self._channel.create(content, nonce=nonce, reply_to=None, view=view)
        self._of_token.add(message.id)
        return message.id

    async def edit(self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP) -> None:
        """See Surface."""
        if message_id in self._of_token and not self._is_expired:
            try:
                await calling(self._editing(message_id, content, view), self._timeout_s)
            except Expired:
                self._is_expired = True
            else:
                return
        await self._channel.edit(message_id, content, view=view)

    def _editing(self, message_id: int, content: str, view: discord.ui.View | None) -> Awaitable[discord.Message]:
        if message_id == self._shown_id:
            return self._interaction.edit_original_response(content=content, view=view, allowed_mentions=NO_PINGS)
        return self._interaction.followup.edit_message(
            message_id, content=content, view=view, allowed_mentions=NO_PINGS
        )

    async def delete(self, message_id: int) -> None:
        """See Surface."""
        if message_id in self._of_token and not self._is_expired:
            try:
                await calling(self._interaction.followup.delete_message(message_id), self._timeout_s)
            except Expired:
                self._is_expired = True
            else:
                return
        await self._channel.delete(message_id)

    async def type(self) -> None:
        """Do nothing: Discord shows "is thinking" by itself."""
