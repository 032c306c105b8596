"""Places that go away while an answer is on its way, in each kind of place, and a Discord that is down at its end."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.messages import TurnState
from bot.frontends.discord.pace import Timing
from bot.playground.channels import delete_channel
from bot.playground.permissions import Permission
from bot.texts import ANSWER_FILE, RUNNING_MARK, text

LONG = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(40)).strip()  # seven messages
PLACES = ("server", "closed_channel", "direct", "abroad")


@pytest.fixture(params=PLACES)
def place(world, request):
    """Return a kind of place, and a channel of it: a server's, one without room for the bot's own messages, …"""
    if request.param == "direct":
        return request.param, world.ada.dm()
    if request.param == "abroad":
        elsewhere = world.discord.add_guild("Elsewhere", with_bot=False)
        world.discord.join(world.ada.user, elsewhere)
        world.discord.bot.installed_by.add(world.ada.user.id)
        return request.param, world.discord.add_channel(elsewhere, "general")
    if request.param == "closed_channel":
        role = world.discord.bot_role(world.guild)
        world.discord.state.set_overwrite(world.channel, role, deny=Permission.SEND_MESSAGES)
    return request.param, world.channel


async def is_asked(world, channel):
    """Return a question to /ask, and its answer, of which the beginning is shown."""
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(channel, "ask", question="why?")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    return used, answer


async def test_an_interaction_that_expired_before_it_came_is_answered_where_the_bot_may_write(world, place):
    kind, channel = place
    await world.start()
    fault = world.discord.faults.add(path=r"/callback$", times=None, status=404, code=10062)
    used = await world.ada.slash(channel, "ask", question="why?")
    await world.discord.until(lambda: fault.hits)
    if kind in ("server", "direct"):
        posted = await world.discord.wait_for(lambda message: text("command.too_late") in message.content)
        assert posted.channel_id == channel.id
    else:  # there is no way left to say anything; the next command finds the bot as it was
        await world.discord.until(lambda: world.discord.log.of("POST", rf"/channels/{channel.id}/messages"))
    assert world.chat.questions == []
    world.discord.faults.clear()
    used = await world.ada.slash(channel, "ask", question="again?")
    await world.discord.until(lambda: used.responses and used.responses[0].content == "You said: again?")


async def test_an_interaction_that_expires_in_the_middle_loses_no_answer_where_the_bot_may_write(world, place):
    kind, channel = place
    used, answer = await is_asked(world, channel)
    used.created_at -= 16 * 60
    world.chat.say(answer, "One two")
    if kind != "abroad":  # its own message it may edit everywhere that it sees
        world.chat.end(answer)
        await world.sees("One two")
    await world.frontend.finish_writers(5)
    assert (answer.ending is TurnState.STOPPED) == (kind == "abroad")


@pytest.mark.parametrize("place", ["server", "closed_channel", "abroad"], indirect=True)
async def test_a_channel_that_is_deleted_in_the_middle_stops_the_generation(world, place):
    _, channel = place
    _, answer = await is_asked(world, channel)
    delete_channel(world.discord.state, channel)
    world.discord.faults.add(path="/webhooks/", times=None, status=404, code=10003)
    world.chat.say(answer, "One two")
    await world.frontend.finish_writers(5)
    assert answer.ending is TurnState.STOPPED


async def test_a_channel_that_is_deleted_below_an_answer_to_a_message_stops_the_generation(world):
    world.chat.answers_itself = False
    await world.start()
    thread = world.ada.open_thread(world.channel, "More")
    await world.ada.say(thread, "<@bot> hi")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    delete_channel(world.discord.state, thread)
    world.chat.say(answer, "One two")
    await world.frontend.finish_writers(5)
    assert answer.ending is TurnState.STOPPED


async def test_a_permission_lost_in_the_middle_leaves_an_answer_to_ask_whole(world):
    used, answer = await is_asked(world, world.channel)
    role = world.discord.bot_role(world.guild)
    world.discord.state.set_overwrite(world.channel, role, deny=Permission.SEND_MESSAGES)
    world.chat.say(answer, "word " * 900)
    world.chat.end(answer)
    await world.frontend.finish_writers(5)
    shown = "".join(message.content for message in used.responses)
    assert "".join(shown.split()) == "word" * 900


@pytest.mark.parametrize("how", [{"status": 503}, {"close_connection": True}])
async def test_a_minute_without_discord_at_the_end_of_a_long_answer_costs_nothing(world, how):
    """The minute lasts 0.6 s here, and the pauses between the tries are as many times shorter."""
    in_small = replace(world.quick, final_retries_s=tuple(pause_s / 100 for pause_s in Timing().final_retries_s))
    world.chat.answers_itself = False
    await world.start(timing=in_small, max_messages=3)
    question = await world.ada.say(world.channel, "<@bot> all of it")
    answer = await world.asked()
    world.chat.say(answer, LONG[:3000])
    await world.discord.until(lambda: len(world.discord.answer_so_far(question)) == 2)
    outage = world.discord.faults.add(times=None, **how)
    world.discord.faults.refuse_gateway = 3
    world.discord.gateway.drop()
    world.chat.say(answer, LONG)
    world.chat.end(answer)
    await asyncio.sleep(0.6)
    assert outage.hits > 3
    world.discord.faults.clear()
    await world.frontend.finish_writers(10)
    shown = world.discord.answer_so_far(question)
    assert [[file.filename for file in message.attachments] for message in shown] == [[], [], [ANSWER_FILE]]
    assert shown[-1].attachments[0].content.decode() == LONG
    assert not any(RUNNING_MARK.strip() in message.content for message in shown)
