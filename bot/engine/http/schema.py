"""What a request may say: the fields of OpenAI's two kinds of completion (and a few of vLLM's), checked.

Owns types, ranges and what is refused because it would change the answer and is not supported. Knows neither tokens nor
the engine. Unknown fields are ignored, as OpenAI's own servers do with those of newer clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot.engine.http.errors import ApiError

MOST_STOPS: Final = 16  # OpenAI takes 4; each costs a search a token
MOST_STOP_CHARS: Final = 256

NEUTRAL: Final[Mapping[str, tuple[object, ...]]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "min_p": (0,),
    "min_tokens": (0,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "prompt_logprobs": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_k": (-1, 0),
    "top_logprobs": (0,),
    "use_beam_search": (False,),
}
"""Fields that would change the answer and are not supported, with the values (beside null) that ask for nothing."""

Stop = Annotated[str, Field(min_length=1, max_length=MOST_STOP_CHARS)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class StreamOptions(_Strict):
    """How to stream."""

    include_usage: bool | None = None


class Completion(_Strict):
    """A request of /v1/completions, and what both kinds have in common."""

    model: str | None = None
    prompt: Any = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    stop: tuple[Stop, ...] = ()
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    # vLLM's own (https://docs.vllm.ai/en/latest/serving/openai_compatible_server/):
    stop_token_ids: list[TokenId] | None = None
    ignore_eos: bool | None = None
    return_token_ids: bool | None = None
    # Ours (`GenerationRequest` says what it means); vLLM has an option of its server for it, in tokens:
    stream_interval_s: Annotated[float, Field(ge=0, le=60)] = 0.0

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is None:
            return ()
        stops = value if isinstance(value, list) else [value]
        if len(stops) > MOST_STOPS:
            raise ValueError(f"at most {MOST_STOPS} stop strings are supported")
        return tuple(stops)


class TextPart(_Strict):
    """One part of a message's content."""

    type: Literal["text"]
    text: str


class Message(_Strict):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    tool_calls: list[Any] | None = Field(None, max_length=0)

    @property
    def text(self) -> str:
        """The content as one text, its parts joined by line feeds."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class ChatCompletion(Completion):
    """A request of /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None


AnyCompletion = TypeVar("AnyCompletion", Completion, ChatCompletion)


def parse(body: bytes, kind: type[AnyCompletion]) -> AnyCompletion:
    """Read a request of `kind`. Raises: ApiError, with the first thing that is wrong with it."""
    try:
        content = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as exc:  # also for invalid UTF-8, lone surrogates and nesting without end
        raise ApiError(400, f"The body is no valid JSON: {exc}.") from exc
    if not isinstance(content, dict):
        raise ApiError(400, "The body must be a JSON object.")
    _refuse_unsupported(content)
    try:
        return kind.model_validate(content)
    except ValidationError as exc:
        raise _wrong(exc) from exc


def _refuse_unsupported(content: Mapping[str, Any]) -> None:
    for name, neutral in NEUTRAL.items():
        value = content.get(name)
        if value is not None and not any(value == one for one in neutral):
            raise ApiError(400, f"{name} is not supported here.", param=name, code="unsupported_parameter")


def _wrong(exc: ValidationError) -> ApiError:
    """Return the first fault, with the path of the field."""
    fault = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    field, *path = fault["loc"] or ("body",)
    where = str(field) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return ApiError(400, f"{where}: {fault['msg']}.", param=str(field), code="invalid_value")
