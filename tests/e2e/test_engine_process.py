"""The engine in a process of its own: killed, hanging, orphaned, and used from another process."""

import asyncio
import os
import re
import signal
import sys

import pytest

from bot.texts import RUNNING_MARK


def child_of(bot):
    """Return the process id of the newest engine process that the log tells of."""
    return int(re.findall(r"engine_process_ready.*?pid=(\d+)", plain(bot.log))[-1])


def plain(log):
    return re.sub(r"\x1b\[[0-9;]*m", "", log)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


async def gone(pid, timeout_s):
    async with asyncio.timeout(timeout_s):
        while is_alive(pid):
            await asyncio.sleep(0.05)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LOG = {"log_format": "console"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_engine_ends_with_the_bot_however_that_ends(bot, number):
    await bot.start(**LOG)
    await bot.until_logged("engine_process_ready")
    pid = child_of(bot)
    assert is_alive(pid)
    await bot.end(number)
    await gone(pid, 5)


async def test_an_answer_goes_on_where_it_was_when_the_engine_is_killed(discord, bot, channel, ada, tiny_model_dir):
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=3500, **LOG)
    await bot.until_logged("engine_process_ready")
    first_child = child_of(bot)
    question = await ada.say(channel, "<@bot> talk to me")
    async with bot.engine_suspended_beyond(100):
        first = await discord.wait_for(lambda m: m.content.endswith(RUNNING_MARK) and len(m.content) > 100)
        shown = first.content.removesuffix(RUNNING_MARK)
        os.kill(first_child, signal.SIGKILL)
    pieces = await discord.answer(question, timeout_s=100)
    assert first in pieces
    assert bot.rows("SELECT answer FROM turns")[0][0].strip().startswith(shown)  # which may be in two messages by now
    assert "3500 tokens" in pieces[-1].content
    assert "answer_asked_again" in bot.log
    assert child_of(bot) != first_child
    assert await bot.end() == 0


async def test_the_bot_answers_again_after_its_engine_was_killed_while_idle(bot, ask):
    await bot.start(**LOG)
    assert "Quorvex" in (await ask("my name is Quorvex"))[0]
    os.kill(child_of(bot), signal.SIGKILL)
    assert "Quorvex" in (await ask("what is my name?"))[0]
    assert await bot.end() == 0


async def test_the_bot_stays_on_one_processor_and_its_engine_may_use_all(bot, ask):
    await bot.start(**LOG)
    assert "Quorvex" in (await ask("my name is Quorvex"))[0]
    async with asyncio.timeout(10):  # now and then it is free to move
        while len(os.sched_getaffinity(bot.process.pid)) > 1:
            await asyncio.sleep(0.01)
    assert os.sched_getaffinity(child_of(bot)) == os.sched_getaffinity(0)


async def test_an_engine_in_the_bots_own_process_may_use_all_processors(bot, ask):
    await bot.start(**LOG, engine_process=False)
    assert "Quorvex" in (await ask("my name is Quorvex"))[0]
    # Its main thread, from which the others have it: OpenVINO binds threads of its own when it is busy.
    assert os.sched_getaffinity(bot.process.pid) == os.sched_getaffinity(0)
