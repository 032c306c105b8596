"""What must stay whole in Discord's Markdown: emphasis, links, mentions, inline code, the beginnings of lines.

Says of one message's worth of text where it may be cut; where it is best cut it does not decide.
"""

from __future__ import annotations

import re
from typing import Final

from bot.frontends.discord.fences import QUOTED, Fence, lines_of, opened_by
from bot.frontends.discord.graphemes import is_inside_grapheme

_WHOLE: Final = r"""
      \\.                                                                 # an escape
    | (?P<ticks>(?<!`)`+(?!`))(?s:.)+?(?<!`)(?P=ticks)(?!`)               # inline code
    | <(?:@[!&]?|\#)\d+>                                                  # a mention
    | <a?:\w+:\d+>                                                        # a custom emoji
    | <t:-?\d+(?::\w)?>                                                   # a timestamp
    | </[^<>\n]{1,100}:\d+>                                               # a command
    | !?\[[^\]\n]*\]\(<?https?://[^\s)]*(?:[ ]"[^"\n]*")?\)               # a link
    | <?https?://[^\s<]+>?                                                # a URL
    | :\w{2,32}:                                                          # an emoji by name
    | \*\*(?:\\(?s:.)|[^\\])+?\*\*(?!\*)                                  # bold
    | \*(?=\S)(?:\s*(?:\*\*|\\(?s:.)|[^\s*\\]))+?\*(?!\*)                 # italics: stricter
    | __(?:\\(?s:.)|[^\\])+?__(?!_)                                       # underlined
    | (?<!\w)_(?:__|\\(?s:.)|[^\\_])+?_(?!\w)                             # italics
    | ~~(?s:.)+?~~ | \|\|(?s:.)+?\|\|                                     # struck out, a spoiler
"""
_UNFINISHED: Final = r"""
      (?<!`)`+(?!`)(?s:.)*
    | <[@\#:/t][^\s>]* | <a:[^\s>]*
    | \[[^\]\n]*(?:\](?:\([^)\s]*)?)?
    | https?:?/?/?[^\s]*
    | (?:\*\*|__|~~|\|\|)(?s:.)*
    | \*(?=\S)(?:\s*(?:\*\*|\\(?s:.)|[^\s*\\]))*\s*[*\\]?
    | (?<!\w)_(?:__|\\(?s:.)|[^\\_])*[_\\]?
"""
_SPAN = re.compile(_WHOLE, re.VERBOSE)
_LAST_SPAN = re.compile(rf"{_WHOLE} | (?P<unfinished>(?:{_UNFINISHED})\Z)", re.VERBOSE)
"""The marks are found as Discord finds them: from the left, each with the first that ends it, in one paragraph."""

_MOST_BOUNDS: Final = 32  # with more, it is an ornament, and reading on from each would take its time

_LEAD = re.compile(r"[ \t]*(?P<quote>>(?: |\Z))?[ \t]*(?P<kind>(?:\#{1,3}|-\#?|[*+]|\d{1,9}[.)])(?: |\Z))?")
_CODE_LEAD = re.compile(r"[ \t]*(?:>(?: |\Z))?[ \t]*")
_BLOCK = re.compile(r"[ \t]*(?:\#{1,3}|-(?:\#?)|[*+]|\d{1,9}[.)]?|>{1,3})(?:\s|\Z)|[ \t]*\Z")
"""What makes a line a heading, small, an item or a quote, as far as it is there."""
_MAYBE_FENCE = re.compile(r"[ \t]*(?:`{3}|~{3}|(?:`+|~+)?\Z)")
_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]*_]*(?=\s)|[。！？]""")  # noqa: RUF001 - the full-width ones are meant
_SPACE = re.compile(r"[^\S\n]")


class Spans:
    """What of a window must stay whole, and where it may end; `fence` is the code block that is open before it.

    `bounds`, in order: before the first, a cut breaks nothing whatever comes; before each next one, nothing unless that
    ends what begins at the bounds before it.
    """

    def __init__(self, window: str, fence: Fence | None) -> None:
        """Read the window once."""
        self._window = window
        self._text_at = len(window) - len(window.lstrip())
        self.paragraph_ends: list[int] = []
        self.line_ends: list[int] = []
        self.sentence_ends: list[int] = []
        self.spaces: list[int] = []
        self._is_inside = bytearray(len(window) + 2)
        self._is_code = bytearray(len(window) + 2)
        self._paragraphs: list[tuple[int, int]] = []
        self._goes_on: str | None = None  # the quote that the next line must have to belong to the paragraph before
        for start, line, open_fence in lines_of(window, fence):
            self._take_line(start, line, open_fence)
        self.bounds: list[int] = []
        for start, end in self._paragraphs:
            self._take_spans(start, end)
        self.bounds.append(len(window))

    def _keep(self, start: int, end: int) -> None:
        self._is_inside[start + 1 : end] = b"\1" * (end - start - 1)

    def _take_line(self, start: int, line: str, fence: Fence | None) -> None:
        bare = line.removesuffix("\n")
        end = start + len(bare)
        is_opening = fence is None and opened_by(bare) is not None
        if is_opening:
            self._keep(start, end + 2)  # never an empty block before the cut
            self.paragraph_ends.append(start)
        elif fence is not None and fence.is_closed_by(bare):
            if line != bare:
                self.paragraph_ends.append(end)
        elif fence is None and not bare.strip():
            self.paragraph_ends.append(start)
        if line != bare:
            self.line_ends.append(end)
        self.spaces.extend(start + match.start() for match in _SPACE.finditer(bare))
        lead = (_LEAD if fence is None else _CODE_LEAD).match(bare)
        if lead and lead.end():
            self._keep(start, start + lead.end() + 1)
        if fence is not None or is_opening:
            self._is_code[start + 1 : start + len(line)] = b"\1" * (len(line) - 1)
            self._goes_on = None
        elif lead:
            self._take_prose(start, line, lead)

    def _take_prose(self, start: int, line: str, lead: re.Match[str]) -> None:
        """Begin a paragraph with this line, or go on with the one before."""
        end = start + len(line)
        quote = "> " if QUOTED.match(line) else ""
        words = line[lead.end() :].strip()
        kind = (lead["kind"] or "") if words else ""
        is_blank = line.strip() == quote.strip()
        is_growing = not words and end == len(self._window) and not line.endswith("\n")
        if self._goes_on is not None and (is_growing or (self._goes_on == quote and not kind and not is_blank)):
            self._paragraphs[-1] = self._paragraphs[-1][0], end
        elif not is_blank:
            self._paragraphs.append((start, end))
        is_one_line = "#" in kind
        self._goes_on = None if is_blank or is_one_line else quote

    def _take_spans(self, start: int, end: int) -> None:
        """Find a paragraph's spans; one without an end is a bound, and what follows is read as if it were none."""
        self.sentence_ends += (match.end() for match in _SENTENCE_END.finditer(self._window, start, end))
        span = _LAST_SPAN if end == len(self._window) else _SPAN
        while len(self.bounds) < _MOST_BOUNDS and (found := span.search(self._window, start, end)):
            if found.lastgroup == "unfinished" or found.end() == len(self._window):  # the next character may undo it
                self.bounds.append(found.start())
                start = found.start() + 1
            else:
                self._keep(*found.span())
                start = found.end()

    def allows(self, at: int) -> bool:
        """Whether a cut here breaks nothing, and leaves something before it."""
        return (
            at > self._text_at
            and not self._is_inside[at]
            and not is_inside_grapheme(self._window, at)
            and not self._makes_a_block(at)
        )

    def _makes_a_block(self, at: int) -> bool:
        """Whether what stands in the middle of a line would be a heading, an item, a fence, … at a line's start."""
        if self._window[at - 1] == "\n" or self._window[at] == "\n":
            return False
        return bool(_MAYBE_FENCE.match(self._window, at) or (not self._is_code[at] and _BLOCK.match(self._window, at)))
