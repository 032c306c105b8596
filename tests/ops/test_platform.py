"""Real signals to real processes, real files, a real terminal."""

import asyncio
import os
import signal
import stat
import subprocess
import sys

import pytest

from bot.ops.platform import make_private, open_private

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent and modes are read the POSIX way")

LISTENER = """
import asyncio, signal, sys
from bot.ops import platform

async def main():
    got = asyncio.Queue()
    loop = asyncio.get_running_loop()
    {install}
    print("ready", flush=True)
    for _ in range(2):
        print((await got.get()).name, flush=True)
    undo()
    print(signal.getsignal(signal.SIGTERM) is before, flush=True)

before = signal.getsignal(signal.SIGTERM)
asyncio.run(main())
"""
INSTALLS = {
    "loop": "undo = platform.install_signal_handlers(loop, got.put_nowait)",
    "plain": "undo = platform.install_plain_handlers(loop, got.put_nowait, [signal.SIGTERM, signal.SIGINT])",
}


@pytest.mark.parametrize("way", INSTALLS)
async def test_signals_reach_the_loop_each_time_and_are_given_back(way):
    code = LISTENER.format(install=INSTALLS[way])
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    try:
        assert await process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert await process.stdout.readline() == b"SIGTERM\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"SIGINT\n"
        assert await process.stdout.readline() == b"True\n"
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_private_from_its_first_moment(tmp_path):
    path = tmp_path / "history.sqlite"
    before = os.umask(0)
    try:
        with open_private(path) as file:
            assert mode_of(path) == 0o600
            file.write(b"secret")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"secret"


def test_opening_an_existing_file_keeps_its_content_and_mode(tmp_path):
    path = tmp_path / "notes"
    path.write_bytes(b"kept")
    path.chmod(0o640)
    with open_private(path) as file:
        assert file.read() == b"kept"
    assert mode_of(path) == 0o640


def test_a_file_made_private_is_the_owners_alone(tmp_path):
    path = tmp_path / "notes"
    path.touch(0o666)
    make_private(path)
    assert mode_of(path) == 0o600


TERMINAL = "from bot.ops.platform import stdin_is_terminal; print(stdin_is_terminal())"


def test_a_pipe_a_closed_and_a_missing_stdin_are_no_terminal():
    def ask(code=TERMINAL, **how):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **how)
        return done.stdout.strip()

    assert ask(input="hello") == "False"
    assert ask(stdin=subprocess.DEVNULL) == "False"
    assert ask("import sys; sys.stdin.close();" + TERMINAL) == "False"
    assert ask("import sys; sys.stdin = None;" + TERMINAL) == "False"


def test_a_terminal_is_one():
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", TERMINAL], stdin=theirs, capture_output=True, text=True, check=True
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout.strip() == "True"
