"""/admin: what those who manage a server decide for it, and owners of the bot everywhere.

Owns the group. Discord hides it from others by default, but a server can show it to anybody: who may use it is checked
by the command tree (`commands`). What can be decided about each subject stands in a module of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.frontends.discord.replies import defer, locale_of, respond
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)


admin = app_commands.Group(
    name="admin",
    description=text("command.admin"),
    default_permissions=discord.Permissions(manage_guild=True),
)


@admin.command(name="pause", description=text("command.admin.pause"))
async def pause(interaction: Interaction) -> None:
    """Take no more questions in this server; in a direct message an owner pauses everything."""
    await _set_paused(interaction, paused=True)


@admin.command(name="resume", description=text("command.admin.resume"))
async def resume(interaction: Interaction) -> None:
    """Take questions again."""
    await _set_paused(interaction, paused=False)


async def _set_paused(interaction: Interaction, *, paused: bool) -> None:
    await defer(interaction, ephemeral=True)
    permissions = interaction.client.service.chat.permissions
    changed = await permissions.set_paused(interaction.guild_id, paused=paused, by=interaction.user.id)
    log.info("intake_paused" if paused else "intake_resumed", guild=interaction.guild_id, user=interaction.user.id)
    outcome = ("paused" if paused else "resumed") if changed else "same"
    where = "here" if interaction.guild_id is not None else "everywhere"
    sentence = text(f"admin.{outcome}_{where}", locale_of(interaction))
    if not paused and permissions.is_paused(interaction.guild_id):
        sentence += f" {text('admin.still_paused', locale_of(interaction))}"
    await respond(interaction, sentence)
