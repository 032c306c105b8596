"""Writes answers while they grow: one writer for each, holding only the newest text.

Owns when something is written and that the end is written too. What a message looks like stands in `render`, where it
goes in `surface`, how fast in `pace`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.core.chat import Answer, Phase, Snapshot
from bot.core.messages import Turn
from bot.errors import BotError
from bot.frontends.discord import render
from bot.frontends.discord.controls import Controls, controls_of
from bot.frontends.discord.pace import Pace, Timing
from bot.frontends.discord.surface import KEEP, Refused, Surface, Unreachable, Unwritable
from bot.frontends.discord.views import view_of
from bot.texts import text

log = structlog.get_logger(__name__)

T = TypeVar("T")

Shown = Callable[[int, list[int]], Awaitable[None]]
"""Told a turn's id and each message that shows it, as soon as it exists."""
Hidden = Callable[[list[int]], Awaitable[object]]
"""Told each message that no longer shows any answer."""


@dataclass(slots=True)
class _Message:
    """One message of the answer; while `content` is None it is not known what it shows, controls included."""

    id: int
    content: str | None
    controls: Controls | None = None


class AnswerWriter:
    """Shows one answer on one surface."""

    def __init__(
        self,
        answer: Answer,
        surface: Surface,
        pace: Pace,
        *,
        shown: Shown,
        hidden: Hidden,
        locale: str,
        timing: Timing,
        is_left_over: bool = False,
        file_notes: Sequence[str] = (),
        salt: int = 0,
        grows: bool = True,
    ) -> None:
        """Take the answer; the messages that show it already, or another version of it, are written anew.

        `salt`: another number each time that an ended answer is shown again. Unless it `grows`, only its end is shown.
        """
        self._answer = answer
        self._surface = surface
        self._pace = pace
        self._shown = shown
        self._hidden = hidden
        self._locale = locale
        self._timing = timing
        self._salt = salt
        self._grows = grows
        self._messages = [_Message(message_id, None) for message_id in answer.turn.answer_message_ids]
        self._file_notes = file_notes
        self._is_left_over = is_left_over  # an earlier process may have created what it could not record
        self._created = len(self._messages)
        self._create_is_tried = False
        self._news = asyncio.Event()
        self._growing = render.Growing()
        self._newest: Snapshot | None = None
        self._started_at = time.monotonic()
        self._written: Snapshot | None = None
        self._written_at: float | None = None
        self._text_at: float | None = None
        self._streaming = ExitStack()
        self._typing: asyncio.Task[None] | None = None

    def follow(self, other: AnswerWriter) -> None:
        """Go on with the messages as another writer left them."""
        self._messages = other._messages
        self._created = len(self._messages)

    async def run(self) -> None:
        """Write until the end is shown or cannot be; then the generation is stopped. A task boundary."""
        reader = asyncio.create_task(self._read())
        self._typing = asyncio.create_task(self._type())
        try:
            await self._write_all(reader)
        except Unwritable as exc:
            self._answer.stop()
            log.warning("answer_not_shown", turn=self._answer.turn_id, kind=type(exc).__name__, reason=str(exc))
            if isinstance(exc, Refused):
                await self._say("answer.refused")
        except Exception:
            self._answer.stop()
            log.exception("answer_not_shown", turn=self._answer.turn_id)
            await self._say("error.unexpected")
        finally:
            self._streaming.close()
            for task in (reader, self._typing):
                task.cancel()
            await asyncio.gather(reader, self._typing, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for snapshot in self._answer:
                self._newest = snapshot
                self._news.set()
        finally:
            self._news.set()

    async def _type(self) -> None:
        """Show that the bot is typing, beside everything else: it may be slow or forbidden."""
        await asyncio.sleep(self._timing.typing_after_s)
        while True:
            try:
                await self._surface.type()
            except Unwritable as exc:
                log.debug("typing_failed", reason=str(exc))
                return
            await asyncio.sleep(self._timing.typing_interval_s)

    # When ---------------------------------------------------------------------------------------------------------

    async def _write_all(self, reader: asyncio.Task[None]) -> None:
        while True:
            snapshot = self._newest
            if snapshot is not None and snapshot.phase is Phase.ENDED:
                contents = render.ended(snapshot, self._locale, self._file_notes)
                await self._write_end(contents, controls_of(snapshot, self._answer.turn_id))
                return
            if reader.done():
                await reader  # it failed, as the end is the only way out for it
            due_in_s = self._due_in_s(snapshot) if snapshot is not None else None
            if snapshot is not None and due_in_s is not None and due_in_s <= 0:
                await self._write_now(snapshot)
            else:
                await self._wait_for_news(due_in_s)

    async def _wait_for_news(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _due_in_s(self, snapshot: Snapshot) -> float | None:
        """Return the seconds until this should be written, at most 0 for now, None for not at all."""
        now = time.monotonic()
        if snapshot is self._written or not self._grows:
            return None
        if snapshot.phase is Phase.ANSWERING:
            return self._text_due_at(snapshot.text, now) - now if snapshot.text.strip() else None
        if snapshot.text.strip():
            return None  # an earlier process showed this much; it says more than a placeholder
        if snapshot.phase is Phase.WAITING and not snapshot.ahead and not self._messages:
            return None  # it begins at once; typing is enough
        if self._written_at is not None:
            return self._written_at + self._timing.placeholder_interval_s - now
        return 0 if snapshot.phase is Phase.LOADING else self._started_at + self._timing.waiting_s - now

    def _text_due_at(self, answer: str, now: float) -> float:
        if self._text_at is None:
            self._text_at = now
            self._streaming.enter_context(self._pace.streaming())
        if self._written_at is not None:
            return self._written_at + self._pace.interval_s
        return now if len(answer) >= self._timing.first_text_chars else self._text_at + self._timing.first_text_s

    # What ---------------------------------------------------------------------------------------------------------

    async def _write_now(self, snapshot: Snapshot) -> None:
        """Write what is there now; if that fails for the moment, what is there later will do."""
        if snapshot.phase is Phase.ANSWERING:
            contents = self._growing.messages(snapshot.text)
        else:
            contents = [render.placeholder(snapshot, self._locale)]
        if not contents:  # half a line that may become a code block's: what stands there stays until it is known
            self._written = snapshot
            return
        try:
            await self._write(contents, controls_of(snapshot, self._answer.turn_id))
        except Unreachable as exc:
            self._pace.slow_down()
            log.info("edit_failed", turn=self._answer.turn_id, reason=str(exc))
        else:
            self._written = snapshot
        finally:
            self._written_at = time.monotonic()

    async def _write_end(self, contents: list[str], controls: Controls | None) -> None:
        """Write the end, again and again within bounds. Raises: Unwritable."""
        for pause_s in (*self._timing.final_retries_s, None):
            try:
                await self._write(contents, controls)
            except Unreachable as exc:
                if pause_s is None:
                    raise
                log.info("final_edit_failed", turn=self._answer.turn_id, again_in_s=pause_s, reason=str(exc))
                await asyncio.sleep(pause_s)
            else:
                return

    async def _say(self, key: str) -> None:
        """Add a sentence below what is shown already, if that is possible at all."""
        try:
            await self._create(text(key, self._locale))
        except Unwritable as exc:
            log.info("sentence_not_shown", turn=self._answer.turn_id, reason=str(exc))

    async def _write(self, contents: list[str], controls: Controls | None) -> None:
        """Make the messages show `contents`, and the controls below the last of them.

        Those that do already are left alone, so that it can be repeated.
        """
        for number in range(len(self._messages), len(contents)):  # first, so that at no time the answer looks complete
            await self._create(contents[number], controls if number == len(contents) - 1 else None)
        while len(self._messages) > len(contents):
            await self._remove(self._messages[-1])
        for number, (message, content) in enumerate(zip(self._messages, contents, strict=True)):
            await self._update(message, content, controls if number == len(contents) - 1 else None)

    async def _update(self, message: _Message, content: str, controls: Controls | None) -> None:
        is_changed = message.content is None or message.controls != controls
        if message.content == content and not is_changed:
            return
        view = view_of(controls, self._locale) if is_changed else KEEP
        await self._timed(self._surface.edit(message.id, content, view=view))
        message.content, message.controls = content, controls

    async def _remove(self, message: _Message) -> None:
        await self._timed(self._surface.delete(message.id))
        self._messages.remove(message)
        try:
            await self._hidden([message.id])
        except BotError as exc:
            log.warning("message_not_forgotten", turn=self._answer.turn_id, reason=str(exc))

    async def _create(self, content: str, controls: Controls | None = None) -> None:
        is_repeated, self._create_is_tried = self._create_is_tried or self._is_left_over, True
        reply_to = self._answer.question_message_ids[-1:] if not self._messages else ()
        nonce = _nonce(self._answer.turn, self._created, self._salt)
        view = view_of(controls, self._locale)
        creating = self._surface.create(content, nonce=nonce, reply_to=reply_to[0] if reply_to else None, view=view)
        message_id = await self._timed(creating)
        # A repeated call may have found the message of the first, with the text of that time.
        self._messages.append(_Message(message_id, None if is_repeated else content, controls))
        self._created, self._create_is_tried = self._created + 1, False
        if self._typing is not None:
            self._typing.cancel()
        try:
            await self._shown(self._answer.turn_id, [message_id])
        except BotError as exc:  # after a restart it would be answered in a new message; now it is shown all the same
            log.warning("message_not_recorded", turn=self._answer.turn_id, reason=str(exc))

    async def _timed(self, call: Awaitable[T]) -> T:
        began_at = time.monotonic()
        result = await call
        self._pace.took(time.monotonic() - began_at)
        return result


def _nonce(turn: Turn, number: int, salt: int) -> int:
    """Return the nonce of a turn's message `number`: the same in every process, and no other message's.

    Discord gives back the message of an earlier call with the same nonce, for some minutes: also a deleted one, of an
    answer to the question's earlier words. So neither a repeated call
    nor a process that was killed before it could record the message leaves a second one behind.
    """
    name = f"{turn.question_message_ids[:1]} {turn.id} {turn.edits} {number} {salt}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
