"""The memory that several models share: who may load, and who has to leave for that.

Goes by what each model needs (`need_bytes`) and by what the device has free. A model's memory fills slowly, the KV
cache's only as people talk, so that what is free now is not what will be: all that is needed by those who are in must
fit into what was free before any of them came, and into what is free now. Knows nothing of how a model is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from bot.engine.kv import GB, LEAST_GB, RESERVE_BYTES, default_kv_cache_gb, weights_bytes
from bot.errors import NoRoomForModel

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2
"""So many models shall fit side by side where the machine allows it: the one in use, and the one that is to replace
it."""


def shared_kv_cache_gb(free_bytes: int | None, folders: Sequence[Path]) -> int:
    """Return the KV cache's size in whole GB for each of several models, so that `AT_ONCE` of them fit if they can.

    One that can never be loaded counts for nothing.
    """
    sizes = [weights_bytes(folder) for folder in folders]
    fitting = [size for size in sizes if free_bytes is None or size + RESERVE_BYTES < free_bytes]
    largest = sorted(fitting or sizes, reverse=True)[:AT_ONCE]
    others_bytes = sum(largest) + (len(largest) - 1) * RESERVE_BYTES
    return max(default_kv_cache_gb(free_bytes, others_bytes) // len(largest), LEAST_GB)


def need_bytes(folder: Path, kv_cache_gb: int) -> int:
    """Return the memory that a model takes: its weights, its KV cache when that is full, and what it computes with."""
    return weights_bytes(folder) + kv_cache_gb * GB + RESERVE_BYTES


class Lodger(Protocol):
    """A model as the memory sees it."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def need_bytes(self) -> int:
        """What it takes at most, once loaded."""

    @property
    def is_idle(self) -> bool:
        """Whether it is loaded and nobody needs it now."""

    @property
    def used_s(self) -> float:
        """When it was needed last, by a clock of all of them."""

    async def unload(self) -> None:
        """Give the memory back."""


class Room:
    """Lets models in as long as they fit."""

    def __init__(self, free_bytes: Callable[[], int | None], *, taken_bytes: int = 0) -> None:
        """Take what tells the free memory, None where that cannot be told: then there is no limit.

        `taken_bytes`: what is about to be taken of it for good, by what is not yet there.
        """
        self._free_bytes = free_bytes
        self._at_first_bytes = free_bytes()
        self._taken_bytes = taken_bytes
        self._lodgers: list[Lodger] = []
        self._door = asyncio.Lock()

    async def enter(self, newcomer: Lodger) -> None:
        """Let a model in, which may load then; those used longest ago leave for it, if nobody needs them now.

        Nobody leaves in vain. Raises: NoRoomForModel.
        """
        async with self._door:  # one at a time: two must not count on the same memory
            idle = sorted((one for one in self._lodgers if one.is_idle), key=lambda one: one.used_s)
            while (free_bytes := self.free_bytes()) is not None and free_bytes < newcomer.need_bytes:
                if free_bytes + sum(one.need_bytes for one in idle) < newcomer.need_bytes:
                    raise NoRoomForModel(newcomer.name, newcomer.need_bytes / GB, max(0, free_bytes) / GB)
                oldest = idle.pop(0)
                if oldest.is_idle:
                    log.info("model_makes_room", model=oldest.name, newcomer=newcomer.name)
                    await oldest.unload()
            self._lodgers.append(newcomer)

    def leave(self, lodger: Lodger) -> None:
        """Take a model that is not loaded any more off the list."""
        if lodger in self._lodgers:
            self._lodgers.remove(lodger)

    def free_bytes(self) -> int | None:
        """Return what a newcomer may need at most, as things are."""
        now_bytes = self._free_bytes()
        if now_bytes is None or self._at_first_bytes is None:
            return None
        self._at_first_bytes = max(self._at_first_bytes, now_bytes)  # another program had some of it for a while
        needed_bytes = self._taken_bytes + sum(one.need_bytes for one in self._lodgers)
        return min(now_bytes, self._at_first_bytes - needed_bytes)
