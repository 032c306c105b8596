"""What differs between Linux and Windows: signals, memory, limits and the terminal. Knows nothing of the bot.

Linux is tested. Windows is written from Python's documentation and untested, but for the signal path, which runs on
Linux too.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

_NICENESS: Final = 10

OnSignal = Callable[[signal.Signals], None]


def install_signal_handlers(loop: asyncio.AbstractEventLoop, on_signal: OnSignal) -> Callable[[], None]:
    """Call `on_signal` in `loop` at every SIGTERM and SIGINT (Windows: Ctrl-Break too); return what undoes this.

    For the main thread only. The call is an ordinary callback of the loop: it may use asyncio freely.
    """
    if sys.platform == "win32":
        return install_plain_handlers(loop, on_signal, [signal.SIGTERM, signal.SIGINT, signal.SIGBREAK])
    else:
        signals = [signal.SIGTERM, signal.SIGINT]
        for number in signals:
            loop.add_signal_handler(number, on_signal, number)

        def remove() -> None:
            for number in signals:
                loop.remove_signal_handler(number)

        return remove


def install_plain_handlers(
    loop: asyncio.AbstractEventLoop, on_signal: OnSignal, signals: list[signal.Signals]
) -> Callable[[], None]:
    """Do the same with signal.signal, for loops without add_signal_handler: Windows'."""

    def handle(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(on_signal, signal.Signals(number))

    before = {number: signal.signal(number, handle) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def stdin_is_terminal() -> bool:
    """Tell whether a person can type to this process; a service may have no stdin at all, or a closed one."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def available_memory_bytes() -> int | None:
    """Return the memory that programs can have without any being swapped out, None where the system does not tell."""
    if sys.platform == "win32":
        # https://learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi-memorystatusex: two 32-bit numbers,
        # then seven of 64 bits, of which the second is what is available.
        status = (ctypes.c_uint64 * 8)()
        status[0] = ctypes.sizeof(status)
        return status[2] if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
    else:
        try:
            found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) * 1024 if found else None


def limit_this_process(*, memory_bytes: int, cpu_s: int) -> None:
    """Have the system hold this process, for the rest of its life, to so much memory and processor time, and no files.

    Beyond the memory (of addresses) allocations fail, beyond the time the process is killed; files can be read, but not
    written; others' work goes first. Windows: nothing happens, since only another process could set such limits there
    (by a job object), so its wall time is all that whoever started it can limit.
    """
    if sys.platform == "win32":
        return
    else:
        import resource

        wanted = {
            resource.RLIMIT_AS: memory_bytes,
            resource.RLIMIT_CPU: cpu_s,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_CORE: 0,
        }
        for limit, most in wanted.items():
            _, hard = resource.getrlimit(limit)
            lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (lower, lower))
        os.nice(_NICENESS)
