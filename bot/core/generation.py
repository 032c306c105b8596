"""The generation of one turn: waits for its conversation, the engine and a slot, then lets the answer grow.

Owns the rule that a conversation has one generation at a time. Knows nothing of who asked for it or how its end is
recorded (`bot.core.chat`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import structlog

from bot.core import guarding
from bot.core.answer import Answer, Phase
from bot.core.bringing import Deliveries
from bot.core.engine import GenerationRequest
from bot.core.filtering import FilteredWords
from bot.core.guard import Guard
from bot.core.history import History
from bot.core.messages import Fault, Finish, Receipt, Sampling, Turn, TurnState, Usage
from bot.core.models import Model, Models
from bot.core.observer import Observer
from bot.core.preferences import Preferences
from bot.core.prompt import Prompt
from bot.core.quotas import Quotas
from bot.core.scheduler import Lease
from bot.errors import EngineFailed, HistoryFailed, WaitedTooLong

log = structlog.get_logger(__name__)

SAVE_PARTIAL_S = 1.0
"""How often the text so far is written down: what a power cut can cost of an answer. The next process
generates that anew; where tokens are chosen by chance, what people had read of it becomes other words."""

STREAM_INTERVAL_S = 0.3
"""How often the engine hands over what it has generated: readers look about once a second. docs/performance.md has what
every single token would cost."""

AGAIN = guarding.SECOND_TRY
"""How a further version of an answer is sampled where the first was greedy: other words, hardly ever odd ones."""

BEFORE_GENERATING = frozenset({TurnState.QUEUED, TurnState.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Begun:
    """What a turn that begins is generated with."""

    model: Model
    prompt: Prompt
    sampling: Sampling
    max_new_tokens: int


class Conversation:
    """One turn's wait for its conversation, and then its hold on it, over as many attempts as it needs."""

    def __init__(self, lock: asyncio.Lock) -> None:
        """Take the conversation's lock; nothing is held yet."""
        self._lock = lock
        self._is_held = False

    async def enter(self) -> None:
        """Wait until the conversation's earlier turns have ended. Cancelling leaves the line."""
        if not self._is_held:
            await self._lock.acquire()
            self._is_held = True

    def leave(self) -> None:
        """Let the conversation's next turn begin. May be called twice."""
        if self._is_held:
            self._is_held = False
            self._lock.release()


class Generator:
    """Generates turns, each from a task of its own."""

    def __init__(
        self,
        history: History,
        models: Models,
        deliveries: Deliveries,
        preferences: Preferences,
        quotas: Quotas,
        words: FilteredWords,
        max_wait_s: float,
        clock: Callable[[], float],
        observer: Observer,
        *,
        is_guarded: bool = True,
    ) -> None:
        """Take the parts; none is closed here. A turn waits for a slot at most `max_wait_s`; `clock` gives seconds."""
        self._history = history
        self._models = models
        self._deliveries = deliveries
        self._preferences = preferences
        self._quotas = quotas
        self._words = words
        self._clock = clock
        self._max_wait_s = max_wait_s
        self._observer = observer
        self._is_guarded = is_guarded
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def run(self, answer: Answer, conversation: Conversation, after: Answer | None = None) -> Finish:
        """Generate the answer and return why it ended; cancelling ends it at the next token.

        `after`: the answer of another conversation that this one goes on from, if that has not ended.

        The caller leaves `conversation` once the end is recorded, for the next turn's prompt must see that.
        Raises: BotError.
        """
        await conversation.enter()
        if after is not None:
            async for _ in after:
                pass
        finish = None
        while finish is None:
            model = self._models.of(answer.turn)
            with model.held():
                finish = await self._attempt(answer, model)
        return finish

    async def _attempt(self, answer: Answer, model: Model) -> Finish | None:
        """Generate the answer with this model; None when it changed into another question before it began."""
        if model.engine.loading is not None:
            answer.move_to(Phase.LOADING)
        await model.engine.ready()
        await self._all_is_there(answer)
        async with AsyncExitStack() as slot:
            lease = await self._slot(answer, model, slot)
            begun = await self._begin(answer, model)
            if begun is None:
                return None
            lease.charge(prompt_tokens=len(begun.prompt.ids))
            self._observer.began(len(begun.prompt.ids))
            answer.move_to(Phase.ANSWERING)
            return await self._stream(answer, begun, lease)

    async def _all_is_there(self, answer: Answer) -> None:
        """Wait for what the question brings in, before it stands in line: nobody's slot waits for somebody's file."""
        if self._deliveries.are_none:
            return
        turn = await self._history.turn(answer.turn_id)
        if turn is not None:
            await self._deliveries.arrived(turn.question_message_ids)
            self._deliveries.check(turn.question_message_ids)

    async def _slot(self, answer: Answer, model: Model, slot: AsyncExitStack) -> Lease:
        """Wait for a slot, held until the caller leaves `slot`. Raises: WaitedTooLong."""

        def stand_in_line(lease: Lease) -> None:
            answer.lease = lease
            answer.move_to(Phase.WAITING)

        since_s = self._clock()
        try:
            async with asyncio.timeout(self._max_wait_s):
                lease = await slot.enter_async_context(model.scheduler.slot(answer.turn.user_id, stand_in_line))
        except TimeoutError as exc:
            raise WaitedTooLong(self._max_wait_s) from exc
        self._observer.waited(self._clock() - since_s)
        return lease

    def conversation(self, conversation_id: int) -> Conversation:
        """Return what one turn waits with for its conversation."""
        lock = self._locks.get(conversation_id)
        if lock is None:
            lock = self._locks[conversation_id] = asyncio.Lock()
        return Conversation(lock)

    async def _begin(self, answer: Answer, model: Model) -> Begun | None:
        """Close the turn to further messages and build its prompt from what it has by then.

        Returns None when a message has joined that still brings something, or it is another model's by now.
        """
        manner = self._preferences.manner_of(answer.turn)
        sampling = _sampling_of(answer.turn, manner.sampling)
        if sampling.do_sample and sampling.seed is None:
            sampling = replace(sampling, seed=random.getrandbits(31))
        begun = None
        while begun is None:  # again, when a message joined while the prompt was built
            path = await self._history.path_to(answer.turn_id)
            turn = path.pop() if path else None
            if turn is None or turn.state not in BEFORE_GENERATING:
                raise EngineFailed("the turn waits no longer")
            if self._deliveries.is_expected(turn.question_message_ids):
                return None
            self._deliveries.check(turn.question_message_ids)  # one may have joined, and been refused, in line
            if self._models.of(turn) is not model:
                answer.turn = turn
                return None
            prompt = await model.prompts.build(turn, path)
            if not (turn.question_ids or turn.continued_from):  # else it was begun before, and its answer goes on
                self._charge_question(answer, len(prompt.question_ids))
            begun = await self._history.begin(
                turn.id,
                question=turn.question,
                question_ids=prompt.question_ids,
                tokenizer=model.tokenizer.sha256,
                window_from=prompt.window_from,
                kept=prompt.kept,
                persona=prompt.persona,
                seed=sampling.seed,
                also=self._quotas.writing(answer.turn),
            )
        answer.turn = begun
        answer.words = self._words.at(begun.key.guild_id if begun.key is not None else None)
        info = model.engine.info
        answer.receipt = Receipt(
            model=model.title,
            revision=info.revision,
            device=info.device,
            engine=info.engine,
            sampling=sampling,
            turns_used=prompt.turns_used,
            has_summary=prompt.has_summary,
            newly_summarized_turns=prompt.newly_summarized_turns,
        )
        answer.next_window = prompt.next_window
        dropped = begun.usage.dropped_turns + prompt.dropped_turns  # an answer that goes on had its own cut before
        answer.usage = Usage(prompt_tokens=len(prompt.ids), dropped_turns=dropped)
        return Begun(model, prompt, sampling, min(manner.max_new_tokens, prompt.max_new_tokens))

    def _charge_question(self, answer: Answer, tokens: int) -> None:
        """Charge the question once, however often it is begun and grows meanwhile.

        Before that is on the disk: cancelled then, it would be there as begun, and not charged.
        """
        self._quotas.charge(answer.turn, tokens - answer.question_tokens)
        answer.question_tokens = tokens

    async def _stream(self, answer: Answer, begun: Begun, lease: Lease) -> Finish:
        """Let the answer grow, from where an earlier process left off if one did.

        What the guard finds is cut, and tried once more from there; however this ends, only sound text is left.
        """
        answer.ids = list(answer.turn.answer_ids)
        try:
            for sampling in (begun.sampling, guarding.second_try(begun.sampling)):
                if answer.receipt is not None:
                    answer.receipt = replace(answer.receipt, sampling=sampling)
                finish = await self._grow(answer, replace(begun, sampling=sampling), lease)
                if finish is not None:
                    return finish
                await self._save_partial(answer)
        except BaseException:  # stopped, for one: what was held back may be half a fault
            if answer.is_held_back:
                self._cut(answer, begun.model, len(answer.text))
            raise
        finally:
            answer.settle()
        return Finish.GUARD

    async def _grow(self, answer: Answer, begun: Begun, lease: Lease) -> Finish | None:
        """Generate from the ids so far, writing them down every second; None when the guard has cut the answer."""
        engine, decoder = begun.model.engine, begun.model.tokenizer.decoder()
        verdict = answer.restart(tuple(answer.ids), decoder, self._guard_of(answer, begun.prompt))
        started_s = saved_s = self._clock()
        first_s, later_tokens, finish = None, 0, None
        if verdict is None:
            async with aclosing(engine.generate(_request(answer, begun))) as chunks:
                async for chunk in chunks:
                    if answer.usage.first_token_s is None:
                        answer.usage = replace(answer.usage, first_token_s=round(self._clock() - started_s, 3))
                        self._observer.first_token(self._clock() - answer.started_s)
                    if first_s is None:
                        first_s = self._clock()
                    else:
                        later_tokens += len(chunk.ids)
                    verdict = answer.take(chunk.ids, decoder)
                    lease.charge(answer_tokens=len(chunk.ids))
                    answer.generated_tokens += len(chunk.ids)
                    self._quotas.charge(answer.turn, len(chunk.ids))
                    self._observer.generated(len(chunk.ids))
                    if verdict is not None:
                        break  # closes the engine's generator, which frees its slot at the next step
                    finish = chunk.finish  # not of text behind a fault, which may come together with it
                    if finish is None and self._clock() - saved_s >= SAVE_PARTIAL_S:
                        saved_s = self._clock()
                        await self._save_partial(answer)
            if first_s is not None:
                begun.model.speed.measured(later_tokens, self._clock() - first_s)
            if finish is None and verdict is None:
                raise EngineFailed("the engine ended without a reason")
        verdict = answer.finish(decoder)
        if verdict is None:
            return finish
        self._cut(answer, begun.model, verdict.keep_chars, verdict.fault)
        return finish if answer.ids and verdict.fault in guarding.ENDED_WELL else None

    def _guard_of(self, answer: Answer, prompt: Prompt) -> Guard | None:
        return guarding.watch(answer.turn, prompt) if self._is_guarded else None

    def _cut(self, answer: Answer, model: Model, keep_chars: int, fault: Fault | None = None) -> None:
        """Cut the answer back to `keep_chars`, or to the last whole token before."""
        ids = guarding.sound_ids(model.tokenizer, answer.ids, keep_chars)
        cut_tokens = len(answer.ids) - len(ids)
        answer.restart(ids, model.tokenizer.decoder(), None)
        if fault is not None:
            discarded_tokens = answer.usage.discarded_tokens + cut_tokens
            answer.usage = replace(answer.usage, fault=fault, discarded_tokens=discarded_tokens)
            log.info("answer_cut", turn=answer.turn_id, fault=fault.value, kept_tokens=len(ids), cut_tokens=cut_tokens)

    async def _save_partial(self, answer: Answer) -> None:
        """Write the text so far down; a failure costs the insurance, not the answer."""
        try:
            also = self._quotas.writing(answer.turn)
            await self._history.save_partial(answer.turn_id, answer=answer.text, answer_ids=answer.ids, also=also)
        except HistoryFailed as exc:
            log.warning("partial_answer_not_saved", turn=answer.turn_id, reason=exc.detail)


def _sampling_of(turn: Turn, wanted: Sampling) -> Sampling:
    """Return how the turn's tokens are chosen: a further version would be the first's text if greedy.

    Its seed is always a fresh one, for the same reason.
    """
    if turn.version == 1:
        return wanted
    return replace(wanted if wanted.do_sample else AGAIN, seed=None)


def _request(answer: Answer, begun: Begun) -> GenerationRequest:
    return GenerationRequest(
        prompt_ids=begun.prompt.ids + tuple(answer.ids),
        max_new_tokens=max(1, begun.max_new_tokens - len(answer.ids) + answer.turn.continued_from),
        stop_ids=begun.model.tokenizer.stop_ids,
        sampling=begun.sampling,
        stream_interval_s=STREAM_INTERVAL_S,
    )
