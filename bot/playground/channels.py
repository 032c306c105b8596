"""What becomes of channels after they are made: threads opened, joined, archived; channels and threads deleted.

Owns the events of these and Discord's rules for archived threads (its documentation, "Threads"). Knows neither sockets
nor who is allowed to: the caller checks permissions, save for the one that opens locked threads.
"""

from __future__ import annotations

from bot.playground import errors
from bot.playground.model import Channel, ChannelType, Message, MessageFlags, MessageType, User
from bot.playground.permissions import Permission
from bot.playground.state import Event, State


def open_thread(
    state: State, parent: Channel, name: str, owner: User, *, on: Message | None = None, is_private: bool = False
) -> Channel:
    """Open a thread under a text channel. One on a message has its id; another public one leaves a note of it.

    Raises: ApiError 50024 where there are no threads, 160004 for a second one on a message.
    """
    if parent.type is not ChannelType.TEXT:
        raise errors.wrong_channel_type()
    if on is not None and on.id in state.channels:
        raise errors.thread_exists()
    thread = state.keep(
        Channel(
            on.id if on is not None else state.snowflake(),
            ChannelType.PRIVATE_THREAD if is_private else ChannelType.PUBLIC_THREAD,
            name,
            parent.guild_id,
            parent_id=parent.id,
            owner_id=owner.id,
            created_at=state.clock(),
            member_ids={owner.id},
        )
    )
    state.emit(Event("THREAD_CREATE", channel=thread, guild=state.guild_of(thread), extra={"newly_created": True}))
    if on is not None:
        on.flags |= MessageFlags.HAS_THREAD
        state.edited(on, silently=True)
    elif not is_private:
        _note(state, parent, thread, owner)
    return thread


def _note(state: State, parent: Channel, thread: Channel, author: User) -> None:
    state.post(
        Message(
            state.snowflake(),
            parent.id,
            author,
            thread.name,
            state.clock(),
            type=MessageType.THREAD_CREATED,
            guild_id=parent.guild_id,
        )
    )


def add_to_thread(state: State, thread: Channel, user: User) -> None:
    """Make somebody a member of a thread. A bot learns of a private one by this."""
    if user.id in thread.member_ids:
        return
    thread.member_ids.add(user.id)
    guild = state.guild_of(thread)
    added = {"added": [user.id]}
    state.emit(Event("THREAD_MEMBERS_UPDATE", channel=thread, guild=guild, extra=added))
    joined = next((app for app in state.applications.values() if app.user is user), None)
    if joined is not None and thread.type is ChannelType.PRIVATE_THREAD:
        state.emit(Event("THREAD_CREATE", channel=thread, guild=guild, only=joined))


def update_thread(
    state: State, thread: Channel, *, archived: bool | None = None, locked: bool | None = None, name: str | None = None
) -> None:
    """Change a thread and tell everyone who sees it."""
    thread.archived = thread.archived if archived is None else archived
    thread.locked = thread.locked if locked is None else locked
    thread.name = thread.name if name is None else name
    if archived is not None:
        thread.archived_at = state.clock()
    state.emit(Event("THREAD_UPDATE", channel=thread, guild=state.guild_of(thread)))


def wake_for_post(state: State, channel: Channel, author: User) -> None:
    """Prepare a thread for a message: it is opened again if it was archived, and its author joins it.

    Raises: ApiError 10003 if the channel is gone, 50083 or 160005 if it is locked to the author.
    """
    if channel.id not in state.channels:
        raise errors.unknown_channel()
    if not channel.is_thread:
        return
    may_open = not channel.locked or state.permissions(channel, author) & Permission.MANAGE_THREADS
    if not may_open:
        raise errors.thread_archived() if channel.archived else errors.thread_locked()
    if channel.archived:
        update_thread(state, channel, archived=False)
    add_to_thread(state, channel, author)


def check_not_archived(channel: Channel) -> None:
    """Refuse what an archived thread does not allow: edits and reactions. Raises: ApiError 50083."""
    if channel.archived:
        raise errors.thread_archived()


def delete_channel(state: State, channel: Channel) -> None:
    """Remove a channel or thread with all that is in it. Of the threads of a channel Discord says nothing."""
    doomed = [channel, *(one for one in state.channels.values() if one.is_thread and one.parent_id == channel.id)]
    for each in doomed:
        del state.channels[each.id]
        for message in state.messages.pop(each.id).values():
            message.deleted = True
    name = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
    state.emit(Event(name, channel=channel, guild=state.guild_of(channel)))
