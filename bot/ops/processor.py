"""Where this process runs: on one processor at a time, where the system lets it choose (Linux).

One thread of Python's runs at a time, and a message goes to and fro between the event loop's, the store's and the
engine's. On one processor they take turns; on two, each turn waits until another processor has woken up, and the more
there is to do, the longer. docs/performance.md has what that costs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

_THIS_THREAD: Final = 0  # as the calls below name the one that makes them

STAY_S: Final = 10.0
"""How long this process stays where it is, whoever else comes to run there."""

CHOOSE_S: Final = 0.05
"""How long the event loop's thread is then free to move, which the kernel lets it do whenever it is woken."""

# Those that this process was started with: a service or a container may have been given a few only. None where threads
# cannot choose (macOS) or nobody has measured what it is good for (Windows); nothing below is done there.
_ALLOWED: Final = frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset[int]()


@asynccontextmanager
async def on_one_processor() -> AsyncIterator[None]:
    """Keep all threads of this process on one processor, the one that the kernel puts the event loop on.

    For a process in which no model computes. What it starts inherits that: see `on_all_processors`.
    """
    if len(_ALLOWED) < 2:
        yield
        return
    staying = asyncio.create_task(_stay(), name="processor")
    try:
        yield
    finally:
        staying.cancel()
        await asyncio.wait([staying])
        with suppress(OSError):
            _bind_all(_ALLOWED)


async def _stay() -> None:
    """Bind all threads to where this one is, now and then anew. A task boundary."""
    try:
        while True:
            _bind_all(frozenset({_here()}))
            await asyncio.sleep(STAY_S)
            _bind(_THIS_THREAD, _ALLOWED)
            await asyncio.sleep(CHOOSE_S)
    except OSError as exc:  # there is no /proc: it works as well without
        _log.info("processors_not_told", reason=str(exc))


def _bind_all(processors: frozenset[int]) -> None:
    for name in os.listdir("/proc/self/task"):
        _bind(int(name), processors)


def _bind(thread: int, processors: frozenset[int]) -> None:
    with suppress(OSError):  # the thread has ended, or the container has other processors by now
        os.sched_setaffinity(thread, processors)


def _here() -> int:
    """Return the processor that this thread runs on. Source: proc(5), field 39 of /proc/pid/stat."""
    behind_name = Path("/proc/thread-self/stat").read_text().rpartition(")")[2]
    return int(behind_name.split()[36])


@contextmanager
def on_all_processors() -> Iterator[None]:
    """Let a process that is started in this block run on all processors that this one was started with.

    Where two blocks overlap, this thread may be free to move until the next time that all are bound.
    """
    if not _ALLOWED:
        yield
        return
    before = frozenset(os.sched_getaffinity(_THIS_THREAD))
    _bind(_THIS_THREAD, _ALLOWED)
    try:
        yield
    finally:
        _bind(_THIS_THREAD, before)
