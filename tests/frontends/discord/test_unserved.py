"""Servers that the admin does not serve: told one sentence, and left."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bot.playground.guilds import set_available
from bot.playground.permissions import Permission
from bot.texts import text

FAREWELL = text("unserved.leaving")
LEAVING = r"/users/@me/guilds/"


@pytest.fixture
def only_home(world):
    """Return what starts the bot so that it serves home alone."""

    async def start(**options):
        await world.start(allowed_guild_ids=frozenset({world.guild.id}), **options)

    return start


@pytest.fixture
def elsewhere(world):
    """Return a server that the bot is not in, with two channels, the second for Discord's notices."""
    guild = world.discord.add_guild("Elsewhere", with_bot=False)
    world.discord.add_channel(guild, "rules")
    guild.system_channel_id = world.discord.add_channel(guild, "welcome").id
    return guild


def channels(world, guild):
    return {channel.name: channel for channel in world.discord.state.guild_channels(guild)}


def said(world, guild):
    """Return what the bot has said in a server, by channel."""
    by_channel = {name: world.discord.history(channel) for name, channel in channels(world, guild).items()}
    return {name: [message.content for message in messages] for name, messages in by_channel.items() if messages}


def join(world, guild):
    world.discord.state.join(world.discord.bot.user, guild)


async def left(world, guild):
    await world.discord.until(lambda: world.discord.bot.user.id not in guild.members)


async def test_a_server_that_adds_the_bot_and_is_not_served_is_told_so_once_and_left(world, only_home, elsewhere):
    await only_home()
    with capture_logs() as logs:
        join(world, elsewhere)
        await left(world, elsewhere)
        await world.discord.until(lambda: world.discord.log.of("DELETE", LEAVING)[-1].status == 204)
        assert await world.said(await world.ada.say(world.channel, "<@bot> still here?")) == ["You said: still here?"]
    assert said(world, elsewhere) == {"welcome": [FAREWELL]}
    assert [entry["guild"] for entry in logs if entry["event"] == "guild_left"] == [elsewhere.id]
    assert world.discord.bot.user.id in world.guild.members


async def test_servers_found_at_the_start_are_left_too(world, only_home, elsewhere):
    more = world.discord.add_guild("More")
    world.discord.add_channel(more, "general")
    join(world, elsewhere)
    await only_home()
    for guild, channel in ((elsewhere, "welcome"), (more, "general")):
        await left(world, guild)
        assert said(world, guild) == {channel: [FAREWELL]}


async def test_without_a_list_every_server_is_served(world, elsewhere):
    join(world, elsewhere)
    await world.start()
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert world.discord.log.of("DELETE", LEAVING) == []


async def test_it_says_so_in_the_first_channel_that_it_may_write_in(world, only_home, elsewhere):
    join(world, elsewhere)
    role = world.discord.bot_role(elsewhere)
    seen = channels(world, elsewhere)
    world.discord.state.set_overwrite(seen["welcome"], role, deny=Permission.SEND_MESSAGES)
    world.discord.state.set_overwrite(seen["rules"], role, deny=Permission.VIEW_CHANNEL)
    world.discord.add_channel(elsewhere, "lounge")
    await only_home()
    await left(world, elsewhere)
    assert said(world, elsewhere) == {"lounge": [FAREWELL]}


async def test_where_a_channel_refuses_after_all_the_next_one_is_told(world, only_home, elsewhere):
    join(world, elsewhere)
    world.discord.faults.add(method="POST", path=f"/channels/{elsewhere.system_channel_id}/", status=403, code=50013)
    await only_home()
    await left(world, elsewhere)
    assert said(world, elsewhere) == {"rules": [FAREWELL]}


async def test_where_it_may_write_nowhere_it_leaves_without_a_word(world, only_home, elsewhere):
    join(world, elsewhere)
    for channel in channels(world, elsewhere).values():
        world.discord.state.set_overwrite(channel, elsewhere.everyone, deny=Permission.SEND_MESSAGES)
    with capture_logs() as logs:
        await only_home()
        await left(world, elsewhere)
        await world.discord.until(lambda: any(entry["event"] == "guild_left" for entry in logs))
    assert [entry["was_told"] for entry in logs if entry["event"] == "guild_left"] == [False]
    assert said(world, elsewhere) == {}


async def test_it_says_so_in_the_servers_language(world, only_home, elsewhere):
    elsewhere.locale = "de"
    await only_home()
    join(world, elsewhere)
    await left(world, elsewhere)
    assert said(world, elsewhere) == {"welcome": [text("unserved.leaving", "de")]}
    assert text("unserved.leaving", "de") != FAREWELL


async def test_an_event_that_discord_repeats_makes_no_second_farewell(world, only_home, elsewhere):
    await only_home()
    world.discord.faults.duplicate["GUILD_CREATE"] = 1
    join(world, elsewhere)
    await left(world, elsewhere)
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert said(world, elsewhere) == {"welcome": [FAREWELL]}


async def test_a_server_that_could_not_be_left_is_left_after_a_restart_and_hears_nothing_twice(
    world, only_home, elsewhere
):
    outage = world.discord.faults.add(method="DELETE", path=LEAVING, times=None, status=503)
    join(world, elsewhere)
    with capture_logs() as logs:
        await only_home()
        await world.discord.until(lambda: any(entry["event"] == "guild_not_left" for entry in logs))
    assert outage.hits == 1 + len(world.quick.sentence_retries_s)
    await world.stop()
    world.discord.faults.clear()
    await only_home()
    await left(world, elsewhere)
    assert said(world, elsewhere) == {"welcome": [FAREWELL]}


async def test_who_adds_it_again_is_told_again(world, only_home, elsewhere):
    await only_home()
    for times in (1, 2):
        join(world, elsewhere)
        await left(world, elsewhere)
        assert said(world, elsewhere) == {"welcome": [FAREWELL] * times}


async def test_a_server_that_is_unavailable_is_left_alone_until_it_is_back(world, only_home, elsewhere):
    join(world, elsewhere)
    set_available(world.discord.state, elsewhere, available=False)
    await only_home()
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert world.discord.log.of("DELETE", LEAVING) == []
    set_available(world.discord.state, elsewhere, available=True)
    await left(world, elsewhere)
    assert said(world, elsewhere) == {"welcome": [FAREWELL]}


async def test_an_outage_of_a_server_that_is_served_changes_nothing(world, only_home):
    await only_home()
    for available in (False, True):
        set_available(world.discord.state, world.guild, available=available)
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]
    assert world.discord.log.of("DELETE", LEAVING) == []


async def test_who_was_put_out_meanwhile_has_nothing_to_leave(world, only_home, elsewhere):
    may_go_on = asyncio.Event()
    world.discord.faults.add(method="POST", path=f"/channels/{elsewhere.system_channel_id}/", hold=may_go_on)
    await only_home()
    with capture_logs() as logs:
        join(world, elsewhere)
        await world.discord.until(lambda: world.discord.log.of("POST", rf"/channels/{elsewhere.system_channel_id}/"))
        world.discord.state.leave(world.discord.bot.user, elsewhere)
        may_go_on.set()
        await world.discord.until(lambda: world.discord.log.of("DELETE", LEAVING))
        await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert not [entry for entry in logs if entry["log_level"] == "error"]
    assert said(world, elsewhere) == {}


async def test_what_the_store_does_not_keep_is_known_until_the_end(world, only_home, elsewhere):
    await only_home()
    world.facts_fail = True
    world.discord.faults.duplicate["GUILD_CREATE"] = 1
    join(world, elsewhere)
    await left(world, elsewhere)
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert said(world, elsewhere) == {"welcome": [FAREWELL]}
