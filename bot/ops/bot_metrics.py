"""What the bot's process counts and times, for Prometheus; each bot has a registry of its own.

Implements the observers that `bot.core` and `bot.frontends.discord` own, without knowing either: numbers and fixed
words come in, never what people write or who they are. Names as https://prometheus.io/docs/practices/naming/ has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bot.ops.metrics import LoopLag

SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Buckets of waits: up to the default of the longest one, 900 s, all but the last step."""

TOKENS: Final = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

# Created at 0, so that a first failure is a rise and not a new series (https://prometheus.io/docs/practices/instrumentation/).
ASKED: Final = (
    *("taken", "joined", "repeated", "empty", "too_long", "too_many", "queue_full", "shutting_down", "failed"),
    *("gone", "still_runs", "nothing_to_continue", "no_room_to_continue"),
)
ENDED: Final = ("done", "stopped", "failed", "interrupted", "forgotten")
CALLED: Final = ("ok", "refused", "rate_limited", "failed", "unanswered")
CONNECTED: Final = ("new", "resumed")


class BotMetrics:
    """All metrics of one bot. Its `loop_lag` is to be started on the loop that it measures."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Take where to register them; None: a registry of their own."""
        self.registry = registry = registry or CollectorRegistry()
        self._questions = _counter("phibot_questions", "Questions, by what became of them.", ASKED, registry)
        self._answers = _counter("phibot_answers", "Answers, by how they ended.", ENDED, registry)
        self._tokens = Counter("phibot_tokens", "Tokens of prompts and of answers.", ["kind"], registry=registry)
        self._queue = Histogram(
            "phibot_queue_wait_seconds",
            "From standing in line for a slot to having it.",
            buckets=SECONDS,
            registry=registry,
        )
        self._first_token = Histogram(
            "phibot_first_token_seconds",
            "From a question to the first token of its answer, all waiting included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._length = Histogram(
            "phibot_answer_length_tokens", "Tokens of an answer that is done.", buckets=TOKENS, registry=registry
        )
        self._running = Gauge("phibot_answers_running", "Answers that are being generated.", registry=registry)
        self._waiting = Gauge("phibot_answers_waiting", "Questions that wait for their turn.", registry=registry)
        self._calls = _counter(
            "phibot_discord_calls", "Calls to Discord, each try for itself, by what was answered.", CALLED, registry
        )
        self._sessions = _counter(
            "phibot_discord_sessions",
            "Times that Discord said it listens; all but the first are reconnects.",
            CONNECTED,
            registry,
            label="session",
        )
        self.loop_lag = LoopLag(registry)
        ProcessCollector(registry=registry)  # memory, processor time, file descriptors: on Linux

    def watch(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Read the two gauges from these whenever they are asked for."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text form."""
        return generate_latest(self.registry)

    # What core tells --------------------------------------------------------------------------------------------------

    def asked(self, outcome: str) -> None:
        """Count a question."""
        self._questions.labels(outcome).inc()

    def waited(self, wait_s: float) -> None:
        """Time a wait for a slot."""
        self._queue.observe(wait_s)

    def began(self, prompt_tokens: int) -> None:
        """Count a prompt's tokens."""
        self._tokens.labels("prompt").inc(prompt_tokens)

    def first_token(self, after_s: float) -> None:
        """Time a first token."""
        self._first_token.observe(after_s)

    def generated(self, tokens: int) -> None:
        """Count an answer's tokens."""
        self._tokens.labels("answer").inc(tokens)

    def ended(self, outcome: str, answer_tokens: int) -> None:
        """Count an answer, and its length if that is the model's own."""
        self._answers.labels(outcome).inc()
        if outcome == "done":
            self._length.observe(answer_tokens)

    # What the frontend tells ------------------------------------------------------------------------------------------

    def called(self, outcome: str) -> None:
        """Count a call to Discord."""
        self._calls.labels(outcome).inc()

    def connected(self, session: str) -> None:
        """Count a session."""
        self._sessions.labels(session).inc()


def _counter(
    name: str, meaning: str, outcomes: tuple[str, ...], registry: CollectorRegistry, *, label: str = "outcome"
) -> Counter:
    counter = Counter(name, meaning, [label], registry=registry)
    for outcome in outcomes:
        counter.labels(outcome)
    return counter
