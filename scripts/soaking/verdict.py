"""What counts as leaked: states at rest compared with each other. Pure functions of numbers.

Counts are compared with the state before the first visitor, or after the warm-up where something is made once and kept
(threads, connections). Memory is "flat" when the straight line through its samples of the last two thirds rises by no
more than `ALLOWED_MB` from end to end of them. Why that is fair: an allocator returns little of what it once took, so
single samples jump by a megabyte or two and the first third still climbs to its high-water mark; a line through many
samples averages the jumps. Why it is strict: in ten minutes some thousand conversations come and go, so a leak of
4 KB in each is found.
"""

from __future__ import annotations

from collections.abc import Sequence

from soaking.state import State

ALLOWED_MB = 8.0
LEAST_SAMPLES = 6
LEAST_SPAN_S = 120.0
"""Less than this says nothing about memory."""


def not_at_rest(fresh: State, now: State) -> list[str]:
    """Return what is still going on although nobody is there any more."""
    found = [
        (now.answers, 0, "answers are still running or waiting in the chat"),
        (now.unfinished_turns, 0, "turns are unfinished in the store"),
        (now.engine_requests, 0, "slots or places in line are still taken in the engine"),
        (now.tasks - fresh.tasks, 0, "tasks are left in the bot's event loop"),
        (_busy_tasks(now) - _busy_tasks(fresh), 1, "tasks are left in the engine's event loop"),
    ]
    return [f"{count} {what} ({allowed} allowed)" for count, allowed, what in found if count > allowed]


def _busy_tasks(state: State) -> int:
    """Return the engine's tasks without those that only keep a connection open, one each.

    One more or less is no leak: the question that always waits for a change of the engine's state is asked anew when
    its connection was cut, and may be on its way.
    """
    return state.engine_tasks - state.engine_sockets


def leaked(fresh: State, warm: State, now: State, connections: int) -> list[str]:
    """Return what leaked; empty when nothing did. `connections`: how many may be kept for the next requests."""
    found = not_at_rest(fresh, now)
    grown = [
        (now.threads - warm.threads, 0, "threads in the bot"),
        (now.engine_threads - warm.engine_threads, 0, "threads in the engine"),
        (now.files - warm.files, 0, "open files in the bot"),
        (now.engine_files - warm.engine_files, 0, "open files in the engine"),
        (now.sockets - fresh.sockets, connections, "sockets in the bot"),
        (now.engine_sockets - fresh.engine_sockets, connections, "sockets in the engine"),
    ]
    found += [f"{count} more {what} ({allowed} allowed)" for count, allowed, what in grown if count > allowed]
    if now.engine_pid != fresh.engine_pid:
        found.append(f"the engine's process {fresh.engine_pid} is gone; {now.engine_pid} took its place")
    return found


def rise_mb(at_s: Sequence[float], mb: Sequence[float]) -> float | None:
    """Return by how much the straight line (least squares) through the last two thirds rises; None: too few samples."""
    first = len(at_s) // 3
    times, values = at_s[first:], mb[first:]
    if len(times) < LEAST_SAMPLES or times[-1] - times[0] < LEAST_SPAN_S:
        return None
    mean_s, mean_mb = sum(times) / len(times), sum(values) / len(values)
    slope = sum((t - mean_s) * (v - mean_mb) for t, v in zip(times, values, strict=True)) / sum(
        (t - mean_s) ** 2 for t in times
    )
    return slope * (times[-1] - times[0])


def memory(states: Sequence[State]) -> dict[str, dict[str, float | None]]:
    """Return, for each process: memory at the start, in the middle and at the end, and its rise, in MB."""
    told: dict[str, dict[str, float | None]] = {}
    for process, values in (("bot", [s.rss_mb for s in states]), ("engine", [s.engine_rss_mb for s in states])):
        rise = rise_mb([s.at_s for s in states], values)
        told[process] = {
            "start_mb": values[0],
            "middle_mb": values[len(values) // 2],
            "end_mb": values[-1],
            "rise_mb": None if rise is None else round(rise, 2),
            "allowed_mb": ALLOWED_MB,
        }
    return told


def memory_leaked(told: dict[str, dict[str, float | None]]) -> list[str]:
    """Return the processes whose memory is not flat."""
    return [
        f"the {process}'s memory rises by {of['rise_mb']:.1f} MB over the last two thirds ({ALLOWED_MB:.0f} allowed)"
        for process, of in told.items()
        if of["rise_mb"] is not None and of["rise_mb"] > ALLOWED_MB
    ]
