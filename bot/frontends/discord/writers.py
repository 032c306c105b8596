"""The writers of all answers on their way: each a task that is awaited here, one at a time for the same messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.core.chat import Answer
from bot.core.messages import Turn
from bot.frontends.discord.pace import Paces, Timing
from bot.frontends.discord.surface import Surface
from bot.frontends.discord.writer import AnswerWriter, Hidden, Shown

log = structlog.get_logger(__name__)


Lost = Callable[[int], Awaitable[None]]
"""Called with a channel that did not take an answer any more; must not raise."""


async def _nobody_is_told(_channel_id: int) -> None:
    return


class Writers:
    """The writers of all answers on their way, each a task that is awaited here."""

    def __init__(
        self,
        shown: Shown,
        hidden: Hidden,
        timing: Timing,
        max_messages: int | None = None,
        *,
        lost: Lost = _nobody_is_told,
    ) -> None:
        """Take how many messages an answer may take before it becomes a file; None: any number."""
        self._shown = shown
        self._hidden = hidden
        self._timing = timing
        self._max_messages = max_messages
        self._lost = lost
        self._paces = Paces(timing)
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest: dict[int, tuple[AnswerWriter, asyncio.Task[None]]] = {}  # by question

    def start(
        self,
        answer: Answer,
        surface: Surface,
        channel_id: int,
        locale: str,
        *,
        is_left_over: bool = False,
        file_notes: Sequence[str] = (),
        notes: Sequence[str] = (),
        salt: int = 0,
        grows: bool = True,
        is_streamed: bool = True,
    ) -> asyncio.Task[None]:
        """Begin to show an answer, which an earlier process may have left, or of which there was another version.

        Whatever is still being written in the same messages is written to its end first. Below the answer stand
        `file_notes`, as they are by its end, and `notes`. `salt`, `grows` and `is_streamed`: see `AnswerWriter`. The
        task never fails, and is awaited in `finish`.
        """
        writer = AnswerWriter(
            answer,
            surface,
            self._paces.of(channel_id),
            shown=self._shown,
            hidden=self._hidden,
            locale=locale,
            timing=self._timing,
            is_left_over=is_left_over,
            file_notes=file_notes,
            notes=notes,
            salt=salt,
            grows=grows,
            is_streamed=is_streamed,
            max_messages=self._max_messages,
        )
        question_id = _question_of(answer.turn)
        running = self._run_after(self._newest.get(question_id), writer, channel_id)
        task = asyncio.create_task(running, name=f"writer of turn {answer.turn_id}")
        self._tasks.add(task)
        self._newest[question_id] = (writer, task)
        task.add_done_callback(lambda task: self._forget(question_id, task))
        return task

    async def _run_after(
        self, before: tuple[AnswerWriter, asyncio.Task[None]] | None, writer: AnswerWriter, channel_id: int
    ) -> None:
        if before is not None:
            await asyncio.wait({before[1]})
            writer.follow(before[0])
        await writer.run()
        if writer.is_lost:
            await self._lost(channel_id)

    def is_writing(self, turn: Turn) -> bool:
        """Tell whether something is being written in a turn's messages."""
        return _question_of(turn) in self._newest

    async def written(self, turn: Turn) -> None:
        """Wait until nothing is being written in a turn's messages any more."""
        while (newest := self._newest.get(_question_of(turn))) is not None:
            await asyncio.wait({newest[1]})

    def _forget(self, question_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        newest = self._newest.get(question_id)
        if newest is not None and newest[1] is task:  # those cancelled together end in any order
            del self._newest[question_id]

    async def finish(self, timeout_s: float) -> None:
        """Wait until every answer is shown to its end; after `timeout_s` the rest is cancelled."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log.warning("answers_left_unfinished", count=len(late))


def _question_of(turn: Turn) -> int:
    """Return what all versions of an answer have in common, and a summary, which no message asked for, alone."""
    return next(iter(turn.question_message_ids), turn.id)
