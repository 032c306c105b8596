"""The file itself: who may read it, who may open it, what is refused, and that refusing touches nothing."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.core.database import Database, to_the_end
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.core.migrations import APPLICATION_ID
from bot.errors import DatabaseUnusable, HistoryFailed

QUESTION = Question(ConversationKey(1, 2), user_id=2, message_id=3, text="hi")

HOLD = """
import asyncio, sys
from pathlib import Path
from bot.core.history import History

async def main():
    history = await History.open(Path(sys.argv[1]), busy_timeout_s=0.05)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await history.aclose()

asyncio.run(main())
"""


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


async def refused(path: Path) -> str:
    with pytest.raises(DatabaseUnusable) as caught:
        await History.open(path, busy_timeout_s=0.05)
    assert caught.value.exit_code == 78
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def everything_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.mark.usefixtures("umask")
async def test_only_the_owner_can_read_the_file_and_all_that_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "bot.db"
    history = await History.open(path)
    await history.accept(QUESTION)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    await history.aclose()
    assert modes == dict.fromkeys(("bot.db", "bot.db-wal", "bot.db-shm", "bot.db.lock"), "0o600")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_that_others_could_read_is_made_private_and_its_folder_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    path = folder / "bot.db"
    await (await History.open(path)).aclose()
    path.chmod(0o644)
    await (await History.open(path)).aclose()
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o755


async def test_what_is_committed_is_synced_and_references_are_checked(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db", busy_timeout_s=0.25)
    pragmas = {}
    async with history.transaction() as connection:
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "application_id"):
            [[pragmas[name]]] = await connection.execute_fetchall(f"PRAGMA {name}")
    await history.aclose()
    full = 2
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 250,
        "application_id": APPLICATION_ID,
    }


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 99",
        "INSERT INTO migrations VALUES ('0099 from the future', 0)",
    ],
)
async def test_a_database_from_a_newer_version_is_refused_untouched(tmp_path: Path, change: str) -> None:
    path = tmp_path / "bot.db"
    await (await History.open(path)).aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(change)
    before = everything_in(tmp_path)
    assert "newer version" in await refused(path)
    assert everything_in(tmp_path) == before


async def test_a_newer_version_is_seen_in_the_log_that_a_crash_left(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    await (await History.open(path)).aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 99")
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in ("bot.db", "bot.db-wal"):  # as they are on the disk while it is open
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    before = everything_in(crashed)
    assert "newer version" in await refused(crashed / "bot.db")
    after = everything_in(crashed)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    "content",
    [b"x", b"hello\n" * 20, os.urandom(5000), b"SQLite format 3\0" + b"\xff" * 4080, b"\0" * 4096],
    ids=["one byte", "text", "noise", "a good beginning", "zeros"],
)
async def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bot.db"
    path.write_bytes(content)
    path.chmod(0o644)
    assert "untouched" in await refused(path)
    assert everything_in(tmp_path) == {"bot.db": content}
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
async def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "bot.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE turns (id INTEGER PRIMARY KEY)")
    before = everything_in(tmp_path)
    assert "another program" in await refused(path)
    assert everything_in(tmp_path) == before


async def test_an_empty_file_becomes_the_database(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    path.touch()
    history = await History.open(path)
    assert (await history.accept(QUESTION)).outcome == "new"
    await history.aclose()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_database_that_was_made_but_never_filled_is_taken(tmp_path: Path) -> None:
    """What a process leaves that ends between making the file and its first commit."""
    path = tmp_path / "bot.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    history = await History.open(path)
    assert (await history.accept(QUESTION)).outcome == "new"
    await history.aclose()


async def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    assert "folder" in await refused(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_path_that_leads_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "cannot be opened" in await refused(tmp_path / "file" / "bot.db")


async def test_odd_names_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&x#y %20 ü.db"
    history = await History.open(path)
    await history.accept(QUESTION)
    await history.aclose()
    assert path.stat().st_size > 0


async def test_two_bots_never_share_a_database_and_kill_9_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout
        try:
            assert b"open\n" in holder.stdout  # reads up to that line
            assert "another running bot" in await refused(path)
            with closing(sqlite3.connect(path)) as backup:  # reading, as a backup does, is free
                assert backup.execute("SELECT count(*) FROM turns").fetchone() == (0,)
            assert "another running bot" in await refused(path)
        finally:
            holder.kill()
    history = await History.open(path, busy_timeout_s=0.05)
    await history.aclose()


async def test_one_process_cannot_open_it_twice_and_the_first_one_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    history = await History.open(path)
    assert "another running bot" in await refused(path)
    second = subprocess.run([sys.executable, "-c", HOLD, str(path)], input=b"", capture_output=True, timeout=30)
    assert b"DatabaseUnusable" in second.stderr
    assert (await history.accept(QUESTION)).outcome == "new"
    await history.aclose()


async def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db")
    await history.aclose()
    await history.aclose()
    assert not (tmp_path / "bot.db-wal").exists()  # checkpointed: the file is all there is


async def test_closing_waits_for_the_running_transaction(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db")
    inside, leave = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with history.transaction() as connection:
            inside.set()
            await leave.wait()
            await connection.execute("INSERT INTO facts VALUES ('a', 'b')")

    writing = asyncio.create_task(write())
    await inside.wait()
    closing_it = asyncio.create_task(history.aclose())
    leave.set()
    await asyncio.gather(writing, closing_it)
    again = await History.open(tmp_path / "bot.db")
    assert await again.recall("a") == "b"
    await again.aclose()


async def test_reading_does_not_wait_for_a_write_and_sees_what_is_committed(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db")
    await history.remember("a", "old")
    async with history.transaction() as connection:
        await connection.execute("UPDATE facts SET value = 'new'")
        assert await history.recall("a") == "old"
    assert await history.recall("a") == "new"
    await history.aclose()


async def test_an_error_of_the_database_is_one_of_ours_and_leaves_it_usable(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db")
    with pytest.raises(HistoryFailed, match="FOREIGN KEY"):
        await history.add_answer_messages(404, [1])
    with pytest.raises(HistoryFailed, match="datatype mismatch"):
        await history.recent(ConversationKey(1, 2), "many")  # type: ignore[arg-type]
    async with history.transaction() as connection:
        await connection.execute("PRAGMA max_page_count = 1")  # a full disk, as SQLite sees it
    with pytest.raises(HistoryFailed, match="full"):
        await history.remember("long", "x" * 1_000_000)
    assert await history.recall("long") is None
    async with history.transaction() as connection:
        await connection.execute("PRAGMA max_page_count = 1000000")
    await history.remember("long", "x" * 1_000_000)
    await history.aclose()


async def test_an_error_of_sqlites_says_nothing_of_itself_to_the_person(tmp_path: Path) -> None:
    history = await History.open(tmp_path / "bot.db")
    with pytest.raises(HistoryFailed) as caught:
        await history.add_answer_messages(404, [1])
    await history.aclose()
    assert "FOREIGN" not in caught.value.user_message()


async def test_cancelling_while_it_opens_leaves_it_free(tmp_path: Path) -> None:
    for passes in range(12):
        path = tmp_path / f"{passes}.db"
        opening = asyncio.create_task(Database.open(path, clock=lambda: 0.0, busy_timeout_s=0.05))
        for _ in range(passes):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await (await History.open(path, busy_timeout_s=0.05)).aclose()


async def test_work_goes_to_its_end_however_often_the_waiting_is_cancelled() -> None:
    release = asyncio.Event()
    ended = []

    async def work() -> str:
        await release.wait()
        ended.append(True)
        return "done"

    waiting = asyncio.create_task(to_the_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True]
    assert await to_the_end(work()) == "done"


async def test_a_database_damaged_in_the_middle_ends_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "phibot.sqlite3"
    history = await History.open(path)
    for number in range(200):
        await history.accept(Question(ConversationKey(number, 2), user_id=2, message_id=number + 1, text="word " * 200))
    await history.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    assert "damaged" in await refused(path)
