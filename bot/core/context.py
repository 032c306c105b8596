"""Which exchanges fit in the model's window. Pure arithmetic on token counts; knows neither ids nor the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.errors import QuestionTooLong

ORDINARY_QUESTION: Final = 16
"""The part of the window, one in so many, that a question may take without a say in where the cut lies."""


@dataclass(frozen=True, slots=True)
class Window:
    """What of a conversation is in the prompt, and how much room is left for the answer."""

    first: int  # index of the oldest exchange that stays, and so how many this cut dropped; len(exchanges): all
    prompt_tokens: int
    max_new_tokens: int


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
) -> Window:
    """Choose the exchanges (oldest first) that stay; all counts are in tokens and include role tokens.

    The room kept for the answer is min(max_new_tokens, a quarter of the window). While prompt and room fit, nothing is
    dropped. Else whole exchanges are, from the oldest, until the prompt takes at most half the window: one larger cut
    seldom, so that the prefix stays the same, and cached, for many turns. Beside a question that is large itself, half
    of what it leaves free stays filled: one long paste must not cost the person everything said before.
    Where the cut lies is the same for every question of up to a sixteenth of the window: then half of it is what the
    rest may take. So the cut is known before the question is (`bot.core.warming`).
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
            prompt -= exchange_tokens[first]
            first += 1
    return Window(first, prompt, min(max_new_tokens, context_tokens - prompt))
