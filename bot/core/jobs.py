"""The background jobs: one for each turn that has not ended, which takes it to its end and records that.

Owns the tasks and the answers on their way. Knows nothing of who may ask; how one turn is generated is
`bot.core.generation`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from bot.core.answer import Answer, Phase, Snapshot
from bot.core.bringing import Deliveries
from bot.core.forgetting import forget_as_it_ends
from bot.core.generation import Conversation, Generator
from bot.core.history import History, NoSuchTurn
from bot.core.limits import Admission
from bot.core.messages import ConversationKey, Finish, Turn, TurnState
from bot.core.models import Models
from bot.core.observer import Observer
from bot.core.quotas import Quotas, payer_of
from bot.core.spending import EVERYWHERE
from bot.core.warming import Warmer
from bot.errors import BotError, EngineFailed, HistoryFailed, RestartedTooLate

log = structlog.get_logger(__name__)


class Jobs:
    """Answers on their way, by turn id in `answers`."""

    def __init__(
        self,
        history: History,
        models: Models,
        generator: Generator,
        deliveries: Deliveries,
        warmer: Warmer,
        admission: Admission,
        quotas: Quotas,
        clock: Callable[[], float],
        observer: Observer,
    ) -> None:
        """Take the parts; none is closed here. `clock` gives seconds for durations."""
        self._history = history
        self._models = models
        self._generator = generator
        self._deliveries = deliveries
        self._warmer = warmer
        self._admission = admission
        self._quotas = quotas
        self._clock = clock
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self.answers: dict[int, Answer] = {}
        self.on_end: Callable[[Turn], Awaitable[None]] | None = None  # awaited with each turn that has ended

    def start(self, turn: Turn) -> Answer:
        """Begin to answer a turn; while closing, its end is to be interrupted at once."""
        self._warmer.stop()
        answer = self.answers[turn.id] = Answer(turn, self._look, self._clock())
        job = asyncio.create_task(self._see_through(answer), name=f"turn {turn.id}")
        self._tasks.add(job)
        job.add_done_callback(self._tasks.discard)
        if self._is_closing:
            answer.stop(TurnState.INTERRUPTED)
        return answer

    def interrupt(self, *, waiting_only: bool = False) -> None:
        """Mark every answer, or those that have not begun, interrupted; and every one that is started from now on."""
        self._is_closing = True
        for answer in self.answers.values():
            if not (waiting_only and answer.phase is Phase.ANSWERING):
                answer.stop(TurnState.INTERRUPTED)

    async def ended(self, timeout_s: float | None = None) -> None:
        """Wait until all jobs have ended, also those that the ones before began, at most `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    async def give_up(self, turn: Turn) -> Answer:
        """End a turn without another attempt, with the sentence that it is too late."""
        answer = Answer(turn, self._look)
        ended = replace(turn, state=TurnState.FAILED, finish=None)
        try:
            ended = await self._write_end(answer, ended)
        except HistoryFailed:
            log.exception("answer_not_recorded", turn=turn.id)
        self._observer.ended(TurnState.FAILED, len(turn.answer_ids))
        answer.end(ended, RestartedTooLate())
        return answer

    def awaits_more(self, key: ConversationKey, user_id: int) -> bool:
        """Tell whether a question of a person's waits there that a further line may still join."""
        return any(
            answer.turn.user_id == user_id
            and answer.turn.key == key
            and answer.turn.state is TurnState.QUEUED
            and not answer.turn.no_store
            and answer.phase is not Phase.ANSWERING
            for answer in self.answers.values()
        )

    def running_tokens(self, user_id: int, place_id: int, but: Answer | None = None) -> int:
        """Return the most that answers on their way, but for one, may still cost a person in a place.

        Their questions are included.
        """
        return sum(
            self._tokens_to_come(answer)
            for answer in self.answers.values()
            if answer is not but
            and payer_of(answer.turn) == user_id
            and (place_id == EVERYWHERE or (answer.turn.key is not None and answer.turn.key.guild_id == place_id))
        )

    def _tokens_to_come(self, answer: Answer) -> int:
        prompts = self._models.of(answer.turn).prompts
        if answer.phase is Phase.ANSWERING and not answer.is_asked_again:
            return max(0, prompts.longest_answer_tokens - answer.generated_tokens)
        if answer.cost_tokens is None:
            answer.cost_tokens = prompts.cost_tokens(answer.turn.question, answer.turn.excerpts)
        return answer.cost_tokens

    def warm_if_idle(self) -> None:
        """Let the device compute what later prompts need, if nothing else is to be done."""
        if not (self.answers or self._admission.is_arriving() or self._is_closing):
            self._warmer.start()

    def _look(self, answer: Answer) -> Snapshot:
        """Make a snapshot of an answer that has not ended."""
        edits = answer.turn.edits
        if answer.phase is Phase.LOADING:
            return Snapshot(answer.phase, answer.text, self._models.of(answer.turn).engine.loading, edits=edits)
        if answer.phase is Phase.WAITING and answer.lease is not None:
            place = answer.lease.place()
            return Snapshot(answer.phase, answer.text, ahead=place.ahead, wait_s=place.wait_s, edits=edits)
        return Snapshot(answer.phase, answer.text, edits=edits)

    async def _see_through(self, answer: Answer) -> None:
        """Take one turn to its end, whatever that is, and record it. A task boundary: nothing escapes it."""
        conversation = self._generator.conversation(answer.turn.conversation_id)
        try:
            while (ended := await self._attempt(answer, conversation)) is None:
                pass
            if self.answers.get(answer.turn_id) is answer:  # no newer one for the same turn
                del self.answers[answer.turn_id]
            turn, error = ended
            if turn.state is not TurnState.INTERRUPTED:
                self._deliveries.drop(answer.question_message_ids)
            self._observer.ended(turn.state, len(answer.ids))
            if self.on_end is not None and not turn.no_store:
                await self.on_end(turn)
            answer.end(turn, error)
        finally:
            conversation.leave()  # only now: the next turn builds on how this one was recorded
        if turn.state is not TurnState.FORGOTTEN and not turn.no_store:
            self._warmer.look_forward(turn)
        self.warm_if_idle()

    async def _attempt(self, answer: Answer, conversation: Conversation) -> tuple[Turn, BotError | None] | None:
        """Generate and record the end; return it, or None when the question was changed meanwhile."""
        before = self.answers.get(answer.turn.parent_id or 0)
        if before is not None and before.turn.conversation_id == answer.turn.conversation_id:
            before = None  # that keeps its own order; waiting for what waits for this would never end
        answer.generation = asyncio.create_task(self._generator.run(answer, conversation, before))
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
        ended = replace(
            answer.turn,
            state=state,
            finish=finish,
            answer=answer.text,
            answer_ids=tuple(answer.ids),
            usage=usage,
            receipt=answer.receipt,
        )
        try:
            turn = await self._write_end(answer, ended)
        except NoSuchTurn:
            return replace(answer.turn, state=TurnState.FORGOTTEN, answer="", answer_ids=()), None
        except Exception:  # the person still gets what there is
            log.exception("answer_not_recorded", turn=answer.turn_id)
            turn = ended
        if turn.edits != answer.turn.edits:
            answer.begin_again(turn, self._clock())
            if self._is_closing:  # else lost: while the old answer's end was written there was nothing to interrupt
                answer.stop(TurnState.INTERRUPTED)
            return None
        return turn, error

    async def _write_end(self, answer: Answer, ended: Turn) -> Turn:
        """Record how a turn ended, or forget it if it is not to be stored; return it as it is then.

        An interrupted one has not ended: its question must survive what ends the process. Raises: NoSuchTurn.
        """
        also = self._quotas.writing(answer.turn)
        if ended.no_store and ended.state is not TurnState.INTERRUPTED:
            changed = await forget_as_it_ends(self._history, ended.id, edits=ended.edits, also=also)
            return changed or ended
        return await self._history.finish(
            ended.id,
            state=ended.state,
            finish=ended.finish,
            answer=ended.answer,
            answer_ids=ended.answer_ids,
            usage=ended.usage,
            receipt=answer.receipt,
            next_window=answer.next_window,
            edits=ended.edits,
            also=also,
        )


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
