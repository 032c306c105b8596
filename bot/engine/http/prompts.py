"""From a checked request to the engine's: prompt ids, stop ids, sampling.

Owns how messages and prompts become token ids. No text can forge a role: it is encoded by the tokenizer's own rule, and
role tokens come only from the roles of messages, or from a prompt that is given as token ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from bot.core.engine import GenerationRequest
from bot.core.messages import GREEDY, Sampling
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.http.errors import TOO_LONG, ApiError, prompt_too_long
from bot.engine.http.schema import ChatCompletion, Completion, Message

DEFAULT_MAX_TOKENS: Final = 16  # OpenAI's, of /v1/completions; a chat answer has all the room that is left

_CHARS_A_TOKEN: Final = 64
"""More than the longest piece of Phi-3's vocabulary: a longer text cannot fit, and need not be encoded to know it."""
_LONG_CHARS: Final = 8192  # from here on encoding takes more than 5 ms, and the event loop should not wait for it


@dataclass(frozen=True, slots=True)
class Prompts:
    """Makes the engine's requests, for one tokenizer."""

    tokenizer: Phi3Tokenizer
    vocabulary_size: int  # ids are below this

    async def of_completion(self, asked: Completion, context_tokens: int) -> GenerationRequest:
        """Return the request for one prompt: a text, or token ids `(T,)`.

        A text is continued as it stands, outside of any role; what looks like a role token in it is plain text.
        Raises: ApiError.
        """
        prompt = asked.prompt
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
            prompt = prompt[0]
        if isinstance(prompt, str):
            ids = await self._encode(prompt, context_tokens)
        elif isinstance(prompt, list) and all(type(token) is int for token in prompt):
            ids = tuple(prompt)
            self._check_ids(ids, "prompt")
        else:
            raise _bad_prompt("prompt must be one text or one list of token ids.")
        return self._request(asked, ids, asked.max_tokens or DEFAULT_MAX_TOKENS, context_tokens)

    async def of_chat(self, asked: ChatCompletion, context_tokens: int) -> GenerationRequest:
        """Return the request for a conversation, in the form of the model's chat template.

        System messages come first, a user's last; several of one role in a row become one, joined by line feeds.
        Raises: ApiError.
        """
        parts = [(role, "\n".join(message.text for message in run)) for role, run in groupby(asked.messages, _role)]
        if parts[-1][0] != "user":
            raise ApiError(400, "The last message must be the user's.", param="messages", code="invalid_value")
        if any(role == "system" for role, _ in parts[1:]):
            raise ApiError(400, "System messages must come first.", param="messages", code="invalid_value")
        if sum(len(text) for _, text in parts) > context_tokens * _CHARS_A_TOKEN:
            raise _text_too_long(context_tokens)
        encoded = [(role, await self._encode(text, context_tokens)) for role, text in parts]
        system_ids = encoded.pop(0)[1] if encoded[0][0] == "system" else ()
        if encoded[0][0] == "assistant":
            encoded.insert(0, ("user", ()))  # a greeting: the answer to a question that nobody asked
        texts = [ids for _, ids in encoded]
        exchanges = zip(texts[:-1:2], texts[1:-1:2], strict=True)
        ids = self.tokenizer.prompt(system_ids, exchanges, texts[-1])
        max_tokens = asked.max_completion_tokens or asked.max_tokens or context_tokens
        return self._request(asked, ids, max_tokens, context_tokens)

    async def _encode(self, text: str, context_tokens: int) -> tuple[int, ...]:
        if len(text) > context_tokens * _CHARS_A_TOKEN:
            raise _text_too_long(context_tokens)
        if len(text) > _LONG_CHARS:
            return await asyncio.to_thread(self.tokenizer.encode, text)
        return self.tokenizer.encode(text)

    def _request(
        self, asked: Completion, ids: tuple[int, ...], max_tokens: int, context_tokens: int
    ) -> GenerationRequest:
        if not ids:
            raise _bad_prompt("The prompt is empty.")
        if len(ids) >= context_tokens:
            raise prompt_too_long(len(ids), context_tokens - 1)
        self._check_ids(asked.stop_token_ids or (), "stop_token_ids")
        stop_ids = frozenset(asked.stop_token_ids or ())
        if not asked.ignore_eos:
            stop_ids |= self.tokenizer.stop_ids
        return GenerationRequest(
            ids, min(max_tokens, context_tokens - len(ids)), stop_ids, _sampling(asked), asked.stream_interval_s
        )

    def _check_ids(self, ids: Sequence[int], param: str) -> None:
        if ids and not (min(ids) >= 0 and max(ids) < self.vocabulary_size):
            message = f"{param}: token ids go from 0 to {self.vocabulary_size - 1}."
            raise ApiError(400, message, param=param, code="invalid_value")


def _role(message: Message) -> str:
    return "system" if message.role == "developer" else message.role


def _sampling(asked: Completion) -> Sampling:
    """Return how to choose tokens: as OpenAI does, by chance unless the temperature is 0."""
    if asked.temperature == 0:
        return GREEDY
    default = Sampling(do_sample=True, seed=asked.seed)
    return replace(
        default,
        temperature=default.temperature if asked.temperature is None else asked.temperature,
        top_p=default.top_p if asked.top_p is None else asked.top_p,
    )


def _bad_prompt(message: str) -> ApiError:
    return ApiError(400, message, param="prompt", code="invalid_value")


def _text_too_long(context_tokens: int) -> ApiError:
    message = f"The prompt is too long: at most {context_tokens - 1} tokens leave room for an answer."
    return ApiError(400, message, code=TOO_LONG)
