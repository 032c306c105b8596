"""/admin bounds: within what people may choose how they are answered, in a server or (owners) everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.bounds import HIGHEST_TEMPERATURE, LOWEST_TOP_P, NO_BOUNDS, Bounds
from bot.frontends.discord.admin import admin
from bot.frontends.discord.choosing import written
from bot.frontends.discord.replies import defer, locale_of, respond
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

_LONGEST_TOKENS: Final = 131_072

admin_bounds = app_commands.Group(name="bounds", description=text("command.admin.bounds"), parent=admin)

Temperature: TypeAlias = app_commands.Range[float, 0.0, HIGHEST_TEMPERATURE]
TopP: TypeAlias = app_commands.Range[float, LOWEST_TOP_P, 1.0]


@admin_bounds.command(name="set", description=text("command.admin.bounds.set"))
@app_commands.describe(
    lowest_temperature=text("command.admin.bounds.lowest_temperature"),
    highest_temperature=text("command.admin.bounds.highest_temperature"),
    lowest_top_p=text("command.admin.bounds.lowest_top_p"),
    highest_top_p=text("command.admin.bounds.highest_top_p"),
    longest_answer=text("command.admin.bounds.longest_answer"),
    sampling=text("command.admin.bounds.sampling"),
    no_store=text("command.admin.bounds.no_store"),
)
async def set_(
    interaction: Interaction,
    lowest_temperature: Temperature | None = None,
    highest_temperature: Temperature | None = None,
    lowest_top_p: TopP | None = None,
    highest_top_p: TopP | None = None,
    longest_answer: app_commands.Range[int, 1, _LONGEST_TOKENS] | None = None,
    sampling: Literal["free", "fixed"] | None = None,
    no_store: Literal["allowed", "forbidden"] | None = None,
) -> None:
    """Set the bounds that are given."""
    await defer(interaction, ephemeral=True)
    given: dict[str, Any] = {
        "lowest_temperature": lowest_temperature,
        "highest_temperature": highest_temperature,
        "lowest_top_p": lowest_top_p,
        "highest_top_p": highest_top_p,
        "max_new_tokens": longest_answer,
        "may_sample": None if sampling is None else sampling == "free",
        "may_keep_nothing": None if no_store is None else no_store == "allowed",
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    preferences = interaction.client.service.chat.preferences
    if not await preferences.bound(interaction.guild_id, **wanted):
        await respond(interaction, text("bounds.crossed", locale_of(interaction)))
        return
    log.info("bounds_set", guild=interaction.guild_id, user=interaction.user.id, bounds=wanted)
    await _show(interaction)


@admin_bounds.command(name="clear", description=text("command.admin.bounds.clear"))
async def clear(interaction: Interaction) -> None:
    """Take all bounds away that were set here."""
    await defer(interaction, ephemeral=True)
    await interaction.client.service.chat.preferences.unbound(interaction.guild_id)
    log.info("bounds_cleared", guild=interaction.guild_id, user=interaction.user.id)
    await _show(interaction)


@admin_bounds.command(name="show", description=text("command.admin.bounds.show"))
async def show(interaction: Interaction) -> None:
    """Show the bounds that were set here, and those that hold everywhere."""
    await defer(interaction, ephemeral=True)
    await _show(interaction)


async def _show(interaction: Interaction) -> None:
    preferences, locale = interaction.client.service.chat.preferences, locale_of(interaction)
    guild_id, parts = interaction.guild_id, []
    if guild_id is not None:
        parts.append(f"{text('bounds.here', locale)}\n{bounds_lines(preferences.bounds_chosen(guild_id), locale)}")
    everywhere = preferences.bounds_chosen(None)
    if guild_id is None or everywhere != NO_BOUNDS:
        parts.append(f"{text('bounds.everywhere', locale)}\n{bounds_lines(everywhere, locale)}")
    await respond(interaction, "\n".join(parts))


def bounds_lines(bounds: Bounds, locale: str) -> str:
    """Return each bound that there is on a line of its own."""
    lines = []
    for name in ("temperature", "top_p"):
        lowest, highest = (getattr(bounds, f"{end}_{name}") for end in ("lowest", "highest"))
        if (lowest, highest) != (getattr(NO_BOUNDS, f"lowest_{name}"), getattr(NO_BOUNDS, f"highest_{name}")):
            lines.append(text(f"bounds.{name}", locale, lowest=written(lowest), highest=written(highest)))
    if bounds.max_new_tokens is not None:
        lines.append(text("bounds.longest_answer", locale, tokens=bounds.max_new_tokens))
    if not bounds.may_sample:
        lines.append(text("bounds.fixed_sampling", locale))
    if not bounds.may_keep_nothing:
        lines.append(text("bounds.no_store_forbidden", locale))
    return "\n".join(f"- {line}" for line in lines or [text("bounds.none", locale)])
