"""The process that talks to Discord stays on one processor; what it starts does not."""

import asyncio
import os
import sys
import threading
from contextlib import suppress

import pytest

from bot.ops import processor
from bot.ops.processor import on_all_processors, on_one_processor

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="there is nothing to choose"
)


@pytest.fixture
def allowed():
    return os.sched_getaffinity(0)


def processors_of_threads():
    found = set()
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found.add(frozenset(os.sched_getaffinity(int(thread))))
    return found


async def until_on_one():
    async with asyncio.timeout(10):
        while len(processors_of_threads()) > 1 or len(next(iter(processors_of_threads()))) > 1:
            await asyncio.sleep(0.01)


async def printed_by_child():
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    return (await child.communicate())[0].decode().strip()


async def test_all_threads_stay_on_one_processor_and_then_may_run_anywhere_again(allowed) -> None:
    told = threading.Event()
    thread = threading.Thread(target=told.wait)
    thread.start()
    try:
        async with on_one_processor():
            await until_on_one()
            [[processor_of_all]] = processors_of_threads()
            assert processor_of_all in allowed
            assert await asyncio.to_thread(os.sched_getaffinity, 0) == {processor_of_all}
        assert processors_of_threads() == {frozenset(allowed)}
    finally:
        told.set()
        thread.join()


async def test_what_it_starts_may_run_on_all_processors_if_it_is_told_so(allowed) -> None:
    async with on_one_processor():
        await until_on_one()
        [[one]] = processors_of_threads()
        assert await printed_by_child() == f"[{one}]"
        with on_all_processors():
            assert await printed_by_child() == str(sorted(allowed))
        assert os.sched_getaffinity(0) == {one}


async def test_it_leaves_a_processor_on_which_somebody_else_runs(allowed, monkeypatch) -> None:
    monkeypatch.setattr(processor, "STAY_S", 0.2)
    busy = []
    try:
        async with on_one_processor():
            await until_on_one()
            [[one]] = processors_of_threads()
            code = f"import os; os.sched_setaffinity(0, {{{one}}})\nfor _ in range(10**9): pass"
            with on_all_processors():
                busy.append(await asyncio.create_subprocess_exec(sys.executable, "-c", code))
            async with asyncio.timeout(20):
                while frozenset({one}) in processors_of_threads():
                    await asyncio.sleep(0.01)
    finally:
        for child in busy:
            child.kill()
            await child.wait()
