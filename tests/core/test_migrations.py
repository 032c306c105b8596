"""The schema's versions: each applied once, all or none, and none ever edited."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from bot.core.history import History
from bot.core.migrations import APPLICATION_ID, MIGRATIONS, Migration, migrate
from bot.errors import DatabaseUnusable

SHIPPED = {
    "0001 conversations, turns, messages": "cfed852017bb9aa81423fcbe15e3e16c367fd9ac64c5c6b065af7e265bdad86b",
    "0002 excerpts, speakers, rooms": "267bd2baa48e517a2b52b8b6a404860bb64fa161d33e24523e2b386926646844",
    "0003 versions, edits and what is forgotten": "a6f4088a8e0924515e58de624e3a28cc71f4b5608b9542e0a812a0d99a930375",
    "0004 what the guard cut": "9cddee9f45e7814d327546bdd6852eb777c67eb4711e9e4f6c8e7618a40d8248",
    "0005 pins, summaries, receipts": "a9e12cb3e423a7ffa2a86888059bf9a0bf1ca8ec3ac47f2b0c191212eec2e5d2",
    "0006 choices": "60cfccbc1f501968f49513ccb9a9245c1de6916c85a108f458e02adfd1bf3838",
    "0007 which model a turn is for": "57266e973082cd8ce4dce8a66e7b3ade0ab6722138ef8144f396f8ab91472149",
    "0008 personas": "9297b629d74a612c60b03f7a16502cc59d73054d4f16e788c860bc4145aef977",
    "0009 spending": "b1a2be9e920466198cdabfac02ebc797ce4d875b025aee6e47d2c96968b4ceff",
    "0010 no-store mode": "a51e84d05d97f990a3c169e7d792c9f18c93728c4a3490008e29d84cc52272b0",
    "0011 answers that were deleted": "6ffc8c920b570eb8858d2a659bfcf4b4702386e336a818cb1a35968326057fa9",
}

NEXT = Migration(
    "later: notes",
    (
        "ALTER TABLE turns ADD COLUMN noted INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX turns_noted ON turns (conversation_id) WHERE noted",
    ),
)
BROKEN = Migration("later: broken", ("CREATE TABLE half (id INTEGER)", "INSERT INTO nowhere VALUES (1)"))


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def apply(path: Path, known: tuple[Migration, ...], now: float = 0.0) -> list[str]:
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            names = await migrate(connection, path=path, now=now, known=known)
        except BaseException:
            await connection.rollback()
            raise
        await connection.commit()
        return names


def test_no_shipped_migration_was_edited() -> None:
    """A database out there has run these statements; change the schema with a new migration."""
    digests = {
        migration.name: hashlib.sha256(";\n".join(migration.statements).encode()).hexdigest()
        for migration in MIGRATIONS
    }
    assert digests == SHIPPED


async def test_a_migration_is_applied_once_with_its_record(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    assert await apply(path, tuple(MIGRATIONS), now=5.0) == [migration.name for migration in MIGRATIONS]
    assert await apply(path, tuple(MIGRATIONS), now=6.0) == []
    assert rows(path, "SELECT * FROM migrations") == [(migration.name, 5.0) for migration in MIGRATIONS]
    assert rows(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert rows(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


async def test_a_later_migration_keeps_what_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    history = await History.open(path)
    await history.remember("load_s", "8")
    await history.aclose()
    assert await apply(path, (*MIGRATIONS, NEXT)) == [NEXT.name]
    assert rows(path, "SELECT value FROM facts") == [("8",)]
    assert rows(path, "SELECT count(*) FROM pragma_table_info('turns') WHERE name = 'noted'") == [(1,)]
    assert rows(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


async def test_when_one_migration_fails_none_of_them_happened(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    await apply(path, tuple(MIGRATIONS))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await apply(path, (*MIGRATIONS, NEXT, BROKEN))
    assert rows(path, "SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]
    assert rows(path, "SELECT name FROM sqlite_master WHERE name IN ('half', 'turns_noted')") == []
    assert rows(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


async def test_a_migration_that_leaves_a_broken_reference_is_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    orphan = Migration(
        "later: orphan", ("INSERT INTO messages (message_id, turn_id, kind, position) VALUES (1, 404, 'question', 0)",)
    )
    await apply(path, tuple(MIGRATIONS))
    with pytest.raises(DatabaseUnusable, match="missing"):
        await apply(path, (*MIGRATIONS, orphan))
    assert rows(path, "SELECT count(*) FROM messages") == [(0,)]


async def test_a_database_with_a_migration_unknown_here_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    await apply(path, (*MIGRATIONS, NEXT))
    with pytest.raises(DatabaseUnusable, match="newer"):
        await apply(path, tuple(MIGRATIONS))
