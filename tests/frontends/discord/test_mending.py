"""What a process left half written in Discord because it was killed: the next one finishes it, or takes it away."""

import asyncio

import pytest

from bot.core.chat import MAX_ATTEMPTS
from bot.core.preferences import Preference
from bot.engine.echo import Hang, Say
from bot.errors import RestartedTooLate
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK


def from_bot(world):
    return [message for message in world.discord.history(world.channel) if message.author is world.discord.bot.user]


async def recorded(world):
    """Wait until the store has the end of every answer."""
    async with asyncio.timeout(10):
        while world.chat.status().running + world.chat.status().waiting:
            await asyncio.sleep(0.01)


async def kill(world, order=None):
    """End the frontend in the middle of its calls; those that an order holds never come to their end."""
    await world.stop()
    world.discord.faults.clear()
    if order is not None:
        order.hold.set()


async def test_an_answer_whose_last_edit_a_kill_prevented_is_shown_whole_and_not_asked_again(world, stack, heard):
    heard.may_end.clear()
    await stack(heard)
    question = await world.ada.say(world.channel, "<@bot> hi")
    half = await world.sees("answer 1" + RUNNING_MARK)
    order = world.discord.faults.add(method="PATCH", times=None, hold=asyncio.Event(), close_connection=True)
    heard.may_end.set()
    await recorded(world)
    await world.discord.until(lambda: order.hits)
    await kill(world, order)
    await stack(heard)
    await world.discord.until(lambda: half.content == "answer 1")
    assert world.discord.answer_so_far(question) == [half]
    assert len(heard.prompts) == 1


@pytest.mark.parametrize("was_posted", [False, True])
async def test_an_answer_that_a_kill_kept_from_being_posted_or_recorded_is_there_once(world, stack, heard, was_posted):
    await stack(heard)
    order = world.discord.faults.add(
        method="POST",
        path=r"/messages$",
        times=None,
        hold=asyncio.Event(),
        close_connection=True,
        after_effect=was_posted,
    )
    question = await world.ada.say(world.channel, "<@bot> hi")
    await world.discord.until(lambda: order.hits)
    await recorded(world)
    await kill(world, order)
    assert len(from_bot(world)) == was_posted
    await stack(heard)
    async with asyncio.timeout(10):
        while not (await world.chat.turn_of_message(question.id)).answer_message_ids:
            await asyncio.sleep(0.01)
    assert await world.said(question) == ["answer 1"]
    assert len(from_bot(world)) == 1
    assert len(heard.prompts) == 1


async def test_a_message_that_the_new_answer_does_not_need_and_no_process_recorded_is_taken_away(world, stack):
    await stack(lambda _request: [Say(stack.encode(" ".join(map(str, range(600))))), Hang()], max_new_tokens=3500)
    question = await world.ada.say(world.channel, "<@bot> hi")
    first = await world.discord.wait_for(lambda message: message.author is world.discord.bot.user)
    order = world.discord.faults.add(
        method="POST", path=r"/messages$", times=None, hold=asyncio.Event(), close_connection=True, after_effect=True
    )
    await world.discord.until(lambda: len(from_bot(world)) == 2)
    await world.ada.edit(question, "<@bot> be short")
    async with asyncio.timeout(10):
        while (await world.chat.turn_of_message(question.id)).question != "be short":
            await asyncio.sleep(0.01)
    await kill(world, order)
    [_, stray] = from_bot(world)
    await stack(lambda _request: [Say(stack.encode("short"))])
    await world.discord.until(lambda: stray.deleted)
    assert first.content == "short"
    assert from_bot(world) == [first]


async def test_what_somebody_deleted_or_is_still_written_is_left_alone(world, stack, heard):
    await stack(heard)
    question = await world.ada.say(world.channel, "<@bot> one")
    [deleted] = await world.discord.answer(question)
    world.discord.state.delete(deleted)
    async with asyncio.timeout(10):
        while (await world.chat.turn_of_message(question.id)).answer_message_ids:
            await asyncio.sleep(0.01)
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> two")
    running = await world.sees("answer 2" + RUNNING_MARK)
    await kill(world)
    heard.may_end.set()
    await stack(heard)
    await world.discord.until(lambda: not running.content.endswith(RUNNING_MARK))
    await world.frontend.finish_writers(5)
    assert from_bot(world) == [running]


async def test_where_the_bot_may_no_longer_read_the_next_process_serves_on(world, stack, heard):
    heard.may_end.clear()
    await stack(heard)
    await world.ada.say(world.channel, "<@bot> hi")
    await world.sees("answer 1" + RUNNING_MARK)
    await kill(world)
    heard.may_end.set()
    world.discord.state.set_overwrite(world.channel, world.discord.bot.user, deny=Permission.VIEW_CHANNEL)
    elsewhere = world.discord.add_channel(world.guild, "elsewhere")
    await stack(heard)
    question = await world.ada.say(elsewhere, "<@bot> again")
    assert (await world.said(question))[0].startswith("answer")


async def test_a_whole_answer_of_which_nothing_was_stored_is_not_taken_for_a_stray_message(world, stack, heard):
    await stack(heard)
    await world.said(await world.ada.say(world.channel, "<@bot> one"))
    await world.chat.preferences.choose(world.ada.user.id, Preference.NO_STORE, True)
    heard.may_end.clear()
    question = await world.ada.say(world.channel, "<@bot> two")
    half = await world.sees("answer 2" + RUNNING_MARK)
    await kill(world)
    heard.may_end.set()
    order = world.discord.faults.add(method="PATCH", path=r"/messages/", hold=asyncio.Event())
    looking = world.discord.faults.add(method="GET", path=r"/messages$", hold=asyncio.Event())
    await stack(heard)
    await recorded(world)
    await world.discord.until(lambda: order.hits and looking.hits)
    assert await world.chat.turn_of_message(question.id) is None
    looking.hold.set()
    order.hold.set()
    await world.discord.until(lambda: not half.content.endswith(RUNNING_MARK))
    await world.mended()
    assert half in from_bot(world)


async def test_what_was_given_up_is_told_once_and_with_its_reason(world, stack, heard):
    heard.may_end.clear()
    await stack(heard)
    question = await world.ada.say(world.channel, "<@bot> hi")
    for _ in range(MAX_ATTEMPTS):
        order = world.discord.faults.add(
            method="POST", path=r"/messages$", times=None, hold=asyncio.Event(), close_connection=True
        )
        await world.discord.until(lambda order=order: order.hits)
        await kill(world, order)
        world.discord.faults.clear()
        await stack(heard)
    await world.mended()
    assert [line.splitlines()[-1] for line in await world.said(question)] == [RestartedTooLate().user_message()]
    assert len(from_bot(world)) == 1
