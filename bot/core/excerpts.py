"""What the model reads of a question: the person's own words, what they brought in, and in shared rooms their name.

Owns how all that becomes one text, and how much of the window what was brought in may take. Knows neither the store nor
where an excerpt came from.

No text can pose as a role, for roles are ids (`bot.core.phi3`). Nor can an excerpt pose as the person's own words:
every line of a quoted message is marked, and a file's fence is longer than any run of backticks in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.core.messages import Excerpt, ExcerptKind, Question, Turn

NAME_CHARS: Final = 48
"""The longest name told to the model; Discord's display names end at 32, files' names at 255 and more."""

CHARS_PER_TOKEN: Final = 8
"""An excerpt is not even counted beyond so many characters for each token it may have: English has about 4."""

IMPLIED_QUESTIONS: Final = {ExcerptKind.QUOTE: "Please reply to this.", ExcerptKind.FILE: "What is this?"}
"""What somebody asks who brings in nothing but a message, or nothing but a file; a message counts first."""

_BACKTICKS: Final = re.compile(r"`{3,}")


@dataclass(frozen=True, order=True, slots=True)
class Said:
    """One message of a question."""

    words: str
    author_name: str = ""
    excerpts: tuple[Excerpt, ...] = ()


def compose(messages: Sequence[Said], *, is_shared: bool) -> str:
    """Return what the model reads of messages that were sent in this order.

    In a shared conversation each begins with its author's name, if that is known. Without any
    words the question is the one that what was brought in implies.
    """
    composed = "\n".join(_message(message, is_shared=is_shared) for message in messages)
    kinds = {one.kind for message in messages for one in message.excerpts}
    if not kinds or any(message.words.strip() for message in messages):
        return composed
    return f"{composed}\n\n{next(ask for kind, ask in IMPLIED_QUESTIONS.items() if kind in kinds)}"


def as_read(question: Question) -> str:
    """Return what the model reads of a question that no other message joins."""
    return compose([said(question)], is_shared=question.key.user_id is None)


def said(question: Question) -> Said:
    """Return what a question says."""
    return Said(question.text, question.author_name, question.excerpts)


def has_only_unread_files(turn: Turn) -> bool:
    """Tell whether a turn asks nothing but what is in files, of which none could be read."""
    is_file = any(one.kind is ExcerptKind.FILE for one in turn.excerpts)
    return is_file and not turn.asked.strip() and not any(one.text.strip() for one in turn.excerpts)


def _message(message: Said, *, is_shared: bool) -> str:
    name = one_line(message.author_name.replace(":", "")) if is_shared else ""
    words = f"{name}: {message.words}" if name and message.words.strip() else message.words
    blocks = [framed(excerpt) for excerpt in message.excerpts]
    return "\n\n".join([*blocks, words] if words.strip() else blocks) if blocks else words


def framed(excerpt: Excerpt) -> str:
    """Return an excerpt as the model reads it."""
    is_quote = excerpt.kind is ExcerptKind.QUOTE
    name = one_line(excerpt.name) or ("somebody" if is_quote else "unnamed")
    subject = f"{name} wrote" if is_quote else f"File {name}"
    if not excerpt.text.strip():
        return f"{subject}: (nothing of it can be read)"
    note = " (only the beginning)" if excerpt.left_out_chars else ""
    if is_quote:
        return f"{subject}{note}:\n" + "\n".join(f"> {line}" for line in excerpt.text.splitlines())
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(excerpt.text)), default=2))
    return f"{subject}{note}:\n{fence}\n{excerpt.text}\n{fence}"


def one_line(name: str) -> str:
    """Return a name on one line, without control and format characters, bounded: it is somebody else's choice."""
    plain = "".join(" " if char.isspace() else char for char in name if char.isspace() or _is_shown(char))
    return " ".join(plain.split())[:NAME_CHARS].rstrip()


def _is_shown(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def trim(excerpts: Sequence[Excerpt], budget_tokens: int, tokens_of: Callable[[str], int]) -> tuple[Excerpt, ...]:
    """Return the excerpts with their ends cut off so that they are about `budget_tokens` together, frames included.

    Each has an equal share; what a shorter one leaves of its own is the others'. `tokens_of` counts a text's tokens.
    """
    budget_tokens = max(0, budget_tokens)
    # Long ones are not counted to their end: a megabyte takes the tokenizer most of a second.
    bounded = [_cut(one, budget_tokens * CHARS_PER_TOKEN) for one in excerpts]
    tokens = [tokens_of(framed(one)) for one in bounded]
    kept = list(bounded)
    left = budget_tokens
    for rank, index in enumerate(sorted(range(len(kept)), key=lambda index: tokens[index])):
        share = left // (len(kept) - rank)
        kept[index] = _within(bounded[index], share, tokens[index], tokens_of)
        left -= min(share, tokens[index])
    return tuple(kept)


def _within(excerpt: Excerpt, share_tokens: int, tokens: int, tokens_of: Callable[[str], int]) -> Excerpt:
    """Cut until it fits, each time by what is too much at the mean length of its tokens; ends, for it gets shorter."""
    while tokens > share_tokens and excerpt.text:
        chars = len(excerpt.text)
        excerpt = _cut(excerpt, min(chars - 1, chars * share_tokens // tokens))
        tokens = tokens_of(framed(excerpt))
    return excerpt


def _cut(excerpt: Excerpt, chars: int) -> Excerpt:
    over = len(excerpt.text) - chars
    if over <= 0:
        return excerpt
    return replace(excerpt, text=excerpt.text[:chars], left_out_chars=excerpt.left_out_chars + over)
