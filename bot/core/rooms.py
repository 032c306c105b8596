"""Shared rooms: channels and threads in which all who write have one conversation together.

Owns which they are, on disk and in memory. Does not know who may decide it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bot.core.history import History
from bot.core.messages import ConversationKey

_ALL: Final = "SELECT channel_id FROM rooms"
_SHARE: Final = """
INSERT INTO rooms (channel_id, guild_id, shared_at) VALUES (:channel, :guild, :now) ON CONFLICT (channel_id) DO NOTHING
"""
_UNSHARE: Final = "DELETE FROM rooms WHERE channel_id = :channel"


class Rooms:
    """Which channels are shared. What it tells needs no wait; it is right once `load` has returned."""

    def __init__(self, history: History, wall_clock: Callable[[], float] = time.time) -> None:
        """Take the store; it is not closed here. `wall_clock` gives UTC seconds."""
        self._history = history
        self._wall_clock = wall_clock
        self._shared: set[int] = set()

    async def load(self) -> None:
        """Read which channels are shared; once, before anything is asked. Raises: HistoryFailed."""
        self._shared = {row["channel_id"] for row in await self._history.fetch(_ALL, {})}

    def is_shared(self, channel_id: int) -> bool:
        """Tell whether a channel or thread is one conversation."""
        return channel_id in self._shared

    def key_for(self, channel_id: int, user_id: int, guild_id: int | None) -> ConversationKey:
        """Return whose conversation it is that a person takes part in there: their own, or the room's."""
        return ConversationKey(channel_id, None if self.is_shared(channel_id) else user_id, guild_id)

    async def set_shared(self, channel_id: int, guild_id: int | None, *, shared: bool) -> bool:
        """Make a channel one conversation, or each person's own again; return whether that changed anything.

        Neither takes anything away: the conversation of each person there, and the shared one, wait for their return.
        Raises: HistoryFailed.
        """
        async with self._history.transaction() as connection:
            if shared:
                parameters = {"channel": channel_id, "guild": guild_id, "now": self._wall_clock()}
                await connection.execute(_SHARE, parameters)
            else:
                await connection.execute(_UNSHARE, {"channel": channel_id})
        changed = shared is not self.is_shared(channel_id)
        (self._shared.add if shared else self._shared.discard)(channel_id)
        return changed
