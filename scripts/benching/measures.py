"""What was measured: values by measure and circumstance, with their median and spread. Knows nothing of how."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

UNITS = {
    "first_token_s": "s",
    "followup_first_token_s": "s",
    "short_beside_long_first_token_s": "s",
    "long_beside_short_first_token_s": "s",
    "longest_pause_s": "s",
    "decode_tok_per_s": "tok/s",
    "total_tok_per_s": "tok/s",
    "stop_steps": "steps",
    "overhead_p99_ms": "ms",
    "messages_per_s": "messages/s",
    "loop_lag_p99_ms": "ms",
    "rss_mb": "MB",
    "load_p99_ms": "ms",
    "append_p99_ms": "ms",
}
"""The measures that go into the JSON file."""

TABLE_ONLY = {
    "overhead_p50_ms": "ms",
    "last_edit_p99_ms": "ms",
    "load_p50_ms": "ms",
    "append_p50_ms": "ms",
    "cut_p99_ms": "ms",
    "cpu_ms_per_message": "ms",
    "decode_share": "of bare",
    "total_share": "of bare",
}
"""Measures that only the table shows."""


@dataclass(frozen=True, order=True)
class Circumstance:
    """What a value belongs to. `users`: people at once; turns in the store for history; messages a second for bot."""

    measure: str
    users: int
    prompt_tokens: int
    engine: str

    @property
    def unit(self) -> str:
        """The measure's unit."""
        return (UNITS | TABLE_ONLY)[self.measure]


@dataclass(frozen=True)
class Result:
    """One circumstance's values over the repetitions."""

    of: Circumstance
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The value that goes into the JSON file."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The lower end of the spread."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The upper end of the spread."""
        return max(self.values)


@dataclass
class Results:
    """Everything measured so far, in the order it was first seen."""

    _values: dict[Circumstance, list[float]] = field(default_factory=dict)

    def add(self, measure: str, value: float, *, engine: str, users: int = 1, prompt_tokens: int = 0) -> None:
        """Record one value of one repetition. Raises: KeyError for a measure that nobody knows."""
        found = Circumstance(measure, users, prompt_tokens, engine)
        found.unit  # noqa: B018 - an unknown measure fails here, not at the end of half an hour
        self._values.setdefault(found, []).append(value)

    def __iter__(self) -> Iterable[Result]:
        """Iterate over the results."""
        return iter([Result(of, tuple(values)) for of, values in self._values.items()])

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return the JSON file's rows: medians."""
        return [
            {
                "measure": result.of.measure,
                "engine": result.of.engine,
                "users": result.of.users,
                "prompt_tokens": result.of.prompt_tokens,
                "value": round(result.median, 4),
                "unit": result.of.unit,
            }
            for result in self
            if result.of.measure in UNITS
        ]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least of `values` (n >= 1) that at least `percent` of them do not exceed: the nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
