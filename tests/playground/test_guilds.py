"""Servers that bots join and leave, and their outages, as the real discord.py sees them."""

import asyncio

import discord
import pytest

from bot.playground.guilds import give_role, set_available, set_role
from bot.playground.permissions import Permission
from discord_over_loopback import QuickClient, running


class Watcher(QuickClient):
    """Keeps what it hears of servers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.messages: asyncio.Queue[discord.Message] = asyncio.Queue()

    async def on_message(self, message: discord.Message) -> None:
        self.messages.put_nowait(message)

    async def hears_message(self) -> discord.Message:
        """Return the first message that was not taken yet."""
        return await asyncio.wait_for(self.messages.get(), 5)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self.heard.put_nowait(("join", guild.id))

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        self.heard.put_nowait(("remove", guild.id))

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self.heard.put_nowait(("available", guild.id))

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        self.heard.put_nowait(("unavailable", guild.id))

    async def on_member_update(self, _before: discord.Member, after: discord.Member) -> None:
        self.heard.put_nowait(("member", after.id))

    async def on_guild_role_update(self, _before: discord.Role, after: discord.Role) -> None:
        self.heard.put_nowait(("role", after.id))

    async def hears(self, *names: str) -> list[int]:
        """Return what the next events, which have these names, are about."""
        next_ones = [await asyncio.wait_for(self.heard.get(), 5) for _ in names]
        assert [name for name, _ in next_ones] == list(names)
        return [guild_id for _, guild_id in next_ones]


@pytest.fixture
async def watcher(home):
    client = Watcher()
    async with running(client, home.discord):
        assert await client.hears("available") == [home.guild.id]  # as at every start
        yield client


async def test_a_bot_that_leaves_a_server_hears_so_and_cannot_leave_it_again(home, watcher) -> None:
    guild = watcher.get_guild(home.guild.id)
    await guild.leave()
    assert await watcher.hears("remove") == [home.guild.id]
    assert home.discord.bot.user.id not in home.guild.members
    with pytest.raises(discord.NotFound) as refusal:
        await guild.leave()
    assert refusal.value.code == 10004


async def test_a_server_that_does_not_exist_or_is_ones_own_cannot_be_left(home, watcher) -> None:
    with pytest.raises(discord.NotFound) as missing:
        await watcher.http.leave_guild(1)
    assert missing.value.code == 10004
    home.guild.owner_id = home.discord.bot.user.id
    with pytest.raises(discord.HTTPException) as own:
        await watcher.http.leave_guild(home.guild.id)
    assert (own.value.status, own.value.code) == (400, 50055)


async def test_a_bot_that_comes_back_has_one_managed_role_as_before(home, watcher) -> None:
    state, bot = home.discord.state, home.discord.bot.user
    state.leave(bot, home.guild)
    assert [role.bot_id for role in home.guild.roles.values()] == [None]
    state.join(bot, home.guild, Permission.SEND_MESSAGES)
    assert await watcher.hears("remove", "join") == [home.guild.id] * 2
    assert watcher.get_guild(home.guild.id).self_role.id == home.discord.bot_role(home.guild).id


async def test_without_the_intent_a_bot_hears_of_its_own_roles_alone_and_of_what_they_grant(home, watcher) -> None:
    state, bot = home.discord.state, home.discord.bot.user
    role = state.add_role(home.guild, "helpers", Permission.MANAGE_MESSAGES)
    for user in (home.ada.user, bot):
        give_role(state, home.guild, user, role)
    assert await watcher.hears("member") == [bot.id]
    own = watcher.get_guild(home.guild.id).me
    assert own.guild_permissions.manage_messages
    set_role(state, home.guild, role, Permission.MANAGE_THREADS)
    assert await watcher.hears("role") == [role.id]
    assert (own.guild_permissions.manage_messages, own.guild_permissions.manage_threads) == (False, True)


async def test_an_outage_hides_a_server_and_its_events_until_it_is_over(home, watcher) -> None:
    state = home.discord.state
    set_available(state, home.guild, available=False)
    assert await watcher.hears("unavailable") == [home.guild.id]
    assert watcher.get_guild(home.guild.id).unavailable
    await home.ada.say(home.channel, "unheard")
    set_available(state, home.guild, available=True)
    assert await watcher.hears("available") == [home.guild.id]
    assert not watcher.get_guild(home.guild.id).unavailable
    await home.ada.say(home.channel, "heard")
    assert (await watcher.hears_message()).content == "heard"


async def test_a_server_in_an_outage_is_known_by_its_id_alone_at_the_start(home) -> None:
    set_available(home.discord.state, home.guild, available=False)
    client = Watcher()
    async with running(client, home.discord):
        await asyncio.wait_for(client.wait_until_ready(), 5)
        known = client.get_guild(home.guild.id)
        assert known.unavailable
        assert list(known.channels) == []
        set_available(home.discord.state, home.guild, available=True)
        assert await client.hears("available") == [home.guild.id]
        assert [channel.name for channel in known.channels] == ["general"]


async def test_a_server_tells_its_language_and_where_notices_go(home) -> None:
    home.guild.locale = "de"
    home.guild.system_channel_id = home.channel.id
    client = QuickClient()
    async with running(client, home.discord):
        await asyncio.wait_for(client.wait_until_ready(), 5)
        known = client.get_guild(home.guild.id)
        assert (str(known.preferred_locale), known.system_channel.name) == ("de", "general")
