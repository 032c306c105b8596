"""What the admin allows, and who is let in: the bound on waiting questions, each person's quota, the end.

Knows persons and messages as ids, and nothing of what becomes of a question that was let in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.core.answer import Answer
from bot.core.permissions import Permissions
from bot.core.quotas import Limits, Quotas
from bot.core.spending import EVERYWHERE
from bot.core.visitor import Visitor
from bot.errors import QueueFull, ShuttingDown


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """What the admin allows."""

    max_new_tokens: int = 1024
    max_waiting: int = 100
    max_wait_s: float = 900.0  # a question that waited longer for its turn is given up
    per_user_per_minute: int = 20
    cooldown_s: int = 0  # between two questions of one person
    tokens_per_day: int | None = None  # of one person; None: as many as they like
    unlimited_user_ids: frozenset[int] = frozenset()  # whom no quota limits: the owners
    is_guarded: bool = True  # answers that go wrong are cut and tried once more (`bot.core.guard`)
    auto_summarize: bool = False  # whether what the next cut would drop is summed up before it
    resume_max_age_s: float = 3600.0  # an older question is not answered out of the blue after a restart

    @property
    def quota(self) -> Limits:
        """What one person may use while no owner chose otherwise."""
        return Limits(self.cooldown_s or None, self.per_user_per_minute, self.tokens_per_day)


@dataclass(frozen=True, eq=False, slots=True)
class _Arrival:
    """A question on its way to the disk, and what it may cost."""

    message_id: int  # 0 where it is no message
    visitor: Visitor
    cost_tokens: int


class Admission:
    """Lets questions in, one by one, until the end begins."""

    def __init__(
        self,
        limits: ChatLimits,
        permissions: Permissions,
        quotas: Quotas,
        *,
        waiting: Callable[[], int],
        wait_s: Callable[[], float | None],
        running_tokens: Callable[[int, int, Answer | None], int],
        on_arrival: Callable[[], None],
        on_arrived: Callable[[], None],
    ) -> None:
        """Take the limits, the permissions, what tells how many wait and the seconds until there is room.

        `running_tokens` tells what the answers on their way, but for one, may still cost a person in a place
        (`bot.core.spending`).
        `on_arrival` and `on_arrived` are told of each that comes in.
        """
        self._limits = limits
        self._permissions = permissions
        self._quotas = quotas
        self._waiting = waiting
        self._wait_s = wait_s
        self._running_tokens = running_tokens
        self._on_arrival = on_arrival
        self._on_arrived = on_arrived
        self._arriving: list[_Arrival] = []
        self.closing = asyncio.Event()

    def check_open(self) -> None:
        """Raise ShuttingDown once the end has begun."""
        if self.closing.is_set():
            raise ShuttingDown

    def check(self, visitor: Visitor) -> None:
        """Say at once whether they may use the model here at all. Raises: ShuttingDown, Paused."""
        self.check_open()
        self._permissions.check(visitor)

    def check_quota(self, visitor: Visitor, *, joins: bool = False, edits: Answer | None = None) -> None:
        """Say at once whether anything is left of their quota, without counting. Raises: QuotaReached.

        `joins`: what is asked is a further line of a question that waits: one question still. `edits`: it ends an
        answer on its way, to which nothing is promised any more.
        """

        def promised_tokens(place_id: int) -> int:
            running_tokens = self._running_tokens(visitor.user_id, place_id, edits)
            return running_tokens + self._arriving_tokens(visitor.user_id, place_id)

        self._quotas.check(visitor, promised_tokens=promised_tokens, joins=joins)

    @contextmanager
    def admit(
        self,
        visitor: Visitor,
        message_id: int = 0,
        *,
        cost_tokens: Callable[[], int],
        joins: bool = False,
        edits: Answer | None = None,
    ) -> Iterator[None]:
        """Let one question in; it counts as waiting until the block is left.

        `cost_tokens` returns the most that it can cost: promised until the block is left, by when its answer must be
        among those on their way. `joins` and `edits` as in `check_quota`; an edit of what is on its way takes no new
        place in line.
        Every way to the model leads through here. Raises: ShuttingDown, Paused, QueueFull, QuotaReached.
        """
        self.check(visitor)
        waiting = self._waiting() + len(self._arriving)
        if waiting >= self._limits.max_waiting and edits is None:
            raise QueueFull(waiting, self._wait_s())
        self.check_quota(visitor, joins=joins, edits=edits)
        if not joins:
            self._quotas.count(visitor)
        arrival = _Arrival(message_id, visitor, cost_tokens() if self._quotas.counts_tokens(visitor) else 0)
        self._arriving.append(arrival)
        self._on_arrival()
        try:
            yield
        finally:
            self._arriving.remove(arrival)
            self._on_arrived()

    def _arriving_tokens(self, user_id: int, place_id: int) -> int:
        return sum(
            arrival.cost_tokens
            for arrival in self._arriving
            if arrival.visitor.user_id == user_id and place_id in (EVERYWHERE, arrival.visitor.guild_id)
        )

    def is_arriving(self, message_id: int | None = None) -> bool:
        """Tell whether this message, or any question, is being written down just now."""
        if message_id is None:
            return bool(self._arriving)
        return any(arrival.message_id == message_id for arrival in self._arriving)
