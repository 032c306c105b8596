"""Who may use a server: the bearer key, and without one the loopback alone.

Knows nothing of what is asked for.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from bot.engine.http.errors import ApiError
from bot.ops.loopback import is_loopback


class Access:
    """Checks each request of one server."""

    def __init__(self, key: str | None, host: str) -> None:
        """Take the key, if there is one, and the address that is listened on.

        Raises: ValueError for an address that others can reach without a key, and for an empty key.
        """
        if key is not None and not key.strip():
            raise ValueError("the key is empty")
        if key is None and not is_loopback(host):
            raise ValueError(f"without a key only this machine may be served, not {host}")
        self._key = None if key is None else key.encode()
        self._host = host

    def check(self, request: web.Request) -> None:
        """Let the request pass, or raise. Raises: ApiError: 401 for a wrong key.

        Without a key the Host header must name the loopback: else a web page could have its own name resolved to it
        and ask in its visitor's browser (DNS rebinding).
        """
        if self._key is None:
            name = request.url.host
            if name is None or not is_loopback(name):
                raise ApiError(403, "Without a key this server answers to the names of this machine alone.")
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), self._key)
        if not (is_right and scheme.lower() == "bearer"):
            message = "The key is wrong or missing: send it as Authorization: Bearer KEY."
            raise ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
