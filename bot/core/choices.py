"""What admins and people chose, by name: for everywhere, for a server, for a channel, for a person.

Owns the table and its copy in memory. Does not know what the names mean: each subject has a module of its own that
reads and checks its values (`bot.core.permissions` and others).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bot.core.database import to_the_end
from bot.core.history import History
from bot.core.visitor import Visitor

_ALL: Final = "SELECT scope, owner_id, name, value FROM choices"
_PUT: Final = """
INSERT INTO choices (scope, owner_id, guild_id, name, value) VALUES (:scope, :owner, :guild, :name, :value)
ON CONFLICT (scope, owner_id, name) DO UPDATE SET value = excluded.value, guild_id = excluded.guild_id
"""
_DROP_ALL: Final = "DELETE FROM choices WHERE scope = :scope AND owner_id = :owner"
_DROP: Final = "DELETE FROM choices WHERE scope = :scope AND owner_id = :owner AND name = :name"

NOBODY: Final = 0
"""The owner of what is chosen for everywhere."""


class Scope(StrEnum):
    """Whose choice it is. For a person, `owner_id` is the user's id; a channel is a thread or a category, too."""

    EVERYWHERE = "everywhere"
    SERVER = "server"
    CHANNEL = "channel"
    PERSON = "person"


class Choices:
    """Every choice, in memory. What it tells needs no wait; it is right once `load` has returned."""

    def __init__(self, history: History) -> None:
        """Take the store; it is not closed here."""
        self._history = history
        self._values: dict[tuple[Scope, int], dict[str, Any]] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read them all; once, before anything is asked. Raises: HistoryFailed."""
        self._values = {}
        for row in await self._history.fetch(_ALL, {}):
            owner = (Scope(row["scope"]), row["owner_id"])
            self._values.setdefault(owner, {})[row["name"]] = json.loads(row["value"])

    def get(self, scope: Scope, owner_id: int, name: str) -> Any:  # noqa: ANN401 - JSON, which its subject checks
        """Return a choice as it was put, None where there is none. Not to be changed in place."""
        return self._values.get((scope, owner_id), {}).get(name)

    def all_of(self, scope: Scope, owner_id: int) -> Mapping[str, Any]:
        """Return all choices of one owner by name."""
        return MappingProxyType(self._values.get((scope, owner_id), {}))

    def nearest(self, visitor: Visitor, name: str) -> tuple[Any, Scope] | None:
        """Return what is chosen for the place of a visitor and by whom: channel, then server, then everywhere."""
        places = [(Scope.CHANNEL, channel_id) for channel_id in visitor.channel_ids]
        if visitor.guild_id is not None:
            places.append((Scope.SERVER, visitor.guild_id))
        for scope, owner_id in (*places, (Scope.EVERYWHERE, NOBODY)):
            value = self.get(scope, owner_id, name)
            if value is not None:
                return value, scope
        return None

    async def put(
        self,
        scope: Scope,
        owner_id: int,
        name: str,
        value: Any,  # noqa: ANN401 - anything that JSON can hold
        *,
        guild_id: int | None = None,
    ) -> bool:
        """Choose, or with None choose no more; return whether that changed anything. On the disk once it returns.

        What was chosen before is then nowhere in the files: it may be what somebody wrote about themselves.

        `guild_id`: whose server a channel is in. Changes take turns; cancelled, it is made all the same. Raises:
        HistoryFailed, and then nothing has changed.
        """
        return await to_the_end(self._put(scope, owner_id, name, value, guild_id))

    async def _put(self, scope: Scope, owner_id: int, name: str, value: Any, guild_id: int | None) -> bool:  # noqa: ANN401
        async with self._changing:
            before = self.get(scope, owner_id, name)
            if before == value:
                return False
            written = json.dumps(value)
            parameters = {"scope": scope, "owner": owner_id, "guild": guild_id, "name": name, "value": written}
            sql = _DROP if value is None else _PUT
            await self._history.write(lambda connection: connection.execute(sql, parameters))
            own = self._values.setdefault((scope, owner_id), {})
            if value is None:
                own.pop(name, None)
            else:
                own[name] = json.loads(written)
            if before is not None:
                await self._history.scrub()
            return True

    async def forget(self, scope: Scope, owner_ids: Collection[int]) -> None:
        """Choose nothing any more for owners that are gone. Raises: HistoryFailed, and then nothing has changed."""
        async with self._changing:
            gone = [owner_id for owner_id in owner_ids if self._values.get((scope, owner_id))]
            if not gone:
                return
            parameters = [{"scope": scope, "owner": owner_id} for owner_id in gone]
            await self._history.write(lambda connection: connection.executemany(_DROP_ALL, parameters))
            for owner_id in gone:
                self._values.pop((scope, owner_id), None)
            await self._history.scrub()
