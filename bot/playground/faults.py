"""Faults that tests order: what goes wrong, where, and how often.

Owns the orders only; rest/pipeline.py and gateway.py carry them out.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class RestFault:
    """One order for REST calls; `times` counts down to 0, None never does."""

    method: str | None
    path: re.Pattern[str]
    times: int | None = 1
    status: int | None = None
    code: int = 0
    retry_after_s: float = 1.0
    close_connection: bool = False
    delay_s: float = 0.0
    hold: asyncio.Event | None = None
    after_effect: bool = False
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether this order is still open and meant for this call."""
        is_open = self.times is None or self.hits < self.times
        return is_open and self.method in (None, method) and self.path.search(path) is not None


@dataclass(slots=True)
class Faults:
    """The open orders of one server."""

    rest: list[RestFault] = field(default_factory=list)
    refuse_gateway: int = 0
    """How many of the next gateway connections are refused with 503 before they become a WebSocket."""
    withhold_heartbeat_acks: bool = False
    duplicate: dict[str, int] = field(default_factory=dict)
    """Event names whose next dispatches are sent twice, with the same sequence number."""
    malformed: dict[str, Any] = field(default_factory=dict)
    """Event names whose next dispatch carries this data instead."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Event names whose next dispatch lacks this field."""
    hold_files: asyncio.Event | None = None
    """No attachment is given out before this is set."""
    held_files: int = 0
    """How many attachments have been asked for meanwhile."""

    def add(
        self,
        *,
        method: str | None = None,
        path: str = "",
        times: int | None = 1,
        status: int | None = None,
        code: int = 0,
        retry_after_s: float = 1.0,
        close_connection: bool = False,
        delay_s: float = 0.0,
        hold: asyncio.Event | None = None,
        after_effect: bool = False,
    ) -> RestFault:
        """Let the next `times` calls to paths matching the regex `path` fail; return the order, to read `hits`.

        `delay_s` and `hold` (until the event is set) come first, then `close_connection` or `status`; a delay alone
        lets the call through afterwards. With `after_effect` the call takes effect first; only its answer waits or is
        lost.
        """
        fault = RestFault(
            method, re.compile(path), times, status, code, retry_after_s, close_connection, delay_s, hold, after_effect
        )
        self.rest.append(fault)
        return fault

    def clear(self) -> None:
        """Withdraw every order."""
        self.rest.clear()
        self.duplicate.clear()
        self.malformed.clear()
        self.refuse_gateway = 0
        self.withhold_heartbeat_acks = False

    def take_rest(self, method: str, path: str) -> RestFault | None:
        """Return the first open order for a call and count it as carried out."""
        for fault in self.rest:
            if fault.matches(method, path):
                fault.hits += 1
                return fault
        return None

    def take_duplicate(self, name: str) -> bool:
        """Whether this dispatch is to be sent twice."""
        left = self.duplicate.get(name, 0)
        if left:
            self.duplicate[name] = left - 1
        return left > 0
