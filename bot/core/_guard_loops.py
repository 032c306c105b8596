"""Endless loops in a growing answer: the same word, phrase, line or paragraph again and again.

Works on a copy of the text in which runs of digits, of white space and letter case no longer differ, so that "1. So it
is." repeats as "2. So it is.". Knows nothing of turns or prompts. docs/decisions.md has the numbers behind the limits.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from typing import Final

_ANCHOR_CHARS: Final = 16  # the end of the text that is looked for further up
_LOOK_EVERY_CHARS: Final = 8  # of the copy: about two tokens
_LONGEST_PERIOD_CHARS: Final = 1000
_BLANK_CHARS: Final = 400  # white space and nothing else
_MOST_NEEDED_CHARS: Final = 2000  # a longer loop than this is one whatever was asked: a 1,024-token answer has 3,000
_UNITS: Final = 24  # the lines or sentences among which one that comes back is counted
_UNITS_SAME: Final = 9
_UNIT_LETTERS: Final = 12

_UNIT_END = re.compile(r"\n|[.!?](?=\s)|[。！？]")  # noqa: RUF001 - the full-width ones are meant
_UNIT_MARK = re.compile(r"[\W\d_]*(?:(?:[ivxlc]{1,5}|[a-z])[.):]\s+)?")
_CODE_SHAPED = re.compile(r"[0-9{}()\[\];=<>|_/\\\"'`+*#&$@^~]")
_DIGITS = re.compile(r"\d+")
_SPACES = re.compile(r"\s+")
_ASKED = re.compile(
    r"\b(repeat|times|again|count|chant|mantra|refrain|chorus|song|sing|lyrics|poem|lines|\d{2,}|wiederhol\w*|mal|lied|"
    r"gedicht|répèt\w*|chanson|poème|repit\w*|repet\w*|canci[oó]n|veces|canzone|повтор\w*|песн\w*)\b|重复|重復|繰り返|歌|반복",
    re.IGNORECASE,
)


class LoopWatch:
    """Watches one answer."""

    def __init__(self, question: str) -> None:
        """Take what was asked: who asks for repetition gets more of it."""
        self._patience = 4 if _ASKED.search(question) else 1
        self._raw = ""
        self._norm = ""
        self._offsets = array("l")  # where each character of the copy stands in the text
        self._next_look = 4 * _ANCHOR_CHARS
        self._unit_start = 0
        self._is_fenced = False
        self._line_start = 0
        self._units: deque[str] = deque(maxlen=_UNITS)
        self._first_ends: dict[str, int] = {}

    def feed(self, piece: str) -> int | None:
        """Take the next piece; return how much of the text may stay (chars) once it is a loop."""
        start = len(self._raw)
        self._raw += piece
        self._normalize(piece, start)
        if piece.isspace() and (kept := len(self._raw.rstrip())) + _BLANK_CHARS <= len(self._raw):
            return kept
        if len(self._norm) >= self._next_look:
            self._next_look = len(self._norm) + _LOOK_EVERY_CHARS
            kept_chars = self._look()
            if kept_chars is not None:
                return kept_chars
        return self._end_units(start)

    def _normalize(self, piece: str, start: int) -> None:
        if piece.isascii() and piece.isalpha():  # most pieces
            self._norm += piece.lower()
            self._offsets.extend(range(start, start + len(piece)))
            return
        last = self._norm[-1:]
        found = []
        for offset, char in enumerate(piece, start):
            new = "0" if char.isdigit() else " " if char.isspace() else char
            if new == last and new in "0 ":
                continue
            last = new
            found.append(new)
            self._offsets.append(offset)
        self._norm += "".join(lower if len(lower := char.lower()) == 1 else char for char in found)

    # The same again without anything between ------------------------------------------------------------------------

    def _look(self) -> int | None:
        norm, end = self._norm, len(self._norm)
        before = norm.rfind(norm[-_ANCHOR_CHARS:], max(0, end - _ANCHOR_CHARS - _LONGEST_PERIOD_CHARS), end - 1)
        if before < 0:
            return None
        period = end - _ANCHOR_CHARS - before
        if norm[end - 2 * period : end - period] != norm[end - period :]:
            return None
        needed = self._needed_chars(period)
        if needed is None or needed > end or norm[end - needed : end - period] != norm[end - needed + period :]:
            return None
        start = end - needed
        while start and norm[start - 1] == norm[start - 1 + period]:
            start -= 1
        return self._sound_end(self._offsets[start], self._offsets[start + period])

    def _needed_chars(self, period: int) -> int | None:
        """Return how long a text of this period must be to be a loop, or None if it never is one."""
        offsets, end = self._offsets, len(self._norm)
        first = self._raw[offsets[end - 2 * period] : offsets[end - period]]
        second = self._raw[offsets[end - period] :]
        letters = _letters(second)
        is_exact = first.strip() == second.strip()
        if not letters:
            needed = (800 if period < 30 else 1500) if is_exact else None
        elif self._is_fenced or _is_code_shaped(second):
            needed = max(10 * period, 600) if is_exact else max(30 * period, 1500)
        elif not is_exact:
            needed = max((10 if period < 80 else 6) * period, 700) if letters >= _UNIT_LETTERS else 3000
        elif period < 20:
            needed = max(12 * period, 160 if period > 3 else 200)
        elif period < 80:
            needed = max(6 * period, 240)
        else:
            needed = (4 if period < 200 else 3) * period
        if needed is None or self._patience == 1:
            return needed
        return max(needed, min(self._patience * needed, _MOST_NEEDED_CHARS))

    def _sound_end(self, start: int, end: int) -> int:
        """Return where the first round ends, rather at the end of a line or sentence within it.

        The last sign of what was said before may be like that of each round, so that the round seems to begin there.
        """
        ends = [match.end() for match in _UNIT_END.finditer(self._raw, start, end + 3)]
        return len(self._raw[: ends[-1] if ends else end].rstrip())

    # The same line or sentence again, with others between ------------------------------------------------------------

    def _end_units(self, start: int) -> int | None:
        """Look at each line or sentence that has ended with the newest piece."""
        for match in _UNIT_END.finditer(self._raw, max(self._unit_start, start - 1)):
            unit = self._raw[self._unit_start : match.end()]
            self._unit_start = match.end()
            if match[0] == "\n":
                line = self._raw[self._line_start : match.end()]
                self._line_start = match.end()
                if line.lstrip().startswith(("```", "~~~")):
                    self._is_fenced = not self._is_fenced
                    continue
            kept_chars = self._end_unit(unit, match.end())
            if kept_chars is not None:
                return kept_chars
        return None

    def _end_unit(self, unit: str, end: int) -> int | None:
        if self._is_fenced or _letters(unit) < _UNIT_LETTERS or _is_code_shaped(unit):
            return None
        unit = _SPACES.sub(" ", _DIGITS.sub("0", unit.lower())).strip()
        unit = unit[match.end() :] if (match := _UNIT_MARK.match(unit)) else unit
        self._units.append(unit)
        first_end = self._first_ends.setdefault(unit, end)
        if self._units.count(unit) < _UNITS_SAME * min(self._patience, 2):
            return None
        return len(self._raw[:first_end].rstrip())


def _letters(text: str) -> int:
    """Count the letters; one of a script without spaces between words counts as three."""
    return sum(1 if char < "\u2e80" else 3 for char in text if char.isalpha())


def _is_code_shaped(text: str) -> bool:
    """Tell whether a text is rather code, a table or a log: similar lines are normal there."""
    return len(_CODE_SHAPED.findall(text)) > 0.15 * len(text)
