"""Where a reader sees one character, however many code points it is made of."""

from __future__ import annotations

import unicodedata


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
