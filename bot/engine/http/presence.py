"""Whether a server is there and takes requests: `Presence` follows it for as long as its client lives.

One /health request always waits at the server, which answers as soon as its state is no longer the one that is known
here; so a server that goes away is noticed at once, and one that comes back is used again. Knows nothing of answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

import aiohttp
import structlog

from bot.core.engine import EngineInfo, Loading
from bot.engine.http.health import Health, State
from bot.errors import EngineDead

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.1  # between two attempts to reach a server; doubles
LONGEST_PAUSE_S: Final = 5.0
STAGE_S: Final = 1.0  # while it loads: how old a stage may be that people are shown
WATCH_S: Final = 20.0  # while it is ready: how long one /health waits; less than a proxy's usual 60 s

CONNECTION_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError)


class Presence:
    """Follows one server. `start` it inside a running loop; `aclose` it there too."""

    def __init__(
        self,
        url: str,
        provisional: EngineInfo,
        *,
        read_timeout_s: float,
        patience_s: float,
        tokenizer_sha256: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the server's address and the rest as `RemoteEngine` explains it."""
        self._url = url
        self._wait_s = min(WATCH_S, read_timeout_s / 2)
        self._patience_s = patience_s
        self._tokenizer_sha256 = tokenizer_sha256
        self._clock = clock
        self._since_s = clock()  # it loads, or cannot be reached, since then
        self._state = State.LOADING
        self._known: State | None = None  # what the server told last; None: it shall tell at once
        self._is_lost = False  # and the log says so: once, also if it was never there
        self._stage = "loading.connecting"
        self._last_time_s: float | None = None
        self._reason = ""
        self._changed = asyncio.Event()
        self._poll: asyncio.Task[Health] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.info = provisional
        self.dead: EngineDead | None = None
        """Why it will never be used again: closed, or refused by the server."""

    @property
    def loading(self) -> Loading | None:
        """How far loading (or reaching the server) is, or None once ready or failed."""
        if self._state is not State.LOADING or self.dead is not None:
            return None
        return Loading(self._stage, self._clock() - self._since_s, self._last_time_s)

    def start(self, session: aiohttp.ClientSession) -> None:
        """Begin to look for the server; returns at once. The session stays its owner's."""
        self._since_s = self._clock()
        self._watcher = asyncio.create_task(self._watch(session), name="remote-engine")

    async def ready(self) -> None:
        """Wait until requests are taken. Safe to cancel.

        Raises: EngineDead when the server's engine failed, the server cannot be reached, or this was closed.
        """
        while self._state is State.LOADING and self.dead is None:
            await self._changed.wait()
        self.check()
        if self._state is State.FAILED:
            raise EngineDead(self._reason)

    def check(self) -> None:
        """Raise if the server will never be used again. Raises: EngineDead."""
        if self.dead is not None:
            raise EngineDead(str(self.dead)) from self.dead

    async def died(self) -> NoReturn:
        """Wait until this is over for good, and raise why. Safe to cancel."""
        if self._watcher is not None:
            await asyncio.wait([self._watcher])
        raise self.dead or EngineDead("not started")

    async def aclose(self) -> None:
        """Follow the server no more; who waits for it is told so. May be called twice."""
        self._die("closed")
        tasks = [task for task in (self._watcher, self._poll) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def lose(self, reason: str) -> None:
        """Doubt that the server is there, until it answers again."""
        if not self._is_lost:
            log.warning("engine_server_lost", reason=reason)
            self._is_lost = True
        if self._known is not None:
            self._known = None
            self._since_s, self._last_time_s = self._clock(), None
            self._stage = "loading.connecting"
            self._change(State.LOADING, reason)
        if self._poll is not None:
            self._poll.cancel()

    async def ask_health(self, session: aiohttp.ClientSession, params: Mapping[str, str]) -> Health:
        """Ask how the server is. Raises: EngineDead when it refuses us, ValueError, `CONNECTION_ERRORS`."""
        async with session.get(f"{self._url}/health", params=params, allow_redirects=False) as response:
            body = await response.read()
            if response.status in (401, 403):
                raise EngineDead(f"{self._url} refuses the key (PHIBOT_ENGINE_KEY)")
            health = Health.read(body)
        if self._tokenizer_sha256 is not None and health.tokenizer_sha256 not in (None, self._tokenizer_sha256):
            raise EngineDead(f"{self._url} serves a model with another tokenizer")
        return health

    # The watcher -----------------------------------------------------------------------------------------------------

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        """Follow the server's state until it refuses us or this is closed. A task boundary."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                try:
                    health = await self._next_health(session)
                except (*CONNECTION_ERRORS, ValueError) as exc:
                    self.lose(reason := f"{self._url} cannot be reached: {exc!r}")
                    if self._clock() - self._since_s > self._patience_s:
                        self._change(State.FAILED, reason)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                else:
                    if health is not None:
                        self._take(health)
                        pause_s = FIRST_PAUSE_S
        except EngineDead as exc:
            log.warning("engine_server_refuses", reason=str(exc))
            self._die(str(exc))
        except Exception as exc:
            log.exception("engine_server_watch_failed")
            self._die(f"{type(exc).__name__}: {exc}")

    async def _next_health(self, session: aiohttp.ClientSession) -> Health | None:
        """Ask for the state, and wait with the server for the next one. None: a request lost its connection meanwhile.

        Raises: EngineDead when the server refuses us; ValueError, aiohttp.ClientError, TimeoutError, OSError.
        """
        wait_s = min(STAGE_S, self._wait_s) if self._known is State.LOADING else self._wait_s
        params = {} if self._known is None else {"state": str(self._known), "wait_s": f"{wait_s:.3f}"}
        self._poll = asyncio.create_task(self.ask_health(session, params), name="remote-engine-health")
        try:
            await asyncio.wait([self._poll])
        finally:
            self._poll.cancel()
        return None if self._poll.cancelled() else self._poll.result()

    def _take(self, health: Health) -> None:
        """Believe what the server told."""
        self._known, self.info, self._is_lost = health.state, health.info, False
        if health.loading is not None:
            self._since_s = self._clock() - health.loading.elapsed_s
            self._last_time_s = health.loading.last_time_s
        self._stage = health.stage
        self._change(health.state, health.reason or "")

    def _change(self, state: State, reason: str) -> None:
        if state is not self._state and self.dead is None:
            log.info("engine_server_state", state=str(state), device=self.info.device)
        self._state, self._reason = state, reason
        self._tell()

    def _die(self, reason: str) -> None:
        self.dead = self.dead or EngineDead(reason)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
