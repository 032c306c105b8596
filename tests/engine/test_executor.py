"""ThreadedEngine with backends that the test steps itself: no reader waits for ever, and nothing is left behind."""

import asyncio
import functools
import queue
import threading
import time
from contextlib import aclosing
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bot.core.engine import Chunk, EngineInfo, GenerationRequest, Loading
from bot.core.messages import Finish
from bot.engine.backend import Event
from bot.engine.echo import Die, EchoBackend, Fail, Hang, Say
from bot.engine.executor import ThreadedEngine
from bot.errors import DeviceUnavailable, EngineDead, EngineFailed, PromptTooLong

INFO = EngineInfo("echo", "Echo-1", "none", 64, 2)
PROVISIONAL = EngineInfo("echo", "Echo-1", "GPU.0", 64, 2)


def request(*prompt_ids: int) -> GenerationRequest:
    return GenerationRequest(prompt_ids or (8,), 50, frozenset())


class Stepped:
    """A backend whose every step is a function that the test puts into `moves`; all else is written down."""

    def __init__(self, slots: int = 2) -> None:
        self.info = EngineInfo("stepped", "Stepped-1", "none", 64, slots)
        self.moves: queue.SimpleQueue = queue.SimpleQueue()
        self.calls: list[object] = []
        self.threads: set[int] = set()
        self.is_open = False

    def note(self, *call: object) -> None:
        self.calls.append(call)
        self.threads.add(threading.get_ident())

    def start(self, id, request):  # noqa: A002
        self.note("start", id)
        if len(request.prompt_ids) >= self.info.context_tokens:
            raise PromptTooLong(len(request.prompt_ids), self.info.context_tokens - 1)

    def cancel(self, id):  # noqa: A002
        self.note("cancel", id)

    def step(self, emit):
        self.note("step")
        if not self.is_open:
            self.moves.get(timeout=20)(emit)

    def close(self):
        self.note("close")

    async def do(self, move) -> object:
        """Let the next step be `move`; return what that returned, once the step has done it."""
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def step(emit):
            result = move(emit)
            loop.call_soon_threadsafe(done.set_result, result)

        self.moves.put(step)
        return await done

    async def say(self, event: Event) -> bool:
        return await self.do(lambda emit: emit(event))

    def let_go(self) -> None:
        """From now on steps do nothing, and so hold nobody up."""
        self.is_open = True
        self.moves.put(lambda _emit: None)


@pytest.fixture
async def running():
    """Return what starts an engine on a backend, ready; afterwards all are closed and have left nothing behind."""
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    engines = []

    async def start(backend) -> ThreadedEngine:
        engine = ThreadedEngine(lambda _report: backend, PROVISIONAL)
        engines.append((engine, backend))
        engine.start()
        await engine.ready()
        return engine

    yield start
    for engine, backend in engines:
        if isinstance(backend, Stepped):
            backend.let_go()
        await engine.aclose()
    for thread in set(threading.enumerate()) - threads:
        await asyncio.to_thread(thread.join, 10) if thread.name.startswith("engine") else None
    assert [thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("engine")] == []
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set()


async def read(engine, one):
    return [chunk async for chunk in engine.generate(one)]


def ids_of(chunks):
    return tuple(token for chunk in chunks for token in chunk.ids)


# Answers --------------------------------------------------------------------------------------------------------------


async def test_an_answer_comes_whole_and_its_last_chunk_alone_says_why_it_ended(running):
    engine = await running(EchoBackend(INFO, lambda _request: [Say((5, 6, 7))]))
    chunks = await read(engine, request())
    assert ids_of(chunks) == (5, 6, 7)
    assert [chunk.finish for chunk in chunks if chunk.finish] == [Finish.STOP]
    assert chunks[-1].finish is Finish.STOP


async def test_more_requests_than_slots_are_all_answered_and_in_order_of_arrival(running):
    backend = Stepped(slots=2)
    engine = await running(backend)
    readers = [asyncio.create_task(read(engine, request(number))) for number in range(4)]
    for number in range(1, 5):
        await backend.say(Event(number, (number,), Finish.STOP))
    assert [ids_of(await reader) for reader in readers] == [(1,), (2,), (3,), (4,)]
    starts = [call[1] for call in backend.calls if call[0] == "start"]
    assert starts == [1, 2, 3, 4]
    first_step = backend.calls.index(("step",))
    assert [call for call in backend.calls[:first_step] if call[0] == "start"] == [("start", 1), ("start", 2)]


async def test_a_slow_reader_gets_all_that_came_meanwhile_as_one_chunk(running):
    backend = Stepped()
    engine = await running(backend)
    chunks = engine.generate(request())
    first = asyncio.ensure_future(anext(chunks))
    await backend.say(Event(1, (5,)))
    assert await first == Chunk((5,))
    for token in (6, 7, 8):
        await backend.say(Event(1, (token,)))
    await backend.say(Event(1, (9,), Finish.LENGTH))
    assert [chunk async for chunk in chunks] == [Chunk((6, 7, 8, 9), Finish.LENGTH)]


async def test_between_the_first_token_and_the_end_what_comes_is_gathered_for_as_long_as_asked(running):
    backend = Stepped()
    engine = await running(backend)
    chunks = engine.generate(replace(request(), stream_interval_s=3600))
    first = asyncio.ensure_future(anext(chunks))
    await backend.say(Event(1, (5,)))
    assert await first == Chunk((5,))
    rest = asyncio.ensure_future(anext(chunks))
    for token in (6, 7, 8):
        await backend.say(Event(1, (token,)))
    assert not rest.done()
    await backend.say(Event(1, (9,), Finish.STOP))
    assert await rest == Chunk((6, 7, 8, 9), Finish.STOP)
    await chunks.aclose()


async def test_what_was_gathered_is_handed_over_in_time_although_nothing_more_comes(running):
    engine = await running(EchoBackend(INFO, lambda _request: [Say((5, 6, 7)), Hang()]))
    began_s = time.monotonic()
    got, times_s = [], []
    async with asyncio.timeout(20), aclosing(engine.generate(replace(request(), stream_interval_s=0.1))) as chunks:
        async for chunk in chunks:
            got.extend(chunk.ids)
            times_s.append(time.monotonic() - began_s)
            if len(got) == 3:
                break
    assert got == [5, 6, 7]
    assert times_s[-1] - times_s[0] > 0.09


async def test_what_was_gathered_still_comes_before_a_failure(running):
    engine = await running(EchoBackend(INFO, lambda _request: [Say((5, 6, 7)), Fail()]))
    chunks = engine.generate(replace(request(), stream_interval_s=3600))
    assert (await anext(chunks)).ids + (await anext(chunks)).ids == (5, 6, 7)
    with pytest.raises(EngineFailed):
        await anext(chunks)


async def test_an_empty_last_event_still_ends_the_answer(running):
    backend = Stepped()
    engine = await running(backend)
    reader = asyncio.create_task(read(engine, request()))
    await backend.say(Event(1, finish=Finish.STOP))
    assert await reader == [Chunk((), Finish.STOP)]


async def test_the_event_loop_runs_between_two_steps(running):
    backend, turns, at_start, at_end = Stepped(), 0, [], []
    engine = await running(backend)

    def step(_emit):
        at_start.append(turns)
        time.sleep(0.002)  # the work that keeps the loop waiting
        at_end.append(turns)

    reader = asyncio.create_task(read(engine, request()))
    for _ in range(20):
        backend.moves.put(step)
    done = asyncio.create_task(backend.say(Event(1, finish=Finish.STOP)))
    while not done.done():
        turns += 1
        await asyncio.sleep(0)
    await reader
    assert all(begun - ended >= 5 for ended, begun in zip(at_end, at_start[1:], strict=False))


async def test_one_thread_alone_ever_touches_the_backend(running):
    backend = Stepped()
    engine = await running(backend)
    async with aclosing(engine.generate(request())) as chunks:
        first = asyncio.ensure_future(anext(chunks))
        await backend.say(Event(1, (5,)))
        await first
    second = asyncio.create_task(read(engine, request()))
    await backend.do(lambda _emit: None)
    await backend.say(Event(2, (5,), Finish.STOP))
    await second
    await engine.aclose()
    assert {call[0] for call in backend.calls} == {"start", "step", "cancel", "close"}
    assert len(backend.threads) == 1
    assert backend.threads != {threading.get_ident()}


# Readers that leave ---------------------------------------------------------------------------------------------------


async def test_closing_the_reader_cancels_in_the_backend_and_frees_the_slot(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    async with aclosing(engine.generate(request())) as chunks:
        first = asyncio.ensure_future(anext(chunks))
        await backend.say(Event(1, (5,)))
        await first
    second = asyncio.create_task(read(engine, request()))
    await backend.say(Event(1, (6,)))  # the step that was under way when the reader left
    await backend.say(Event(2, (7,), Finish.STOP))
    assert ids_of(await second) == (7,)
    assert backend.calls.index(("cancel", 1)) < backend.calls.index(("start", 2))


async def test_cancelling_the_readers_task_does_the_same(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    reader = asyncio.create_task(read(engine, request()))
    await backend.say(Event(1, (5,)))
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    second = asyncio.create_task(read(engine, request()))
    await backend.do(lambda _emit: None)  # the step that was under way when the reader left
    assert await backend.say(Event(1, (6,))) is False
    await backend.say(Event(2, (7,), Finish.STOP))
    assert ids_of(await second) == (7,)
    assert ("cancel", 1) in backend.calls


async def test_the_backend_is_told_that_nobody_wants_it_while_it_still_steps(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    loop, is_told, has_left, told = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), []

    def step(emit):
        told.append(emit(Event(1, (5,))))
        loop.call_soon_threadsafe(is_told.set)
        has_left.wait(20)
        told.append(emit(Event(1, (6,))))

    reader = engine.generate(request())
    first = asyncio.ensure_future(anext(reader))
    backend.moves.put(step)
    assert await first == Chunk((5,))
    await is_told.wait()
    await reader.aclose()
    has_left.set()
    await backend.do(lambda _emit: None)
    assert told == [True, False]


async def test_who_leaves_while_waiting_for_a_slot_never_starts(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    first, second, third = (asyncio.create_task(read(engine, request())) for _ in range(3))
    await backend.say(Event(1, (5,)))
    second.cancel()
    await asyncio.wait([second])
    await backend.say(Event(1, finish=Finish.STOP))
    await backend.say(Event(3, (7,), Finish.STOP))
    assert [ids_of(await reader) for reader in (first, third)] == [(5,), (7,)]
    assert ("start", 2) not in backend.calls


async def test_an_answer_that_nobody_reads_any_more_harms_nobody(running):
    engine = await running(
        EchoBackend(INFO, lambda one: [Say((5,)), Hang()] if one.prompt_ids == (1,) else [Say((6,))])
    )
    for _ in range(5):
        async with aclosing(engine.generate(request(1))) as chunks:
            assert await anext(chunks) == Chunk((5,))
        assert ids_of(await read(engine, request(2))) == (6,)


# Failures -------------------------------------------------------------------------------------------------------------


async def test_a_failed_request_raises_in_its_reader_after_what_it_said_and_others_go_on(running):
    def script(one):
        return [Say((5,)), Fail()] if one.prompt_ids == (1,) else [Say((6, 7, 8))]

    engine = await running(EchoBackend(INFO, script))
    other = asyncio.create_task(read(engine, request(2)))
    chunks = engine.generate(request(1))
    assert await anext(chunks) == Chunk((5,))
    with pytest.raises(EngineFailed):
        await anext(chunks)
    assert ids_of(await other) == (6, 7, 8)


async def test_a_refused_start_raises_in_its_reader_alone(running):
    engine = await running(EchoBackend(INFO, lambda _request: [Say((6,))]))
    other = asyncio.create_task(read(engine, request(2)))
    with pytest.raises(PromptTooLong):
        await read(engine, request(*range(64)))
    assert ids_of(await other) == (6,)


def raising(error, _emit):
    raise error


@pytest.mark.parametrize("error", [EngineDead("the card fell off the bus"), ZeroDivisionError("the card")])
async def test_the_backends_death_reaches_every_reader_running_waiting_or_later(running, error):
    backend = Stepped(slots=1)
    engine = await running(backend)
    readers = [asyncio.create_task(read(engine, request())) for _ in range(3)]
    await backend.do(lambda _emit: None)
    with capture_logs() as logs:
        backend.moves.put(functools.partial(raising, error))
        deaths = await asyncio.gather(*readers, return_exceptions=True)
    with pytest.raises(EngineDead, match="the card"):
        await read(engine, request())
    with pytest.raises(EngineDead, match="the card"):
        await engine.ready()
    with pytest.raises(EngineDead, match="the card"):
        await engine.died()
    assert [type(death) for death in deaths] == [EngineDead] * 3
    assert len({id(death) for death in deaths}) == 3
    traces = [entry for entry in logs if entry.get("exc_info")]
    assert len(traces) == (0 if isinstance(error, EngineDead) else 1)
    assert backend.calls[-1] == ("close",)


async def test_closing_during_a_step_waits_for_it_and_tells_every_reader_at_once(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    readers = [asyncio.create_task(read(engine, request())) for _ in range(2)]
    is_stepping, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def step(emit):
        loop.call_soon_threadsafe(is_stepping.set)
        may_end.wait(20)
        assert emit(Event(1, (5,))) is False

    backend.moves.put(step)
    await is_stepping.wait()
    closing = asyncio.create_task(engine.aclose())
    results = await asyncio.gather(*readers, return_exceptions=True)
    assert [type(result) for result in results] == [EngineDead] * 2
    assert not closing.done()
    may_end.set()
    await closing
    assert backend.calls[-1] == ("close",)
    await engine.aclose()
    with pytest.raises(EngineDead):
        await read(engine, request())


async def test_a_closing_that_is_given_up_during_a_step_still_closes_the_backend_after_it(running):
    backend = Stepped(slots=1)
    engine = await running(backend)
    reader = asyncio.create_task(read(engine, request()))
    is_stepping, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def step(_emit):
        loop.call_soon_threadsafe(is_stepping.set)
        may_end.wait(20)

    backend.moves.put(step)
    await is_stepping.wait()
    closing = asyncio.create_task(engine.aclose())
    await asyncio.wait([reader])
    closing.cancel()
    await asyncio.wait([closing])
    may_end.set()
    with pytest.raises(EngineDead):
        await engine.died()
    assert closing.cancelled()
    assert isinstance(reader.exception(), EngineDead)
    assert backend.calls[-1] == ("close",)


async def test_an_engine_that_died_leaves_no_thread_even_before_it_is_closed(running):
    threads = set(threading.enumerate())
    engine = await running(EchoBackend(INFO, lambda _request: [Die()]))
    with pytest.raises(EngineDead):
        await read(engine, request())
    with pytest.raises(EngineDead):
        await engine.died()
    for thread in set(threading.enumerate()) - threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_closing_ends_an_answer_whose_reader_is_busy_elsewhere(running):
    backend = Stepped()
    engine = await running(backend)
    loop, is_stepping, may_go_on, told = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), []

    def step(emit):
        loop.call_soon_threadsafe(is_stepping.set)
        may_go_on.wait(20)
        told.append(emit(Event(1, (6,))))

    chunks = engine.generate(request())
    first = asyncio.ensure_future(anext(chunks))
    await backend.say(Event(1, (5,)))
    assert await first == Chunk((5,))
    backend.moves.put(step)
    await is_stepping.wait()
    closing = asyncio.create_task(engine.aclose())
    await asyncio.sleep(0)
    may_go_on.set()
    await closing
    assert told == [False]
    with pytest.raises(EngineDead):
        [_ async for _ in chunks]


async def test_a_backend_that_fails_to_close_is_logged_and_closed_all_the_same(running):
    class Stubborn(Stepped):
        def close(self):
            raise OSError("busy")

    engine = await running(Stubborn())
    with capture_logs() as logs:
        await engine.aclose()
    assert [entry["event"] for entry in logs] == ["engine_close_failed"]


async def test_an_engine_that_was_never_started_says_so_instead_of_waiting():
    engine = ThreadedEngine(lambda _report: EchoBackend(INFO), PROVISIONAL)
    with pytest.raises(EngineDead):
        await read(engine, request())
    with pytest.raises(EngineDead):
        await engine.ready()
    with pytest.raises(EngineDead):
        await engine.died()
    await engine.aclose()


# Loading --------------------------------------------------------------------------------------------------------------


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_loading_tells_its_stage_and_seconds_and_holds_up_neither_the_loop_nor_the_readers():
    clock, loop = Clock(), asyncio.get_running_loop()
    is_compiling, may_end = asyncio.Event(), threading.Event()

    def load(report):
        report("loading.compiling")
        loop.call_soon_threadsafe(is_compiling.set)
        may_end.wait(20)
        return EchoBackend(INFO, lambda _request: [Say((5,))])

    engine = ThreadedEngine(load, PROVISIONAL, last_load_s=12.5, clock=clock)
    engine.start()
    assert engine.loading == Loading("loading.starting", 0.0, 12.5)
    assert engine.info == PROVISIONAL
    await is_compiling.wait()
    clock.now_s += 3
    assert engine.loading == Loading("loading.compiling", 3.0, 12.5)
    early = asyncio.create_task(read(engine, request()))
    impatient = asyncio.create_task(engine.ready())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert engine.load_s is None
    clock.now_s += 4
    may_end.set()
    assert ids_of(await early) == (5,)
    await engine.ready()
    assert (engine.load_s, engine.loading, engine.info) == (7.0, None, INFO)
    await engine.aclose()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(DeviceUnavailable("no such card"), DeviceUnavailable), (ZeroDivisionError("no such card"), EngineDead)],
)
async def test_a_load_that_fails_tells_all_who_wait_for_it_why(raised, expected):
    engine = ThreadedEngine(functools.partial(raising, raised), PROVISIONAL)
    engine.start()
    reader = asyncio.create_task(read(engine, request()))
    for _ in range(2):
        with pytest.raises(expected, match="no such card"):
            await engine.ready()
    with pytest.raises(EngineDead, match="no such card"):
        await reader
    with pytest.raises(EngineDead, match="no such card"):
        await read(engine, request())
    with pytest.raises(expected, match="no such card"):
        await engine.died()
    assert engine.loading is None
    assert engine.load_s is None
    await engine.aclose()


async def test_closing_while_loading_gives_up_at_the_next_stage():
    loop, is_loading, may_go_on, stages = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), []

    def load(report):
        loop.call_soon_threadsafe(is_loading.set)
        may_go_on.wait(20)
        report("loading.compiling")
        stages.append("compiled")
        return EchoBackend(INFO)

    engine = ThreadedEngine(load, PROVISIONAL)
    engine.start()
    await is_loading.wait()
    reader = asyncio.create_task(read(engine, request()))
    closing = asyncio.create_task(engine.aclose())
    with pytest.raises(EngineDead):
        await engine.ready()
    with pytest.raises(EngineDead):
        await reader
    may_go_on.set()
    await closing
    assert stages == []


async def test_every_token_is_a_sign_of_life_even_within_one_long_step():
    now = [0.0]
    backend = Stepped()
    engine = ThreadedEngine(lambda _report: backend, PROVISIONAL, clock=lambda: now[0])
    engine.start()
    await engine.ready()
    assert engine.steps.current_s == 0

    def one_long_step(emit):
        now[0] += 100  # a long prompt is read
        emit(Event(1, (9,), Finish.STOP))
        now[0] += 5
        return engine.steps

    reading = asyncio.create_task(read(engine, request()))
    steps = await backend.do(one_long_step)
    assert (steps.current_s, steps.longest_s) == (5, 100)
    assert ids_of(await reading) == (9,)
    await engine.aclose()
