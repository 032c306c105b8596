"""Forms that were sent off, as Discord tells of them: which one, and what was written into it. Decides nothing.

Read from Discord's own data, so that a form is good in whichever process gets it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord


def form_sent(interaction: discord.Interaction[Any]) -> str | None:
    """Return the custom id of the form that was sent off; None for interactions of other kinds."""
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data: Any = interaction.data or {}
    return str(data.get("custom_id", ""))


def written_in(interaction: discord.Interaction[Any]) -> dict[str, str]:
    """Return what was written into the fields of a form that was sent off, by their custom ids."""
    data: Any = interaction.data or {}
    return dict(_fields(data.get("components")))


def _fields(component: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - Discord's JSON, nested as it likes
    if isinstance(component, list):
        for inner in component:
            yield from _fields(inner)
    elif isinstance(component, dict):
        if "custom_id" in component:
            value = component.get("value")
            yield str(component["custom_id"]), value if isinstance(value, str) else ""
        yield from _fields(component.get("components"))
        yield from _fields(component.get("component"))
