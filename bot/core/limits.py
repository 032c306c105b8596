"""What the admin allows, and who is let in: the bound on waiting questions, the rate of one person, the end.

Knows persons and messages as ids, and nothing of what becomes of a question that was let in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.core.permissions import Permissions
from bot.core.ratelimit import RateLimit
from bot.core.visitor import Visitor
from bot.errors import QueueFull, ShuttingDown


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """What the admin allows."""

    max_new_tokens: int = 1024
    max_waiting: int = 100
    max_wait_s: float = 900.0  # a question that waited longer for its turn is given up
    per_user_per_minute: int = 20
    unlimited_user_ids: frozenset[int] = frozenset()  # who may ask as fast as they like: the owners
    is_guarded: bool = True  # answers that go wrong are cut and tried once more (`bot.core.guard`)
    auto_summarize: bool = False  # whether what the next cut would drop is summed up before it
    resume_max_age_s: float = 3600.0  # an older question is not answered out of the blue after a restart


class Admission:
    """Lets questions in, one by one, until the end begins."""

    def __init__(
        self,
        limits: ChatLimits,
        permissions: Permissions,
        *,
        waiting: Callable[[], int],
        wait_s: Callable[[], float | None],
        on_arrival: Callable[[], None],
        on_arrived: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the limits, the permissions, what tells how many wait and the seconds until there is room.

        `on_arrival` and `on_arrived` are told of each that comes in.
        """
        self._limits = limits
        self._permissions = permissions
        self._waiting = waiting
        self._wait_s = wait_s
        self._rate = RateLimit(limits.per_user_per_minute, clock)
        self._on_arrival = on_arrival
        self._on_arrived = on_arrived
        self._arriving: list[int] = []  # message ids on their way to the disk; 0 where it is no message
        self.closing = asyncio.Event()

    def check_open(self) -> None:
        """Raise ShuttingDown once the end has begun."""
        if self.closing.is_set():
            raise ShuttingDown

    def check(self, visitor: Visitor) -> None:
        """Say at once whether a question of theirs could be let in here at all. Raises: ShuttingDown, Paused."""
        self.check_open()
        self._permissions.check(visitor)

    @contextmanager
    def admit(self, visitor: Visitor, message_id: int = 0, *, waits_already: bool = False) -> Iterator[None]:
        """Let one question in; it counts as waiting until the block is left. `waits_already`: it takes no new place.

        Every way to the model leads through here. Raises: ShuttingDown, Paused, QueueFull, TooManyQuestions.
        """
        self.check(visitor)
        waiting = self._waiting() + len(self._arriving)
        if waiting >= self._limits.max_waiting and not waits_already:
            raise QueueFull(waiting, self._wait_s())
        if visitor.user_id not in self._limits.unlimited_user_ids:
            self._rate.count(visitor.user_id)
        self._arriving.append(message_id)
        self._on_arrival()
        try:
            yield
        finally:
            self._arriving.remove(message_id)
            self._on_arrived()

    def is_arriving(self, message_id: int | None = None) -> bool:
        """Tell whether this message, or any question, is being written down just now."""
        return bool(self._arriving) if message_id is None else message_id in self._arriving
