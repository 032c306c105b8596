"""From the engine's chunks to what OpenAI's clients read: text and ids, as one answer or as a stream of events.

Owns the forms of `text_completion` and `chat.completion`, with vLLM's `token_ids` and `prompt_token_ids` where asked
for. Knows nothing of HTTP.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from bot.core.engine import Engine, GenerationRequest
from bot.core.messages import Finish
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.http.schema import ChatCompletion, Completion
from bot.engine.http.stops import StopStrings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """More of an answer. `text` may lag behind `ids`, for half a character or half a stop string; the last has all."""

    text: str
    ids: tuple[int, ...]
    finish: Finish | None = None


async def generate_pieces(
    engine: Engine, tokenizer: Phi3Tokenizer, request: GenerationRequest, stop: tuple[str, ...]
) -> AsyncGenerator[Piece, None]:
    """Yield the answer as it grows, up to the first of the `stop` strings; the last piece alone has `finish`.

    Closing it cancels the generation. Raises: what the engine raises.
    """
    decoder, stops = tokenizer.decoder(), StopStrings(stop)
    async with aclosing(engine.generate(request)) as chunks:
        async for chunk in chunks:
            text = decoder.push(chunk.ids)
            if chunk.finish is not None:
                text += decoder.flush()
            shown, was_stopped = stops.push(text)
            if chunk.finish is not None and not was_stopped:
                shown += stops.flush()
            finish = Finish.STOP if was_stopped else chunk.finish
            yield Piece(shown, chunk.ids, finish)
            if finish is not None:
                return


@dataclass(slots=True)
class Form:
    """The form of one answer: what is the same in all of its parts."""

    asked: Completion
    wanted: GenerationRequest
    model: str
    completion_tokens: int = 0
    id: str = field(init=False)
    created: int = field(default_factory=lambda: int(time.time()))
    _is_first: bool = True

    def __post_init__(self) -> None:
        self.id = f"{'chatcmpl' if self.is_chat else 'cmpl'}-{secrets.token_hex(12)}"

    @property
    def is_chat(self) -> bool:
        """Whether a conversation is answered."""
        return isinstance(self.asked, ChatCompletion)

    def whole(self, text: str, ids: list[int], finish: Finish) -> Json:
        """Return the answer in one."""
        choice: Json = {"index": 0, "logprobs": None, "finish_reason": str(finish)}
        choice |= {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        self.completion_tokens = len(ids)
        answer = self._head("chat.completion" if self.is_chat else "text_completion") | {"choices": [choice]}
        if self.asked.return_token_ids:
            choice["token_ids"] = ids
            (answer if self.is_chat else choice)["prompt_token_ids"] = self.wanted.prompt_ids
        return answer | {"usage": self._usage()}

    def part(self, piece: Piece) -> Json | None:
        """Return the next event of a stream, or None if there is nothing to tell yet."""
        self.completion_tokens += len(piece.ids)
        with_ids = self.asked.return_token_ids
        if not (piece.text or piece.finish or (with_ids and piece.ids) or self._is_first):
            return None
        choice: Json = {"index": 0, "logprobs": None, "finish_reason": str(piece.finish) if piece.finish else None}
        choice |= {"delta": self._delta(piece.text)} if self.is_chat else {"text": piece.text}
        event = self._head("chat.completion.chunk" if self.is_chat else "text_completion") | {"choices": [choice]}
        if with_ids:
            choice["token_ids"] = piece.ids
            if self._is_first:
                (event if self.is_chat else choice)["prompt_token_ids"] = self.wanted.prompt_ids
        if self.wants_usage:
            event["usage"] = None
        self._is_first = False
        return event

    @property
    def wants_usage(self) -> bool:
        """Whether the stream is to end with what the answer cost."""
        options = self.asked.stream_options
        return options is not None and bool(options.include_usage)

    def last(self) -> Json:
        """Return the event without a choice that tells what a streamed answer cost."""
        head = self._head("chat.completion.chunk" if self.is_chat else "text_completion")
        return head | {"choices": [], "usage": self._usage()}

    def _delta(self, text: str) -> Json:
        delta: Json = {"role": "assistant", "content": text} if self._is_first else {}
        return {**delta, "content": text} if text else delta

    def _head(self, kind: str) -> Json:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _usage(self) -> Json:
        prompt_tokens = len(self.wanted.prompt_ids)
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": prompt_tokens + self.completion_tokens,
        }
