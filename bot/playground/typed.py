"""Turns a typed line such as `/ask what is a token?` into a slash command with its options.

Owns the reading of the line by the options a command registered. Knows neither sockets nor the terminal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.playground.commanding import (
    ATTACHMENT,
    BOOLEAN,
    INTEGER,
    STRING,
    SUBCOMMAND,
    SUBCOMMAND_GROUP,
    UnknownCommandError,
)
from bot.playground.model import Command

NUMBER = 10
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line that was understood: `name` with its subcommands, and values by option."""

    name: str
    options: dict[str, Any]


class UsageError(ValueError):
    """The line does not fit the command; the message is how it is used."""


def parse(line: str, commands: list[Command]) -> Typed:
    """Read a line that begins with a slash; names of commands and choices in any case.

    Options are given by name in any order, `count:3 why:because I say so`, or by place: then the last text option takes
    the rest of the line, options with choices take a choice's name, others one word.
    Raises: UnknownCommandError with the name typed, UsageError.
    """
    name, _, rest = line.removeprefix("/").partition(" ")
    command = next((command for command in commands if command.name == name.lower()), None)
    if command is None:
        raise UnknownCommandError(name)
    name = command.name
    known = command.data.get("options") or []
    rest = rest.strip()
    while known and known[0]["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
        word, _, after = rest.partition(" ")
        chosen = next((option for option in known if option["name"] == word.lower()), None)
        if chosen is None:
            raise UsageError(f"/{name} {'|'.join(option['name'] for option in known)}")
        name, known, rest = f"{name} {chosen['name']}", chosen.get("options") or [], after.strip()
    known = [option for option in known if option["type"] != ATTACHMENT]  # nobody can type a file
    values = _named(known, rest) if _begins_with_a_name(known, rest) else _placed(known, rest)
    if values is None or any(option.get("required") and option["name"] not in values for option in known):
        raise UsageError(usage(name, known))
    return Typed(name, values)


def usage(name: str, options: list[Mapping[str, Any]]) -> str:
    """Return how a command is typed: `/reset [this channel|everywhere]`; choices with their names among others."""
    shown = []
    for option in options:
        choices = option.get("choices") or []
        word = "|".join(choice["name"] for choice in choices) or option["name"]
        if choices and len(options) > 1:
            word = f"{option['name']}:{word}"
        shown.append(f"<{word}>" if option.get("required") else f"[{word}]")
    return " ".join([f"/{name}", *shown])


def _name_of_one(known: list[Mapping[str, Any]]) -> re.Pattern[str]:
    """Return what matches an option's name before a value: at the beginning of a line or after white space."""
    return re.compile(rf"(?<!\S)({'|'.join(re.escape(option['name']) for option in known)}):")


def _begins_with_a_name(known: list[Mapping[str, Any]], rest: str) -> bool:
    return bool(known) and _name_of_one(known).match(rest) is not None


def _named(known: list[Mapping[str, Any]], rest: str) -> dict[str, Any] | None:
    """Return the values of `name:value …`, each up to the next option's name; None if the line does not fit."""
    _, *found = _name_of_one(known).split(rest)
    given = dict(zip(found[::2], map(str.strip, found[1::2]), strict=True))
    values: dict[str, Any] = {}
    for option in known:
        if (word := given.get(option["name"])) is None:
            continue
        taken = _take(option, word, is_last=True) if word else None
        if taken is None or taken[1]:
            return None
        values[option["name"]] = taken[0]
    return values if len(given) == len(found) // 2 else None


def _placed(known: list[Mapping[str, Any]], rest: str) -> dict[str, Any] | None:
    """Return the values of a line in the order of the options; None if the line does not fit."""
    values: dict[str, Any] = {}
    for number, option in enumerate(known):
        if not rest:
            break
        taken = _take(option, rest, is_last=number == len(known) - 1)
        if taken is None:
            return None
        values[option["name"]], rest = taken
    return None if rest else values


def _take(option: Mapping[str, Any], rest: str, *, is_last: bool) -> tuple[Any, str] | None:
    """Return an option's value and what is left of the line; None if the line does not fit."""
    if option.get("choices"):
        fitting = [c for c in option["choices"] if f"{rest} ".lower().startswith(f"{c['name']} ".lower())]
        if not fitting:
            return None
        best = max(fitting, key=lambda choice: len(choice["name"]))
        return best["value"], rest[len(best["name"]) :].strip()
    if option["type"] == STRING and is_last:
        return rest, ""
    word, _, after = rest.partition(" ")
    value = _convert(option["type"], word)
    return None if value is None or _is_beyond(option, value) else (value, after.strip())


def _is_beyond(option: Mapping[str, Any], value: str | float | bool) -> bool:
    """Whether a number is one that Discord would not send."""
    if isinstance(value, str):
        return False
    return not option.get("min_value", -math.inf) <= value <= option.get("max_value", math.inf)


def _convert(kind: int, word: str) -> str | int | float | bool | None:
    if kind == STRING:
        return word
    if kind == BOOLEAN:
        return True if word.lower() in _TRUE else False if word.lower() in _FALSE else None
    if kind not in (INTEGER, NUMBER):
        return None
    try:
        return int(word) if kind == INTEGER else float(word)
    except ValueError:
        return None
