"""Turns that a growing answer makes up: lines in which the model plays the user, and role markers written as text.

Works line by line. Knows nothing of loops or of the system prompt. A dialogue, an FAQ, a chat log or a template that
was asked for, that the answer announces, or that stands in code is none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final

from bot.core import _guard_words
from bot.core.messages import Fault


class _Side(Enum):
    USER = auto()
    NAME = auto()
    QUESTION = auto()
    BOT = auto()
    OTHER = auto()


_LABELS: Final = {
    **dict.fromkeys(_guard_words.USER, _Side.USER),
    **dict.fromkeys(_guard_words.BOT, _Side.BOT),
    **dict.fromkeys(_guard_words.QUESTION, _Side.QUESTION),
}

_DECOR = r"[^\w\"'`|<«“„=/\\${}~]*"
_LABEL = re.compile(
    rf"(?P<decor>{_DECOR}_{{0,2}})(?:\((?=\w))?(?P<label>[^\W_][^:\uff1a\n]{{0,30}}?)"
    r"(?P<close>[\s*_\])]*)(?P<colon>[:\uff1a]|(?<=[\])])\s|(?<=[\])][*_])\s)[*_\])]*[ \t\u3000]*(?P<rest>.*)"
)
_HEADING = re.compile(r"[ \t>]*(?:#{1,6}\s+[*_]*|[*_]{2,3})(?P<label>[^\W_][^:\uff1a\n]{0,30}?)[*_\s]*")
_DECOR_ONLY = re.compile(rf"{_DECOR}_{{0,2}}")
_NUMBER = re.compile(r"\s*#?\d{1,2}$")
_LONGEST_LABEL_CHARS: Final = 48

_MARKER = re.compile(
    rf"<\s?[|\uff5c]\s?(?:{_guard_words.ROLE})\s?(?:[|\uff5c]\s?>|[|\uff5c>]|$)|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|"
    r"</s>(?=\s*(?:$|<s>|\[INST|<\|))|^\s*<s>\s*\[|"
    r"^\s*#{2,4}\s*(?:Instruction|Human|User|Assistant)\s?\d?:|^\s*#{2,4}\s*Response:\s*\S",
    re.IGNORECASE,
)
_MAYBE_MARKER = re.compile(
    r"(?:<(?:\s?[|\uff5c]?\s?[\w ]{0,16}[|\uff5c]?|/?\w{0,13}|<?/?S?Y?S?>?)|\[/?I?N?S?T?|^\s*#{2,4}\s?[a-z]{0,11})$",
    re.IGNORECASE,
)
_ALONE = re.compile(r"\s*(?:<[|\uff5c]\s?(?:user|human|end)\s?[|\uff5c]>\s*)+:?", re.IGNORECASE)
_FENCE = re.compile(r"[\s>]*(```|~~~)")
_OPENING_QUOTES: Final = ('"', "'", "\u201c", "\u2018", "\u00ab", "\u201e")
_LONGEST_MARKER_CHARS: Final = 64
_MARKER_STARTS: Final = frozenset("<[#")

_ASKING = re.compile(r"[?？]")  # noqa: RUF001 - the full-width one is meant


@dataclass(frozen=True, slots=True)
class _Pending:
    """A label line that may be a made-up turn; the next line tells."""

    keep_chars: int
    rest: str
    side: _Side


class TurnWatch:
    """Watches one answer."""

    def __init__(self, question: str, context: str, names: Sequence[str]) -> None:
        """Take what was asked, what the conversation said before it, and the names of who takes part."""
        self._question = question
        self._context = context
        own = dict.fromkeys((name.strip() for name in names if name.strip()), _Side.NAME)
        self._labels = {**own, **_LABELS} if own else _LABELS
        self._beginnings = _BEGINNINGS | _beginnings(own.keys() - _LABELS.keys()) if own else _BEGINNINGS
        self._line = ""
        self._line_start = 0
        self._kept_chars = 0  # up to the end of the last line that is not blank
        self._previous = ""  # that line
        self._is_blank_between = False
        self._is_fenced = False
        self._scanned = 0  # how much of the line has been searched for markers
        self._pending: _Pending | None = None
        self._undecided = False  # the growing line may be a made-up turn

    # What was asked for allows more. It is looked up only once an answer seems to need it, for a full window is long.

    @cached_property
    def _sides(self) -> set[_Side]:
        lines = f"{self._context}\n{self._question}".split("\n")
        return {_side(self._labels, match) for line in lines if (match := _label(line))}

    @cached_property
    def _is_talk_asked_for(self) -> bool:
        return _Side.USER in self._sides or bool(_guard_words.ASKS_FOR_DIALOGUE.search(self._question))

    @cached_property
    def _may_talk(self) -> bool:  # the answer itself may show later that it may
        return self._is_talk_asked_for

    @cached_property
    def _may_ask(self) -> bool:
        if self._is_talk_asked_for or _Side.QUESTION in self._sides:
            return True
        return bool(_guard_words.ASKS_FOR_QUESTIONS.search(self._question))

    @cached_property
    def _may_mark(self) -> bool:
        about = f"{self._context}\n{self._question}"
        asks = _guard_words.ASKS_FOR_MARKERS.search(self._question)
        return bool(asks) or any(map(_MARKER.search, about.split("\n")))

    @property
    def held_from(self) -> int | None:
        """Where what may have to be cut begins, in chars."""
        if self._pending is not None:
            return self._pending.keep_chars
        if self._undecided:
            return self._kept_chars
        if self._is_fenced:
            return None
        if maybe := _MAYBE_MARKER.search(self._line, max(0, len(self._line) - 24)):
            return self._line_start + maybe.start()
        return self._kept_chars if self._may_become_a_label() else None

    def feed(self, piece: str) -> tuple[Fault, int] | None:
        """Take the next piece; return what was found and how much of the text may stay (chars)."""
        first, *others = piece.split("\n")
        verdict = self._grow(first)
        for other in others:
            verdict = verdict or self._end_line() or self._grow(other)
        return verdict

    def finish(self) -> tuple[Fault, int] | None:
        """Take the end of the text; a label that nothing follows is cut."""
        verdict = self._end_line()
        if verdict is None and (pending := self._pending) and not pending.rest and pending.side is _Side.USER:
            return Fault.SELF_DIALOGUE, pending.keep_chars
        return verdict

    # Lines ------------------------------------------------------------------------------------------------------------

    def _grow(self, piece: str) -> tuple[Fault, int] | None:
        if not piece:
            return None
        self._line += piece
        return self._find_marker() or self._find_turn()

    def _end_line(self) -> tuple[Fault, int] | None:
        line = self._line
        verdict = self._find_marker(is_whole=True) or self._find_turn(is_whole=True)
        if _FENCE.match(line):
            self._is_fenced = not self._is_fenced
        if line.strip():
            self._previous, self._is_blank_between = line, False
            self._kept_chars = self._line_start + len(line.rstrip())
        else:
            self._is_blank_between = True
        self._line_start += len(line) + 1
        self._line, self._scanned, self._undecided = "", 0, False
        return verdict

    # Role markers -----------------------------------------------------------------------------------------------------

    def _find_marker(self, *, is_whole: bool = False) -> tuple[Fault, int] | None:
        line = self._line
        if _MARKER_STARTS.isdisjoint(line[self._scanned :]):
            self._scanned = len(line)
            return None
        for match in _MARKER.finditer(line, self._scanned):
            if not self._is_marker_meant(match.start(), is_whole=is_whole):
                before = line[: match.start()].rstrip()
                keep = self._line_start + len(before) if before else self._kept_chars
                return Fault.ROLE_MARKER, keep
        self._scanned = max(self._scanned, len(line) - _LONGEST_MARKER_CHARS)
        return None

    def _is_marker_meant(self, start: int, *, is_whole: bool) -> bool:
        before = self._line[:start]
        if self._is_fenced:
            return self._may_mark or bool(before.strip())
        if before.count("`") % 2 or before.endswith(_OPENING_QUOTES):
            return True
        is_turn = is_whole and not before.strip() and bool(_ALONE.fullmatch(self._line)) and not self._announced()
        return self._may_mark and not is_turn

    # Made-up turns ----------------------------------------------------------------------------------------------------

    def _find_turn(self, *, is_whole: bool = False) -> tuple[Fault, int] | None:
        """Look at the growing line, or at a whole one."""
        line = self._line
        if self._is_fenced or line.startswith("    ") or not line.strip():
            return None
        match = _label(line)
        if match is None and is_whole and (heading := _HEADING.fullmatch(line)):
            match = heading
        if match is None:
            return self._settle(None, line) if is_whole or len(line) > _LONGEST_LABEL_CHARS else None
        if self._may_talk and self._may_ask:
            return None
        if "close" in match.groupdict() and not self._has_colon(match):
            return self._settle(None, line) if is_whole else None
        side = _side(self._labels, match)
        verdict = self._settle(side, line)
        if verdict or side in (_Side.BOT, _Side.OTHER):
            return verdict
        return self._judge(match, side, is_whole=is_whole)

    def _has_colon(self, match: re.Match[str]) -> bool:
        """Tell a label from a word in brackets: without a colon only `[User] …` is one."""
        return match["colon"] in ":\uff1a" or _side(self._labels, match) in (_Side.USER, _Side.NAME)

    def _judge(self, match: re.Match[str], side: _Side, *, is_whole: bool) -> tuple[Fault, int] | None:
        groups = match.groupdict()
        rest, decor = (groups.get("rest") or "").strip(), groups.get("decor", "#")
        if self._is_licensed(side, rest, decor, is_whole=is_whole):
            self._undecided = False
            return None
        self._undecided = True
        pending = _Pending(self._kept_chars, rest, side)
        if side is _Side.QUESTION:
            is_turn = bool(_ASKING.search(rest)) or (is_whole and len(rest.split()) > 2)
        else:
            is_turn = _is_said_by_a_person(rest, side, is_whole=is_whole)
        if is_turn:
            return Fault.SELF_DIALOGUE, self._kept_chars
        if is_whole:
            self._pending = pending
        return None

    def _is_licensed(self, side: _Side, rest: str, decor: str, *, is_whole: bool) -> bool:
        """Tell whether such a turn belongs here, and remember it: then those that follow do as well."""
        if side is _Side.QUESTION and self._may_ask:
            return True
        if side is not _Side.QUESTION and self._may_talk:
            return True
        if side is _Side.QUESTION and (not self._kept_chars or _is_alike(rest, self._question)):
            if is_whole and not _is_alike(rest, self._question):
                self._may_ask = True  # an answer in the form of an FAQ; else it only repeats what it was asked
            return True
        if self._announced():
            self._may_ask = True
            self._may_talk = self._may_talk or side is not _Side.QUESTION
            return True
        sibling = _label(self._previous) if not self._is_blank_between else None
        return bool(
            sibling and sibling["decor"].strip() == decor.strip() and _side(self._labels, sibling) is _Side.OTHER
            and not _ASKING.search(rest)
        )  # fmt: skip

    def _announced(self) -> bool:
        line = self._previous.strip().rstrip("*_ ")
        if line.endswith((":", "\uff1a")):
            match = _label(self._previous)
            return match is None or _side(self._labels, match) is _Side.OTHER
        return bool(_guard_words.ANNOUNCES.search(line)) and (
            line.startswith("#") or self._previous.strip().startswith("**")
        )

    def _settle(self, side: _Side | None, line: str) -> tuple[Fault, int] | None:
        """Judge the line before by this one: what follows a made-up turn is an answer to it."""
        pending = self._pending
        if pending is None:
            return None
        if side is None and len(line.strip()) < 2:
            return None
        self._pending = None
        if side is _Side.BOT:
            return Fault.SELF_DIALOGUE, pending.keep_chars
        if pending.side is not _Side.USER:
            return None
        if side is _Side.OTHER:  # what users and others do, or are: no talk
            self._may_talk = self._may_talk or bool(pending.rest)
            return None
        is_value = pending.rest and (_guard_words.DEFINES.match(pending.rest) or not _is_wordy(pending.rest))
        return None if is_value else (Fault.SELF_DIALOGUE, pending.keep_chars)

    def _may_become_a_label(self) -> bool:
        line = self._line
        if len(line) > _LONGEST_LABEL_CHARS or (match := _DECOR_ONLY.match(line)) is None:
            return False
        head = line[match.end() :].rstrip(" *_])\uff1a:").casefold()
        if not head:
            return 0 < len(line.strip()) <= 4 and not self._may_talk
        if len(head) < 2 and head < "\u2e80":
            return False  # a single letter is no harm
        return _NUMBER.sub("", head) in self._beginnings and not self._may_talk


def _beginnings(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(label[:length].casefold() for label in labels for length in range(len(label) + 1))


_BEGINNINGS: Final = _beginnings(label for label, side in _LABELS.items() if side is not _Side.BOT)


def _label(line: str) -> re.Match[str] | None:
    return _LABEL.match(line)


def _side(labels: dict[str, _Side], match: re.Match[str]) -> _Side:
    label = match["label"].strip()
    if label in labels:
        return labels[label]
    label = label.casefold()
    return labels.get(label) or labels.get(_NUMBER.sub("", label)) or _Side.OTHER


def _is_said_by_a_person(rest: str, side: _Side, *, is_whole: bool) -> bool:
    """Tell whether what follows a user's or a name's label can be nothing but a turn of theirs."""
    words = rest.split()
    if side is _Side.NAME:
        speaks = bool(_guard_words.SPEAKS.match(rest) and len(words) > 1) or rest.endswith(("?", "\uff1f"))
        return speaks and (is_whole or len(words) > 2)
    speaks = bool(_guard_words.SPEAKS.match(rest) or _guard_words.SPEAKS_OF_ONESELF.search(rest))
    is_enough = len(words) > (1 if is_whole else 2)
    return bool(_ASKING.search(rest)) or (speaks and is_enough and not _guard_words.DEFINES.match(rest))


def _is_wordy(rest: str) -> bool:
    """Tell whether what follows "User:" is more than a value: two words, or four signs of a script without spaces."""
    return len(rest.split()) > 1 or len([char for char in rest if char > "\u2e80"]) >= 4


def _is_alike(text: str, question: str) -> bool:
    """Tell whether a text is the question, or the beginning of it."""
    words, asked = text.casefold().split(), question.casefold().split()
    return bool(words) and words == asked[: len(words)]
