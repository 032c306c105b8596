"""The bot's own metrics, read from a real bot whose engine process is busy."""

import asyncio
import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import EX_CONFIG

PEOPLE = 4
SAMPLES_UNDER_LOAD = 10


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
async def scrape(port):
    """Return what reads the metrics: their text, and the values by name and labels."""
    async with aiohttp.ClientSession() as session:

        async def scrape():
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                assert response.status == 200
                text = await response.text()
            samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
            return text, {(one.name, *one.labels.values()): one.value for one in samples}

        yield scrape


async def test_while_several_people_keep_the_engine_busy_the_lag_is_measured_and_the_loop_serves(
    discord, bot, home, said, port, scrape
):
    people = [(discord.person(f"Zyx{n}", home), discord.add_channel(home, f"chan{n}")) for n in range(PEOPLE)]
    await bot.start(metrics_port=port, per_user_per_minute=10_000, log_format="console")
    await bot.until_logged("engine_process_ready")
    enough = asyncio.Event()
    asked = 0

    async def keep_asking(person, place):
        nonlocal asked
        while not enough.is_set():
            asked += 1
            await said(await person.say(place, f"<@bot> my name is Quorvex {asked}"))

    asking = [asyncio.create_task(keep_asking(*one)) for one in people]
    at_once, under_load = 0, set()
    try:
        async with asyncio.timeout(60):
            while at_once < 2 or len(under_load) < SAMPLES_UNDER_LOAD:
                _, now = await scrape()
                running = now["phibot_answers_running",]
                at_once = max(at_once, running)
                if running:
                    under_load.add(now["phibot_loop_lag_seconds_count",])
    finally:
        enough.set()
        await asyncio.gather(*asking)
    text, after = await scrape()
    assert after["phibot_questions_total", "taken"] == after["phibot_answers_total", "done"] == asked
    assert after["phibot_first_token_seconds_count",] == after["phibot_queue_wait_seconds_count",] == asked
    assert after["phibot_tokens_total", "answer"] >= after["phibot_answer_length_tokens_count",] == asked
    assert after["phibot_loop_lag_seconds_bucket", "+Inf"] == after["phibot_loop_lag_seconds_count",]
    assert after["phibot_answers_running",] == after["phibot_answers_waiting",] == 0
    assert after["phibot_discord_calls_total", "ok"] >= asked
    assert after["phibot_discord_sessions_total", "new"] == 1
    assert after["process_resident_memory_bytes",] > 20e6
    for private in ("Quorvex", "Zyx", "chan0", *(str(place.id) for _, place in people), discord.token):
        assert private not in text
    assert await bot.end() == 0


async def test_a_port_in_use_is_one_clear_sentence_before_anything_is_loaded(bot, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        await bot.start(wait=False, metrics_port=port, log_format="console")
        assert await bot.process.wait() == EX_CONFIG
        assert await bot.end() == EX_CONFIG
    assert f"PHIBOT_METRICS_PORT: cannot listen on 127.0.0.1:{port}: Address already in use." in bot.log
    assert "Traceback" not in bot.log
