"""What admins do about one person's words: read them, erase them. In a server only what was said there.

A person's words are their own conversations and what they asked in shared rooms. What others quoted of them stays
others'. Knows nothing of who may do that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import structlog

from bot.core import _rows, _tree_rows
from bot.core.forgetting import Erased
from bot.core.history import History
from bot.core.messages import Turn
from bot.core.tree import Tree

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SaidBy:
    """The newest exchanges of a person, oldest first, and how many there are in all; summaries are not counted."""

    turns: list[Turn]
    count: int


class Moderation:
    """Looks through all conversations of one person. `guild_id` None means everywhere, direct messages included."""

    def __init__(self, history: History, tree: Tree) -> None:
        """Take the parts."""
        self._history = history
        self._tree = tree

    async def said_by(self, user_id: int, guild_id: int | None, limit: int) -> SaidBy:
        """Return what a person asked and was answered, at most the newest `limit` exchanges. Raises: HistoryFailed."""
        rows = await self._history.fetch(_tree_rows.TURNS_OF_PERSON, {"user": user_id, "guild": guild_id})
        ids = sorted(row["id"] for row in rows if row["summarizes"] is None)
        newest = await self._history.fetch(_rows.TURNS, {"turns": json.dumps(ids[-limit:])})
        return SaidBy([_rows.turn_of(row) for row in newest], len(ids))

    async def erase(self, user_id: int, guild_id: int | None) -> Erased:
        """Forget all of it, on the disk too, with summaries of it, and stop what runs or waits; return what is gone.

        The messages of an answer that is being written are taken down by its writer. Raises: HistoryFailed.
        """
        return await self._tree.forget_person(user_id, guild_id)
