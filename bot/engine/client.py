"""An Engine behind HTTP: `RemoteEngine` asks an `EngineServer`, in this machine's other process or on another machine.

Owns the connections and the translation of what goes wrong there; whether the server is there at all is
`bot.engine.http.presence`'s to know.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import aiohttp

from bot.core.engine import Chunk, EngineInfo, GenerationRequest, Loading
from bot.core.messages import Finish
from bot.engine.http import sse
from bot.engine.http.errors import to_engine_error
from bot.engine.http.health import Steps
from bot.engine.http.presence import CONNECTION_ERRORS, Presence
from bot.errors import EngineDead, EngineError, EngineFailed


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
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s, sock_read=read_timeout_s)
        self._tls = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        self._session: aiohttp.ClientSession | None = None
        self._open: set[aiohttp.ClientResponse] = set()  # being read
        self._presence = Presence(
            self._url,
            provisional,
            read_timeout_s=read_timeout_s,
            patience_s=patience_s,
            tokenizer_sha256=tokenizer_sha256,
            clock=clock,
        )

    @property
    def load_s(self) -> None:
        """How long loading took: the server's business."""
        return None

    @property
    def info(self) -> EngineInfo:
        """What is answering; until the server told, what is known so far."""
        return self._presence.info

    @property
    def loading(self) -> Loading | None:
        """How far loading (or reaching the server) is, or None once ready or failed."""
        return self._presence.loading

    def start(self) -> None:
        """Begin to look for the server; returns at once."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)  # the server's slots are the limit
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout, headers=self._headers)
        self._presence.start(self._session)

    async def ready(self) -> None:
        """Wait until requests are taken. Safe to cancel.

        Raises: EngineDead when the server's engine failed, the server cannot be reached, or this was closed.
        """
        self._open_session()
        await self._presence.ready()

    async def died(self) -> NoReturn:
        """Wait until this takes no more requests for good (closed, or refused by the server), and raise why.

        A lost server is not the end: it may come back. Safe to cancel.
        """
        await self._presence.died()

    async def steps(self) -> Steps | None:
        """Ask how long the engine's steps take; None if the server does not tell. Raises: EngineDead."""
        session = self._open_session()
        try:
            return (await self._presence.ask_health(session, {})).steps
        except (*CONNECTION_ERRORS, ValueError) as exc:
            raise EngineDead(f"no answer from {self._url}: {exc!r}") from exc

    async def metrics(self) -> str:
        """Return what the server counts and times, in Prometheus' text form. Raises: EngineDead."""
        session = self._open_session()
        try:
            async with session.get(f"{self._url}/metrics", allow_redirects=False, raise_for_status=True) as response:
                return await response.text()
        except CONNECTION_ERRORS as exc:
            raise EngineDead(f"no metrics from {self._url}: {exc!r}") from exc

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
            self._presence.lose(reason := f"{self._url} ended amid an answer")
            raise EngineDead(reason)
        yield last

    @asynccontextmanager
    async def _asked(self, request: GenerationRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask and give the response. Leaving closes its connection, unless it was read to its end."""
        session, url = self._open_session(), f"{self._url}/v1/completions"
        try:
            async with session.post(url, json=_question(request), allow_redirects=False) as response:
                if response.status != 200:
                    raise self._error(response.status, await response.read(), request)
                self._open.add(response)
                try:
                    yield response
                finally:
                    self._open.discard(response)
        except CONNECTION_ERRORS as exc:
            self._presence.lose(reason := f"the connection to {self._url} was lost: {exc!r}")
            raise EngineDead(reason) from exc

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
        except CONNECTION_ERRORS:
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
            status, content, prompt_tokens=len(request.prompt_ids), context_tokens=self._presence.info.context_tokens
        )
        if isinstance(error, EngineDead):
            self._presence.lose(str(error))
        return error

    async def aclose(self) -> None:
        """Close all connections, which ends their work. Generators still open raise EngineDead. May be called twice."""
        await self._presence.aclose()
        for response in self._open:  # aiohttp closes their connections, but leaves their readers waiting
            response.content.set_exception(EngineDead("closed"))
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session. Raises: EngineDead before `start` and after `aclose`."""
        if self._session is None:
            raise EngineDead("not started")
        self._presence.check()
        return self._session


def _question(request: GenerationRequest) -> dict[str, Any]:
    """Return the request in OpenAI's form, with vLLM's fields for what that lacks: nothing but ids crosses."""
    question: dict[str, Any] = {
        "prompt": request.prompt_ids,
        "max_tokens": request.max_new_tokens,
        "stop_token_ids": sorted(request.stop_ids),
        "ignore_eos": True,  # `stop_token_ids` are all there are
        "return_token_ids": True,
        "stream": True,
        "stream_interval_s": request.stream_interval_s,
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
