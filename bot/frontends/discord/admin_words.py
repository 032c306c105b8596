"""/admin words: the words that are refused in questions and masked in answers.

Owns the commands. How words are compared, and what becomes of texts with them, is core's (`bot.core.filtering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import structlog
from discord import app_commands

from bot.frontends.discord.admin import admin
from bot.frontends.discord.replies import defer, locale_of, respond, respond_in_full
from bot.texts import text

if TYPE_CHECKING:
    import discord

    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

words_group = app_commands.Group(name="words", description=text("command.admin.words"), parent=admin)


@words_group.command(name="add", description=text("command.admin.words.add"))
@app_commands.describe(words=text("command.admin.words.add.words"))
async def add(interaction: Interaction, words: app_commands.Range[str, 1, 4000]) -> None:
    """Filter words here, in a direct message everywhere."""
    await defer(interaction, ephemeral=True)
    new = await interaction.client.service.chat.words.add(interaction.guild_id, words.split(","))
    log.info("words_filtered", count=len(new), guild=interaction.guild_id, admin=interaction.user.id)
    key = "admin.words_added" if new else "admin.words_added_none"
    await respond(interaction, text(key, locale_of(interaction), count=len(new)))


@words_group.command(name="remove", description=text("command.admin.words.remove"))
@app_commands.describe(words=text("command.admin.words.remove.words"))
async def remove(interaction: Interaction, words: app_commands.Range[str, 1, 4000]) -> None:
    """Filter words no more."""
    await defer(interaction, ephemeral=True)
    gone = await interaction.client.service.chat.words.remove(interaction.guild_id, words.split(","))
    log.info("words_let_through", count=len(gone), guild=interaction.guild_id, admin=interaction.user.id)
    key = "admin.words_removed" if gone else "admin.words_removed_none"
    await respond(interaction, text(key, locale_of(interaction), count=len(gone)))


@words_group.command(name="list", description=text("command.admin.words.list"))
async def list_(interaction: Interaction) -> None:
    """Show the words, each as code: a star in one is no emphasis."""
    await defer(interaction, ephemeral=True)
    locale, words = locale_of(interaction), interaction.client.service.chat.words.listed(interaction.guild_id)
    if not words:
        await respond(interaction, text("admin.words_none", locale))
        return
    shown = ", ".join(f"`` {word} ``" if "`" in word else f"`{word}`" for word in words)
    await respond_in_full(interaction, text("admin.words_list", locale, count=len(words), words=shown))
