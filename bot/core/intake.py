"""How a question is taken: let in, written down, and begun with or joined to one that waits.

Whoever wants nothing kept, and whatever a filtered word refuses, is settled here, before anything is on disk. What is
done to turns that are there already is `bot.core.tree`'s; how an answer comes about, `bot.core.jobs`'.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial

from bot.core.answer import Answer, Taken
from bot.core.bringing import Bring, Deliveries
from bot.core.database import to_the_end
from bot.core.excerpts import as_read
from bot.core.filtering import FilteredWords
from bot.core.history import Accepted, History, MessageForgotten, NothingToJoin, NotInConversation
from bot.core.jobs import Jobs
from bot.core.limits import Admission
from bot.core.messages import Question
from bot.core.models import Model, Models
from bot.core.preferences import Preferences
from bot.core.tree import Tree
from bot.core.visitor import visitor_of_question
from bot.errors import TurnGone


class Intake:
    """Takes questions, from many tasks of one event loop."""

    def __init__(
        self,
        history: History,
        models: Models,
        preferences: Preferences,
        words: FilteredWords,
        admission: Admission,
        deliveries: Deliveries,
        jobs: Jobs,
        tree: Tree,
    ) -> None:
        """Take the parts; none is closed here."""
        self._history = history
        self._models = models
        self._preferences = preferences
        self._words = words
        self._admission = admission
        self._deliveries = deliveries
        self._jobs = jobs
        self._tree = tree

    async def take(self, question: Question, parent_id: int | None, bring: Bring | None) -> Answer | Taken:
        """Write a question down and begin to answer it, as `Chat.ask` says. Raises: what that raises."""
        visitor = visitor_of_question(question)
        self._admission.check(visitor)
        model = self._models.at(visitor)
        question = replace(question, no_store=self._preferences.keeps_nothing(visitor, question.key))
        question = model.prompts.admit(question)
        self._words.check_question(question)
        if self._tree.was_deleted(question.message_id) or self._deliveries.is_expected([question.message_id]):
            return Taken.BEFORE
        with self._deliveries.expecting(question.message_id) if bring is not None else nullcontext():
            if self._jobs.awaits_more(question.key, question.user_id) and not question.no_store:
                with suppress(NothingToJoin):
                    return await self._record(question, model, parent_id, bring, joins=True)
            return await self._record(question, model, parent_id, bring, joins=False)

    async def _record(
        self, question: Question, model: Model, parent_id: int | None, bring: Bring | None, *, joins: bool
    ) -> Answer | Taken:
        """Let a question in, as a new one or as a further line of one that waits. Raises: NothingToJoin."""
        prompts, visitor = model.prompts, visitor_of_question(question)
        cost = partial(prompts.cost_tokens, as_read(question), question.excerpts)
        with self._admission.admit(visitor, question.message_id, cost_tokens=cost, joins=joins):
            return await to_the_end(self._write_down(question, model, parent_id, bring, joins=joins))

    async def _write_down(
        self, question: Question, model: Model, parent_id: int | None, bring: Bring | None, *, joins: bool
    ) -> Answer | Taken:
        """Put a question on disk and begin with it. Never to be cancelled between the two: nobody else would begin."""
        try:
            accepted = await self._history.accept(
                question,
                parent_id=parent_id,
                may_join=self._may_join(question, model),
                may_begin=not joins,
                model=model.name,
            )
        except MessageForgotten:
            return Taken.BEFORE
        except NotInConversation as exc:
            raise TurnGone from exc
        outcome = self._begin(accepted)
        if bring is not None and outcome is not Taken.BEFORE:
            self._deliveries.start(question.message_id, bring)
        return outcome

    def _may_join(self, question: Question, model: Model) -> Callable[[str], bool]:
        """Return what tells, in any thread, whether a text that this question is a line of may be one question."""
        has_room, words = model.prompts.may_join(question), self._words.at(question.key.guild_id)
        return lambda text: has_room(text) and not (words is not None and words.is_in(text))

    def _begin(self, accepted: Accepted) -> Answer | Taken:
        """Begin to answer a question that is on disk, if it has an answer of its own."""
        if accepted.outcome == "duplicate":
            return Taken.BEFORE
        joined = self._jobs.answers.get(accepted.turn.id)
        if joined is not None:
            joined.join(accepted.turn)
            return Taken.JOINED
        return self._jobs.start(accepted.turn)
