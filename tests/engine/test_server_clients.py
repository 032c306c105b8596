"""EngineServer and clients that leave, take nothing, or are too many, and an engine that is not there."""

import asyncio
import threading

import aiohttp
import pytest

from bot.engine.backend import Event
from bot.engine.echo import EchoBackend, Hang, Say
from bot.errors import EngineDead
from engine_over_http import COMPLETIONS, INFO, KEY, places, post


@pytest.fixture
async def here():
    async with places() as opened:
        yield opened


@pytest.fixture
async def hanging(here):
    """Return a server with one slot whose answers hang, but to the prompt 9, and an event for each that begins."""
    begun = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def script(request):
        if request.prompt_ids == (9,):
            return [Say((5,))]
        loop.call_soon_threadsafe(begun.release)
        return [Hang()] if request.prompt_ids == (8,) else [Say((5, 6)), Hang()]

    engine = here.engine(script=script, slots=1)
    server, url = await here.server(engine, max_waiting=2, heartbeat_s=0.05)
    await here.remote(url).ready()
    return server, url, begun


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("prompt", [[8], [7]])
async def test_a_client_that_leaves_frees_its_slot_whether_or_not_tokens_flow(hanging, is_stream, prompt):
    _, url, begun = hanging
    asking = asyncio.create_task(post(url + COMPLETIONS, {"prompt": prompt, "stream": is_stream}))
    await begun.acquire()
    asking.cancel()
    await asyncio.wait([asking])
    status, _, _ = await asyncio.wait_for(post(url + COMPLETIONS, {"prompt": [9]}), 10)
    assert status == 200


async def test_a_client_that_leaves_while_it_waits_for_a_slot_leaves_the_line(hanging):
    server, url, begun = hanging
    first = asyncio.create_task(post(url + COMPLETIONS, {"prompt": [8]}))
    await begun.acquire()
    second = asyncio.create_task(post(url + COMPLETIONS, {"prompt": [8]}))
    while server._answering.waiting < 1:
        await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.wait([second])
    while server._answering.waiting:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])


async def test_one_request_too_many_is_told_to_come_back_later(hanging):
    server, url, _ = hanging
    taken = [asyncio.create_task(post(url + COMPLETIONS, {"prompt": [8]})) for _ in range(3)]
    while server._answering.waiting < 2:
        await asyncio.sleep(0.01)
    status, answer, headers = await post(url + COMPLETIONS, {"prompt": [9]})
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(headers["Retry-After"]) > 0
    for task in taken:
        task.cancel()
    await asyncio.wait(taken)
    while server._answering.running:
        await asyncio.sleep(0.01)
    assert (await post(url + COMPLETIONS, {"prompt": [9]}))[0] == 200


async def test_a_stream_without_tokens_shows_signs_of_life(hanging):
    _, url, _ = hanging
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with session.post(url + COMPLETIONS, json={"prompt": [8], "stream": True}, headers=headers) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            assert await response.content.readexactly(6) == b": \n\n: "


def post_of(body):
    """Return a request for a completion as it crosses the wire."""
    head = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Torrent(EchoBackend):
    """Says a thousand tokens a step."""

    def step(self, emit):
        for number in list(self._running):
            if not emit(Event(number, (5,) * 1000)):
                self.cancel(number)


async def test_a_client_that_takes_nothing_is_given_up(here):
    server, url = await here.server(here.engine(lambda _report: Torrent(INFO)), write_timeout_s=0.2)
    await here.remote(url).ready()
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1)
    writer.write(post_of(b'{"prompt": [5], "stream": true}'))
    while not server._answering.running:
        await asyncio.sleep(0.01)
    while server._answering.running:
        await asyncio.sleep(0.01)
    writer.close()


async def test_a_client_that_leaves_at_whatever_moment_makes_no_error_in_the_log(hanging, caplog):
    server, url, _ = hanging
    request = post_of(b'{"prompt": [8], "stream": true}')
    for turns in range(40):  # of the event loop, from the request to its end
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(request)
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.transport.abort()
        async with asyncio.timeout(10):
            while len(server._runner.server.connections) > 1:  # the other is the fixture's
                await asyncio.sleep(0)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    assert server._answering.running == 0


async def test_while_the_engine_loads_or_is_dead_requests_are_told_so(here):
    may_go_on = threading.Event()

    def load(_report):
        may_go_on.wait(20)
        raise RuntimeError("broken")

    _, url = await here.server(here.engine(load))
    status, answer, headers = await post(url + COMPLETIONS, {"prompt": [9]})
    assert (status, answer["error"]["code"]) == (503, "engine_loading")
    assert "Retry-After" in headers
    may_go_on.set()
    with pytest.raises(EngineDead, match="broken"):
        await here.remote(url).ready()
    status, answer, _ = await post(url + COMPLETIONS, {"prompt": [9]})
    assert (status, answer["error"]["code"]) == (503, "engine_dead")
