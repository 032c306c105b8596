"""Lines from standard input, without blocking the loop: a terminal with line editing, a pipe, a file.

Owns the reading threads and the terminal's modes. Each read runs in a daemon thread of its own: one that waits for a
line that never comes must not keep the process alive, which a pool's thread would.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO, TypeVar

CHUNK_BYTES = 64 * 1024

T = TypeVar("T")

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
# Around a paste, by a terminal that has not yet heard that nobody wants to be told any more.
_PASTE_BRACKET: Final = re.compile(rb"\x1b\[20[01]~")


class LineReader:
    """Reads one line at a time; only one read may be under way.

    Lines end with LF, CR LF or CR: a pasted Enter is a CR, and stays one where it arrives while line editing has the
    terminal. What was read but is not yet a whole line is put before the reader's eyes at the next prompt.
    """

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._fd = stdin.fileno()
        self._buffer = b""
        self._ended = False
        # input() has line editing on the process's own terminal only.
        self._edits = stdin is sys.stdin and self._fd == 0 and stdin.isatty() and stdout.isatty()
        if self._edits and isinstance(stdin, io.TextIOWrapper):
            stdin.reconfigure(errors="surrogateescape")  # input() decodes what was typed, text or not

    async def line(self, prompt: str = "") -> str | None:
        """Return the next line without its newline, None at the end of the input.

        The prompt is shown only where there is a line to wait for; its own line is ended if none comes.
        """
        if self._has_line():
            return self._pop()
        try:
            await (self._edit(prompt) if self._edits else self._wait(prompt))
            line = self._pop()
        except asyncio.CancelledError:
            self._leave(prompt)
            raise
        if line is None:
            self._leave(prompt)
        return line

    async def _edit(self, prompt: str) -> None:
        """Take what a person edited: one line, or several that were pasted between brackets."""
        begun, self._buffer = self._buffer.decode(errors="surrogateescape"), b""
        edited = await _in_thread(lambda: _edited(prompt, begun))
        self._take(b"" if edited is None else edited + b"\n")

    async def _wait(self, prompt: str) -> None:
        if prompt:
            self._stdout.write(prompt)
            self._stdout.flush()
        while not self._has_line():
            self._take(await _in_thread(lambda: os.read(self._fd, CHUNK_BYTES)))

    def _leave(self, prompt: str) -> None:
        if prompt:
            self._stdout.write("\n")
            self._stdout.flush()

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
        return self._ended or _LINE_END.search(self._buffer) is not None

    def _take(self, chunk: bytes) -> None:
        self._buffer += chunk
        self._ended = not chunk

    def _pop(self) -> str | None:
        end = _LINE_END.search(self._buffer)
        if end is None and not self._buffer:
            return None
        start, after = end.span() if end is not None else (len(self._buffer),) * 2
        line, self._buffer = self._buffer[:start], self._buffer[after:]
        return _PASTE_BRACKET.sub(b"", line).decode(errors="replace")


def _edited(prompt: str, begun: str) -> bytes | None:
    """Let a person edit a line that begins with `begun`; return its bytes, None at the end of the input."""
    try:
        import readline  # gives input() its line editing and history
    except ImportError:  # Windows edits lines by itself, and never has one begun: it cannot be watched
        pass
    else:
        readline.set_startup_hook(lambda: readline.insert_text(begun))
    try:
        return input(prompt).encode(errors="surrogateescape")
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
