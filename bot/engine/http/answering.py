"""Answers checked requests: as one JSON, or as a stream of server-sent events.

Owns the bound on what may wait, the signs of life in a stream, and what is counted. A connection that closes cancels
its handler (aiohttp's `handler_cancellation`), and so its generation, whether or not tokens flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Final

from aiohttp import web

from bot.core.engine import Engine
from bot.core.messages import Finish
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.http import sse
from bot.engine.http.answers import Form, Piece, generate_pieces
from bot.engine.http.errors import busy, of_engine
from bot.engine.metrics import EngineMetrics
from bot.errors import BotError, EngineFailed

_STREAM_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # asks a proxy to pass each event on at once
}


class Answering:
    """Answers for one engine."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Phi3Tokenizer,
        metrics: EngineMetrics,
        *,
        max_waiting: int,
        heartbeat_s: float,
        write_timeout_s: float,
    ) -> None:
        """Take the parts and the bounds, as `EngineServer` explains them."""
        self._engine = engine
        self._tokenizer = tokenizer
        self._metrics = metrics
        self._max_waiting = max_waiting
        self._heartbeat_s = heartbeat_s
        self._write_timeout_s = write_timeout_s
        self._taken = 0

    @property
    def running(self) -> int:
        """How many requests are in a slot."""
        return min(self._taken, self._engine.info.slots)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return max(0, self._taken - self._engine.info.slots)

    async def answer(self, request: web.Request, form: Form) -> web.StreamResponse:
        """Generate and answer. Raises: ApiError when too many wait already; BotError before anything was streamed."""
        with self._place():
            async with aclosing(self._pieces(form)) as pieces:
                if form.asked.stream:
                    return await self._stream(request, form, pieces)
                return await self._whole(form, pieces)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold a place, in a slot or in the line for one. Raises: ApiError when the line is too long."""
        if self._taken >= self._engine.info.slots + self._max_waiting:
            raise busy(self.waiting)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def _pieces(self, form: Form) -> AsyncGenerator[Piece, None]:
        """Yield the answer's pieces, counted and timed."""
        stopwatch, outcome = self._metrics.stopwatch(), "cancelled"
        self._metrics.prompt_tokens.inc(len(form.wanted.prompt_ids))
        generated = generate_pieces(self._engine, self._tokenizer, form.wanted, form.asked.stop)
        try:
            async with aclosing(generated) as pieces:
                async for piece in pieces:
                    stopwatch.take(len(piece.ids))
                    if piece.finish is not None:
                        outcome = str(piece.finish)
                    yield piece
        except BotError:
            outcome = "failed"
            raise
        finally:
            self._metrics.requests.labels(outcome).inc()

    async def _whole(self, form: Form, pieces: AsyncIterator[Piece]) -> web.Response:
        text, ids, finish = "", list[int](), None
        async for piece in pieces:
            text += piece.text
            ids += piece.ids
            finish = piece.finish
        if finish is None:
            raise EngineFailed("the engine ended without a reason")
        return web.json_response(form.whole(text, ids, Finish(finish)))

    async def _stream(self, request: web.Request, form: Form, pieces: AsyncIterator[Piece]) -> web.StreamResponse:
        """Stream the answer. What goes wrong from here on is told as an event, for the status is sent already."""
        response = web.StreamResponse(headers=_STREAM_HEADERS)
        await response.prepare(request)
        try:
            async with self._heartbeat(response):
                async for piece in pieces:
                    event = form.part(piece)
                    if event is not None:
                        await self._write(request, response, sse.event(event))
            if form.wants_usage:
                await self._write(request, response, sse.event(form.last()))
        except BotError as exc:
            await self._write(request, response, sse.event(of_engine(exc).body()))
        await self._write(request, response, sse.DONE)
        return response

    async def _write(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        """Write, or give up a client that takes nothing. Raises: ConnectionError."""
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await response.write(data)
        except TimeoutError as exc:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionAbortedError("the client takes nothing") from exc

    @asynccontextmanager
    async def _heartbeat(self, response: web.StreamResponse) -> AsyncIterator[None]:
        """Send a sign of life every while: a long prefill has no tokens, and a reader must know that from a hang."""

        async def beat() -> None:
            try:
                while True:
                    await asyncio.sleep(self._heartbeat_s)
                    await response.write(sse.HEARTBEAT)
            except ConnectionError:
                pass  # the handler is cancelled for it

        task = asyncio.create_task(beat(), name="heartbeat")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
