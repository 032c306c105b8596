"""What people read about an answer and about the window, as plain text. Pure functions; knows no discord.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.core.context import ContextMap
from bot.core.messages import Receipt, Sampling, Turn, Usage
from bot.texts import text

BAR_CELLS: Final = 20
"""As many as a phone shows on one line."""

_PARTS: Final = {  # each with the character that its cells have; told apart without color
    "system": "█",
    "summary": "▓",
    "conversation": "▒",
    "attachments": "▞",
    "pinned": "▄",
    "room": "░",
    "free": "·",
}


def context_page(filled: ContextMap, locale: str) -> str:
    """Return what fills the window: a bar, its legend with tokens, and what is not in it any more."""
    counts = _counts(filled)
    head = text("context.head", locale, used_tokens=filled.used_tokens, window_tokens=filled.window_tokens)
    lines = [head, f"`{bar(list(counts.values()))}`"]
    for name, tokens in counts.items():
        if tokens or name == "free":
            lines.append(f"`{_PARTS[name]}` " + text(f"context.{name}", locale, tokens=tokens))
    if filled.dropped_turns:
        key = "context.summarized" if filled.summary else "context.dropped"
        lines.append(text(key, locale, count=filled.dropped_turns))
    if filled.turns:
        lines.append(text("context.pins", locale, limit_tokens=filled.pin_limit_tokens))
    return "\n".join(lines)


def _counts(filled: ContextMap) -> dict[str, int]:
    """Return the tokens of each part, in the order of `_PARTS`; together they are the window."""
    loose = [turn for turn in filled.turns if not turn.turn.pinned]
    tokens = (
        filled.system_tokens,
        filled.summary_tokens,
        sum(turn.question_tokens + turn.answer_tokens for turn in loose),
        sum(turn.excerpt_tokens for turn in loose),
        filled.pinned_tokens,
        filled.room_tokens,
        filled.free_tokens,
    )
    return dict(zip(_PARTS, tokens, strict=True))


def bar(tokens: Sequence[int], cells: int = BAR_CELLS) -> str:
    """Return the cells of a bar in which every part that is not empty has one at least.

    The others are shared out by largest remainder. `tokens`: one count for each of the window's parts.
    """
    there = [index for index, count in enumerate(tokens) if count > 0]
    shares = dict.fromkeys(there, 1)
    loose, all_tokens = cells - len(there), sum(tokens)
    exact = {index: max(0.0, tokens[index] * cells / all_tokens - 1) for index in there}
    over = sum(exact.values())
    if over:
        exact = {index: share * loose / over for index, share in exact.items()}
        for index in there:
            shares[index] += int(exact[index])
        by_remainder = sorted(there, key=lambda index: int(exact[index]) - exact[index])
        for index in by_remainder[: cells - sum(shares.values())]:
            shares[index] += 1
    signs = list(_PARTS.values())
    return "".join(signs[index] * shares[index] for index in there)


def details_page(turn: Turn, locale: str) -> str:
    """Return how an answer was made, as far as it was written down."""
    usage, receipt = turn.usage, turn.receipt
    lines = [text("details.head", locale)]
    if receipt is None:
        lines.append(text("details.unknown", locale))
    else:
        lines += _made(receipt, locale)
    lines += _counted(usage, locale)
    if receipt is not None:
        lines.append(text("details.turns_used", locale, count=receipt.turns_used))
        if receipt.has_summary:
            lines.append(text("details.has_summary", locale))
    lines.append(text("details.turns_dropped", locale, count=usage.dropped_turns))
    lines += _timed(usage, locale)
    lines.append(text("details.version", locale, version=turn.version, versions=turn.versions))
    lines.append(text("details.batch", locale))
    return "\n".join(lines)


def _made(receipt: Receipt, locale: str) -> list[str]:
    key = "details.model_revision" if receipt.revision else "details.model"
    fields = {"revision": receipt.revision} if receipt.revision else {}
    return [
        text(key, locale, model=receipt.model, **fields),
        text("details.device", locale, device=receipt.device, engine=receipt.engine),
        _chosen(receipt.sampling, locale),
    ]


def _chosen(sampling: Sampling, locale: str) -> str:
    if not sampling.do_sample:
        return text("details.greedy", locale)
    return text("details.sampled", locale, temperature=sampling.temperature, top_p=sampling.top_p, seed=sampling.seed)


def _counted(usage: Usage, locale: str) -> list[str]:
    tokens = {"tokens_in": usage.prompt_tokens, "tokens_out": usage.completion_tokens}
    lines = [text("details.tokens", locale, **tokens)]
    if usage.discarded_tokens:
        lines.append(text("details.discarded", locale, tokens=usage.discarded_tokens))
    return lines


def _timed(usage: Usage, locale: str) -> list[str]:
    """Return how fast it was. The first token is the prompt's work, so the speed is that of those after it."""
    if usage.first_token_s is None:
        return []
    first_token = text("details.first_token", locale, first_token_s=f"{usage.first_token_s:.2f}")
    writing_s = (usage.total_s or 0.0) - usage.first_token_s
    if usage.completion_tokens < 2 or writing_s <= 0:
        return [first_token]
    tokens_per_s = f"{(usage.completion_tokens - 1) / writing_s:.1f}"
    return [first_token, text("details.speed", locale, tokens_per_s=tokens_per_s)]
