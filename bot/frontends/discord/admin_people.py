"""/admin history and /admin wipe: a person's conversations, shown to an admin and erased; for owners everywhere.

Owns the button that confirms. Whose words those are is core's (`bot.core.moderation`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.messages import Turn
from bot.core.moderation import SaidBy
from bot.errors import AdminsOnly
from bot.frontends.discord.admin import admin
from bot.frontends.discord.changes import is_public_summary, take_away
from bot.frontends.discord.replies import defer, ending_well, is_welcome, locale_of, respond
from bot.frontends.discord.split import sayable
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

MOST_TURNS: Final = 1000
"""How many exchanges one file shows: at most some megabytes."""
FILE: Final = "conversations.md"

Button: TypeAlias = discord.ui.Button[discord.ui.View]


@admin.command(name="history", description=text("command.admin.history"))
@app_commands.describe(user=text("command.admin.user"))
async def history(interaction: Interaction, user: discord.User) -> None:
    """Show what a person asked here and was answered, as a file that the admin alone sees."""
    await defer(interaction, ephemeral=True)
    locale, moderation = locale_of(interaction), interaction.client.service.chat.moderation
    said = await moderation.said_by(user.id, interaction.guild_id, MOST_TURNS)
    log.info("history_shown", subject=user.id, guild=interaction.guild_id, admin=interaction.user.id)
    person = f"<@{user.id}>"
    if not said.turns:
        await respond(interaction, _nothing(interaction, person))
        return
    key = "admin.history_newest" if said.count > len(said.turns) else "admin.history_all"
    sentence = text(key, locale, user=person, count=said.count, shown=len(said.turns))
    page = "\n\n".join(_entries(said, user.display_name, interaction.guild, locale))
    file = discord.File(io.BytesIO(sayable(page).encode()), FILE)
    await respond(interaction, sentence, file=file)


def _nothing(interaction: Interaction, person: str) -> str:
    key = "admin.history_nothing" if interaction.guild_id is not None else "admin.history_nothing_everywhere"
    return text(key, locale_of(interaction), user=person)


def _entries(said: SaidBy, name: str, guild: discord.Guild | None, locale: str) -> Iterator[str]:
    for turn in said.turns:
        at = datetime.fromtimestamp(turn.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        asked = turn.asked
        if turn.excerpts:
            names = ", ".join(excerpt.name for excerpt in turn.excerpts)
            asked = f"{asked}\n{text('admin.history_with', locale, names=names)}".lstrip()
        yield text("admin.history_place", locale, place=_place(turn, guild), at=at)
        yield text("history.they", locale, user=name, text=asked)
        yield text("history.me", locale, text=turn.answer or text("history.no_answer", locale))


def _place(turn: Turn, guild: discord.Guild | None) -> str:
    """Return where something was said, by its name if that is known: a file shows no mentions."""
    if turn.key is None:
        return "?"
    channel = guild.get_channel_or_thread(turn.key.channel_id) if guild is not None else None
    return f"#{channel.name}" if channel is not None else f"#{turn.key.channel_id}"


@admin.command(name="wipe", description=text("command.admin.wipe"))
@app_commands.describe(user=text("command.admin.user"))
async def wipe(interaction: Interaction, user: discord.User) -> None:
    """Ask whether to erase a person's conversations here."""
    await defer(interaction, ephemeral=True)
    locale, moderation = locale_of(interaction), interaction.client.service.chat.moderation
    said = await moderation.said_by(user.id, interaction.guild_id, 1)
    if not said.count:
        await respond(interaction, _nothing(interaction, f"<@{user.id}>"))
        return
    view = discord.ui.View(timeout=None)
    view.add_item(Wipe(user.id, interaction.guild_id, text("admin.wipe_button", locale)))
    key = "admin.wipe_here" if interaction.guild_id is not None else "admin.wipe_everywhere"
    await respond(interaction, text(key, locale, user=f"<@{user.id}>", count=said.count), view=view)


class Wipe(discord.ui.DynamicItem[Button], template=r"wipe:(?P<user>\d{1,19}):(?P<guild>\d{1,19})"):
    """Erases what was asked about. It carries whose and where, so it works in any process; who may is asked anew."""

    def __init__(self, user_id: int, guild_id: int | None, label: str) -> None:
        """Take whose conversations and in which server, None for everywhere."""
        custom_id = f"wipe:{user_id}:{guild_id or 0}"
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.danger, custom_id=custom_id))
        self._user_id = user_id
        self._guild_id = guild_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the item for one press."""
        del interaction
        return cls(int(match["user"]), int(match["guild"]) or None, getattr(item, "label", None) or "")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Erase, or tell the person alone why not."""
        await ending_well(interaction, self._take(interaction), control="wipe")

    async def _take(self, interaction: Interaction) -> None:
        if not await is_welcome(interaction):
            return
        visitor = visitor_of(interaction)
        if not visitor.is_admin or self._guild_id != visitor.guild_id:
            raise AdminsOnly
        await defer(interaction, thinking=False)
        service = interaction.client.service
        erased = await service.chat.moderation.erase(self._user_id, self._guild_id)
        count = erased.count
        for summary in filter(is_public_summary, erased.summaries):
            take_away(service, summary)
        log.info("person_wiped", subject=self._user_id, guild=self._guild_id, admin=visitor.user_id, exchanges=count)
        sentence = text("admin.wiped", locale_of(interaction), user=f"<@{self._user_id}>", count=count)
        await respond(interaction, sentence, view=None)
