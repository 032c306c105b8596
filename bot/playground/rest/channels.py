"""Routes about channels: read, change, delete, typing, threads."""

from __future__ import annotations

from bot.playground import errors, payloads
from bot.playground.channels import add_to_thread, check_not_archived, delete_channel, open_thread, update_thread
from bot.playground.model import Channel, ChannelType, required
from bot.playground.permissions import Permission
from bot.playground.ratelimits import Limit
from bot.playground.rest.call import Answer, Call, Routes
from bot.playground.state import Event

routes = Routes()

NAME_LIMIT_CHARS = 100


@routes.add("GET", "/channels/{channel_id}", major="channel_id")
async def get_channel(call: Call) -> Answer:
    """Return a channel."""
    return payloads.channel(call.state, call.channel(), call.bot)


@routes.add("PATCH", "/channels/{channel_id}", limit=Limit("channel-patch", 5, 5.0), major="channel_id")
async def patch_channel(call: Call) -> Answer:
    """Change a channel's name or topic, or a thread's name and whether it is archived or locked."""
    channel = call.channel()
    name = _name(call) if "name" in call.form else None
    if channel.is_thread:
        _patch_thread(call, channel, name)
    else:
        call.channel(Permission.MANAGE_CHANNELS)
        channel.name, channel.topic = name or channel.name, call.form.get("topic", channel.topic)
        call.state.emit(Event("CHANNEL_UPDATE", channel=channel, guild=call.state.guild_of(channel)))
    return payloads.channel(call.state, channel, call.bot)


def _patch_thread(call: Call, thread: Channel, name: str | None) -> None:
    """Change a thread: its owner may, save for locking; anybody who may write there opens it again."""
    only_opens = set(call.form) == {"archived"} and not call.form["archived"] and not thread.locked
    if only_opens:
        call.channel(Permission.SEND_MESSAGES_IN_THREADS)
    elif thread.owner_id != call.bot.user.id or "locked" in call.form:
        call.channel(Permission.MANAGE_THREADS)
    if thread.archived and call.form.get("archived") is not False:
        raise errors.thread_archived()
    archived, locked = call.form.get("archived"), call.form.get("locked")
    update_thread(call.state, thread, archived=archived, locked=locked, name=name)


@routes.add("DELETE", "/channels/{channel_id}", limit=Limit("channel-delete", 5, 5.0), major="channel_id")
async def remove_channel(call: Call) -> Answer:
    """Delete a channel or a thread."""
    seen = call.channel()
    if seen.guild_id is None:
        raise errors.wrong_channel_type()
    channel = call.channel(Permission.MANAGE_THREADS if seen.is_thread else Permission.MANAGE_CHANNELS)
    shown = payloads.channel(call.state, channel, call.bot)
    delete_channel(call.state, channel)
    return shown


def _name(call: Call) -> str:
    name = call.form.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_LIMIT_CHARS:
        raise errors.invalid_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    return name


@routes.add("POST", "/channels/{channel_id}/typing", limit=Limit("typing", 5, 5.0), major="channel_id")
async def typing(call: Call) -> None:
    """Show "… is typing" for 10 s."""
    seen = call.channel()
    channel = call.channel(Permission.SEND_MESSAGES_IN_THREADS if seen.is_thread else Permission.SEND_MESSAGES)
    guild = call.state.guild_of(channel)
    member = guild.members[call.bot.user.id] if guild is not None else None
    extra = {"timestamp": int(call.state.clock())}
    call.state.emit(Event("TYPING_START", channel=channel, guild=guild, user=call.bot.user, member=member, extra=extra))


@routes.add(
    "POST", "/channels/{channel_id}/messages/{message_id}/threads", limit=Limit("threads", 5, 5.0), major="channel_id"
)
async def thread_from_message(call: Call) -> Answer:
    """Open a thread on a message; it takes the message's id."""
    channel = call.channel(Permission.CREATE_PUBLIC_THREADS)
    thread = open_thread(call.state, channel, _name(call), call.bot.user, on=call.message(channel))
    return 201, payloads.channel(call.state, thread, call.bot)


@routes.add("POST", "/channels/{channel_id}/threads", limit=Limit("threads", 5, 5.0), major="channel_id")
async def thread(call: Call) -> Answer:
    """Open a thread without a message; the channel gets a note of a public one."""
    is_private = call.form.get("type", ChannelType.PRIVATE_THREAD) == ChannelType.PRIVATE_THREAD
    channel = call.channel(Permission.CREATE_PRIVATE_THREADS if is_private else Permission.CREATE_PUBLIC_THREADS)
    opened = open_thread(call.state, channel, _name(call), call.bot.user, is_private=is_private)
    return 201, payloads.channel(call.state, opened, call.bot)


@routes.add("PUT", "/channels/{channel_id}/thread-members/@me", major="channel_id")
async def join_thread(call: Call) -> None:
    """Join a thread."""
    add_to_thread(call.state, _open_thread_of(call), call.bot.user)


@routes.add("PUT", "/channels/{channel_id}/thread-members/{user_id}", major="channel_id")
async def add_thread_member(call: Call) -> None:
    """Add somebody to a thread; he must be able to see its channel."""
    call.channel(Permission.SEND_MESSAGES_IN_THREADS)
    found, user = _open_thread_of(call), call.state.users.get(call.id("user_id"))
    if user is None:
        raise errors.unknown_user()
    if not call.state.sees(user, call.state.channels[required(found.parent_id)]):
        raise errors.missing_access()
    add_to_thread(call.state, found, user)


def _open_thread_of(call: Call) -> Channel:
    found = call.channel()
    if not found.is_thread:
        raise errors.wrong_channel_type()
    check_not_archived(found)
    return found
