"""RemoteEngine and servers that come, go, refuse, lie and fall silent. What it shares with others: test_contract.py."""

import asyncio
import json
import threading
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot.core.engine import EngineInfo
from bot.engine.echo import EchoBackend, Hang, Say
from bot.engine.http.health import Steps
from bot.errors import EngineBusy, EngineDead, EngineFailed
from engine_over_http import INFO, KEY, PROVISIONAL, ask, ids_of, places, read

HEALTH = {
    "state": "ready", "engine": "echo", "model": "Echo-1", "device": "none", "context_tokens": 64, "slots": 2,
    "a_newer_servers_field": [1],
}  # fmt: skip


@pytest.fixture
async def here():
    async with places() as opened:
        yield opened


@asynccontextmanager
async def scripted(*answers, health=HEALTH):
    """Give the address of a server that sends these bytes, one of them a connection that asks for a completion."""
    left, asked = list(answers), asyncio.Event()

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /health?"):
                await asyncio.Event().wait()
            elif head.startswith(b"GET /health"):
                writer.write(response(health))
            else:
                asked.set()
                answer = left.pop(0)
                if answer is None:
                    await asyncio.Event().wait()
                writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def response(content, status="200 OK", kind="application/json"):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def stream(*events, length=None):
    """Return a streamed answer, cut off where `length` promises more bytes than there are."""
    body = b"".join(b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
                    for event in events)  # fmt: skip
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def part(*ids, finish=None):
    return {"choices": [{"index": 0, "text": "", "token_ids": ids, "finish_reason": finish}]}


async def test_a_servers_metrics_are_read_and_a_server_without_any_is_told_of(here):
    _, url = await here.server(here.engine())
    assert "phibot_requests_running 0.0" in await here.remote(url).metrics()
    async with scripted(response({}, "404 Not Found")) as bare:
        with pytest.raises(EngineDead, match="no metrics"):
            await here.remote(bare).metrics()


# What a server can answer ---------------------------------------------------------------------------------------------


async def test_ids_come_through_comments_other_fields_and_both_line_ends(here):
    odd = stream(part(5), part(6), part(7, finish="stop"), b"[DONE]")
    odd = odd.replace(b"data: ", b": beat\n\nid: 7\ndata:", 1).replace(b"\n\ndata", b"\r\n\r\ndata", 1)
    odd = odd[odd.index(b"\r\n\r\n") + 4 :]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    async with scripted(head + odd) as url:
        assert ids_of(await read(here.remote(url), ask())) == (5, 6, 7)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (stream(part(5), length=10_000), EngineDead),
        (stream(part(5)), EngineDead),
        (stream(part(5), b"[DONE]"), EngineDead),
        (stream(part(5), {"error": {"message": "m", "code": "engine_failed"}}), EngineFailed),
        (stream(part(5), {"error": {"message": "m", "code": "engine_dead"}}), EngineDead),
        (stream(part(5), b"{not json"), EngineFailed),
        (stream(part(5), b"[1]"), EngineFailed),
        (stream(part(5), {"choices": []}), EngineFailed),
        (stream(part(5), part("6")), EngineFailed),
        (stream(part(5), part(6, finish="tired")), EngineFailed),
        (stream(part(5), b"\xff"), EngineFailed),
        (response({"error": {"message": "m", "code": "rate_limit_exceeded"}}, "429 Too Many"), EngineBusy),
        (response({"error": {"message": "m", "code": "engine_loading"}}, "503 No"), EngineDead),
        (response(b"<h1>Bad gateway</h1>", "502 Bad Gateway", "text/html"), EngineDead),
        (response(["odd"], "500 Oh"), EngineFailed),
        (response({"error": {"message": "m"}}, "400 Bad"), EngineFailed),
        (b"", EngineDead),
        (b"nonsense\r\n\r\n", EngineDead),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", EngineFailed),
    ],
)
async def test_whatever_goes_wrong_is_told_as_one_of_the_engines_errors(here, answer, error):
    async with scripted(answer) as url:
        engine = here.remote(url)
        said = []
        with pytest.raises(error) as caught:  # noqa: PT012 - what it said before counts
            async for chunk in engine.generate(ask()):
                said.extend(chunk.ids)
        assert type(caught.value) is error
        assert (engine.loading is not None) == (error is EngineDead)  # then the server is asked again how it is
        assert said in ([5], [])


async def test_what_comes_after_the_last_chunk_changes_nothing(here):
    async with scripted(stream(part(5, finish="stop"), {"error": {"message": "m"}}, length=10_000)) as url:
        assert ids_of(await read(here.remote(url), ask())) == (5,)


async def test_a_server_that_falls_silent_is_given_up_after_the_read_timeout(here):
    async with scripted(None) as url:
        with pytest.raises(EngineDead, match="lost"):
            await read(here.remote(url, read_timeout_s=0.2), ask())


async def test_an_event_without_end_is_refused_before_it_fills_the_memory(here, monkeypatch):
    monkeypatch.setattr("bot.engine.http.sse.MOST_EVENT_BYTES", 1000)
    async with scripted(stream(b"1" * 100_000)) as url:
        with pytest.raises(EngineFailed):
            await read(here.remote(url), ask())


@pytest.mark.parametrize("health", [{}, [], {**HEALTH, "slots": 0}, {**HEALTH, "state": "tired"}, b"\xff"])
async def test_what_is_no_server_of_ours_is_told_of_as_dead(here, health):
    async with scripted(health=health) as url:
        engine = here.remote(url, patience_s=0.05)
        with pytest.raises(EngineDead, match=r"no server of Phibot"):
            await engine.ready()


# Servers that come and go ---------------------------------------------------------------------------------------------


async def test_a_server_that_is_not_there_yet_is_waited_for(here):
    engine = here.engine(script=lambda _request: [Say((5,))])
    server, url = await here.server(engine)
    await server.aclose()
    remote = here.remote(url)
    answer = asyncio.create_task(read(remote, ask()))
    await asyncio.sleep(0)
    assert remote.loading.stage == "loading.connecting"
    await here.server(engine, port=int(url.rpartition(":")[2]))
    assert ids_of(await answer) == (5,)
    assert remote.loading is None


async def test_a_server_that_is_never_there_is_told_of_as_dead_but_looked_for_further(here):
    engine = here.engine(script=lambda _request: [Say((5,))])
    server, url = await here.server(engine)
    await server.aclose()
    with capture_logs() as logs:
        remote = here.remote(url, patience_s=0.05)
        with pytest.raises(EngineDead, match="cannot be reached"):
            await read(remote, ask())
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["engine_server_lost"]
    await here.server(engine, port=int(url.rpartition(":")[2]))
    with capture_logs() as logs:
        while not any(entry["event"] == "engine_server_state" for entry in logs):
            await asyncio.sleep(0.01)
    assert ids_of(await read(remote, ask())) == (5,)


async def test_a_server_that_goes_away_ends_its_answers_and_is_used_again_once_it_is_back(here):
    engine = here.engine(script=lambda request: [Say((5,)), Hang()] if request.prompt_ids == (8,) else [Say((6,))])
    server, url = await here.server(engine)
    remote = here.remote(url)
    said = []

    async def listen():
        async for chunk in remote.generate(ask(8)):
            said.extend(chunk.ids)
            if chunk.ids:
                closing.set_result(asyncio.create_task(server.aclose()))

    closing = asyncio.get_running_loop().create_future()
    with pytest.raises(EngineDead):
        await listen()
    await (await closing)
    assert said == [5]
    assert remote.loading.stage == "loading.connecting"
    ready = asyncio.create_task(remote.ready())
    await asyncio.sleep(0)
    assert not ready.done()
    await here.server(engine, port=int(url.rpartition(":")[2]))
    await ready
    assert ids_of(await read(remote, ask(9))) == (6,)


async def test_a_server_that_goes_away_is_noticed_even_while_nobody_asks(here):
    server, url = await here.server(here.engine())
    remote = here.remote(url)
    await remote.ready()
    await server.aclose()
    while remote.loading is None:
        await asyncio.sleep(0.01)
    assert remote.loading.stage == "loading.connecting"


async def test_the_seconds_of_loading_are_the_servers_own(here):
    may_go_on = threading.Event()

    def load(report):
        report("loading.compiling")
        may_go_on.wait(20)
        return EchoBackend(INFO)

    now = iter(range(0, 100_000, 1000))
    engine = here.engine(load, clock=lambda: float(next(now)))
    _, url = await here.server(engine)
    remote = here.remote(url)
    try:
        while remote.loading.stage != "loading.compiling":
            await asyncio.sleep(0.01)
        assert remote.loading.elapsed_s >= 1000
    finally:
        may_go_on.set()


# Servers that are the wrong one ---------------------------------------------------------------------------------------


async def test_a_wrong_key_ends_the_client_with_a_sentence(here):
    _, url = await here.server(here.engine())
    remote = here.remote(url, key="wrong")
    with pytest.raises(EngineDead, match="PHIBOT_ENGINE_KEY"):
        await remote.died()
    with pytest.raises(EngineDead, match="PHIBOT_ENGINE_KEY"):
        await read(remote, ask())
    assert remote.loading is None


async def test_a_server_with_another_tokenizer_is_refused(here):
    _, url = await here.server(here.engine())
    right = here.remote(url, tokenizer_sha256=here.tokenizer.sha256)
    await right.ready()
    with pytest.raises(EngineDead, match="tokenizer"):
        await here.remote(url, tokenizer_sha256="0" * 64).died()


async def test_the_key_never_shows_in_what_goes_wrong(here):
    with capture_logs() as logs:
        remote = here.remote("http://127.0.0.1:1", patience_s=0.01)
        with pytest.raises(EngineDead) as caught:
            await remote.ready()
        await remote.aclose()
    assert KEY not in str(caught.value)
    assert KEY not in json.dumps(logs, default=str)


# The rest -------------------------------------------------------------------------------------------------------------


async def test_connections_are_used_again_for_the_next_answer(here):
    engine = here.engine(script=lambda _request: [Say((5, 6))])
    server, url = await here.server(engine)
    remote = here.remote(url)
    for _ in range(5):
        await read(remote, ask())
    assert len(server._runner.server.connections) == 2  # one of them waits for news


async def test_steps_are_passed_on_where_the_engine_tells_them(here):
    class Stepping:
        info, loading, steps = INFO, None, Steps(1.5, 2.5)

        async def ready(self):
            pass

        async def aclose(self):
            pass

    _, url = await here.server(Stepping())
    assert await here.remote(url).steps() == Steps(1.5, 2.5)
    remote = here.remote("http://127.0.0.1:1")
    with pytest.raises(EngineDead):
        await remote.steps()


async def test_an_answer_that_nobody_reads_on_gives_its_place_back_when_its_generator_is_closed(here):
    engine = here.engine(script=lambda _request: [Say((5,)), Hang()])
    server, url = await here.server(engine)
    remote = here.remote(url)
    async with aclosing(remote.generate(ask())) as chunks:
        while not (await anext(chunks)).ids:
            pass
        assert server._answering.running == 1
    while server._answering.running:
        await asyncio.sleep(0.01)


async def test_until_the_server_tells_what_is_known_stands(here):
    remote = here.remote("http://127.0.0.1:1")
    assert remote.info == PROVISIONAL
    _, url = await here.server(here.engine())
    remote = here.remote(url + "/v1/")
    await remote.ready()
    assert remote.info == EngineInfo("echo", "Echo-1", "none", 64, 2)
