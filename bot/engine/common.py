"""What the backends have in common: what the window has left for an answer, and why a model would not load."""

from __future__ import annotations

from pathlib import Path

from bot.core.engine import GenerationRequest
from bot.errors import EngineFailed, PromptTooLong

WARM_UP_TOKENS = 2
"""Generated after loading, before anybody is served: the first prompt pages the weights in and costs seconds."""


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


def unusable(folder: Path, device: str, exc: Exception) -> str:
    """Return the sentence for a model that OpenVINO would not load: its last line is the one that says why."""
    reason = [line.strip() for line in str(exc).splitlines() if line.strip()][-1:] or [type(exc).__name__]
    hint = " Check PHIBOT_OV_CONFIG." if "roperty" in reason[0] else ""
    return f"OpenVINO cannot load {folder} on {device}: {reason[0]}{hint}"
