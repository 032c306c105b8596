"""The event loop's lag, measured on the loop itself."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from bot.ops.metrics import LoopLag


def value(registry, name, **labels):
    return registry.get_sample_value(f"phibot_loop_lag_seconds_{name}", labels)


async def until_measured(registry, count):
    while value(registry, "count") < count:
        await asyncio.sleep(0)


async def test_a_loop_that_was_held_up_shows_and_a_free_one_does_not():
    registry = CollectorRegistry()
    lag = LoopLag(registry, interval_s=0.01)
    lag.start()
    await until_measured(registry, 3)
    assert value(registry, "sum") < 0.1
    time.sleep(0.25)
    await until_measured(registry, 4)
    lag.stop()
    assert 0.2 <= value(registry, "sum") < 0.5
    assert value(registry, "bucket", le="0.1") == value(registry, "count") - 1


async def test_the_tasks_of_the_loop_are_counted_while_they_last():
    registry = CollectorRegistry()
    lag = LoopLag(registry)
    lag.start()
    before = registry.get_sample_value("phibot_loop_tasks")
    waiting = asyncio.create_task(asyncio.Event().wait())
    assert registry.get_sample_value("phibot_loop_tasks") == before + 1
    waiting.cancel()
    await asyncio.wait([waiting])
    assert registry.get_sample_value("phibot_loop_tasks") == before
    lag.stop()


async def test_a_stopped_one_measures_no_more():
    registry = CollectorRegistry()
    lag = LoopLag(registry, interval_s=0.001)
    lag.stop()
    lag.start()
    await until_measured(registry, 1)
    lag.stop()
    count = value(registry, "count")
    await asyncio.sleep(0.01)
    assert value(registry, "count") == count
