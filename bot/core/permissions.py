"""Who may use the bot, and where: what admins decided, asked at every way in by `bot.core.limits`.

Owns what those choices are called. Does not know how anybody is told.
"""

from __future__ import annotations

from typing import Final

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.visitor import Visitor
from bot.errors import Paused

_PAUSED: Final = "paused"


class Permissions:
    """Decides on what is chosen now. Nothing here waits, but for changes."""

    def __init__(self, choices: Choices) -> None:
        """Take the choices."""
        self._choices = choices

    def check(self, visitor: Visitor) -> None:
        """Let a person use the model here. Raises: Paused."""
        if self.is_paused(visitor.guild_id):
            raise Paused

    def is_paused(self, guild_id: int | None) -> bool:
        """Tell whether no questions are taken in a server (None: in direct messages), or nowhere."""
        everywhere = self._choices.get(Scope.EVERYWHERE, NOBODY, _PAUSED)
        return bool(everywhere or (guild_id is not None and self._choices.get(Scope.SERVER, guild_id, _PAUSED)))

    async def set_paused(self, guild_id: int | None, *, paused: bool) -> bool:
        """Take no questions of a server (None: nowhere), or take them again; return whether that changed anything.

        What was asked before is answered. Raises: HistoryFailed.
        """
        scope, owner_id = (Scope.EVERYWHERE, NOBODY) if guild_id is None else (Scope.SERVER, guild_id)
        return await self._choices.put(scope, owner_id, _PAUSED, paused or None, guild_id=guild_id)
