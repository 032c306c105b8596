"""From discord.py's messages to plain facts. Knows discord.py's attributes; decides nothing."""

from __future__ import annotations

import discord

from bot.frontends.discord.triggers import Extra, MessageFacts, question_text

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
        mentions_others=any(user.id != our_user_id for user in message.mentions),
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
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    replied_to = reference.resolved
    return replied_to.author.id if isinstance(replied_to, discord.Message) else None


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
