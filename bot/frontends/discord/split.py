"""Cut a long answer into messages of at most 2000 characters that each stand alone.

Pure text in, pure text out. Prefix-stable: while a text grows, every chunk but the last stays as it is, because a cut
depends only on the shortest part of the text that did not fit any more. So a full message never needs another edit.
Knows what must stay whole in Discord's Markdown; what that means for columns, colours or previews it does not know.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LIMIT_CHARS: Final = 2000
"""Code points of one message. Source: Discord's API documentation, "Create Message"."""

_INFO_LIMIT_CHARS: Final = 30  # a longer "language" is no language and is not repeated
_INDENT_LIMIT_CHARS: Final = 64  # deeper is white space, not structure
_UNFINISHED_CHARS: Final = 310  # how far back an unclosed span still may be one

_QUOTED = re.compile(r"[ \t]*> ")
_FENCE_LINE = re.compile(r"[ \t]*(?P<marker>`{3,20}(?!`)|~{3,20}(?!~))(?P<info>[^\n]*)")
_MAYBE_FENCE = re.compile(r"[ \t]*(?:`{3}|~{3}|(?:`+|~+)?\Z)")
_BLOCK = re.compile(r"[ \t]*(?:\#{1,3}|-(?:\#?)|[*+]|\d{1,9}[.)]?|>{1,3})(?:\s|\Z)|[ \t]*\Z")
"""What makes a line a heading, small, an item or a quote, as far as it is there."""
_LASTING = re.compile(r"[ \t]*(?P<quote>> )?[ \t]*(?P<kind>(?:\#{1,3}|-\#) )?")
"""What a line's text needs before it in the next message too."""
_LEAD = re.compile(r"[ \t]*(?:>(?: |\Z))?[ \t]*(?:(?:\#{1,3}|-\#?|[*+]|\d{1,9}[.)])(?: |\Z))?")
_CODE_LEAD = re.compile(r"[ \t]*(?:>(?: |\Z))?[ \t]*")
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")
_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")

_WHOLE = re.compile(
    r"""
      \\.                                             # an escape
    | (?P<ticks>(?<!`)`+(?!`))(?:[^\n]|\n(?!\n))+?(?<!`)(?P=ticks)(?!`)   # inline code
    | <(?:@[!&]?|\#)\d+>                              # a mention
    | <a?:\w+:\d+>                                    # a custom emoji
    | <t:-?\d+(?::\w)?>                               # a timestamp
    | </[^<>\n]{1,100}:\d+>                           # a command
    | !?\[[^\]\n]*\]\(<?https?://[^\s)]*(?:[ ]"[^"\n]*")?\)  # a link
    | <?https?://[^\s<]+>?                            # a URL
    | :\w{2,32}:                                      # an emoji by name
    | (?P<mark>\*{1,3}|__|~~|\|\||(?<!\w)_)(?=[^\s*_~|])  # emphasis or a spoiler
        (?:\\.|[^\n\\]){1,300}?(?<=[^\s])(?P=mark)
    """,
    re.VERBOSE,
)
_MAYBE_WHOLE = re.compile(
    r"""
    (?: (?<!`)`+(?!`)[^\n]*
      | <[@\#:/t][^\s>]* | <a:[^\s>]*
      | \[[^\]\n]*(?:\](?:\([^)\s]*)?)?
      | https?:?/?/?[^\s]*
      | (?:\*{1,3}|__|~~|\|\||(?<!\w)_)(?=[^\s*_~|])[^\n]*
      | \\
    ) \Z
    """,
    re.VERBOSE,
)
_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]*_]*(?=\s)|[。！？]""")  # noqa: RUF001 - the full-width ones are meant
_SPACE = re.compile(r"[^\S\n]")


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
        if _closes(line, self.fence):  # the block ended just here, and the chunk before has closed it already
            return _Beginning(len(text) - len(newline + following)).after_white_space(text)
        if _is_out_of(line, self.fence):
            return _Beginning(self.at + line_break_chars).after_white_space(text)
        return _Beginning(self.at + line_break_chars, self.fence)

    def first_overflow(self, text: str, limit: int) -> int | None:
        """Return how much, the prefix included, is the least that does not fit."""
        room = limit - (len(self.fence.opening) if self.fence else 0)
        return _first_overflow(self.prefix + text[self.at :], self.fence, room)


def _chunk(begin: _Beginning, part: str) -> tuple[list[Chunk], Fence | None]:
    """Return a part as a chunk, or none if it is blank, and the block that is open at its end."""
    after = _fence_after(begin.prefix + part, begin.fence)
    body = part if after else _trim_end(part)
    return [Chunk(begin.opening, body, _closing(body, after))] if body.strip() else [], after


def _trim_end(part: str) -> str:
    """Drop white space, and quoted lines of nothing: Discord strips a message, and would show the bare mark."""
    body = part.rstrip()
    while (begin := body.rfind("\n") + 1) < len(body) and _QUOTED.match(part, begin) and body[begin:].strip() == ">":
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


def _closing(body: str, fence: Fence | None) -> str:
    if fence is None:
        return ""
    closing = fence.quote + fence.marker
    return closing if not body or body.endswith("\n") else f"\n{closing}"


def _trim_start(rest: str) -> str:
    """Drop blank lines; keep an indentation, which may mean something."""
    blank = _BLANK_LINES.match(rest)
    rest = rest[blank.end() :] if blank else rest
    bare = rest.lstrip()
    return bare if not bare or len(rest) - len(bare) > _INDENT_LIMIT_CHARS else rest


# Code blocks ----------------------------------------------------------------------------------------------------------


def _opens(line: str) -> Fence | None:
    """Return the block that a line outside of any opens (CommonMark's rule, at any indentation, as Discord has it)."""
    quoted = _QUOTED.match(line)
    match = _FENCE_LINE.match(line, quoted.end() if quoted else 0)
    if match is None or ("`" in match["info"] and match["marker"][0] == "`"):
        return None
    info = match["info"].strip()
    return Fence(match["marker"], info if len(info) <= _INFO_LIMIT_CHARS else "", "> " if quoted else "")


def _closes(line: str, fence: Fence) -> bool:
    quoted = _QUOTED.match(line) if fence.quote else None
    bare = (line[quoted.end() :] if quoted else line).strip()
    return len(bare) >= len(fence.marker) and bare == fence.marker[0] * len(bare)


def _is_out_of(line: str, fence: Fence) -> bool:
    """Whether a line ends a block by ending the quote around it."""
    return bool(fence.quote) and _QUOTED.match(line) is None


def _fence_after(text: str, fence: Fence | None) -> Fence | None:
    for line in text.split("\n"):
        fence = _step(line, fence)
    return fence


def _step(line: str, fence: Fence | None) -> Fence | None:
    if fence is None or _is_out_of(line, fence):
        return _opens(line)
    return None if _closes(line, fence) else fence


def _lines(text: str, fence: Fence | None) -> Iterator[tuple[int, str, Fence | None]]:
    """Yield each line's start, the line with its newline, and the block that it begins in."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end]
        if fence is not None and _is_out_of(line, fence):
            fence = None
        yield start, line, fence
        fence = _step(line.removesuffix("\n"), fence)
        start = end


def _first_overflow(rest: str, fence: Fence | None, room: int) -> int | None:
    """Return the length of the shortest prefix that does not fit in `room` once its block is closed, or None.

    What a prefix costs depends on that prefix alone, so that a longer text overflows at the same place.
    """
    for start, line, open_fence in _lines(rest, fence):
        if start + len(line) + _cost(line, open_fence) <= room:
            continue
        for length in range(1, len(line) + 1):
            if start + length + _cost(line[:length], open_fence) > room:
                return start + length
    return None


def _cost(line: str, fence: Fence | None) -> int:
    """Return the most that closing may cost after this part of a line."""
    if fence is not None:
        return fence.closing_chars
    quoted = _QUOTED.match(line)
    match = _FENCE_LINE.match(line, quoted.end() if quoted else 0)
    return len(match["marker"]) + 1 + (2 if quoted else 0) if match else 0


# Where to cut ---------------------------------------------------------------------------------------------------------


def _cut(window: str, fence: Fence | None) -> int:
    """Return where to cut: more than 0 and less than the window's length, which is the first that is too long."""
    whole = _Spans(window, fence)
    last = len(window) - 1
    for candidates, share in (
        (whole.paragraph_ends, 0.5),
        (whole.line_ends, 0.4),
        (whole.sentence_ends, 0.4),
        (whole.spaces, 0.2),
    ):
        latest_first = (at for at in reversed(candidates) if share * last < at <= last)
        found = next((at for at in latest_first if whole.allows(at)), None)
        if found is not None:
            return found
    return whole.last_resort(last)


class _Spans:
    """What of a window must stay whole, and where it may end."""

    def __init__(self, window: str, fence: Fence | None) -> None:
        self._window = window
        self.paragraph_ends: list[int] = []
        self.line_ends: list[int] = []
        self.spaces: list[int] = []
        self.sentence_ends: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._code: list[tuple[int, int]] = []
        self._unfinished_at = len(window)  # from here on there may be one more
        prose: list[str] = []  # the window with its code blocks blanked out, so that nothing is found in them
        for start, line, open_fence in _lines(window, fence):
            self._take_line(start, line, open_fence, prose)
        self._take_prose("".join(prose))
        self._spans.sort()

    def _take_line(self, start: int, line: str, fence: Fence | None, prose: list[str]) -> None:
        end = start + len(line)
        newline = end - 1 if line.endswith("\n") else None
        bare = line.removesuffix("\n")
        if fence is None and _opens(bare):
            self._spans.append((start, end + 1))  # never an empty block before the cut
            self.paragraph_ends.append(start)
        elif fence is not None and _closes(bare, fence):
            if newline is not None:
                self.paragraph_ends.append(newline)
        elif fence is None and not bare.strip():
            self.paragraph_ends.append(start)
        if newline is not None:
            self.line_ends.append(newline)
        self.spaces.extend(start + match.start() for match in _SPACE.finditer(bare))
        in_code = fence is not None or _opens(bare) is not None
        lead = (_CODE_LEAD if fence is not None else _LEAD).match(bare)
        if lead and lead.end():
            self._spans.append((start, start + lead.end() + 1))
        if in_code:
            self._code.append((start, end))
        prose.append("\n" * len(line) if in_code else line)

    def _take_prose(self, prose: str) -> None:
        self._spans.extend(match.span() for match in _WHOLE.finditer(prose))
        tail = _WHOLE.sub(lambda match: "." * len(match[0]), prose)
        unfinished = _MAYBE_WHOLE.search(tail, max(0, len(tail) - _UNFINISHED_CHARS))
        if unfinished:
            self._unfinished_at = unfinished.start()
        self.sentence_ends = [match.end() for match in _SENTENCE_END.finditer(prose)]

    def _around(self, at: int) -> tuple[int, int] | None:
        """Return a span that a cut at `at` would break."""
        return next(((start, end) for start, end in self._spans if start < at < end), None)

    def allows(self, at: int) -> bool:
        """Whether a cut here breaks nothing, nor what may become something, and leaves something before it."""
        return at <= self._unfinished_at and self._breaks_nothing(at)

    def _breaks_nothing(self, at: int) -> bool:
        return (
            self._around(at) is None
            and not is_inside_grapheme(self._window, at)
            and not self._window[:at].isspace()
            and not self._makes_a_block(at)
        )

    def _makes_a_block(self, at: int) -> bool:
        """Whether what stands in the middle of a line would be a heading, an item, a fence, … at a line's start."""
        if self._window[at - 1] == "\n" or self._window[at] == "\n":
            return False
        in_code = any(start < at < end for start, end in self._code)
        return bool(_MAYBE_FENCE.match(self._window, at) or (not in_code and _BLOCK.match(self._window, at)))

    def last_resort(self, last: int) -> int:
        """Return the last place between two characters, outside of every span where that is possible."""
        for allows in (self.allows, self._breaks_nothing, lambda at: not is_inside_grapheme(self._window, at)):
            for at in range(last, last // 5, -1):
                if allows(at):
                    return at
        return last


def is_inside_grapheme(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would tear apart what a reader takes for one character.

    A part of UAX #29 that needs no tables of ours: marks, joiners, variation selectors, skin tones, tags, flags, Hangul
    syllables and CR LF.
    """
    if at <= 0 or at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if "\u200d" in (before, after) or "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    if unicodedata.category(after).startswith("M") or (before == "\r" and after == "\n"):
        return True
    if _is_flag_letter(before) and _is_flag_letter(after):
        first = at - 1
        while first > 0 and _is_flag_letter(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 1
    return _is_hangul(before) and "\u1160" <= after <= "\u11ff"


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_hangul(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\uac00" <= character <= "\ud7a3"
