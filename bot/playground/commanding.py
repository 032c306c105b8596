"""Which of a bot's commands a person is offered where, and what using one sends.

Owns contexts, installations (Discord's documentation, "Application Commands") and the nesting of options. Knows neither
how a line is typed nor what an interaction becomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.playground import payloads
from bot.playground.model import Application, Attachment, Channel, Command, Role, User
from bot.playground.state import State

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3  # types of commands
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER, ATTACHMENT = 1, 2, 3, 4, 5, 6, 11  # types of options
IN_GUILD, IN_BOT_DM, IN_PRIVATE_CHANNEL = 0, 1, 2  # contexts of a command
GUILD_INSTALL, USER_INSTALL = 0, 1  # its integration types


class UnknownCommandError(LookupError):
    """No registered command has this name here, or a required option is missing."""


@dataclass(frozen=True, slots=True)
class Installation:
    """As what an application is used: added to the place, installed by the one who uses it, or both."""

    by_guild: bool
    by_user: bool

    def __bool__(self) -> bool:
        return self.by_guild or self.by_user


def place_of(channel: Channel, bot: Application) -> int:
    """Return the context of a channel."""
    if channel.guild_id is not None:
        return IN_GUILD
    return IN_BOT_DM if bot.user.id in channel.recipient_ids else IN_PRIVATE_CHANNEL


def installation(state: State, bot: Application, channel: Channel, user: User, command: Command) -> Installation:
    """Return as what a command can be used by somebody in a channel."""
    place = place_of(channel, bot)
    if place not in (command.data.get("contexts") or (place,)):
        return Installation(by_guild=False, by_user=False)
    kinds = command.data.get("integration_types") or (GUILD_INSTALL,)
    guild = state.guild_of(channel)
    is_at_home = place == IN_BOT_DM or (guild is not None and bot.user.id in guild.members)
    return Installation(
        by_guild=is_at_home and GUILD_INSTALL in kinds,
        by_user=user.id in bot.installed_by and USER_INSTALL in kinds,
    )


def offered(state: State, bot: Application, channel: Channel, user: User, kind: int) -> list[Command]:
    """Return the commands of a kind that somebody is offered in a channel: the guild's, then the global ones."""
    own = bot.commands.get(channel.guild_id, []) if channel.guild_id is not None else []
    names = {(command.name, command.type) for command in own}
    known = own + [command for command in bot.commands.get(None, []) if (command.name, command.type) not in names]
    return [c for c in known if c.type == kind and installation(state, bot, channel, user, c)]


def being_typed(known: list[dict[str, Any]], path: list[str], name: str, value: str) -> list[dict[str, Any]]:
    """Return the options while one that proposes values is being typed, along a path of subcommands.

    Raises: UnknownCommandError, also for an option that proposes nothing.
    """
    head, *rest = [*path, name]
    option = next((option for option in known if option["name"] == head), None)
    if option is None or not (rest or option.get("autocomplete")):
        raise UnknownCommandError(head)
    if not rest:
        return [{"name": name, "type": option["type"], "value": value, "focused": True}]
    inner = being_typed(option.get("options") or [], path[1:], name, value)
    return [{"name": head, "type": option["type"], "options": inner}]


def options(known: list[dict[str, Any]], path: list[str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options of an interaction, nested along a path of subcommands. Raises: UnknownCommandError."""
    if path:
        head, *rest = path
        option = next((o for o in known if o["name"] == head and o["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)), None)
        if option is None:
            raise UnknownCommandError(head)
        inner = options(option.get("options") or [], rest, values)
        return [{"name": head, "type": option["type"], "options": inner}]
    by_name = {option["name"]: option for option in known}
    missing = [name for name, option in by_name.items() if option.get("required") and name not in values]
    unknown = [name for name in values if name not in by_name]
    if missing or unknown:
        raise UnknownCommandError(", ".join(missing + unknown))
    return [
        {
            "name": name,
            "type": by_name[name]["type"],
            "value": str(value.id) if isinstance(value, User | Role | Channel | Attachment) else value,
        }
        for name, value in values.items()
    ]


def resolved(state: State, place: Channel, values: Iterable[Any]) -> dict[str, Any]:
    """Return what an interaction tells of the users, roles and channels that were picked in a channel."""
    guild = state.guild_of(place)
    told: dict[str, dict[str, Any]] = {"users": {}, "members": {}, "roles": {}, "channels": {}}
    for value in values:
        if isinstance(value, User):
            told["users"][str(value.id)] = payloads.user(value)
            member = guild.members.get(value.id) if guild is not None else None
            if member is not None:
                granted = {"permissions": str(int(state.permissions(place, value)))}
                told["members"][str(value.id)] = payloads.member(member, with_user=False) | granted
        elif isinstance(value, Role):
            told["roles"][str(value.id)] = payloads.role(value)
        elif isinstance(value, Channel):
            told["channels"][str(value.id)] = payloads.channel(state, value) | {"permissions": "0"}
    return {kind: known for kind, known in told.items() if known}
