"""An engine on loopback, for tests: in this process alone, or behind a server and a client of its own."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.core.engine import Chunk, Engine, EngineInfo, GenerationRequest
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.backend import Backend, ReportStage
from bot.engine.client import RemoteEngine
from bot.engine.echo import EchoBackend, Script
from bot.engine.executor import ThreadedEngine
from bot.engine.server import EngineServer

DEMO_MODEL = Path(__file__).parents[1] / "bot" / "demo_model"
KEY = "the key"
COMPLETIONS = "/v1/completions"
PROVISIONAL = EngineInfo("echo", "Echo-1", "GPU.0", 64, 2)
INFO = EngineInfo("echo", "Echo-1", "none", 64, 2)


@dataclass
class Places:
    """Starts engines and servers, and closes them in reverse."""

    tokenizer: Phi3Tokenizer
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    def engine(self, load: Callable[[ReportStage], Backend] | None = None, script: Script | None = None, **options):
        """Start an engine in this process: what `load` gives, else an echo with this script."""
        info = EngineInfo("echo", "Echo-1", "none", options.pop("window_tokens", 64), options.pop("slots", 2))
        engine = ThreadedEngine(load or (lambda _report: EchoBackend(info, script)), PROVISIONAL, **options)
        engine.start()
        self.closing.push_async_callback(engine.aclose)
        return engine

    async def server(self, engine: Engine, *, key: str | None = KEY, **options) -> tuple[EngineServer, str]:
        """Serve an engine; return the server and its address."""
        server = EngineServer(engine, self.tokenizer, model_name="Echo-1", key=key, **options)
        port = await server.start()
        self.closing.push_async_callback(server.aclose)
        return server, f"{'https' if options.get('tls') else 'http'}://127.0.0.1:{port}"

    def remote(self, url: str, *, key: str | None = KEY, **options) -> RemoteEngine:
        """Start a client of a server."""
        remote = RemoteEngine(url, key, PROVISIONAL, **options)
        remote.start()
        self.closing.push_async_callback(remote.aclose)
        return remote


@asynccontextmanager
async def places() -> AsyncIterator[Places]:
    """Give a place to start things in; at the end all of them are closed."""
    opened = Places(Phi3Tokenizer.load(DEMO_MODEL))
    async with opened.closing:
        yield opened


def ask(*prompt_ids: int, max_new_tokens: int = 50, stop_ids: frozenset[int] = frozenset()) -> GenerationRequest:
    """Return a request that says nothing but ids."""
    return GenerationRequest(prompt_ids or (8,), max_new_tokens, stop_ids)


async def read(engine: Engine, request: GenerationRequest) -> list[Chunk]:
    """Return the whole answer."""
    return [chunk async for chunk in engine.generate(request)]


def ids_of(chunks: list[Chunk]) -> tuple[int, ...]:
    """Return an answer's ids."""
    return tuple(token for chunk in chunks for token in chunk.ids)


async def post(url: str, body: object, *, key: str | None = KEY, **options):
    """Return the status, what was answered, and the headers."""
    headers = {"Content-Type": "application/json", **options.pop("headers", {})}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(data), headers=headers, **options) as response,
    ):
        return response.status, await response.json(), response.headers
