"""The newcomer's way: `phibot run` without a token, through a pipe, at a terminal, and as a service."""

import os
import pty
import random
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def phibot(folder, *arguments, lines=None, stdin=subprocess.PIPE, timeout_s=110, token=None, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHIBOT_", "DISCORD_"))}
    environment |= {f"PHIBOT_{name.upper()}": str(value) for name, value in settings.items()} | {
        "PYTHONPATH": str(ROOT)
    }
    environment |= {"DISCORD_TOKEN": token} if token is not None else {}
    return subprocess.run(
        [sys.executable, "-m", "bot", "run", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=timeout_s,
        **({"stdin": stdin} if lines is None else {"input": "".join(f"{line}\n" for line in lines)}),
    )


@pytest.mark.parametrize("engine", ["genai", "optimum"])
def test_a_pipe_of_lines_becomes_a_conversation_whose_answers_alone_are_on_stdout(tmp_path, engine):
    name = "".join(random.choices(LETTERS, k=6)).capitalize()
    done = phibot(tmp_path, "--console", lines=[f"my name is {name}", "hello", "what is my name?"], engine=engine)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.strip().splitlines()
    assert len(answers) == 3
    assert not list(tmp_path.iterdir())  # nothing of it is kept
    assert "This is the demo model" in done.stderr
    assert "Reset Token" in done.stderr


def test_the_demo_model_names_nine_of_ten_people_it_never_heard_of(tmp_path):
    names = ["".join(random.choices(LETTERS, k=random.randint(3, 9))).capitalize() for _ in range(20)]
    lines = []
    for name in names:
        lines += ["/reset", f"my name is {name}", "hello", "what is my name?"]
    done = phibot(tmp_path, "--console", lines=lines, per_user_per_minute=1000)
    answers = done.stdout.strip().splitlines()
    assert len(answers) == 4 * len(names), done.stdout
    assert sum(name in answer for name, answer in zip(names, answers[3::4], strict=True)) >= 18


def test_the_console_needs_no_discord_even_where_a_token_is_set(tmp_path):
    token = "a.token.that-no-discord-accepts"
    done = phibot(tmp_path, "--console", lines=["hello there"], token=token, engine="echo", log_level="INFO")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "hello there"
    assert "discord_ready" in done.stderr
    assert token not in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_a_token_and_without_a_terminal_it_says_so_and_exits_with_78(tmp_path):
    done = phibot(tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 78
    assert done.stderr.startswith("phibot: DISCORD_TOKEN is not set.")
    assert "Traceback" not in done.stderr


def test_at_a_terminal_without_a_token_the_conversation_begins_by_itself(tmp_path):
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHIBOT_", "DISCORD_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    try:
        read_until(ours, "you>")
        os.write(ours, b"my name is Quill\n")
        read_until(ours, "you>")
        os.write(ours, b"what is my name?\n")
        assert "Quill" in read_until(ours, "you>")
        os.write(ours, b"/quit\n")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal, word, timeout_s=60):
    """Return what the terminal shows up to a word."""
    seen, deadline = "", time.monotonic() + timeout_s
    while word not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096).decode()
    return seen


def test_every_fault_of_the_settings_is_told_at_once(tmp_path):
    done = phibot(tmp_path, "--console", stdin=subprocess.DEVNULL, engine="warp", top_p=7, devise="x")
    assert done.returncode == 78
    assert "PHIBOT_ENGINE='warp'" in done.stderr
    assert "PHIBOT_TOP_P='7'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told(tmp_path):
    done = subprocess.run([sys.executable, "-m", "bot", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("phibot 0.")


def test_a_wrong_option_ends_with_code_2_and_the_usage_by_the_commands_name(tmp_path):
    done = subprocess.run([sys.executable, "-m", "bot", "run", "--consol"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "Usage: phibot run" in done.stderr
    assert "--console" in done.stderr
