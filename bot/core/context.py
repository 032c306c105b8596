"""Which exchanges fit in the model's window, and what fills it: arithmetic on counts, without ids or the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.messages import Turn
from bot.errors import QuestionTooLong

ORDINARY_QUESTION: Final = 16
"""The part of the window, one in so many, that a question may take without a say in where the cut lies."""


@dataclass(frozen=True, slots=True)
class Window:
    """What of a conversation is in the prompt, and how much room is left for the answer."""

    first: int  # index from which on every exchange stays; len(exchanges): none but those of `kept`
    prompt_tokens: int
    max_new_tokens: int
    kept: tuple[int, ...] = ()  # indexes below `first` that stay nevertheless


@dataclass(frozen=True, slots=True)
class TurnTokens:
    """What one exchange takes of the window, role tokens included."""

    turn: Turn
    question_tokens: int  # the person's own words
    excerpt_tokens: int  # quotes and files
    answer_tokens: int

    @property
    def tokens(self) -> int:
        """All of it."""
        return self.question_tokens + self.excerpt_tokens + self.answer_tokens


@dataclass(frozen=True, slots=True)
class ContextMap:
    """What fills the window when the next question comes; the counts, room and free ones included, make the window."""

    window_tokens: int
    system_tokens: int
    summary_tokens: int
    turns: tuple[TurnTokens, ...]  # in the order of the prompt
    dropped_turns: int  # older exchanges that no prompt contains as they were said
    room_tokens: int  # kept for the answer; less than usual when the next question makes a cut
    free_tokens: int
    pin_limit_tokens: int
    summary: Turn | None = None

    @property
    def used_tokens(self) -> int:
        """How many tokens of the next prompt stand before the question."""
        return self.system_tokens + self.summary_tokens + sum(turn.tokens for turn in self.turns)

    @property
    def pinned_tokens(self) -> int:
        """How many of them are pinned."""
        return sum(turn.tokens for turn in self.turns if turn.turn.pinned)


def answer_room(context_tokens: int, max_new_tokens: int) -> int:
    """Return how many tokens of the window are kept for an answer."""
    return max(1, min(max_new_tokens, context_tokens // 4))


def fit(
    *,
    system_tokens: int,
    exchange_tokens: Sequence[int],
    question_tokens: int,
    context_tokens: int,
    max_new_tokens: int,
    keep: Collection[int] = (),
) -> Window:
    """Choose the exchanges (oldest first) that stay; all counts are in tokens and include role tokens.

    The room kept for the answer is min(max_new_tokens, a quarter of the window). While prompt and room fit, nothing is
    dropped. Else whole exchanges are, from the oldest, until the prompt takes at most half the window: one larger cut
    seldom, so that the prefix stays the same, and cached, for many turns. Beside a question that is large itself, half
    of what it leaves free stays filled: one long paste must not cost the person everything said before.
    Where the cut lies is the same for every question of up to a sixteenth of the window: then half of it is what the
    rest may take. So the cut is known before the question is (`bot.core.warming`).
    No cut drops the exchanges at the indexes `keep`, as long as the question fits beside them; else the oldest go.
    The answer may have all that the prompt leaves, up to `max_new_tokens`.
    Raises: QuestionTooLong, when system prompt and question alone leave no such room.
    """
    limit = context_tokens - answer_room(context_tokens, max_new_tokens)
    alone = system_tokens + question_tokens
    if alone > limit:
        raise QuestionTooLong(question_tokens, max(0, limit - system_tokens))
    first, prompt = 0, alone + sum(exchange_tokens)
    if prompt > limit:
        ordinary = context_tokens // ORDINARY_QUESTION
        more = max(0, ordinary - question_tokens)
        aim = max(context_tokens // 2 + ordinary, (alone + more + limit) // 2)
        while first < len(exchange_tokens) and prompt + more > aim:
            prompt -= 0 if first in keep else exchange_tokens[first]
            first += 1
    kept = [index for index in sorted(keep) if index < first]
    while kept and prompt > limit:
        prompt -= exchange_tokens[kept.pop(0)]
    return Window(first, prompt, min(max_new_tokens, context_tokens - prompt), tuple(kept))
