"""How people type: in many wordings, carelessly, now and then with a slip.

Owns the templates' notation: `[a|b]` means one of them, `{name}` a gap that is filled to the letter. Knows nothing of what is said.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"(\{\w+\})")


def wording(rng: random.Random, template: str, **values: str) -> str:
    """Type `template` as a person might: pick among its [a|b] alternatives, roughen it, fill in the {values} untouched."""
    while "[" in template:
        template = _ALTERNATIVES.sub(lambda m: rng.choice(m.group(1).split("|")), template, count=1)
    roughen = _typist(rng)
    parts = _SLOT.split(template)
    start = next((i for i, part in enumerate(parts) if part), 0)
    typed = [values[part[1:-1]] if _SLOT.fullmatch(part) else roughen(part, i == start) for i, part in enumerate(parts)]
    return "".join(typed).strip()


def _typist(rng: random.Random) -> Callable[[str, bool], str]:
    style = rng.random()
    if style < 0.34:
        return _tidy
    if style < 0.40:
        return lambda text, first: _tidy(text, first).replace("'", "\u2019")  # as telephones type it
    if style < 0.52:
        return lambda text, _first: text
    if style < 0.55:
        return lambda text, _first: text.upper()
    marks = "?!.,'" if rng.random() < 0.5 else "?!.,"
    typos = rng.random() < 0.12
    return lambda text, _first: _typo(rng, _without(text, marks)) if typos else _without(text, marks)


def _tidy(text: str, first: bool) -> str:
    text = re.sub(r"\bi\b", "I", text)
    return text[:1].upper() + text[1:] if first else text


def _without(text: str, marks: str) -> str:
    return "".join(c for c in text if c not in marks)


def _typo(rng: random.Random, text: str) -> str:
    if len(text) < 5:
        return text
    at = rng.randrange(1, len(text) - 2)
    if not text[at : at + 2].isalpha():
        return text
    swapped = text[at + 1] + text[at]
    return text[:at] + rng.choice((swapped, text[at], text[at + 1], text[at] * 2 + text[at + 1])) + text[at + 2 :]
