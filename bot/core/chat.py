"""The use cases: ask, stop, reset, history, and what the start and the end of the process do to answers on their way.

Owns one background job for each turn that is not finished. Knows neither Discord nor OpenVINO; the store, the tokenizer
and the engine are handed in. How one turn is generated is `bot.core.generation`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

import structlog

from bot.core.answer import Answer, Phase, Snapshot
from bot.core.engine import Engine, EngineInfo, Loading
from bot.core.generation import Generator
from bot.core.history import Accepted, History
from bot.core.messages import GREEDY, ConversationKey, Finish, Question, Sampling, Turn, TurnState
from bot.core.observer import NOBODY, Observer
from bot.core.phi3 import Phi3Tokenizer
from bot.core.prompt import PromptBuilder, is_exchange
from bot.core.ratelimit import RateLimit
from bot.core.rooms import Rooms
from bot.core.warming import Warmer
from bot.errors import (
    BotError,
    EngineFailed,
    HistoryFailed,
    QuestionRefused,
    QueueFull,
    RestartedTooLate,
    ShuttingDown,
)

__all__ = ["Answer", "Chat", "ChatLimits", "Phase", "Remembered", "Snapshot", "Status", "Taken"]

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
"""How often a turn is begun before it is given up."""


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """What the admin allows."""

    max_new_tokens: int = 1024
    max_waiting: int = 100
    max_wait_s: float = 900.0  # a question that waited longer for its turn is given up
    per_user_per_minute: int = 20
    unlimited_user_ids: frozenset[int] = frozenset()  # who may ask as fast as they like: the owners
    resume_max_age_s: float = 3600.0  # an older question is not answered out of the blue after a restart


@dataclass(frozen=True, slots=True)
class Status:
    """What the bot is doing right now."""

    info: EngineInfo
    loading: Loading | None
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the next prompt would contain of a conversation, and how much of it no prompt contains any more."""

    turns: list[Turn]  # the newest, oldest first
    earlier: int = 0  # older ones that the prompt would contain too
    forgotten: int = 0  # still older ones, which no longer fit


class Taken(Enum):
    """Why a question has no answer of its own."""

    JOINED = auto()  # a turn that still waits: its answer covers both
    BEFORE = auto()  # the very same message, and what became of it is shown already


_TAKEN: Final = {Taken.JOINED: "joined", Taken.BEFORE: "repeated"}


class Chat:
    """Answers questions. Every method may be called from many tasks of one event loop."""

    def __init__(
        self,
        history: History,
        tokenizer: Phi3Tokenizer,
        engine: Engine,
        *,
        system_prompt: str,
        sampling: Sampling | None = None,
        limits: ChatLimits | None = None,
        observer: Observer = NOBODY,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the parts; none is closed here. `clock` gives seconds for rates and durations."""
        self._history = history
        self._engine = engine
        self._limits = limits or ChatLimits()
        self._observer = observer
        self._clock = clock
        self._wall_clock = wall_clock
        self._prompts = PromptBuilder(
            history,
            tokenizer,
            system_prompt=system_prompt,
            context_tokens=lambda: engine.info.context_tokens,
            max_new_tokens=self._limits.max_new_tokens,
        )
        self._generator = Generator(
            history, tokenizer, engine, self._prompts, sampling or GREEDY, self._limits.max_wait_s, clock, observer
        )
        self._rooms = Rooms(history, wall_clock)
        self._warmer = Warmer(history, engine, self._prompts)
        self._accepting = 0  # questions on their way to the disk
        self._rate = RateLimit(self._limits.per_user_per_minute, clock)
        self._answers: dict[int, Answer] = {}  # on their way, by turn id
        self._jobs: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def ask(self, question: Question) -> Answer | Taken:
        """Take a question; on return it is on disk and will be answered, whatever happens to the process.

        Raises: ShuttingDown, QuestionEmpty, QuestionTooLong, TooManyQuestions, QueueFull.
        """
        try:
            answer = await self._take(question)
        except BotError as exc:
            self._observer.asked(exc.key.removeprefix("refused.") if isinstance(exc, QuestionRefused) else "failed")
            raise
        self._observer.asked(_TAKEN[answer] if isinstance(answer, Taken) else "taken")
        return answer

    async def _take(self, question: Question) -> Answer | Taken:
        if self._closing.is_set():
            raise ShuttingDown
        question = self._prompts.admit(question)
        waiting = self.status().waiting + self._accepting
        if waiting >= self._limits.max_waiting:
            raise QueueFull(waiting, self._generator.scheduler.wait_s())
        if question.user_id not in self._limits.unlimited_user_ids:
            self._rate.count(question.user_id)
        self._accepting += 1
        self._warmer.stop()
        try:
            return self._begin(await self._history.accept(question, may_join=self._prompts.fits))
        finally:
            self._accepting -= 1
            self._warm_if_idle()

    def _begin(self, accepted: Accepted) -> Answer | Taken:
        """Begin to answer a question that is on disk, if it has an answer of its own."""
        if accepted.outcome == "duplicate":
            return Taken.BEFORE
        joined = self._answers.get(accepted.turn.id)
        if joined is not None:
            joined.turn = accepted.turn
            return Taken.JOINED
        answer = self._start(accepted.turn)
        if self._closing.is_set():  # meanwhile
            answer.stop(TurnState.INTERRUPTED)
        return answer

    async def shown(self, turn_id: int, message_ids: Sequence[int]) -> None:
        """Record which messages show a turn's answer, in order."""
        await self._history.add_answer_messages(turn_id, message_ids)

    async def stop(self, key: ConversationKey) -> int:
        """Stop what runs or waits in a conversation; the text so far stays. Returns how many turns that ends."""
        return sum([answer.stop() for answer in self._answers.values() if _is_in(answer, key)])

    async def reset(self, key: ConversationKey) -> bool:
        """Begin anew: later turns know nothing of earlier ones; a running answer stops and stays behind.

        Returns False when there was nothing to forget.
        """
        forgot = await self._history.reset(key)
        return bool(await self.stop(key)) or forgot

    async def reset_everywhere(self, user_id: int) -> int:
        """Begin anew in every conversation of one person. Returns in how many there was something to forget."""
        count = await self._history.reset_everywhere(user_id)
        for answer in self._answers.values():
            if answer.turn.key is not None and answer.turn.key.user_id == user_id:  # a shared room is not theirs alone
                answer.stop()
        return count

    def is_shared(self, channel_id: int) -> bool:
        """Tell whether a channel or thread is one conversation of all who write there."""
        return self._rooms.is_shared(channel_id)

    def key_for(self, channel_id: int, user_id: int, guild_id: int | None) -> ConversationKey:
        """Return whose conversation it is that a person takes part in there: their own, or the room's."""
        return self._rooms.key_for(channel_id, user_id, guild_id)

    async def set_shared(self, channel_id: int, guild_id: int | None, *, shared: bool) -> bool:
        """Make a channel or thread one conversation, or each person's own again; return whether that changed it."""
        return await self._rooms.set_shared(channel_id, guild_id, shared=shared)

    async def carry_over(self, source: ConversationKey, target: ConversationKey) -> bool:
        """Let a conversation that has not begun go on from where another one is; both then go their own ways.

        What is deleted of the source later is gone from there too. Returns False, changing nothing, when there is
        nothing to carry over or the target has begun already.
        """
        return await self._history.carry_over(source, target)

    async def history(self, key: ConversationKey, limit: int) -> Remembered:
        """Return what the bot knows of the conversation as it stands, at most the newest `limit` (1 or more) turns."""
        head = next(iter(await self._history.recent(key, 1)), None)
        if head is None:
            return Remembered([])
        known = [turn for turn in [*await self._history.path(head.id), head] if is_exchange(turn)]
        return Remembered(
            known[-limit:], earlier=max(0, len(known) - limit), forgotten=await self._history.forgotten(head.id)
        )

    async def resume(self) -> list[Answer]:
        """Take up what an earlier process left, from where it was, or say that it is too late.

        To be called once, before the first question: a new one must not overtake them, and from then on `is_shared`
        and `key_for` know the rooms.
        """
        await self._rooms.load()
        left = await self._history.unfinished()
        if left:
            log.info("answers_resumed", count=len(left))
        hopeless = [turn for turn in left if self._is_hopeless(turn)]
        answers = [self._start(turn) for turn in left if turn not in hopeless]
        return answers + [await self._give_up(turn) for turn in hopeless]

    def status(self) -> Status:
        """Tell what is running and waiting."""
        running = sum(answer.phase is Phase.ANSWERING for answer in self._answers.values())
        return Status(self._engine.info, self._engine.loading, running, len(self._answers) - running)

    async def drain(self, deadline_s: float) -> None:
        """Take no more questions, give running answers `deadline_s` to finish, and interrupt all others.

        Interrupted turns are taken up by `resume` in the next process. Cancelling skips the deadline.
        """
        self._closing.set()
        self._warmer.stop()
        for answer in self._answers.values():
            if answer.phase is not Phase.ANSWERING:
                answer.stop(TurnState.INTERRUPTED)
        try:
            if self._jobs:
                await asyncio.wait(self._jobs, timeout=deadline_s)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Take no more questions and mark every answer on its way interrupted."""
        self._closing.set()
        for answer in self._answers.values():
            answer.stop(TurnState.INTERRUPTED)
        if self._jobs:
            await asyncio.wait(self._jobs)
        await self._warmer.aclose()

    def _start(self, turn: Turn) -> Answer:
        self._warmer.stop()
        answer = self._answers[turn.id] = Answer(turn, self._look, self._clock())
        job = asyncio.create_task(self._see_through(answer), name=f"turn {turn.id}")
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return answer

    def _look(self, answer: Answer) -> Snapshot:
        """Make a snapshot of an answer that has not ended."""
        if answer.phase is Phase.LOADING:
            return Snapshot(answer.phase, answer.text, self._engine.loading)
        if answer.phase is Phase.WAITING and answer.lease is not None:
            place = answer.lease.place()
            return Snapshot(answer.phase, answer.text, ahead=place.ahead, wait_s=place.wait_s)
        return Snapshot(answer.phase, answer.text)

    async def _see_through(self, answer: Answer) -> None:
        """Take one turn to its end, whatever that is, and record it. A task boundary: nothing escapes it."""
        async with AsyncExitStack() as conversation:  # held until the end is recorded: the next turn builds on it
            answer.generation = asyncio.create_task(self._generator.run(answer, conversation))
            if answer.ending is not None:  # asked to end before it began
                answer.generation.cancel()
            try:
                await asyncio.wait({answer.generation})
            finally:
                answer.generation.cancel()
            state, finish, error = _outcome(answer)
            usage = replace(
                answer.usage, completion_tokens=len(answer.ids), total_s=round(self._clock() - answer.started_s, 3)
            )
            try:
                turn = await self._history.finish(
                    answer.turn_id,
                    state=state,
                    finish=finish,
                    answer=answer.text,
                    answer_ids=tuple(answer.ids),
                    usage=usage,
                )
            except Exception:  # the person still gets what there is
                log.exception("answer_not_recorded", turn=answer.turn_id)
                turn = replace(answer.turn, state=state, finish=finish, answer=answer.text, usage=usage)
            del self._answers[answer.turn_id]
            self._observer.ended(state, len(answer.ids))
            answer.end(turn, error)
        self._warmer.look_forward(turn)
        self._warm_if_idle()

    def _warm_if_idle(self) -> None:
        if not (self._answers or self._accepting or self._closing.is_set()):
            self._warmer.start()

    def _is_hopeless(self, turn: Turn) -> bool:
        """Tell whether nobody expects the answer any more, or answering it may be what ends the process each time."""
        return self._wall_clock() - turn.created_at > self._limits.resume_max_age_s or turn.attempts >= MAX_ATTEMPTS

    async def _give_up(self, turn: Turn) -> Answer:
        answer = Answer(turn, self._look)
        ended = replace(turn, state=TurnState.FAILED)
        try:
            ended = await self._history.finish(
                turn.id,
                state=TurnState.FAILED,
                finish=None,
                answer=turn.answer,
                answer_ids=turn.answer_ids,
                usage=turn.usage,
            )
        except HistoryFailed:
            log.exception("answer_not_recorded", turn=turn.id)
        self._observer.ended(TurnState.FAILED, len(turn.answer_ids))
        answer.end(ended, RestartedTooLate())
        return answer


def _is_in(answer: Answer, key: ConversationKey) -> bool:
    own = answer.turn.key
    return own is not None and (own.channel_id, own.user_id) == (key.channel_id, key.user_id)


def _outcome(answer: Answer) -> tuple[TurnState, Finish | None, BotError | None]:
    """Read a finished generation: how the turn ended, and the error to tell the person."""
    generation = answer.generation
    assert generation is not None  # noqa: S101
    if generation.cancelled():
        return answer.ending or TurnState.INTERRUPTED, None, None
    failure = generation.exception()
    if failure is None:
        return TurnState.DONE, generation.result(), None
    if isinstance(failure, BotError):
        log.warning("answer_failed", turn=answer.turn_id, error=str(failure))
        return TurnState.FAILED, None, failure
    log.error("answer_failed", turn=answer.turn_id, exc_info=failure)
    return TurnState.FAILED, None, EngineFailed("unexpected")
