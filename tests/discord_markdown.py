"""What a reader sees of Markdown in Discord: the normal form in which an answer and its messages are compared.

Every visible thing, a character or what stands for one (a mention, a link), with how it is shown: in which kind of
block, in which code, under which emphasis. Left out is what a cut may change: white space outside of code, the line
breaks in it, and how far a list's text is indented. Knows nothing of how answers are cut. `>>>` is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Seen = tuple[str, str, frozenset[str]]
"""A visible thing, its block ("plain", "heading 2", "quoted code py", …) and its emphasis."""

_FENCE = re.compile(r"[ \t]*(`{3,20}(?!`)|~{3,20}(?!~))(.*)")
_LINE = re.compile(r"[ \t]*(?:(?P<heading>\#{1,3})|(?P<small>-\#)|(?P<bullet>[-*+]|\d+[.)]))[ ](?P<rest>.*\S.*)")
_INLINE = re.compile(
    r"""
      \\(?P<escaped>[^\w\s])
    | (?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)
    | (?P<token><(?:@[!&]?|\#)\d+>|<a?:\w+:\d+>|<t:-?\d+(?::\w)?>|\[[^\]]*\]\(https?://[^\s)]*\)|https?://\S+)
    | (?P<mark>\*\*|__|~~|\|\||\*|(?<!\w)_)(?=\S)(?P<inner>(?:\\.|.)+?)(?<=\S)(?P=mark)
    """,
    re.VERBOSE,
)


def seen(text: str) -> list[Seen]:
    """Return what a message with this text shows."""
    return list(_blocks(text))


def _blocks(text: str) -> Iterator[Seen]:
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
                yield from ((character, f"{where}code {info}", frozenset()) for character in bare)
        elif (fence := _FENCE.match(bare)) and not (fence[1][0] == "`" and "`" in fence[2]):
            marker, info, code_is_quoted = fence[1], fence[2].strip(), bool(where)
        else:
            yield from _line(bare, where)


def _line(line: str, where: str) -> Iterator[Seen]:
    block, rest = "plain", line
    if found := _LINE.fullmatch(line):
        rest = found["rest"]
        if found["bullet"]:
            yield found["bullet"], f"{where}bullet", frozenset()
        else:
            block = f"heading {len(found['heading'])}" if found["heading"] else "small"
    for thing, emphasis in _inline(rest, frozenset()):
        yield thing, where + block, emphasis


def _inline(text: str, emphasis: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    at = 0
    for found in _INLINE.finditer(text):
        yield from _plain(text[at : found.start()], emphasis)
        at = found.end()
        if found["escaped"]:
            yield found["escaped"], emphasis
        elif found["ticks"]:
            yield from _plain(found["code"], emphasis | {"`"})
        elif found["token"]:
            yield found["token"], emphasis
        else:
            yield from _inline(found["inner"], emphasis | {found["mark"]})
    yield from _plain(text[at:], emphasis)


def _plain(text: str, emphasis: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    return ((character, emphasis) for character in text if not character.isspace())
