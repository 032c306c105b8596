"""The Backend protocol: the synchronous face of a model, driven step by step by exactly one thread.

`bot.engine.executor.ThreadedEngine` is that thread's owner and turns any Backend into a core Engine. A backend knows
nothing of asyncio; everything it has to say goes through `emit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.errors import EngineError


@dataclass(frozen=True, slots=True)
class Event:
    """News of one request: new ids `(n,)` (stop ids never among them) and, on its last event, `finish` or `error`.

    With none of these it is only a sign of life, which nobody is woken for.
    """

    id: int
    ids: tuple[int, ...] = ()
    finish: Finish | None = None
    error: EngineError | None = None


Emit = Callable[[Event], bool]
"""Hands an event over; returns False when nobody wants that request any more: end it at the next token."""

ReportStage = Callable[[str], None]
"""Tells how far loading is: a key of the catalogue, "loading.compiling" say."""


class Backend(Protocol):
    """A model on a device. Made (that is, loaded and warmed up), used and closed on one and the same thread."""

    @property
    def info(self) -> EngineInfo:
        """What is answering."""

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request; `id` is never used twice. Raises: PromptTooLong, EngineFailed (this request only)."""

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request at once: no event of it follows. An unknown or ended id is no error."""

    def step(self, emit: Emit) -> None:
        """Do one piece of work for the requests taken: a batch step, or (optimum) one whole generation.

        Raises: EngineDead when the backend is unusable from now on; every other failure is an Event with `error`.
        """

    def close(self) -> None:
        """Release the model and the device."""


BackendFactory = Callable[[ReportStage], Backend]
"""Loads a backend in the engine's thread, reporting stages. Raises: ModelUnusable, DeviceUnavailable, EngineDead."""
