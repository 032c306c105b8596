"""The server itself: who may talk to it, what it remembers, and its helpers for waiting."""

import asyncio

import aiohttp
import pytest

from bot.playground import Playground
from bot.playground.model import MessageFlags
from bot.playground.posting import Draft, edit, post


def bot_says(home, content, *, channel=None, reply_to=None, flags=MessageFlags(0)):
    reference = None if reply_to is None else {"message_id": reply_to.id}
    draft = Draft(content=content, reference=reference, flags=flags)
    return post(home.discord.state, channel or home.channel, home.discord.bot.user, draft)


async def test_another_hosts_name_is_refused(home) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{home.discord.api_url}/gateway", headers={"Host": "evil.example"}) as response,
    ):
        assert response.status == 403


async def test_an_unknown_route_is_404_and_remembered() -> None:
    async with Playground() as playground, aiohttp.ClientSession() as session:
        async with session.get(f"{playground.api_url}/nowhere") as response:
            assert response.status == 404
            assert await response.json() == {"message": "404: Not Found", "code": 0}
        assert playground.unknown_routes == ["GET /api/v10/nowhere"]


async def test_a_body_that_is_no_json_is_refused(home) -> None:
    headers = {"Authorization": f"Bot {home.discord.token}", "Content-Type": "application/json"}
    url = f"{home.discord.api_url}/channels/{home.channel.id}/messages"
    async with aiohttp.ClientSession() as session, session.post(url, data="{", headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["code"] == 50109


async def test_closing_twice_is_fine_and_frees_the_port() -> None:
    playground = Playground()
    await playground.start()
    await playground.aclose()
    await playground.aclose()
    again = Playground(port=playground.port)
    await again.start()
    await again.aclose()


def test_snowflakes_grow_even_when_the_clock_stands_still(clock) -> None:
    state = Playground(clock=clock).state
    ids = [state.snowflake() for _ in range(1000)]
    assert ids == sorted(set(ids))


async def test_the_token_is_not_in_the_log(home) -> None:
    await home.ada.say(home.channel, "hi")
    assert home.discord.token not in repr(home.discord.log)


async def test_wait_for_sees_what_a_message_becomes(home) -> None:
    message = bot_says(home, "a")
    waiting = asyncio.create_task(home.discord.wait_for(lambda m: m.content == "b"))
    await asyncio.sleep(0)
    edit(home.discord.state, message, {"content": "b"}, None)
    assert await waiting is message
    with pytest.raises(TimeoutError):
        await home.discord.wait_for(lambda m: m.content == "c", timeout_s=0.01)


async def test_an_answer_is_its_reply_and_what_continues_it(home) -> None:
    question = await home.ada.say(home.channel, "tell me")
    other = await home.ada.say(home.channel, "me too")
    first = bot_says(home, "once", reply_to=question)
    second = bot_says(home, "upon")
    elsewhere = bot_says(home, "for you", reply_to=other)
    third = bot_says(home, "a time", reply_to=second)
    assert home.discord.answer_so_far(question) == [first, second, third]
    assert home.discord.answer_so_far(other) == [elsewhere]


async def test_what_only_one_person_sees_stands_between_no_two_messages_of_an_answer(home) -> None:
    question = await home.ada.say(home.channel, "tell me")
    first = bot_says(home, "once", reply_to=question)
    bot_says(home, "stopped").visible_to = home.ada.user.id
    second = bot_says(home, "upon")
    assert home.discord.answer_so_far(question) == [first, second]


async def test_an_answer_is_complete_when_no_message_of_it_has_the_mark(home) -> None:
    question = await home.ada.say(home.channel, "tell me")
    assert not home.discord.is_finished(question)
    first = bot_says(home, "once ▌", reply_to=question)
    assert not home.discord.is_finished(question)
    second = bot_says(home, "upon ▌")
    edit(home.discord.state, first, {"content": "once"}, None)
    assert not home.discord.is_finished(question)
    waiting = asyncio.create_task(home.discord.answer(question))
    edit(home.discord.state, second, {"content": "upon a time"}, None)
    assert [m.content for m in await waiting] == ["once", "upon a time"]


async def test_the_mark_alone_counts_as_running(home) -> None:
    question = await home.ada.say(home.ada.dm(), "hm")
    bot_says(home, " ▌", channel=home.ada.dm())
    assert not home.discord.is_finished(question)


async def test_a_settled_message_is_one_that_no_longer_changes(home) -> None:
    message = bot_says(home, "a")
    waiting = asyncio.create_task(home.discord.settled(message, quiet_s=0.05))
    await asyncio.sleep(0)
    edit(home.discord.state, message, {"content": "b"}, None)
    assert (await waiting).content == "b"
