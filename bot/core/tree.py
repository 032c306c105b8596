"""What people do to the tree of turns after the fact: edit, forget, regenerate, step through versions, go on.

Owns the order of things: first the disk, in one transaction (`editing`, `forgetting`, `versions`), then the answers on
their way are told. One that does not hear of it in time finds out when it is to be recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from bot.core import editing, forgetting, versions
from bot.core.answer import Answer, Taken
from bot.core.bringing import Deliveries
from bot.core.excerpts import as_read
from bot.core.filtering import FilteredWords
from bot.core.history import History, NoSuchTurn
from bot.core.jobs import Jobs
from bot.core.limits import Admission
from bot.core.messages import Finish, Question, Turn
from bot.core.models import Models
from bot.core.preferences import Preferences
from bot.core.visitor import Visitor, visitor_of_question, visitor_of_turn
from bot.errors import NothingToContinue, QuestionEmpty, TurnGone

REMEMBERED_DELETIONS = 10_000
"""How many of the newest deleted messages are kept in mind, for questions that arrive after their deletion."""


class Tree:
    """Changes turns that are there already. Every method may be called from many tasks of one event loop."""

    def __init__(
        self,
        history: History,
        jobs: Jobs,
        models: Models,
        admission: Admission,
        deliveries: Deliveries,
        words: FilteredWords,
        preferences: Preferences,
    ) -> None:
        """Take the parts."""
        self._preferences = preferences
        self._words = words
        self._deliveries = deliveries
        self._history = history
        self._jobs = jobs
        self._models = models
        self._admission = admission
        self._deleted: dict[int, None] = {}  # message ids, the newest last

    def was_deleted(self, message_id: int) -> bool:
        """Tell whether a message is known to be gone: its question must not be taken any more."""
        return message_id in self._deleted

    async def edit(self, question: Question, *, is_whole: bool = False) -> Answer | Taken | None:
        """Ask a message's turn again with its new words. See `Chat.edit`."""
        if not await self._is_known([question.message_id]):
            return None
        before = await editing.stored(self._history, question.message_id)
        if before is None:
            return None
        question = editing.refilled(question, before, is_whole=is_whole)
        if editing.says_the_same(question, before):
            return Taken.BEFORE
        visitor = visitor_of_question(question)
        model = self._models.at(visitor)
        try:
            question = model.prompts.admit(question)
        except QuestionEmpty:
            await self.forget_messages([question.message_id])
            raise
        self._words.check_question(question)
        on_their_way = (one for one in self._jobs.answers.values() if question.message_id in one.question_message_ids)
        cost = partial(model.prompts.cost_tokens, as_read(question), question.excerpts)
        with self._admission.admit(visitor, cost_tokens=cost, edits=next(on_their_way, None)):
            words = self._words.at(question.key.guild_id)
            no_store = self._preferences.keeps_nothing(visitor, question.key)
            edited = await editing.edit(self._history, question, model=model.name, words=words, no_store=no_store)
            if edited is None:
                return None
            self._deliveries.asked_again(question)
            await self._stop([])
            answer = self._jobs.answers.get(edited.turn.id)
            if edited.had_ended or (answer is None and not self._is_arriving(edited.turn)):
                answer = self._jobs.start(edited.turn)  # where it had not, its end could not be recorded
                answer.withdrawn = edited.withdrawn
                return answer
        if answer is not None:  # else whoever wrote it down is about to start it
            cost_tokens = model.prompts.cost_tokens(edited.turn.question, edited.turn.excerpts)
            answer.ask_again(edited.turn.edits, cost_tokens)
        return Taken.JOINED

    def _is_arriving(self, turn: Turn) -> bool:
        return any(self._admission.is_arriving(message_id) for message_id in turn.question_message_ids)

    async def forget_messages(self, message_ids: Collection[int]) -> list[Turn]:
        """Forget what messages asked. See `Chat.forget_messages`."""
        self._deliveries.drop(message_ids)
        for message_id in message_ids:
            self._deleted[message_id] = None
        while len(self._deleted) > REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        if not await self._is_known(message_ids):
            return []
        return await self._stop(await forgetting.forget_messages(self._history, message_ids))

    async def forget_channels(self, channel_ids: Sequence[int]) -> None:
        """Forget what was said in channels. See `Chat.forget_channel`."""
        await self._stop(await forgetting.forget_channels(self._history, channel_ids))

    async def forget_person(self, user_id: int, guild_id: int | None) -> forgetting.Erased:
        """Forget what a person said in a server, or everywhere. See `Moderation.erase`."""
        erased = await forgetting.forget_person(self._history, user_id, guild_id)
        self._deliveries.drop([message_id for turn in erased.unfinished for message_id in turn.question_message_ids])
        await self._stop([*erased.unfinished])
        return erased

    async def forget_turn(self, turn_id: int) -> list[Turn]:
        """Forget a turn and all its versions. See `Chat.forget_turn`."""
        return await self._stop(await forgetting.forget_turn(self._history, turn_id))

    async def regenerate(self, turn_id: int, visitor: Visitor | None) -> Answer:
        """Begin another version of an answer. See `Chat.regenerate`."""
        turn = await self._turn(turn_id)
        visitor = visitor or visitor_of_turn(turn)
        model = self._models.at(visitor)
        cost = partial(model.prompts.cost_tokens, turn.question)
        with self._admission.admit(visitor, cost_tokens=cost):
            try:
                added = await versions.add(self._history, turn_id, model=model.name, payer_id=visitor.user_id)
            except NoSuchTurn as exc:
                raise TurnGone from exc
            return self._jobs.start(added)

    async def show_version(self, turn_id: int, step: int) -> Turn:
        """Show the neighbouring version. See `Chat.show_version`."""
        try:
            return await versions.show_neighbour(self._history, turn_id, step)
        except NoSuchTurn as exc:
            raise TurnGone from exc

    async def go_on(self, turn_id: int, visitor: Visitor | None) -> Answer:
        """Let an answer that was cut off go on. See `Chat.go_on`."""
        turn = await self._turn(turn_id)
        if turn.finish is not Finish.LENGTH or turn.summarizes is not None:
            raise NothingToContinue
        prompts = self._models.of(turn).prompts
        prompts.check_room(turn)
        visitor = visitor or visitor_of_turn(turn)
        cost = partial(prompts.cost_tokens, turn.question)
        with self._admission.admit(visitor, cost_tokens=cost):
            try:
                continued = await versions.go_on(
                    self._history,
                    turn_id,
                    answer_ids=prompts.answer_ids(turn),
                    tokenizer=prompts.tokenizer_sha256,
                    payer_id=visitor.user_id,
                )
            except NoSuchTurn as exc:
                raise TurnGone from exc
            return self._jobs.start(continued)

    async def _turn(self, turn_id: int) -> Turn:
        turn = await self._history.turn(turn_id)
        if turn is None:
            raise TurnGone
        return turn

    async def _is_known(self, message_ids: Iterable[int]) -> bool:
        """Tell whether any of these messages is ours, or being written down; else nothing needs to wait for a write."""
        for message_id in message_ids:
            if self._admission.is_arriving(message_id) or await self._history.turn_of_message(message_id) is not None:
                return True
        return False

    async def _stop(self, gone: list[Turn]) -> list[Turn]:
        """Stop the answers of turns that are gone, and summaries that went with the words they are made of."""
        for turn in gone:
            answer = self._jobs.answers.get(turn.id)
            if answer is not None:
                answer.stop()
        for answer in list(self._jobs.answers.values()):
            if answer.turn.summarizes is not None and await self._history.turn(answer.turn_id) is None:
                answer.stop()
        return gone
