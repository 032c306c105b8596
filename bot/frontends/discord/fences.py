"""Code blocks in Discord's Markdown, line by line: which line opens one, which ends it, what closing it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

QUOTED: Final = re.compile(r"[ \t]*> ")

_INFO_LIMIT_CHARS: Final = 30  # a longer "language" is no language and is not repeated
_FENCE_LINE = re.compile(r"[ \t]*(?P<marker>`{3,20}(?!`)|~{3,20}(?!~))(?P<info>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Fence:
    """A code block that is open: its marker (three or more ` or ~), its language, and the "> " of a quote around it."""

    marker: str
    info: str
    quote: str = ""

    @property
    def opening(self) -> str:
        """The line that opens it again in the next chunk."""
        return f"{self.quote}{self.marker}{self.info}\n"

    @property
    def closing_chars(self) -> int:
        """The most that closing it costs: a newline and the marker."""
        return len(self.quote) + len(self.marker) + 1

    def closing(self, body: str) -> str:
        """Return what closes it after `body`."""
        marker = self.quote + self.marker
        return marker if not body or body.endswith("\n") else f"\n{marker}"

    def is_closed_by(self, line: str) -> bool:
        """Whether a line is its end."""
        quoted = QUOTED.match(line) if self.quote else None
        bare = (line[quoted.end() :] if quoted else line).strip()
        return len(bare) >= len(self.marker) and bare == self.marker[0] * len(bare)

    def is_left_by(self, line: str) -> bool:
        """Whether a line ends the block by ending the quote around it."""
        return bool(self.quote) and QUOTED.match(line) is None


def opened_by(line: str) -> Fence | None:
    """Return the block that a line outside of any opens (CommonMark's rule, at any indentation, as Discord has it)."""
    quoted = QUOTED.match(line)
    match = _FENCE_LINE.match(line, quoted.end() if quoted else 0)
    if match is None or ("`" in match["info"] and match["marker"][0] == "`"):
        return None
    info = match["info"].strip()
    return Fence(match["marker"], info if len(info) <= _INFO_LIMIT_CHARS else "", "> " if quoted else "")


def lines_of(text: str, fence: Fence | None) -> Iterator[tuple[int, str, Fence | None]]:
    """Yield each line's start, the line with its newline, and the block that it begins in; `fence` is open before."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end]
        if fence is not None and fence.is_left_by(line):
            fence = None
        yield start, line, fence
        fence = _after(line.removesuffix("\n"), fence)
        start = end


def open_after(text: str, fence: Fence | None) -> Fence | None:
    """Return the block that is open at the end of `text`, if `fence` is open before."""
    for line in text.split("\n"):
        fence = _after(line, fence)
    return fence


def _after(line: str, fence: Fence | None) -> Fence | None:
    if fence is None or fence.is_left_by(line):
        return opened_by(line)
    return None if fence.is_closed_by(line) else fence


def first_overflow(text: str, fence: Fence | None, room_chars: int) -> int | None:
    """Return the length of the shortest prefix that does not fit in the room once its block is closed, or None.

    What a prefix costs depends on that prefix alone, so that a longer text overflows at the same place.
    """
    for start, line, open_fence in lines_of(text, fence):
        if start + len(line) + _closing_chars(line, open_fence) <= room_chars:
            continue
        for length in range(1, len(line) + 1):
            if start + length + _closing_chars(line[:length], open_fence) > room_chars:
                return start + length
    return None


def _closing_chars(line: str, fence: Fence | None) -> int:
    """Return the most that closing may cost after this part of a line."""
    if fence is not None:
        return fence.closing_chars
    quoted = QUOTED.match(line)
    match = _FENCE_LINE.match(line, quoted.end() if quoted else 0)
    return len(match["marker"]) + 1 + (2 if quoted else 0) if match else 0
