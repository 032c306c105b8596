"""What differs between Linux and Windows: signals and the terminal. Knows nothing of the bot.

Linux is tested. Windows is written from Python's documentation and untested, but for the signal path, which runs on
Linux too.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from types import FrameType

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
