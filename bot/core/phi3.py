"""Texts and token ids, for Phi-3: prompts that no text can forge, and answers decoded as they grow.

Knows the model only by its tokenizer.json. Role tokens are taken from there by name and put into a prompt here and
nowhere else: text is encoded by a copy of the tokenizer that knows no added token.

The form of a prompt is the model's chat template (tokenizer_config.json of microsoft/Phi-3-mini-4k-instruct); the line
feeds it has after role tokens are no tokens, since those eat the white space that follows them.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self

from tokenizers import Tokenizer

from bot.errors import ModelUnusable

WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space property, which role tokens eat. (str.lstrip alone also takes U+001C to U+001F.)"""

SYSTEM: Final = "<|system|>"
USER: Final = "<|user|>"
ASSISTANT: Final = "<|assistant|>"
END: Final = "<|end|>"

_SPACE: Final = "▁"  # how a space is written in the vocabulary
_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")

Exchange = tuple[Sequence[int], Sequence[int]]
"""A question's ids and its answer's, without role tokens."""


class Phi3Tokenizer:
    """The tokenizer of one model folder."""

    sha256: str
    """Of tokenizer.json: tells tokenizers apart, and so which ids are whose."""
    stop_ids: frozenset[int]
    """Every added token: a model can emit any of them, and none may ever be part of an answer."""
    vocabulary_size: int
    """Every id is below this. The model's own may be larger: it is padded to a round number."""

    def __init__(self, definition: dict[str, Any], sha256: str) -> None:
        """Take a parsed tokenizer.json and its sha256; `load` is the usual way.

        Raises: ValueError, which says what is wrong with it; LookupError, TypeError, AttributeError for another form.
        """
        added: dict[str, int] = {token["content"]: token["id"] for token in definition["added_tokens"]}
        missing = [role for role in (SYSTEM, USER, ASSISTANT, END) if role not in added]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        self._system, self._user, self._assistant, self._end = (added[role] for role in (SYSTEM, USER, ASSISTANT, END))
        self.stop_ids = frozenset(added.values())
        self.sha256 = sha256
        self._pieces = _pieces(definition["model"], self.stop_ids)
        self.vocabulary_size = max(chain(self._pieces, self.stop_ids)) + 1
        whole = {**definition, "truncation": None, "padding": None}
        self._encoder = _tokenizer({**whole, "added_tokens": [], "post_processor": None})
        self._compare_with(_tokenizer(whole))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder's tokenizer.json. Raises: ModelUnusable, when it is missing or not of Phi-3's kind."""
        file = folder / "tokenizer.json"
        try:
            content = file.read_bytes()
            return cls(json.loads(content), hashlib.sha256(content).hexdigest())
        except OSError as exc:
            raise ModelUnusable(f"The model folder {folder} has no readable tokenizer.json ({exc.strerror}).") from exc
        except ValueError as exc:
            raise ModelUnusable(f"{file} is not the tokenizer of a Phi-3 model: {exc}.") from exc
        except (LookupError, TypeError, AttributeError) as exc:
            raise ModelUnusable(f"{file} is not a tokenizer ({type(exc).__name__}: {exc}).") from exc

    def _compare_with(self, whole: Tokenizer) -> None:
        """Try whether prompts and answers come out as the tokenizer itself has them. Raises: ValueError."""
        system, user = "Be  kind.", "Hi there!\n\u4f60\u597d \U0001f642"
        template = f"{SYSTEM}\n{system}{END}\n{USER}\n{user}{END}\n{ASSISTANT}\n"
        system_ids, user_ids = self.encode(system), self.encode(user)
        if whole.encode(template, add_special_tokens=False).ids != list(self.prompt(system_ids, [], user_ids)):
            raise ValueError("it turns the chat template into other ids than Phi-3's does")
        if whole.decode(user_ids) != self.decode(user_ids):
            raise ValueError("it decodes answers in another way than Phi-3's does")

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids `(n,)` of what a person (or an admin, or a file) wrote; none is an added token's.

        Leading white space is lost, as after a role token; a lone surrogate becomes U+FFFD.
        """
        clean = text.lstrip(WHITE_SPACE).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids = self._encoder.encode(clean, add_special_tokens=False).ids
        return tuple(token for token in ids if token not in self.stop_ids)

    def prompt(
        self, system_ids: Sequence[int], exchanges: Iterable[Exchange], question_ids: Sequence[int]
    ) -> tuple[int, ...]:
        """Return the ids `(T,)` of a prompt that ends where the answer begins; no system part without `system_ids`.

        An added token's id within a part is left out: a stored answer can no more forge a role than a question can.
        """
        question = (token for token in question_ids if token not in self.stop_ids)
        return (*self.prefix(system_ids, exchanges), *question, self._end, self._assistant)

    def prefix(self, system_ids: Sequence[int], exchanges: Iterable[Exchange]) -> tuple[int, ...]:
        """Return what such a prompt begins with, whatever its question is: the ids `(T,)` up to the question's own."""
        parts: list[Iterable[int]] = []
        if system_ids:
            parts += self._part(self._system, system_ids)
        for asked, answered in exchanges:
            parts += self._part(self._user, asked)
            parts += self._part(self._assistant, answered)
        return (*chain.from_iterable(parts), self._user)

    def _part(self, role: int, ids: Sequence[int]) -> list[Iterable[int]]:
        return [(role,), (token for token in ids if token not in self.stop_ids), (self._end,)]

    @staticmethod
    def system_tokens(system_ids: Sequence[int]) -> int:
        """Return how many tokens of a prompt the system part is, role tokens among them."""
        return len(system_ids) + 2 if system_ids else 0

    @staticmethod
    def exchange_tokens(exchange: Exchange) -> int:
        """Return how many tokens of a prompt one exchange is, role tokens among them."""
        asked, answered = exchange
        return len(asked) + len(answered) + 4

    @staticmethod
    def question_tokens(question_ids: Sequence[int]) -> int:
        """Return how many tokens of a prompt its question is, role tokens and the answer's beginning among them."""
        return len(question_ids) + 3

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of an answer's ids `(n,)`, without added tokens: what a decoder makes of them."""
        decoder = self.decoder()
        return decoder.push(ids) + decoder.flush()

    def decoder(self, shown_ids: Iterable[int] = ()) -> AnswerDecoder:
        """Return a decoder for one answer, which goes on after `shown_ids` (n,) if part of it was shown before."""
        decoder = AnswerDecoder(self._pieces)
        decoder.push(shown_ids)
        return decoder


class AnswerDecoder:
    """Decodes one answer as it grows, in time linear in its length.

    What it returned never changes, and it never returns half a character. The text is what `tokenizers` decodes, except
    within invalid UTF-8: there that gives up every character of the run of bytes, of which some had been shown already.
    """

    def __init__(self, pieces: Mapping[int, str | bytes]) -> None:
        """Take what each id stands for: text or one byte; nothing if it is not among them."""
        self._pieces = pieces
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_at_start = True

    def push(self, ids: Iterable[int]) -> str:
        """Take the next ids `(n,)` and return the text they complete; bytes of an unfinished character wait."""
        return self._without_first_space("".join(map(self._text, ids)))

    def flush(self) -> str:
        """Return what still waits, as U+FFFD: the answer ended in the middle of a character."""
        return self._without_first_space(self._bytes.decode(b"", final=True))

    def _text(self, token: int) -> str:
        piece = self._pieces.get(token, b"")
        if isinstance(piece, bytes):
            return self._bytes.decode(piece)
        return self._bytes.decode(b"", final=True) + piece

    def _without_first_space(self, text: str) -> str:
        """Take away the space that the tokenizer puts before every text."""
        if self._is_at_start and text:
            self._is_at_start = False
            return text.removeprefix(" ")
        return text


def _tokenizer(definition: dict[str, Any]) -> Tokenizer:
    """Make a tokenizer that remembers no text. Raises: ValueError.

    Phi-3's splits no words off, so that `tokenizers` would keep whole questions in its cache of words: ten thousand of
    them, some 60 MB that nobody asks for again, long after they were reset.
    """
    try:
        tokenizer = Tokenizer.from_str(json.dumps(definition))
    except Exception as exc:  # `tokenizers` raises nothing more special for what it cannot read
        raise ValueError(f"it cannot be read ({exc})") from exc
    tokenizer.model._resize_cache(0)  # the only name it has
    return tokenizer


def _pieces(model: dict[str, Any], added_ids: frozenset[int]) -> dict[int, str | bytes]:
    """Return what each id stands for, none of `added_ids` among them. Raises: ValueError without byte fallback."""
    if model["type"] != "BPE" or not model.get("byte_fallback"):
        raise ValueError("it is no byte-pair encoding with byte fallback")
    vocabulary: dict[str, int] = model["vocab"]
    return {number: _piece(token) for token, number in vocabulary.items() if number not in added_ids}


def _piece(token: str) -> str | bytes:
    byte = _BYTE.fullmatch(token)
    return bytes.fromhex(byte[1]) if byte else token.replace(_SPACE, " ")
