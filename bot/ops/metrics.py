"""Metrics that every process of the bot has: how long its event loop keeps others waiting, and how many tasks it has.

Knows nothing of engines or Discord. Registries are the callers': nothing here is global.
"""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

LAG_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
LAG_INTERVAL_S: Final = 0.1


class LoopLag:
    """Measures the event loop's lag: how much later than asked for a timer fires. `start` it inside a running loop.

    Tells the loop's unfinished tasks too: a number that only ever grows is a leak.
    """

    def __init__(self, registry: CollectorRegistry, *, interval_s: float = LAG_INTERVAL_S) -> None:
        """Take where to export `phibot_loop_lag_seconds` and `phibot_loop_tasks`, and how often to measure the lag."""
        self._histogram = Histogram(
            "phibot_loop_lag_seconds",
            "How much later than asked for a timer of the event loop fires.",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )
        self._tasks = Gauge("phibot_loop_tasks", "Tasks of the event loop that have not ended.", registry=registry)
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        loop = asyncio.get_running_loop()
        self._tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        self._timer = loop.call_at(loop.time() + self._interval_s, self._fire, loop, loop.time() + self._interval_s)

    def stop(self) -> None:
        """Measure no more. May be called twice, or without `start`."""
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        self._histogram.observe(max(0.0, now_s - due_s))
        self._timer = loop.call_at(now_s + self._interval_s, self._fire, loop, now_s + self._interval_s)
