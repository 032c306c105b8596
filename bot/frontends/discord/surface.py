"""Places where an answer can be written: a channel, or the response to a slash command.

Owns the translation of everything that Discord and the network may answer to four errors. Knows nothing of answers.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import aiohttp
import discord
import structlog

from bot.texts import ANSWER_FILE

log = structlog.get_logger(__name__)

T = TypeVar("T")

CALL_TIMEOUT_S: Final = 30.0
"""discord.py itself would wait for aiohttp's 300 s; its five tries at a 5xx take about 25 s."""

NO_PINGS: Final = discord.AllowedMentions.none()

KEEP: Final[Any] = discord.utils.MISSING
"""In place of a view or a file: nothing is said of what stands below a message, so it stays as it is."""

TOKEN_S: Final = 15 * 60.0
"""How long an interaction's token is good. Source: Discord's documentation, "Receiving and Responding"."""
USER_INSTALLED_FOLLOWUPS: Final = 5
"""Followups of an application that only the person has installed. Source: the same, "Followup Messages"."""

# Discord's JSON error codes. Source: its API documentation, "JSON Error Codes".
_UNKNOWN_MESSAGE: Final = 10008
_UNKNOWN_WEBHOOK: Final = 10015
_UNKNOWN_INTERACTION: Final = 10062
_INVALID_WEBHOOK_TOKEN: Final = 50027
_MISSING_PERMISSIONS: Final = 50013
_THREAD_ARCHIVED: Final = 50083
_TOO_MANY_FOLLOWUPS: Final = 40094
_REPLY_NEEDS_HISTORY: Final = 160002
_EXPIRED: Final = (_UNKNOWN_WEBHOOK, _UNKNOWN_INTERACTION, _INVALID_WEBHOOK_TOKEN)


class Unwritable(Exception):
    """The root of what can go wrong when writing to a surface."""


class Gone(Unwritable):
    """The channel, the message or the permission is no more; trying again changes nothing."""


class MessageGone(Gone):
    """The message alone is no more."""


class Refused(Unwritable):
    """Discord will not have this content."""


class Expired(Unwritable):
    """The interaction's 15 minutes are over."""


class FileRefused(Unwritable):
    """The message may have been possible without its file: the bot may not attach any here."""


class Unreachable(Unwritable):
    """The network or Discord failed; what was asked may or may not have happened."""


class Surface(Protocol):
    """A place that shows messages. Each method raises Gone, Refused or Unreachable and can be called again.

    Those that take a `file`, the text of one, raise FileRefused where none may be attached.
    """

    def room(self) -> int | None:
        """Return how many more messages can be created here; None: as many as are wanted."""

    def closes_in_s(self) -> float | None:
        """Return how long this place can be written to, in seconds; None: for ever."""

    async def create(
        self,
        content: str,
        *,
        nonce: int,
        reply_to: int | None,
        view: discord.ui.View | None = None,
        file: str | None = None,
    ) -> int:
        """Post a message, without pinging anyone; return its id.

        A repeated call with the same nonce posts nothing new, whatever became of the first; the message may then hold
        the first call's content.
        """

    async def edit(
        self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP, file: str | None = KEEP
    ) -> None:
        """Replace a message's content, and what it has below: nothing for None."""

    async def delete(self, message_id: int) -> None:
        """Remove a message."""

    async def tell_alone(self, content: str) -> bool:
        """Tell it to whoever asked and nobody else, beside what was created; return False where that cannot be done."""

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
    if exc.code == _UNKNOWN_MESSAGE:
        return MessageGone(str(exc))
    if exc.status in (401, 403, 404) or exc.code == _THREAD_ARCHIVED:
        return Gone(str(exc))
    return Refused(str(exc))


async def patiently(call: Callable[[], Awaitable[T]], pauses_s: Sequence[float]) -> T:
    """Make one call that ends as `calling` does, and again after each pause while Discord cannot be reached.

    Raises: Gone, Refused, Expired, Unreachable.
    """
    for pause_s in pauses_s:
        try:
            return await call()
        except Unreachable as exc:
            log.info("call_repeated", after_s=pause_s, reason=str(exc))
            await asyncio.sleep(pause_s)
    return await call()


async def calling_with(file: str | None, call: Awaitable[T], timeout_s: float) -> T:
    """Await one call that brings a file, if it is one. Raises: FileRefused beside what `calling` raises."""
    try:
        return await calling(call, timeout_s)
    except Gone as exc:
        cause = exc.__cause__
        if file and isinstance(cause, discord.HTTPException) and cause.code == _MISSING_PERMISSIONS:
            raise FileRefused(str(exc)) from exc
        raise


def uploads(file: str | None) -> Any:  # noqa: ANN401 - discord.py's own mark for "unchanged" is no type
    """Return an edit's attachments: they replace those that are there, so that no file is ever doubled."""
    if file is KEEP:
        return KEEP
    return [] if file is None else [upload(file)]


def upload(file: str | None) -> Any:  # noqa: ANN401 - as above
    """Return the file of a new message, if there is to be one."""
    return KEEP if file is None else discord.File(io.BytesIO(file.encode()), ANSWER_FILE)


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

    def room(self) -> int | None:
        """See Surface."""
        return None

    def closes_in_s(self) -> float | None:
        """See Surface."""
        return None

    async def create(
        self,
        content: str,
        *,
        nonce: int,
        reply_to: int | None,
        view: discord.ui.View | None = None,
        file: str | None = None,
    ) -> int:
        """See Surface. A reply to a deleted message, or one that may not be made, becomes a plain message."""
        more: dict[str, Any] = {"nonce": nonce, "view": KEEP if view is None else view, "file": upload(file)}
        if reply_to is None:
            sending = self._channel.send(content, **more, allowed_mentions=NO_PINGS)
            return (await calling_with(file, sending, self._timeout_s)).id
        reference = discord.MessageReference(
            message_id=reply_to, channel_id=self._channel_id, guild_id=self._guild_id, fail_if_not_exists=False
        )
        replying = self._channel.send(
            content, reference=reference, mention_author=False, **more, allowed_mentions=NO_PINGS
        )
        try:
            return (await calling_with(file, replying, self._timeout_s)).id
        except Unwritable as exc:
            if isinstance(exc.__cause__, discord.HTTPException) and exc.__cause__.code == _REPLY_NEEDS_HISTORY:
                return await self.create(content, nonce=nonce, reply_to=None, view=view, file=file)
            raise

    async def edit(
        self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP, file: str | None = KEEP
    ) -> None:
        """See Surface."""
        message = self._channel.get_partial_message(message_id)
        editing = message.edit(content=content, view=view, attachments=uploads(file), allowed_mentions=NO_PINGS)
        await calling_with(file, editing, self._timeout_s)

    async def delete(self, message_id: int) -> None:
        """See Surface."""
        await calling(self._channel.get_partial_message(message_id).delete(), self._timeout_s)

    async def tell_alone(self, content: str) -> bool:
        """See Surface: all who are in a channel read it."""
        del content
        return False

    async def type(self) -> None:
        """See Surface."""
        await calling(_typing(self._channel), self._timeout_s)

    async def react(self, message_id: int, emoji: str) -> None:
        """Put a reaction below anybody's message. Raises: Gone, also where the bot may not; Refused, Unreachable."""
        await calling(self._channel.get_partial_message(message_id).add_reaction(emoji), self._timeout_s)


async def _typing(channel: discord.abc.Messageable) -> None:
    await channel.typing()


class InteractionSurface:
    """The response to a deferred slash command or control, then followups; the channel once the token has expired.

    Followups have no nonce, so one that is retried may be doubled: where the bot may post in the channel itself
    (`channel_is_open`), messages after the first go there. Where it may not, all must be written before the token has
    expired, and of an application that only the person has installed, with five followups.
    """

    def __init__(
        self,
        interaction: discord.Interaction[discord.Client],
        channel: ChannelSurface,
        *,
        channel_is_open: bool,
        timeout_s: float = CALL_TIMEOUT_S,
        margin_s: float = 0.0,
        shown_id: int | None = None,
    ) -> None:
        """Take how long before the token's end to be done, and the message that has the control, if one was used.

        `shown_id`: that message is the token's own response.
        """
        self._interaction = interaction
        self._channel = channel
        self._channel_is_open = channel_is_open
        self._timeout_s = timeout_s
        self._shown_id = shown_id
        self._of_token = set() if shown_id is None else {shown_id}
        self._is_expired = False
        self._followups = 0  # tried: of one that failed nobody knows whether it counts
        self._closes_at = time.monotonic() + TOKEN_S - margin_s

    def room(self) -> int | None:
        """See Surface."""
        if self._channel_is_open or self._interaction.is_guild_integration():
            return None
        return USER_INSTALLED_FOLLOWUPS - self._followups + (not self._of_token)

    def closes_in_s(self) -> float | None:
        """See Surface."""
        return None if self._channel_is_open else self._closes_at - time.monotonic()

    async def create(
        self,
        content: str,
        *,
        nonce: int,
        reply_to: int | None,
        view: discord.ui.View | None = None,
        file: str | None = None,
    ) -> int:
        """See Surface; `reply_to` means nothing to an interaction, which has its own line above it."""
        if self._is_expired or (self._of_token and self._channel_is_open):
            try:
                return await self._channel.create(content, nonce=nonce, reply_to=None, view=view, file=file)
            except Gone:
                if self._is_expired:
                    raise
                self._channel_is_open = False  # a permission was taken from the bot; what the token opens is left
        sending: Awaitable[discord.Message]
        if self._of_token:
            self._followups += 1
            more: dict[str, Any] = {"view": KEEP if view is None else view, "file": upload(file)}
            sending = self._interaction.followup.send(content, wait=True, **more, allowed_mentions=NO_PINGS)
        else:
            sending = self._interaction.edit_original_response(
                content=content, view=view, attachments=uploads(file), allowed_mentions=NO_PINGS
            )
        try:
            message = await calling_with(file, sending, self._timeout_s)
        except Expired:
            self._is_expired = True
            return await self._channel.create(content, nonce=nonce, reply_to=None, view=view, file=file)
        except Refused as exc:
            if not isinstance(exc.__cause__, discord.HTTPException) or exc.__cause__.code != _TOO_MANY_FOLLOWUPS:
                raise
            self._followups = USER_INSTALLED_FOLLOWUPS  # discord.py repeats calls by itself, and they may have counted
            raise Unreachable(str(exc)) from exc
        self._of_token.add(message.id)
        return message.id

    async def edit(
        self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP, file: str | None = KEEP
    ) -> None:
        """See Surface."""
        if message_id in self._of_token and not self._is_expired:
            try:
                await calling_with(file, self._editing(message_id, content, view, file), self._timeout_s)
            except Expired:
                self._is_expired = True
            else:
                return
        await self._channel.edit(message_id, content, view=view, file=file)

    def _editing(
        self, message_id: int, content: str, view: discord.ui.View | None, file: str | None
    ) -> Awaitable[discord.Message]:
        more: dict[str, Any] = {"view": view, "attachments": uploads(file), "allowed_mentions": NO_PINGS}
        if message_id == self._shown_id:
            return self._interaction.edit_original_response(content=content, **more)
        return self._interaction.followup.edit_message(message_id, content=content, **more)

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

    async def tell_alone(self, content: str) -> bool:
        """See Surface. Not below a control, where an earlier answer stands.

        While "thinking" stands there for all, a followup would take its place and be as public: so that goes first.
        """
        if self._is_expired or self._shown_id is not None:
            return False
        try:
            if not self._of_token:
                with suppress(MessageGone):
                    await calling(self._interaction.delete_original_response(), self._timeout_s)
            telling = self._interaction.followup.send(content, wait=True, ephemeral=True, allowed_mentions=NO_PINGS)
            await calling(telling, self._timeout_s)
        except Expired:
            self._is_expired = True
            return False
        return True

    async def type(self) -> None:
        """Do nothing: Discord shows "is thinking" by itself."""
