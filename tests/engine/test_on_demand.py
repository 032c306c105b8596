"""Engines that are loaded when they are needed: within the memory there is, with others leaving, after failures."""

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.core.engine import UNLOADED, EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.device_memory import DeviceMemory, ask_device_memory
from bot.engine.echo import Die, EchoBackend, Say
from bot.engine.executor import ThreadedEngine
from bot.engine.kv import GB
from bot.engine.on_demand import OnDemandEngine
from bot.engine.process import EngineProcess, Patience
from bot.engine.room import Room, need_bytes, shared_kv_cache_gb
from bot.errors import EngineDead, ModelNotLoaded, ModelUnusable, NoRoomForModel

KNOWN = EngineInfo("echo", "Echo", "?", 768, 4)
REQUEST = GenerationRequest((5, 6, 7), 100, frozenset({1}))


class House:
    """Models on demand in `free_gb` of memory; each is an echo that needs what it is told to."""

    def __init__(self, free_gb):
        self.free_gb = free_gb
        self.room = Room(lambda: None if self.free_gb is None else int(self.free_gb * GB))
        self.opened, self.took, self.models = [], [], []
        self.faults = {}
        self.script = [Say((8, 9))]
        self.now = 0.0

    def model(self, name, need_gb=1):
        def load(_report):
            if name in self.faults:
                raise self.faults[name]
            return EchoBackend(replace(KNOWN, model=name, device="none"), lambda _request: self.script)

        def open_engine():
            self.opened.append(name)
            return ThreadedEngine(load, KNOWN)

        async def on_loaded(load_s):
            self.took.append((name, load_s))

        model = OnDemandEngine(
            name,
            open_engine,
            KNOWN,
            self.room,
            need_bytes=need_gb * GB,
            last_load_s=7.0,
            on_loaded=on_loaded,
            clock=self.clock,
        )
        self.models.append(model)
        return model

    def clock(self):
        self.now += 1
        return self.now

    def loaded(self):
        return [model.name for model in self.models if model.loading is None]


@pytest.fixture
async def house():
    houses = []

    def build(free_gb):
        houses.append(House(free_gb))
        return houses[-1]

    yield build
    for house in houses:
        for model in house.models:
            await model.aclose()


async def answer(engine):
    async with asyncio.timeout(40), aclosing(engine.generate(REQUEST)) as chunks:
        heard = [chunk async for chunk in chunks]
    return tuple(token for chunk in heard for token in chunk.ids), heard[-1].finish


async def test_it_is_loaded_by_the_first_who_needs_it_and_once_for_all(house):
    home = house(4)
    model = home.model("a")
    assert (model.loading.stage, model.loading.last_time_s, home.opened) == (UNLOADED, 7.0, [])
    assert await asyncio.gather(answer(model), answer(model)) == [((8, 9), Finish.STOP)] * 2
    assert (model.loading, model.info.device, home.opened) == (None, "none", ["a"])
    assert [name for name, _ in home.took] == ["a"]


async def test_whoever_gives_up_waiting_does_not_end_the_loading(house):
    home = house(4)
    model = home.model("a")
    waiting = asyncio.create_task(model.ready())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await model.ready()
    assert home.opened == ["a"]


async def test_the_one_used_longest_ago_leaves_when_there_is_no_room(house):
    home = house(2)
    first, second, third = (home.model(name) for name in "abc")
    await first.ready()
    await second.ready()
    await answer(first)
    await third.ready()
    assert home.loaded() == ["a", "c"]
    assert second.info.device == "none"  # it is known by now
    assert await answer(second) == ((8, 9), Finish.STOP)
    assert home.loaded() == ["b", "c"]


async def test_one_that_is_held_stays_and_the_newcomer_is_refused_with_the_figures(house):
    home = house(2)
    first, second = home.model("a", 1), home.model("b", 2)
    await first.ready()
    with first.held():
        with pytest.raises(NoRoomForModel) as refused:
            await second.ready()
        assert refused.value.fields == {"model": "b", "need_gb": "2.0", "free_gb": "1.0"}
        assert home.loaded() == ["a"]
        assert (second.loading.stage, home.opened) == (UNLOADED, ["a"])
    await second.ready()
    assert home.loaded() == ["b"]


async def test_nobody_leaves_in_vain(house):
    home = house(2)
    small, large = home.model("small", 1), home.model("large", 3)
    await small.ready()
    with pytest.raises(NoRoomForModel):
        await large.ready()
    assert home.loaded() == ["small"]


async def test_what_is_free_now_counts_too_for_other_programs_need_memory_as_well(house):
    home = house(4)
    model = home.model("a", 2)
    home.free_gb = 1.5
    with pytest.raises(NoRoomForModel, match=r"1\.5 GB are left"):
        await model.ready()
    home.free_gb = 2.5
    await model.ready()


async def test_memory_that_another_program_had_only_at_the_start_is_used_once_it_is_free(house):
    home = house(1)
    model, other, third = home.model("a", 3), home.model("b", 2), home.model("c", 1)
    with pytest.raises(NoRoomForModel):
        await model.ready()
    home.free_gb = 5
    await model.ready()
    home.free_gb = 4.5  # it has not yet taken all that it needs
    await other.ready()
    with model.held(), other.held(), pytest.raises(NoRoomForModel):
        await third.ready()
    assert home.loaded() == ["a", "b"]


async def test_two_that_load_at_once_do_not_count_on_the_same_memory(house):
    home = house(3)
    first, second = home.model("a", 2), home.model("b", 2)
    outcomes = await asyncio.gather(first.ready(), second.ready(), return_exceptions=True)
    assert [type(one) for one in outcomes] == [type(None), NoRoomForModel]


async def test_memory_that_cannot_be_told_is_no_limit(house):
    home = house(None)
    models = [home.model(name, 1000) for name in "abc"]
    await asyncio.gather(*(model.ready() for model in models))
    assert home.loaded() == ["a", "b", "c"]


async def test_one_that_cannot_be_loaded_says_why_gives_its_room_back_and_may_be_tried_again(house):
    home = house(2)
    model, other = home.model("a", 2), home.model("b", 2)
    home.faults["a"] = ModelUnusable("its weights are broken")
    for _ in range(2):
        with pytest.raises(ModelNotLoaded, match="a: its weights are broken") as caught:
            await model.ready()
        assert "weights" not in caught.value.user_message()
    assert model.loading.stage == UNLOADED
    await other.ready()
    del home.faults["a"]
    await model.ready()
    assert home.loaded() == ["a"]


async def test_one_that_died_for_good_is_loaded_again_by_the_next_who_needs_it(house):
    home = house(1)
    model = home.model("a", 1)
    home.script = [Die()]
    with pytest.raises(EngineDead):
        await answer(model)
    home.script = [Say((8, 9))]
    assert await asyncio.gather(answer(model), answer(model)) == [((8, 9), Finish.STOP)] * 2
    assert home.opened == ["a", "a"]


async def test_whoever_gives_up_while_a_dead_model_is_cleared_away_leaves_none_of_its_memory_behind(house):
    home = house(1)
    model, other = home.model("a", 1), home.model("b", 1)
    for moments in range(12):  # one of them is while it is cleared away
        home.script = [Die()]
        with pytest.raises(EngineDead):
            await answer(model)
        impatient = asyncio.create_task(model.ready())
        for _ in range(moments):
            await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        home.script = [Say((8, 9))]
        assert await answer(model) == ((8, 9), Finish.STOP)
        await model.unload()
        assert home.room.free_bytes() == 1 * GB
    assert await answer(other) == ((8, 9), Finish.STOP)


async def test_closing_ends_a_loading_and_whoever_waits_for_it(house):
    home = house(2)
    model = home.model("a")
    waiting = asyncio.create_task(model.ready())
    await asyncio.sleep(0)
    await model.aclose()
    for call in (waiting, model.ready(), answer(model)):
        with pytest.raises(EngineDead):
            await call
    await model.aclose()


# Real processes -------------------------------------------------------------------------------------------------------

QUICK = Patience(port_s=30, end_s=5, restart_s=0.05, watch_s=0.1)
SERVE = [sys.executable, "-m", "bot", "serve", "--child"]


@pytest.fixture
async def in_process(house):
    """Return what makes a model in a process of its own, and the processes it has had."""
    home = house(4)
    processes = []

    def make(command=SERVE, **settings):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PHIBOT_")}
        chosen = {f"PHIBOT_{name.upper()}": str(value) for name, value in settings.items()}

        def open_engine():
            engine = EngineProcess(command, KNOWN, environment=clean | chosen, patience=QUICK, most_failed_loads=2)
            processes.append(engine)
            return engine

        model = OnDemandEngine("a", open_engine, KNOWN, home.room, need_bytes=GB)
        home.models.append(model)
        return model

    make.processes = processes
    return make


async def test_a_process_that_dies_once_loaded_is_replaced_and_the_model_stays_in(in_process):
    model = in_process(engine="echo")
    await model.ready()
    [process] = in_process.processes
    os.kill(process.pid, signal.SIGKILL)
    request = GenerationRequest((1361, *range(300, 310), 1362, 1360), 100, frozenset(range(1359, 1364)))
    async with asyncio.timeout(40), aclosing(model.generate(request)) as chunks:
        assert [token async for chunk in chunks for token in chunk.ids] == list(range(300, 310))
    assert (process.restarts, len(in_process.processes)) == (1, 1)


async def test_a_process_that_keeps_dying_while_it_loads_is_given_up(in_process):
    model = in_process([sys.executable, "-c", "import os; os.abort()"])
    async with asyncio.timeout(40):
        with pytest.raises(ModelNotLoaded, match="2 processes died while loading"):
            await model.ready()
    assert model.loading.stage == UNLOADED
    assert in_process.processes[0].pid is None


async def test_one_that_was_loaded_once_and_keeps_dying_since_is_given_up_as_well(in_process, tmp_path):
    once = f"""
import os, pathlib, sys
try:
    pathlib.Path({str(tmp_path / "loaded")!r}).touch(exist_ok=False)
except FileExistsError:
    os.abort()
os.execv(sys.executable, {[sys.executable, *SERVE[1:]]!r})
"""
    model = in_process([sys.executable, "-c", once], engine="echo")
    await model.ready()
    os.kill(in_process.processes[0].pid, signal.SIGKILL)
    async with asyncio.timeout(40):
        while model.loading is None:  # until its death is known
            await asyncio.sleep(0.01)
    async with asyncio.timeout(40):
        with pytest.raises(ModelNotLoaded, match="2 processes died while loading"):
            await model.ready()
    assert [process.pid for process in in_process.processes] == [None, None]


async def test_unloading_ends_the_process(in_process, house):
    model = in_process(engine="echo")
    await model.ready()
    pid = in_process.processes[0].pid
    await model.unload()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# Figures --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free_gb", "expected"), [(64, 4), (32, 4), (16, 2), (12, 1), (4, 1), (None, 1)])
def test_the_kv_cache_of_each_leaves_room_for_another_model_beside_it(tmp_path, free_gb, expected):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        with (folder / "openvino_model.bin").open("wb") as file:
            file.truncate(int(2.8 * GB))  # a hole: it takes no room on the disk
    kv_cache_gb = shared_kv_cache_gb(free_gb and free_gb * GB, folders)
    assert kv_cache_gb == expected
    assert need_bytes(folders[0], kv_cache_gb) == int(2.8 * GB) + (expected + 1) * GB
    if free_gb and free_gb > 10:
        assert 2 * need_bytes(folders[0], kv_cache_gb) <= free_gb * GB


def test_a_model_that_can_never_be_loaded_takes_nothing_from_the_others(tmp_path):
    for name, size_gb in (("a", 2.8), ("b", 2.8), ("huge", 5000)):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "openvino_model.bin").open("wb") as file:
            file.truncate(int(size_gb * GB))
    small = [tmp_path / "a", tmp_path / "b"]
    assert shared_kv_cache_gb(16 * GB, [*small, tmp_path / "huge"]) == shared_kv_cache_gb(16 * GB, small) == 2
    assert shared_kv_cache_gb(1 * GB, [tmp_path / "huge"]) == 1


async def test_the_devices_memory_is_told_by_another_process():
    memory = await ask_device_memory("GPU.7", "CPU", os.environ)
    assert memory.device == "CPU"
    assert 64 * 2**20 < memory.at_first_bytes < 2**50
    assert 64 * 2**20 < memory.free_bytes() < 2**50


async def test_a_process_that_cannot_tell_the_devices_memory_is_not_the_end(tmp_path):
    memory = await ask_device_memory("GPU.0", "CPU", {"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path)})
    assert memory.device == "CPU"
    assert memory.free_bytes() > 64 * 2**20


def test_a_device_with_memory_of_its_own_is_asked_once():
    assert DeviceMemory("GPU.1", 16 * GB).free_bytes() == 16 * GB
