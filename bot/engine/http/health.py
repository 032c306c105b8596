"""What a server tells of its engine: one form, written by the server and read by the client.

Knows nothing of how it is asked for. Fields that a newer server adds are ignored, those that an older one
lacks are None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.core.engine import EngineInfo, Loading
from bot.texts import ENGLISH


class State(StrEnum):
    """Whether requests are taken."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Steps:
    """The engine's steps: one far longer than the longest ever is a hang, and what a prompt costs shows in how many."""

    current_s: float  # the one under way; 0.0 if there is none
    longest_s: float
    count: int = 0


class Health(BaseModel):
    """How the engine is."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    state: State
    reason: str | None = None  # of a failure
    engine: str
    model: str
    device: str
    context_tokens: int = Field(ge=1)
    slots: int = Field(ge=1)
    caches_prefixes: bool = False
    revision: str | None = None
    loading: Loading | None = None
    running: int = 0
    waiting: int = 0
    steps: Steps | None = None
    tokenizer_sha256: str | None = None
    version: str | None = None

    @property
    def info(self) -> EngineInfo:
        """What is answering."""
        return EngineInfo(
            self.engine,
            self.model,
            self.device,
            self.context_tokens,
            self.slots,
            self.caches_prefixes,
            self.revision,
        )

    @property
    def stage(self) -> str:
        """How far loading is: always a key of our own catalogue, whatever the other side says."""
        stage = self.loading.stage if self.loading is not None else ""
        return stage if stage.startswith("loading.") and stage in ENGLISH else "loading.starting"

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read what a server told. Raises: ValueError when it is not of this form."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as exc:
            raise ValueError("this is no server of Phibot's") from exc
