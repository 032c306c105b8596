"""Routes about channels: read, rename, typing, threads."""

from __future__ import annotations

from bot.playground import errors, payloads
from bot.playground.model import Channel, ChannelType, Message, MessageFlags, MessageType
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
    """Change a channel's name or topic; a thread's owner may do so too."""
    channel = call.channel()
    if channel.owner_id != call.bot.user.id:
        call.channel(Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS)
    channel.name = _name(call) if "name" in call.form else channel.name
    channel.topic = call.form.get("topic", channel.topic)
    name = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
    call.state.emit(Event(name, channel=channel, guild=call.state.guild_of(channel)))
    return payloads.channel(call.state, channel, call.bot)


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
    message = call.message(channel)
    if message.id in call.state.channels:
        raise errors.thread_exists()
    thread = call.state.add_thread(channel, _name(call), call.bot.user, id=message.id)
    message.flags |= MessageFlags.HAS_THREAD
    call.state.edited(message, silently=True)
    return 201, payloads.channel(call.state, thread, call.bot)


@routes.add("POST", "/channels/{channel_id}/threads", limit=Limit("threads", 5, 5.0), major="channel_id")
async def thread(call: Call) -> Answer:
    """Open a thread without a message; the channel gets a note of it."""
    is_private = call.form.get("type", ChannelType.PRIVATE_THREAD) == ChannelType.PRIVATE_THREAD
    channel = call.channel(Permission.CREATE_PRIVATE_THREADS if is_private else Permission.CREATE_PUBLIC_THREADS)
    opened = call.state.add_thread(channel, _name(call), call.bot.user)
    if is_private:
        opened.type = ChannelType.PRIVATE_THREAD
    else:
        _note(call, channel, opened)
    return 201, payloads.channel(call.state, opened, call.bot)


def _note(call: Call, channel: Channel, opened: Channel) -> None:
    state, author = call.state, call.bot.user
    state.post(
        Message(
            state.snowflake(),
            channel.id,
            author,
            opened.name,
            state.clock(),
            type=MessageType.THREAD_CREATED,
            guild_id=channel.guild_id,
        )
    )


@routes.add("PUT", "/channels/{channel_id}/thread-members/@me", major="channel_id")
async def join_thread(call: Call) -> None:
    """Join a thread."""
    call.channel().member_ids.add(call.bot.user.id)
