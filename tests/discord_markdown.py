"""What a reader sees of Markdown in Discord: the normal form in which an answer and its messages are compared.

Every visible thing, a character or what stands for one (a mention, a link), with how it is shown: in which kind of
block, in which code, under which emphasis. Left out is what a cut may change: white space outside of code, the line
breaks in it, and how far a list's text is indented. Knows nothing of how answers are cut. `>>>` is not known here, and
a mark reaches no further than its paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Seen = tuple[str, str, frozenset[str]]
"""A visible thing, its block ("plain", "heading 2", "quoted code py", …) and its emphasis."""

_FENCE = re.compile(r"[ \t]*(`{3,20}(?!`)|~{3,20}(?!~))(.*)")
_LINE = re.compile(r"[ \t]*(?:(?P<heading>\#{1,3})|(?P<small>-\#)|(?P<bullet>[-*+]|\d+[.)]))[ ](?P<rest>.*\S.*)")
_INLINE = re.compile(
    r"""
      \\(?P<escaped>[^\w\s])
    | (?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)
    | (?P<token><(?:@[!&]?|\#)\d+>|<a?:\w+:\d+>|<t:-?\d+(?::\w)?>|\[[^\]\n]*\]\(https?://[^\s)]*\)|https?://\S+)
    | (?P<pair>\*\*|__|~~|\|\|)(?P<paired>(?:\\.|[^\\])+?)(?P=pair)(?!(?<=\*)\*|(?<=_)_)
    | \*(?P<starred>(?:\*\*|\\.|[^\s*\\])(?:\s*(?:\*\*|\\.|[^\s*\\]))*?)\*(?!\*)
    | (?<!\w)_(?P<scored>(?:__|\\.|[^\\_])+?)_(?!\w)
    """,
    re.VERBOSE | re.DOTALL,
)
"""As Discord's app reads it: from the left, each mark with the first that ends it. Italics of stars are stricter than
the rest: no white space within the marks, no single star between them."""


def seen(text: str) -> list[Seen]:
    """Return what a message with this text shows."""
    found: list[Seen] = []
    for paragraph in paragraphs(text):
        found += paragraph.before
        found += ((thing, paragraph.block, emphasis) for thing, emphasis in _inline(paragraph.text))
    return found


def longest_span_chars(text: str) -> int:
    """Return how long the longest emphasis, spoiler or inline code is, its marks included."""
    found = (match for paragraph in paragraphs(text) for match in _INLINE.finditer(paragraph.text))
    return max((len(match[0]) for match in found), default=0)


@dataclass
class Paragraph:
    """Lines whose marks may belong together; `before` is what is seen first, code or an item's bullet."""

    block: str = ""
    text: str = ""
    before: list[Seen] = field(default_factory=list)
    goes_on: bool = False


def paragraphs(text: str) -> list[Paragraph]:
    """Return a message's text in parts: a heading, an item, lines without a blank one between them, a line of code."""
    found = [Paragraph()]
    marker, info, code_is_quoted = "", "", False
    for line in text.split("\n"):
        quote = re.match(r"[ \t]*> ", line)
        if marker and code_is_quoted and not quote:
            marker = ""
        bare = line[quote.end() :] if quote and (code_is_quoted or not marker) else line
        where = "quoted " if bare is not line else ""
        if marker:
            if len(bare.strip()) >= len(marker) and set(bare.strip()) == {marker[0]}:
                marker = ""
            else:
                shown = [(character, f"{where}code {info}", frozenset()) for character in bare]
                found.append(Paragraph(before=shown))
        elif (fence := _FENCE.match(bare)) and not (fence[1][0] == "`" and "`" in fence[2]):
            marker, info, code_is_quoted = fence[1], fence[2].strip(), bool(where)
            found.append(Paragraph())
        elif block := _LINE.fullmatch(bare):
            found.append(_block(block, where))
        elif found[-1].goes_on and bare.strip() and found[-1].block == f"{where}plain":
            found[-1].text += f"\n{bare}"
        else:
            found.append(Paragraph(f"{where}plain", bare, goes_on=bool(bare.strip())))
    return found


def _block(found: re.Match[str], where: str) -> Paragraph:
    if found["bullet"]:
        bullet = (found["bullet"], f"{where}bullet", frozenset())
        return Paragraph(f"{where}plain", found["rest"], [bullet], goes_on=True)
    kind = f"heading {len(found['heading'])}" if found["heading"] else "small"
    return Paragraph(where + kind, found["rest"])


def _inline(text: str, emphasis: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    at = 0
    for found in _INLINE.finditer(text):
        yield from ((character, emphasis) for character in _solid(text[at : found.start()]))
        at = found.end()
        if found["escaped"]:
            yield found["escaped"], emphasis
        elif found["ticks"]:
            yield from ((character, emphasis | {"`"}) for character in _solid(found["code"]))
        elif found["token"]:
            yield found["token"], emphasis
        else:
            inner = found["paired"] or found["starred"] or found["scored"]
            mark = found["pair"] or ("*" if found["starred"] else "_")
            yield from _inline(inner, emphasis | {mark})
    yield from ((character, emphasis) for character in _solid(text[at:]))


def _solid(text: str) -> str:
    return "".join(text.split())
