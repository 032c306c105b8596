"""Real signals to real processes, a real terminal."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")

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


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("bytes(400 * 2**20)", "MemoryError"),
        ("open(name, 'wb', buffering=0).write(b'x')", "File too large"),
        ("while True: pass", -signal.SIGKILL),
        ("print(open('/proc/self/stat').read() and 'fine')", 0),
    ],
)
def test_a_process_can_hold_itself_to_limits(attempt, outcome, tmp_path):
    code = f"""
import sys
from bot.ops.platform import limit_this_process
limit_this_process(memory_bytes=300 * 2**20, cpu_s=1)
limit_this_process(memory_bytes=2**40, cpu_s=100)
name = {str(tmp_path / "file")!r}
{attempt}
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    if isinstance(outcome, int):
        assert ended.returncode == outcome
    else:
        assert ended.returncode == 1
        assert outcome in ended.stderr
