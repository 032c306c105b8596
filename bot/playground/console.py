"""What every face of the terminal user shares: sending a line, filling in a form, waiting for the end of an answer.

Owns when an answer counts as complete. Everything goes through the playground as any other person's would: messages,
and real slash commands.
"""

from __future__ import annotations

import asyncio
import difflib
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TextIO, TypeGuard

from bot.playground.commanding import UnknownCommandError
from bot.playground.components import UnknownComponentError, labelled
from bot.playground.errors import ApiError
from bot.playground.lines import LineReader
from bot.playground.model import CallbackType, Channel, Interaction, Message, required
from bot.playground.posting import CONTENT_LIMIT_CHARS
from bot.playground.rest.interactions import ACKNOWLEDGE_WITHIN_S
from bot.playground.server import Playground
from bot.playground.state import Event
from bot.playground.typed import UsageError, parse
from bot.playground.user import Person
from bot.texts import text

QUIT: Final = ("/quit", "/exit")

Question = Message | Interaction


class Console:
    """What both faces share: sending a line, and waiting for the end of its answer."""

    FORM_PROMPT = ""

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
        self.waiting: deque[str] = deque()  # lines that were read before their turn
        self._unsubscribe = playground.state.subscribe(self.hear)

    async def is_online(self, bot_ready: Awaitable[object], within_s: float) -> bool:
        """Wait for the bot; complain if it does not come."""
        try:
            async with asyncio.timeout(within_s):
                await bot_ready
        except TimeoutError:
            self.say_aside(text("terminal.offline", bot=self.bot_name, within_s=round(within_s)))
            return False
        return True

    async def run(self) -> int:
        """Talk until the input ends; return the exit code."""
        raise NotImplementedError

    def say_aside(self, sentence: str) -> None:
        """Show a sentence that is no answer."""
        self.stderr.write(f"{sentence}\n")
        self.stderr.flush()

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def hear(self, event: Event) -> None:
        """Count what happens in the channel as a sign of the bot."""
        if event.channel is self.channel:
            self._signs += 1

    async def send(self, line: str) -> Question | None:
        """Send a line as a message or as a slash command. Raises: UnknownCommandError, UsageError, ApiError."""
        if not line.startswith("/"):
            return await self.person.say(self.channel, line)
        typed = parse(line, self.person.commands(self.channel))
        return await self.person.slash(self.channel, typed.name, **typed.options)

    async def sent(self, line: str) -> Question | None:
        """Send a line; if it cannot be sent, say why and return None."""
        try:
            return await self.send(line)
        except UnknownCommandError as exc:
            self.say_aside(self._unknown(str(exc)))
        except UsageError as exc:
            self.say_aside(text("terminal.usage", usage=exc))
        except ApiError as exc:
            self.say_aside(self._refused(line, exc))
        return None

    def _unknown(self, name: str) -> str:
        known = [f"/{command.name}" for command in self.person.commands(self.channel)] + [QUIT[0]]
        nearest = difflib.get_close_matches(f"/{name.lower()}", known, n=1)
        key = "terminal.nearest_command" if nearest else "terminal.no_command"
        return text(key, name=name, nearest="".join(nearest), known=" ".join(known))

    @staticmethod
    def _refused(line: str, error: ApiError) -> str:
        if len(line) > CONTENT_LIMIT_CHARS and not line.startswith("/"):
            return text("terminal.too_long", chars=f"{len(line):,}", limit=f"{CONTENT_LIMIT_CHARS:,}")
        return text("terminal.refused", reason=error.message)

    async def next_line(self, prompt: str = "") -> str | None:
        """Return the line whose turn it is, None at the end of the input."""
        return self.waiting.popleft() if self.waiting else await self.lines.line(prompt)

    async def filled_in(self, question: Question) -> Interaction | None:
        """Ask for the fields of the form that answered a question, if one did, and send it off; None if nothing was.

        An empty line leaves a field as it is; one that begins with a slash closes the form, and is the next line.
        """
        if not opened_form(question):
            return None
        modal, values = required(question.modal), {}
        self.say_aside(text("terminal.form", title=modal["title"]))
        for label, field in labelled(modal):
            now = field.get("value") or ""
            self.say_aside(text("terminal.field_now" if now else "terminal.field", label=label, now=now))
            line = await self.next_line(self.FORM_PROMPT)
            if line is None or line.startswith("/"):
                self.waiting.extendleft([] if line is None else [line])
                self.say_aside(text("terminal.form_closed"))
                return None
            if line.strip():
                values[field["custom_id"]] = line.strip()
        try:
            return await self.person.submit(question, **values)
        except UnknownComponentError:
            self.say_aside(text("terminal.form_incomplete"))
        except ApiError as exc:
            self.say_aside(text("terminal.refused", reason=exc.message))
        return None

    async def finished(self, question: Question) -> str | None:
        """Wait for the end of an answer, or for the form to fill in; return what went wrong, if anything did."""
        if isinstance(question, Interaction):
            before = None if question.message is None else question.message.revision
            try:
                await self.playground.until(lambda: question.acknowledged, timeout_s=ACKNOWLEDGE_WITHIN_S)
                if question.callback is CallbackType.DEFERRED_UPDATE:
                    await self.playground.until(partial(_has_shown, question, before), timeout_s=ACKNOWLEDGE_WITHIN_S)
            except TimeoutError:
                return None if question.acknowledged else text("terminal.no_response")
            if opened_form(question):
                return None
        problem = await self.news_until(lambda: self.playground.is_finished(question) or bool(self._sign(question)))
        sign = self._sign(question)
        return text("terminal.sign", bot=self.bot_name, sign=sign) if problem is None and sign else problem

    def _sign(self, question: Question) -> str:
        """Return the bot's reactions to a message: where it refused the same a moment ago, it says nothing more."""
        if not isinstance(question, Message):
            return ""
        return " ".join(emoji for emoji, ids in question.reactions.items() if self.playground.bot.user.id in ids)

    async def news_until(self, condition: Callable[[], bool]) -> str | None:
        """Wait for a condition as long as the bot gives signs; return the sentence for when it gave none."""
        while not condition():
            try:
                await self.playground.until(partial(self._has_news_since, self._signs), timeout_s=self.patience_s)
            except TimeoutError:
                return text("terminal.no_answer", bot=self.bot_name, patience_s=round(self.patience_s))
        return None

    def _has_news_since(self, signs: int) -> bool:
        return self._signs != signs


def opened_form(question: Question) -> TypeGuard[Interaction]:
    """Whether what came of a command is a form to fill in."""
    return isinstance(question, Interaction) and question.modal is not None


def _has_shown(pressed: Interaction, revision: int | None) -> bool:
    """Whether anything came of a button: its message changed or went, or its presser was told something."""
    message = pressed.message
    return bool(pressed.followups) or message is None or message.deleted or message.revision != revision
