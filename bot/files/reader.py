"""Reads files in child processes, so that a hostile one ends its child and nothing else.

Owns the children: how many at once, what each may use, and that each is gone in the end. What a file says is decided in
`bot.files.extraction`, inside the child.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

import bot
from bot.errors import ShuttingDown
from bot.files.extraction import FileText
from bot.files.kinds import READABLE, Kind
from bot.ops.processor import on_all_processors

log = structlog.get_logger(__name__)

_ROOT: Final = Path(bot.__file__).parents[1]
_COMMAND: Final = (sys.executable, "-B", "-s", "-X", "utf8", "-m", "bot.files.child")
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")
"""What a Python interpreter may need to start; everything else, and so every secret, stays here."""

_CHUNK_BYTES: Final = 65536
_JSON_BYTES_PER_CHAR: Final = 12  # a character beyond U+FFFF is two escapes of six
_JSON_BYTES: Final = 4096  # around the text
REASONS: Final = frozenset(
    {f"file.{kind}" for kind in Kind if kind not in READABLE}
    | {"file.pdf_locked", "file.pdf_scanned", "file.pdf_broken", "file.too_hard"}
)
"""Every reason that a file itself can be for not being read; keys of the catalogue."""

TOO_HARD: Final = FileText(Kind.BINARY, reason="file.too_hard")


class _Babbling(Exception):
    """The child says more than our code ever would."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one file may be and use. On Windows only time is limited: a process there cannot limit itself otherwise."""

    max_chars: int = 24_000
    max_bytes: int = 32 * 2**20
    children: int = 2
    wall_s: float = 20.0  # from the child's start to its end
    cpu_s: int = 10
    memory_bytes: int = 512 * 2**20  # of addresses; Python and pypdf alone take some 60 MB


class FileReader:
    """Reads files, a few at a time, each in a process of its own. Lives as long as the bot; `aclose` it."""

    def __init__(self, limits: ReadLimits | None = None) -> None:
        """Take the limits; no process is started yet."""
        self.limits = limits or ReadLimits()
        self._slots = asyncio.Semaphore(self.limits.children)
        self._tasks: set[asyncio.Task[FileText]] = set()
        self._closing = asyncio.Event()
        self.pids: set[int] = set()
        """The children that live now."""

    async def read(self, content: bytes, name: str) -> FileText:
        """Return what a file says; the name is a hint among texts only. Waits while too many others are read.

        Whatever the file does to its child comes back as a reason. Cancelling kills the child and waits for its end.
        Raises: ShuttingDown, once closed.
        """
        if self._closing.is_set():
            raise ShuttingDown
        if len(content) > self.limits.max_bytes:
            return TOO_HARD
        task = asyncio.create_task(self._read(content, name), name="file reader")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if self._closing.is_set() and own is not None and not own.cancelling():
                raise ShuttingDown from None
            raise

    async def aclose(self) -> None:
        """Kill every child and wait for its end. May be called twice."""
        self._closing.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _read(self, content: bytes, name: str) -> FileText:
        async with self._slots:
            try:
                child = await _start()
            except OSError as exc:  # no memory or no process left on this machine
                log.warning("file_child_not_started", reason=str(exc))
                return TOO_HARD
            self.pids.add(child.pid)
            words = b""
            try:
                async with asyncio.timeout(self.limits.wall_s):
                    words = await self._converse(child, content, name)
                    await child.wait()  # to kill it while it ends would cost its exit code
            except (TimeoutError, _Babbling):
                words = b""
            finally:
                await _end(child)
                self.pids.discard(child.pid)
        found = _understood(words, self.limits.max_chars)
        log.info("file_read", kind=found.kind, reason=found.reason, file_bytes=len(content), exit_code=child.returncode)
        return found

    async def _converse(self, child: Process, content: bytes, name: str) -> bytes:
        """Hand the file to the child and return its words, of which there are none if it died. Raises: _Babbling."""
        limits = self.limits
        order = {
            "name": name,
            "max_chars": limits.max_chars,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_s,
        }
        stdin, stdout = _pipes(child)
        with suppress(ConnectionError):  # it died before it had read everything
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.write(content)
            await stdin.drain()
            stdin.close()
        most_bytes = limits.max_chars * _JSON_BYTES_PER_CHAR + _JSON_BYTES
        words = bytearray()
        while chunk := await stdout.read(_CHUNK_BYTES):
            words += chunk
            if len(words) > most_bytes:
                raise _Babbling
        return bytes(words)


async def _start() -> Process:
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    with on_all_processors():
        return await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=_ROOT,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the bot, which ends its children itself
        )


async def _end(child: Process) -> None:
    """Kill the child, if it has not ended, and wait until it is gone."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
    stdin, stdout = _pipes(child)
    stdin.close()
    while await stdout.read(_CHUNK_BYTES):
        pass  # asyncio takes a process for gone only once its pipes are empty
    await child.wait()


def _pipes(child: Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - they are pipes
    return child.stdin, child.stdout


def _understood(words: bytes, max_chars: int) -> FileText:
    """Return what the child said, or that it could not: its words are trusted no more than the file."""
    try:
        said = json.loads(words)
        found = FileText(
            Kind(said["kind"]),
            text=str(said["text"])[:max_chars],
            reason=None if said["reason"] is None else str(said["reason"]),
            left_out_chars=int(said["left_out_chars"]),
        )
    except (ValueError, KeyError, TypeError):
        return TOO_HARD
    return found if found.reason is None or found.reason in REASONS else TOO_HARD
