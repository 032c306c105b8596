"""/admin quota: how much people may use, and what one of them has used.

Owns the commands and how quotas read. What they mean together is core's (`bot.core.quotas`). In a direct message an
owner decides for everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.quotas import EVERYBODY, MOST_COOLDOWN_S, MOST_PER_MINUTE, MOST_TOKENS, Limits, Quotas, Rule, Subject
from bot.core.spending import EVERYWHERE
from bot.core.visitor import Visitor
from bot.errors import QuotaWithoutLimits, RolesNowhere
from bot.frontends.discord.admin import admin
from bot.frontends.discord.quotas import standing_lines
from bot.frontends.discord.replies import defer, locale_of, respond
from bot.frontends.discord.split import LIMIT_CHARS
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

_NOTES_CHARS: Final = 400  # kept free for what stands below a list

admin_quotas = app_commands.Group(name="quota", description=text("command.admin.quota"), parent=admin)


@admin_quotas.command(name="set", description=text("command.admin.quota.set"))
@app_commands.describe(
    cooldown=text("command.admin.quota.cooldown"),
    questions=text("command.admin.quota.questions"),
    tokens=text("command.admin.quota.tokens"),
    role=text("command.admin.quota.role"),
    user=text("command.admin.quota.person"),
)
async def set_(
    interaction: Interaction,
    cooldown: app_commands.Range[int, 0, MOST_COOLDOWN_S] | None = None,
    questions: app_commands.Range[int, 1, MOST_PER_MINUTE] | None = None,
    tokens: app_commands.Range[int, 1, MOST_TOKENS] | None = None,
    role: discord.Role | None = None,
    user: discord.User | None = None,
) -> None:
    """Choose limits; those that are left out stay as they are."""
    await defer(interaction, ephemeral=True)
    rule = Rule(cooldown, questions, tokens)
    if rule == Rule():
        raise QuotaWithoutLimits
    await _choose(interaction, rule, role, user)


@admin_quotas.command(name="unlimited", description=text("command.admin.quota.unlimited"))
@app_commands.describe(role=text("command.admin.quota.role"), user=text("command.admin.quota.person"))
async def unlimited(
    interaction: Interaction, role: discord.Role | None = None, user: discord.User | None = None
) -> None:
    """Lift all limits of this place."""
    await defer(interaction, ephemeral=True)
    await _choose(interaction, Rule(is_unlimited=True), role, user)


@admin_quotas.command(name="clear", description=text("command.admin.quota.clear"))
@app_commands.describe(role=text("command.admin.quota.role"), user=text("command.admin.quota.person"))
async def clear(interaction: Interaction, role: discord.Role | None = None, user: discord.User | None = None) -> None:
    """Take back what was chosen."""
    await defer(interaction, ephemeral=True)
    await _choose(interaction, None, role, user)


async def _choose(
    interaction: Interaction, rule: Rule | None, role: discord.Role | None, user: discord.User | None
) -> None:
    """Choose for a role, a person or both; for everybody, if neither is named. Raises: RolesNowhere."""
    quotas, guild_id, locale = interaction.client.service.chat.quotas, interaction.guild_id, locale_of(interaction)
    lines = []
    for subject in _subjects(guild_id, role, user):
        changed = await quotas.choose(guild_id, subject, rule)
        log.info("quota_chosen", rule=rule, subject=subject, guild=guild_id, user=interaction.user.id, changed=changed)
        who = _who(subject, guild_id, locale)
        now = quotas.rules(guild_id).get(subject)
        if now is not None:
            key = "quota.chosen" if changed else "quota.same"
            lines.append(text(key, locale, who=who, limits=_limits(now, locale)))
        else:
            lines.append(text("quota.cleared" if changed else "quota.nothing_to_clear", locale, who=who))
    await respond(interaction, "\n".join(lines))


def _subjects(guild_id: int | None, role: discord.Role | None, user: discord.User | None) -> list[Subject]:
    subjects = []
    if role is not None:
        if guild_id is None:
            raise RolesNowhere
        subjects.append(Subject("role", role.id) if role.id != guild_id else EVERYBODY)  # @everyone
    if user is not None:
        subjects.append(Subject("user", user.id))
    return subjects or [EVERYBODY]


@admin_quotas.command(name="show", description=text("command.admin.quota.show"))
async def show(interaction: Interaction) -> None:
    """List what was chosen for this place, and what holds for everybody everywhere."""
    await defer(interaction, ephemeral=True)
    quotas = interaction.client.service.chat.quotas
    await respond(interaction, quotas_page(quotas, interaction.guild_id, locale_of(interaction)))


def quotas_page(quotas: Quotas, guild_id: int | None, locale: str) -> str:
    """Return the lines of /admin quota show, which fit in one message."""
    rules = quotas.rules(guild_id)
    lines = [text("quota.rules_here" if guild_id is not None else "quota.rules_everywhere", locale)]
    if not rules:
        lines.append(text("quota.no_rules", locale))
    room = LIMIT_CHARS - _NOTES_CHARS
    for count, (subject, rule) in enumerate(sorted(rules.items(), key=_order)):
        line = text("quota.rule", locale, who=_who(subject, guild_id, locale), limits=_limits(rule, locale))
        room -= len(line) + 1
        if room < 0:
            lines.append(text("quota.more_rules", locale, count=len(rules) - count))
            break
        lines.append(line)
    everybody = _limits(quotas.limits_of(Visitor(0), EVERYWHERE), locale)
    return "\n".join([*lines, text("quota.beside", locale, limits=everybody)])


def _order(item: tuple[Subject, Rule]) -> tuple[int, int]:
    subject = item[0]
    return ("everybody", "role", "user").index(subject.kind), subject.id


@admin_quotas.command(name="grant", description=text("command.admin.quota.grant"))
@app_commands.describe(user=text("command.admin.quota.grant.user"), tokens=text("command.admin.quota.grant.tokens"))
async def grant(interaction: Interaction, user: discord.User, tokens: app_commands.Range[int, 1, MOST_TOKENS]) -> None:
    """Give somebody more tokens for today."""
    await defer(interaction, ephemeral=True)
    quotas, guild_id, locale = interaction.client.service.chat.quotas, interaction.guild_id, locale_of(interaction)
    granted = await quotas.grant(guild_id, user.id, tokens)
    log.info("quota_granted", tokens=tokens, guild=guild_id, to=user.id, user=interaction.user.id)
    head = text("quota.granted", locale, who=user.mention, tokens=tokens, granted=granted)
    await respond(interaction, "\n".join([head, *_left(interaction, user)]))


@admin_quotas.command(name="user", description=text("command.admin.quota.user"))
@app_commands.describe(user=text("command.admin.quota.user.user"))
async def user_(interaction: Interaction, user: discord.User) -> None:
    """Show what somebody has used here, and what is left."""
    await defer(interaction, ephemeral=True)
    head = text("quota.head_of", locale_of(interaction), who=user.mention)
    await respond(interaction, "\n".join([head, *_left(interaction, user)]))


def _left(interaction: Interaction, user: discord.User | discord.Member) -> list[str]:
    """Return what is left to somebody in this place: what they do elsewhere is the owners' business alone."""
    quotas, guild_id, locale = interaction.client.service.chat.quotas, interaction.guild_id, locale_of(interaction)
    roles = frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else frozenset()
    standings = quotas.standing(Visitor(user.id, guild_id, role_ids=roles))
    if not visitor_of(interaction).is_owner:
        standings = [standing for standing in standings if standing.place_id != EVERYWHERE]
    return standing_lines(standings, quotas.renews_at, locale)


# How it reads ---------------------------------------------------------------------------------------------------------


def _who(subject: Subject, guild_id: int | None, locale: str) -> str:
    if subject.kind == "role":
        return f"<@&{subject.id}>"
    if subject.kind == "user":
        return f"<@{subject.id}>"
    return text("quota.everybody" if guild_id is None else "quota.everybody_here", locale)


def _limits(rule: Rule | Limits, locale: str) -> str:
    if isinstance(rule, Rule) and rule.is_unlimited:
        return text("quota.says_unlimited", locale)
    said = []
    if rule.cooldown_s is not None:
        key = "quota.says_cooldown" if rule.cooldown_s else "quota.says_no_cooldown"
        said.append(text(key, locale, cooldown_s=rule.cooldown_s))
    if rule.per_minute is not None:
        said.append(text("quota.says_questions", locale, per_minute=rule.per_minute))
    if rule.tokens_per_day is not None:
        said.append(text("quota.says_tokens", locale, tokens=rule.tokens_per_day))
    return ", ".join(said) or text("quota.says_unlimited", locale)
