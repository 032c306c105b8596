"""`/metrics` on the loopback, for a Prometheus or an admin on this machine. Knows nothing of what is measured."""

from __future__ import annotations

from typing import Final, Protocol

import structlog
from aiohttp import web

from bot.ops.loopback import LOOPBACK, is_loopback

log = structlog.get_logger(__name__)

_CLOSE_S: Final = 1.0


class Exposition(Protocol):
    """Metrics in the form that their readers want."""

    @property
    def content_type(self) -> str:
        """The Content-Type of `text`."""

    def text(self) -> bytes:
        """Return all of them as they are now."""


class MetricsServer:
    """Serves them. `start` and `aclose` it inside a running loop."""

    def __init__(self, metrics: Exposition, port: int) -> None:
        """Take what to serve, and the port; 0: any free one."""
        self._metrics = metrics
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen on 127.0.0.1; return the port. Raises: OSError when it is taken."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        port: int = self._runner.addresses[0][1]
        log.info("metrics_listening", port=port)
        return port

    async def aclose(self) -> None:
        """Stop listening and end all connections. May be called twice, or without `start`."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        """Answer to the machine's own names alone: else a web page could have its own name resolved to them."""
        if request.url.host is None or not is_loopback(request.url.host):
            raise web.HTTPForbidden(text="Only the names of this machine are answered to.\n")
        return web.Response(body=self._metrics.text(), headers={"Content-Type": self._metrics.content_type})
