"""What a terminal shows of a conversation: notes, and the bot's messages as they grow.

Owns what stands at the end of the screen. Knows neither who types nor when an answer is complete.
"""

from __future__ import annotations

import shutil
from typing import TextIO

from bot.playground.model import Message
from bot.playground.server import Playground
from bot.texts import text


class Screen:
    """What stands on the terminal: at most one growing message, at its end."""

    ERASE_LINE = "\r\x1b[K"

    def __init__(self, playground: Playground, stdout: TextIO) -> None:
        self._playground = playground
        self._stdout = stdout
        self._erases = stdout.isatty()
        self._shown: dict[int, str] = {}
        self._growing: int | None = None
        self._passing = False

    def note(self, sentence: str) -> None:
        """Print a line of the terminal's own."""
        self.end()
        self._write(f"{sentence}\n")

    def passing(self, sentence: str) -> None:
        """Show a line that the next output replaces; a terminal that cannot erase does without."""
        if self._erases and self._growing is None and not self._passing:
            self._write(sentence)
            self._passing = True

    def show(self, message: Message) -> None:
        """Print what is new of a message: the end it grew by, or all of it if it was rewritten."""
        body = message.content.removesuffix(self._playground.running_mark).rstrip()
        before = self._shown.get(message.id)
        if message.is_loading or body == before:
            return
        is_growing = self._growing == message.id
        if is_growing and before is not None and body.startswith(before):
            self._write(body[len(before) :])
        else:
            self._start_over(before if is_growing else None)
            self._write(self._name(message) + body)
        self._shown[message.id] = body
        self._growing = message.id

    def _start_over(self, before: str | None) -> None:
        """Begin a line, in place of the one that shows `before` if it is one line and can be erased."""
        width = shutil.get_terminal_size().columns
        fits = before is not None and "\n" not in before and len(before) + len(self._playground.bot.name) + 2 < width
        if self._erases and fits:
            self._write(self.ERASE_LINE)
        else:
            self.end()

    def _name(self, message: Message) -> str:
        name = self._playground.bot.name
        return f"{name}> " if message.visible_to is None else f"{name} ({text('terminal.only_you')})> "

    def end(self) -> None:
        """Finish the line."""
        if self._passing:
            self._write(self.ERASE_LINE)
        elif self._growing is not None:
            self._write("\n")
        self._passing, self._growing = False, None

    def _write(self, output: str) -> None:
        self._stdout.write(output)
        self._stdout.flush()
