"""/quota: what a person may use, what is left of it, and when it renews. Reads; decides and counts nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import discord
from discord import app_commands

from bot.core.quotas import Standing
from bot.core.spending import EVERYWHERE
from bot.frontends.discord.replies import defer, locale_of, respond
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]


@app_commands.command(name="quota", description=text("command.quota"))
async def quota(interaction: Interaction) -> None:
    """Show it to the person alone; also to whom nothing else is open."""
    await defer(interaction, ephemeral=True)
    quotas, locale = interaction.client.service.chat.quotas, locale_of(interaction)
    standings = quotas.standing(visitor_of(interaction))
    lines = [text("quota.head", locale), *standing_lines(standings, quotas.renews_at, locale)]
    await respond(interaction, "\n".join([*lines, text("quota.what_counts", locale)]))


def standing_lines(standings: Sequence[Standing], renews_at: float, locale: str) -> list[str]:
    """Return what is left in each place; `renews_at` in UTC seconds."""
    return [line for standing in standings for line in _lines(standing, renews_at, locale)]


def _lines(standing: Standing, renews_at: float, locale: str) -> list[str]:
    limits = standing.limits
    lines = [text("quota.everywhere" if standing.place_id == EVERYWHERE else "quota.here", locale)]
    if standing.left_tokens is None or limits.tokens_per_day is None:
        lines.append(text("quota.tokens_used", locale, tokens=standing.spent_tokens))
    else:
        key = "quota.tokens_granted" if standing.granted_tokens else "quota.tokens"
        limit = limits.tokens_per_day + standing.granted_tokens
        fields = {"left": standing.left_tokens, "limit": limit, "granted": standing.granted_tokens}
        lines.append(text(key, locale, **fields, renews_at=round(renews_at)))
    if limits.per_minute is not None:
        fields = {"left": standing.left_questions or 0, "limit": limits.per_minute}
        is_full = standing.left_questions == limits.per_minute
        key = "quota.questions" if is_full else "quota.questions_renew"
        lines.append(text(key, locale, **fields, wait_s=_seconds(standing.minute_renews_in_s)))
    if limits.cooldown_s is not None:
        key = "quota.cooldown" if standing.cooldown_left_s > 0 else "quota.cooldown_over"
        lines.append(text(key, locale, cooldown_s=limits.cooldown_s, wait_s=_seconds(standing.cooldown_left_s)))
    return lines


def _seconds(wait_s: float) -> int:
    """Return whole seconds after which it is surely over."""
    return math.ceil(wait_s)
