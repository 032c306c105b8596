"""Personas: what people and admins tell the model to be, in place of the bot's own system prompt.

Owns which one holds for whom and where, what its variables become, and the saved ones. Knows nothing of tokens, nor of
when a conversation is told another one (`bot.core.instructions`).

The nearest one holds: a person's own, else the channel's, the server's, the one for everywhere. A shared room has no
person's own: it would change for all whenever another one writes.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from bot.core._rows import storable
from bot.core.choices import Choices, Scope
from bot.core.excerpts import one_line
from bot.core.messages import Place, ResolvedPersona, Turn
from bot.core.visitor import Visitor, visitor_of_turn

_PERSONA: Final = "persona"
_SAVED: Final = "saved persona "

VARIABLES: Final = ("user", "server", "channel", "date", "time")
"""What stands in braces and is filled in; other braces stay as they are."""

TIME_IN_PERSONA: Final = "the time told with the newest question"
"""What {time} becomes in the persona: the time itself would change the beginning of every prompt."""

_NAMELESS: Final = {"user": "the user", "server": "this server", "channel": "this channel"}
_ALL_WHO_WRITE: Final = "everybody here"  # {user} in a shared room
_PRIVATE: Final = {"server": "no server", "channel": "a private chat"}

_VARIABLE: Final = re.compile("{(" + "|".join(VARIABLES) + ")}")


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona as it was written, and whose choice it is that it holds."""

    text: str
    scope: Scope

    @property
    def sha256(self) -> str:
        """What tells whether it is still the same."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def tells_time(self) -> bool:
        """Whether the newest question is to tell the time of day."""
        return "{time}" in self.text


class Personas:
    """Which persona holds, and what it says. Nothing here waits, but for changes."""

    def __init__(self, choices: Choices, clock: Callable[[], float] = time.time, zone: tzinfo = UTC) -> None:
        """Take the choices; `clock` gives UTC seconds, `zone` is whose dates and times are told."""
        self._choices = choices
        self._clock = clock
        self._zone = zone

    def at(self, visitor: Visitor, *, is_shared: bool = False) -> Persona | None:
        """Return the persona that holds for a visitor; None: the bot's own system prompt does."""
        own = None if is_shared else self._choices.get(Scope.PERSON, visitor.user_id, _PERSONA)
        if own is not None:
            return Persona(own, Scope.PERSON)
        nearest = self._choices.nearest(visitor, _PERSONA)
        return Persona(*nearest) if nearest is not None else None

    def of(self, turn: Turn) -> Persona | None:
        """Return the persona that holds for a turn now; None: the bot's own system prompt does."""
        return self.at(visitor_of_turn(turn), is_shared=turn.key is not None and turn.key.user_id is None)

    def resolve(
        self, persona: Persona, place: Place, *, is_shared: bool = False, is_private: bool = False
    ) -> ResolvedPersona:
        """Fill in the variables as they are now. Names are one line each, and bounded: they are others' choice.

        `is_private`: outside of servers.
        """
        names = {"user": place.user_name, "server": place.server_name, "channel": place.channel_name}
        values = {name: one_line(given) or _NAMELESS[name] for name, given in names.items()}
        values |= _PRIVATE if is_private else {}
        values |= {"user": _ALL_WHO_WRITE} if is_shared else {}
        today = self._at(self._clock())
        values |= {"date": f"{today:%A}, {today.day} {today:%B %Y}", "time": TIME_IN_PERSONA}
        return ResolvedPersona(persona.sha256, _VARIABLE.sub(lambda found: values[found[1]], persona.text))

    def time_told(self, asked_at: float) -> str:
        """Return what a question that was asked then (UTC seconds) says of the time of day."""
        return f"(It is {self._at(asked_at):%H:%M %Z}.)"

    def _at(self, utc_s: float) -> datetime:
        return datetime.fromtimestamp(utc_s, self._zone)

    @property
    def zone_name(self) -> str:
        """Whose dates and times are told."""
        return str(self._zone)

    # What is chosen and saved

    def chosen(self, scope: Scope, owner_id: int) -> str | None:
        """Return the persona that was set for a person, channel or server, or for everywhere."""
        text: str | None = self._choices.get(scope, owner_id, _PERSONA)
        return text

    async def set(self, scope: Scope, owner_id: int, text: str | None, *, guild_id: int | None = None) -> bool:
        """Set a persona, or with None take it away; return whether that changed anything. Raises: HistoryFailed."""
        return await self._choices.put(scope, owner_id, _PERSONA, _storable(text), guild_id=guild_id)

    def saved(self, scope: Scope, owner_id: int) -> dict[str, str]:
        """Return the saved personas of a person, or of a server, by name, in the order of names."""
        own = self._choices.all_of(scope, owner_id)
        found = {name.removeprefix(_SAVED): text for name, text in own.items() if name.startswith(_SAVED)}
        return dict(sorted(found.items(), key=lambda item: item[0].casefold()))

    async def save(self, scope: Scope, owner_id: int, name: str, text: str | None) -> bool:
        """Save a persona under a name, or with None drop it; return whether that changed anything.

        Raises: HistoryFailed.
        """
        guild_id = owner_id if scope is Scope.SERVER else None
        return await self._choices.put(scope, owner_id, _SAVED + name, _storable(text), guild_id=guild_id)


def _storable(text: str | None) -> str | None:
    """Return a text as the history can keep it with each turn: without lone surrogates."""
    return None if text is None else storable(text)
