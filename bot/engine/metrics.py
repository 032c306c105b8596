"""What an engine's server counts and times, for Prometheus; each server has a registry of its own.

Knows neither HTTP nor what is generated. https://prometheus.io/docs/practices/naming/ is where the names' form is from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from bot.ops.metrics import LoopLag

FIRST_TOKEN_BUCKETS_S: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
DECODE_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class EngineMetrics:
    """All of one server's metrics."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Take where to register them; None: a registry of their own."""
        self.registry = registry = registry or CollectorRegistry()
        self.requests = Counter("phibot_requests_total", "Requests, by how they ended.", ["outcome"], registry=registry)
        self.prompt_tokens = Counter("phibot_prompt_tokens_total", "Tokens of prompts taken.", registry=registry)
        self.new_tokens = Counter("phibot_generated_tokens_total", "Tokens generated.", registry=registry)
        self.first_token = Histogram(
            "phibot_first_token_seconds",
            "From a request's arrival to its first token, waiting included.",
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=registry,
        )
        self.decode = Histogram(
            "phibot_decode_step_seconds",
            "From one piece of an answer to its next.",
            buckets=DECODE_BUCKETS_S,
            registry=registry,
        )
        self._running = Gauge("phibot_requests_running", "Requests in a slot.", registry=registry)
        self._waiting = Gauge("phibot_requests_waiting", "Requests that wait for a slot.", registry=registry)
        self.loop_lag = LoopLag(registry)

    def watch(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Read the two gauges from these whenever they are asked for."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)

    def watch_steps(self, count: Callable[[], int]) -> None:
        """Read how many steps the engine has done whenever that is asked for."""
        self.registry.register(_Steps(count))

    def text(self) -> bytes:
        """Return all of them in Prometheus' text form."""
        return generate_latest(self.registry)

    def stopwatch(self) -> Stopwatch:
        """Return what times one request, from now on."""
        return Stopwatch(self)


class _Steps(Collector):
    """Counts what the engine itself counts."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the one counter."""
        what = "Steps of the engine: a token for each answer that grows, and a prompt or a piece of one (genai)."
        yield CounterMetricFamily("phibot_engine_steps", what, value=self._count())


class Stopwatch:
    """Times the tokens of one request."""

    def __init__(self, metrics: EngineMetrics) -> None:
        """Begin now."""
        self._metrics = metrics
        self._last_s = time.perf_counter()
        self._has_begun = False

    def take(self, tokens: int) -> None:
        """Note that this many tokens came."""
        if not tokens:
            return
        now_s = time.perf_counter()
        histogram = self._metrics.decode if self._has_begun else self._metrics.first_token
        histogram.observe(now_s - self._last_s)
        self._metrics.new_tokens.inc(tokens)
        self._last_s, self._has_begun = now_s, True
