"""Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`, made here and read back here.

Owns which engine error becomes which status and code, in both directions, so that a client gets the very error that the
server's engine raised. Knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bot.errors import BotError, EngineBusy, EngineDead, EngineError, EngineFailed, PromptTooLong

INVALID: Final = "invalid_request_error"
SERVER: Final = "server_error"

TOO_LONG: Final = "context_length_exceeded"  # OpenAI's own code, as is the next
BUSY: Final = "rate_limit_exceeded"
LOADING: Final = "engine_loading"
DEAD: Final = "engine_dead"
FAILED: Final = "engine_failed"

RETRY_AFTER_S: Final = 5
"""What a refused client is told to wait: about the time an answer takes to free its slot."""

_MOST_DETAIL_CHARS: Final = 300


class ApiError(Exception):
    """A request that gets no answer: the status, and the sentence with its type, parameter and code."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what the client is told."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the error in OpenAI's form."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def busy(waiting: int) -> ApiError:
    """Return the refusal of a request that would be one too many to wait."""
    return ApiError(
        429,
        f"All slots are taken and {waiting} requests wait already. Try again in {RETRY_AFTER_S} s.",
        kind="rate_limit_error",
        code=BUSY,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def prompt_too_long(tokens: int, limit_tokens: int) -> ApiError:
    """Return the refusal of a prompt that leaves no room in the window."""
    message = f"The prompt has {tokens} tokens; at most {limit_tokens} leave room for an answer."
    return ApiError(400, message, code=TOO_LONG)


def of_engine(error: BotError) -> ApiError:
    """Translate what the engine raised. A reason of the engine's own is passed on: the client may be our own bot."""
    if isinstance(error, PromptTooLong):
        return prompt_too_long(int(str(error.fields["tokens"])), int(str(error.fields["limit_tokens"])))
    if isinstance(error, EngineBusy):
        return busy(0)
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, EngineFailed):
        return ApiError(500, f"This generation failed: {error}", kind=SERVER, code=FAILED)
    return ApiError(503, f"The engine is not running: {error}", kind=SERVER, code=DEAD, headers=retry)


def to_engine_error(status: int, body: object, *, prompt_tokens: int, context_tokens: int) -> EngineError:
    """Return what an error response, or an error amid a stream, means for the one request it answers.

    EngineDead: the server (or a proxy before it) cannot answer anybody at the moment; EngineFailed: this request alone.
    """
    error = body.get("error") if isinstance(body, Mapping) else None
    fields: Mapping[str, object] = error if isinstance(error, Mapping) else {}
    code, detail = fields.get("code"), f"HTTP {status}: {fields.get('message', '')}"[:_MOST_DETAIL_CHARS]
    if code == TOO_LONG:
        return PromptTooLong(prompt_tokens, context_tokens - 1)
    if code == BUSY or status == 429:
        return EngineBusy(detail)
    if code in (DEAD, LOADING) or status in (401, 403, 404, 502, 503, 504):
        return EngineDead(detail)
    return EngineFailed(detail)
