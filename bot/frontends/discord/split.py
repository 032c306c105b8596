"""Cut a long answer into messages of at most 2000 characters that each stand alone.

Pure text in, pure text out. Prefix-stable: while a text grows, every chunk but the last stays as it is, because a cut
depends only on the shortest part of the text that did not fit any more. So a full message never needs another edit.
Knows what must stay whole in Discord's Markdown; what that means for columns, colours or previews it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bot.frontends.discord.fences import QUOTED, Fence, first_overflow, open_after
from bot.frontends.discord.graphemes import is_inside_grapheme
from bot.frontends.discord.spans import Spans

LIMIT_CHARS: Final = 2000
"""Code points of one message. Source: Discord's API documentation, "Create Message"."""

_INDENT_LIMIT_CHARS: Final = 64  # deeper is white space, not structure
_LEAST_SHARE: Final = 0.2  # of a message: a shorter one is worse than a broken span

_LASTING = re.compile(r"[ \t]*(?P<quote>> )?[ \t]*(?P<kind>(?:\#{1,3}|-\#) )?")
"""What a line's text needs before it in the next message too."""
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")
_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message's worth: `body` comes from the text, the other two only keep its code block whole."""

    opening: str
    body: str
    closing: str

    def __str__(self) -> str:
        """Return what is sent."""
        return f"{self.opening}{self.body}{self.closing}"


def split(text: str, limit: int = LIMIT_CHARS) -> list[str]:
    """Return `text` as messages of at most `limit` code points (at least 100), none of them blank.

    Nothing is lost but white space at the cuts, NULs and lone surrogates. While `text` grows by appending, only the
    last chunk changes. Cuts prefer the end of a paragraph, of a line, of a sentence, a space, in this order.
    """
    return [str(chunk) for chunk in chunks(text, limit)]


def chunks(text: str, limit: int = LIMIT_CHARS) -> list[Chunk]:
    """Return what `split` returns, with what was added told apart from what was there."""
    return Splitter(limit).chunks(text)


class Splitter:
    """Splits one text as often as it has grown: what is cut off is final and not looked at again."""

    def __init__(self, limit: int = LIMIT_CHARS) -> None:
        """Take the most code points of a chunk, at least 100."""
        self._limit = limit
        self._forget()

    def _forget(self) -> None:
        self._final: list[Chunk] = []
        self._decisive = ""  # the text that decided the last cut; what follows does not change it
        self._next = _Beginning(0)

    def chunks(self, text: str) -> list[Chunk]:
        """Return what the function `chunks` returns; any text will do, but only one that has grown saves work."""
        text = sayable(text)
        if not text.startswith(self._decisive):
            self._forget()
        begin = self._next.after_white_space(text)
        while (too_much := begin.first_overflow(text, self._limit)) is not None:
            self._decisive = text[: begin.at + too_much - len(begin.prefix)]
            window = begin.prefix + self._decisive[begin.at :]
            cut = _cut(window, begin.fence)
            chunk, fence = _chunk(begin, window[len(begin.prefix) : cut])
            self._final += chunk
            self._next = _Beginning(begin.at + cut - len(begin.prefix), fence, _lasting(window[:cut], fence))
            begin = self._next.after_white_space(text)
        newest, _ = _chunk(begin, text[begin.at :])
        return [*self._final, *newest]


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a chunk begins in the text, the code block that is open there, and what its line began with, if cut."""

    at: int
    fence: Fence | None = None
    prefix: str = ""

    @property
    def opening(self) -> str:
        return (self.fence.opening if self.fence else "") + self.prefix

    def after_white_space(self, text: str) -> _Beginning:
        """Return where the chunk's text begins: past the white space at the cut, and past the end of its block."""
        rest = text[self.at :]
        if self.fence is None:
            bare = _trim_start(rest)
            skipped = rest[: len(rest) - len(bare)]
            is_same_line = bool(bare) and "\n" not in skipped
            return _Beginning(self.at + len(skipped), prefix=self.prefix if is_same_line else "")
        line_break_chars = int(rest.startswith("\n"))
        if not line_break_chars and text[self.at - 1] != "\n":
            return self
        line, newline, following = rest[line_break_chars:].partition("\n")
        if self.fence.is_closed_by(line):  # the block ended just here, and the chunk before has closed it already
            return _Beginning(len(text) - len(newline + following)).after_white_space(text)
        if self.fence.is_left_by(line):
            return _Beginning(self.at + line_break_chars).after_white_space(text)
        return _Beginning(self.at + line_break_chars, self.fence)

    def first_overflow(self, text: str, limit: int) -> int | None:
        """Return how much, the prefix included, is the least that does not fit."""
        room = limit - (len(self.fence.opening) if self.fence else 0)
        return first_overflow(self.prefix + text[self.at :], self.fence, room)


def _chunk(begin: _Beginning, part: str) -> tuple[list[Chunk], Fence | None]:
    """Return a part as a chunk, or none if it is blank, and the block that is open at its end."""
    after = open_after(begin.prefix + part, begin.fence)
    body = part if after else _trim_end(part)
    return [Chunk(begin.opening, body, after.closing(body) if after else "")] if body.strip() else [], after


def _trim_end(part: str) -> str:
    """Drop white space, and quoted lines of nothing: Discord strips a message, and would show the bare mark."""
    body = part.rstrip()
    while (begin := body.rfind("\n") + 1) < len(body) and QUOTED.match(part, begin) and body[begin:].strip() == ">":
        body = body[:begin].rstrip()
    return body


def _lasting(window: str, fence: Fence | None) -> str:
    """Return what the rest of the last line needs before it to stay what it is; "" after a whole line."""
    line = window[window.rfind("\n") + 1 :]
    if fence is not None:
        return fence.quote if line else ""
    match = _LASTING.match(line)
    return (match["quote"] or "") + (match["kind"] or "") if match else ""


def sayable(text: str) -> str:
    """Return `text` without what Discord's JSON cannot carry: NULs and lone surrogates."""
    return _UNSAYABLE.sub("", text)


def _trim_start(rest: str) -> str:
    """Drop blank lines; keep an indentation, which may mean something."""
    blank = _BLANK_LINES.match(rest)
    rest = rest[blank.end() :] if blank else rest
    bare = rest.lstrip()
    return bare if not bare or len(rest) - len(bare) > _INDENT_LIMIT_CHARS else rest


def _cut(window: str, fence: Fence | None) -> int:
    """Return where to cut: more than 0 and less than the window's length, which is the first that is too long."""
    spans = Spans(window, fence)
    last = len(window) - 1
    for bound in (bound for bound in spans.bounds if bound > _LEAST_SHARE * last):
        for candidates, share in (
            (spans.paragraph_ends, 0.5),
            (spans.line_ends, 0.4),
            (spans.sentence_ends, 0.4),
            (spans.spaces, _LEAST_SHARE),
            (range(last + 1), _LEAST_SHARE),
        ):
            latest_first = (at for at in reversed(candidates) if share * last < at <= min(bound, last))
            found = next((at for at in latest_first if spans.allows(at)), None)
            if found is not None:
                return found
    return next((at for at in range(last, int(_LEAST_SHARE * last), -1) if not is_inside_grapheme(window, at)), last)
