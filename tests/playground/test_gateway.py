"""The gateway's protocol, driven by the real discord.py, and raw where the library hides it."""

import asyncio
import contextlib
import json
import time
import zlib

import aiohttp
import discord
import pytest

from bot.playground import Playground
from bot.playground.connection import HEARTBEAT_ACK_AFTER_S, CloseCode, Op
from bot.playground.model import Intents
from discord_over_loopback import Listener, QuickClient, point_discord_at, running


async def test_a_dropped_socket_is_resumed_and_missed_messages_are_replayed(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        home.discord.gateway.drop()
        await home.discord.until(lambda: not home.discord.gateway.connected(home.discord.bot))
        await home.ada.say(home.channel, "while you were away")
        await client.hear("while you were away")
        assert home.discord.gateway.resumes == 1
        assert home.discord.gateway.identifies == 1


async def test_op_7_makes_the_client_resume(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        home.discord.gateway.reconnect()
        await home.discord.until(lambda: home.discord.gateway.resumes == 1)
        await home.ada.say(home.channel, "still there?")
        await client.hear("still there?")


async def test_close_code_4000_is_resumed(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        home.discord.gateway.close(CloseCode.UNKNOWN_ERROR)
        await home.discord.until(lambda: home.discord.gateway.resumes == 1)


async def test_a_resumable_op_9_is_resumed(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        home.discord.gateway.invalidate(resumable=True)
        await home.discord.until(lambda: home.discord.gateway.resumes == 1)
        assert home.discord.gateway.identifies == 1


async def test_an_op_9_that_ends_the_session_makes_the_client_identify_anew(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        again = asyncio.create_task(client.wait_for("ready", timeout=10))
        await asyncio.sleep(0)
        home.discord.gateway.invalidate(resumable=False)
        await again
        assert home.discord.gateway.identifies == 2


async def test_a_duplicate_event_arrives_twice(home) -> None:
    client = Listener()
    home.discord.faults.duplicate["MESSAGE_CREATE"] = 1
    async with running(client, home.discord):
        await home.ada.say(home.channel, "echo")
        await home.ada.say(home.channel, "end")
        await client.hear("end")
    assert [m.content for m in client.heard] == ["echo", "echo", "end"]


async def test_a_malformed_event_ends_the_client_as_discord_py_does(home) -> None:
    client = Listener()
    with point_discord_at(home.discord.api_url, home.discord.gateway_url):
        async with client:
            await client.login(home.discord.token)
            connection = asyncio.create_task(client.connect())
            await client.wait_until_ready()
            home.discord.faults.malformed["MESSAGE_CREATE"] = {"channel_id": str(home.channel.id)}
            await home.ada.say(home.channel, "broken")
            with pytest.raises(KeyError):
                await connection


async def test_a_heartbeat_is_acknowledged_no_sooner_than_over_a_network(home) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(home.discord.gateway_url) as socket:
        await socket.receive_json()
        sent_s = time.monotonic()
        await socket.send_json({"op": 1, "d": None})
        assert (await socket.receive_json())["op"] == 11
    assert time.monotonic() - sent_s >= HEARTBEAT_ACK_AFTER_S


async def test_withheld_heartbeat_acks_make_the_client_come_back() -> None:
    async with Playground(heartbeat_interval_s=0.1) as playground:
        playground.add_guild("Home")
        playground.faults.withhold_heartbeat_acks = True
        async with running(Listener(heartbeat_timeout=0.4), playground):
            await playground.until(lambda: playground.gateway.heartbeats > 1)
            await playground.until(lambda: playground.gateway.resumes >= 1)
            playground.faults.withhold_heartbeat_acks = False


async def test_a_wrong_token_is_refused_at_login(home) -> None:
    with pytest.raises(discord.LoginFailure):
        async with running(QuickClient(), home.discord, token="wrong"):
            pass
    assert list(home.discord.log.statuses()) == [401]


async def test_a_token_that_went_bad_after_login_closes_with_4004(home) -> None:
    client = QuickClient()
    with point_discord_at(home.discord.api_url, home.discord.gateway_url):
        async with client:
            await client.login(home.discord.token)
            home.discord.state.applications.clear()
            with pytest.raises(discord.ConnectionClosed) as closed:
                await client.connect()
    assert closed.value.code == 4004


async def test_a_privileged_intent_that_the_portal_has_off_closes_with_4014(home) -> None:
    home.discord.bot.enabled_intents = Intents(0)
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with running(QuickClient(), home.discord):
            pass


async def test_members_come_in_chunks_when_asked_for(home) -> None:
    intents = discord.Intents.default()
    intents.members = True
    client = Listener(intents=intents)
    async with running(client, home.discord):
        guild = client.get_guild(home.guild.id)
        await guild.chunk(cache=True)
        assert {member.name for member in guild.members} == {"ada", "phibot", "home-owner"}
        late = asyncio.create_task(client.wait_for("member_join", timeout=20))
        await asyncio.sleep(0)
        home.discord.person("Grace", home.guild)
        assert (await late).name == "grace"


async def test_a_guild_joined_later_is_announced(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        joined = asyncio.create_task(client.wait_for("guild_join", timeout=20))
        await asyncio.sleep(0)
        away = home.discord.add_guild("Away")
        assert (await joined).id == away.id
        channel = home.discord.add_channel(away, "new")
        await home.discord.person("Ada", away).say(channel, "hello there")
        assert (await client.hear("hello there")).channel.name == "new"


async def test_the_presence_is_recorded(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        await client.change_presence(status=discord.Status.invisible)
        await home.discord.until(lambda: (home.discord.bot.presence or {}).get("status") == "invisible")


async def test_a_refused_connection_is_no_websocket(home) -> None:
    home.discord.faults.refuse_gateway = 1
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(home.discord.gateway_url)


@contextlib.asynccontextmanager
async def raw(playground, query=""):
    async with aiohttp.ClientSession() as session, session.ws_connect(playground.gateway_url + query) as socket:
        yield socket


async def closed_with(socket) -> int:
    while not socket.closed:
        await socket.receive(timeout=20)
    return socket.close_code


def identify(playground, **changes):
    return {"op": Op.IDENTIFY, "d": {"token": playground.token, "intents": 1, "properties": {}} | changes}


async def test_frames_are_one_zlib_stream_if_asked_for_and_text_otherwise(home) -> None:
    async with raw(home.discord, "?v=10&encoding=json&compress=zlib-stream") as socket:
        inflate = zlib.decompressobj()
        hello = await socket.receive_bytes()
        assert hello.endswith(b"\x00\x00\xff\xff")
        assert json.loads(inflate.decompress(hello))["op"] == Op.HELLO
        await socket.send_json(identify(home.discord))
        assert json.loads(inflate.decompress(await socket.receive_bytes()))["t"] == "READY"
    async with raw(home.discord) as socket:
        assert (await socket.receive_json())["op"] == Op.HELLO


@pytest.mark.parametrize(
    ("payloads", "code"),
    [
        (["no json"], 4002),
        ([{"op": Op.PRESENCE_UPDATE, "d": {}}], 4003),
        ([{"op": Op.IDENTIFY, "d": {"token": "wrong", "intents": 0}}], 4004),
        (["identify", "identify"], 4005),
        (["identify", {"op": 99, "d": {}}], 4001),
        ([{"op": Op.IDENTIFY, "d": {"intents": -1}}], 4013),
        ([{"op": Op.IDENTIFY, "d": {"shard": [2, 1]}}], 4010),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_closed_with_its_code(home, payloads, code) -> None:
    async with raw(home.discord) as socket:
        for payload in payloads:
            if payload == "identify":
                await socket.send_json(identify(home.discord))
            elif isinstance(payload, str):
                await socket.send_str(payload)
            else:
                changes = {"token": home.discord.token, "intents": 1} | payload["d"]
                await socket.send_json(payload | {"d": changes if payload["op"] == Op.IDENTIFY else payload["d"]})
        assert await closed_with(socket) == code


async def test_a_sequence_number_from_the_future_is_refused(home) -> None:
    async with raw(home.discord) as socket:
        await socket.receive_json()
        await socket.send_json(identify(home.discord))
        session = (await socket.receive_json())["d"]["session_id"]
    async with raw(home.discord) as socket:
        d = {"token": home.discord.token, "session_id": session, "seq": 99}
        await socket.send_json({"op": Op.RESUME, "d": d})
        assert await closed_with(socket) == CloseCode.INVALID_SEQ


async def test_an_unknown_session_is_answered_with_op_9(home) -> None:
    async with raw(home.discord) as socket:
        await socket.receive_json()
        await socket.send_json({"op": Op.RESUME, "d": {"token": home.discord.token, "session_id": "?", "seq": 0}})
        assert await socket.receive_json() == {"op": Op.INVALID_SESSION, "d": False, "s": None, "t": None}


async def test_more_than_120_sends_a_minute_are_too_many(home) -> None:
    async with raw(home.discord) as socket:
        for _ in range(121):
            await socket.send_json({"op": Op.HEARTBEAT, "d": None})
        assert await closed_with(socket) == CloseCode.RATE_LIMITED
