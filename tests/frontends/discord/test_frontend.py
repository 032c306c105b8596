"""The connection's life: refusals, drops, replays, restarts and the end."""

import asyncio

import pytest

from bot.errors import LoginRefused
from bot.playground.model import Intents
from bot.texts import text


class Gate(asyncio.Event):
    """Holds a call, and tells when one has come to it."""

    def __init__(self):
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self):
        self.reached.set()
        return await super().wait()


async def test_a_wrong_token_is_refused_in_one_sentence(world):
    frontend = world.build()
    with pytest.raises(LoginRefused, match="DISCORD_TOKEN") as refused:
        await frontend.run_until_closed("not.the.token")
    assert "\n" not in str(refused.value)
    assert "not.the.token" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "späth"])
async def test_a_token_that_cannot_even_be_sent_is_refused(world, token):
    frontend = world.build()
    with pytest.raises(LoginRefused, match="DISCORD_TOKEN"):
        await frontend.run_until_closed(token)


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013])
async def test_a_fatal_close_ends_in_one_sentence(world, code):
    await world.start()
    world.discord.gateway.close(code)
    with pytest.raises(LoginRefused) as refused:
        await world.task
    assert "\n" not in str(refused.value)
    world.task = None


async def test_without_the_intent_mentions_and_dms_are_served_and_status_says_what_is_off(world):
    world.discord.bot.enabled_intents = Intents(0)
    await world.start(free_channel_ids=frozenset({world.channel.id}))
    await world.ada.say(world.channel, "nobody can read this")
    question = await world.ada.say(world.channel, "<@bot> hi")
    [answer] = await world.discord.answer(question)
    assert answer.content == "You said: hi"
    assert await world.said(await world.ada.say(world.ada.dm(), "hello")) == ["You said: hello"]
    reply = await world.ada.say(world.channel, "and this?", reply_to=answer, ping=False)
    assert await world.said(reply) == [text("empty.withheld")]
    used = await world.ada.slash(world.channel, "status")
    [status] = await world.discord.answer(used)
    assert text("status.withheld") in status.content
    assert [question.text for question in world.chat.questions] == ["hi", "hello"]


async def test_a_message_that_comes_twice_is_answered_once(world):
    await world.start()
    world.discord.faults.duplicate["MESSAGE_CREATE"] = 1
    question = await world.ada.say(world.channel, "<@bot> hi")
    await world.said(question)
    await world.said(await world.ada.say(world.channel, "<@bot> again"))
    assert [question.text for question in world.chat.questions] == ["hi", "again"]


async def test_after_a_dropped_socket_what_was_missed_is_answered(world):
    await world.start()
    world.discord.gateway.drop()
    question = await world.ada.say(world.channel, "<@bot> did you miss this?")
    assert await world.said(question) == ["You said: did you miss this?"]


async def test_a_lost_session_is_replaced(world):
    await world.start()
    world.frontend.ready.clear()
    world.discord.gateway.invalidate(resumable=False)
    async with asyncio.timeout(20):
        await world.frontend.ready.wait()
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]


async def test_a_refused_first_socket_is_tried_again(world):
    world.discord.faults.refuse_gateway = 1
    await world.start()
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]


async def test_a_malformed_event_costs_a_connection_and_not_the_bot(world):
    await world.start()
    world.discord.faults.malformed["MESSAGE_CREATE"] = {"id": "1"}
    await world.ada.say(world.channel, "lost")
    await world.discord.until(lambda: not world.discord.gateway.connected(world.discord.bot))
    await world.discord.bot_connected()
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]


async def test_an_answer_goes_on_over_a_new_connection(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.discord.faults.malformed["MESSAGE_CREATE"] = {"id": "1"}
    await world.ada.say(world.channel, "breaks it")
    await world.discord.until(lambda: not world.discord.gateway.connected(world.discord.bot))
    await world.discord.bot_connected()
    world.chat.say(answer, "Still here.")
    world.chat.end(answer)
    assert await world.said(question) == ["Still here."]


async def test_no_network_at_the_start_is_waited_out(world):
    world.discord.faults.add(method="GET", path=r"/users/@me", times=2, close_connection=True)
    await world.start()
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]


async def test_closing_shows_the_bot_offline_and_ends_the_run(world):
    await world.start()
    await world.stop()
    assert world.discord.bot.presence["status"] == "invisible"
    assert not world.discord.gateway.connected(world.discord.bot)


async def test_closing_before_the_login_ends_the_run_as_well(world):
    login = Gate()
    world.discord.faults.add(method="GET", path=r"/users/@me", hold=login)
    frontend = world.build()
    running = asyncio.create_task(frontend.run_until_closed(world.discord.token))
    async with asyncio.timeout(20):
        await login.reached.wait()
        await frontend.close()
        await running
    login.set()


async def test_cancelling_the_run_closes_the_connection(world):
    await world.start()
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.task
    world.task = None
    await world.discord.until(lambda: not world.discord.gateway.connected(world.discord.bot))


async def test_answers_are_written_to_their_end_before_closing(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.frontend.begin_closing()
    world.chat.say(answer, "Just in time")
    world.chat.end(answer)
    await world.frontend.finish_writers(5)
    assert [message.content for message in world.discord.answer_so_far(question)] == ["Just in time"]
