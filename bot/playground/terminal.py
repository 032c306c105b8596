"""The terminal user: a person who talks to the bot from standard input, live at a prompt or through a pipe.

Owns what is printed, and when the next line is read. How lines are sent, and what an answer is, `console` knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
from collections.abc import Awaitable
from functools import cached_property
from typing import Any, Final, TextIO

from bot.errors import EX_UNAVAILABLE
from bot.playground.console import QUIT, Console, Question, opened_form
from bot.playground.lines import LineReader, terminal_modes_kept
from bot.playground.model import Channel, Message
from bot.playground.pointing import Pointing
from bot.playground.rest.interactions import ACKNOWLEDGE_WITHIN_S
from bot.playground.screen import Screen
from bot.playground.server import Playground
from bot.playground.state import Event
from bot.playground.user import Person
from bot.texts import text

PATIENCE_S = 120.0
"""How long the terminal waits without any sign of the bot: no message, no edit, no typing."""
ONLINE_WITHIN_S = 30.0
"""How long the bot may take to come online; its login does not wait for its model, and leads to this very process."""

GOODBYES: Final = ("quit", "exit", "bye")
STOP: Final = "/stop"


async def run_console(
    playground: Playground,
    channel: Channel,
    person: Person,
    bot_ready: Awaitable[object],
    *,
    stdin: TextIO = sys.stdin,
    stdout: TextIO = sys.stdout,
    stderr: TextIO = sys.stderr,
    interactive: bool | None = None,
    patience_s: float = PATIENCE_S,
    online_within_s: float = ONLINE_WITHIN_S,
) -> int:
    """Let a person talk to the bot until the input ends or says /quit; return the exit code.

    At a terminal answers are shown as they grow. From a pipe one line is sent after the other, each when the answer
    before it is complete, and only answers go to `stdout`; what its encoding lacks becomes a question mark.
    The code is 69 if the bot did not come online within `online_within_s`, 1 if a line from a pipe was refused or an
    answer never came, else 0. Cancelling restores the terminal's modes.
    """
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")
    is_live = stdin.isatty() if interactive is None else interactive
    face = _Live if is_live else _Piped
    with terminal_modes_kept(stdin):
        console = face(playground, channel, person, LineReader(stdin, stdout), stdout, stderr, patience_s)
        try:
            if not await console.is_online(bot_ready, online_within_s):
                return EX_UNAVAILABLE
            return await console.run()
        finally:
            console.close()


class _Piped(Console):
    """Lines in, answers out, one after the other."""

    async def run(self) -> int:
        """Answer every line of the input; empty ones are skipped."""
        code = 0
        while (line := await self.next_line()) is not None and not _is_quit(line):
            if line.strip() and not await self._ask(line.strip()):
                code = 1
        return code

    async def _ask(self, line: str) -> bool:
        question = await self.sent(line)
        return question is not None and await self._answered(question)

    async def _answered(self, question: Question) -> bool:
        problem = await self.finished(question)
        if problem is not None:
            self.say_aside(problem)
            return False
        if opened_form(question):
            sent = await self.filled_in(question)
            return sent is not None and await self._answered(sent)
        for message in self.playground.answer_so_far(question):
            self.stdout.write(f"{message.content}\n")
        self.stdout.flush()
        return True


class _Live(Console):
    """A prompt, and answers that grow on the screen."""

    PROMPT = "you> "
    FORM_PROMPT = "form> "

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._pointing = Pointing(self.playground.state, self.channel, self.person)
        self._before: dict[int, int] = {}  # of the bot's messages, how often each was edited when a line was sent

    async def is_online(self, bot_ready: Awaitable[object], within_s: float) -> bool:
        """Wait for the bot; say so before and after."""
        self.say_aside(text("terminal.waiting", bot=self.bot_name))
        if not await super().is_online(bot_ready, within_s):
            return False
        self.say_aside(text("terminal.greeting", bot=self.bot_name))
        return True

    async def send(self, line: str) -> Question | None:
        """Send a line, or do what it says to what stands on the screen already. Raises: as any face, see there."""
        self._before = self._edits()
        return await (self._pointing.do(line) if self._pointing.knows(line) else super().send(line))

    async def finished(self, question: Question) -> str | None:
        """Wait for the end of an answer; that to an edited question begins when the one before it changes."""
        if isinstance(question, Message) and question.edited_at is not None:
            with contextlib.suppress(TimeoutError):  # nothing was changed in the question
                await self.playground.until(lambda: self._edits() != self._before, timeout_s=ACKNOWLEDGE_WITHIN_S)
        return await super().finished(question)

    def _edits(self) -> dict[int, int]:
        bot = self.playground.bot.user
        return {m.id: m.revision for m in self.playground.history(self.channel) if m.author is bot}

    async def run(self) -> int:
        """Read at the prompt; while an answer grows, commands such as /stop are taken too."""
        line = await self.next_line()
        try:
            while line is not None and not _is_quit(line):
                line = await self._converse(line.strip()) or await self.next_line()
        finally:
            self._screen.end()
        return 0

    async def next_line(self, prompt: str = PROMPT) -> str | None:
        """Return what was typed or pasted meanwhile, else what is typed now."""
        self._screen.end()
        was_read = bool(self.waiting)
        line = await super().next_line(prompt)
        if was_read:
            self._screen.note(f"{prompt}{line}")
        return line

    def say_aside(self, sentence: str) -> None:
        """Show a sentence of the terminal's own on a line of its own."""
        self._screen.note(sentence)

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self.playground, self.stdout)

    def hear(self, event: Event) -> None:
        """Show what the bot writes, as it writes it."""
        super().hear(event)
        bot = self.playground.bot.user
        if event.channel is not self.channel:
            return
        message = event.message
        if event.name == "TYPING_START" and event.user is bot:
            self._screen.passing(text("terminal.typing", bot=self.bot_name))
        elif message is not None and message.author is bot and self.person.sees(message) and not message.deleted:
            self._screen.show(message)

    async def _converse(self, line: str) -> str | None:
        """Send a line and show its answer; return a command typed meanwhile, None once the answer is complete."""
        question = await self.sent(line) if line else None
        if question is None:
            return None
        if line.lower() in GOODBYES:
            self.say_aside(text("terminal.quit_hint", quit=QUIT[0]))
        command = None
        while question is not None and command is None:
            command = await self._shown(question)
            question = await self.filled_in(question) if command is None else None
        return command

    async def _shown(self, question: Question) -> str | None:
        """Show an answer as it grows; return a command typed meanwhile, None once the answer is complete."""
        answering = asyncio.create_task(self._quiet_after(question))
        typing = asyncio.create_task(self._command_meanwhile())
        try:
            await asyncio.wait({answering, typing}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done() and (command := typing.result()) is not None:
                return command
            if (problem := await answering) is not None:
                self.say_aside(problem)
            if not opened_form(question) and (buttons := self._pointing.buttons()):
                self.say_aside(buttons)
            return None
        finally:
            await _cancelled(answering, typing)

    async def _command_meanwhile(self) -> str | None:
        """Return the next command that need not wait for the answer, None at the end of the input.

        Messages wait for their turn, as from a pipe, and commands behind them too: several lines may have been pasted.
        /stop never waits.
        """
        while (line := await self.lines.interjection()) is not None:
            line = line.strip()
            if line.lower() == STOP or (line.startswith("/") and not self.waiting):
                return line
            if line:
                self.waiting.append(line)
        return None

    async def _quiet_after(self, question: Question) -> str | None:
        """Wait until a question is answered and nothing else grows: /stop is answered before what it ends."""
        return await self.finished(question) or await self.news_until(lambda: not self._is_growing())

    def _is_growing(self) -> bool:
        return any(self.playground.is_running(message) for message in self.playground.history(self.channel))


def _is_quit(line: str) -> bool:
    return line.strip().lower() in QUIT


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
