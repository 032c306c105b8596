"""From bytes to text, if they are text at all, and from any text to a harmless one.

Owns the encodings that are tried and the characters that no model should get. Knows no file formats.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES: Final = 4096
_UTF16_ZERO_SHARE: Final = 0.4
"""Of every second byte, in a text of Latin letters that came without a byte order mark nearly all are zero."""

_MOST_CONTROLS_SHARE: Final = 0.005
"""Texts have next to none besides line ends, tabs and escapes; compressed data has about 10 %."""
_CONTROLS: Final = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f\ufffd\ufffe\uffff]")

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[@-Z\\^_])")
"""What terminals take for colours and titles. Source: ECMA-48, 5.4."""
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls other than tab and line feed
    r"\u200b\u2060-\u2064\ufeff"  # blanks without width; joiners stay, scripts and emoji need them
    r"\u202a-\u202e\u2066-\u2069"  # what turns the direction of whole passages: code that reads other than it runs
    r"\ud800-\udfff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"  # tags: letters that nobody sees
)
_MARKS: Final = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_ZALGO: Final = re.compile(f"({_MARKS}{{3}}){_MARKS}+")
"""Vietnamese and phonetic writing stack two or three marks on a letter."""


def decode(content: bytes) -> str | None:
    """Return the text that these bytes are, or None: they are none.

    Tried in order: what the byte order mark says, UTF-8, UTF-16 without a mark, and Windows-1252, which can be any text
    of one byte a letter; a Cyrillic one comes out as wrong letters.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decode_as(content[len(mark) :], encoding)
    text = _decode_as(content, "utf-8")
    if text is None:
        text = _decode_as(content, _utf16_without_mark(content))
    if text is None and b"\0" not in content:
        text = _if_text(content.decode("cp1252", errors="replace"))
    return text


def _decode_as(content: bytes, encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        return _if_text(content.decode(encoding))
    except UnicodeDecodeError:
        return None


def _if_text(text: str) -> str | None:
    if "\0" in text:
        return None
    return text if len(_CONTROLS.findall(text)) <= _MOST_CONTROLS_SHARE * len(text) else None


def _utf16_without_mark(content: bytes) -> str | None:
    sample = content[:_SAMPLE_BYTES]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > _UTF16_ZERO_SHARE * half:
        return "utf-16-le"
    return "utf-16-be" if half and sample[::2].count(0) > _UTF16_ZERO_SHARE * half else None


def harmless(text: str) -> str:
    """Return the text with line feeds only, and without what is not seen: controls, escapes, heaps of marks."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _UNSEEN.sub("", text.replace("\f", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n"))
    return _ZALGO.sub(r"\1", text)
