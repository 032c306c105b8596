"""Who may use how much: a pause between two questions, questions a minute, tokens a day.

Owns what admins chose of it, and the decision. What was used is counted by `bot.core.ratelimit` and
`bot.core.spending`; when it is asked, by `bot.core.limits`. Knows persons, roles and servers as ids.

There are two quotas, and a question needs both: the process's own, which counts what a person does anywhere, direct
messages among it, and the server's, which counts what is done in that server. So a server can't give away more of the
machine than its owner does, and no other channel or server gets around either.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.history import History
from bot.core.messages import Summarizes, Turn
from bot.core.ratelimit import MINUTE_S, Pace
from bot.core.spending import EVERYWHERE, Spending, places_of
from bot.core.visitor import Visitor
from bot.errors import CooldownRuns, QuotaReached, TokensPromised, TokensUsedUp, TokensUsedUpHere, TooManyQuestions

_QUOTAS: Final = "quotas"

# Who asked lately, or had something regenerated or continued, so that a restart gives nobody a fresh start.
_ASKED: Final = """
SELECT coalesce(turns.payer_id, turns.user_id) AS payer_id, conversations.guild_id, turns.created_at
FROM turns JOIN conversations ON conversations.id = turns.conversation_id
WHERE turns.created_at > :since AND turns.summarizes IS NOT 'cut' ORDER BY turns.created_at
"""

MOST_COOLDOWN_S: Final = 3600
MOST_PER_MINUTE: Final = 1_000
MOST_TOKENS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one person may use in one place; None: as much as they like."""

    cooldown_s: int | None = None
    per_minute: int | None = None
    tokens_per_day: int | None = None


_UNLIMITED: Final = Limits()


@dataclass(frozen=True, slots=True)
class Rule:
    """What an admin chose for somebody; None: nothing about this one."""

    cooldown_s: int | None = None
    per_minute: int | None = None
    tokens_per_day: int | None = None
    is_unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a rule is for: everybody, those with a role, or one person, by id."""

    kind: Literal["everybody", "role", "user"] = "everybody"
    id: int = 0


EVERYBODY: Final = Subject()


@dataclass(frozen=True, slots=True)
class Standing:
    """What one person may use in one place, and what of it is left now."""

    place_id: int  # a server's id, or EVERYWHERE
    limits: Limits
    spent_tokens: int  # today
    granted_tokens: int  # for today, on top of the limit
    left_tokens: int | None  # None: no limit
    left_questions: int | None  # within this minute
    minute_renews_in_s: float  # until all questions of a minute are left again; 0: they are
    cooldown_left_s: float


def payer_of(turn: Turn) -> int | None:
    """Return on whose quota a turn counts; None: on nobody's, for it is a summary that the process makes by itself."""
    if turn.summarizes is Summarizes.CUT:
        return None
    return turn.user_id if turn.payer_id is None else turn.payer_id


class Quotas:
    """Decides on what is chosen and used now. Nothing here waits, but for changes; those take turns."""

    def __init__(
        self,
        choices: Choices,
        history: History,
        defaults: Limits,
        unlimited_user_ids: frozenset[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what holds everywhere while no owner chose otherwise, and whom nothing limits; `clock` gives seconds."""
        self._choices = choices
        self._choosing = asyncio.Lock()  # a change is made of what was chosen before
        self._history = history
        self._defaults = defaults
        self._unlimited_user_ids = unlimited_user_ids
        self._pace = Pace(self._longest_cooldown_s, clock)
        self._spending = Spending(history)

    async def load(self) -> None:
        """Read what was used before this process; once, before anything is asked. Raises: HistoryFailed."""
        await self._spending.load()
        now = self._history.now
        for row in await self._history.fetch(_ASKED, {"since": now - MOST_COOLDOWN_S}):
            for place_id in places_of(row["guild_id"]):
                self._pace.count(row["payer_id"], place_id, ago_s=max(0.0, now - row["created_at"]))

    # Deciding

    def limits_of(self, visitor: Visitor, place_id: int) -> Limits:
        """Return what a person may use in a place.

        Each limit for itself: what is chosen for this very person; else the most generous of what is chosen for their
        roles; else what is chosen for everybody; else, everywhere, the process's own.
        """
        if visitor.user_id in self._unlimited_user_ids:
            return _UNLIMITED
        stored = self._stored(place_id)
        default = self._defaults if place_id == EVERYWHERE else _UNLIMITED
        if not stored:
            return default
        layers = (
            [_rule(stored, Subject("user", visitor.user_id))],
            [_rule(stored, Subject("role", role_id)) for role_id in visitor.role_ids],
            [_rule(stored, EVERYBODY)],
            [Rule(default.cooldown_s, default.per_minute, default.tokens_per_day)],
        )
        return Limits(
            _first(layers, "cooldown_s", min) or None,
            _first(layers, "per_minute", max),
            _first(layers, "tokens_per_day", max),
        )

    def _longest_cooldown_s(self, place_id: int) -> float:
        default = self._defaults.cooldown_s if place_id == EVERYWHERE else None
        return max([default or 0, *(rule.get("cooldown_s") or 0 for rule in self._stored(place_id).values())])

    def counts_tokens(self, visitor: Visitor) -> bool:
        """Tell whether any quota of tokens holds for a person here."""
        return any(self.limits_of(visitor, place).tokens_per_day is not None for place in places_of(visitor.guild_id))

    def check(self, visitor: Visitor, *, promised_tokens: Callable[[int], int], joins: bool = False) -> None:
        """Let a person ask here; nothing is counted yet. `joins`: it is a further line of a question that waits.

        `promised_tokens` returns, for a place, what this person's answers on their way may still cost. A question is
        let in while anything is left beside that, so the last one can go over by what it costs itself.
        Raises: QuotaReached, the one that lasts longest.
        """
        refusals: list[QuotaReached] = []
        for place_id in places_of(visitor.guild_id):
            limits = self.limits_of(visitor, place_id)
            if limits.tokens_per_day is not None:
                refusals += self._tokens_refused(visitor.user_id, place_id, limits.tokens_per_day, promised_tokens)
            if not joins:
                refusals += self._pace_refused(visitor.user_id, place_id, limits)
        if refusals:
            raise max(refusals, key=lambda refusal: refusal.wait_s)

    def _tokens_refused(
        self, user_id: int, place_id: int, limit_tokens: int, promised_tokens: Callable[[int], int]
    ) -> list[QuotaReached]:
        spending = self._spending
        limit_tokens += spending.granted_tokens(user_id, place_id)
        left_tokens = limit_tokens - spending.spent_tokens(user_id, place_id)
        if left_tokens <= 0:
            kind = TokensUsedUp if place_id == EVERYWHERE else TokensUsedUpHere
            return [kind(limit_tokens, spending.renews_at, spending.renews_in_s)]
        return [TokensPromised(left_tokens)] if promised_tokens(place_id) >= left_tokens else []

    def _pace_refused(self, user_id: int, place_id: int, limits: Limits) -> list[QuotaReached]:
        refusals: list[QuotaReached] = []
        if limits.per_minute is not None:
            wait_s = self._pace.wait_s(user_id, place_id, limits.per_minute)
            refusals += [TooManyQuestions(limits.per_minute, wait_s)] if wait_s > 0 else []
        if limits.cooldown_s is not None:
            wait_s = self._pace.cooldown_s(user_id, place_id, limits.cooldown_s)
            refusals += [CooldownRuns(limits.cooldown_s, wait_s)] if wait_s > 0 else []
        return refusals

    def standing(self, visitor: Visitor) -> list[Standing]:
        """Return what a person may use, and what is left: everywhere and, in a server, there."""
        return [self._standing(visitor, place_id) for place_id in places_of(visitor.guild_id)]

    def _standing(self, visitor: Visitor, place_id: int) -> Standing:
        user_id, limits = visitor.user_id, self.limits_of(visitor, place_id)
        spent = self._spending.spent_tokens(user_id, place_id)
        granted = self._spending.granted_tokens(user_id, place_id)
        asked = self._pace.in_last_minute(user_id, place_id)
        limit, per_minute = limits.tokens_per_day, limits.per_minute
        return Standing(
            place_id=place_id,
            limits=limits,
            spent_tokens=spent,
            granted_tokens=granted,
            left_tokens=None if limit is None else max(0, limit + granted - spent),
            left_questions=None if per_minute is None else max(0, per_minute - asked),
            minute_renews_in_s=self._pace.cooldown_s(user_id, place_id, MINUTE_S),
            cooldown_left_s=self._pace.cooldown_s(user_id, place_id, limits.cooldown_s or 0),
        )

    @property
    def renews_at(self) -> float:
        """When there are new tokens, in UTC seconds: at midnight."""
        return self._spending.renews_at

    # Counting

    def count(self, visitor: Visitor) -> None:
        """Count a question that was let in."""
        for place_id in places_of(visitor.guild_id):
            self._pace.count(visitor.user_id, place_id)

    def charge(self, turn: Turn, tokens: int) -> None:
        """Count tokens of a turn, at once; they are on the disk with the next `writing`."""
        payer_id = payer_of(turn)
        if payer_id is not None:
            self._spending.add(payer_id, turn.key.guild_id if turn.key else None, tokens)

    def writing(self, turn: Turn) -> Callable[[sqlite3.Connection], None] | None:
        """Return what writes down what a turn's payer has used, for the transaction that writes the turn."""
        payer_id = payer_of(turn)
        return None if payer_id is None else self._spending.writing(payer_id, turn.key.guild_id if turn.key else None)

    # Choosing

    def rules(self, guild_id: int | None) -> dict[Subject, Rule]:
        """Return what is chosen for a server, or everywhere (None), by whom it is for."""
        stored = self._stored(EVERYWHERE if guild_id is None else guild_id)
        subjects = [Subject(kind, int(number)) for kind, _, number in (key.partition(":") for key in stored)]  # type: ignore[arg-type]
        return {subject: _rule(stored, subject) for subject in subjects}

    @property
    def defaults(self) -> Limits:
        """What holds everywhere for whom nothing is chosen."""
        return self._defaults

    async def choose(self, guild_id: int | None, subject: Subject, rule: Rule | None) -> bool:
        """Choose for a server, or everywhere (None); with None as the rule no more. Return whether that changed it.

        Of a rule that is there already, what this one leaves open stays. Raises: HistoryFailed.
        """
        scope, owner_id = _owner(guild_id)
        async with self._choosing:
            stored = dict(self._stored(owner_id))
            if rule is None:
                stored.pop(_key(subject), None)
            else:
                said = {name: value for name, value in asdict(rule).items() if value is not None}
                before = {} if rule.is_unlimited else stored.get(_key(subject), {})
                stored[_key(subject)] = {**before, **said}
            return await self._choices.put(scope, owner_id, _QUOTAS, stored or None, guild_id=guild_id)

    async def grant(self, guild_id: int | None, user_id: int, tokens: int) -> int:
        """Give a person more tokens for today in a server, or everywhere (None); return all that are granted there.

        Raises: HistoryFailed.
        """
        return await self._spending.grant(user_id, EVERYWHERE if guild_id is None else guild_id, tokens)

    def _stored(self, place_id: int) -> Mapping[str, Any]:
        scope, owner_id = _owner(None if place_id == EVERYWHERE else place_id)
        return self._choices.get(scope, owner_id, _QUOTAS) or {}


def _first(layers: Sequence[Sequence[Rule]], name: str, most_generous: Callable[[Sequence[int]], int]) -> int | None:
    """Return one limit: the most generous of the first rules that say anything about it."""
    for rules in layers:
        if any(rule.is_unlimited for rule in rules):
            return None
        values = [value for rule in rules if (value := getattr(rule, name)) is not None]
        if values:
            return most_generous(values)
    return None


def _owner(guild_id: int | None) -> tuple[Scope, int]:
    return (Scope.EVERYWHERE, NOBODY) if guild_id is None else (Scope.SERVER, guild_id)


def _key(subject: Subject) -> str:
    return f"{subject.kind}:{subject.id}"


_NAMES: Final = tuple(field.name for field in fields(Rule))
_NOTHING: Final = Rule()


def _rule(stored: Mapping[str, Any], subject: Subject) -> Rule:
    found = stored.get(_key(subject))
    return Rule(**{name: found[name] for name in _NAMES if name in found}) if found else _NOTHING
