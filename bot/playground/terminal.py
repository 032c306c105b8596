"""The terminal user: a person who talks to the bot from standard input, live at a prompt or through a pipe.

Owns what is printed and when an answer counts as complete. Everything goes through the playground as any other
person's would: messages, and real slash commands.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import Any, TextIO

from bot.playground.errors import ApiError
from bot.playground.lines import LineReader, terminal_modes_kept
from bot.playground.model import Channel, Interaction, Message
from bot.playground.rest.interactions import ACKNOWLEDGE_WITHIN_S
from bot.playground.server import Playground
from bot.playground.state import Event
from bot.playground.typed import UsageError, parse
from bot.playground.user import Person, UnknownCommandError
from bot.texts import text

PATIENCE_S = 120.0
"""How long the terminal waits without any sign of the bot: no message, no edit, no typing."""
QUIT = ("/quit", "/exit")

Question = Message | Interaction


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
) -> int:
    """Let a person talk to the bot until the input ends or says /quit; return the exit code.

    At a terminal answers are shown as they grow. From a pipe one line is sent after the other, each when the answer
    before it is complete, and only answers go to `stdout`. The code is 1 if an answer never came, else 0.
    Cancelling restores the terminal's modes.
    """
    is_live = stdin.isatty() if interactive is None else interactive
    face = _Live if is_live else _Piped
    with terminal_modes_kept(stdin):
        console = face(playground, channel, person, LineReader(stdin, stdout), stdout, stderr, patience_s)
        try:
            return await console.run(bot_ready)
        finally:
            console.close()


class _Console:
    """What both faces share: sending a line, and waiting for the end of its answer."""

    def __init__(
        self,
        playground: Playground,
        channel: Channel,
        person: Person,
        lines: LineReader,
        stdout: TextIO,
        stderr: TextIO,
        patience_s: float,
    ) -> None:
        self.playground = playground
        self.channel = channel
        self.person = person
        self.lines = lines
        self.stdout = stdout
        self.stderr = stderr
        self.patience_s = patience_s
        self.bot_name = playground.bot.name
        self._signs = 0
        self._unsubscribe = playground.state.subscribe(self._hear)

    async def run(self, bot_ready: Awaitable[object]) -> int:
        """Talk until the input ends."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def _hear(self, event: Event) -> None:
        if event.channel is self.channel:
            self._signs += 1

    async def send(self, line: str) -> Question:
        """Send a line as a message or as a slash command. Raises: UnknownCommandError, UsageError, ApiError."""
        if not line.startswith("/"):
            return await self.person.say(self.channel, line)
        typed = parse(line, self.person.commands(self.channel))
        return await self.person.slash(self.channel, typed.name, **typed.options)

    def complaint(self, error: UnknownCommandError | UsageError | ApiError) -> str:
        """Return the sentence for a line that could not be sent."""
        if isinstance(error, UnknownCommandError):
            known = " ".join(f"/{command.name}" for command in self.person.commands(self.channel))
            return text("terminal.no_command", name=error, known=known)
        if isinstance(error, UsageError):
            return text("terminal.usage", usage=error)
        return text("terminal.refused", reason=error.message)

    async def finished(self, question: Question) -> str | None:
        """Wait for the end of an answer; return what went wrong, if anything did."""
        if isinstance(question, Interaction):
            try:
                await self.playground.until(lambda: question.acknowledged, timeout_s=ACKNOWLEDGE_WITHIN_S)
            except TimeoutError:
                return text("terminal.no_response")
        return await self._news_until(lambda: self.playground.is_finished(question))

    async def _news_until(self, condition: Callable[[], bool]) -> str | None:
        """Wait for a condition as long as the bot gives signs; return the sentence for when it gave none."""
        while not condition():
            try:
                await self.playground.until(partial(self._has_news_since, self._signs), timeout_s=self.patience_s)
            except TimeoutError:
                return text("terminal.no_answer", bot=self.bot_name, patience_s=round(self.patience_s))
        return None

    def _has_news_since(self, signs: int) -> bool:
        return self._signs != signs


class _Piped(_Console):
    """Lines in, answers out, one after the other."""

    async def run(self, bot_ready: Awaitable[object]) -> int:
        """Answer every line of the input; empty ones are skipped."""
        await bot_ready
        code = 0
        while (line := await self.lines.line()) is not None and line.strip() not in QUIT:
            if line.strip() and not await self._ask(line.strip()):
                code = 1
        return code

    async def _ask(self, line: str) -> bool:
        try:
            question = await self.send(line)
        except (UnknownCommandError, UsageError, ApiError) as exc:
            self._put(self.complaint(exc), self.stderr)
            return True
        problem = await self.finished(question)
        if problem is not None:
            self._put(problem, self.stderr)
            return False
        for message in self.playground.answer_so_far(question):
            self._put(message.content, self.stdout)
        return True

    @staticmethod
    def _put(line: str, stream: TextIO) -> None:
        stream.write(f"{line}\n")
        stream.flush()


class _Live(_Console):
    """A prompt, and answers that grow on the screen."""

    PROMPT = "you> "

    async def run(self, bot_ready: Awaitable[object]) -> int:
        """Read at the prompt; while an answer grows, lines such as /stop are taken too."""
        screen = self._screen
        screen.note(text("terminal.waiting", bot=self.bot_name))
        await bot_ready
        screen.note(text("terminal.greeting", bot=self.bot_name))
        line = await self.lines.line(self.PROMPT)
        while line is not None and line.strip() not in QUIT:
            line = await self._converse(line.strip())
            screen.end()
            if line is None:
                line = await self.lines.line(self.PROMPT)
        return 0

    @cached_property
    def _screen(self) -> _Screen:
        return _Screen(self.playground, self.stdout)

    def _hear(self, event: Event) -> None:
        super()._hear(event)
        bot = self.playground.bot.user
        if event.channel is not self.channel:
            return
        message = event.message
        if event.name == "TYPING_START" and event.user is bot:
            self._screen.passing(text("terminal.typing", bot=self.bot_name))
        elif message is not None and message.author is bot and self.person.sees(message) and not message.deleted:
            self._screen.show(message)

    async def _converse(self, line: str) -> str | None:
        """Send a line and show its answer; return a line typed meanwhile, None once the answer is complete."""
        if not line:
            return None
        try:
            question = await self.send(line)
        except (UnknownCommandError, UsageError, ApiError) as exc:
            self._screen.note(self.complaint(exc))
            return None
        answering = asyncio.create_task(self._quiet_after(question))
        typing = asyncio.create_task(self.lines.interjection())
        try:
            await asyncio.wait({answering, typing}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done() and (typed := typing.result()) is not None:
                return typed
            if (problem := await answering) is not None:
                self._screen.note(problem)
            return None
        finally:
            await _cancelled(answering, typing)

    async def _quiet_after(self, question: Question) -> str | None:
        """Wait until a question is answered and nothing else grows: /stop is answered before what it ends."""
        return await self.finished(question) or await self._news_until(lambda: not self._is_growing())

    def _is_growing(self) -> bool:
        return any(self.playground.is_running(message) for message in self.playground.history(self.channel))


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Screen:
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
