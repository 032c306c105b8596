"""Threads, deleted channels and deleted messages, between scripted people and the real discord.py."""

import asyncio

import discord
import pytest

from bot.playground.errors import ApiError
from bot.playground.model import MessageType
from bot.playground.permissions import Permission
from discord_over_loopback import Listener, running

THREADS = Permission.VIEW_CHANNEL | Permission.MANAGE_THREADS | Permission.CREATE_PRIVATE_THREADS


class Watcher(Listener):
    """Keeps the events about channels, threads and deletions, in the order they came."""

    def __init__(self) -> None:
        super().__init__()
        self.events = []
        self.news = asyncio.Event()

    def note(self, *event) -> None:
        self.events.append(event)
        self.news.set()

    async def on_raw_bulk_message_delete(self, payload) -> None:
        self.note("bulk", payload.message_ids)

    async def on_guild_channel_delete(self, channel) -> None:
        self.note("channel", channel.id)

    async def on_raw_thread_delete(self, payload) -> None:
        self.note("thread", payload.thread_id)

    async def on_thread_create(self, thread) -> None:
        self.note("new thread", thread.id)

    async def on_thread_join(self, thread) -> None:
        self.note("new thread", thread.id)

    async def on_raw_thread_update(self, payload) -> None:
        self.note("changed thread", payload.thread_id, payload.data["thread_metadata"]["archived"])

    async def on_guild_remove(self, guild) -> None:
        self.note("left", guild.id)

    async def sees(self, *event) -> None:
        async with asyncio.timeout(20):
            while event not in self.events:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def moderator(home):
    home.discord.grant(home.ada, home.guild, Permission.MANAGE_MESSAGES | Permission.MANAGE_CHANNELS | THREADS)
    return home.ada


@pytest.fixture
async def watcher(home):
    client = Watcher()
    async with running(client, home.discord):
        yield client


async def test_a_moderator_deletes_messages_of_others_one_by_one_and_many_at_once(home, watcher, moderator) -> None:
    grace = home.discord.person("Grace", home.guild)
    first, *rest = [await grace.say(home.channel, word) for word in ("one", "two", "three")]
    with pytest.raises(ApiError):
        await grace.delete_bulk(rest)
    await moderator.delete(first)
    await moderator.delete_bulk(rest)
    await watcher.sees("bulk", {message.id for message in rest})
    assert watcher.deleted == [first.id]
    assert home.discord.history(home.channel) == []
    with pytest.raises(ApiError):
        await moderator.delete_bulk([await grace.say(home.channel, "one is too few")])


async def test_a_deleted_channel_takes_its_threads_along_and_is_gone_for_everybody(home, watcher, moderator) -> None:
    thread = moderator.open_thread(home.channel, "aside")
    said = await moderator.say(thread, "here")
    await watcher.hear("here")
    moderator.delete_channel(home.channel)
    await watcher.sees("channel", home.channel.id)
    assert watcher.get_channel(home.channel.id) is None
    assert watcher.get_channel(thread.id) is None
    assert said.deleted
    for place in (home.channel, thread):
        with pytest.raises(discord.NotFound) as refusal:
            await watcher.get_partial_messageable(place.id).send("too late")
        assert refusal.value.code == 10003
    with pytest.raises(ApiError):
        await moderator.say(home.channel, "too late")


async def test_a_deleted_thread_is_told_of_and_its_channel_stays(home, watcher, moderator) -> None:
    thread = moderator.open_thread(home.channel, "aside")
    await watcher.sees("new thread", thread.id)
    moderator.delete_channel(thread)
    await watcher.sees("thread", thread.id)
    assert watcher.get_channel(home.channel.id) is not None


async def test_the_bot_opens_a_thread_on_a_message_and_one_without(home, watcher) -> None:
    message = await home.ada.say(home.channel, "a long matter")
    heard = await watcher.hear("a long matter")
    on_message = await heard.create_thread(name="matter")
    assert on_message.id == message.id
    await on_message.send("let us go on")
    with pytest.raises(discord.HTTPException) as refusal:
        await heard.create_thread(name="again")
    assert refusal.value.code == 160004
    alone = await watcher.get_channel(home.channel.id).create_thread(
        name="alone", type=discord.ChannelType.public_thread
    )
    note = home.discord.history(home.channel)[-1]
    assert (note.type, note.content) == (MessageType.THREAD_CREATED, "alone")
    assert alone.parent_id == home.channel.id
    with pytest.raises(discord.HTTPException) as refusal:
        await watcher.http.start_thread_without_message(alone.id, name="inside", auto_archive_duration=60, type=11)
    assert refusal.value.code == 50024


async def test_without_permission_the_bot_opens_no_thread_and_writes_in_none(home, watcher) -> None:
    state, role = home.discord.state, home.discord.bot_role(home.guild)
    thread = home.ada.open_thread(home.channel, "aside")
    message = await home.ada.say(home.channel, "hello")
    heard = await watcher.hear("hello")
    denied = Permission.CREATE_PUBLIC_THREADS | Permission.SEND_MESSAGES_IN_THREADS
    state.set_overwrite(home.channel, role, deny=denied)
    with pytest.raises(discord.Forbidden) as refusal:
        await heard.create_thread(name="no")
    assert refusal.value.code == 50013
    with pytest.raises(discord.Forbidden) as refusal:
        await watcher.get_partial_messageable(thread.id).send("no")
    assert refusal.value.code == 50013
    state.set_overwrite(home.channel, role, deny=Permission.VIEW_CHANNEL)
    for fetching in (heard.fetch(), watcher.fetch_channel(thread.id)):
        with pytest.raises(discord.Forbidden) as refusal:
            await fetching
        assert refusal.value.code == 50001
    assert not message.deleted


async def test_a_message_opens_an_archived_thread_again_but_an_edit_or_a_reaction_does_not(home, watcher) -> None:
    thread = home.ada.open_thread(home.channel, "aside")
    await watcher.sees("new thread", thread.id)
    place = watcher.get_channel(thread.id)
    sent = await place.send("hi")
    home.ada.archive(thread)
    await watcher.sees("changed thread", thread.id, True)
    for call in (sent.edit(content="no"), sent.add_reaction("👍")):
        with pytest.raises(discord.HTTPException) as refusal:
            await call
        assert (refusal.value.status, refusal.value.code) == (400, 50083)
    await place.send("awake")
    assert not thread.archived
    await watcher.sees("changed thread", thread.id, False)


async def test_a_locked_thread_takes_messages_of_moderators_alone(home, watcher, moderator) -> None:
    thread = moderator.open_thread(home.channel, "aside")
    await watcher.sees("new thread", thread.id)
    moderator.archive(thread, locked=True)
    with pytest.raises(discord.HTTPException) as refusal:
        await watcher.get_partial_messageable(thread.id).send("no")
    assert refusal.value.code == 50083
    await moderator.say(thread, "closed for good")
    with pytest.raises(discord.HTTPException) as refusal:
        await watcher.get_partial_messageable(thread.id).send("no")
    assert refusal.value.code == 160005


async def test_a_private_thread_is_seen_by_its_members_alone(home, watcher, moderator) -> None:
    grace = home.discord.person("Grace", home.guild)
    thread = moderator.open_thread(home.channel, "between us", is_private=True)
    await moderator.say(thread, "psst")
    assert not home.discord.state.sees(grace.user, thread)
    with pytest.raises(discord.Forbidden):
        await watcher.fetch_channel(thread.id)
    moderator.add_to_thread(thread, grace.user)
    moderator.add_to_thread(thread, home.discord.bot.user)
    await watcher.sees("new thread", thread.id)
    await grace.say(thread, "I am here")
    await watcher.hear("I am here")
    assert [message.content for message in watcher.heard] == ["I am here"]


async def test_the_bot_closes_its_own_thread_and_adds_people_to_it(home, watcher) -> None:
    grace = home.discord.person("Grace", home.guild)
    opened = await watcher.get_channel(home.channel.id).create_thread(
        name="ours", type=discord.ChannelType.public_thread
    )
    thread = home.discord.state.channels[opened.id]
    await opened.add_user(discord.Object(grace.user.id))
    assert grace.user.id in thread.member_ids
    await opened.edit(archived=True)
    assert thread.archived
    with pytest.raises(discord.Forbidden):
        await opened.edit(archived=False, locked=True)
    await opened.edit(archived=False)
    assert not thread.archived


async def test_the_bot_reads_a_message_that_somebody_replied_to(home, watcher) -> None:
    first = await home.ada.say(home.channel, "first")
    fetched = await watcher.get_partial_messageable(home.channel.id).fetch_message(first.id)
    assert fetched.content == "first"
    home.discord.state.set_overwrite(
        home.channel, home.discord.bot_role(home.guild), deny=Permission.READ_MESSAGE_HISTORY
    )
    with pytest.raises(discord.Forbidden) as refusal:
        await watcher.get_partial_messageable(home.channel.id).fetch_message(first.id)
    assert refusal.value.code == 50013


async def test_who_leaves_a_server_hears_no_more_of_it(home, watcher) -> None:
    home.discord.state.leave(home.discord.bot.user, home.guild)
    await watcher.sees("left", home.guild.id)
    assert watcher.get_guild(home.guild.id) is None
    with pytest.raises(discord.Forbidden) as refusal:
        await watcher.get_partial_messageable(home.channel.id).send("no")
    assert refusal.value.code == 50001
