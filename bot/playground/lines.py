"""Lines from standard input, without blocking the loop: a terminal with line editing, a pipe, a file.

Owns the reading threads and the terminal's modes. Each read runs in a daemon thread of its own: one that waits for a
line that never comes must not keep the process alive, which a pool's thread would.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

CHUNK_BYTES = 64 * 1024

T = TypeVar("T")


class LineReader:
    """Reads one line at a time; only one read may be under way."""

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._fd = stdin.fileno()
        self._buffer = b""
        self._ended = False
        # input() has line editing on the process's own terminal only.
        self._edits = stdin is sys.stdin and self._fd == 0 and stdin.isatty() and stdout.isatty()

    async def line(self, prompt: str = "") -> str | None:
        """Return the next line without its newline, None at the end of the input."""
        if self._edits and not self._has_line():
            return await _in_thread(lambda: _edited_line(prompt))
        if prompt:
            self._stdout.write(prompt)
            self._stdout.flush()
        while not self._has_line():
            self._take(await _in_thread(lambda: os.read(self._fd, CHUNK_BYTES)))
        return self._pop()

    async def interjection(self) -> str | None:
        """Return a line typed while something else goes on; cancelling loses nothing.

        Waits forever where a loop cannot watch standard input: Windows, and regular files.
        """
        loop = asyncio.get_running_loop()
        while not self._has_line():
            readable = asyncio.Event()
            try:
                loop.add_reader(self._fd, readable.set)
            except (NotImplementedError, PermissionError):
                await asyncio.Event().wait()
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._fd)
            self._take(os.read(self._fd, CHUNK_BYTES))
        return self._pop()

    def _has_line(self) -> bool:
        return self._ended or b"\n" in self._buffer

    def _take(self, chunk: bytes) -> None:
        self._buffer += chunk
        self._ended = not chunk

    def _pop(self) -> str | None:
        line, newline, self._buffer = self._buffer.partition(b"\n")
        if not line and not newline:
            return None
        return line.decode(errors="replace")


def _edited_line(prompt: str) -> str | None:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - importing it gives input() its line editing and history
    try:
        return input(prompt)
    except EOFError:
        return None


async def _in_thread(read: Callable[[], T]) -> T:
    """Run a blocking read in a daemon thread; cancelling leaves the thread behind."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: object) -> None:
        if not done.done():
            setter(value)

    def run() -> None:
        setter: Callable[[Any], None]
        value: object
        try:
            setter, value = done.set_result, read()
        except Exception as exc:  # noqa: BLE001 - handed to the one who waits
            setter, value = done.set_exception, exc
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, setter, value)

    threading.Thread(target=run, name="stdin", daemon=True).start()
    return await done


@contextlib.contextmanager
def terminal_modes_kept(stdin: TextIO) -> Iterator[None]:
    """Put the terminal's modes back at the end: an abandoned line editor would leave it without echo."""
    if not stdin.isatty():
        yield
        return
    try:
        import termios
    except ImportError:  # Windows has no such modes
        yield
        return
    before = termios.tcgetattr(stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(stdin.fileno(), termios.TCSADRAIN, before)
