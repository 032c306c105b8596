"""An Engine behind HTTP: `RemoteEngine` asks an `EngineServer`, in this machine's other process or on another machine.

Owns the connections, the knowledge of the server's state, and the translation of what goes wrong there. A watcher keeps
one /health request waiting at the server, which answers as soon as something changes; so a server that goes away is
noticed at once, and one that comes back is used again.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp
import structlog

from bot.core.engine import Chunk, EngineInfo, GenerationRequest, Loading
from bot.core.messages import Finish
from bot.engine.http import sse
from bot.engine.http.errors import to_engine_error
from bot.engine.http.health import Health, State, Steps
from bot.errors import EngineDead, EngineError, EngineFailed

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.1  # between two attempts to reach a server; doubles
LONGEST_PAUSE_S: Final = 5.0
STAGE_S: Final = 1.0  # while it loads: how old a stage may be that people are shown
WATCH_S: Final = 20.0  # while it is ready: how long one /health waits; less than a proxy's usual 60 s

_CONNECTION_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError)


class RemoteEngine:
    """The engine of a server, as an Engine. `start` it inside a running loop; `aclose` it there too."""

    def __init__(
        self,
        url: str,
        key: str | None,
        provisional: EngineInfo,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 60.0,
        patience_s: float = 60.0,
        ca_file: Path | None = None,
        tokenizer_sha256: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the server's address, its bearer key, and what is to be believed of it until it tells.

        A server that sends nothing for `read_timeout_s`, not even its signs of life, is lost; one that cannot be
        reached for `patience_s` is told of as dead, but is looked for further. With `ca_file` (PEM) only certificates
        of those authorities are trusted. `tokenizer_sha256`: refuse a server with another tokenizer, for ids would
        mean other words there. Raises: OSError, ssl.SSLError for a `ca_file` that cannot be used.
        """
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._info = provisional
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s, sock_read=read_timeout_s)
        self._patience_s = patience_s
        self._tls = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        self._tokenizer_sha256 = tokenizer_sha256
        self._clock = clock
        self._since_s = clock()  # it loads, or cannot be reached, since then
        self._state = State.LOADING
        self._stage = "loading.connecting"
        self._last_time_s: float | None = None
        self._reason = "it was never reached"
        self._changed = asyncio.Event()
        self._known: State | None = None  # by the server; None: not known, so that it shall tell at once
        self._poll: asyncio.Task[Health] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._dead: EngineDead | None = None  # for good

    @property
    def info(self) -> EngineInfo:
        """What is answering; until the server told, what is known so far."""
        return self._info

    @property
    def loading(self) -> Loading | None:
        """How far loading (or reaching the server) is, or None once ready or failed."""
        if self._state is not State.LOADING or self._dead is not None:
            return None
        return Loading(self._stage, self._clock() - self._since_s, self._last_time_s)

    def start(self) -> None:
        """Begin to look for the server; returns at once."""
        self._since_s = self._clock()
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)  # the server's slots are the limit
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout, headers=self._headers)
        self._watcher = asyncio.create_task(self._watch(self._session), name="remote-engine")

    async def ready(self) -> None:
        """Wait until requests are taken. Safe to cancel.

        Raises: EngineDead when the server's engine failed, the server cannot be reached, or this was closed.
        """
        self._open_session()
        while self._state is State.LOADING and self._dead is None:
            await self._changed.wait()
        self._open_session()
        if self._state is State.FAILED:
            raise EngineDead(self._reason)

    async def died(self) -> NoReturn:
        """Wait until this takes no more requests for good (closed, or refused by the server), and raise why.

        A lost server is not the end: it may come back. Safe to cancel.
        """
        if self._watcher is not None:
            await asyncio.wait([self._watcher])
        raise self._dead or EngineDead("not started")

    async def steps(self) -> Steps | None:
        """Ask how long the engine's steps take; None if the server does not tell. Raises: EngineDead."""
        session = self._open_session()
        try:
            return (await self._ask_health(session, {})).steps
        except (*_CONNECTION_ERRORS, ValueError) as exc:
            raise EngineDead(f"no answer from {self._url}: {exc!r}") from exc

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer as it grows. Closing the generator closes the connection, which cancels the work.

        Raises: PromptTooLong, EngineBusy, EngineFailed; EngineDead when the connection is lost or the server's engine
        is dead: what was yielded until then holds, and `ready` waits for the server to come back.
        """
        await self.ready()
        last = None
        async with self._asked(request) as response, aclosing(self._chunks(response, request)) as chunks:
            async for chunk in chunks:
                if chunk.finish is None:
                    yield chunk
                else:
                    last = chunk  # told once the connection is free for the next request
        if last is None:
            self._lose("an answer had no end")
            raise EngineDead(self._reason)
        yield last

    @asynccontextmanager
    async def _asked(self, request: GenerationRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, give the response, and close it: one that was not read to its end must not go back into the pool."""
        session, url = self._open_session(), f"{self._url}/v1/completions"
        try:
            async with session.post(url, json=_question(request), allow_redirects=False) as response:
                if response.status != 200:
                    raise self._error(response.status, await response.read(), request)
                try:
                    yield response
                finally:
                    response.close()
        except _CONNECTION_ERRORS as exc:
            self._lose(f"the connection to {self._url} was lost: {exc!r}")
            raise EngineDead(self._reason) from exc

    async def _chunks(
        self, response: aiohttp.ClientResponse, request: GenerationRequest
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of a streamed answer; nothing that happens after the last one counts."""
        has_ended = False
        try:
            async with aclosing(sse.read_events(response.content.iter_any())) as events:
                async for event in events:
                    if has_ended or event == "[DONE]":
                        continue
                    content = json.loads(event)
                    if "error" in content:
                        raise self._error(response.status, event.encode(), request)
                    chunk = _chunk(content)
                    has_ended = chunk.finish is not None
                    yield chunk
        except _CONNECTION_ERRORS:
            if not has_ended:
                raise
        except (ValueError, LookupError, TypeError) as exc:
            raise EngineFailed(f"an answer of {self._url} was not understood: {exc!r}") from exc

    def _error(self, status: int, body: bytes, request: GenerationRequest) -> EngineError:
        """Return what an error of the server's means for this request."""
        try:
            content = json.loads(body)
        except ValueError:
            content = None  # of a proxy
        error = to_engine_error(
            status, content, prompt_tokens=len(request.prompt_ids), context_tokens=self._info.context_tokens
        )
        if isinstance(error, EngineDead):
            self._lose(str(error))
        return error

    async def aclose(self) -> None:
        """Close all connections, which ends their work. Generators still open raise EngineDead. May be called twice."""
        self._die("closed")
        tasks = [task for task in (self._watcher, self._poll) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._session is not None:
            await self._session.close()

    # The server's state -----------------------------------------------------------------------------------------------

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session. Raises: EngineDead before `start` and after `aclose`."""
        if self._session is None:
            raise EngineDead("not started")
        if self._dead is not None:
            raise EngineDead(str(self._dead)) from self._dead
        return self._session

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        """Follow the server's state until it refuses us or this is closed. A task boundary."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                try:
                    health = await self._next_health(session)
                except (*_CONNECTION_ERRORS, ValueError) as exc:
                    self._lose(f"{self._url} cannot be reached: {exc!r}")
                    if self._clock() - self._since_s > self._patience_s:
                        self._change(State.FAILED, self._reason)
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
        longest_s = STAGE_S if self._known is State.LOADING else WATCH_S
        if self._timeout.sock_read is not None:
            longest_s = min(longest_s, self._timeout.sock_read / 2)
        params = {} if self._known is None else {"state": str(self._known), "wait_s": f"{longest_s:.3f}"}
        self._poll = asyncio.create_task(self._ask_health(session, params), name="remote-engine-health")
        try:
            await asyncio.wait([self._poll])
        finally:
            self._poll.cancel()
        return None if self._poll.cancelled() else self._poll.result()

    async def _ask_health(self, session: aiohttp.ClientSession, params: Mapping[str, str]) -> Health:
        async with session.get(f"{self._url}/health", params=params, allow_redirects=False) as response:
            body = await response.read()
            if response.status in (401, 403):
                raise EngineDead(f"{self._url} refuses the key (PHIBOT_ENGINE_KEY)")
            health = Health.read(body)
        if self._tokenizer_sha256 is not None and health.tokenizer_sha256 not in (None, self._tokenizer_sha256):
            raise EngineDead(f"{self._url} serves a model with another tokenizer")
        return health

    def _take(self, health: Health) -> None:
        """Believe what the server told."""
        self._known, self._info = health.state, health.info
        if health.loading is not None:
            self._since_s = self._clock() - health.loading.elapsed_s
            self._last_time_s = health.loading.last_time_s
        self._stage = health.stage
        self._change(health.state, health.reason or "")

    def _lose(self, reason: str) -> None:
        """Doubt that the server is there, until it answers again."""
        self._known, self._reason = None, reason
        if self._state is State.READY:
            self._since_s = self._clock()
            log.warning("engine_server_lost", reason=reason)
            self._stage = "loading.connecting"
            self._change(State.LOADING, reason)
        if self._poll is not None:
            self._poll.cancel()

    def _change(self, state: State, reason: str) -> None:
        if state is not self._state and self._dead is None:
            log.info("engine_server_state", state=str(state), device=self._info.device)
        self._state, self._reason = state, reason
        self._tell()

    def _die(self, reason: str) -> None:
        self._dead = self._dead or EngineDead(reason)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _question(request: GenerationRequest) -> dict[str, Any]:
    """Return the request in OpenAI's form, with vLLM's fields for what that lacks: nothing but ids crosses."""
    question: dict[str, Any] = {
        "prompt": request.prompt_ids,
        "max_tokens": request.max_new_tokens,
        "stop_token_ids": sorted(request.stop_ids),
        "ignore_eos": True,  # `stop_token_ids` are all there are
        "return_token_ids": True,
        "stream": True,
        "temperature": 0,
    }
    sampling = request.sampling
    if sampling.do_sample:
        question |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
    return question


def _chunk(content: Mapping[str, Any]) -> Chunk:
    """Read one event. Raises: LookupError, TypeError, ValueError for another form."""
    choice = content["choices"][0]
    ids, reason = tuple(choice["token_ids"]), choice["finish_reason"]
    if not all(type(token) is int for token in ids):
        raise TypeError("token_ids are no numbers")
    return Chunk(ids, None if reason is None else Finish(reason))
