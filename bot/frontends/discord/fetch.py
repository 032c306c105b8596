"""Fetches files from Discord's own hosts, and from nowhere else. Knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import aiohttp
import structlog
import yarl

log = structlog.get_logger(__name__)

DISCORD_ORIGINS: Final = frozenset({"https://cdn.discordapp.com", "https://media.discordapp.net"})

_TRIES: Final = 2
_CHUNK_BYTES: Final = 65536
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=10, sock_read=10)


class Unfetched(Exception):
    """The file is not to be had. `reason` is a key of the catalogue."""

    def __init__(self, reason: str) -> None:
        """Take the key."""
        self.reason = reason
        super().__init__(reason)


class Fetcher:
    """Fetches files over connections of its own, without the bot's token. `aclose` it."""

    def __init__(self, origins: AbstractSet[str] = DISCORD_ORIGINS, timeout: aiohttp.ClientTimeout = _TIMEOUT) -> None:
        """Take the only places, as `scheme://host[:port]`, that files are fetched from."""
        self._origins = origins
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, size_bytes: int) -> bytes:
        """Return the file's content, which must be just as long as Discord said; no more than that is ever read.

        A failed connection is tried once more; redirects are not followed. Raises: Unfetched.
        """
        if not self._may_fetch(url):
            log.warning("file_elsewhere")
            raise Unfetched("file.elsewhere")
        for tries_left in reversed(range(_TRIES)):
            try:
                content = await self._get(url, size_bytes)
            except (aiohttp.ClientError, OSError, RuntimeError) as exc:  # TimeoutError is an OSError
                log.info("file_not_fetched", kind=type(exc).__name__, tries_left=tries_left)
            else:
                if content is None or len(content) != size_bytes:
                    break
                return content
        raise Unfetched("file.unreachable")

    async def aclose(self) -> None:
        """Close the connections; what is being fetched fails. May be called twice."""
        if self._session is not None:
            await self._session.close()

    def _may_fetch(self, url: str) -> bool:
        try:
            return str(yarl.URL(url).origin()) in self._origins
        except ValueError:  # no absolute address
            return False

    async def _get(self, url: str, size_bytes: int) -> bytes | None:
        """Return what the address holds, at most one byte more than `size_bytes`; None: it does not hold it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                auto_decompress=False,  # a few bytes could become any number
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                log.info("file_not_fetched", status=response.status)
                return None
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                content += chunk
                if len(content) > size_bytes:  # whatever its Content-Length says
                    response.close()
                    break
        return bytes(content)
