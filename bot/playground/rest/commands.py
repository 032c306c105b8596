"""Routes about application commands: what a bot registers, globally or for one guild."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bot.playground import errors, payloads
from bot.playground.errors import ApiError
from bot.playground.model import Command
from bot.playground.ratelimits import Limit
from bot.playground.rest.call import Answer, Call, Handler, Routes

routes = Routes()

SLASH = 1
SUBCOMMAND_TYPES = (1, 2)
SLASH_LIMIT, CONTEXT_MENU_LIMIT, OPTIONS_LIMIT, CHOICES_LIMIT = 100, 15, 25, 25
DESCRIPTION_LIMIT_CHARS = 100
_NAME = re.compile(r"^[-_'\w]{1,32}$")

_GLOBAL = "/applications/{application_id}/commands"
_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
_WRITES = Limit("commands", 5, 20.0)


def _both(method: str, tail: str = "") -> Callable[[Handler], Handler]:
    """Register a handler for global commands and for a guild's."""
    limit = Limit("commands-read", 10, 1.0) if method == "GET" else _WRITES

    def register(handler: Handler) -> Handler:
        routes.add(method, _GLOBAL + tail, limit=limit)(handler)
        return routes.add(method, _GUILD + tail, limit=limit, major="guild_id")(handler)

    return register


def _scope(call: Call) -> int | None:
    """Return the guild of the path, None for global commands. Raises: ApiError 50001."""
    if call.id("application_id") != call.bot.id:
        raise errors.missing_access()
    if "guild_id" not in call.request.match_info:
        return None
    guild = call.state.guilds.get(call.id("guild_id"))
    if guild is None or call.bot.user.id not in guild.members:
        raise errors.missing_access()
    return guild.id


@_both("GET")
async def list_commands(call: Call) -> Answer:
    """Return the registered commands."""
    return [payloads.command(command, call.bot) for command in call.bot.commands.get(_scope(call), [])]


@_both("PUT")
async def replace_commands(call: Call) -> Answer:
    """Register exactly these commands; one that keeps name and type keeps its id."""
    scope = _scope(call)
    if not isinstance(call.body, list):
        raise errors.invalid_json()
    _check_counts(call.body)
    for number, data in enumerate(call.body):
        check_command(data, str(number))
    call.bot.commands[scope] = [_registered(call, scope, data) for data in call.body]
    call.state.changed()
    return await list_commands(call)


def _registered(call: Call, scope: int | None, data: dict[str, Any]) -> Command:
    """Return the command for `data`: the one of that name and type, its version new if it changed."""
    standing = next(
        (
            command
            for command in call.bot.commands.get(scope, [])
            if command.name == data["name"] and command.type == data.get("type", SLASH)
        ),
        None,
    )
    if standing is None:
        return Command(call.state.snowflake(), call.state.snowflake(), data, scope)
    if standing.data != data:
        standing.data, standing.version = data, call.state.snowflake()
    return standing


@_both("POST")
async def upsert_command(call: Call) -> Answer:
    """Register one command, replacing one of the same name and type."""
    scope = _scope(call)
    check_command(call.form, "")
    command = _registered(call, scope, call.form)
    commands = call.bot.commands.setdefault(scope, [])
    status = 200 if command in commands else 201
    if command not in commands:
        commands.append(command)
    call.state.changed()
    return status, payloads.command(command, call.bot)


@_both("DELETE", "/{command_id}")
async def delete_command(call: Call) -> None:
    """Remove one command."""
    commands = call.bot.commands.get(_scope(call), [])
    found = next((command for command in commands if command.id == call.id("command_id")), None)
    if found is None:
        raise errors.unknown_command()
    commands.remove(found)
    call.state.changed()


def _check_counts(commands: list[dict[str, Any]]) -> None:
    for type_, limit in ((SLASH, SLASH_LIMIT), (2, CONTEXT_MENU_LIMIT), (3, CONTEXT_MENU_LIMIT)):
        if sum(data.get("type", SLASH) == type_ for data in commands) > limit:
            raise ApiError(400, 30032, f"Maximum number of application commands reached ({limit})")
    keys = [(data.get("name"), data.get("type", SLASH)) for data in commands]
    if len(set(keys)) < len(keys):
        name = "APPLICATION_COMMANDS_DUPLICATE_NAME"
        raise errors.invalid_form("name", name, "Application command names must be unique")


def check_command(data: dict[str, Any], at: str) -> None:
    """Hold a command to Discord's rules. Raises: ApiError 50035 with the path of the field."""
    path = f"{at}." if at else ""
    if data.get("type", SLASH) != SLASH:
        return
    _check_name(data, path)
    options = data.get("options") or []
    if len(options) > OPTIONS_LIMIT:
        raise errors.too_long(f"{path}options", OPTIONS_LIMIT)
    optional_seen = False
    for number, option in enumerate(options):
        here = f"{path}options.{number}"
        if option["type"] in SUBCOMMAND_TYPES:
            check_command(option | {"type": SLASH}, here)
            continue
        _check_name(option, f"{here}.")
        if len(option.get("choices") or []) > CHOICES_LIMIT:
            raise errors.too_long(f"{here}.choices", CHOICES_LIMIT)
        if option.get("choices") and option.get("autocomplete"):
            reason = "Options with choices cannot propose others"
            raise errors.invalid_form(here, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", reason)
        if option.get("required") and optional_seen:
            reason = "Required options must be placed before non-required options"
            raise errors.invalid_form(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", reason)
        optional_seen = optional_seen or not option.get("required")


def _check_name(data: dict[str, Any], path: str) -> None:
    name = str(data.get("name", ""))
    if not _NAME.fullmatch(name) or name != name.lower():
        raise errors.invalid_form(f"{path}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    check_length(data.get("description") or "", f"{path}description")


def check_length(said: str, path: str) -> None:
    """Hold a description, or a choice, to its length. Raises: ApiError 50035 with the path of the field."""
    if not 1 <= len(said) <= DESCRIPTION_LIMIT_CHARS:
        reason = "Must be between 1 and 100 in length."
        raise errors.invalid_form(path, "BASE_TYPE_BAD_LENGTH", reason)
