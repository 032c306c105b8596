"""/admin's rules: who may use the bot, and where; which roles may change personas; what of it holds here.

Owns the commands and how the rules read. What they mean together is core's (`bot.core.permissions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.chat import Chat
from bot.core.permissions import Kind, Permissions, Verdict
from bot.frontends.discord.admin import admin
from bot.frontends.discord.replies import defer, locale_of, respond, respond_in_full
from bot.frontends.discord.surface import Unwritable, calling
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

Channel: TypeAlias = app_commands.AppCommandChannel | app_commands.AppCommandThread
"""Any channel, thread or category of a server, as Discord's picker gives it."""

ON: Final = "on"


@admin.command(name="block", description=text("command.admin.block"))
@app_commands.describe(
    user=text("command.admin.user"), role=text("command.admin.role"), channel=text("command.admin.channel")
)
async def block(
    interaction: Interaction,
    user: discord.User | None = None,
    role: discord.Role | None = None,
    channel: Channel | None = None,
) -> None:
    """Answer a person, a role, or in a channel no more."""
    await _decide(interaction, Verdict.BLOCKED, user, role, channel)


@admin.command(name="allow", description=text("command.admin.allow"))
@app_commands.describe(
    user=text("command.admin.user"), role=text("command.admin.role"), channel=text("command.admin.channel")
)
async def allow(
    interaction: Interaction,
    user: discord.User | None = None,
    role: discord.Role | None = None,
    channel: Channel | None = None,
) -> None:
    """Answer only those people, and only in those channels, that are allowed."""
    await _decide(interaction, Verdict.ALLOWED, user, role, channel)


async def _decide(
    interaction: Interaction,
    verdict: Verdict,
    user: discord.User | None,
    role: discord.Role | None,
    channel: Channel | None,
) -> None:
    await defer(interaction, ephemeral=True)
    locale, permissions = locale_of(interaction), interaction.client.service.chat.permissions
    chosen = _chosen(user, role, channel)
    permissions.check_room(interaction.guild_id, verdict, chosen)
    for kind, subject_id in chosen:
        await permissions.decide(interaction.guild_id, verdict, kind, subject_id, by=interaction.user.id)
        log.info("rule_made", verdict=verdict, kind=kind, subject=subject_id, **_who(interaction))
    if not chosen:
        await respond(interaction, text("admin.choose", locale))
        return
    names = ", ".join(_name(interaction.guild, kind, subject_id, locale) for kind, subject_id in chosen)
    lines = [text(f"admin.{verdict}", locale, names=names)]
    if verdict is Verdict.ALLOWED:
        if any(kind is not Kind.CHANNEL for kind, _ in chosen):
            where = "" if interaction.guild_id is not None else "_everywhere"
            lines.append(text(f"admin.allowed_people{where}", locale))
        if any(kind is Kind.CHANNEL for kind, _ in chosen):
            lines.append(text("admin.allowed_places", locale))
    await respond(interaction, "\n".join(lines))


@admin.command(name="clear", description=text("command.admin.clear"))
@app_commands.describe(
    user=text("command.admin.user"),
    role=text("command.admin.role"),
    channel=text("command.admin.channel"),
    deleted=text("command.admin.clear.deleted"),
)
async def clear(
    interaction: Interaction,
    user: discord.User | None = None,
    role: discord.Role | None = None,
    channel: Channel | None = None,
    deleted: bool = False,
) -> None:
    """Take somebody or something off all lists, or all that exists no more."""
    await defer(interaction, ephemeral=True)
    locale, permissions = locale_of(interaction), interaction.client.service.chat.permissions
    chosen = _chosen(user, role, channel)
    if deleted:
        chosen += [one for one in _missing(interaction.guild, permissions) if await _is_gone(interaction, *one)]
    if not chosen and not deleted:
        await respond(interaction, text("admin.choose", locale))
        return
    count = 0
    for kind, subject_id in chosen:
        count += await permissions.clear(interaction.guild_id, kind, [subject_id])
        if deleted and kind is Kind.ROLE:
            count += await permissions.set_persona_role(
                interaction.guild_id, subject_id, may=False, by=interaction.user.id
            )
        log.info("rule_cleared", kind=kind, subject=subject_id, **_who(interaction))
    await respond(interaction, text("admin.cleared" if count else "admin.cleared_nothing", locale, count=count))


def _chosen(user: discord.User | None, role: discord.Role | None, channel: Channel | None) -> list[tuple[Kind, int]]:
    picked = ((Kind.USER, user), (Kind.ROLE, role), (Kind.CHANNEL, channel))
    return [(kind, subject.id) for kind, subject in picked if subject is not None]


async def _is_gone(interaction: Interaction, kind: Kind, subject_id: int) -> bool:
    """Ask Discord whether a channel is deleted: archived threads, and what is hidden, are told of to nobody unasked.

    Whatever else it answers, the channel is taken to be there: a rule too many hurts less than one that is lost.
    """
    if kind is not Kind.CHANNEL:
        return True
    client = interaction.client
    try:
        await calling(client.fetch_channel(subject_id), client.service.timing.call_timeout_s)
    except Unwritable as exc:
        return isinstance(exc.__cause__, discord.NotFound)
    return False


def _missing(guild: discord.Guild | None, permissions: Permissions) -> list[tuple[Kind, int]]:
    """Return what is listed and what the bot does not know of (any more)."""
    if guild is None:
        return []
    listed = [
        (kind, subject_id)
        for kind in (Kind.ROLE, Kind.CHANNEL)
        for verdict in Verdict
        for subject_id in permissions.listed(guild.id, verdict, kind)
    ]
    listed += [(Kind.ROLE, role_id) for role_id in permissions.persona_roles(guild.id)]
    return [one for one in dict.fromkeys(listed) if not _is_there(guild, *one)]


def _is_there(guild: discord.Guild, kind: Kind, subject_id: int) -> bool:
    if kind is Kind.ROLE:
        return guild.get_role(subject_id) is not None
    return kind is Kind.USER or guild.get_channel_or_thread(subject_id) is not None


def _name(guild: discord.Guild | None, kind: Kind, subject_id: int, locale: str) -> str:
    """Return how a subject reads: as Discord's own mention, which pings nobody here, while it is there."""
    if guild is not None and not _is_there(guild, kind, subject_id):
        return text(f"admin.{kind}_gone", locale, id=subject_id)
    if kind is Kind.USER:
        return f"<@{subject_id}>"
    if kind is Kind.CHANNEL:
        return f"<#{subject_id}>"
    return "@everyone" if guild is not None and subject_id == guild.id else f"<@&{subject_id}>"


@admin.command(name="age_restricted", description=text("command.admin.age_restricted"))
@app_commands.describe(only=text("command.admin.age_restricted.only"))
async def age_restricted(interaction: Interaction, only: Literal["on", "off"]) -> None:
    """Answer in age-restricted channels only, or in all again."""
    await defer(interaction, ephemeral=True)
    permissions = interaction.client.service.chat.permissions
    await permissions.set_age_restricted_only(interaction.guild_id, only=only == ON, by=interaction.user.id)
    log.info("age_restricted_only", only=only == ON, **_who(interaction))
    key = "admin.age_restricted_on" if only == ON else "admin.age_restricted_off"
    await respond(interaction, text(key, locale_of(interaction)))


persona_roles = app_commands.Group(name="persona_roles", description=text("command.admin.persona_roles"), parent=admin)


@persona_roles.command(name="add", description=text("command.admin.persona_roles.add"))
@app_commands.describe(role=text("command.admin.role"))
async def add_persona_role(interaction: Interaction, role: discord.Role) -> None:
    """Let a role change personas."""
    await _set_persona_role(interaction, role, may=True)


@persona_roles.command(name="remove", description=text("command.admin.persona_roles.remove"))
@app_commands.describe(role=text("command.admin.role"))
async def remove_persona_role(interaction: Interaction, role: discord.Role) -> None:
    """Let a role change personas no more."""
    await _set_persona_role(interaction, role, may=False)


async def _set_persona_role(interaction: Interaction, role: discord.Role, *, may: bool) -> None:
    await defer(interaction, ephemeral=True)
    locale, permissions = locale_of(interaction), interaction.client.service.chat.permissions
    await permissions.set_persona_role(interaction.guild_id, role.id, may=may, by=interaction.user.id)
    log.info("persona_role", role=role.id, may=may, **_who(interaction))
    key = "admin.persona_role_added" if may else "admin.persona_role_removed"
    await respond(interaction, text(key, locale, role=_name(interaction.guild, Kind.ROLE, role.id, locale)))


# What holds ----------------------------------------------------------------------------------------------------------


@admin.command(name="rules", description=text("command.admin.rules"))
async def rules(interaction: Interaction) -> None:
    """Show everything that holds here, in as many messages as that needs."""
    await defer(interaction, ephemeral=True)
    page = _page(interaction.client.service.chat, interaction.guild, locale_of(interaction))
    await respond_in_full(interaction, page)


def _page(chat: Chat, guild: discord.Guild | None, locale: str) -> str:
    lines = [text("admin.rules_here" if guild is not None else "admin.rules_everywhere", locale)]
    lines += _lines(chat, guild.id if guild is not None else None, guild, locale)
    if len(lines) == 1:
        lines.append(text("admin.rules_none", locale))
    elsewhere = list(_lines(chat, None, guild, locale)) if guild is not None else []
    if elsewhere:
        lines += [text("admin.rules_owners", locale), *elsewhere]
    lines.append(text("admin.rules_more", locale))
    return "\n".join(lines)


def _lines(chat: Chat, guild_id: int | None, guild: discord.Guild | None, locale: str) -> Iterator[str]:
    permissions, words = chat.permissions, chat.words.listed(guild_id)
    paused_by = permissions.paused_by(guild_id)
    if paused_by is not None:
        yield text("admin.rules_paused", locale) + _by(paused_by, locale)
    if permissions.is_age_restricted_only(guild_id):
        yield text("admin.rules_age_restricted", locale)
    for verdict in Verdict:
        for kind in Kind:
            listed = permissions.listed(guild_id, verdict, kind)
            if listed:
                yield text(f"admin.{verdict}_{kind}", locale, names=_listed(listed, guild, kind, locale))
    if words:
        yield text("admin.rules_words", locale, count=len(words))
    roles = permissions.persona_roles(guild_id)
    if roles:
        yield text("admin.rules_personas", locale, names=_listed(roles, guild, Kind.ROLE, locale))


def _listed(listed: dict[int, int], guild: discord.Guild | None, kind: Kind, locale: str) -> str:
    """Return the names of what is listed, each with who said so; those by the same admin stand together."""
    by_admin: dict[int, list[str]] = {}
    for subject_id, by in listed.items():
        by_admin.setdefault(by, []).append(_name(guild, kind, subject_id, locale))
    return "; ".join(", ".join(names) + _by(by, locale) for by, names in by_admin.items())


def _by(admin_id: int, locale: str) -> str:
    return f" {text('admin.by', locale, admin=f'<@{admin_id}>')}" if admin_id else ""


def _who(interaction: Interaction) -> dict[str, int | None]:
    return {"guild": interaction.guild_id, "admin": interaction.user.id}
