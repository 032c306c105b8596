"""What questions bring in after they were taken: files that take seconds to fetch and read.

Owns the tasks that bring it, one for each such message, and writes down what they bring. The question is on disk and
waits meanwhile; if the process ends first, the next one answers without: what was accepted says which files there are.
Knows nothing of how anything is fetched.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from bot.core import _questions
from bot.core.filtering import FilteredWords, texts_of
from bot.core.history import History, load_turn
from bot.core.messages import Brought, ExcerptKind, Question, TurnState
from bot.core.models import Models
from bot.core.visitor import visitor_of_turn
from bot.core.wordfilter import WordFilter
from bot.errors import BotError, QuestionRefused, WordFiltered

log = structlog.get_logger(__name__)

Bring: TypeAlias = Callable[[], Awaitable[Brought]]

BRING_S: Final = 180.0
"""How long a question waits for what it brings in: a file is fetched within 60 s, and others may go first."""

_MOST_FILTERED: Final = 10_000

_CAN_CHANGE: Final = frozenset({TurnState.QUEUED, TurnState.INTERRUPTED})


class Deliveries:
    """What is on its way, by the message that brings it."""

    def __init__(self, history: History, models: Models, words: FilteredWords) -> None:
        """Take the parts; what has filtered `words` is not brought in."""
        self._words = words
        self._filtered: dict[int, None] = {}  # messages that brought some, the newest last
        self._history = history
        self._models = models
        self._expected: dict[int, asyncio.Event] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @contextmanager
    def expecting(self, message_id: int) -> Iterator[None]:
        """Expect what a message brings from before it is on disk: a turn that it joins might begin at once.

        Unless it is started in the block, it is expected no more afterwards.
        """
        self._expected[message_id] = asyncio.Event()
        self._filtered.pop(message_id, None)
        try:
            yield
        finally:
            if message_id not in self._tasks:
                self._end(message_id)

    def start(self, message_id: int, bring: Bring) -> None:
        """Begin to bring what an expected message brings, now that it is on disk."""
        task = asyncio.create_task(self._deliver(message_id, bring), name=f"files of message {message_id}")
        self._tasks[message_id] = task
        task.add_done_callback(lambda _task: self._end(message_id))

    @property
    def are_none(self) -> bool:
        """Whether no message has anything on its way, or was refused for what it had brought."""
        return not (self._expected or self._filtered)

    def is_expected(self, message_ids: Iterable[int]) -> bool:
        """Tell whether anything of these messages is still on its way."""
        return any(message_id in self._expected for message_id in message_ids)

    async def arrived(self, message_ids: Iterable[int]) -> None:
        """Wait until all that these messages bring is on disk, or is not to be had."""
        for expected in [self._expected[one] for one in message_ids if one in self._expected]:
            await expected.wait()

    def check(self, message_ids: Iterable[int]) -> None:
        """Refuse to go on with messages that brought filtered words. Raises: WordFiltered."""
        if any(message_id in self._filtered for message_id in message_ids):
            raise WordFiltered

    def asked_again(self, question: Question) -> None:
        """Take a message's changed text: it is no longer refused for files that it has no more."""
        if not any(one.kind is ExcerptKind.FILE for one in question.excerpts):
            self._filtered.pop(question.message_id, None)

    def drop(self, message_ids: Iterable[int]) -> None:
        """Bring no more what these messages were to bring; returns at once."""
        for message_id in message_ids:
            if message_id in self._tasks:
                self._tasks[message_id].cancel()

    async def ended(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way, at most `timeout_s`."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)

    async def aclose(self) -> None:
        """Drop all that is on its way."""
        self.drop(list(self._tasks))
        await self.ended()

    def _end(self, message_id: int) -> None:
        self._tasks.pop(message_id, None)
        self._expected.pop(message_id).set()

    async def _deliver(self, message_id: int, bring: Bring) -> None:
        """Bring and write down what one message brings. A task boundary: without it the question is answered too."""
        try:
            async with asyncio.timeout(BRING_S):
                brought = await bring()
            turn = await self._history.turn_of_message(message_id)
            words = self._words.at(turn.key.guild_id) if turn is not None and turn.key is not None else None
            await self._history.write(lambda connection: bring_in(connection, message_id, brought, self._models, words))
        except WordFiltered:
            self._filtered[message_id] = None
            while len(self._filtered) > _MOST_FILTERED:
                del self._filtered[next(iter(self._filtered))]
        except BotError as exc:
            log.warning("nothing_brought_in", message=message_id, error=str(exc))
        except Exception:
            log.exception("nothing_brought_in", message=message_id)


def bring_in(
    connection: sqlite3.Connection,
    message_id: int,
    brought: Brought,
    models: Models,
    words: WordFilter | None = None,
) -> None:
    """Add what a message brought to its question, within the caller's transaction, cut to the room it may have.

    Its words are those of now, also if it was edited meanwhile; `brought.words` are taken if it has none, and if they
    fit. Nothing happens when it was deleted, or its turn waits no longer. Raises: WordFiltered.
    """
    found = _questions.stored(connection, message_id)
    if found is None:
        return
    turn_id, said = found
    turn = load_turn(connection, turn_id)
    if turn.state not in _CAN_CHANGE or turn.key is None:
        return
    quotes = tuple(one for one in said.excerpts if one.kind is ExcerptKind.QUOTE)
    named = {one.name for one in said.excerpts}  # an edit may have taken files away
    excerpts = (*quotes, *(one for one in brought.excerpts if one.name in named))
    question = Question(
        turn.key, turn.user_id, message_id, said.words, said.author_name, excerpts, visitor_of_turn(turn)
    )
    is_shared = turn.key.user_id is None
    beside = _questions.others(connection, turn_id, message_id, is_shared=is_shared)
    ways = [question]
    if brought.words and not said.words.strip():
        ways.insert(0, replace(question, text=brought.words, excerpts=quotes))
    for way in ways:
        try:
            fitting = models.of(turn).prompts.admit(way, beside=beside)
        except QuestionRefused:  # as words it is too long: its beginning can be read as a file
            continue
        if words is not None and any(map(words.is_in, texts_of(fitting))):
            raise WordFiltered
        _questions.change(connection, fitting)
        _questions.compose_again(connection, turn_id, is_shared=is_shared, words=words)
        return
