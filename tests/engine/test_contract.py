"""What every Engine promises, of the one in this process and of the one behind HTTP."""

import asyncio
import threading
from contextlib import aclosing

import pytest

from bot.core.engine import Chunk, EngineInfo, GenerationRequest
from bot.core.messages import Finish, Sampling
from bot.engine.client import RemoteEngine
from bot.engine.echo import Die, EchoBackend, Fail, Hang, Say
from bot.errors import DeviceUnavailable, EngineDead, EngineFailed, PromptTooLong, StartError
from engine_over_http import INFO, PROVISIONAL, ask, ids_of, places, read


@pytest.fixture(params=["in this process", "over HTTP"])
async def make(request):
    """Return what starts an engine of either kind."""
    async with places() as here:

        async def make(load=None, script=None, **options):
            engine = here.engine(load, script, **options)
            if request.param == "in this process":
                return engine
            _, url = await here.server(engine)
            return here.remote(url)

        yield make


async def test_an_answer_comes_whole_and_its_last_chunk_alone_says_why_it_ended(make):
    engine = await make(script=lambda _request: [Say((5, 6, 7))])
    chunks = await read(engine, ask())
    assert ids_of(chunks) == (5, 6, 7)
    assert [chunk.finish for chunk in chunks if chunk.finish] == [Finish.STOP]
    assert chunks[-1].finish is Finish.STOP


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest((8, 9), 3, frozenset({1, 2})),
        GenerationRequest((8,), 7, frozenset(), Sampling(do_sample=True, temperature=0.7, top_p=0.9, seed=5)),
        GenerationRequest((8,), 7, frozenset({0}), Sampling(do_sample=True)),
        GenerationRequest((8,), 7, frozenset(), stream_interval_s=0.25),
    ],
)
async def test_what_is_asked_reaches_the_backend_unchanged(make, request_):
    reached = []
    engine = await make(script=lambda request: reached.append(request) or [Say((5,))])
    await read(engine, request_)
    assert reached == [request_]


async def test_the_answer_ends_where_its_room_does(make):
    engine = await make(script=lambda _request: [Say((5, 6, 7, 8))])
    chunks = await read(engine, ask(max_new_tokens=2))
    assert (ids_of(chunks), chunks[-1].finish) == ((5, 6), Finish.LENGTH)


async def test_the_answer_ends_where_the_window_does(make):
    engine = await make(script=lambda _request: [Say(tuple(range(5, 200)))])
    chunks = await read(engine, ask(*range(60)))
    assert (ids_of(chunks), chunks[-1].finish) == ((5, 6, 7, 8), Finish.LENGTH)


async def test_a_prompt_without_room_for_an_answer_is_refused_with_its_numbers(make):
    engine = await make()
    with pytest.raises(PromptTooLong) as caught:
        await read(engine, ask(*range(64)))
    assert caught.value.fields == {"tokens": 64, "limit_tokens": 63}


async def test_an_empty_prompt_fails_and_harms_nobody(make):
    engine = await make(script=lambda _request: [Say((5,))])
    with pytest.raises(EngineFailed):
        await read(engine, GenerationRequest((), 5, frozenset()))
    assert ids_of(await read(engine, ask())) == (5,)


async def test_more_requests_than_slots_are_all_answered(make):
    engine = await make(script=lambda request: [Say(request.prompt_ids * 3)], slots=2)
    answers = await asyncio.gather(*(read(engine, ask(number)) for number in range(20)))
    assert [ids_of(answer) for answer in answers] == [(number,) * 3 for number in range(20)]


async def test_a_failed_request_raises_after_what_it_said_and_others_go_on(make):
    engine = await make(script=lambda request: [Say((5, 6)), Fail()] if request.prompt_ids == (8,) else [Say((9,))])
    said = []
    with pytest.raises(EngineFailed):  # noqa: PT012 - what it said before counts
        async for chunk in engine.generate(ask(8)):
            said.extend(chunk.ids)
    assert said == [5, 6]
    assert ids_of(await read(engine, ask(9))) == (9,)


async def test_the_backends_death_reaches_every_reader_running_or_later(make):
    engine = await make(script=lambda request: [Say((5,)), Die()] if request.prompt_ids == (8,) else [Hang()])
    await engine.ready()
    other = asyncio.create_task(read(engine, ask(9)))
    with pytest.raises(EngineDead):
        await read(engine, ask(8))
    with pytest.raises(EngineDead):
        await other
    with pytest.raises(EngineDead):
        await read(engine, ask(9))
    with pytest.raises(EngineDead):
        await engine.ready()
    assert engine.loading is None


@pytest.mark.parametrize("has_said_something", [True, False])
async def test_a_reader_that_is_cancelled_frees_its_slot(make, has_said_something):
    begun = threading.Event()
    first = [Say((5,)), Hang()] if has_said_something else [Hang()]

    def script(request):
        begun.set()
        return first if request.prompt_ids == (8,) else [Say((9,))]

    engine = await make(script=script, slots=1)
    heard = asyncio.Event()

    async def listen():
        async with aclosing(engine.generate(ask(8))) as chunks:
            async for chunk in chunks:
                if chunk.ids:
                    heard.set()

    reader = asyncio.create_task(listen())
    await (heard.wait() if has_said_something else asyncio.to_thread(begun.wait, 10))
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert ids_of(await asyncio.wait_for(read(engine, ask(9)), 10)) == (9,)


async def test_closing_the_generator_frees_its_slot(make):
    engine = await make(
        script=lambda request: [Say((5,)), Hang()] if request.prompt_ids == (8,) else [Say((9,))], slots=1
    )
    async with aclosing(engine.generate(ask(8))) as chunks:
        async for chunk in chunks:
            if chunk.ids:
                break
    assert ids_of(await asyncio.wait_for(read(engine, ask(9)), 10)) == (9,)


async def test_closing_the_engine_ends_open_readers_and_later_ones(make):
    engine = await make(script=lambda _request: [Say((5,)), Hang()])
    chunks = engine.generate(ask())
    while not (await anext(chunks)).ids:
        pass
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    await engine.aclose()
    with pytest.raises(EngineDead):
        await waiting
    with pytest.raises(EngineDead):
        await read(engine, ask())
    with pytest.raises(EngineDead):
        await engine.ready()
    with pytest.raises(EngineDead):
        await engine.died()
    await engine.aclose()


async def test_while_it_loads_it_tells_how_far_and_requests_wait(make):
    stage_reported, may_go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def load(report):
        report("loading.compiling")
        loop.call_soon_threadsafe(stage_reported.set)
        may_go_on.wait(20)
        return EchoBackend(INFO, lambda _request: [Say((5,))])

    engine = await make(load, last_load_s=12.5)
    try:
        await stage_reported.wait()
        answer = asyncio.create_task(read(engine, ask()))
        while engine.loading.stage != "loading.compiling":
            await asyncio.sleep(0.01)
        assert engine.loading.last_time_s == 12.5
        assert engine.loading.elapsed_s >= 0
        assert engine.info == PROVISIONAL
        assert not answer.done()
    finally:
        may_go_on.set()
    assert ids_of(await answer) == (5,)
    await engine.ready()
    assert engine.loading is None
    assert engine.info == EngineInfo("echo", "Echo-1", "none", 64, 2)


async def test_a_load_that_fails_tells_all_who_wait_why(make):
    may_go_on = threading.Event()

    def load(_report):
        may_go_on.wait(20)
        raise DeviceUnavailable("there is no GPU.7")

    engine = await make(load)
    waiting = asyncio.create_task(engine.ready())
    asking = asyncio.create_task(read(engine, ask()))
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises((StartError, EngineDead), match=r"GPU\.7"):
        await waiting
    with pytest.raises(EngineDead, match=r"GPU\.7"):
        await asking
    assert engine.loading is None


async def test_a_chunk_is_the_cores_own(make):
    engine = await make(script=lambda _request: [Say((5,))])
    assert {type(chunk) for chunk in await read(engine, ask())} == {Chunk}


async def test_an_engine_that_was_never_started_says_so_instead_of_waiting():
    engine = RemoteEngine("http://127.0.0.1:9", None, PROVISIONAL)
    with pytest.raises(EngineDead, match="not started"):
        await engine.ready()
    with pytest.raises(EngineDead, match="not started"):
        await read(engine, ask())
    with pytest.raises(EngineDead, match="not started"):
        await engine.died()
    await engine.aclose()
