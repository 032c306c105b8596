"""The bot's metrics as their readers see them: Prometheus' own parser reads them, over HTTP."""

import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.ops.bot_metrics import ASKED, CALLED, CONNECTED, ENDED, BotMetrics
from bot.ops.metrics_server import MetricsServer


def samples_of(text):
    """Return every sample's value by its name and labels."""
    families = list(text_string_to_metric_families(text))
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


@pytest.fixture
async def serving():
    """Serve metrics; return them, the address, and what gets a path there."""
    metrics = BotMetrics()
    server = MetricsServer(metrics, 0)
    port = await server.start()

    async def get(path="/metrics", **headers):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response,
        ):
            return response, await response.text()

    yield metrics, port, get
    await server.aclose()
    await server.aclose()


async def test_what_was_observed_is_exported(serving):
    metrics, _, get = serving
    metrics.watch(lambda: 2, lambda: 5)
    metrics.asked("taken")
    metrics.asked("queue_full")
    metrics.waited(3.0)
    metrics.began(40)
    metrics.first_token(4.0)
    metrics.generated(7)
    metrics.generated(3)
    metrics.ended("done", 10)
    metrics.ended("stopped", 3)
    metrics.called("rate_limited")
    metrics.connected("new")
    response, text = await get()
    found = samples_of(text)
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    expected = {
        ("phibot_questions_total", "taken"): 1,
        ("phibot_questions_total", "queue_full"): 1,
        ("phibot_answers_total", "done"): 1,
        ("phibot_answers_total", "stopped"): 1,
        ("phibot_answers_running",): 2,
        ("phibot_answers_waiting",): 5,
        ("phibot_queue_wait_seconds_sum",): 3,
        ("phibot_queue_wait_seconds_bucket", "5.0"): 1,
        ("phibot_queue_wait_seconds_bucket", "2.0"): 0,
        ("phibot_first_token_seconds_sum",): 4,
        ("phibot_answer_length_tokens_sum",): 10,
        ("phibot_answer_length_tokens_count",): 1,
        ("phibot_tokens_total", "prompt"): 40,
        ("phibot_tokens_total", "answer"): 10,
        ("phibot_discord_calls_total", "rate_limited"): 1,
        ("phibot_discord_sessions_total", "new"): 1,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["phibot_loop_lag_seconds_count",] == 0


def test_every_outcome_is_there_from_the_start_so_that_the_first_failure_is_a_rise():
    found = samples_of(BotMetrics().text().decode())
    for name, outcomes in (
        ("phibot_questions_total", ASKED),
        ("phibot_answers_total", ENDED),
        ("phibot_discord_calls_total", CALLED),
        ("phibot_discord_sessions_total", CONNECTED),
    ):
        assert {key[1]: value for key, value in found.items() if key[0] == name} == dict.fromkeys(outcomes, 0)


def test_two_bots_in_one_process_have_metrics_of_their_own():
    one, other = BotMetrics(), BotMetrics()
    one.asked("taken")
    assert samples_of(other.text().decode())["phibot_questions_total", "taken"] == 0


async def test_nothing_but_metrics_is_served(serving):
    _, _, get = serving
    assert (await get("/"))[0].status == 404
    assert (await get("/metrics/../etc/passwd"))[0].status == 404


async def test_another_name_for_this_machine_is_not_answered_so_that_no_web_page_can_read_them(serving):
    _, port, get = serving
    response, text = await get(Host="evil.example")
    assert response.status == 403
    assert "phibot" not in text
    assert (await get(Host=f"localhost:{port}"))[0].status == 200


async def test_the_port_is_on_the_loopback_alone(serving):
    _, port, _ = serving
    with pytest.raises(OSError, match="refused"), socket.socket() as elsewhere:
        elsewhere.connect(("127.0.0.2", port))


async def test_a_port_in_use_is_an_error(serving):
    _, port, _ = serving
    second = MetricsServer(BotMetrics(), port)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.aclose()
