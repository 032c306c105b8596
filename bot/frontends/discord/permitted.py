"""What the bot may do where, by what Discord has told of roles and channels. Asks Discord for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import discord

from bot.ops.invitation import NEEDED

Place: TypeAlias = discord.abc.GuildChannel | discord.Thread

WRITING: Final = frozenset({"send_messages", "send_messages_in_threads"})
"""Without the one of these that a place needs, nothing at all can be said there."""


def place_of(message: discord.Message) -> Place | None:
    """Return the channel or thread of a server that a message stands in; None elsewhere, where nothing is granted."""
    channel = message.channel
    return channel if isinstance(channel, discord.abc.GuildChannel | discord.Thread) else None


def permissions_in(place: Place) -> discord.Permissions | None:
    """Return what the bot may do in a channel or thread; None for a thread whose channel is not known."""
    try:
        return place.permissions_for(place.guild.me)
    except discord.ClientException:
        return None


def missing_in(place: Place) -> tuple[str, ...]:
    """Return what an answer to a message there needs and the bot lacks, by discord.py's names.

    What only follows from another lack is left out: nobody attaches files where he cannot write.
    """
    may = permissions_in(place)
    if may is None:
        return ()
    writing = "send_messages_in_threads" if isinstance(place, discord.Thread) else "send_messages"
    missing = [name for name in (writing, "read_message_history") if not getattr(may, name)]
    if may.send_messages and getattr(may, writing) and not may.attach_files:
        missing.append("attach_files")
    return tuple(missing)


def granted_in(place: Place) -> dict[str, bool]:
    """Return whether the bot has there each of the permissions that its invitation asks for.

    Left out is what cannot be told: Discord shows no more of a channel that is not seen, nor whether files would be
    allowed where nothing may be written.
    """
    may = permissions_in(place)
    if may is None:
        return {}
    if not may.view_channel:
        return {"view_channel": False}
    return {name: getattr(may, name) for name in NEEDED if name != "attach_files" or may.send_messages}


def may_react_in(place: Place) -> bool:
    """Tell whether the bot may put a reaction below a message there."""
    may = permissions_in(place)
    return may is not None and may.add_reactions and may.read_message_history


def may_write_in(channel: discord.TextChannel) -> bool:
    """Tell whether the bot sees a channel and may write there."""
    may = channel.permissions_for(channel.guild.me)
    return may.view_channel and may.send_messages


def writable_channels(guild: discord.Guild) -> Iterator[discord.TextChannel]:
    """Yield a guild's channels in which the bot may write: the one of Discord's own notices first, then as listed."""
    system = guild.system_channel
    others = [channel for channel in guild.text_channels if channel != system]
    return filter(may_write_in, others if system is None else [system, *others])
