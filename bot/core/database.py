"""One SQLite file, opened for one process: its modes, its lock, its one way to write, its reads.

Owns the connections and every transaction. Knows nothing of turns (`bot.core.history`) and takes the schema from
`bot.core.migrations`.

Two connections: all writes go through one, by `Database.write` or in `Database.transaction`; reads go through another,
read-only one, so that a prompt never waits for a write. In WAL mode a reader sees what was committed before its
statement began. `synchronous=FULL`, for WAL with NORMAL loses the last transactions in a power cut
(https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import structlog

from bot.core.migrations import APPLICATION_ID, check_known, migrate
from bot.errors import DatabaseUnusable, HistoryFailed

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


async def to_the_end(work: Awaitable[_T]) -> _T:
    """Wait until `work` is done, however often the waiting task is cancelled; then let the cancellation travel on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is None or task.cancelled():
        return task.result()
    if (failure := task.exception()) is not None:
        raise cancelled from failure
    raise cancelled


@dataclass(eq=False, slots=True)
class _Write:
    """A transaction that waits for the writer's thread, and then what came of it."""

    work: Callable[[sqlite3.Connection], Any]
    result: Any = None
    error: BaseException | None = None


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, which also runs a whole function in its thread: a trip there costs 30 us or more."""

    def run(self, function: Callable[[sqlite3.Connection], _T]) -> asyncio.Future[_T]:
        """Begin; cancelling the future gives up the waiting, not the function."""
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((done, partial(function, self._conn)))
        return done


class Database:
    """An open database. Make one with `open`, end it with `aclose`."""

    def __init__(self, path: Path) -> None:
        """Remember the path; nothing is opened yet."""
        self._path = path
        self._resources = AsyncExitStack()
        self._writing = asyncio.Lock()
        self._waiting: list[_Write] = []
        self._writer: _Connection
        self._reader: _Connection

    @classmethod
    async def open(cls, path: Path, *, clock: Callable[[], float], busy_timeout_s: float) -> Database:
        """Open the file, made with mode 0600 if there is none, and bring its schema up to date.

        Until `aclose`, or the end of the process however it comes, no other process can open it. Cancelling leaves
        nothing open. Raises: DatabaseUnusable; a file that was refused is byte for byte what it was.
        """
        database = cls(path)
        try:
            await to_the_end(database._open(clock, busy_timeout_s))
        except (OSError, sqlite3.Error, HistoryFailed) as exc:
            await to_the_end(database._resources.aclose())
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise DatabaseUnusable(f"The database {path} cannot be opened: {reason}.") from exc
        except BaseException:
            await to_the_end(database._resources.aclose())
            raise
        return database

    async def _open(self, clock: Callable[[], float], busy_timeout_s: float) -> None:
        await asyncio.to_thread(_examine, self._path)
        await self._hold(busy_timeout_s)
        await asyncio.to_thread(_make_private, self._path)
        self._writer = await self._connect("rw", busy_timeout_s)
        await self._writer.execute("PRAGMA journal_mode = WAL")
        await self._writer.execute("PRAGMA synchronous = FULL")
        await self._writer.execute("PRAGMA secure_delete = ON")
        async with self.transaction() as connection:
            applied = await migrate(connection, path=self._path, now=clock())
        await self._writer.execute("PRAGMA foreign_keys = ON")
        await self.scrub()  # what an earlier process had deleted when it was killed
        self._reader = await self._connect("ro", busy_timeout_s)
        _log.info("database_opened", path=str(self._path), migrations=applied)

    async def _hold(self, busy_timeout_s: float) -> None:
        """Take the lock that keeps a second process out.

        It is SQLite's own lock on an empty file beside the database: the kernel drops it with the process, kill -9
        included, a forked child does not inherit it, and it works wherever SQLite does. The lock is not on the
        database itself, so that a backup can read that while the bot runs.
        """
        beside = self._path.with_name(self._path.name + ".lock")
        await asyncio.to_thread(_make_private, beside)
        lock = sqlite3.connect(beside, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        self._resources.callback(lock.close)
        try:
            await asyncio.to_thread(_lock, lock)
        except sqlite3.OperationalError as exc:
            raise DatabaseUnusable(
                f"The database {self._path} is in use by another running bot. "
                "End that one first, or choose another file."
            ) from exc

    async def _connect(self, mode: str, busy_timeout_s: float) -> _Connection:
        connect = partial(
            sqlite3.connect, _uri(self._path, mode), uri=True, timeout=busy_timeout_s, isolation_level=None
        )
        connection = _Connection(connect, iter_chunk_size=64)
        await self._resources.enter_async_context(connection)
        connection.row_factory = sqlite3.Row
        return connection

    async def aclose(self) -> None:
        """Wait for the running transaction, close and give the lock back. May be called twice; cancelling waits."""
        async with self._writing:
            await to_the_end(self._resources.aclose())

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in the writer's thread as a transaction: all of it or nothing, on the disk once this has returned.

        Those that wait for the thread together are one transaction and one sync of the disk; if one of them fails,
        each is run alone. So `work` may be called again, and has no effects but in the database.
        Cancelled before it has begun, nothing is written; after that it is waited for, and the cancellation then
        travels on. Raises: HistoryFailed for every error of SQLite's, and what `work` raises.
        """
        write = _Write(work)
        self._waiting.append(write)
        try:
            async with self._writing:
                if write in self._waiting:  # else the one before has taken it along
                    together, self._waiting = self._waiting, []
                    await to_the_end(self._writer.run(partial(_write_together, together)))
        except asyncio.CancelledError:
            if write in self._waiting:
                self._waiting.remove(write)
            else:
                await to_the_end(self._writing_has_ended())
            raise
        if isinstance(write.error, sqlite3.Error):
            raise HistoryFailed(f"{type(write.error).__name__}: {write.error}") from write.error
        if write.error is not None:
            raise write.error
        result: _T = write.result
        return result

    async def _writing_has_ended(self) -> None:
        async with self._writing:
            pass

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Write statement by statement: one task at a time, all or nothing, on the disk when the block has been left.

        Leaving by an exception rolls back. Cancelling does too, unless the commit had begun: that is waited for, and
        the cancellation then travels on. A cancelled statement may still be running in its thread; the rollback is
        queued behind it. Transactions do not nest. Raises: HistoryFailed for every error of SQLite's.
        """
        async with self._writing:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await to_the_end(self._writer.commit())
            except sqlite3.Error as exc:
                await to_the_end(self._writer.rollback())
                raise HistoryFailed(f"{type(exc).__name__}: {exc}") from exc
            except BaseException:
                await to_the_end(self._writer.rollback())
                raise

    async def scrub(self) -> bool:
        """Empty the write-ahead log into the file and cut it to nothing, so that no older text stands in it.

        The file itself keeps none: `secure_delete` overwrites what is freed. Returns False, and leaves it to the next
        call or the next opening, when another process is reading (a backup) or the disk does not take it.
        """
        async with self._writing:
            try:
                checkpoint = self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                [row] = await to_the_end(checkpoint)
            except sqlite3.Error as exc:
                _log.warning("log_not_emptied", reason=str(exc))
                return False
        if row[0]:
            _log.info("log_not_emptied", reason="it is being read")
        return not row[0]

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> list[sqlite3.Row]:
        """Read all rows of one statement, from one snapshot of what is committed. Raises: HistoryFailed."""
        try:
            return await self._reader.run(lambda connection: connection.execute(sql, parameters).fetchall())
        except sqlite3.Error as exc:
            raise HistoryFailed(f"{type(exc).__name__}: {exc}") from exc


def _write_together(writes: Sequence[_Write], connection: sqlite3.Connection) -> None:
    """Run the works as one transaction or, if that fails, each as one; store with each what came of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [write.work(connection) for write in writes]
        connection.commit()
    except Exception as exc:  # noqa: BLE001 - whoever asked for it raises it
        connection.rollback()
        if len(writes) == 1:
            writes[0].error = exc
        else:
            for write in writes:
                _write_together([write], connection)
    else:
        for write, result in zip(writes, results, strict=True):
            write.result = result


def _lock(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = MEMORY")  # no second file: nothing is ever written
    connection.execute("BEGIN EXCLUSIVE")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _examine(path: Path) -> None:
    """Look whether the file is ours to open, without a write to it or beside it. Raises: DatabaseUnusable, OSError."""
    if path.is_dir():
        raise DatabaseUnusable(f"The database {path} is a folder, not a file; choose another name.")
    if not path.exists() or path.stat().st_size == 0:
        return
    if path.stat().st_size == 1:  # SQLite would take it for an empty one (unixFileSize in its os_unix.c)
        raise DatabaseUnusable(f"{path} is not a database; it was left untouched. Choose another file.")
    # Without a log to read, `immutable` keeps SQLite from making one; with one, the newest header may be in it.
    logged = path.with_name(path.name + "-wal").exists()
    try:
        with closing(sqlite3.connect(_uri(path, "ro" if logged else "ro&immutable=1"), uri=True)) as connection:
            _examine_header(path, connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as exc:
        raise DatabaseUnusable(
            f"{path} is not a database that this program can read ({exc}); it was left untouched. Choose another file."
        ) from exc


def _examine_header(path: Path, connection: sqlite3.Connection) -> None:
    [application_id] = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for [name] in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application_id == 0 and not tables:
        return  # SQLite's own empty file: ours, if the process ended before its first commit
    if application_id != APPLICATION_ID or "migrations" not in tables:
        raise DatabaseUnusable(f"{path} is a database of another program; it was left untouched. Choose another file.")
    [version] = connection.execute("PRAGMA user_version").fetchone()
    check_known(path, version, [name for [name] in connection.execute("SELECT name FROM migrations")])


def _make_private(path: Path) -> None:
    """Make sure that the file is there and only its owner can read it; SQLite gives its own files beside it that mode.

    Missing folders are made so too; one that exists is left as it is.
    """
    for folder in reversed([parent for parent in path.parents if not parent.exists()]):
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    with suppress(FileExistsError):  # an existing one is not opened: closing it would drop this process's locks on it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE_FILE))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        file = path.with_name(name)
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(_PRIVATE_FILE)
