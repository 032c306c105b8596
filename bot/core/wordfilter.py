"""The word filter: finds filtered words in texts, and masks them in an answer while it grows. Pure; knows texts only.

A word, or a phrase of several, is found as a whole word in any spelling that reads the same: compatibility forms
(NFKD), case, combining marks and characters that are not shown make no difference, nor does the kind of white space in
a phrase, nor what makes Markdown within it ("w**or**d"). `*` at the end stands for any ending. Where a script writes no
spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) there are no whole words, so there it is found
anywhere.

Not found are other letters that look the same (Cyrillic for Latin), digits for letters, other marks between letters
("w.o.r.d"), misspellings and translations: a filter of words is no judge of what is meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

MASK: Final = "■"
"""Stands for each character of a filtered word but white space and Markdown: text and mask have the same length."""

ENDING: Final = "*"

_MARKDOWN: Final = frozenset("*_~|`\\")
_MARK: Final = "*"
"""What each character of Markdown is compared as. It parts words, and may stand between any two letters of one."""
_MOST_MARKS: Final = 20
"""In a row within a word; Discord shows no use of more, and what may yet become a word must not grow for ever."""
_BETWEEN: Final = rf"\*{{0,{_MOST_MARKS}}}"
_TOO_MANY: Final = _MARK * (_MOST_MARKS + 1)

_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTER: Final = rf"[^\W_{_UNSPACED}]"
"""What makes a word longer: no underscore, for Discord shows `_word_` as the word alone."""
_IS_LETTER: Final = re.compile(_LETTER)
_SPACES: Final = re.compile(r"\s+")

_KANA_MARKS: Final = "\u3099\u309a"
_IS_KANA: Final = re.compile("[\u3040-\u30ff]")
_UNSEEN_MARKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    """Return what a character counts as: "" for what only changes another or is not shown, " " for white space.

    Markdown is one mark, whichever it is.
    """
    if character in _MARKDOWN:
        return _MARK
    if character.isascii():
        if character.isspace():
            return " "
        return character.lower() if character.isprintable() else ""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    counted = "".join(" " if one.isspace() else one for one in plain if one.isspace() or _counts(one))
    if counted in _MARKDOWN:
        return _MARK
    is_mixed = len({bool(_IS_LETTER.match(one)) for one in counted}) > 1
    return character if is_mixed else counted  # half of one (½, ℀) cannot be a word beside the other half


def _counts(character: str) -> bool:
    if character in _KANA_MARKS:  # they make another letter, no variant of one
        return True
    if character in _UNSEEN_MARKS or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return False
    return not unicodedata.combining(character) and unicodedata.category(character) not in ("Cf", "Cc", "Me", "Cs")


def folded(text: str) -> str:
    """Return a text as it is compared: folded character by character, each run of white space as one space."""
    return _SPACES.sub(" ", "".join(map(_folded_character, text)))


def entry_of(words: str) -> str:
    """Return a word or phrase as it is kept and compared, "" if nothing of it would be; `*` may end it.

    Nothing of what holds a mask is kept: what other words leave would be found, and masking is not done twice.
    """
    stem = _SPACES.sub(" ", folded(words).replace(_MARK, "")).strip()
    if MASK in stem or not any(character.isalnum() for character in stem):
        return ""
    last = next(character for character in reversed(words) if _folded_character(character).strip())
    return stem + ENDING if unicodedata.normalize("NFKD", last) == ENDING else stem


class WordFilter:
    """Some filtered words. Immutable, and so may be used from any thread."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Take entries as `entry_of` returns them."""
        self.entries = tuple(sorted(set(filter(None, entries))))
        stems = [(entry.rstrip(ENDING), entry.endswith(ENDING)) for entry in self.entries]
        stems.sort(key=lambda stem: -len(stem[0]))  # the longest that matches shall be found first
        self._longest_chars = len(stems[0][0]) if stems else 0
        self._by_first: dict[str, list[tuple[str, bool]]] = {}
        for stem in stems:
            self._by_first.setdefault(stem[0][0], []).append(stem)
        self._patterns = [*_patterns(stems)]

    def __bool__(self) -> bool:
        return bool(self.entries)

    def is_in(self, text: str) -> bool:
        """Tell whether a text has a filtered word."""
        compared = folded(text)
        return any(pattern.search(compared) for pattern, _ in self._patterns)

    def masked(self, text: str) -> str:
        """Return a whole text with its filtered words masked, as long as it was."""
        if not self.is_in(text):
            return text
        mask = Mask(self)
        return mask.feed(text) + mask.finish()

    def spans(self, compared: str) -> list[tuple[int, int, bool]]:
        """Return where filtered words are in a folded text: start, end, whether any ending is meant; some overlap."""
        return [
            (*match.span(1), has_ending)
            for pattern, has_ending in self._patterns
            for match in pattern.finditer(compared)
        ]

    def open_from(self, compared: str, first: int = 0) -> int:
        """Return the first place, `first` or later, from where a folded text may become another filtered word.

        That is where one has begun, or is there but may be none when more follows. Returns the text's length if there
        is no such place.
        """
        for start in range(self._lowest_open(compared, first), len(compared)):
            stems = self._by_first.get(compared[start], ())
            if stems and not _is_inside_word(compared, start):
                tail = compared[start:]
                if any(_is_open(tail, stem, has_ending=has_ending) for stem, has_ending in stems):
                    return start
        return len(compared)

    def _lowest_open(self, compared: str, first: int) -> int:
        """Return the place before which no word can still be open: the longest would have its end by now."""
        start, left_chars = len(compared), self._longest_chars
        while start > first and left_chars:
            start -= 1
            left_chars -= compared[start] != _MARK
        return max(start, compared.rfind(_TOO_MANY, start))


def _patterns(stems: Sequence[tuple[str, bool]]) -> Iterator[tuple[re.Pattern[str], bool]]:
    """Yield what matches the words, apart by what stands around them: a class of characters is costly to compile.

    Every start is tried, so that words which overlap are all found.
    """
    kinds: dict[tuple[str, str, bool], list[str]] = {}
    for stem, has_ending in stems:
        before = f"(?<!{_LETTER})" if _IS_LETTER.match(stem[0]) else ""
        after = f"{_LETTER}*" if has_ending else _after(stem)
        kinds.setdefault((before, after, has_ending), []).append(_BETWEEN.join(map(re.escape, stem)))
    for (before, after, has_ending), words in kinds.items():
        yield re.compile(f"(?=({before}(?:{'|'.join(words)}){after}))"), has_ending


def _after(stem: str) -> str:
    """Return the pattern of what may follow a word: of a letter none, of a kana none of the marks that change it."""
    if _IS_LETTER.match(stem[-1]):
        return f"(?!{_LETTER})"
    return f"(?![{_KANA_MARKS}])" if _IS_KANA.match(stem[-1]) else ""


def _is_inside_word(compared: str, start: int) -> bool:
    return start > 0 and bool(_IS_LETTER.match(compared[start - 1]) and _IS_LETTER.match(compared[start]))


def _is_open(tail: str, stem: str, *, has_ending: bool) -> bool:
    """Tell whether a text that ends with `tail` can become this word there, or ends with it but may not stay so."""
    letters = tail.replace(_MARK, "")
    if len(letters) < len(stem):
        return stem.startswith(letters)
    return letters == stem and tail[-1] != _MARK and not has_ending and bool(_after(stem))


class Mask:
    """Masks one text while it grows. What it has returned never changes, and never shows a filtered word.

    What may yet become one is held back until that is known: at most the words that a filtered one begins with.
    """

    def __init__(self, words: WordFilter) -> None:
        """Take the words."""
        self._words = words
        self.fed_chars = 0
        self._held = ""
        self._masked_chars = 0  # of what is held, which belong to a word that began before
        self._is_at_word = False  # what was shown ends with a masked word: marks that follow belong to it,
        self._has_ending = False  # and letters do, too
        self._before = ""  # the folded character before what is held: words begin only where another has ended

    def feed(self, piece: str) -> str:
        """Take the text's next piece, and return what can be shown of it now, after what was returned before."""
        self._held += piece
        self.fed_chars += len(piece)
        return self._take(is_end=False)

    def finish(self) -> str:
        """Take the end of the text, and return what was held back."""
        return self._take(is_end=True)

    def _take(self, *, is_end: bool) -> str:
        if self._is_at_word:
            while self._masked_chars < len(self._held) and self._goes_on(self._held[self._masked_chars]):
                self._masked_chars += 1
            self._is_at_word = self._masked_chars == len(self._held)
        compared, origins = self._compared()
        new, known = len(self._before), len(compared)
        if not is_end:
            known = self._words.open_from(compared, new)
            while new < known < len(compared) and origins[known - 1] == origins[known]:
                known -= 1  # one character that counts as several
        end = origins[known] if known < len(compared) else len(self._held)
        origins.append(len(self._held))
        found = [span for span in self._words.spans(compared) if new <= span[0] < known]
        masked = [(origins[first], max(origins[after], origins[after - 1] + 1)) for first, after, _ in found]
        shown = self._shown(end, masked)
        self._masked_chars = max(0, max((after for _, after in masked), default=0) - end, self._masked_chars - end)
        if known > new:
            self._before = compared[known - 1]
        at_end = [has_ending for _, after, has_ending in found if after == len(compared)]
        if at_end:
            self._is_at_word, self._has_ending = True, any(at_end)
        self._held = self._held[end:]
        return shown

    def _goes_on(self, character: str) -> bool:
        """Tell whether a character belongs to the masked word before it."""
        compared = _folded_character(character)
        return not compared or (self._has_ending and all(map(_IS_LETTER.match, compared)))

    def _compared(self) -> tuple[str, list[int]]:
        """Return what is held, folded, after what is before it, and where each of its characters comes from."""
        compared, origins = list(self._before), [-1] * len(self._before)
        for position, character in enumerate(self._held):
            for one in _folded_character(character):
                if one != " " or not compared or compared[-1] != " ":
                    compared.append(one)
                    origins.append(position)
        return "".join(compared), origins

    def _shown(self, end: int, spans: Iterable[tuple[int, int]]) -> str:
        """Return the first `end` characters, those in `spans` masked; marks on a word's last letter belong to it."""
        shown = list(self._held[:end])
        for first, after in [(0, self._masked_chars), *spans]:
            for position in range(first, min(after, end)):
                if not shown[position].isspace() and shown[position] not in _MARKDOWN:
                    shown[position] = MASK
        return "".join(shown)
