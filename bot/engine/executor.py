"""The asyncio face of a Backend: `ThreadedEngine` is a core Engine that runs one backend in a one-thread executor.

Owns the thread, the driver task that sends it one step at a time, and the promise that no reader waits for ever. Knows
nothing of models. The event loop runs between steps on purpose: a step may hold the GIL.

The thread is no daemon: the interpreter must not tear OpenVINO down under a running call, so its end waits for the
step under way.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from bot.core.engine import Chunk, EngineInfo, GenerationRequest, Loading
from bot.core.messages import Finish
from bot.engine.backend import Backend, BackendFactory, Event
from bot.engine.http.health import Steps
from bot.errors import BotError, EngineDead, EngineError

log = structlog.get_logger(__name__)

_LOOP_TURNS = 5
"""Turns of the event loop between two steps: what a step brought takes a few until it is written to a socket. Beside
steps that hold the GIL for 50 ms, round trips over a socket went from 17 a step without to 44 with 2 and 52 with 5."""

_HOLDING_UP_S = 0.001
"""A step that took less has held nobody up: one turn will do."""


@dataclass(eq=False, slots=True)
class _Reader:
    """One request on its way. Only the event loop's thread touches it, but for `is_wanted`."""

    id: int
    request: GenerationRequest
    ids: list[int] = field(default_factory=list)  # not yet taken
    finish: Finish | None = None
    error: BotError | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    due: asyncio.TimerHandle | None = None  # until then what comes is gathered
    is_wanted: bool = True  # read by the backend's thread while it steps

    def hear(self, event: Event) -> None:
        self.ids.extend(event.ids)
        self.finish = event.finish
        self.error = event.error
        if self.due is None or self.finish is not None or self.error is not None:
            self.news.set()

    def take(self) -> tuple[tuple[int, ...], Finish | None, BotError | None]:
        """Return what came since the last time; what comes next is gathered for the request's interval."""
        ids, self.ids = tuple(self.ids), []
        if ids and self.due is None and self.request.stream_interval_s:
            self.due = asyncio.get_running_loop().call_later(self.request.stream_interval_s, self.hand_over)
        return ids, self.finish, self.error

    def hand_over(self) -> None:
        self.due = None
        if self.ids:
            self.news.set()

    def leave(self) -> None:
        self.is_wanted = False
        if self.due is not None:
            self.due.cancel()

    def fail(self, error: BotError) -> None:
        self.error = self.error or error
        self.news.set()


class ThreadedEngine:
    """A Backend as an Engine. `start` it inside a running loop; `aclose` it there too."""

    def __init__(
        self,
        factory: BackendFactory,
        provisional: EngineInfo,
        *,
        last_load_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what loads the backend, what is known of it until then, and how long loading took last time."""
        self._factory = factory
        self._info = provisional
        self._last_load_s = last_load_s
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._ids = itertools.count(1)
        self._waiting: list[_Reader] = []  # in order of arrival
        self._running: dict[int, _Reader] = {}
        self._gone: list[int] = []  # to be cancelled before the next step
        self._events: deque[Event] = deque()  # from the backend's thread, not yet heard
        self._work = asyncio.Event()
        self._stage = "loading.starting"
        self._started_at = clock()
        self._ready: asyncio.Future[None] | None = None
        self._driver: asyncio.Task[None] | None = None
        self._dead: BotError | None = None
        self._closing = False
        self._step_since_s: float | None = None  # the step under way began then
        self._longest_step_s = 0.0
        self._steps = 0
        self.load_s: float | None = None
        """How long loading took, once it is done."""

    @property
    def info(self) -> EngineInfo:
        """What is answering; while still loading, what is known so far."""
        return self._info

    @property
    def loading(self) -> Loading | None:
        """How far loading is, or None once ready or failed."""
        if self.load_s is not None or self._dead is not None:
            return None
        return Loading(self._stage, self._clock() - self._started_at, self._last_load_s)

    @property
    def steps(self) -> Steps:
        """How long the engine has been without a sign of life in the step under way, and the longest that ever took.

        With the count of the steps that ended. Signs of life are a step's end and every token in it: a step of
        optimum's is a whole generation.
        """
        since_s = self._step_since_s
        return Steps(0.0 if since_s is None else self._clock() - since_s, self._longest_step_s, self._steps)

    def start(self) -> None:
        """Begin to load, in the engine's thread; returns at once."""
        self._started_at = self._clock()
        self._ready = asyncio.get_running_loop().create_future()
        self._driver = asyncio.create_task(self._drive(), name="engine")

    async def ready(self) -> None:
        """Wait until requests are taken. Safe to cancel.

        Raises: StartError, as the factory raised it, or EngineDead when loading failed; EngineDead once closed.
        """
        if self._ready is None:
            raise EngineDead("not started")
        await asyncio.wait([self._ready])
        if self._dead is not None:
            raise self._dead

    async def died(self) -> NoReturn:
        """Wait until the engine takes no more requests, for whatever reason, and raise it. Safe to cancel."""
        if self._driver is not None:
            await asyncio.wait([self._driver])
        raise self._dead or EngineDead("not started")

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it grows; a slow reader gets all that came meanwhile as one chunk.

        Closing the generator cancels the work at the next token. Raises: PromptTooLong, EngineFailed, EngineDead.
        """
        if self._ready is None:
            raise EngineDead("not started")
        if self._dead is not None:
            raise _death(self._dead)
        reader = _Reader(next(self._ids), request)
        self._waiting.append(reader)
        self._work.set()
        try:
            while True:
                await reader.news.wait()
                reader.news.clear()
                ids, finish, error = reader.take()
                if ids or finish is not None:
                    yield Chunk(ids, finish)  # while this one is looked at, the next may already come
                if finish is not None:
                    return
                if error is not None:
                    raise error
        finally:
            self._leave(reader)

    def _leave(self, reader: _Reader) -> None:
        reader.leave()
        if reader in self._waiting:
            self._waiting.remove(reader)
        if self._running.pop(reader.id, None) is not None:
            self._gone.append(reader.id)
            self._work.set()

    async def aclose(self) -> None:
        """End all work, wait for the step under way, and release the device. May be called twice.

        Cancelling it gives up the waiting, not the closing. A backend that is still loading is given up at its next
        stage: loading itself cannot be interrupted.
        """
        self._closing = True
        self._fail_all(EngineDead("closed"))
        self._work.set()
        for reader in self._running.values():
            reader.is_wanted = False
        if self._driver is not None:
            await asyncio.wait([self._driver])

    # The driver -----------------------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        """Load, then step while there is work; the backend's thread is this task's alone. A task boundary."""
        loop = asyncio.get_running_loop()
        backend: Backend | None = None
        try:
            backend = await loop.run_in_executor(self._executor, self._load, loop)
            self._info = backend.info
            self.load_s = self._clock() - self._started_at
            log.info("engine_ready", engine=self._info.engine, device=self._info.device, load_s=round(self.load_s, 1))
            self._settle_ready()
            await self._serve(backend, loop)
        except BotError as exc:
            self._fail_all(exc)
        except Exception as exc:
            log.exception("engine_died")
            self._fail_all(EngineDead(f"{type(exc).__name__}: {exc}"))
        finally:
            self._fail_all(EngineDead("ended"))
            try:
                if backend is not None:
                    await self._release(backend)
            finally:
                self._executor.shutdown(wait=False)

    async def _serve(self, backend: Backend, loop: asyncio.AbstractEventLoop) -> None:
        while not self._closing:
            self._work.clear()
            free = backend.info.slots - len(self._running)
            fresh, self._waiting = self._waiting[:free], self._waiting[free:]
            self._running.update((reader.id, reader) for reader in fresh)
            gone, self._gone = self._gone, []
            if not (self._running or gone):
                await self._work.wait()
                continue
            self._step_since_s = began_s = self._clock()
            await loop.run_in_executor(self._executor, self._turn, backend, loop, fresh, gone)
            self._note_life()
            self._step_since_s = None
            self._steps += 1
            for _ in range(_LOOP_TURNS if self._clock() - began_s > _HOLDING_UP_S else 1):
                await asyncio.sleep(0)

    async def _release(self, backend: Backend) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, backend.close)
        except Exception:
            log.exception("engine_close_failed")

    def _load(self, loop: asyncio.AbstractEventLoop) -> Backend:
        def report(stage: str) -> None:
            if self._closing:
                raise EngineDead("closed while loading")
            log.info("engine_loading", stage=stage)
            loop.call_soon_threadsafe(setattr, self, "_stage", stage)

        return self._factory(report)

    def _turn(self, backend: Backend, loop: asyncio.AbstractEventLoop, fresh: list[_Reader], gone: list[int]) -> None:
        """Do one step, in the backend's thread: forget who left, take who is new, generate."""
        readers = dict(self._running)  # only the loop's thread changes it; this one looks at a copy

        def emit(event: Event) -> bool:
            reader = readers.get(event.id)
            if reader is None:
                return False
            self._note_life()
            if event.ids or event.finish is not None or event.error is not None:
                self._events.append(event)
                if len(self._events) == 1:  # else the loop is told already, and waking it costs
                    loop.call_soon_threadsafe(self._hear)
            return reader.is_wanted

        for number in gone:
            backend.cancel(number)
        for reader in fresh:
            try:
                backend.start(reader.id, reader.request)
            except EngineDead:
                raise
            except EngineError as exc:
                emit(Event(reader.id, error=exc))
        backend.step(emit)

    def _note_life(self) -> None:
        now = self._clock()
        if self._step_since_s is not None:
            self._longest_step_s = max(self._longest_step_s, now - self._step_since_s)
        self._step_since_s = now

    def _hear(self) -> None:
        """Hand all that the backend's thread has said to the readers."""
        while self._events:
            event = self._events.popleft()
            reader = self._running.get(event.id)
            if reader is None:
                continue
            if event.finish is not None or event.error is not None:
                del self._running[event.id]
            reader.hear(event)

    def _settle_ready(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def _fail_all(self, error: BotError) -> None:
        """From now on every request fails with the first such error."""
        self._dead = self._dead or error
        self._settle_ready()
        for reader in [*self._waiting, *self._running.values()]:
            reader.fail(_death(self._dead))


def _death(cause: BotError) -> EngineDead:
    """Return an error of a reader's own: one that is raised in many tasks would collect all their tracebacks."""
    death = EngineDead(str(cause))
    death.__cause__ = cause
    return death
