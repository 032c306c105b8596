"""Answers that were recorded but perhaps not shown, because the process ended between the two.

Owns which they can be. What a channel really shows is the frontend's to find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core import _rows
from bot.core.history import History
from bot.core.messages import Turn


@dataclass(frozen=True, slots=True)
class Unshown:
    """Where an ended process may have left answers that are not shown to their end."""

    turns: Sequence[Turn]
    """Ended ones of which no message is known, oldest first; not those whose messages somebody deleted."""
    places: Sequence[tuple[int, int | None]]
    """The ids of each channel where something was asked, and of its server."""


async def unshown(history: History, *, since: float, before: float) -> Unshown:
    """Return what was asked between two times, in UTC seconds, and may not be shown to its end."""
    span = {"since": since, "before": before}
    turns = [_rows.turn_of(row) for row in await history.fetch(_rows.TURNS_UNSHOWN, span)]
    places = [(row["channel_id"], row["guild_id"]) for row in await history.fetch(_rows.PLACES, span)]
    return Unshown(turns, places)
