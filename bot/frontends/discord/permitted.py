"""What the bot may do where, by what Discord has told of roles and channels. Asks Discord for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import discord


def writable_channels(guild: discord.Guild) -> Iterator[discord.TextChannel]:
    """Yield a guild's channels in which the bot may write: the one of Discord's own notices first, then as listed."""
    system = guild.system_channel
    for channel in ([system] if system is not None else []) + [each for each in guild.text_channels if each != system]:
        may = channel.permissions_for(guild.me)
        if may.view_channel and may.send_messages:
            yield channel
