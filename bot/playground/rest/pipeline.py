"""The way of every REST call: log, fault, authentication, rate limit, body, handler, answer.

Owns the order of these and the translation of ApiError into HTTP. Knows no route's meaning.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from bot.playground import errors
from bot.playground.errors import ApiError
from bot.playground.faults import Faults, RestFault
from bot.playground.model import Application
from bot.playground.ratelimits import RateLimits, Verdict
from bot.playground.renderer import Renderer
from bot.playground.rest.call import Answer, Call, Route
from bot.playground.state import State

log = structlog.get_logger(__name__)

PREFIX = "/api/v10"


@dataclass(slots=True)
class RestCall:
    """One call as it was logged. `status` is 0 until it is answered, and stays 0 if the connection was cut."""

    t: float
    method: str
    path: str
    status: int = 0
    body: Any = None


class CallLog(list[RestCall]):
    """Every REST call, oldest first."""

    def of(self, method: str, path: str = "") -> list[RestCall]:
        """Return the calls of a method to paths in which the regex `path` is found."""
        return [call for call in self if call.method == method and re.search(path, call.path)]

    def statuses(self) -> Iterator[int]:
        """Yield every call's status."""
        return (call.status for call in self)


class Pipeline:
    """Turns routes into aiohttp handlers."""

    def __init__(
        self,
        state: State,
        renderer: Renderer,
        limits: RateLimits,
        faults: Faults,
        *,
        gateway_url: Callable[[], str],
    ) -> None:
        self.state = state
        self.renderer = renderer
        self.limits = limits
        self.faults = faults
        self.gateway_url = gateway_url
        self.log = CallLog()
        self.unknown_routes: list[str] = []

    def handler(self, route: Route) -> Callable[[web.Request], Any]:
        """Return the aiohttp handler of a route."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._lead(request, route)

        return handle

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """Answer a route that does not exist and remember that it was asked for."""
        self.unknown_routes.append(f"{request.method} {request.path}")
        log.warning("rest.unknown_route", method=request.method, path=request.path)
        entry = self._enter(request)
        return self._finish(entry, _error(errors.not_found()))

    def _enter(self, request: web.Request) -> RestCall:
        entry = RestCall(self.state.clock(), request.method, request.path.removeprefix(PREFIX))
        self.log.append(entry)
        return entry

    def _finish(self, entry: RestCall, response: web.Response) -> web.Response:
        entry.status = response.status
        self.state.changed()
        return response

    async def _lead(self, request: web.Request, route: Route) -> web.StreamResponse:
        entry = self._enter(request)
        fault = self.faults.take_rest(entry.method, entry.path)
        if fault is not None:
            self.state.changed()
            if not fault.after_effect:
                await _wait(fault)
                if _breaks(fault):
                    return self._break(request, entry, fault)
        response = await self._serve(request, route, entry)
        if fault is not None and fault.after_effect:
            await _wait(fault)
            if _breaks(fault):
                return self._break(request, entry, fault)
        return self._finish(entry, response)

    async def _serve(self, request: web.Request, route: Route, entry: RestCall) -> web.Response:
        call = Call(request, self.state, self.renderer, self.gateway_url())
        verdict = Verdict({})
        try:
            if not route.by_token:
                call.application = self._authenticate(request)
            verdict = self._count(call, route)
            if verdict.retry_after_s is not None:
                return _json(429, verdict.body(), verdict.headers)
            await call.decode()
            entry.body = call.body
            return _answer(await route.handler(call), verdict)
        except ApiError as error:
            return _error(error, verdict)

    def _authenticate(self, request: web.Request) -> Application:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        application = self.state.applications.get(token) if scheme == "Bot" else None
        if application is None:
            raise errors.unauthorized()
        return application

    def _count(self, call: Call, route: Route) -> Verdict:
        major = call.request.match_info[route.major] if route.major else ""
        token = call.application.token if call.application is not None else ""
        return self.limits.take(route.limit, major, token, counts_globally=not route.by_token)

    def _break(self, request: web.Request, entry: RestCall, fault: RestFault) -> web.Response:
        if fault.close_connection:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # goes nowhere: the connection is gone
        status = fault.status or 500
        if status == 429:
            verdict = Verdict({"Via": "1.1 playground", "X-RateLimit-Scope": "user"}, fault.retry_after_s)
            return self._finish(entry, _json(429, verdict.body(), verdict.headers))
        return self._finish(entry, _error(ApiError(status, fault.code, f"{status}: ordered fault")))


async def _wait(fault: RestFault) -> None:
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.hold is not None:
        await fault.hold.wait()


def _breaks(fault: RestFault) -> bool:
    return fault.close_connection or fault.status is not None


def _answer(result: Answer, verdict: Verdict) -> web.Response:
    if result is None:
        return web.Response(status=204, headers=verdict.headers)
    status, body = result if isinstance(result, tuple) else (200, result)
    return _json(status, body, verdict.headers)


def _error(error: ApiError, verdict: Verdict | None = None) -> web.Response:
    return _json(error.status, error.body(), {} if verdict is None else verdict.headers)


def _json(status: int, body: object, headers: dict[str, str]) -> web.Response:
    # Exactly this content type: discord.py takes a body with a charset for text.
    raw = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(status=status, body=raw, headers=headers | {"Content-Type": "application/json"})
