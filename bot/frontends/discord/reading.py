"""From discord.py's messages to plain facts. Knows discord.py's attributes; decides nothing."""

from __future__ import annotations

import discord

from bot.core.messages import Excerpt, ExcerptKind
from bot.frontends.discord.triggers import Extra, MessageFacts, question_text
from bot.texts import RUNNING_MARK

_ORDINARY = (discord.MessageType.default, discord.MessageType.reply)


def facts_of(message: discord.Message, our_user_id: int) -> MessageFacts:
    """Return what decides whether and how `message` is answered. Asks Discord for nothing."""
    guild = message.guild
    role = guild.self_role if guild else None
    channel = message.channel
    return MessageFacts(
        content=message.content,
        guild_id=guild.id if guild else None,
        channel_id=channel.id,
        parent_channel_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
        is_ordinary=message.type in _ORDINARY,
        is_from_bot=message.author.bot or message.webhook_id is not None or message.author.id == our_user_id,
        our_user_id=our_user_id,
        our_role_id=role.id if role else None,
        is_reply_to_us=_author_replied_to(message) == our_user_id,
        is_in_own_thread=isinstance(channel, discord.Thread) and channel.owner_id == our_user_id,
        addresses_others=_addresses_others(message, our_user_id, role.id if role else None),
        names=_names(message),
        extras=frozenset(_extras(message)),
        forwarded="\n".join(snapshot.content for snapshot in message.message_snapshots),
    )


def question_in(words: str, guild: discord.Guild | None) -> str:
    """Return the question in a command's text, with mentions as names as far as the cache knows them."""
    names: dict[str, str] = {}
    if guild is not None:
        names |= {f"@{member.id}": member.display_name for member in guild.members}
        names |= {f"@&{role.id}": role.name for role in guild.roles}
        names |= {f"#{channel.id}": channel.name for channel in (*guild.channels, *guild.threads)}
    return question_text(MessageFacts(words, guild_id=None, channel_id=0, names=names))


def locale_of(message: discord.Message) -> str:
    """Return the language to answer in: the server's. Discord tells a person's own only with interactions."""
    return str(message.guild.preferred_locale) if message.guild else "en"


def _author_replied_to(message: discord.Message) -> int | None:
    reference = reply_reference(message)
    replied_to = reference.resolved if reference is not None else None
    return replied_to.author.id if isinstance(replied_to, discord.Message) else None


def _addresses_others(message: discord.Message, our_user_id: int, our_role_id: int | None) -> bool:
    return (
        any(user.id != our_user_id for user in message.mentions)
        or any(role.id != our_role_id for role in message.role_mentions)
        or message.mention_everyone
        or _author_replied_to(message) not in (None, our_user_id, message.author.id)
    )


def reply_reference(message: discord.Message) -> discord.MessageReference | None:
    """Return what a message replies to, or None if it is no reply; a forward is none."""
    reference = message.reference
    is_reply = reference is not None and reference.type is discord.MessageReferenceType.reply
    return reference if is_reply else None


def knows_all_files(message: discord.Message) -> bool:
    """Tell whether all files that a message brings in are known: not if what it replies to could not be had."""
    reference = reply_reference(message)
    return reference is None or isinstance(reference.resolved, discord.Message)


def quote_of(message: discord.Message) -> Excerpt:
    """Return a message as the model shall read it when somebody brings it in."""
    return Excerpt(ExcerptKind.QUOTE, message.author.display_name, _shown(message))


def _shown(message: discord.Message) -> str:
    """Return all that is shown of a message as text: its words, what it forwards, its poll and its embeds."""
    names = _names(message)
    parts = [message.content.removesuffix(RUNNING_MARK)]
    parts += [snapshot.content for snapshot in message.message_snapshots]
    if message.poll is not None:
        parts.append("\n".join([message.poll.question, *(f"- {answer.text}" for answer in message.poll.answers)]))
    parts += map(_embed_text, message.embeds)
    readable = (question_text(MessageFacts(part, guild_id=None, channel_id=0, names=names)) for part in parts)
    return "\n".join(part for part in readable if part)


def _embed_text(embed: discord.Embed) -> str:
    fields = [f"{field.name}: {field.value}" for field in embed.fields]
    parts = [embed.author.name, embed.title, embed.description, *fields, embed.footer.text]
    return "\n".join(part for part in parts if part)


def _names(message: discord.Message) -> dict[str, str]:
    names = {f"@{user.id}": user.display_name for user in message.mentions}
    names |= {f"@&{role.id}": role.name for role in message.role_mentions}
    if message.guild:
        found = map(message.guild.get_channel_or_thread, message.raw_channel_mentions)
        names |= {f"#{channel.id}": channel.name for channel in found if channel}
    return names


def _extras(message: discord.Message) -> list[Extra]:
    present = {
        Extra.VOICE: message.flags.voice,
        Extra.STICKER: message.stickers,
        Extra.POLL: message.poll,
        Extra.FORWARD: message.message_snapshots,
        Extra.ATTACHMENT: message.attachments,
    }
    return [extra for extra, there in present.items() if there]
