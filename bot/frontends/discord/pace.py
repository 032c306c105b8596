"""How fast answers are edited: one interval for each channel, since all edits in it share Discord's bucket.

Knows no Discord: only how long calls took.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary


@dataclass(frozen=True, slots=True)
class Timing:
    """The frontend's times, in seconds. Tests shorten them; nobody else needs to."""

    first_text_s: float = 1.0  # the first text is shown after this long, or at `first_text_chars`
    first_text_chars: int = 60
    edit_interval_s: float = 1.2  # edits and sends share about 5 per 5 s a channel (undocumented)
    slowest_interval_s: float = 5.0
    slow_call_s: float = 2.0  # a call that took longer has waited for the bucket
    waiting_s: float = 2.0  # only who waits longer is told of a queue
    placeholder_interval_s: float = 10.0
    typing_after_s: float = 0.2  # an answer that comes at once needs no announcement, and one call less
    typing_interval_s: float = 8.0  # Discord shows it for 10
    call_timeout_s: float = 30.0
    stop_s: float = 10.0  # for an answer to end that is stopped because its place closes
    token_margin_s: float = 60.0  # before an interaction's end, for all that ends an answer there
    final_retries_s: tuple[float, ...] = (
        0.5,
        1,
        2,
        4,
        8,
        16,
        30,
        60,
        60,
        60,
    )  # an outage of four minutes costs no answer
    sentence_retries_s: tuple[float, ...] = (1, 4)
    restart_s: float = 1.0  # doubles with every connection that broke within `steady_s`
    steady_s: float = 60.0
    slowest_restart_s: float = 60.0
    identify_s: float = 5.0  # Discord's own figure: one IDENTIFY in 5 s
    guild_ready_s: float = 2.0  # discord.py's defaults, this and the next
    heartbeat_timeout_s: float = 60.0


DEFAULT_TIMING: Final = Timing()


class Pace:
    """One channel's interval."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._interval_s = timing.edit_interval_s
        self._streaming = 0

    @property
    def interval_s(self) -> float:
        """Seconds from the end of one edit of an answer to its next."""
        return self._interval_s * max(1, self._streaming)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count one more answer that grows in this channel."""
        self._streaming += 1
        try:
            yield
        finally:
            self._streaming -= 1

    def took(self, call_s: float) -> None:
        """Learn from a call that succeeded: slower at once when it had to wait, slowly back."""
        if call_s > self._timing.slow_call_s:
            self.slow_down()
        else:
            self._interval_s = max(self._timing.edit_interval_s, self._interval_s * 0.9)

    def slow_down(self) -> None:
        """Lengthen the interval by half, up to the slowest."""
        self._interval_s = min(self._interval_s * 1.5, self._timing.slowest_interval_s)


class Paces:
    """The pace of each channel in which somebody writes."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._of_channel: WeakValueDictionary[int, Pace] = WeakValueDictionary()

    def of(self, channel_id: int) -> Pace:
        """Return the channel's pace, the same for all who hold one."""
        pace = self._of_channel.get(channel_id)
        if pace is None:
            pace = self._of_channel[channel_id] = Pace(self._timing)
        return pace
