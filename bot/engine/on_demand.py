"""An engine that is loaded when it is needed, and unloaded when its memory is: `OnDemandEngine` is an Engine too.

Owns when that happens; which of several has to leave is `bot.engine.room`'s to say, how one is opened its owner's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

import structlog

from bot.core.database import to_the_end
from bot.core.engine import UNLOADED, Chunk, EngineInfo, GenerationRequest, Loading, OwnedEngine
from bot.engine.room import Room
from bot.errors import BotError, EngineDead, ModelNotLoaded, NoRoomForModel

log = structlog.get_logger(__name__)


class OnDemandEngine:
    """Opens an engine at the first `ready` or `generate`, and again after it was unloaded or has died.

    Whoever needs it for more than one call keeps it loaded with `held`.
    """

    def __init__(
        self,
        name: str,
        open_engine: Callable[[], OwnedEngine],
        provisional: EngineInfo,
        room: Room,
        *,
        need_bytes: int,
        last_load_s: float | None = None,
        on_loaded: Callable[[float], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what opens the engine, and what memory that needs.

        `name` is for people; `last_load_s`: how long loading took last time; `on_loaded` is told how long it took now.
        """
        self.name = name
        self.need_bytes = need_bytes
        self.used_s = clock()
        self._open = open_engine
        self._info = provisional
        self._room = room
        self._last_load_s = last_load_s
        self._on_loaded = on_loaded
        self._clock = clock
        self._began_s = clock()
        self._engine: OwnedEngine | None = None
        self._load: asyncio.Task[OwnedEngine] | None = None  # under way, or done: as long as it is loaded
        self._leaving = asyncio.Lock()
        self._holders = 0
        self._is_closed = False

    @property
    def info(self) -> EngineInfo:
        """What answers, or did when it was loaded last; until then, what is known so far."""
        return self._info if self._engine is None else self._engine.info

    @property
    def loading(self) -> Loading | None:
        """How far loading is: UNLOADED before it begins, None once ready."""
        if self._load is None:
            return Loading(UNLOADED, 0.0, self._last_load_s)
        stage = "loading.starting"  # others make room
        if self._engine is not None:
            told = self._engine.loading
            if told is None:
                return None
            stage = told.stage
        return Loading(stage, self._clock() - self._began_s, self._last_load_s)

    @property
    def is_idle(self) -> bool:
        """Whether it is loaded and nobody holds it."""
        return self._load is not None and self._load.done() and not self._holders

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being unloaded within the block, once it is loaded."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self.used_s = self._clock()

    async def ready(self) -> None:
        """Load if need be, and wait until requests are taken. Cancelling ends the wait, not the loading.

        Raises: NoRoomForModel; ModelNotLoaded, and the next call tries again; EngineDead once closed.
        """
        with self.held():
            await self._ready()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it grows, loading before if need be.

        Raises: NoRoomForModel, ModelNotLoaded, PromptTooLong, EngineFailed, EngineDead.
        """
        with self.held():
            engine = await self._ready()
            async with aclosing(engine.generate(request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def unload(self) -> None:
        """End the engine, whose next use loads it again. Nobody may hold it. Cancelling waits until that is done."""
        engine, self._engine, self._load = self._engine, None, None
        await to_the_end(self._leave(engine))

    async def _leave(self, engine: OwnedEngine | None) -> None:
        async with self._leaving:
            if engine is not None:
                self._info = engine.info
                await engine.aclose()
            self._room.leave(self)

    async def aclose(self) -> None:
        """End the engine for good, loaded or not. May be called twice."""
        self._is_closed = True
        load = self._load
        if load is not None and not load.done():
            load.cancel()
            await asyncio.wait([load])
        await self.unload()

    async def _ready(self) -> OwnedEngine:
        engine = await self._loaded()
        try:
            await engine.ready()  # its process may have died, and be on its way up again
        except BotError as exc:  # or there will be no other
            log.warning("model_lost", model=self.name, reason=str(exc))
            if self._engine is engine:
                await self.unload()
            engine = await self._loaded()
        return engine

    async def _loaded(self) -> OwnedEngine:
        if self._is_closed:
            raise EngineDead("closed")
        if self._load is None:
            self._began_s = self._clock()
            self._load = asyncio.create_task(self._load_once(), name=f"load {self.name}")
            self._load.add_done_callback(lambda load: load.cancelled() or load.exception())  # its waiters may be gone
        load = self._load
        await asyncio.wait([load])  # not the task itself: others wait for it too
        if load.cancelled():
            raise EngineDead("closed")
        return load.result()

    async def _load_once(self) -> OwnedEngine:
        try:
            async with self._leaving:  # else its own memory of before would be in its way
                pass
            await self._room.enter(self)
            self._engine = self._open()
            self._engine.start()
            await self._engine.ready()
        except BaseException as exc:
            log.warning("model_not_loaded", model=self.name, reason=str(exc))
            await self.unload()
            if isinstance(exc, BotError) and not isinstance(exc, NoRoomForModel):
                raise ModelNotLoaded(self.name, str(exc)) from exc
            raise
        took_s = self._last_load_s = self._clock() - self._began_s
        log.info("model_loaded", model=self.name, load_s=round(took_s, 1), device=self._engine.info.device)
        if self._on_loaded is not None:
            await self._on_loaded(took_s)
        return self._engine
