"""/admin permissions: what the bot may do in a channel and its server, of what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import discord

from bot.frontends.discord.admin import admin
from bot.frontends.discord.permitted import Place, granted_in
from bot.frontends.discord.replies import ACKNOWLEDGE_S, locale_of
from bot.frontends.discord.split import LIMIT_CHARS
from bot.frontends.discord.surface import NO_PINGS, calling
from bot.ops.invitation import NEEDED, name_of, names_of, purpose_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

_MORE_CHARS: Final = 100  # kept free for how many channels are not listed


@admin.command(name="permissions", description=text("command.admin.permissions"))
async def permissions(interaction: Interaction) -> None:
    """Show what is missing in this channel, in the roles, and in the other channels."""
    locale, guild, channel = locale_of(interaction), interaction.guild, interaction.channel
    if guild is None or not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        page = text("granted.direct", locale)
    else:
        page = granted_page(guild, channel, locale)
    sending = interaction.response.send_message(page, ephemeral=True, allowed_mentions=NO_PINGS)
    await calling(sending, ACKNOWLEDGE_S)


def granted_page(guild: discord.Guild, place: Place, locale: str) -> str:
    """Return it as one message; of a long list of channels the rest is counted. Those that it does not see are none."""
    lines = [*_here(place, locale), _in_roles(guild, locale)]
    elsewhere = [line for channel in guild.channels if channel != place for line in _elsewhere(channel, locale)]
    room = LIMIT_CHARS - _MORE_CHARS - len("\n".join(lines))
    for number, line in enumerate(elsewhere):
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*lines, text("granted.more", locale, count=len(elsewhere) - number)])
        lines.append(line)
    return "\n".join(lines)


def _here(place: Place, locale: str) -> Iterator[str]:
    yield text("granted.head", locale, channel=place.mention)
    for permission, is_granted in granted_in(place).items():
        name = name_of(permission, locale)
        if is_granted:
            yield text("granted.has", locale, permission=name)
        else:
            yield text("granted.lacking", locale, permission=name, purpose=purpose_of(permission, locale))


def _elsewhere(channel: discord.abc.GuildChannel, locale: str) -> Iterator[str]:
    missing = [permission for permission, is_granted in granted_in(channel).items() if not is_granted]
    if missing and missing != ["view_channel"] and not isinstance(channel, discord.CategoryChannel):
        yield text("granted.elsewhere", locale, channel=channel.mention, permissions=names_of(missing, locale))


def _in_roles(guild: discord.Guild, locale: str) -> str:
    may = guild.me.guild_permissions
    missing = [permission for permission in NEEDED if not getattr(may, permission)]
    if not missing:
        return text("granted.roles_whole", locale)
    return text("granted.roles", locale, permissions=names_of(missing, locale))
