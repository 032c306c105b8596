"""A bot beside a `phibot serve` that runs alone: used, outlived, and what of a conversation is still in its cache."""

import asyncio
import math
import os
import re
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
KEY = "a-key"
LONG_MESSAGE = " ".join(f"In the year {year} the quick brown fox jumps over {year + 12} zebras." for year in range(25))


class Served:
    """`phibot serve` as a process of its own, on a free port."""

    def __init__(self, process):
        self.process = process
        self.log = ""
        self.url = None

    async def read_log(self):
        async for line in self.process.stderr:
            self.log += re.sub(r"\x1b\[[0-9;]*m", "", line.decode())

    async def logged(self, pattern):
        async with asyncio.timeout(60):
            while not (found := re.search(pattern, self.log)):
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.05)
        return found[1]

    async def steps(self):
        """Return how many steps the engine has done since it was loaded."""
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics", headers=headers) as response:
            return int(float(re.search(r"^phibot_engine_steps_total (\S+)", await response.text(), re.MULTILINE)[1]))


@asynccontextmanager
async def serving(**settings):
    environment = {f"PHIBOT_{name.upper()}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve", "--port", "0"),
        env=os.environ | environment | {"PHIBOT_ENGINE_KEY": KEY, "PHIBOT_LOG_FORMAT": "console"},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    served = Served(process)
    reading = asyncio.create_task(served.read_log())
    try:
        port = await served.logged(r"engine_server_listening.*port=(\d+)")
        served.url = f"http://127.0.0.1:{port}"
        yield served
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        await reading


async def test_a_bot_uses_the_engine_of_a_phibot_serve_that_runs_alone_and_outlives_it(bot, ask):
    async with serving() as served:
        for _ in range(2):
            await bot.start(engine_url=served.url, engine_key=KEY, log_format="console")
            assert "Quorvex" in (await ask("my name is Quorvex"))[0]
            assert await bot.end() == 0
            assert served.process.returncode is None
        assert "engine_process_ready" not in bot.log


async def test_a_restarted_bot_has_only_what_is_new_computed_by_the_engine_that_ran_on(bot, ask, tiny_model_dir):
    def turns():
        with closing(sqlite3.connect(bot.folder / "data" / "phibot.sqlite3")) as database:
            return database.execute("SELECT prompt_tokens, completion_tokens, finish FROM turns ORDER BY id").fetchall()

    async def prefill_steps(text):
        """Ask, and return the steps that its prompt took, and its tokens: each token of the answer took one more."""
        before = await served.steps()
        await ask(text)
        prompt_tokens, tokens, finish = turns()[-1]
        after_the_first = tokens - 1 + (finish == "stop")  # the token that says so is no part of the answer
        return await served.steps() - before - after_the_first, prompt_tokens

    async with serving(model_dir=tiny_model_dir) as served:
        step_tokens = int(await served.logged(r"pipeline_ready.*step_tokens=(\d+)"))
        here = {"engine_url": served.url, "engine_key": KEY, "model_dir": tiny_model_dir, "max_new_tokens": 20}
        await bot.start(**here)
        steps, prompt_tokens = await prefill_steps(LONG_MESSAGE)
        assert steps == math.ceil(prompt_tokens / step_tokens) >= 4
        assert await bot.end() == 0
        first_pid = bot.process.pid
        await bot.start(**here)
        assert bot.process.pid != first_pid
        steps, prompt_tokens = await prefill_steps("And in the year after that?")
        known = turns()[0][0] + turns()[0][1] - 1
        assert steps == math.ceil((prompt_tokens - known) / step_tokens) == 1
        steps, _ = await prefill_steps("Why?")
        assert steps == 1
        assert await bot.end() == 0


async def test_without_a_key_others_than_this_machine_are_refused_in_one_sentence(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHIBOT_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve", "--host", "0.0.0.0", "--port", "0"),
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 78
    assert said == (
        b"phibot: Others than this machine are served with a key only: set PHIBOT_ENGINE_KEY for 0.0.0.0.\n"
    )
