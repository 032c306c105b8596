"""From a turn to its prompt: loads the window of the turn's path, cuts what no longer fits, joins the ids.

Knows the store and the tokenizer, and nothing of engines or of how a turn came about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bot.core import context
from bot.core.excerpts import as_read, trim
from bot.core.history import History
from bot.core.messages import Question, Turn, TurnState
from bot.core.phi3 import Phi3Tokenizer
from bot.errors import NoRoomToContinue, QuestionEmpty, QuestionTooLong

EXCERPTS_SHARE: Final = 2
"""Quotes and files of one message have at most one part in so many of the window."""


def is_exchange(turn: Turn) -> bool:
    """Tell whether later prompts contain the turn: the person saw an answer, whole or in part."""
    return turn.state in (TurnState.DONE, TurnState.STOPPED) and bool(turn.answer_ids)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a turn needs to begin. `ids: (T,)`; `window_from`: the oldest turn in it, None for the root."""

    ids: tuple[int, ...]
    question_ids: tuple[int, ...]
    max_new_tokens: int
    window_from: int | None
    dropped_turns: int  # by this turn's own cut
    turns: tuple[Turn, ...] = ()  # whose texts are in it, oldest first
    system_prompt: str = ""


class PromptBuilder:
    """Builds prompts for one model: its tokenizer and its window."""

    def __init__(
        self,
        history: History,
        tokenizer: Phi3Tokenizer,
        *,
        system_prompt: str,
        context_tokens: Callable[[], int],
        max_new_tokens: int,
    ) -> None:
        """Take the parts; `context_tokens` tells the window, which is known for sure only once the engine is loaded."""
        self._history = history
        self._tokenizer = tokenizer
        self._system_prompt = system_prompt
        self._system_ids = tokenizer.encode(system_prompt)
        self._context_tokens = context_tokens
        self._max_new_tokens = max_new_tokens

    def check(self, text: str) -> None:
        """Say at once whether a question can be answered at all. Raises: QuestionEmpty, QuestionTooLong."""
        question_ids = self._tokenizer.encode(text)
        if not text.strip() or not question_ids:
            raise QuestionEmpty
        self._fit([], question_ids)

    def admit(self, question: Question) -> Question:
        """Return a question with its excerpts cut to the room they may have, what was left out counted in them.

        They have at most half the window, and at most what system prompt, words and answer leave: a file must not cost
        the person everything said before. Raises: QuestionEmpty; QuestionTooLong, when the words alone are.
        """
        budget_tokens = self._context_tokens() // EXCERPTS_SHARE
        fitting = replace(question, excerpts=trim(question.excerpts, budget_tokens, self._tokens_of))
        while budget_tokens > 0 and (over_tokens := self._tokens_of(as_read(fitting)) - self._longest_tokens()) > 0:
            budget_tokens -= over_tokens
            fitting = replace(question, excerpts=trim(question.excerpts, budget_tokens, self._tokens_of))
        self.check(as_read(fitting))
        return fitting

    def fits(self, text: str) -> bool:
        """Tell whether a question leaves room for its answer."""
        return self._tokens_of(text) <= self._longest_tokens()

    def _tokens_of(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def _longest_tokens(self) -> int:
        """Return how many ids a question may have, with nothing else in the window."""
        window_tokens = self._context_tokens()
        around_tokens = self._tokenizer.system_tokens(self._system_ids) + self._tokenizer.question_tokens(())
        return window_tokens - context.answer_room(window_tokens, self._max_new_tokens) - around_tokens

    @property
    def tokenizer_sha256(self) -> str:
        """Whose ids the prompts are made of."""
        return self._tokenizer.sha256

    def answer_ids(self, turn: Turn) -> tuple[int, ...]:
        """Return the ids `(n,)` of a turn's answer in this model."""
        return self._ids_of(turn)[1]

    def check_room(self, turn: Turn) -> None:
        """Say at once whether an answer has room to go on. Raises: NoRoomToContinue."""
        question_ids, answer_ids = self._ids_of(turn)
        try:
            self._fit([], question_ids, len(answer_ids))
        except QuestionTooLong as exc:
            raise NoRoomToContinue from exc

    async def build(self, turn: Turn) -> Prompt:
        """Return the turn's prompt from the ids stored with each turn (from its text, if the model changed).

        An answer that goes on takes the room of its question. Raises: QuestionTooLong, when messages that joined the
        turn made it so, or an answer that goes on has no room to.
        """
        path = [old for old in await self._history.path(turn.id) if is_exchange(old)]
        exchanges = [self._ids_of(old) for old in path]
        question_ids = self._tokenizer.encode(turn.question)
        window = self._fit(exchanges, question_ids, turn.continued_from)
        window_from = turn.window_from
        if window.first:
            window_from = path[window.first].id if window.first < len(path) else turn.id
        return Prompt(
            ids=self._tokenizer.prompt(self._system_ids, exchanges[window.first :], question_ids),
            question_ids=question_ids,
            max_new_tokens=window.max_new_tokens,
            window_from=window_from,
            dropped_turns=window.first,
            turns=tuple(path[window.first :]),
            system_prompt=self._system_prompt,
        )

    async def next_prefix(self, turn: Turn) -> tuple[int, ...]:
        """Return what the prompt after this turn will begin with if it has to cut: `(T,)`; nothing if it will not.

        It is foretold for a question like those before (the median of their lengths), and holds for all of ordinary
        length. The shorter prefix is the one thing of a conversation that no earlier prompt has left in a prefix cache.
        """
        path = [old for old in [*await self._history.path(turn.id), turn] if is_exchange(old)]
        exchanges = [self._ids_of(old) for old in path]
        if not exchanges:
            return ()
        usual = sorted((question for question, _answer in exchanges), key=len)[len(exchanges) // 2]
        try:
            first = self._fit(exchanges, usual).first
        except QuestionTooLong:  # the window was larger when it was asked
            return ()
        if first in (0, len(exchanges)):
            return ()
        return self._tokenizer.prefix(self._system_ids, exchanges[first:])

    def _ids_of(self, turn: Turn) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if turn.tokenizer == self._tokenizer.sha256:
            return turn.question_ids, turn.answer_ids
        return self._tokenizer.encode(turn.question), self._tokenizer.encode(turn.answer)

    def _fit(
        self,
        exchanges: list[tuple[tuple[int, ...], tuple[int, ...]]],
        question_ids: tuple[int, ...],
        answer_tokens: int = 0,
    ) -> context.Window:
        tokenizer = self._tokenizer
        return context.fit(
            system_tokens=tokenizer.system_tokens(self._system_ids),
            exchange_tokens=[tokenizer.exchange_tokens(exchange) for exchange in exchanges],
            question_tokens=tokenizer.question_tokens(question_ids) + answer_tokens,
            context_tokens=self._context_tokens(),
            max_new_tokens=self._max_new_tokens,
        )
