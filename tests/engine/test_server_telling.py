"""What EngineServer tells of itself (models, health, metrics), and that it tells nobody who may only listen in."""

import asyncio
import json
import ssl
import subprocess
import threading

import aiohttp
import openai
import pytest

from bot.core.phi3 import Phi3Tokenizer
from bot.engine.echo import EchoBackend, Fail, Say
from bot.engine.http.presence import WATCH_S
from bot.engine.server import EngineServer
from bot.errors import EngineDead
from engine_over_http import DEMO_MODEL, INFO, KEY, ask, ids_of, places, read


@pytest.fixture
async def here():
    async with places() as opened:
        yield opened


def openai_at(here, url):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    here.closing.push_async_callback(client.close)
    return client


async def test_the_model_is_listed_and_found_by_its_name(here):
    _, url = await here.server(here.engine())
    echo = openai_at(here, url)
    assert [model.id async for model in echo.models.list()] == ["Echo-1"]
    assert (await echo.models.retrieve("Echo-1")).id == "Echo-1"
    with pytest.raises(openai.NotFoundError):
        await echo.models.retrieve("gpt/4")


async def get(url, path, **options):
    async with (
        aiohttp.ClientSession() as session,
        session.get(url + path, headers={"Authorization": f"Bearer {KEY}"}, **options) as response,
    ):
        return response.status, await response.text()


async def test_health_tells_of_loading_and_a_waiting_client_hears_of_the_change(here):
    may_go_on = threading.Event()

    def load(report):
        report("loading.compiling")
        may_go_on.wait(20)
        return EchoBackend(INFO)

    _, url = await here.server(here.engine(load, last_load_s=3.5))
    status, body = await get(url, "/health")
    assert status == 503
    assert json.loads(body)["state"] == "loading"
    assert json.loads(body)["loading"]["last_time_s"] == 3.5
    waiting = asyncio.create_task(get(url, "/health", params={"state": "loading", "wait_s": "20"}))
    may_go_on.set()
    status, body = await waiting
    assert status == 200
    health = json.loads(body)
    told = {"state": "ready", "engine": "echo", "device": "none", "slots": 2, "context_tokens": 64, "loading": None}
    assert told.items() <= health.items()


@pytest.mark.parametrize(("params", "status"), [("wait_s=x", 400), ("wait_s=-1", 400), ("wait_s=nan", 400),
                                                ("wait_s=inf&state=loading", 200), ("wait_s=0.01", 200)])  # fmt: skip
async def test_health_waits_only_for_what_it_can(here, params, status):
    engine = here.engine()
    await engine.ready()
    _, url = await here.server(engine)
    await get(url, "/health?state=loading&wait_s=20")
    assert (await get(url, f"/health?state=ready&{params}" if status == 400 else f"/health?{params}"))[0] == status


async def test_closing_does_not_wait_for_those_who_wait_for_news(here):
    server, url = await here.server(here.engine())
    await get(url, "/health?state=loading&wait_s=20")
    waiting = asyncio.create_task(get(url, f"/health?state=ready&wait_s={WATCH_S}"))
    while server._runner.server.requests_count < 2:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(server.aclose(), 5)
    await server.aclose()
    status, body = await waiting
    assert (status, json.loads(body)["reason"]) == (503, "closed")


async def test_metrics_count_what_was_asked_and_how_it_ended(here):
    def script(request):
        return [Fail()] if request.prompt_ids == (8,) else [Say((5, 6, 7))]

    server, url = await here.server(here.engine(script=script))
    client = openai_at(here, url)
    await client.completions.create(model="Echo-1", prompt=[9, 9])
    await client.completions.create(model="Echo-1", prompt=[9, 9], max_tokens=1, stream=True)
    with pytest.raises(openai.InternalServerError):
        await client.completions.create(model="Echo-1", prompt=[8])
    with pytest.raises(openai.BadRequestError):
        await client.completions.create(model="Echo-1", prompt=[])
    while server._answering.running:
        await asyncio.sleep(0.01)
    status, text = await get(url, "/metrics")
    assert status == 200
    for line in [
        'phibot_requests_total{outcome="stop"} 1.0',
        'phibot_requests_total{outcome="length"} 1.0',
        'phibot_requests_total{outcome="failed"} 1.0',
        'phibot_requests_total{outcome="refused"} 1.0',
        "phibot_prompt_tokens_total 5.0",
        "phibot_generated_tokens_total 4.0",
        "phibot_first_token_seconds_count 2.0",
        "phibot_decode_step_seconds_count 2.0",
        "phibot_requests_running 0.0",
        "phibot_requests_waiting 0.0",
    ]:
        assert line in text.splitlines()
    assert "phibot_loop_lag_seconds_bucket" in text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a certificate for 127.0.0.1, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=phibot", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    return folder / "cert.pem", folder / "key.pem"


async def test_over_tls_the_servers_certificate_counts(here, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    _, url = await here.server(here.engine(script=lambda _request: [Say((5,))]), tls=context)
    assert url.startswith("https://")
    trusting = here.remote(url, ca_file=certificate[0])
    assert ids_of(await read(trusting, ask())) == (5,)
    with pytest.raises(EngineDead, match=r"(?i)certificate"):
        await here.remote(url, patience_s=0.01).ready()


def test_without_a_key_it_will_not_serve_other_machines():
    tokenizer = Phi3Tokenizer.load(DEMO_MODEL)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(ValueError, match="without a key"):
            EngineServer(None, tokenizer, model_name="m", key=None, host=host)
    with pytest.raises(ValueError, match="empty"):
        EngineServer(None, tokenizer, model_name="m", key=" ")
