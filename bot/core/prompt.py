"""From a turn to its prompt: loads the window of the turn's path, cuts what no longer fits, joins the ids.

Knows the store and the tokenizer, and nothing of engines or of how a turn came about.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.core import context
from bot.core.context import ContextMap, TurnTokens
from bot.core.excerpts import as_read, has_only_unread_files, trim
from bot.core.history import History
from bot.core.instructions import Instructions, Instructor
from bot.core.layout import Layout, is_exchange, lay_out, newly_summarized
from bot.core.messages import Excerpt, ExcerptKind, Question, ResolvedPersona, Summarizes, Turn
from bot.core.personas import Persona, Personas
from bot.core.phi3 import Phi3Tokenizer
from bot.core.preferences import Preferences
from bot.core.visitor import Visitor
from bot.errors import FilesUnreadable, NoRoomToContinue, NothingToSummarize, QuestionEmpty, QuestionTooLong

EXCERPTS_SHARE: Final = 2
"""Quotes and files of one message have at most one part in so many of the window."""


PINS_SHARE: Final = 4
"""Pinned turns have at most one part in so many of the window."""

PERSONA_SHARE: Final = 4
"""A persona that is set may have at most one part in so many of the window."""

NEXT_QUESTION_SHARE: Final = 16
"""A question of one part in so many of the window is a long one: 256 tokens of 4,096."""

SUMMARY_SHARE: Final = 8
"""A summary has at most one part in so many of the window."""


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
    persona: ResolvedPersona | None = None  # that the system prompt is; None: it is the bot's own
    is_secret: bool = True  # the system prompt, from whoever asks
    kept: tuple[int, ...] = ()  # turns before `window_from` that no cut drops
    turns_used: int = 0
    has_summary: bool = False
    newly_summarized_turns: int = 0  # by a summary that was made by itself just before
    next_window: tuple[int, tuple[int, ...]] | None = None  # of a summary: window_from and kept once it is written


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
        personas: Personas | None = None,
        preferences: Preferences | None = None,
    ) -> None:
        """Take the parts; `context_tokens` tells the window, which is known for sure only once the engine is loaded."""
        self._history = history
        self._tokenizer = tokenizer
        self._instructor = Instructor(tokenizer, system_prompt, personas, context_tokens, preferences)
        self._context_tokens = context_tokens
        self._max_new_tokens = max_new_tokens

    def check(self, text: str, system: Instructions | None = None) -> None:
        """Say at once whether a question can be answered at all. Raises: QuestionEmpty, QuestionTooLong."""
        question_ids = self._tokenizer.encode(text)
        if not text.strip() or not question_ids:
            raise QuestionEmpty
        system = system or self._instructor.own
        read = self._instructor.read(text, system)
        self._fit(system, [], question_ids if read == text else self._tokenizer.encode(read))

    def admit(self, question: Question, *, beside: str = "") -> Question:
        """Return a question with its excerpts cut to the room they may have, what was left out counted in them.

        They have at most half the window, and at most what system prompt, words and answer leave: a file must not cost
        the person everything said before. `beside`: what else their turn asks. Raises: QuestionEmpty; QuestionTooLong,
        when the words alone are.
        """
        system = self._instructor.for_question(question)
        if not question.excerpts:
            self.check(as_read(question), system)
            return question
        budget_tokens = self._context_tokens() // EXCERPTS_SHARE
        fitting = replace(question, excerpts=trim(question.excerpts, budget_tokens, self._tokens_of))
        while budget_tokens > 0 and (over_tokens := self._over_tokens(system, beside, as_read(fitting))) > 0:
            budget_tokens -= over_tokens
            fitting = replace(question, excerpts=trim(question.excerpts, budget_tokens, self._tokens_of))
        self.check(as_read(fitting), system)
        return fitting

    def _over_tokens(self, system: Instructions, *questions: str) -> int:
        """Return how many tokens too long questions are together."""
        text = self._instructor.read("\n".join(filter(None, questions)), system)
        return self._tokens_of(text) - self._longest_tokens(system)

    def may_join(self, question: Question) -> Callable[[str], bool]:
        """Return what tells, in any thread, whether a text of several messages, this one among them, leaves room."""
        system = self._instructor.for_question(question)
        return lambda text: self._over_tokens(system, text) <= 0

    def cost_tokens(self, text: str, excerpts: Sequence[Excerpt] = ()) -> int:
        """Return the most that a question can cost: itself, files whose text is still to come, the longest answer."""
        is_waiting = any(one.kind is ExcerptKind.FILE and not one.text for one in excerpts)
        files_tokens = self._context_tokens() // EXCERPTS_SHARE if is_waiting else 0
        return self._tokens_of(text) + files_tokens + self.longest_answer_tokens

    @property
    def longest_answer_tokens(self) -> int:
        """The most that an answer can have."""
        return context.answer_room(self._context_tokens(), self._max_new_tokens)

    def _tokens_of(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def _longest_tokens(self, system: Instructions) -> int:
        """Return how many ids a question may have, with nothing else in the window."""
        window_tokens = self._context_tokens()
        around_tokens = self._tokenizer.system_tokens(system.ids) + self._tokenizer.question_tokens(())
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
            self._fit(self._instructor.of(turn, None), [], question_ids, len(answer_ids))
        except QuestionTooLong as exc:
            raise NoRoomToContinue from exc

    async def build(self, turn: Turn, path: Sequence[Turn] | None = None) -> Prompt:
        """Return the turn's prompt from the ids stored with each turn (from its text, if the model changed).

        `path`: as `History.path` returns it for this turn; None: it is read.
        The prefix stays the same, and cached, from turn to turn; it changes with a cut, with a summary, and when a turn
        that lies before the window is pinned or unpinned. Raises: QuestionTooLong, when messages that joined the turn
        made it so, or an answer that goes on (it takes the room of its question) has none; FilesUnreadable;
        NothingToSummarize.
        """
        if has_only_unread_files(turn):
            raise FilesUnreadable
        if path is None:
            path = await self._history.path(turn.id)
        layout = lay_out(path)
        system = self._instructor.of(turn, next((old for old in reversed(path) if old.attempts), None))
        question_ids = self._question_ids(turn, system)
        if turn.summarizes is not None:
            return self._summary(turn, system, layout, question_ids)
        parts, keep = layout.parts, layout.keep
        exchanges = [self._ids_of(old) for old in parts]
        system, window = self._fit_anew(turn, system, exchanges, question_ids, turn.continued_from, keep)
        window_from, kept = turn.window_from, turn.kept
        if window.first:
            window_from = parts[window.first].id if window.first < len(parts) else turn.id
            kept = tuple(sorted(parts[index].id for index in keep if index < window.first))
        chosen = [*window.kept, *range(window.first, len(parts))]
        return Prompt(
            ids=self._tokenizer.prompt(system.ids, [exchanges[index] for index in chosen], question_ids),
            question_ids=question_ids,
            max_new_tokens=window.max_new_tokens,
            window_from=window_from,
            kept=kept,
            dropped_turns=sum(index not in keep for index in range(window.first)),
            turns_used=sum(parts[index].summarizes is None for index in chosen),
            has_summary=any(parts[index].summarizes is not None for index in chosen),
            newly_summarized_turns=newly_summarized(path),
            turns=tuple(parts[index] for index in chosen),
            system_prompt=system.text,
            persona=system.persona,
            is_secret=system.is_secret,
        )

    def _question_ids(self, turn: Turn, system: Instructions) -> tuple[int, ...]:
        """Return the ids `(n,)` of a turn's question; an answer that goes on keeps those that it was begun with."""
        if turn.answer_ids and turn.question_ids and turn.tokenizer == self._tokenizer.sha256:
            return turn.question_ids
        if turn.summarizes is not None:
            return self._tokenizer.encode(turn.question)
        return self._tokenizer.encode(self._instructor.read(turn.question, system, turn.created_at))

    async def next_prefix(self, turn: Turn) -> tuple[int, ...]:
        """Return what the prompt after this turn will begin with if it has to cut: `(T,)`; nothing if it will not.

        It is foretold for a question like those before (the median of their lengths), and holds for all of ordinary
        length. The shorter prefix is the one thing of a conversation that no earlier prompt has left in a prefix cache.
        """
        layout = lay_out([*await self._history.path(turn.id), turn])
        keep = layout.keep
        exchanges = [self._ids_of(old) for old in layout.parts]
        if not exchanges:
            return ()
        usual = sorted((question for question, _answer in exchanges), key=len)[len(exchanges) // 2]
        try:
            system, window = self._fit_anew(turn, self._instructor.after(turn), exchanges, usual, keep=keep)
        except QuestionTooLong:  # the window was larger when it was asked
            return ()
        if window.first in (0, len(exchanges)):
            return ()
        chosen = [*window.kept, *range(window.first, len(exchanges))]
        return self._tokenizer.prefix(system.ids, [exchanges[index] for index in chosen])

    def _summary(self, turn: Turn, system: Instructions, layout: Layout, question_ids: tuple[int, ...]) -> Prompt:
        """Return the prompt of a summary: the older one and the oldest exchanges, as far as they fit beside it.

        They stand as they stood in the last prompt, so that all but the instruction is in the prefix cache. What does
        not fit stays in the window as it was said. Raises: NothingToSummarize.
        """
        tokenizer, window_tokens = self._tokenizer, self._context_tokens()
        before = [self._ids_of(layout.summary)] if layout.summary else []
        exchanges = [self._ids_of(old) for old in layout.turns]
        room = self.summary_tokens
        prompt_tokens = (
            tokenizer.system_tokens(system.ids)
            + tokenizer.question_tokens(question_ids)
            + sum(map(tokenizer.exchange_tokens, before))
        )
        left_tokens = prompt_tokens + sum(map(tokenizer.exchange_tokens, exchanges))
        covered = 0
        for exchange in exchanges:
            tokens = tokenizer.exchange_tokens(exchange)
            is_enough = turn.summarizes is Summarizes.CUT and covered and left_tokens <= window_tokens // 2
            if is_enough or prompt_tokens + tokens > window_tokens - room:
                break
            covered, prompt_tokens, left_tokens = covered + 1, prompt_tokens + tokens, left_tokens - tokens
        if not covered:
            raise NothingToSummarize
        next_from = layout.turns[covered].id if covered < len(layout.turns) else turn.id
        return Prompt(
            ids=tokenizer.prompt(system.ids, [*before, *exchanges[:covered]], question_ids),
            question_ids=question_ids,
            max_new_tokens=room,
            window_from=turn.window_from,
            kept=turn.kept,
            dropped_turns=0,
            turns_used=covered,
            has_summary=layout.summary is not None,
            turns=tuple(layout.parts[: covered + len(before)]),
            system_prompt=system.text,
            persona=system.persona,
            is_secret=system.is_secret,
            next_window=(next_from, tuple(old.id for old in layout.turns[:covered] if old.pinned)),
        )

    @property
    def summary_tokens(self) -> int:
        """The longest summary."""
        return max(1, min(self._max_new_tokens, self._context_tokens() // SUMMARY_SHARE))

    def persona_tokens(self, persona: Persona, visitor: Visitor, *, is_shared: bool) -> int:
        """Return how many tokens a persona is, its variables filled in for a visitor now."""
        return self._instructor.persona_tokens(persona, visitor, is_shared=is_shared)

    @property
    def persona_limit_tokens(self) -> int:
        """The longest persona that may be set."""
        return self._context_tokens() // PERSONA_SHARE

    @property
    def largest_persona_tokens(self) -> int:
        """The longest that is used: it may have been set for a model with a larger window."""
        return self._instructor.largest_persona_tokens

    def is_nearly_full(self, turn: Turn) -> bool:
        """Tell whether the next question after this turn, if it is no short one, drops older turns."""
        window_tokens = self._context_tokens()
        room = context.answer_room(window_tokens, self._max_new_tokens)
        used = turn.usage.prompt_tokens + turn.usage.completion_tokens
        return used + window_tokens // NEXT_QUESTION_SHARE > window_tokens - room

    def map(self, path: Sequence[Turn], *, dropped_turns: int, asker: Visitor | None = None) -> ContextMap:
        """Return what the prompt of a next question contains before it: of a whole path, its newest turn included.

        `asker`: who begins a conversation of their own, where the path is empty.
        """
        layout, tokenizer, window_tokens = lay_out(path), self._tokenizer, self._context_tokens()
        summary_tokens = tokenizer.exchange_tokens(self._ids_of(layout.summary)) if layout.summary else 0
        system = self._instructor.own
        if path:
            system = self._instructor.after(path[-1])
        elif asker is not None:
            system = self._instructor.for_visitor(asker)
        system_tokens = tokenizer.system_tokens(system.ids)
        turns = tuple(self._count(turn) for turn in layout.turns)
        used_tokens = system_tokens + summary_tokens + sum(turn.tokens for turn in turns)
        unused_tokens = max(0, window_tokens - used_tokens)
        room_tokens = min(unused_tokens, context.answer_room(window_tokens, self._max_new_tokens))
        return ContextMap(
            window_tokens=window_tokens,
            system_tokens=system_tokens,
            summary_tokens=summary_tokens,
            turns=turns,
            dropped_turns=dropped_turns + sum(map(is_exchange, path)) - len(turns),
            room_tokens=room_tokens,
            free_tokens=unused_tokens - room_tokens,
            pin_limit_tokens=self.pin_limit_tokens,
            summary=layout.summary,
        )

    def tokens_of_turns(self, turns: Iterable[Turn]) -> int:
        """Return how many tokens of a prompt these exchanges are."""
        return sum(self._tokenizer.exchange_tokens(self._ids_of(turn)) for turn in turns)

    def _count(self, turn: Turn) -> TurnTokens:
        question_ids, answer_ids = self._ids_of(turn)
        own_tokens = len(question_ids)
        if turn.excerpts:
            own_tokens = min(own_tokens, self._tokens_of(turn.asked))
        return TurnTokens(
            turn=turn,
            question_tokens=own_tokens + 2,  # role tokens
            excerpt_tokens=len(question_ids) - own_tokens,
            answer_tokens=len(answer_ids) + 2,
        )

    @property
    def pin_limit_tokens(self) -> int:
        """How many tokens of the window pinned turns may take together."""
        return self._context_tokens() // PINS_SHARE

    def _ids_of(self, turn: Turn) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if turn.tokenizer == self._tokenizer.sha256:
            return turn.question_ids, turn.answer_ids
        return self._tokenizer.encode(turn.question), self._tokenizer.encode(turn.answer)

    def _fit_anew(
        self,
        turn: Turn,
        system: Instructions,
        exchanges: list[tuple[tuple[int, ...], tuple[int, ...]]],
        question_ids: tuple[int, ...],
        answer_tokens: int = 0,
        keep: Collection[int] = (),
    ) -> tuple[Instructions, context.Window]:
        """Fit what stays into the window; a cut is where an inherited system prompt is made anew, for nothing is lost.

        Raises: QuestionTooLong.
        """
        window = self._fit(system, exchanges, question_ids, answer_tokens, keep)
        if not window.first or not system.is_inherited:
            return system, window
        anew = self._instructor.anew(turn)
        try:
            return anew, self._fit(anew, exchanges, question_ids, answer_tokens, keep)
        except QuestionTooLong:  # a name has become longer
            return system, window

    def _fit(
        self,
        system: Instructions,
        exchanges: list[tuple[tuple[int, ...], tuple[int, ...]]],
        question_ids: tuple[int, ...],
        answer_tokens: int = 0,
        keep: Collection[int] = (),
    ) -> context.Window:
        tokenizer = self._tokenizer
        return context.fit(
            system_tokens=tokenizer.system_tokens(system.ids),
            exchange_tokens=[tokenizer.exchange_tokens(exchange) for exchange in exchanges],
            question_tokens=tokenizer.question_tokens(question_ids) + answer_tokens,
            context_tokens=self._context_tokens(),
            max_new_tokens=self._max_new_tokens,
            keep=keep,
        )
