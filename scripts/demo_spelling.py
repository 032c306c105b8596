"""Names, words and phrases that nobody has seen: what the demo model has to copy without knowing it.

Owns how they are drawn: random letters, syllables, accents and other scripts, nicknames, pieces of the vocabulary. Knows
nothing of conversations.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from demo_phrases import KNOWN_NAMES, WORDS

_VOWELS = "aeiouy"
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_ACCENTED = "áàâäãåæçéèêëíìîïñóòôöõøúùûüýÿßœšžčćđłńęąőűřťğışÁÉÖÜØÇŠŽ"
_SCRIPTS = (
    "абвгдежзийклмнопрстуфхцчшщыьэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "あいうえおかきくけこさしすせそたちつてとなにぬねの",
    "明美華龍愛山田中小大李王張",
    "אבגדהוזחטיכלמנסעפצקרשת",
)


class Spelling:
    """Draws names and words nobody has seen: random letters, syllables, accents, pieces of the vocabulary."""

    def __init__(self, rng: random.Random, pieces: Sequence[str] = ()) -> None:
        self._rng = rng
        self._pieces = pieces

    def letters(self) -> str:
        """Return 2 to 12 random letters."""
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        if self._rng.random() < 0.3:  # few letters: repeats, which a plain look-back mistakes for each other
            alphabet = "".join(self._rng.sample(alphabet, self._rng.randint(2, 4)))
        return "".join(self._rng.choices(alphabet, k=self._rng.randint(2, 12)))

    def syllables(self) -> str:
        """Return a pronounceable word of 1 to 4 syllables."""
        rng = self._rng
        word = "".join(
            rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + (rng.choice(_CONSONANTS) if rng.random() < 0.35 else "")
            for _ in range(rng.randint(1, 4))
        )
        return rng.choice(_VOWELS) + word if rng.random() < 0.2 or len(word) < 3 else word

    def from_pieces(self) -> str:
        """Return a few pieces of the vocabulary stuck together: the splits that other spellings rarely meet."""
        return "".join(self._rng.choices(self._pieces, k=self._rng.randint(1, 4))) if self._pieces else self.letters()

    def accented(self) -> str:
        """Return a word with letters from beyond ASCII."""
        rng = self._rng
        if rng.random() < 0.35:
            return "".join(rng.choices(rng.choice(_SCRIPTS), k=rng.randint(2, 6)))
        letters = list(self.syllables())
        for _ in range(rng.randint(1, 2)):
            letters[rng.randrange(len(letters))] = rng.choice(_ACCENTED)
        return "".join(letters)

    def nickname(self) -> str:
        """Return a name as people sign up with: digits, underscores, hyphens, odd capitals."""
        rng = self._rng
        word = rng.choice((self.letters, self.syllables))()
        shape = rng.randrange(5)
        if shape == 0:
            return word + str(rng.randint(0, 9999))
        if shape == 1:
            return word + rng.choice("_-.") + self.syllables()
        if shape == 2:
            return "".join(rng.choice((c, c.upper())) for c in word)
        if shape == 3:
            return rng.choice("dODl") + "'" + word.capitalize()
        return word.capitalize() + "-" + self.syllables().capitalize()

    def word(self) -> str:
        """Return a lower-case word, mostly never seen."""
        rng = self._rng
        make = rng.choices(
            (self.letters, self.syllables, self.from_pieces, self.accented, lambda: rng.choice(WORDS)),
            weights=(28, 24, 20, 8, 20),
        )[0]
        return make()

    def name(self) -> str:
        """Return a name of a person or a pet in the case somebody types it."""
        rng = self._rng
        make = rng.choices(
            (self.letters, self.syllables, self.from_pieces, self.accented, self.nickname, self._known),
            weights=(30, 24, 16, 9, 8, 13),
        )[0]
        name = make()
        case = rng.random()
        if case < 0.5:
            name = name[:1].upper() + name[1:]
        elif case < 0.55:
            name = name.upper()
        return f"{name} {self.name()}" if rng.random() < 0.06 else name

    def _known(self) -> str:
        name = self._rng.choice(KNOWN_NAMES)
        return name if self._rng.random() < 0.5 else name.lower()

    def phrase(self) -> str:
        """Return what somebody wants repeated: one to seven words, now and then a number or a mark."""
        rng = self._rng
        words = [self.word() if rng.random() < 0.6 else rng.choice(WORDS) for _ in range(_few(rng, 7))]
        if rng.random() < 0.12:
            words[rng.randrange(len(words))] = str(rng.randint(0, 99999))
        if rng.random() < 0.3:
            words[0] = words[0][:1].upper() + words[0][1:]
        return " ".join(words) + rng.choice(("", "", "", "", "!", ".", "?"))


def _few(rng: random.Random, most: int) -> int:
    return min(most, 1 + int(rng.expovariate(0.6)))
