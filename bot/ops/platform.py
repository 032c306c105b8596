"""What differs between Linux and Windows: signals, file modes, the terminal. Knows nothing of the bot.

Linux is tested. Windows is written from Python's documentation and untested, but for the signal path, which runs on
Linux too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final

PRIVATE_MODE: Final = 0o600
"""Read and write for the owner, nothing for anyone else."""

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


def make_private(path: Path) -> None:
    """Take every right but the owner's from a file. On Windows nothing: a profile's files are the user's already."""
    if sys.platform != "win32":
        path.chmod(PRIVATE_MODE)


def open_private(path: Path) -> BinaryIO:
    """Open a file to read and write, at its start; made private from the first moment where it is not there yet.

    An existing file keeps its content and its mode. Raises: OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, flags, PRIVATE_MODE), "r+b")


def stdin_is_terminal() -> bool:
    """Tell whether a person can type to this process; a service may have no stdin at all, or a closed one."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
