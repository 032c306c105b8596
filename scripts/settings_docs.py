"""The settings as people read them: `.env.example` and the README's table, both made from the fields of bot.settings.

Knows where the two stand and how they look; which settings there are, and what they mean, is the fields' own matter.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Literal, get_args, get_origin

from bot.settings import VARIABLES, Settings

ROOT = Path(__file__).resolve().parents[1]
ENV_EXAMPLE = ROOT / ".env.example"
README = ROOT / "README.md"
BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"

GROUPS = {
    "discord_token": "Discord",
    "engine": "The model and what runs it",
    "system_prompt": "Answers",
    "max_waiting": "The process",
}
"""Headings, each before the field named."""

PREAMBLE = """\
Copy this file to .env and change what you like; the environment goes before it.
A line that begins with # has no effect; what stands there is the default.
Written by scripts/update_docs from bot/settings.py.
"""


def update() -> list[Path]:
    """Write both anew and return what changed."""
    wanted = {ENV_EXAMPLE: env_example()}
    if README.exists():
        wanted[README] = with_table(README.read_text(encoding="utf-8"))
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    return changed


def env_example() -> str:
    """Return .env.example: every setting's meaning and, as a comment, its default."""
    lines = [f"# {line}" for line in PREAMBLE.splitlines()]
    for name, variable in VARIABLES.items():
        if name in GROUPS:
            lines += ["", f"# --- {GROUPS[name]} ---"]
        lines += ["", *(f"# {line}" for line in textwrap.wrap(meaning(name), width=100))]
        if needs_example(name):
            lines.append(f"# Example: {variable}={example(name)}")
        # The one to fill in stands ready; empty, it counts as not set.
        lines.append(f"{'' if name == 'discord_token' else '#'}{variable}={default(name)}")
    return "\n".join(lines) + "\n"


def table() -> str:
    """Return the table of all settings in Markdown."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, variable in VARIABLES.items():
        if name in GROUPS:
            rows.append(f"| **{GROUPS[name]}** | | |")
        shown = f"`{default(name)}`" if default(name) else ""
        shown_example = f" Example: `{example(name)}`" if needs_example(name) else ""
        rows.append(f"| `{variable}` | {cell(shown)} | {cell(meaning(name) + shown_example)} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """Return `text` as a cell of a table takes it: a bare pipe would end the cell, even within code."""
    return text.replace("|", r"\|")


def with_table(text: str) -> str:
    """Return `text` with the table between its markers; without markers, as it is."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table()}\n{end}{after}" if end else text


def meaning(name: str) -> str:
    """Return what a setting is and, where the description does not say so, what it may be."""
    field = Settings.model_fields[name]
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if all(choice in str(field.description) for choice in choices):
        return str(field.description)
    return f"{field.description} One of {', '.join(choices)}."


def needs_example(name: str) -> bool:
    """Tell whether an example shows more than default and meaning do: not for a choice, nor for the token."""
    field = Settings.model_fields[name]
    return field.annotation is not bool and get_origin(field.annotation) is not Literal and name != "discord_token"


def default(name: str) -> str:
    """Return a setting's default as one writes it in the environment; empty for none."""
    return written(Settings.model_fields[name].default)


def example(name: str) -> str:
    """Return a setting's example as one writes it in the environment."""
    return str((Settings.model_fields[name].examples or [""])[0])


def written(value: object) -> str:
    """Return a value as one writes it in the environment; empty for what is not set."""
    if value is None or value == frozenset():
        return ""
    if isinstance(value, bool | dict):
        return json.dumps(value)
    if isinstance(value, Path):
        return value.as_posix()
    return f"{value:g}" if isinstance(value, float) else str(value)
