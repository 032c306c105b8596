"""An engine in a child process: real children, killed, stopped, refusing and deaf."""

import asyncio
import os
import signal
import sys
from contextlib import aclosing

import pytest

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.process import EngineProcess, Patience
from bot.errors import EngineDead, StartError

KNOWN = EngineInfo("echo", "Echo", "?", 768, 1)
SERVE = [sys.executable, "-m", "bot", "serve", "--child"]
QUICK = Patience(port_s=30, end_s=2, restart_s=0.05, watch_s=0.1, hang_s=1)
WORDS = tuple(range(300, 330))
REQUEST = GenerationRequest((1361, *WORDS, 1362, 1360), 100, frozenset(range(1359, 1364)))


@pytest.fixture
async def process(tmp_path):
    """Return what starts an engine process; all of them are closed at the end."""
    made = []

    def start(command=SERVE, patience=QUICK, **settings):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PHIBOT_")}
        chosen = {f"PHIBOT_{name.upper()}": value for name, value in {"engine": "echo", **settings}.items()}
        engine = EngineProcess(command, KNOWN, environment=clean | chosen, last_load_s=7.0, patience=patience)
        made.append(engine)
        engine.start()
        return engine

    yield start
    for engine in made:
        await engine.aclose()
        assert engine.pid is None


async def answer(engine, request=REQUEST):
    async with asyncio.timeout(40), aclosing(engine.generate(request)) as chunks:
        heard = [chunk async for chunk in chunks]
    return tuple(token for chunk in heard for token in chunk.ids), heard[-1].finish


async def test_it_answers_through_its_child_and_tells_what_that_is(process):
    engine = process()
    assert engine.loading.last_time_s == 7.0
    assert await answer(engine) == (WORDS, Finish.STOP)
    assert (engine.info.device, engine.loading) == ("none", None)
    assert engine.load_s > 0


async def test_it_tells_its_childs_metrics(process):
    engine = process()
    await answer(engine)
    assert 'phibot_requests_total{outcome="stop"} 1.0' in await engine.metrics()


async def test_a_killed_child_is_replaced(process):
    engine = process()
    await answer(engine)
    before = engine.pid
    os.kill(before, signal.SIGKILL)
    assert await answer(engine) == (WORDS, Finish.STOP)
    assert engine.pid != before
    assert engine.restarts == 1


async def test_a_child_that_hangs_is_killed_and_replaced(process):
    engine = process()
    await answer(engine)
    before = engine.pid
    os.kill(before, signal.SIGSTOP)  # alive, and deaf
    assert await answer(engine) == (WORDS, Finish.STOP)
    assert engine.pid != before


async def test_a_reason_that_will_stay_is_told_and_no_other_child_is_started(process, tmp_path):
    engine = process(model_dir=str(tmp_path / "no-such-model"))
    for _ in range(2):
        with pytest.raises(StartError, match="There is no model folder"):
            await engine.ready()
    with pytest.raises(StartError):
        await engine.died()
    assert engine.restarts == 0


async def test_a_child_that_says_nothing_is_replaced_and_people_are_told_that_it_starts(process):
    engine = process(command=["sleep", "60"], patience=Patience(port_s=0.2, end_s=0.2, restart_s=0.05))
    async with asyncio.timeout(10):
        while engine.restarts < 2:
            assert engine.loading.stage == "loading.starting"
            await asyncio.sleep(0.02)


async def test_closing_ends_a_child_that_would_not_end_by_itself(process):
    engine = process(command=["sleep", "60"], patience=Patience(end_s=0.2))
    async with asyncio.timeout(10):
        while engine.pid is None:
            await asyncio.sleep(0.01)
    pid = engine.pid
    waiting = asyncio.create_task(engine.ready())
    await asyncio.sleep(0)
    await engine.aclose()
    with pytest.raises(EngineDead):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_closing_leaves_no_task_behind(process):
    before = asyncio.all_tasks()
    engine = process()
    await answer(engine)
    await engine.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
