"""Rate limits and ordered faults, as the real discord.py meets them."""

import asyncio

import aiohttp
import discord
import pytest

from bot.playground import Playground
from bot.playground.ratelimits import Limit, RateLimits
from bot.playground.rest.call import CHANNEL_MESSAGES
from discord_over_loopback import Listener, running


async def send_raw(playground, channel, content="x"):
    headers = {"Authorization": f"Bot {playground.token}"}
    url = f"{playground.api_url}/channels/{channel.id}/messages"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json={"content": content}) as response,
    ):
        return response.status, response.headers, await response.json()


async def test_the_sixth_message_within_five_seconds_is_refused(timed_home, clock) -> None:
    discord_, channel = timed_home.discord, timed_home.channel
    for left in (4, 3, 2, 1, 0):
        status, headers, _ = await send_raw(discord_, channel)
        assert (status, headers["X-RateLimit-Remaining"]) == (200, str(left))
        assert headers["Content-Type"] == "application/json"
    clock.now += 2
    status, headers, body = await send_raw(discord_, channel)
    assert status == 429
    assert headers["Via"]
    assert body["retry_after"] == pytest.approx(3.0)
    assert body["global"] is False
    clock.now += 3
    assert (await send_raw(discord_, channel))[0] == 200


async def test_channels_have_buckets_of_their_own_and_edits_share_with_sends(timed_home) -> None:
    discord_, channel = timed_home.discord, timed_home.channel
    other = discord_.add_channel(timed_home.guild, "other")
    client = Listener()
    async with running(client, discord_):
        sent = await client.get_channel(channel.id).send("1")
        await sent.edit(content="2")
    _, headers, _ = await send_raw(discord_, channel)
    assert headers["X-RateLimit-Remaining"] == "2"
    _, headers, _ = await send_raw(discord_, other)
    assert headers["X-RateLimit-Remaining"] == "4"


async def test_the_library_waits_out_a_429(home) -> None:
    home.discord.faults.add(method="POST", path=r"/messages$", status=429, retry_after_s=0.05)
    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("through")
    assert [call.status for call in home.discord.log.of("POST", "/messages$")] == [429, 200]


async def test_an_exhausted_bucket_is_refused_by_the_server(timed_home) -> None:
    timed_home.discord.limits.exhaust(CHANNEL_MESSAGES, str(timed_home.channel.id), timed_home.discord.token)
    assert (await send_raw(timed_home.discord, timed_home.channel))[0] == 429


def test_fifty_calls_a_second_are_the_most_over_all_routes(clock) -> None:
    limits = RateLimits(clock)
    verdicts = [limits.take(Limit("route", 1, 1.0), str(number), "token") for number in range(51)]
    assert [verdict.is_global for verdict in verdicts] == [False] * 50 + [True]
    assert verdicts[-1].headers["X-RateLimit-Scope"] == "global"
    clock.now += 1
    assert limits.take(Limit("route", 1, 1.0), "new", "token").retry_after_s is None


async def test_without_rate_limits_nothing_is_counted() -> None:
    async with Playground(rate_limits=False) as playground:
        channel = playground.add_channel(playground.add_guild("Home"), "general")
        for _ in range(7):
            status, headers, _ = await send_raw(playground, channel)
            assert status == 200
            assert "X-RateLimit-Remaining" not in headers


async def test_a_503_reaches_the_caller_at_once(home) -> None:
    home.discord.faults.add(method="POST", path="/messages", status=503)
    client = Listener()
    async with running(client, home.discord):
        with pytest.raises(discord.DiscordServerError):
            await client.get_channel(home.channel.id).send("lost")
    assert home.discord.history(home.channel) == []


async def test_a_cut_connection_reaches_the_caller(home) -> None:
    fault = home.discord.faults.add(method="PATCH", path=r"/messages/\d+$", times=2, close_connection=True)
    client = Listener()
    async with running(client, home.discord):
        sent = await client.get_channel(home.channel.id).send("a")
        with pytest.raises(aiohttp.ClientError):
            await sent.edit(content="b")
    assert fault.hits >= 1
    assert home.discord.history(home.channel)[0].content == "a"


async def test_a_lost_answer_leaves_its_effect_and_the_retry_makes_no_second_copy(home) -> None:
    home.discord.faults.add(method="POST", path="/messages", status=502, after_effect=True)
    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("once")
    assert [m.content for m in home.discord.history(home.channel)] == ["once"]
    assert [call.status for call in home.discord.log.of("POST", "/messages$")] == [502, 200]


async def test_a_lost_answer_without_a_nonce_leaves_two_copies(home) -> None:
    home.discord.faults.add(method="POST", path="/messages", status=502, after_effect=True)
    client = Listener()
    async with running(client, home.discord):
        route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=home.channel.id)
        await client.http.request(route, json={"content": "twice"})
    assert [m.content for m in home.discord.history(home.channel)] == ["twice", "twice"]


async def test_a_held_call_goes_on_when_released(home) -> None:
    gate = asyncio.Event()
    fault = home.discord.faults.add(path="/typing", hold=gate)
    client = Listener()
    async with running(client, home.discord):
        typing = asyncio.ensure_future(client.get_channel(home.channel.id).typing())
        await home.discord.until(lambda: fault.hits == 1)
        await client.get_channel(home.channel.id).send("not blocked")
        assert not typing.done()
        gate.set()
        await typing


async def test_faults_can_be_withdrawn(home) -> None:
    home.discord.faults.add(path="/messages", times=None, status=503)
    home.discord.faults.clear()
    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("fine")
