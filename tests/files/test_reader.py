"""Real children with real limits: what hostile files do to them, and what is left afterwards."""

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import ShuttingDown
from bot.files import reader as reading
from bot.files.kinds import Kind
from bot.files.reader import TOO_HARD, FileReader, ReadLimits
from pdf_by_hand import deflated, pdf_of, pdf_of_streams

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# 60 MB of drawing in 60 kB: pypdf would need minutes.
SLOW = pdf_of_streams(deflated(b"BT /F1 12 Tf 50 700 Td (word) Tj ET " * 1_600_000), packed=True)
BOMB = pdf_of_streams(deflated(b"(" + b"x" * 70_000_000), packed=True)


@asynccontextmanager
async def reader_of(**limits):
    reader = FileReader(ReadLimits(**limits))
    try:
        yield reader
    finally:
        await reader.aclose()
        assert reader.pids == set()


async def child_of(reader):
    """Wait until a child lives; return its process id."""
    async with asyncio.timeout(10):
        while not reader.pids:
            await asyncio.sleep(0.001)
    return next(iter(reader.pids))


def is_gone(pid):
    """Whether the process is gone and nobody has to reap it any more."""
    return not Path(f"/proc/{pid}").exists()


async def test_files_of_several_kinds_are_read():
    async with reader_of(max_chars=50) as reader:
        text, pdf, picture, long = await asyncio.gather(
            reader.read("Grüße".encode("utf-16"), "a.txt"),
            reader.read(pdf_of("of a page"), "b.pdf"),
            reader.read(b"\x89PNG\r\n\x1a\n\0\0", "c.txt"),
            reader.read(b"print(1)\n" * 100, "d\n\ud800.py"),
        )
    assert (text.kind, text.text) == (Kind.TEXT, "Grüße")
    assert pdf.text.endswith("of a page")
    assert (picture.kind, picture.reason) == (Kind.PICTURE, "file.picture")
    assert (long.text, long.left_out_chars) == ("print(1)\n" * 5 + "print", 849)


@pytest.mark.parametrize(
    ("content", "name"),
    [(SLOW, "slow.pdf"), (BOMB, "bomb.pdf"), (pdf_of_streams(deflated(bytes(10**9)), packed=True), "bigger.pdf")],
)
async def test_a_decompression_bomb_is_a_reason_and_nothing_else(content, name):
    async with reader_of(cpu_s=1, memory_bytes=300 * 2**20) as reader:
        found = await reader.read(content, name)
        assert found.reason in ("file.too_hard", "file.pdf_broken", "file.pdf_scanned")
        assert found.text == ""
        assert (await reader.read(b"and now", "a.txt")).text == "and now"


async def test_too_much_memory_is_a_reason():
    async with reader_of(memory_bytes=120 * 2**20) as reader:
        assert await reader.read(b'["' + b'a","' * 5_000_000 + b'"]', "a.json") == TOO_HARD


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"[" * 4_000_000, "deep.json"), (b'{"a":' * 1_000_000, "deep.json"), (b"a," * 8_000_000, "line.csv")],
    ids=["nested lists", "nested objects", "one line"],
)
async def test_absurd_texts_are_shown_by_their_beginning(content, name):
    async with reader_of(max_chars=1000) as reader:
        found = await reader.read(content, name)
    assert found.reason is None
    assert (len(found.text), found.left_out_chars) == (1000, len(content) - 1000)


async def test_what_is_larger_than_all_that_is_read_starts_no_child():
    async with reader_of(max_bytes=10) as reader:
        assert await reader.read(bytes(11), "a") is TOO_HARD


@LINUX
async def test_a_child_that_takes_too_long_is_killed():
    async with reader_of(wall_s=0.5) as reader:
        reading_it = asyncio.create_task(reader.read(SLOW, "slow.pdf"))
        pid = await child_of(reader)
        assert await reading_it == TOO_HARD
        assert is_gone(pid)


@LINUX
async def test_cancelling_kills_the_child_and_waits_until_it_is_gone():
    async with reader_of() as reader:
        reading_it = asyncio.create_task(reader.read(SLOW, "slow.pdf"))
        pid = await child_of(reader)
        reading_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading_it
        assert is_gone(pid)


@LINUX
async def test_closing_kills_every_child_and_refuses_the_rest():
    reader = FileReader(ReadLimits(children=1))
    several = [asyncio.create_task(reader.read(SLOW, "slow.pdf")) for _ in range(3)]
    pid = await child_of(reader)
    await reader.aclose()
    assert is_gone(pid)
    ended = await asyncio.gather(*several, return_exceptions=True)
    assert [type(end) for end in ended] == [ShuttingDown] * 3
    with pytest.raises(ShuttingDown):
        await reader.read(b"late", "a.txt")
    await reader.aclose()


@LINUX
async def test_a_child_has_no_secrets_in_its_environment_and_goes_last(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "a-secret")
    async with reader_of() as reader:
        reading_it = asyncio.create_task(reader.read(SLOW, "slow.pdf"))
        process = Path(f"/proc/{await child_of(reader)}")
        assert b"a-secret" not in (process / "environ").read_bytes()
        variables = {one.split(b"=")[0].decode() for one in (process / "environ").read_bytes().split(b"\0") if one}
        assert variables <= {"PATH", "LD_LIBRARY_PATH"}
        async with asyncio.timeout(10):
            while "Max cpu time" not in (limits := (process / "limits").read_text()) or "unlimited" in limits[:150]:
                await asyncio.sleep(0.01)
        assert {"Max file size             0", "Max address space         536870912"} <= {
            line[:35].rstrip() for line in limits.splitlines()
        }
        reading_it.cancel()
        await asyncio.wait([reading_it])


async def test_only_so_many_children_live_at_once_and_the_loop_goes_on_meanwhile():
    most, gaps, before = 0, [], time.monotonic()
    async with reader_of(children=2) as reader:
        several = asyncio.gather(*[reader.read(b"word " * 1_000_000, "a.txt") for _ in range(6)])
        while not several.done():
            most = max(most, len(reader.pids))
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()
        assert all(found.text for found in several.result())
    assert most == 2
    assert max(gaps) < 1


def test_a_child_whose_bot_is_gone_ends_by_itself():
    order = {"name": "a", "max_chars": 10, "memory_bytes": 2**30, "cpu_s": 60, "wall_s": 0.3}
    with subprocess.Popen(
        reading._COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        it.stdin.write(json.dumps(order).encode() + b"\nthe file's beginning, and never its end")
        it.stdin.flush()
        assert it.wait(timeout=20) == 1
        assert b"Timeout" in it.stderr.read()


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"Traceback",
        b"[]",
        b'{"kind": "text"}',
        b'{"kind": "evil", "text": "", "reason": null, "left_out_chars": 0}',
        b'{"kind": "pdf", "text": "", "reason": "error.start", "left_out_chars": 0}',
        b'{"kind": "pdf", "text": "", "reason": null, "left_out_chars": null}',
    ],
)
def test_what_a_child_says_is_trusted_no_more_than_its_file(words):
    assert reading._understood(words, 1000) is TOO_HARD


async def test_a_child_that_does_not_stop_talking_is_not_listened_to(monkeypatch):
    monkeypatch.setattr(reading, "_COMMAND", (sys.executable, "-c", "while True: print('x' * 1000)"))
    async with reader_of(max_chars=1000, wall_s=30) as reader:
        assert await reader.read(b"text", "a.txt") == TOO_HARD


async def test_a_machine_without_room_for_a_child_is_a_reason(monkeypatch):
    monkeypatch.setattr(reading, "_COMMAND", (os.devnull + "/nothing",))
    async with reader_of() as reader:
        assert await reader.read(b"text", "a.txt") == TOO_HARD
