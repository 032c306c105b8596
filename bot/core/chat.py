"""The use cases: ask, edit, regenerate, forget, stop, reset, history, and what start and end of the process do.

A thin face: questions are taken by `bot.core.intake`, the jobs of turns that are not finished are `bot.core.jobs`',
changes to turns that are there already `bot.core.tree`'s. Knows neither Discord nor OpenVINO; the store, the tokenizer
and the engine are handed in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Final, Literal, TypeVar

import structlog

from bot.core.answer import Answer, Phase, Snapshot, Taken
from bot.core.bringing import Bring, Deliveries
from bot.core.choices import Choices, Scope
from bot.core.context import ContextMap
from bot.core.engine import UNLOADED, Engine, EngineInfo, Loading
from bot.core.filtering import FilteredWords
from bot.core.generation import Generator
from bot.core.history import History
from bot.core.intake import Intake
from bot.core.jobs import Jobs
from bot.core.limits import Admission, ChatLimits
from bot.core.memory import Memory, Remembered
from bot.core.messages import GREEDY, ConversationKey, Question, Sampling, Turn
from bot.core.models import Lineup, Models
from bot.core.moderation import Moderation
from bot.core.observer import NOBODY, Observer
from bot.core.permissions import Permissions
from bot.core.persona_editor import PersonaEditor
from bot.core.personas import Personas
from bot.core.phi3 import Phi3Tokenizer
from bot.core.pins import pin
from bot.core.preferences import Preferences
from bot.core.prompt import PromptBuilder
from bot.core.quotas import Quotas
from bot.core.rooms import Rooms
from bot.core.tree import Tree
from bot.core.unshown import Unshown, unshown
from bot.core.visitor import Visitor
from bot.core.warming import Warmer
from bot.errors import BotError, QuestionRefused

__all__ = ["Answer", "Chat", "ChatLimits", "Phase", "Remembered", "Snapshot", "Status", "Taken"]

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
"""How often a turn is begun before it is given up."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the bot is doing right now."""

    info: EngineInfo
    loading: Loading | None
    running: int
    waiting: int


_TAKEN: Final = {Taken.JOINED: "joined", Taken.BEFORE: "repeated"}

_Outcome = TypeVar("_Outcome", bound=Answer | Taken | None)


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
        lineup: Lineup | None = None,
        observer: Observer = NOBODY,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        zone: tzinfo = UTC,
    ) -> None:
        """Take the parts; none is closed here. `clock` gives seconds for rates and durations.

        `tokenizer` and `engine` are the default model's; `lineup` tells of the others. `wall_clock` gives UTC seconds;
        personas tell the dates of `zone`.
        """
        self._history = history
        self._limits = limits or ChatLimits()
        self._observer = observer
        self._clock = clock
        self._wall_clock = wall_clock
        self._choices = Choices(history)
        self.permissions = Permissions(self._choices)
        self.words = FilteredWords(self._choices)
        self.personas = Personas(self._choices, wall_clock, zone)
        self.preferences = Preferences(self._choices, sampling or GREEDY, self._limits.max_new_tokens)
        self.models = Models(
            history,
            self._choices,
            tokenizer,
            engine,
            lineup or Lineup(),
            system_prompt=system_prompt,
            max_new_tokens=self._limits.max_new_tokens,
            clock=clock,
            personas=self.personas,
            preferences=self.preferences,
        )
        self.quotas = Quotas(self._choices, history, self._limits.quota, self._limits.unlimited_user_ids, clock)
        self._deliveries = Deliveries(history, self.models, self.words)
        self._generator = Generator(
            history,
            self.models,
            self._deliveries,
            self.preferences,
            self.quotas,
            self.words,
            self._limits.max_wait_s,
            clock,
            observer,
            is_guarded=self._limits.is_guarded,
        )
        self._rooms = Rooms(history, wall_clock)
        self._warmer = Warmer(history, self.models)
        self._admission = Admission(
            self._limits,
            self.permissions,
            self.quotas,
            waiting=lambda: self.status().waiting,
            wait_s=self.models.wait_s,
            running_tokens=self._running_tokens,
            on_arrival=self._warmer.stop,
            on_arrived=self._warm_if_idle,
        )
        self.persona_editor = PersonaEditor(self.personas, self.models, self.permissions, self._admission)
        self._jobs = Jobs(
            history,
            self.models,
            self._generator,
            self._deliveries,
            self._warmer,
            self._admission,
            self.quotas,
            clock,
            observer,
        )
        self._memory = Memory(history, self.models, self._jobs, self._admission)
        if self._limits.auto_summarize:
            self._jobs.on_end = self._memory.sum_up_if_full
        self._tree = Tree(
            history, self._jobs, self.models, self._admission, self._deliveries, self.words, self.preferences
        )
        self._intake = Intake(
            history,
            self.models,
            self.preferences,
            self.words,
            self._admission,
            self._deliveries,
            self._jobs,
            self._tree,
        )
        self.moderation = Moderation(history, self._tree)

    def _prompts_of(self, turn: Turn) -> PromptBuilder:
        return self.models.of(turn).prompts

    def _running_tokens(self, user_id: int, place_id: int, but: Answer | None) -> int:
        return self._jobs.running_tokens(user_id, place_id, but)

    def _warm_if_idle(self) -> None:
        self._jobs.warm_if_idle()

    async def ask(
        self, question: Question, *, parent_id: int | None = None, bring: Bring | None = None
    ) -> Answer | Taken:
        """Take a question; on return it is on disk and will be answered, whatever happens to the process.

        `bring` returns the files that take their time to be read, in place of the question's own excerpts of files,
        which name them without their text: it runs from then on, and the question waits for it. If it fails, or the
        process ends first, the question is answered without; if it is stopped or deleted, `bring` is cancelled.

        Who wants nothing kept asks outside of every conversation, and the turn is forgotten as its answer ends. Else
        it follows the turn `parent_id`, and the conversation goes on from there; by default it follows the newest.
        Cancelled while it is being written down, it is answered all the same.
        Raises: ShuttingDown, Paused, QuestionEmpty, QuestionTooLong, TooManyQuestions, QueueFull; TurnGone when
        `parent_id` is no turn of this conversation (any more).
        """
        return await self._counted(self._intake.take(question, parent_id, bring))

    def check(self, visitor: Visitor) -> None:
        """Say at once whether a question of this person could be taken here. Raises: QuestionRefused."""
        self._admission.check(visitor)

    def check_quota(self, visitor: Visitor, key: ConversationKey) -> None:
        """Say at once whether a question of theirs in a conversation is sure to be too many. Raises: QuotaReached."""
        self._admission.check_quota(visitor, joins=self._jobs.awaits_more(key, visitor.user_id))

    def check_words(self, visitor: Visitor, texts: Iterable[str]) -> None:
        """Say at once whether a question of these texts has a filtered word. Raises: WordFiltered."""
        self.words.check(visitor.guild_id, texts)

    def check_rules(self, visitor: Visitor) -> None:
        """Say at once whether a person may use the bot here, if only for what asks nothing. Raises: QuestionRefused."""
        self.permissions.check_rules(visitor)

    async def _counted(self, taking: Awaitable[_Outcome]) -> _Outcome:
        """Tell the observer what became of a question, and of whatever counts as one."""
        try:
            outcome = await taking
        except BotError as exc:
            self._observer.asked(exc.key.removeprefix("refused.") if isinstance(exc, QuestionRefused) else "failed")
            raise
        if outcome is not None:
            self._observer.asked(_TAKEN[outcome] if isinstance(outcome, Taken) else "taken")
        return outcome

    async def edit(self, question: Question, *, is_whole: bool = False) -> Answer | Taken | None:
        """Take a message's changed text: its turn is asked again in place, and nothing of the old text is kept.

        An answer to show comes back where the old one had ended; the conversation goes on from it then. JOINED: what
        was waiting or running goes on with the new text (`Snapshot.edits` grows). BEFORE: it says the same. None:
        no question of ours, also when it was empty or refused. An edit that leaves no words is a deletion. What the
        message had brought in stays, unless there are new excerpts; one that names a file without its text has the text
        of before. `is_whole`: it names all files that the message still has, so that those taken away are forgotten.
        Of whoever wants nothing kept by now, the exchange is forgotten as its new answer ends, with all its messages.
        Raises: ShuttingDown, Paused, TooManyQuestions, QueueFull, QuestionTooLong: then nothing has changed;
        QuestionEmpty.
        """
        return await self._counted(self._tree.edit(question, is_whole=is_whole))

    async def regenerate(self, turn_id: int, *, visitor: Visitor | None = None) -> Answer:
        """Answer a turn once more, beside the answers it has; the conversation goes on from this version.

        It is sampled even where answers are greedy, with a seed of its own, and shown in the same messages. `visitor`
        is whose question it counts as, by default the asker's.
        Raises: TurnGone, AnswerStillRuns, ShuttingDown, TooManyQuestions, QueueFull.
        """
        return await self._counted(self._tree.regenerate(turn_id, visitor))

    async def show_version(self, turn_id: int, step: Literal[-1, 1]) -> Turn:
        """Show the version before or after this one, or this one where there is none; the messages are its own now.

        The conversation goes on from it if it went on from another version. Raises: TurnGone, AnswerStillRuns.
        """
        return await self._tree.show_version(turn_id, step)

    async def go_on(self, turn_id: int, *, visitor: Visitor | None = None) -> Answer:
        """Let an answer that its length cut off go on, in the same turn and messages.

        `visitor` is whose question it counts as, by default the asker's. Raises: TurnGone, AnswerStillRuns,
        NothingToContinue, NoRoomToContinue, ShuttingDown, TooManyQuestions, QueueFull.
        """
        return await self._counted(self._tree.go_on(turn_id, visitor))

    async def forget_messages(self, message_ids: Collection[int]) -> list[Turn]:
        """Forget the exchanges that these messages asked for, as if they had never been; return them as they were.

        What waits or runs is cancelled, its answer ends as `forgotten`, and what followed follows the turn before.
        While a turn of several messages still waits, only the words of these leave it. A message that shows an answer
        is only taken off the list of those. Messages of others cost one read each. Summaries of what is forgotten are
        gone too, and returned.
        """
        return await self._tree.forget_messages(message_ids)

    async def forget_channel(self, channel_ids: Sequence[int]) -> None:
        """Forget everybody's conversations in channels or threads that are gone, and what was chosen for them."""
        await self._tree.forget_channels(channel_ids)
        await self._choices.forget(Scope.CHANNEL, channel_ids)

    async def forget_turn(self, turn_id: int) -> list[Turn]:
        """Forget an exchange with all versions of its answer, as `forget_messages` does; [] if it is gone already."""
        return await self._tree.forget_turn(turn_id)

    async def turn(self, turn_id: int) -> Turn | None:
        """Return a turn, or None when there is none (any more)."""
        return await self._history.turn(turn_id)

    async def turn_of_message(self, message_id: int) -> Turn | None:
        """Return the turn that a message asked, or whose answer it shows, or None if it is none of ours."""
        return await self._history.turn_of_message(message_id)

    async def stop_turn(self, turn_id: int) -> bool:
        """Stop one turn, running or waiting; the text so far stays. False when it was ending already."""
        answer = self._jobs.answers.get(turn_id)
        return answer is not None and answer.stop()

    async def shown(self, turn_id: int, message_ids: Sequence[int]) -> None:
        """Record which messages show a turn's answer, in order; none, if it was told without one that stays."""
        await self._history.add_answer_messages(turn_id, message_ids)

    async def stop(self, key: ConversationKey, *, user_id: int | None = None) -> int:
        """Stop what runs or waits in a conversation, or only what this person asked; return how many turns that ends.

        The text so far stays.
        """
        here = [answer for answer in self._jobs.answers.values() if _is_in(answer, key)]
        return sum([answer.stop() for answer in here if user_id in (None, answer.turn.user_id)])

    async def reset(self, key: ConversationKey) -> bool:
        """Begin anew: later turns know nothing of earlier ones; a running answer stops and stays behind.

        Returns False when there was nothing to forget.
        """
        forgot = await self._history.reset(key)
        return bool(await self.stop(key)) or forgot

    async def reset_everywhere(self, user_id: int) -> int:
        """Begin anew in every conversation of one person. Returns in how many there was something to forget."""
        count = await self._history.reset_everywhere(user_id)
        for answer in self._jobs.answers.values():
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
        return await self._memory.remembered(key, limit)

    async def context_of(self, key: ConversationKey, visitor: Visitor | None = None) -> ContextMap:
        """Return what fills the window when the next question of a conversation comes, in tokens.

        `visitor`: who is going to ask it; by default the model is taken that answered last, and before the first
        question the bot's own system prompt.
        """
        return await self._memory.map_of(key, visitor)

    async def pin(self, turn_id: int, pinned: bool) -> Turn:
        """Let no cut drop a turn, as long as the question fits beside it, or let it be dropped again; return it.

        Raises: TurnGone; NothingToPin, when it has no answer; PinsFull, when too much of the window would be pinned.
        """
        return await pin(self._history, self._prompts_of, turn_id, pinned=pinned)

    async def summarize(self, key: ConversationKey, visitor: Visitor | None = None) -> Answer:
        """Have the model sum a conversation up; once the summary is done, it takes the place of what it covers.

        It waits, counts and can be stopped like a question of `visitor` (by default the conversation's own person, or
        in a shared room whoever asked last). If it fails or is stopped, everything stays as it was. One that is being
        made already is returned. Raises: ShuttingDown, TooManyQuestions, QueueFull, NothingToSummarize.
        """
        return await self._counted(self._memory.summarize(key, visitor))

    async def resume(self) -> list[Answer]:
        """Take up what an earlier process left, from where it was, or say that it is too late.

        To be called once, before the first question: a new one must not overtake them, and from then on `is_shared`,
        `key_for`, `permissions` and `quotas` know what was chosen and used.
        """
        await self._rooms.load()
        await self._choices.load()
        await self.models.load()
        await self.quotas.load()
        left = await self._history.unfinished()
        if left:
            log.info("answers_resumed", count=len(left))
        hopeless = [turn for turn in left if self._is_hopeless(turn)]
        answers = [self._jobs.start(turn) for turn in left if turn not in hopeless]
        answers += [await self._jobs.give_up(turn) for turn in hopeless]
        return [answer for answer in answers if answer.turn.summarizes is None]  # nobody waits to see a summary

    async def unshown(self, before: float) -> Unshown:
        """Return what a process that ended before this time, in UTC seconds, may not have shown to its end.

        Only of questions that `resume` would answer still.
        """
        return await unshown(self._history, since=before - self._limits.resume_max_age_s, before=before)

    def status(self, visitor: Visitor | None = None) -> Status:
        """Tell what is running and waiting, and what answers this visitor, by default where nobody chose."""
        engine = (self.models.at(visitor) if visitor else self.models.default).engine
        running = sum(answer.phase is Phase.ANSWERING for answer in self._jobs.answers.values())
        info, loading = engine.info, engine.loading
        if loading is not None and loading.stage == UNLOADED:  # it will be loaded where the default one is
            info = replace(info, device=self.models.default.engine.info.device)
        return Status(info, loading, running, len(self._jobs.answers) - running)

    async def drain(self, deadline_s: float) -> None:
        """Take no more questions, give running answers `deadline_s` to finish, and interrupt all others.

        Interrupted turns are taken up by `resume` in the next process. Cancelling skips the deadline.
        """
        self._admission.closing.set()
        self._warmer.stop()
        self._jobs.interrupt(waiting_only=True)
        try:
            await asyncio.gather(self._jobs.ended(deadline_s), self._deliveries.ended(deadline_s))
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Take no more questions and mark every answer on its way interrupted."""
        self._admission.closing.set()
        self._jobs.interrupt()
        await self._jobs.ended()
        await self._deliveries.aclose()
        await self._warmer.aclose()
        await self.models.save()

    def _is_hopeless(self, turn: Turn) -> bool:
        """Tell whether nobody expects the answer any more, or answering it may be what ends the process each time."""
        return self._wall_clock() - turn.created_at > self._limits.resume_max_age_s or turn.attempts >= MAX_ATTEMPTS


def _is_in(answer: Answer, key: ConversationKey) -> bool:
    own = answer.turn.key
    return own is not None and (own.channel_id, own.user_id) == (key.channel_id, key.user_id)
