"""The engine in a process of its own: `EngineProcess` is an Engine that starts `phibot serve`, watches and restarts it.

A step of openvino_genai holds the GIL for up to seconds; in a process of its own that is nobody's business but the
engine's. Owns the child's life, and the promise that what it was answering when it died goes on where it was. Knows
nothing of models; what is said to the child goes through `bot.engine.client`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import structlog

from bot.core.engine import Chunk, EngineInfo, GenerationRequest, Loading
from bot.engine.client import RemoteEngine
from bot.errors import BotError, EngineDead, EngineFailed, StartError
from bot.ops.processor import on_all_processors

log = structlog.get_logger(__name__)

KEY_VARIABLE: Final = "PHIBOT_ENGINE_KEY"
"""Hands the child its bearer key: a command line can be read by everybody on the machine."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the child may take for what, in seconds. Tests shorten it."""

    port_s: float = 60.0  # from its start to the word on which port it listens
    end_s: float = 10.0  # to end by itself once told to
    restart_s: float = 1.0  # before the first restart; doubles up to `slowest_restart_s`
    slowest_restart_s: float = 60.0
    steady_s: float = 120.0  # a child that lived so long is not one that keeps dying
    watch_s: float = 5.0  # between two looks at whether it still steps
    hang_s: float = 300.0  # without a sign of life at least so long before the child counts as hanging: reading a full
    # window in one piece, as optimum does, takes 40 s on two quiet cores and over 100 s on busy ones


PATIENCE: Final = Patience()


class EngineProcess:
    """`phibot serve` as an Engine. `start` it inside a running loop; `aclose` it there too."""

    def __init__(
        self,
        command: Sequence[str],
        provisional: EngineInfo,
        *,
        environment: Mapping[str, str],
        last_load_s: float | None = None,
        patience: Patience = PATIENCE,
        most_failed_loads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the command, the child's environment (a fresh key is added), and what is known of the engine so far.

        After `most_failed_loads` children in a row that died before they were ready it is dead for good; by default it
        never is.

        The child must listen on a free port, write `{"port": N}` or `{"error": "..."}` to stdout as a line, and end
        when its stdin does.
        """
        self._command = command
        self._environment = dict(environment)
        self._provisional = provisional
        self._patience = patience
        self._most_failed_loads = most_failed_loads
        self._clock = clock
        self._last_load_s = last_load_s
        self._is_loaded = False  # the newest child was ready once
        self._began_s = clock()
        self._remote: RemoteEngine | None = None
        self._changed = asyncio.Event()
        self._dead: BotError | None = None
        self._closing = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self.pid: int | None = None
        """The child's process id, while there is a child."""
        self.restarts = 0
        self.load_s: float | None = None
        """How long the newest load took, from the child's start."""

    @property
    def info(self) -> EngineInfo:
        """What is answering; before the first load, what is known so far."""
        return self._provisional if self._remote is None else self._remote.info

    @property
    def loading(self) -> Loading | None:
        """How far loading, or loading again, is; None once ready, or dead for good."""
        if self._dead is not None or (self._remote is not None and self._remote.loading is None):
            return None
        stage = self._remote.loading.stage if self._remote and self._remote.loading else "loading.starting"
        return Loading(stage, self._clock() - self._began_s, self.load_s or self._last_load_s)

    def start(self) -> None:
        """Start the child; returns at once."""
        self._supervisor = asyncio.create_task(self._supervise(), name="engine process")

    async def ready(self) -> None:
        """Wait until requests are taken, by a new child if need be. Safe to cancel.

        Raises: StartError, as the child told it, or EngineDead once closed.
        """
        await self._ready()

    async def _ready(self) -> RemoteEngine:
        while True:
            if self._dead is not None:
                raise self._dead
            changed, remote = self._changed, self._remote
            if remote is not None:
                with suppress(EngineDead):  # the child died meanwhile: wait for the next
                    await remote.ready()
                    return remote
            await changed.wait()

    async def died(self) -> NoReturn:
        """Wait until no child will ever be started again, and raise why. Safe to cancel."""
        if self._supervisor is not None:
            await asyncio.wait([self._supervisor])
        raise self._dead or EngineDead("not started")

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it grows; if the child dies, the next one goes on from the ids so far, once.

        Raises: PromptTooLong, EngineFailed, EngineDead.
        """
        got: list[int] = []
        for attempt in range(2):
            remote = await self._ready()
            rest = replace(
                request,
                prompt_ids=request.prompt_ids + tuple(got),
                max_new_tokens=max(1, request.max_new_tokens - len(got)),
            )
            try:
                async with aclosing(remote.generate(rest)) as chunks:
                    async for chunk in chunks:
                        got.extend(chunk.ids)
                        yield chunk
                        if chunk.finish is not None:
                            return
            except EngineDead as exc:
                if attempt or self._dead is not None:
                    raise EngineFailed(f"the engine died while answering: {exc}") from exc
                log.warning("answer_asked_again", tokens_so_far=len(got))

    async def metrics(self) -> str:
        """Return what the child counts and times, in Prometheus' text form; waits for a child. Raises: EngineDead."""
        return await (await self._ready()).metrics()

    async def aclose(self) -> None:
        """End the child, by force if it does not end by itself. May be called twice."""
        self._closing.set()
        self._die(EngineDead("closed"))
        if self._supervisor is not None:
            await asyncio.wait([self._supervisor])

    # The child --------------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Keep a child running until closed, or until one says that no other will do better. A task boundary."""
        failures = failed_loads = 0
        try:
            while not self._closing.is_set():
                self._began_s = self._clock()
                self._is_loaded = False
                await self._live_once()
                if self._closing.is_set():
                    return
                failures = 0 if self._clock() - self._began_s > self._patience.steady_s else failures + 1
                self.restarts += 1
                failed_loads = 0 if self._is_loaded else failed_loads + 1
                if failed_loads == self._most_failed_loads:
                    raise EngineDead(f"{failed_loads} processes died while loading")
                await self._pause(failures)
        except BotError as exc:
            self._die(exc)
        except Exception as exc:
            log.exception("engine_process_lost")
            self._die(EngineDead(f"{type(exc).__name__}: {exc}"))

    async def _pause(self, failures: int) -> None:
        pause_s = min(self._patience.restart_s * 2 ** min(failures - 1, 16), self._patience.slowest_restart_s)
        log.warning("engine_restart", after_s=pause_s, restarts=self.restarts)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s if failures else 0):
                await self._closing.wait()

    async def _live_once(self) -> None:
        """Start a child and return when it is gone. Raises: StartError, when it told a reason that will stay."""
        key = secrets.token_urlsafe(32)
        with on_all_processors():
            child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                env=self._environment | {KEY_VARIABLE: key},
                start_new_session=True,  # Ctrl-C in a terminal is for the bot, which ends the child in its own time
            )
        self.pid = child.pid
        words = asyncio.create_task(self._listen(child, key), name="engine words")
        exited = asyncio.create_task(child.wait(), name="engine exit")
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait([exited, words, closing], return_when=asyncio.FIRST_COMPLETED)
            if words.done():
                words.result()
            elif exited.done():
                await asyncio.wait([words], timeout=self._patience.end_s)  # its last words may still be in the pipe
                if words.done():
                    words.result()
            if not self._closing.is_set():
                log.error("engine_process_died", pid=child.pid, code=child.returncode)
        finally:
            for task in (words, exited, closing):
                task.cancel()
            await self._use(None)
            await self._end(child)
            self.pid = None

    async def _listen(self, child: Process, key: str) -> None:
        """Connect to the child once it says where, then wait for its end or a hang. Raises: StartError."""
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        first = True
        watching: asyncio.Task[None] | None = None
        try:
            while True:
                async with asyncio.timeout(self._patience.port_s if first else None):
                    line = await child.stdout.readline()
                if not line:
                    return
                word = json.loads(line)
                if "error" in word:
                    raise StartError(word["error"])
                first = False
                remote = RemoteEngine(f"http://127.0.0.1:{word['port']}", key, self._provisional)
                remote.start()
                await self._use(remote)
                watching = asyncio.create_task(self._watch(remote, child), name="engine watch")
        except TimeoutError:
            log.exception("engine_never_listened")
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch(self, remote: RemoteEngine, child: Process) -> None:
        """Note how long loading took; then kill the child if it does not step any more."""
        await remote.ready()
        self.load_s, self._is_loaded = self._clock() - self._began_s, True
        log.info("engine_process_ready", pid=child.pid, load_s=round(self.load_s, 1), device=remote.info.device)
        answered_s = self._clock()
        longest_s = 0.0
        while True:
            await asyncio.sleep(self._patience.watch_s)
            try:
                async with asyncio.timeout(self._patience.watch_s):  # a deaf child does not even refuse
                    steps = await remote.steps()
            except (BotError, TimeoutError):
                step_s = self._clock() - answered_s
            else:
                answered_s, step_s = self._clock(), 0.0
                if steps is not None:
                    longest_s, step_s = steps.longest_s, steps.current_s
            if step_s > max(self._patience.hang_s, 2 * longest_s):
                log.error("engine_hangs", pid=child.pid, silent_s=round(step_s), longest_s=round(longest_s, 1))
                with suppress(ProcessLookupError):
                    child.kill()
                return

    async def _use(self, remote: RemoteEngine | None) -> None:
        before, self._remote = self._remote, remote
        if before is not None:
            self._provisional = before.info
        self._tell()
        if before is not None:
            await before.aclose()

    async def _end(self, child: Process) -> None:
        """Close the child's stdin, which ends it; kill it if that takes too long."""
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(self._patience.end_s):
                await child.wait()
        except TimeoutError:
            log.warning("engine_process_killed", pid=child.pid)
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _die(self, error: BotError) -> None:
        self._dead = self._dead or error
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
