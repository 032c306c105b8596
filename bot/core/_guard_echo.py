"""The system prompt in a growing answer, word for word or nearly so.

Compares runs of three words, in the prompt's order and with small gaps, so that other punctuation, capitals, bullets or
a word changed here and there make no difference. Translations and ciphers are not found.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

_GRAM_WORDS: Final = 3
_PROMPT_WORDS: Final = 14  # a shorter prompt is nothing to keep for oneself
_RULE_WORDS: Final = 12  # that many words of the prompt's rules are an echo
_FACT_WORDS: Final = 24  # of anything else in it, which it may be there to tell
_GAP_WORDS: Final = 4  # between two runs, in the answer
_JUMP_WORDS: Final = 8  # and in the prompt

_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W_\u2e80-\u9fff\uac00-\ud7af]+")
_SENTENCE = re.compile(r"[^.!?\n。！？]+")  # noqa: RUF001 - the full-width ones are meant
_RULE = re.compile(
    r"\b(you|your|always|never|must|not|do|don't|act|answer|reply|respond|say|use|keep|du|dein\w*|sie|ihr\w*|nie\w*|immer|"
    r"antworte\w*|nicht|tu|vous|ton|votre|jamais|toujours|réponds?|répondez|eres|usted|tu|nunca|siempre|responde|sei|mai|"
    r"sempre|rispondi|você|jamais|ты|вы|никогда|всегда|отвечай\w*)\b|你|您|あなた|당신",
    re.IGNORECASE,
)


class EchoWatch:
    """Watches one answer."""

    def __init__(self, system_prompt: str, context: str) -> None:
        """Take the prompt, and what was said before: what people wrote themselves is no secret."""
        self._context = context
        self._places: dict[tuple[str, ...], list[int]] = {}
        self._is_rule: list[bool] = []
        words: list[str] = []
        for sentence in _SENTENCE.findall(system_prompt):
            new = _words(sentence)
            words += new
            self._is_rule += [bool(_RULE.search(sentence))] * len(new)
        self._tail = ""
        self._taken = 0
        self._recent: list[tuple[str, int]] = []
        self._forget()
        if len(words) < _PROMPT_WORDS:
            return
        for place, gram in enumerate(_grams(words)):
            self._places.setdefault(gram, []).append(place)
        self._enough = min(_FACT_WORDS, round(0.6 * len(words)))

    @cached_property
    def _known(self) -> frozenset[tuple[str, ...]]:
        """What was said before; looked up only once an answer says something of the prompt."""
        return frozenset(_grams(_words(self._context)))

    def _forget(self) -> None:
        self._place = -1  # in the prompt: the first word of the newest run
        self.held_from: int | None = None  # where what may become an echo begins, in chars
        self._gap = 0
        self._rules = self._all = 0

    def feed(self, piece: str) -> int | None:
        """Take the next piece; return how much of the text may stay (chars) once it is an echo."""
        if not self._places:
            return None
        text = self._tail + piece
        base = self._taken - len(self._tail)
        self._taken += len(piece)
        self._tail = ""
        for match in _WORD.finditer(text):
            if match.end() == len(text) and match[0] < "\u2e80":  # it may go on
                self._tail = match[0]
                break
            if self._take(match[0].casefold(), base + match.start()):
                return self.held_from
        return None

    def finish(self) -> int | None:
        """Take the end of the text as the end of a word."""
        return self.feed(" ")

    def _take(self, word: str, start: int) -> bool:
        self._recent = [*self._recent[1 - _GRAM_WORDS :], (word, start)]
        gram = tuple(word for word, _ in self._recent)
        places = self._places.get(gram, [])
        if places and gram in self._known:
            places = []
        ahead = [place for place in places if 0 < place - self._place <= _JUMP_WORDS] if self._place >= 0 else []
        if ahead:
            new = min(ahead[0] - self._place, _GRAM_WORDS)
            self._count(ahead[0] + _GRAM_WORDS - new, new)
            self._place, self._gap = ahead[0], 0
        elif places and (self._place < 0 or self._gap >= _GRAM_WORDS):
            self._forget()
            self.held_from = self._recent[0][1]
            self._count(places[0], _GRAM_WORDS)
            self._place = places[0]
        elif self._place >= 0:
            self._gap += 1
            if self._gap > _GAP_WORDS:
                self._forget()
        return self._rules >= _RULE_WORDS or (self._all >= self._enough)

    def _count(self, first: int, words: int) -> None:
        self._all += words
        self._rules += sum(self._is_rule[first : first + words])


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _grams(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + _GRAM_WORDS]) for place in range(len(words) - _GRAM_WORDS + 1)]
