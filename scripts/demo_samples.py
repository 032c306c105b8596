"""What the demo model sees at each step of its training, as token ids.

Owns the vocabulary's making, the rows of a batch and their order over the run: first pure copying, so that looking back at what was
said forms early; then short conversations; then more and more that fill the window. Knows nothing of the network.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

import demo_tokenizer
from demo_dialogues import dialogue, system_prompt
from demo_spelling import Spelling

_ECHO_TOKENS = 64


@dataclass(frozen=True)
class Row:
    """A sequence of token ids: (T,), and which of them the model has to predict: (T,)."""

    ids: list[int]
    wanted: list[bool]


class _Nameless(Spelling):
    """Fills every gap with a digit, so that no name is ever learnt as a piece."""

    def word(self) -> str:
        return "1"

    def name(self) -> str:
        return "1"


def vocabulary(seed: int, pieces: int, conversations: int = 2500) -> Tokenizer:
    """Learn the tokenizer from conversations without names."""
    rng = random.Random(seed)
    spelling = _Nameless(rng)
    texts = []
    for _ in range(conversations):
        talk = dialogue(rng, spelling, focus=0.35)
        for _ in range(12):
            exchange = next(talk)
            texts += [exchange.user, exchange.answer]
    return demo_tokenizer.learn(texts, pieces)


class Sampler:
    """Draws the rows of one batch after another; the same seed gives the same rows."""

    def __init__(self, tokenizer: Tokenizer, seed: int, window_tokens: int, batch_tokens: int) -> None:
        self._encoder = demo_tokenizer.PromptEncoder(tokenizer)
        self._rng = random.Random(seed)
        self._spelling = Spelling(self._rng, _letter_pieces(tokenizer))
        self._window_tokens = window_tokens
        self._batch_tokens = batch_tokens
        added = set(self._encoder.added_ids)
        self._plain_ids = [i for i in range(tokenizer.get_vocab_size()) if i not in added]

    def batch(self, done: float) -> list[Row]:
        """Draw about `batch_tokens` tokens for a run of which the share `done` (0 to 1) is over."""
        rng = self._rng
        if rng.random() < (0.9 if done < 0.06 else 0.5 if done < 0.15 else 0.03):
            return [self.echoes(_ECHO_TOKENS) for _ in range(max(1, self._batch_tokens // _ECHO_TOKENS))]
        lengths = [min(n, self._window_tokens) for n in (96, 160, 320, self._window_tokens)]
        most = rng.choices(lengths, weights=(1 - 0.75 * done, 1, 0.2 + done, 0.02 + 0.6 * done))[0]
        focus = 0.9 if done < 0.3 else 0.58
        return [self.conversation(most, focus) for _ in range(max(1, self._batch_tokens // most))]

    def conversation(self, most_tokens: int, focus: float) -> Row:
        """Draw a conversation of at most `most_tokens` tokens; the answers and the <|end|> of each are wanted."""
        system = system_prompt(self._rng, self._spelling)
        ids = self._encoder.segment("system", system) if system else []
        wanted = [False] * len(ids)
        for exchange in dialogue(self._rng, self._spelling, focus):
            asked = self._encoder.segment("user", exchange.user)
            answer = self._encoder.segment("assistant", exchange.answer)
            if len(ids) + len(asked) + len(answer) > most_tokens and any(wanted):
                break
            ids += asked + answer
            wanted += [False] * (len(asked) + 1) + [True] * (len(answer) - 1)
        return Row(ids[:most_tokens], wanted[:most_tokens])

    def echoes(self, most_tokens: int) -> Row:
        """Draw tokens of any kind, said by the user and repeated by the assistant.

        Every answer token tells the model to copy. With these rows at the start copying sets in after about 200 steps; with
        conversations alone there was no trace of it after 450.
        """
        rng = self._rng
        ids: list[int] = []
        wanted: list[bool] = []
        while len(ids) < most_tokens:
            said = self._noise() if rng.random() < 0.5 else self._names()
            ids += [
                self._encoder.role("user"),
                *said,
                self._encoder.role("assistant"),
                *said,
                self._encoder.role("end"),
            ]
            wanted += [False] * (len(said) + 2) + [True] * (len(said) + 1)
        return Row(ids[:most_tokens], wanted[:most_tokens])

    def _noise(self) -> list[int]:
        few = self._rng.sample(self._plain_ids, self._rng.choice((3, 8, 100, 400)))
        return self._rng.choices(few, k=self._rng.randint(3, 24))

    def _names(self) -> Sequence[int]:
        return self._encoder.text(" ".join(self._spelling.name() for _ in range(self._rng.randint(1, 4))))


def _letter_pieces(tokenizer: Tokenizer) -> list[str]:
    pieces = (token.lstrip("▁") for token in sorted(tokenizer.get_vocab()))
    return [piece for piece in pieces if piece.isalpha() and piece.isascii()]
