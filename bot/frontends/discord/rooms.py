"""Where a conversation is held: /thread lets it go on in a thread, /conversation makes a channel one of all who write.

Owns who may decide that. What a shared room is, core knows; that no mention is needed in the bot's own threads is
`triggers`'.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.excerpts import one_line
from bot.core.messages import ConversationKey, Turn
from bot.frontends.discord.replies import check_moderator, defer, key_of, locale_of, respond, tell
from bot.frontends.discord.split import sayable
from bot.frontends.discord.surface import Gone, Refused, Unwritable, calling
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

SHARED: Final = "shared"
_NEEDED: Final = ("create_public_threads", "send_messages_in_threads")


@app_commands.command(name="thread", description=text("command.thread"))
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
async def thread(interaction: Interaction) -> None:
    """Go on in a thread of the bot's own, which knows what was said."""
    await defer(interaction, ephemeral=True)
    locale, channel = locale_of(interaction), interaction.channel
    is_member = interaction.guild_id is not None and interaction.client.get_guild(interaction.guild_id) is not None
    if not isinstance(channel, discord.TextChannel) or not is_member:
        await respond(interaction, text("thread.not_here", locale))
        return
    refusal = _forbidden(interaction, locale)
    turns = [] if refusal else (await interaction.client.service.chat.history(key_of(interaction), 1)).turns
    if not turns:
        await respond(interaction, refusal or text("thread.nothing", locale))
        return
    timeout_s = interaction.client.service.timing.call_timeout_s
    try:
        opened = await _open(channel, turns[-1], locale, timeout_s)
    except Gone as exc:  # a permission lost just now: what was known of them said otherwise
        log.warning("thread_not_opened", channel=channel.id, reason=str(exc))
        await respond(interaction, _missing(_NEEDED[0], locale))
        return
    await _go_on_in(interaction, opened, timeout_s)
    await respond(interaction, text("thread.opened", locale, thread=opened.mention))


def _forbidden(interaction: Interaction, locale: str) -> str | None:
    """Return the sentence for what the bot, or the person, may not do here."""
    for permission in _NEEDED:
        if not getattr(interaction.app_permissions, permission):
            return _missing(permission, locale)
    return None if interaction.permissions.create_public_threads else text("thread.not_allowed", locale)


def _missing(permission: str, locale: str) -> str:
    return text("thread.forbidden", locale, permission=text(f"permission.{permission}", locale))


async def _open(channel: discord.TextChannel, turn: Turn, locale: str, timeout_s: float) -> discord.Thread:
    """Open a thread on the answer's last message, or beside it if that is gone or has one. Raises: Unwritable."""
    name = one_line(sayable(turn.asked)) or text("thread.unnamed", locale)
    for message_id in turn.answer_message_ids[-1:]:
        try:
            return await calling(channel.get_partial_message(message_id).create_thread(name=name), timeout_s)
        except (Gone, Refused) as exc:
            log.info("thread_not_on_answer", message=message_id, reason=str(exc))
    kind = discord.ChannelType.news_thread if channel.is_news() else discord.ChannelType.public_thread
    return await calling(channel.create_thread(name=name, type=kind), timeout_s)


async def _go_on_in(interaction: Interaction, opened: discord.Thread, timeout_s: float) -> None:
    """Let the conversation go on in a thread, and say so there. What is shared stays so."""
    chat, source = interaction.client.service.chat, key_of(interaction)
    if source.user_id is None:
        await chat.set_shared(opened.id, interaction.guild_id, shared=True)
    target = chat.key_for(opened.id, interaction.user.id, interaction.guild_id)
    is_known = await chat.carry_over(source, target)
    log.info("thread_opened", thread=opened.id, channel=source.channel_id, is_known=is_known)
    try:
        await calling(opened.add_user(interaction.user), timeout_s)
        await _say_in(interaction, target, _greeting(is_known, sees_content=interaction.client.intents.message_content))
    except Unwritable as exc:  # it is there and can be used
        log.warning("thread_not_announced", thread=opened.id, kind=type(exc).__name__, reason=str(exc))


def _greeting(is_known: bool, *, sees_content: bool) -> str:
    """Return the key of what is said first in a thread."""
    if not sees_content:  # only what mentions the bot comes with its text
        return "thread.begun_withheld" if is_known else "thread.begun_anew_withheld"
    return "thread.begun" if is_known else "thread.begun_anew"


async def _say_in(interaction: Interaction, key: ConversationKey, sentence: str) -> None:
    locale = str(interaction.guild_locale or interaction.locale)
    words = text(sentence, locale, user=interaction.user.mention)
    await interaction.client.service.channel(key).create(words, nonce=secrets.randbits(63), reply_to=None)


@app_commands.command(name="conversation", description=text("command.conversation"))
@app_commands.describe(mode=text("command.conversation.mode"))
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
async def conversation(interaction: Interaction, mode: Literal["shared", "private"]) -> None:
    """Make a channel or thread one conversation of all, or each person's own again; all see which it is."""
    check_moderator(interaction)
    chat, channel_id, shared = interaction.client.service.chat, interaction.channel_id or 0, mode == SHARED
    if chat.is_shared(channel_id) is shared:
        await tell(interaction, text(f"conversation.{mode}_already", locale_of(interaction)))
        return
    await defer(interaction)
    await chat.set_shared(channel_id, interaction.guild_id, shared=shared)
    log.info("conversation_mode", channel=channel_id, shared=shared, user=interaction.user.id)
    await respond(interaction, text(f"conversation.{mode}", str(interaction.guild_locale or interaction.locale)))
