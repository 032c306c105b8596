"""What a person does at the console's prompt beside writing line after line: a real process in a real tty."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASTE = "hello\rmy dog is called Rex\r\rwhat is my dog's name\r/status\r"


class Screen:
    """The console on a pseudo-terminal: its process, and all that ever stood on the screen."""

    def __init__(self, folder, **environment):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("PHIBOT_", "DISCORD_"))}
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot", "run", "--console"],
            cwd=folder,
            env=own | {"PYTHONPATH": str(ROOT), "PHIBOT_ENGINE": "echo", "TERM": "xterm"} | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def type(self, text):
        os.write(self.terminal, text.encode())

    def until(self, pattern, timeout_s=30):
        """Wait until the screen matches a pattern; return its text without the terminal's codes."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.plain(), re.DOTALL):
            assert time.monotonic() < deadline, self.seen
            self._read(1)
        return self.plain()

    def _read(self, timeout_s):
        """Take what is shown within a time; return whether there was anything."""
        if not select.select([self.terminal], [], [], timeout_s)[0]:
            return False
        try:
            chunk = os.read(self.terminal, 4096)
        except OSError:  # Linux's word for: nobody has the other side open any more
            return False
        self.seen += chunk.decode()
        return True

    def plain(self):
        return re.sub(r"\x1b\[[\d?]*[A-Za-z]", "", self.seen).replace("\r\n", "\n")

    def end(self):
        """Wait for the process's end; return its exit code."""
        code = self.process.wait(30)
        while self._read(0):
            pass
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def screen(tmp_path):
    opened = []

    def start(**environment):
        opened.append(Screen(tmp_path, **environment))
        opened[-1].until("you> $")
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def answers(seen):
    """Return the bot's one-line answers: what was erased and written anew counts in its last form."""
    return re.findall(r"Phibot> ([^\n\r]*)\n", seen)


def check_every_line_was_answered(shown):
    shown.until(r"only you see this\)>.*you> $")
    assert answers(shown.plain()) == ["hello", "my dog is called Rex", "what is my dog's name"]
    shown.type("and now?\r")
    shown.until(r"Phibot> and now\?\n\[1 Regenerate\]\nyou> $")
    shown.type("/quit\r")
    assert shown.end() == 0


def test_each_line_of_a_paste_is_a_message_of_its_own_and_none_is_glued_to_a_later_one(screen):
    shown = screen()
    shown.type(PASTE)
    check_every_line_was_answered(shown)


@pytest.mark.parametrize("wanted", ["on", "off"])
def test_a_bracketed_paste_is_as_many_messages_as_it_has_lines(screen, tmp_path, wanted):
    (tmp_path / "inputrc").write_text(f"set enable-bracketed-paste {wanted}\n")
    shown = screen(INPUTRC=str(tmp_path / "inputrc"))
    shown.type(f"\x1b[200~{PASTE}\x1b[201~\r")
    check_every_line_was_answered(shown)


def test_a_paste_that_ends_in_half_a_line_leaves_that_half_at_the_prompt(screen):
    shown = screen()
    shown.type("hello\rhalf a")
    shown.until(r"Phibot> hello\n\[1 Regenerate\]\nyou> half a$")
    shown.type(" line\r")
    shown.until(r"Phibot> half a line\n\[1 Regenerate\]\nyou> $")


@pytest.mark.parametrize("leave", ["ctrl-d", "ctrl-c"])
def test_leaving_ends_the_prompts_line(screen, leave):
    shown = screen()
    if leave == "ctrl-d":
        shown.type("\x04")
    else:
        shown.process.send_signal(signal.SIGINT)
    assert shown.end() == 0
    assert shown.plain().endswith("you> \n")
