"""What each person has used today, in tokens: in memory, where it decides, and on the disk.

Owns the table, the day and what admins grant on top of it. Does not know what anybody may use (`bot.core.quotas`). A
day ends at midnight UTC; what was of an earlier one is deleted.

What was used grows in memory with every token. It is written in the transactions that write the turn itself: as it is
begun, about once a second while its answer grows, and at its end. What is written is the whole of that day, never a
difference: so a write that is repeated, cancelled or fails leaves nothing wrong, and the next one has it all. No text
survives a kill -9 uncharged. What was generated in the last second before it is lost, and charged when it is generated
again; the first time too, if another of the person's turns was written meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from bot.core.history import History

EVERYWHERE: Final = 0
"""The place that is all places together, direct messages among them; every other is a server, by its id."""

DAY_S: Final = 86_400

_LOAD: Final = "SELECT user_id, place_id, tokens, granted_tokens FROM spending WHERE day = :day"

# A day's sum only grows: whichever of two writes comes last, the larger one stays.
_SPEND: Final = """
INSERT INTO spending (day, user_id, place_id, tokens) VALUES (:day, :user, :place, :tokens)
ON CONFLICT (day, user_id, place_id) DO UPDATE SET tokens = max(tokens, excluded.tokens)
"""
_GRANT: Final = """
INSERT INTO spending (day, user_id, place_id, granted_tokens) VALUES (:day, :user, :place, :tokens)
ON CONFLICT (day, user_id, place_id) DO UPDATE SET granted_tokens = granted_tokens + excluded.granted_tokens
RETURNING granted_tokens
"""
_DROP: Final = "DELETE FROM spending WHERE day < :day"


def places_of(guild_id: int | None) -> tuple[int, ...]:
    """Return where something counts that happens in a server, or in a direct message (None)."""
    return (EVERYWHERE,) if guild_id is None else (EVERYWHERE, guild_id)


class Spending:
    """Today's sums by person and place. What it tells needs no wait; it is right once `load` has returned."""

    def __init__(self, history: History) -> None:
        """Take the store, whose clock gives the day; it is not closed here."""
        self._history = history
        self._day = 0
        self._spent: dict[tuple[int, int], int] = {}
        self._granted: dict[tuple[int, int], int] = {}

    async def load(self) -> None:
        """Read today's sums; once, before anything is asked. Raises: HistoryFailed."""
        self._turn_page()
        for row in await self._history.fetch(_LOAD, {"day": self._day}):
            who = (row["user_id"], row["place_id"])
            self._spent[who], self._granted[who] = row["tokens"], row["granted_tokens"]

    @property
    def renews_at(self) -> float:
        """When the day ends, in UTC seconds."""
        self._turn_page()
        return float((self._day + 1) * DAY_S)

    @property
    def renews_in_s(self) -> float:
        """The seconds until then."""
        return self.renews_at - self._history.now

    def spent_tokens(self, user_id: int, place_id: int) -> int:
        """Return what a person has used in a place today."""
        self._turn_page()
        return self._spent.get((user_id, place_id), 0)

    def granted_tokens(self, user_id: int, place_id: int) -> int:
        """Return what a person may use there today beside their usual quota."""
        self._turn_page()
        return self._granted.get((user_id, place_id), 0)

    def add(self, user_id: int, guild_id: int | None, tokens: int) -> None:
        """Count tokens at once; `writing` puts them on the disk."""
        self._turn_page()
        for place_id in places_of(guild_id):
            self._spent[user_id, place_id] = self._spent.get((user_id, place_id), 0) + tokens

    def writing(self, user_id: int, guild_id: int | None) -> Callable[[sqlite3.Connection], None]:
        """Return what writes all that a person has used today, for a transaction that is about to begin."""
        self._turn_page()
        day = self._day
        rows = [
            {"day": day, "user": user_id, "place": place_id, "tokens": self._spent.get((user_id, place_id), 0)}
            for place_id in places_of(guild_id)
        ]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_DROP, {"day": day})
            connection.executemany(_SPEND, rows)

        return write

    async def grant(self, user_id: int, place_id: int, tokens: int) -> int:
        """Give a person so many tokens more for today, and return all that are granted. Raises: HistoryFailed."""
        self._turn_page()
        day = self._day
        parameters = {"day": day, "user": user_id, "place": place_id, "tokens": tokens}

        def grant(connection: sqlite3.Connection) -> int:
            [row] = connection.execute(_GRANT, parameters).fetchall()
            granted: int = row["granted_tokens"]
            return granted

        granted = await self._history.write(grant)
        if day == self._day:
            self._granted[user_id, place_id] = max(granted, self._granted.get((user_id, place_id), 0))
        return granted

    def _turn_page(self) -> None:
        """Begin a new day if one has begun. A clock that is put back gives none back."""
        day = int(self._history.now // DAY_S)
        if day > self._day:
            self._day = day
            self._spent, self._granted = {}, {}
