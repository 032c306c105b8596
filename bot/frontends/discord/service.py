"""What every handler of this frontend needs, in one place: the chat, who may ask, the writers, the connection."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import discord
import structlog

from bot.core.chat import Answer, Chat
from bot.core.messages import ConversationKey, Turn
from bot.core.preferences import Preference
from bot.core.visitor import visitor_of_turn
from bot.frontends.discord.attachments import Attachments
from bot.frontends.discord.lacking import Lacking
from bot.frontends.discord.pace import Timing
from bot.frontends.discord.reading import locale_of
from bot.frontends.discord.refusals import Refusals
from bot.frontends.discord.surface import ChannelSurface, Surface, Unreachable, Unwritable, patiently
from bot.frontends.discord.triggers import Rules, SeenEvents
from bot.frontends.discord.writers import Writers
from bot.texts import DEFAULT_LOCALE, text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient


log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Service:
    """Lives as long as the process; connections come and go."""

    chat: Chat
    rules: Rules
    timing: Timing
    writers: Writers
    attachments: Attachments
    lacking: Lacking
    owner_ids: frozenset[int] = frozenset()
    seen: SeenEvents = field(default_factory=SeenEvents)
    refusals: Refusals = field(default_factory=Refusals)
    connection: PhibotClient | None = None
    is_closing: bool = False
    told_of_closing: set[int] = field(default_factory=set)
    _locks: WeakValueDictionary[tuple[int, int], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def client(self) -> PhibotClient:
        """Return the client connected now. Raises: Unreachable between two connections."""
        if self.connection is None:
            reason = "not connected"
            raise Unreachable(reason)
        return self.connection

    def channel(self, key: ConversationKey) -> ChannelSurface:
        """Return the channel of a conversation as a place to write."""
        return ChannelSurface(self.client, key.channel_id, key.guild_id, self.timing.call_timeout_s)

    def channel_of(self, interaction: discord.Interaction[PhibotClient]) -> ChannelSurface:
        """Return the channel that an interaction comes from as a place to write."""
        return self.channel(ConversationKey(interaction.channel_id or 0, interaction.user.id, interaction.guild_id))

    def show(
        self,
        answer: Answer,
        surface: Surface,
        key: ConversationKey,
        locale: str,
        *,
        is_left_over: bool = False,
        file_notes: Sequence[str] = (),
        salt: int = 0,
        grows: bool = True,
    ) -> asyncio.Task[None]:
        """Have an answer written as its asker wishes, in the messages that show it already. See `Writers.start`.

        `locale`: of what is said around it, unless its asker chose a language.
        """
        locale = self.chat.preferences.language(answer.turn.user_id) or locale
        return self.writers.start(
            answer,
            surface,
            key.channel_id,
            locale,
            is_left_over=is_left_over,
            file_notes=file_notes,
            notes=self._kept_note(answer.turn, locale),
            salt=salt,
            grows=grows,
            is_streamed=self.chat.preferences.manner_of(answer.turn).is_streamed,
        )

    def locale_of(self, message: discord.Message) -> str:
        """Return the language to speak in: the one that the author chose, else the server's."""
        return self.chat.preferences.language(message.author.id) or locale_of(message)

    def locale_in(self, guild_id: int | None) -> str:
        """Return the language of a server, as far as it is known now."""
        guild = self.connection.get_guild(guild_id) if self.connection is not None and guild_id is not None else None
        return str(guild.preferred_locale) if guild else DEFAULT_LOCALE

    def _kept_note(self, turn: Turn, locale: str) -> list[str]:
        """Return why an exchange is kept although its asker chose otherwise, if that is so."""
        wish = self.chat.preferences.item(visitor_of_turn(turn), Preference.NO_STORE)
        if not wish.wanted or turn.no_store or turn.summarizes is not None:
            return []
        if turn.key is not None and turn.key.user_id is None:
            return [text("answer.kept_in_room", locale)]
        return [text("answer.kept_by_bounds", locale)] if wish.is_held_back else []

    def in_order(self, channel_id: int, user_id: int) -> asyncio.Lock:
        """Return what one person's messages in a channel hold while they are taken, one after the other.

        What one message follows is read from the disk first; the next one must not overtake it meanwhile.
        """
        return self._locks.setdefault((channel_id, user_id), asyncio.Lock())

    async def say(self, key: ConversationKey, sentence: str, *, reply_to: int) -> None:
        """Reply with one sentence, tried a few times; if that cannot be, the log says so."""
        surface, nonce = self.channel(key), secrets.randbits(63)
        try:
            await patiently(
                lambda: surface.create(sentence, nonce=nonce, reply_to=reply_to), self.timing.sentence_retries_s
            )
        except Unwritable as exc:
            log.warning("sentence_not_shown", channel=key.channel_id, kind=type(exc).__name__, reason=str(exc))

    async def react(self, key: ConversationKey, message_id: int, emoji: str) -> None:
        """Put a reaction below a message, tried once; where the bot may not, nothing is there."""
        try:
            await self.channel(key).react(message_id, emoji)
        except Unwritable as exc:
            log.info("sign_not_shown", channel=key.channel_id, kind=type(exc).__name__, reason=str(exc))

    def may_be_told_of_closing(self, user_id: int) -> bool:
        """Whether this person has not been told yet that the bot is going down; from now on he has."""
        is_first = user_id not in self.told_of_closing
        self.told_of_closing.add(user_id)
        return is_first
