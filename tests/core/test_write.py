"""Transactions that run whole in the writer's thread: what they share, and what a cancelled or failed one leaves."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.core.database import Database
from bot.errors import HistoryFailed

Work = Callable[[sqlite3.Connection], str]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "bot.db", clock=time.time, busy_timeout_s=1)
    yield opened
    await opened.aclose()


def noting(name: str, value: str = "") -> Work:
    def note(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO facts VALUES (?, ?)", (name, value))
        return name

    return note


def refusing(connection: sqlite3.Connection) -> str:
    connection.execute("INSERT INTO facts VALUES ('refused', '')")
    raise LookupError("no such thing")


async def noted(database: Database) -> set[str]:
    return {row["name"] for row in await database.fetch("SELECT name FROM facts", {})}


@asynccontextmanager
async def writer_held(database: Database) -> AsyncIterator[asyncio.Task[str]]:
    """Keep the writer's thread inside a transaction, which notes "held", until the end of the block."""
    inside, leave = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> str:
        inside.set()
        assert leave.wait(30)
        return noting("held")(connection)

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(inside.wait, 30)
    try:
        yield holding
    finally:
        leave.set()
        await asyncio.wait([holding])


async def begun(*writes: asyncio.Task[str]) -> None:
    """Let tasks come as far as the writer's door."""
    for _ in writes:
        await asyncio.sleep(0)


def asking(database: Database, *works: Work) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(database.write(work)) for work in works]


async def test_writes_that_wait_together_are_one_transaction_each_with_its_own_result(database: Database) -> None:
    statements: list[str] = []
    await database._writer.set_trace_callback(statements.append)
    async with writer_held(database):
        writes = asking(database, *(noting(f"note {number}") for number in range(20)))
        await begun(*writes)
    assert await asyncio.gather(*writes) == [f"note {number}" for number in range(20)]
    assert [statement.split()[0] for statement in statements].count("COMMIT") == 2  # the holder's and theirs
    assert len(await noted(database)) == 21


@pytest.mark.parametrize("bad", [refusing, noting("note 0")], ids=["refuses", "breaks a constraint"])
async def test_one_that_fails_among_those_that_wait_together_spoils_only_itself(database: Database, bad: Work) -> None:
    async with writer_held(database):
        writes = asking(database, noting("note 0"), bad, noting("note 1"))
        await begun(*writes)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [outcomes[0], outcomes[2]] == ["note 0", "note 1"]
    assert isinstance(outcomes[1], LookupError if bad is refusing else HistoryFailed)
    assert await noted(database) == {"held", "note 0", "note 1"}


async def test_one_that_finds_the_disk_full_does_not_take_the_others_with_it(database: Database) -> None:
    await database.write(noting("room for small ones", "x" * 3000))
    await database._writer.execute("PRAGMA max_page_count = 40")
    async with writer_held(database):
        writes = asking(database, noting("note 0"), noting("long", "x" * 1_000_000), noting("note 1"))
        await begun(*writes)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(outcomes[1], HistoryFailed)
    assert await noted(database) == {"room for small ones", "held", "note 0", "note 1"}


async def test_a_write_that_is_cancelled_while_it_waits_never_happens(database: Database) -> None:
    async with writer_held(database):
        writes = asking(database, noting("note 0"), noting("note 1"), noting("note 2"))
        await begun(*writes)
        writes[0].cancel()
        writes[1].cancel()
        await asyncio.wait(writes[:2])  # at once: they wait for nothing
    assert await writes[2] == "note 2"
    assert await noted(database) == {"held", "note 2"}


async def test_a_write_that_is_cancelled_once_it_has_begun_is_waited_for_and_wholly_there(database: Database) -> None:
    async with writer_held(database) as holding:
        for _ in range(3):
            holding.cancel()
            await asyncio.sleep(0)
        assert not holding.done()
    assert holding.cancelled()
    assert await noted(database) == {"held"}


async def test_a_write_that_another_took_along_is_waited_for_too(database: Database) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> str:
        inside.set()
        assert leave.wait(30)
        return noting("slow")(connection)

    async with writer_held(database):
        first, second = asking(database, slow, noting("taken along"))
        await begun(first, second)
    await asyncio.to_thread(inside.wait, 30)
    for _ in range(3):
        second.cancel()
        await asyncio.sleep(0)
    assert not second.done()
    leave.set()
    await asyncio.wait([first, second])
    assert second.cancelled()
    assert await noted(database) == {"held", "slow", "taken along"}


async def test_a_write_waits_for_a_transaction_and_a_transaction_for_a_write(database: Database) -> None:
    async with database.transaction() as connection:
        [write] = asking(database, noting("after"))
        await begun(write)
        await connection.execute("INSERT INTO facts VALUES ('before', '')")
        assert not write.done()
    async with database.transaction() as connection:
        rows = await connection.execute_fetchall("SELECT name FROM facts")
    assert {row["name"] for row in rows} == {"before", "after"}
    assert await write == "after"


async def test_a_write_into_a_closed_database_raises(database: Database) -> None:
    await database.aclose()
    with pytest.raises(ValueError, match="no active connection"):
        await database.write(noting("late"))
