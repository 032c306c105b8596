"""Files from a host that does not behave: over real sockets, against a server that writes what a test wants."""

import asyncio
import gzip
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.frontends.discord.fetch import DISCORD_ORIGINS, Fetcher, Unfetched


class Host:
    """Answers each connection with the next of `answers`, the last one for ever; None: not at all."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.sent_bytes = 0
        self.origin = ""
        self.tasks = []

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await reader.read()
            for piece in answer or ():
                writer.write(piece)
                await writer.drain()
                self.sent_bytes += len(piece)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has left
        finally:
            writer.close()


@asynccontextmanager
async def host_with(*answers, **timeouts):
    """Run such a host; give it and a fetcher that may fetch from it."""
    host = Host(*answers)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    fetcher = Fetcher({host.origin}, aiohttp.ClientTimeout(**({"total": 20} | timeouts)))
    try:
        yield host, fetcher
    finally:
        await fetcher.aclose()
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(10):
            await asyncio.gather(*host.tasks)


def answering(body, *headers, status="200 OK"):
    return [b"\r\n".join([f"HTTP/1.1 {status}".encode(), *headers, b"", b""]), body]


async def refusal(fetcher, url, size_bytes):
    with pytest.raises(Unfetched) as caught:
        await fetcher.fetch(url, size_bytes)
    return caught.value.reason


async def test_a_file_comes_as_it_is_and_without_any_secret():
    async with host_with(answering(b"hello", b"Content-Length: 5")) as (host, fetcher):
        assert await fetcher.fetch(f"{host.origin}/a.txt?ex=1&hm=2", 5) == b"hello"
    assert host.requests[0].startswith("GET /a.txt?ex=1&hm=2 ")
    assert "authorization" not in host.requests[0].lower()
    assert "cookie" not in host.requests[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.discordapp.com/attachments/1/2/a.txt",
        "https://cdn.discordapp.com.evil.example/a.txt",
        "https://cdn.discordapp.com@evil.example/a.txt",
        "https://cdn.discordapp.com:8443/a.txt",
        "https://discordapp.com/a.txt",
        "http://127.0.0.1:9/a.txt",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "//cdn.discordapp.com/a.txt",
        "/a.txt",
        "",
        "https://[::1",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(url):
    fetcher = Fetcher()
    assert await refusal(fetcher, url, 5) == "file.elsewhere"
    assert fetcher._session is None
    await fetcher.aclose()


@pytest.mark.parametrize("origin", sorted(DISCORD_ORIGINS))
def test_discords_own_hosts_are_allowed_with_and_without_their_port(origin):
    assert Fetcher()._may_fetch(f"{origin}/attachments/1/2/a.txt?ex=1")
    assert Fetcher()._may_fetch(f"{origin}:443/ephemeral-attachments/1/2/a.txt")


async def test_a_redirect_is_not_followed():
    async with host_with(answering(b"secret", b"Content-Length: 6")) as (inner, _):
        moved = answering(b"", f"Location: {inner.origin}/".encode(), b"Content-Length: 0", status="302 Found")
        async with host_with(moved) as (host, fetcher):
            assert await refusal(fetcher, f"{host.origin}/a", 6) == "file.unreachable"
        assert inner.requests == []


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "500 Oops", "206 Partial Content"])
async def test_what_discord_does_not_give_is_not_read(status):
    async with host_with(answering(b"<Error>", b"Content-Length: 7", status=status)) as (host, fetcher):
        assert await refusal(fetcher, f"{host.origin}/a", 7) == "file.unreachable"
        assert len(host.requests) == 1


async def test_a_file_without_end_is_left_as_soon_as_it_is_too_long():
    endless = [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", *([b"x" * 65536] * 1600)]
    async with host_with(endless) as (host, fetcher):
        assert await refusal(fetcher, f"{host.origin}/a", 1000) == "file.unreachable"
        assert host.sent_bytes < 32 * 2**20  # of 100 MB; the system itself takes some into its buffers


async def test_a_file_that_is_longer_than_its_content_length_says_is_not_taken_for_whole():
    async with host_with(answering(b"x" * 500_000, b"Content-Length: 100")) as (host, fetcher):
        assert await refusal(fetcher, f"{host.origin}/a", 500_000) == "file.unreachable"


async def test_a_file_that_was_packed_on_its_way_is_not_unpacked():
    packed = gzip.compress(bytes(10_000_000))
    headers = b"Content-Encoding: gzip", f"Content-Length: {len(packed)}".encode()
    async with host_with(answering(packed, *headers)) as (host, fetcher):
        assert await fetcher.fetch(f"{host.origin}/a", len(packed)) == packed


async def test_a_connection_cut_in_the_middle_is_tried_once_more():
    cut, whole = answering(b"hel", b"Content-Length: 5"), answering(b"hello", b"Content-Length: 5")
    async with host_with(cut, whole) as (host, fetcher):
        assert await fetcher.fetch(f"{host.origin}/a", 5) == b"hello"
    async with host_with(cut) as (host, fetcher):
        assert await refusal(fetcher, f"{host.origin}/a", 5) == "file.unreachable"
        assert len(host.requests) == 2


async def test_a_host_that_says_nothing_is_given_up():
    async with host_with(None, total=0.05) as (host, fetcher):
        assert await refusal(fetcher, f"{host.origin}/a", 5) == "file.unreachable"


async def test_what_is_being_fetched_fails_when_the_fetcher_is_closed():
    async with host_with(None) as (host, fetcher):
        fetching = asyncio.create_task(refusal(fetcher, f"{host.origin}/a", 5))
        while not host.requests:
            await asyncio.sleep(0.001)
        await fetcher.aclose()
        await fetcher.aclose()
        assert await fetching == "file.unreachable"
