"""Who may use the bot, and where: what admins decided, asked at every way in by `bot.core.limits`.

Owns what those choices are called and what they mean together. Does not know how anybody is told. For each server, and
for everywhere (guild None: the owners' own choices), there are

- people, users and roles, and places, channels with their threads and categories: each may be blocked or allowed;
- a switch that lets only age-restricted channels in;
- roles that may change personas;
- a pause.

Block beats allow. A list of allowed people that is not empty means: only those; the same for places. What holds
everywhere and what holds in the server must both let a person in. Owners of the bot are never blocked; admins of a
server are as everybody else here, but nothing here is asked for /admin, so none of them is ever locked out of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.visitor import Visitor
from bot.errors import (
    AgeRestrictedOnly,
    Paused,
    PersonBlocked,
    PersonNotAllowed,
    PlaceBlocked,
    PlaceNotAllowed,
    RulesFull,
)

MOST_SUBJECTS: Final = 200
"""How many subjects one list may hold: far more than can be overlooked, and few enough to be read at every question."""

_PAUSED: Final = "paused"
_AGE_RESTRICTED: Final = "age_restricted_only"
_PERSONA_ROLES: Final = "persona_roles"


class Kind(StrEnum):
    """What can be allowed or blocked. A category or a thread is a channel, too."""

    USER = "users"
    ROLE = "roles"
    CHANNEL = "channels"


class Verdict(StrEnum):
    """What is decided of a subject."""

    BLOCKED = "blocked"
    ALLOWED = "allowed"


PEOPLE: Final = (Kind.USER, Kind.ROLE)


class Permissions:
    """Decides on what is chosen now. Nothing here waits, but for changes; those take turns, so that none is lost.

    `guild_id` None means everywhere, in every method that takes one.
    """

    def __init__(self, choices: Choices) -> None:
        """Take the choices."""
        self._choices = choices
        self._changing = asyncio.Lock()

    def check(self, visitor: Visitor) -> None:
        """Let a person use the model here. Raises: Paused, and what `check_rules` raises."""
        if self.is_paused(visitor.guild_id):
            raise Paused
        self.check_rules(visitor)

    def check_rules(self, visitor: Visitor) -> None:
        """Let a person use the bot here, paused or not.

        Raises: PersonBlocked, PersonNotAllowed, PlaceBlocked, PlaceNotAllowed, AgeRestrictedOnly.
        """
        if visitor.is_owner:
            return
        guild_ids = (None,) if visitor.guild_id is None else (None, visitor.guild_id)
        scopes = [guild_id for guild_id in guild_ids if self._choices.all_of(*_owner(guild_id))]  # most have no rules
        for guild_id in scopes:
            self._check_people(guild_id, visitor)
        for guild_id in scopes:
            self._check_places(guild_id, visitor)

    def _check_people(self, guild_id: int | None, visitor: Visitor) -> None:
        subjects = {Kind.USER: {visitor.user_id}, Kind.ROLE: visitor.role_ids}
        if self._is_any_in(guild_id, Verdict.BLOCKED, subjects):
            raise PersonBlocked
        if self._has_any(guild_id, Verdict.ALLOWED, PEOPLE) and not self._is_any_in(
            guild_id, Verdict.ALLOWED, subjects
        ):
            raise PersonNotAllowed

    def _check_places(self, guild_id: int | None, visitor: Visitor) -> None:
        if self.is_age_restricted_only(guild_id) and not visitor.is_age_restricted:
            raise AgeRestrictedOnly
        if visitor.guild_id is None:  # channels are a server's
            return
        subjects = {Kind.CHANNEL: visitor.channel_ids}
        if self._is_any_in(guild_id, Verdict.BLOCKED, subjects):
            raise PlaceBlocked
        if self._has_any(guild_id, Verdict.ALLOWED, (Kind.CHANNEL,)) and not self._is_any_in(
            guild_id, Verdict.ALLOWED, subjects
        ):
            raise PlaceNotAllowed

    def _is_any_in(self, guild_id: int | None, verdict: Verdict, subjects: Mapping[Kind, Collection[int]]) -> bool:
        return any(not self.listed(guild_id, verdict, kind).keys().isdisjoint(ids) for kind, ids in subjects.items())

    def _has_any(self, guild_id: int | None, verdict: Verdict, kinds: Collection[Kind]) -> bool:
        return any(self._get(guild_id, f"{verdict}_{kind}") for kind in kinds)

    # Lists ------------------------------------------------------------------------------------------------------------

    def listed(self, guild_id: int | None, verdict: Verdict, kind: Kind) -> dict[int, int]:
        """Return the ids that are blocked or allowed, each with the id of the admin who said so, the oldest first."""
        return _ids(self._get(guild_id, f"{verdict}_{kind}"))

    async def decide(self, guild_id: int | None, verdict: Verdict, kind: Kind, subject_id: int, *, by: int) -> bool:
        """Block or allow a subject, in place of what was decided of it; return whether that changed anything.

        `by` is the admin's id. Raises: RulesFull; HistoryFailed.
        """
        async with self._changing:
            other = Verdict.ALLOWED if verdict is Verdict.BLOCKED else Verdict.BLOCKED
            changed = await self._add(guild_id, f"{verdict}_{kind}", subject_id, by)
            await self._remove(guild_id, f"{other}_{kind}", [subject_id])
            return changed

    def check_room(self, guild_id: int | None, verdict: Verdict, subjects: Collection[tuple[Kind, int]]) -> None:
        """Say at once whether subjects fit into their lists, so that not only some are decided. Raises: RulesFull."""
        for kind in Kind:
            listed = self.listed(guild_id, verdict, kind).keys()
            new = {subject_id for of, subject_id in subjects if of is kind} - listed
            if new and len(listed) + len(new) > MOST_SUBJECTS:
                raise RulesFull(MOST_SUBJECTS)

    async def clear(self, guild_id: int | None, kind: Kind, subject_ids: Collection[int]) -> int:
        """Decide nothing of these any more; return of how many something was decided. Raises: HistoryFailed."""
        async with self._changing:
            return sum([await self._remove(guild_id, f"{verdict}_{kind}", subject_ids) for verdict in Verdict])

    # Age-restricted channels ------------------------------------------------------------------------------------------

    def is_age_restricted_only(self, guild_id: int | None) -> bool:
        """Tell whether only age-restricted channels are let in; everywhere, that leaves no direct messages."""
        return bool(self._get(guild_id, _AGE_RESTRICTED))

    async def set_age_restricted_only(self, guild_id: int | None, *, only: bool, by: int) -> bool:
        """Let only age-restricted channels in, or all; return whether that changed anything. Raises: HistoryFailed."""
        return await self._switch(guild_id, _AGE_RESTRICTED, on=only, by=by)

    # Personas ---------------------------------------------------------------------------------------------------------

    def may_change_personas(self, visitor: Visitor) -> bool:
        """Tell whether a person may change what the bot is in a channel or server: admins, and the roles chosen."""
        if visitor.is_admin:
            return True
        scopes = (None,) if visitor.guild_id is None else (None, visitor.guild_id)
        return any(not self.persona_roles(guild_id).keys().isdisjoint(visitor.role_ids) for guild_id in scopes)

    def persona_roles(self, guild_id: int | None) -> dict[int, int]:
        """Return the roles that may change personas, each with the id of the admin who said so."""
        return _ids(self._get(guild_id, _PERSONA_ROLES))

    async def set_persona_role(self, guild_id: int | None, role_id: int, *, may: bool, by: int) -> bool:
        """Let a role change personas, or no more; return whether that changed anything. Raises: RulesFull."""
        async with self._changing:
            if may:
                return await self._add(guild_id, _PERSONA_ROLES, role_id, by)
            return bool(await self._remove(guild_id, _PERSONA_ROLES, [role_id]))

    # The pause --------------------------------------------------------------------------------------------------------

    def is_paused(self, guild_id: int | None) -> bool:
        """Tell whether no questions are taken in a server (None: in direct messages), or nowhere."""
        return bool(self._get(None, _PAUSED) or self._get(guild_id, _PAUSED))

    def paused_by(self, guild_id: int | None) -> int | None:
        """Return who paused this very server (None: everywhere), 0 where that is not known, None if nobody did."""
        return _admin(self._get(guild_id, _PAUSED))

    async def set_paused(self, guild_id: int | None, *, paused: bool, by: int = 0) -> bool:
        """Take no questions of a server (None: nowhere), or take them again; return whether that changed anything.

        What was asked before is answered. Raises: HistoryFailed.
        """
        return await self._switch(guild_id, _PAUSED, on=paused, by=by)

    # ------------------------------------------------------------------------------------------------------------------

    def _get(self, guild_id: int | None, name: str) -> Any:  # noqa: ANN401 - JSON
        return self._choices.get(*_owner(guild_id), name)

    async def _put(self, guild_id: int | None, name: str, value: object) -> bool:
        return await self._choices.put(*_owner(guild_id), name, value, guild_id=guild_id)

    async def _switch(self, guild_id: int | None, name: str, *, on: bool, by: int) -> bool:
        async with self._changing:
            if bool(self._get(guild_id, name)) is on:
                return False
            return await self._put(guild_id, name, {"by": by} if on else None)

    async def _add(self, guild_id: int | None, name: str, subject_id: int, by: int) -> bool:
        known = self._get(guild_id, name) or {}
        if str(subject_id) in known:
            return False
        if len(known) >= MOST_SUBJECTS:
            raise RulesFull(MOST_SUBJECTS)
        return await self._put(guild_id, name, {**known, str(subject_id): by})

    async def _remove(self, guild_id: int | None, name: str, subject_ids: Collection[int]) -> int:
        known = self._get(guild_id, name) or {}
        gone = known.keys() & set(map(str, subject_ids))
        if gone:
            left = {subject_id: by for subject_id, by in known.items() if subject_id not in gone}
            await self._put(guild_id, name, left or None)
        return len(gone)


def _owner(guild_id: int | None) -> tuple[Scope, int]:
    return (Scope.EVERYWHERE, NOBODY) if guild_id is None else (Scope.SERVER, guild_id)


def _ids(known: Mapping[str, int] | None) -> dict[int, int]:
    return {int(subject_id): by for subject_id, by in (known or {}).items()}


def _admin(switched: Any) -> int | None:  # noqa: ANN401 - JSON; plain true before it was noted who
    if not switched:
        return None
    return int(switched["by"]) if isinstance(switched, dict) else 0
