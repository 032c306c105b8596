"""An Engine over HTTP in the OpenAI protocol: `EngineServer`.

    GET  /v1/models                what is served
    POST /v1/completions           continue a text or token ids
    POST /v1/chat/completions      answer a conversation
    GET  /health                   200 once ready, else 503; `?state=S&wait_s=T` waits until the state is no longer S
    GET  /metrics                  for Prometheus

Owns the connections, the key and the bound on what may wait. Knows nothing of the model; the forms of requests and
answers are `bot.engine.http`'s. A closed connection cancels its generation at the next token.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
from dataclasses import asdict
from typing import Final, NoReturn, Protocol, runtime_checkable

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

import bot
from bot.core.engine import Engine
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.http.access import Access
from bot.engine.http.answering import Answering
from bot.engine.http.answers import Form
from bot.engine.http.errors import DEAD, LOADING, RETRY_AFTER_S, SERVER, ApiError, of_engine
from bot.engine.http.health import Health, State, Steps
from bot.engine.http.prompts import Prompts
from bot.engine.http.schema import ChatCompletion, Completion, parse
from bot.engine.metrics import EngineMetrics
from bot.errors import BotError

log = structlog.get_logger(__name__)

MOST_BODY_BYTES: Final = 4 << 20  # token ids of a 128k window take under 1 MB
BODY_TIMEOUT_S: Final = 30.0
LONGEST_WAIT_S: Final = 60.0  # of one /health
MAX_WAITING: Final = 64

_CLOSE_S: Final = 0.2  # for answers on their way out; who wants more drains before closing
_CLIENT_CLOSED: Final = 499  # nginx's word for it; nobody is there to read it


@runtime_checkable
class _Mortal(Protocol):
    """An engine that tells of its death."""

    async def died(self) -> NoReturn: ...


@runtime_checkable
class _Stepping(Protocol):
    """An engine that tells how long its steps take."""

    @property
    def steps(self) -> Steps: ...


class EngineServer:
    """Serves one engine. `start` and `aclose` it inside a running loop; the engine stays its owner's."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Phi3Tokenizer,
        *,
        model_name: str,
        key: str | None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        metrics: EngineMetrics | None = None,
        vocabulary_size: int | None = None,
        max_waiting: int = MAX_WAITING,
        heartbeat_s: float = 5.0,
        write_timeout_s: float = 60.0,
    ) -> None:
        """Take the engine and where to serve it; port 0: any free one.

        `key` is the bearer key of all requests. `vocabulary_size`: token ids are below it; the tokenizer's by default,
        the model's may be larger. At most `max_waiting` requests wait for a slot. A stream without a token gets a sign
        of life every `heartbeat_s`; a client that takes nothing for `write_timeout_s` is given up.
        Raises: ValueError for an address that others can reach without a key.
        """
        self._engine = engine
        self._model_name = model_name
        self._tokenizer_sha256 = tokenizer.sha256
        self._access = Access(key, host)
        self._created = int(time.time())
        self._host, self._port, self._tls = host, port, tls
        self._prompts = Prompts(tokenizer, vocabulary_size or tokenizer.vocabulary_size)
        self._state, self._reason = State.LOADING, ""
        self._changed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self.metrics = metrics or EngineMetrics()
        self._answering = Answering(
            engine,
            tokenizer,
            self.metrics,
            max_waiting=max_waiting,
            heartbeat_s=heartbeat_s,
            write_timeout_s=write_timeout_s,
        )
        self.metrics.watch(lambda: self._answering.running, lambda: self._answering.waiting)
        if isinstance(engine, _Stepping):
            self.metrics.watch_steps(lambda: engine.steps.count)

    async def start(self) -> int:
        """Listen, whether or not the engine is ready yet; return the port. Raises: OSError when it is taken."""
        application = web.Application(middlewares=[self._guard], client_max_size=MOST_BODY_BYTES)
        application.add_routes(
            [
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name:.+}", self._model),
                web.post("/v1/completions", self._completions),
                web.post("/v1/chat/completions", self._chat_completions),
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls).start()
        self._watcher = asyncio.create_task(self._watch(), name="engine-server")
        self.metrics.loop_lag.start()
        port: int = self._runner.addresses[0][1]
        log.info("engine_server_listening", host=self._host, port=port, tls=self._tls is not None)
        return port

    async def aclose(self) -> None:
        """Stop listening and end all connections, their generations with them. May be called twice."""
        self.metrics.loop_lag.stop()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        self._change_state(State.FAILED, "closed")
        if self._runner is not None:
            await self._runner.cleanup()

    async def _watch(self) -> None:
        """Follow the engine's state, for those who wait for it to change."""
        try:
            await self._engine.ready()
            self._change_state(State.READY)
            if isinstance(self._engine, _Mortal):
                await self._engine.died()
        except BotError as exc:
            self._change_state(State.FAILED, str(exc))

    def _change_state(self, state: State, reason: str = "") -> None:
        self._state, self._reason = state, reason
        self._changed.set()
        self._changed = asyncio.Event()

    # What every request passes ----------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who has the key, and answer every failure in OpenAI's form. A task boundary."""
        try:
            self._access.check(request)
            return await handler(request)
        except ApiError as exc:
            return self._refuse(exc)
        except web.HTTPException as exc:
            headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
            return self._refuse(ApiError(exc.status, f"{exc.reason}: {request.method} {request.path}", headers=headers))
        except BotError as exc:
            return _error_response(of_engine(exc))
        except ConnectionError as exc:  # the client is gone; raised on, aiohttp would log it as a fault of ours
            log.debug("engine_server_client_gone", path=request.path, reason=str(exc))
            return web.Response(status=_CLIENT_CLOSED)
        except Exception:
            log.exception("engine_server_failed", path=request.path)
            return _error_response(ApiError(500, "The server failed on this request.", kind=SERVER))

    def _refuse(self, error: ApiError) -> web.Response:
        self.metrics.requests.labels("refused").inc()
        return _error_response(error)

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            raise ApiError(415, "The body must be JSON, with Content-Type: application/json.")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await request.read()
        except TimeoutError as exc:
            raise ApiError(408, f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s.") from exc
        except web.RequestPayloadError as exc:
            raise ApiError(400, "The body cannot be read: it is not what its Content-Encoding says.") from exc

    # Answers ----------------------------------------------------------------------------------------------------------

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        asked = parse(await self._body(request), Completion)
        self._check_served(asked.model)
        wanted = await self._prompts.of_completion(asked, self._engine.info.context_tokens)
        return await self._answering.answer(request, Form(asked, wanted, self._model_name))

    async def _chat_completions(self, request: web.Request) -> web.StreamResponse:
        asked = parse(await self._body(request), ChatCompletion)
        self._check_served(asked.model)
        wanted = await self._prompts.of_chat(asked, self._engine.info.context_tokens)
        return await self._answering.answer(request, Form(asked, wanted, self._model_name))

    def _check_served(self, model: str | None) -> None:
        if model is not None and model != self._model_name:
            raise _no_such_model(model, self._model_name)
        if self._state is not State.READY:
            code, why = (
                (LOADING, "is still loading") if self._state is State.LOADING else (DEAD, f"failed: {self._reason}")
            )
            retry = {"Retry-After": str(RETRY_AFTER_S)}
            raise ApiError(503, f"The engine {why}.", kind=SERVER, code=code, headers=retry)

    # What is served ---------------------------------------------------------------------------------------------------

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._description()]})

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name != self._model_name:
            raise _no_such_model(name, self._model_name)
        return web.json_response(self._description())

    def _description(self) -> dict[str, object]:
        return {
            "id": self._model_name,
            "object": "model",
            "created": self._created,
            "owned_by": "phibot",
            "max_model_len": self._engine.info.context_tokens,  # as vLLM calls it
        }

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.text(), headers={"Content-Type": self.metrics.content_type})

    async def _health(self, request: web.Request) -> web.Response:
        """Tell how the engine is, at once or as soon as its state is no longer the one the client knows."""
        if request.query.get("state") == self._state:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_wait_s(request.query.get("wait_s", "0"))):
                    await self._changed.wait()
        health = self._state_now()
        return web.json_response(health.model_dump(mode="json"), status=200 if health.state is State.READY else 503)

    def _state_now(self) -> Health:
        engine = self._engine
        return Health(
            state=self._state,
            reason=self._reason or None,
            **asdict(engine.info),
            loading=engine.loading,
            running=self._answering.running,
            waiting=self._answering.waiting,
            steps=engine.steps if isinstance(engine, _Stepping) else None,
            tokenizer_sha256=self._tokenizer_sha256,
            version=bot.__version__,
        )


def _wait_s(given: str) -> float:
    """Return the seconds that a client wants to wait, at most `LONGEST_WAIT_S`. Raises: ApiError."""
    try:
        wait_s = float(given)
    except ValueError:
        wait_s = math.nan
    if not wait_s >= 0:
        raise ApiError(400, "wait_s must be a number of seconds.", param="wait_s", code="invalid_value")
    return min(wait_s, LONGEST_WAIT_S)


def _no_such_model(name: str, right: str) -> ApiError:
    message = f"There is no model {name[:100]!r} here; it is {right!r}."
    return ApiError(404, message, param="model", code="model_not_found")


def _error_response(error: ApiError) -> web.Response:
    return web.json_response(error.body(), status=error.status, headers=error.headers)
