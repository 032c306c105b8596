"""Who is at the door: core's `Visitor`, made from discord.py's messages and interactions. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import discord

from bot.core.visitor import Visitor

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient
    from bot.frontends.discord.service import Service

    Interaction: TypeAlias = discord.Interaction[PhibotClient]


def visitor_of_message(service: Service, message: discord.Message) -> Visitor:
    """Return who wrote a message. What they may do in the server is known of members only."""
    author, guild, channel = message.author, message.guild, message.channel
    is_owner = author.id in service.owner_ids
    may_manage = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
    return Visitor(
        author.id,
        guild.id if guild else None,
        _channel_ids(channel, channel.id),
        _role_ids(author),
        is_admin=is_owner or may_manage,
        is_owner=is_owner,
        is_age_restricted=_is_age_restricted(channel),
        user_name=author.display_name,
        server_name=guild.name if guild else "",
        channel_name=_name_of(channel),
        locale=str(guild.preferred_locale) if guild else "en",
    )


def visitor_of(interaction: Interaction) -> Visitor:
    """Return who used a command, menu, control or form."""
    user, channel, guild = interaction.user, interaction.channel, interaction.guild
    is_owner = user.id in interaction.client.service.owner_ids
    may_manage = interaction.guild_id is not None and interaction.permissions.manage_guild
    return Visitor(
        user.id,
        interaction.guild_id,
        _channel_ids(channel, interaction.channel_id or 0),
        _role_ids(user),
        is_admin=is_owner or may_manage,
        is_owner=is_owner,
        is_age_restricted=_is_age_restricted(channel),
        user_name=user.display_name,
        server_name=(guild.name or "") if guild else "",
        channel_name=_name_of(channel),
        locale=str(interaction.locale),
    )


def _channel_ids(channel: object, channel_id: int) -> tuple[int, ...]:
    """Return the channel, the one that it hangs under if it is a thread, and their category, as far as known."""
    found = [channel_id]
    if isinstance(channel, discord.Thread):
        found.append(channel.parent_id)
        channel = channel.parent
    category_id = getattr(channel, "category_id", None)  # of a server's channels only
    return (*found, category_id) if category_id is not None else tuple(found)


def _role_ids(user: discord.User | discord.Member) -> frozenset[int]:
    """Return a member's roles, the one of everybody among them."""
    return frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else frozenset()


def _is_age_restricted(channel: object) -> bool:
    told = getattr(channel, "is_nsfw", None)  # a server's channels and threads have it
    return bool(told and told())


def _name_of(channel: object) -> str:
    return getattr(channel, "name", None) or ""
