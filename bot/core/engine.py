"""The Engine protocol: what core asks of whatever generates. Core owns this interface; `bot.engine` implements it.

Token ids, not text, cross it: the prompt is built once from stored ids, so that follow-up turns hit the prefix cache
and no text can forge a role; and decoding happens in one place, `bot.core.phi3`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from bot.core.messages import GREEDY, Finish, Sampling

UNLOADED: Final = "loading.unloaded"
"""The stage of an engine that is loaded once somebody needs it, and has not been needed yet."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt to continue.

    `prompt_ids: (T,)` with 1 <= T < context_tokens; at most `max_new_tokens` are generated, and never more than the
    window has left. Generation ends at any id of `stop_ids`, which is not part of the answer. What comes is handed over
    at most every `stream_interval_s`, but for the first token and the end: each time costs processor time that a device
    without memory of its own lacks for the next token. 0: each token at once.
    """

    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    stop_ids: frozenset[int]
    sampling: Sampling = GREEDY
    stream_interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """New ids `(n,)`, n >= 0, in order; `finish` is set on the last chunk and only there."""

    ids: tuple[int, ...]
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is answering: for banners, /status and receipts."""

    engine: str  # "genai", "optimum", "echo"
    model: str  # the model's name, for people
    device: str  # what runs it, for people: "GPU.0 (Intel(R) Arc(TM) A770 Graphics)"
    context_tokens: int  # the model's window, prompt and answer together
    slots: int  # generations that run side by side
    caches_prefixes: bool = False  # what prompts begin with alike is computed once
    revision: str | None = None  # the model's commit on its hub, where it is known


@dataclass(frozen=True, slots=True)
class Loading:
    """How far loading is: a key of the catalogue (`loading.…`), the seconds so far, the seconds it took last time."""

    stage: str
    elapsed_s: float
    last_time_s: float | None


class Engine(Protocol):
    """Something that generates. `generate` may be called many times at once; `info.slots` run side by side."""

    @property
    def info(self) -> EngineInfo:
        """What is answering; while still loading, what is known so far."""

    @property
    def loading(self) -> Loading | None:
        """How far loading is, or None once ready (or failed: then `ready` raises)."""

    async def ready(self) -> None:
        """Wait until requests are taken. Safe to cancel. Raises: StartError or EngineDead when loading failed."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it grows; the last chunk has `finish`.

        Closing the generator (or cancelling its reader) cancels the work at the next token and frees the slot.
        Raises: PromptTooLong, EngineFailed (this request), EngineDead (every request from now on).
        """

    async def aclose(self) -> None:
        """End all work and release the device. Generators still open raise EngineDead."""


class OwnedEngine(Engine, Protocol):
    """An engine together with its life, for whoever builds it."""

    @property
    def load_s(self) -> float | None:
        """How long loading took here, once it is done; None where that is not known."""

    def start(self) -> None:
        """Begin to load, or to reach the engine; returns at once. To be called inside a running loop."""

    async def died(self) -> NoReturn:
        """Wait until no request will ever be taken again, and raise why. Safe to cancel."""
