"""What the backends have in common: the window's clamp, the first generation, and why a model would not load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bot.core.engine import GenerationRequest
from bot.engine.backend import Backend, Event
from bot.errors import EngineError, EngineFailed, ModelUnusable, PromptTooLong

WARM_UP_TOKENS: Final = 2
"""Generated after loading, before anybody is served: the first prompt pages the weights in and costs seconds."""

# What OpenVINO's errors of a wrong property have in common, their source files among it; a broken file has none of it.
_OF_A_PROPERTY: Final = re.compile(r"propert|config\.cpp|create directory", re.IGNORECASE)


def new_tokens_allowed(request: GenerationRequest, context_tokens: int) -> int:
    """Return min(max_new_tokens, what the window has left), at least 1.

    Neither library stops at the end of the window by itself: one goes on in silence, the other fails with a TypeError.
    Raises: EngineFailed for an empty prompt or nothing to generate, PromptTooLong.
    """
    prompt_tokens = len(request.prompt_ids)
    if not prompt_tokens:
        raise EngineFailed("empty prompt")
    if request.max_new_tokens < 1:
        raise EngineFailed(f"max_new_tokens is {request.max_new_tokens}")
    if prompt_tokens >= context_tokens:
        raise PromptTooLong(prompt_tokens, context_tokens - 1)
    return min(request.max_new_tokens, context_tokens - prompt_tokens)


def warm_up(backend: Backend, prompt_ids: tuple[int, ...]) -> None:
    """Run a first short generation: a prefill of `prompt_ids: (T,)` and a step or two of decoding.

    Raises: ModelUnusable, when the model loads but does not generate.
    """
    ended: list[Event] = []

    def listen(event: Event) -> bool:
        if event.finish is not None or event.error is not None:
            ended.append(event)
        return True

    try:
        backend.start(0, GenerationRequest(prompt_ids, WARM_UP_TOKENS, frozenset()))
        while not ended:
            backend.step(listen)
        if ended[0].error is not None:
            raise ended[0].error
    except EngineError as exc:
        raise ModelUnusable(f"The model loads, but does not generate: {exc.detail or exc}") from exc


def unusable(folder: Path, device: str, exc: Exception) -> str:
    """Return the sentence for a model that OpenVINO would not load: its last line is the one that says why."""
    reason = [line.strip() for line in str(exc).splitlines() if line.strip()][-1:] or [type(exc).__name__]
    hint = " Check PHIBOT_OV_CONFIG." if _OF_A_PROPERTY.search(str(exc)) else ""
    return f"OpenVINO cannot load {folder} on {device}: {reason[0]}{hint}"
