"""Writes answers while they grow: one writer for each, holding only the newest text.

Owns when something is written and that the end is written too. What a message looks like stands in `render`, where it
goes in `surface`, how fast in `pace`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.core.answer import REPEAT_S
from bot.core.chat import Answer, Phase, Snapshot
from bot.core.messages import Turn
from bot.errors import BotError, QuestionRefused
from bot.frontends.discord import render
from bot.frontends.discord.controls import Controls, controls_of
from bot.frontends.discord.pace import Pace, Timing
from bot.frontends.discord.surface import (
    KEEP,
    FileRefused,
    Gone,
    MessageGone,
    Refused,
    Surface,
    Unreachable,
    Unwritable,
)
from bot.frontends.discord.views import view_of
from bot.texts import text

log = structlog.get_logger(__name__)

T = TypeVar("T")

Shown = Callable[[int, list[int]], Awaitable[None]]
"""Told a turn's id and each message that shows it, as soon as it exists; no message, if one person was told alone."""
Hidden = Callable[[list[int]], Awaitable[object]]
"""Told each message that no longer shows any answer."""


@dataclass(slots=True)
class _Message:
    """One message of the answer; while `content` is None it is not known what it shows, controls and file included."""

    id: int
    content: str | None
    controls: Controls | None = None
    file: str | None = None


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
        notes: Sequence[str] = (),
        salt: int = 0,
        grows: bool = True,
        is_streamed: bool = True,
        max_messages: int | None = None,
    ) -> None:
        """Take the answer; the messages that show it already, or another version of it, are written anew.

        `salt`: another number each time that an ended answer is shown again. Unless it `grows`, only its end is shown;
        unless it `is_streamed`, a placeholder until then.
        What needs more than `max_messages` becomes a file.
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
        self._is_streamed = is_streamed
        self._is_announced = bool(answer.turn.answer)  # by text of an earlier process, if by nothing else
        self._max_messages = max_messages
        self._may_attach = True
        self._is_out_of_time = False
        self._is_told_alone = False
        self._messages = [_Message(message_id, None) for message_id in answer.turn.answer_message_ids]
        self._file_notes = file_notes
        self._notes = notes
        self._is_left_over = is_left_over  # an earlier process may have created what it could not record
        self._created = len(self._messages)
        self._create_is_tried = False
        self._growing = render.Growing()
        self._newest: Snapshot
        self._changed: asyncio.Event  # set once there is news of it
        self._started_at = time.monotonic()
        self._written: Snapshot | None = None
        self._written_at: float | None = None
        self._again_at = 0.0
        self._text_at: float | None = None
        self._streaming = ExitStack()
        self._typing: asyncio.TimerHandle | asyncio.Task[None] | None = None  # a task only once it is due
        self.is_lost = False
        """Set when the place took the answer no more: it, a message or a permission is gone."""

    def follow(self, other: AnswerWriter) -> None:
        """Go on with the messages as another writer left them."""
        self._messages = other._messages
        self._created = len(self._messages)

    async def run(self) -> None:
        """Write until the end is shown or cannot be; then the generation is stopped. A task boundary."""
        self._typing = asyncio.get_running_loop().call_later(self._timing.typing_after_s, self._begin_typing)
        try:
            self._look()
            await self._write_all()
        except Unwritable as exc:
            self._answer.stop()
            log.warning("answer_not_shown", turn=self._answer.turn_id, kind=type(exc).__name__, reason=str(exc))
            self.is_lost = isinstance(exc, Gone)
            if isinstance(exc, Refused):
                await self._say("answer.refused")
        except Exception:
            self._answer.stop()
            log.exception("answer_not_shown", turn=self._answer.turn_id)
            await self._say("error.unexpected")
        finally:
            self._streaming.close()
            await self._end_typing()

    async def _end_typing(self) -> None:
        if self._typing is not None:
            self._typing.cancel()
        if isinstance(self._typing, asyncio.Task):
            await asyncio.gather(self._typing, return_exceptions=True)

    def _begin_typing(self) -> None:
        self._typing = asyncio.create_task(self._type())

    async def _type(self) -> None:
        """Show that the bot is typing, beside everything else: it may be slow or forbidden."""
        while True:
            try:
                await self._surface.type()
            except Unwritable as exc:
                log.debug("typing_failed", reason=str(exc))
                return
            await asyncio.sleep(self._timing.typing_interval_s)

    # When ---------------------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        while True:
            snapshot = self._newest
            if snapshot.phase is Phase.ENDED:
                await self._write_end(snapshot)
                return
            closes_in_s = self._surface.closes_in_s()
            if closes_in_s is not None and closes_in_s <= 0:
                await self._write_in_time()
                return
            due_in_s = self._due_in_s(snapshot, time.monotonic())
            if due_in_s is not None and due_in_s <= 0:
                await self._write_now(snapshot)
            else:
                await self._wait_for_news(due_in_s, closes_in_s)

    async def _wait_for_news(self, *timeouts_s: float | None) -> None:
        """Wait until there is news, at most for the least of these, and look; in line, places change without news."""
        repeat_s = None if self._newest.phase is Phase.ANSWERING else REPEAT_S
        waits_s = [wait_s for wait_s in (*timeouts_s, repeat_s) if wait_s is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout(min(waits_s, default=None)):
                await self._changed.wait()
        self._look()

    def _look(self) -> None:
        self._changed, self._newest = self._answer.changed, self._answer.newest()

    def _due_in_s(self, snapshot: Snapshot, now: float) -> float | None:
        """Return the seconds until this should and can be written, at most 0 for now, None for not at all."""
        wanted_in_s = self._wanted_in_s(snapshot, now)
        return None if wanted_in_s is None else max(wanted_in_s, self._again_at - now)

    def _wanted_in_s(self, snapshot: Snapshot, now: float) -> float | None:
        if snapshot is self._written or not self._grows:
            return None
        if snapshot.phase is Phase.ANSWERING and not self._is_streamed:
            return None if self._is_announced else self._started_at + self._timing.waiting_s - now
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
        if snapshot.phase is Phase.ANSWERING and self._is_streamed:
            contents = self._growing.messages(snapshot.text, self._most())
        else:
            contents = [render.placeholder(snapshot, self._locale)]
        if not contents:  # half a line that may become a code block's: what stands there stays until it is known
            self._written = snapshot
            return
        try:
            await self._write(contents, controls_of(snapshot, self._answer.turn_id))
        except Unreachable as exc:
            self._pace.slow_down()
            self._again_at = time.monotonic() + self._pace.interval_s  # it may have failed without waiting for anything
            log.info("edit_failed", turn=self._answer.turn_id, reason=str(exc))
        else:
            self._written = snapshot
            self._is_announced = snapshot.phase is Phase.ANSWERING
        finally:
            self._written_at = time.monotonic()

    async def _write_in_time(self) -> None:
        """Stop the answer, and write what there is of it while that is still possible. Raises: Unwritable."""
        self._answer.stop()
        self._is_out_of_time = True
        log.info("answer_out_of_time", turn=self._answer.turn_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.stop_s):
                while self._newest.phase is not Phase.ENDED:
                    await self._wait_for_news()
        await self._write_end(self._newest)

    def _most(self) -> int | None:
        """Return how many messages this answer may take here."""
        room = self._surface.room()
        if room is None:
            return self._max_messages
        return max(1, min(len(self._messages) + room, self._max_messages or room))

    def _drawn(self, ended: Snapshot) -> render.Drawn:
        is_limited = self._surface.room() is not None
        return render.ended(
            ended,
            self._locale,
            [*self._file_notes, *self._notes],
            most=self._most() if self._may_attach or is_limited else None,
            with_file=self._may_attach,
            is_out_of_time=self._is_out_of_time,
        )

    async def _write_end(self, ended: Snapshot) -> None:
        """Write the end, again and again within bounds. Raises: Unwritable."""
        controls = controls_of(ended, self._answer.turn_id)
        for pause_s in (*self._timing.final_retries_s, None):
            try:
                if not await self._refuse_alone(ended):
                    await self._write_drawn(ended, controls)
            except Unreachable as exc:
                if pause_s is None:
                    raise
                log.info("final_edit_failed", turn=self._answer.turn_id, again_in_s=pause_s, reason=str(exc))
                await asyncio.sleep(pause_s)
            else:
                return

    async def _refuse_alone(self, ended: Snapshot) -> bool:
        """Tell a refusal to whoever asked alone and leave nothing before all; return False where that cannot be done.

        Raises: Unwritable.
        """
        if not isinstance(ended.error, QuestionRefused):
            return False
        if not self._is_told_alone:
            self._is_told_alone = await self._surface.tell_alone(ended.error.user_message(self._locale))
        if self._is_told_alone:
            await self._write([], None)
            await self._record([])  # else the next process would tell all that nothing became of it
        return self._is_told_alone

    async def _write_drawn(self, ended: Snapshot, controls: Controls | None) -> None:
        """Write the end once; in more messages where no file may be attached. Raises: Unwritable."""
        for _ in range(2):
            drawn = self._drawn(ended)
            try:
                await self._write(drawn.contents, controls, drawn.file)
            except FileRefused as exc:
                log.info("file_refused", turn=self._answer.turn_id, reason=str(exc))
                self._may_attach = self._create_is_tried = False
            else:
                return

    async def _say(self, key: str) -> None:
        """Add a sentence below what is shown already, if that is possible at all."""
        try:
            await self._create(text(key, self._locale))
        except Unwritable as exc:
            log.info("sentence_not_shown", turn=self._answer.turn_id, reason=str(exc))

    async def _write(self, contents: list[str], controls: Controls | None, file: str | None = None) -> None:
        """Make the messages show `contents`, and the file and the controls below the last of them.

        Those that do already are left alone, so that it can be repeated.
        """
        for number in range(len(self._messages), len(contents)):  # first, so that at no time the answer looks complete
            is_last = number == len(contents) - 1
            await self._create(contents[number], controls if is_last else None, file if is_last else None)
        while len(self._messages) > len(contents):
            await self._remove(self._messages[-1])
        for number, (message, content) in enumerate(zip(self._messages, contents, strict=True)):
            is_last = number == len(contents) - 1
            try:
                await self._update(message, content, controls if is_last else None, file if is_last else None)
            except MessageGone:
                if message.content is not None or self._is_left_over:
                    raise  # somebody took away what was being written, or had been
                await self._drop(message)  # of an earlier answer: long ago, and nobody told
                await self._write(contents, controls, file)
                return

    async def _update(self, message: _Message, content: str, controls: Controls | None, file: str | None) -> None:
        has_new_controls = message.content is None or message.controls != controls
        has_new_file = message.content is None or message.file != file
        if message.content == content and not has_new_controls and not has_new_file:
            return
        view = view_of(controls, self._locale) if has_new_controls else KEEP
        editing = self._surface.edit(message.id, content, view=view, file=file if has_new_file else KEEP)
        await self._timed(editing)
        message.content, message.controls, message.file = content, controls, file

    async def _remove(self, message: _Message) -> None:
        with suppress(MessageGone):
            await self._timed(self._surface.delete(message.id))
        await self._drop(message)

    async def _drop(self, message: _Message) -> None:
        self._messages.remove(message)
        try:
            await self._hidden([message.id])
        except BotError as exc:
            log.warning("message_not_forgotten", turn=self._answer.turn_id, reason=str(exc))

    async def _create(self, content: str, controls: Controls | None = None, file: str | None = None) -> None:
        is_repeated, self._create_is_tried = self._create_is_tried or self._is_left_over, True
        reply_to = self._answer.question_message_ids[-1:] if not self._messages else ()
        nonce = _nonce(self._answer.turn, self._created, self._salt)
        view = view_of(controls, self._locale)
        creating = self._surface.create(
            content, nonce=nonce, reply_to=reply_to[0] if reply_to else None, view=view, file=file
        )
        message_id = await self._timed(creating)
        # A repeated call may have found the message of the first, with the text of that time.
        self._messages.append(_Message(message_id, None if is_repeated else content, controls, file))
        self._created, self._create_is_tried = self._created + 1, False
        if self._typing is not None:
            self._typing.cancel()
        if self._answer.turn.no_store and self._answer.phase is Phase.ENDED:
            return  # it is forgotten already
        await self._record([message_id])

    async def _record(self, message_ids: list[int]) -> None:
        try:
            await self._shown(self._answer.turn_id, message_ids)
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
