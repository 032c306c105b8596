"""What becomes of servers and their members after they are made: roles given and changed, outages.

Owns the events of these. Knows neither sockets nor who is allowed to; joining and leaving are state.py's.
"""

from __future__ import annotations

from bot.playground.model import Guild, Role, User
from bot.playground.permissions import Permission
from bot.playground.state import Event, State


def set_role(state: State, guild: Guild, role: Role, granted: Permission) -> None:
    """Change what a role grants in the whole guild."""
    role.permissions = granted
    state.emit(Event("GUILD_ROLE_UPDATE", guild=guild, extra={"role": role}))


def give_role(state: State, guild: Guild, user: User, role: Role) -> None:
    """Give a member a role."""
    member = guild.members[user.id]
    member.role_ids.add(role.id)
    state.emit(Event("GUILD_MEMBER_UPDATE", guild=guild, member=member))


def set_available(state: State, guild: Guild, *, available: bool) -> None:
    """Begin or end an outage of a guild: its bots hear that it is gone for now, or all of it anew."""
    guild.is_available = available
    name = "GUILD_CREATE" if available else "GUILD_DELETE"
    extra = {} if available else {"unavailable": True}
    for application in state.applications.values():
        if application.user.id in guild.members:
            state.emit(Event(name, guild=guild, only=application, extra=extra))
