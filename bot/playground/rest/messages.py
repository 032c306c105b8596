"""Routes about messages: send, edit, delete, read, react."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from bot.playground import errors, posting
from bot.playground.channels import check_not_archived
from bot.playground.model import Attachment, Channel, Message, MessageFlags
from bot.playground.permissions import Permission
from bot.playground.posting import Draft
from bot.playground.ratelimits import Limit
from bot.playground.rest.call import CHANNEL_MESSAGES, Answer, Call, Routes
from bot.playground.state import Event

routes = Routes()

READ_LIMIT = 100
NONCE_LIMIT_CHARS = 25
ATTACHMENTS_LIMIT = 10
NONCE_MEMORY_S = 300  # "the past few minutes" (documentation of enforce_nonce)
SENDABLE_FLAGS = MessageFlags.SUPPRESS_EMBEDS | MessageFlags.SUPPRESS_NOTIFICATIONS


def draft_of(call: Call, form: dict[str, Any], *, flags: MessageFlags = SENDABLE_FLAGS) -> Draft:
    """Return the draft in a form; `flags` are those the sender may set."""
    return Draft(
        content=form.get("content") or "",
        attachments=attachments_of(call, form, []) or [],
        embeds=form.get("embeds") or [],
        components=form.get("components") or [],
        flags=MessageFlags(form.get("flags") or 0) & flags,
        reference=form.get("message_reference"),
        allowed_mentions=form.get("allowed_mentions"),
        nonce=form.get("nonce"),
        poll=form.get("poll"),
    )


def attachments_of(call: Call, form: dict[str, Any], standing: list[Attachment]) -> list[Attachment] | None:
    """Return a message's attachments after a form: uploads, and those of `standing` that it names.

    None: the form changes nothing about them.
    """
    if len(call.files) > ATTACHMENTS_LIMIT:
        raise errors.invalid_form("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    if "attachments" not in form:
        return [*standing, *call.files.values()] if call.files else None
    by_id = {attachment.id: attachment for attachment in standing}
    result = []
    for row in form["attachments"] or []:
        number = int(row["id"])
        found = by_id.get(number) or call.files.get(number)
        if found is not None:
            found.description = row.get("description", found.description)
            result.append(found)
    return result


def _sending_needs(channel: Channel, form: dict[str, Any], *, files: bool) -> Permission:
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    if files:
        needed |= Permission.ATTACH_FILES
    if form.get("embeds"):
        needed |= Permission.EMBED_LINKS
    return needed


@routes.add("POST", "/channels/{channel_id}/messages", limit=CHANNEL_MESSAGES, major="channel_id")
async def send(call: Call) -> Answer:
    """Send a message; with enforce_nonce a repeated nonce returns the first message."""
    channel = call.channel()
    granted = call.state.permissions(channel, call.bot.user)
    if _sending_needs(channel, call.form, files=bool(call.files)) & ~granted:
        raise errors.missing_permissions()
    _check_recipient(call, channel)
    if call.form.get("message_reference") and not granted & Permission.READ_MESSAGE_HISTORY:
        raise errors.cannot_reply_without_history()
    twin = _sent_before(call, channel)
    if twin is not None:
        return call.show(twin)
    return call.show(posting.post(call.state, channel, call.bot.user, draft_of(call, call.form)))


def _check_recipient(call: Call, channel: Channel) -> None:
    others = (call.state.users[id_] for id_ in channel.recipient_ids if id_ != call.bot.user.id)
    if any(not user.accepts_dms for user in others):
        raise errors.dms_closed()


def _sent_before(call: Call, channel: Channel) -> Message | None:
    nonce = call.form.get("nonce")
    if nonce is not None and len(str(nonce)) > NONCE_LIMIT_CHARS:
        raise errors.too_long("nonce", NONCE_LIMIT_CHARS)
    if nonce is None or not call.form.get("enforce_nonce"):
        return None
    since = call.state.clock() - NONCE_MEMORY_S
    mine = (m for m in call.state.messages[channel.id].values() if m.author is call.bot.user)
    return next((m for m in mine if m.nonce == nonce and m.created_at >= since), None)


@routes.add("PATCH", "/channels/{channel_id}/messages/{message_id}", limit=CHANNEL_MESSAGES, major="channel_id")
async def edit(call: Call) -> Answer:
    """Edit one's own message; of another's only its embeds can be suppressed."""
    channel = call.channel()
    message = call.message(channel)
    if message.author is not call.bot.user:
        if set(call.form) != {"flags"}:
            raise errors.not_your_message()
        call.channel(Permission.MANAGE_MESSAGES)
    elif call.files:
        call.channel(Permission.ATTACH_FILES)
    return call.show(posting.edit(call.state, message, call.form, attachments_of(call, call.form, message.attachments)))


@routes.add(
    "DELETE",
    "/channels/{channel_id}/messages/{message_id}",
    limit=Limit("channel-deletes", 5, 1.0),
    major="channel_id",
)
async def delete(call: Call) -> None:
    """Delete a message; another's needs MANAGE_MESSAGES."""
    message = call.message(call.channel())
    if message.author is not call.bot.user:
        call.channel(Permission.MANAGE_MESSAGES)
    call.state.delete(message)


@routes.add(
    "POST", "/channels/{channel_id}/messages/bulk-delete", limit=Limit("bulk-delete", 1, 1.0), major="channel_id"
)
async def delete_bulk(call: Call) -> None:
    """Delete 2 to 100 messages that are younger than two weeks."""
    channel = call.channel(Permission.MANAGE_MESSAGES)
    ids = {int(id_) for id_ in call.form["messages"]}
    if not 2 <= len(ids) <= posting.BULK_DELETE_LIMIT:
        raise errors.bulk_delete_count()
    found = [m for m in (call.state.find_message(channel.id, id_) for id_ in ids) if m is not None]
    posting.delete_bulk(call.state, channel, found)


@routes.add("GET", "/channels/{channel_id}/messages/{message_id}", major="channel_id")
async def get(call: Call) -> Answer:
    """Return one message."""
    return call.show(call.message(call.channel(Permission.READ_MESSAGE_HISTORY)))


@routes.add("GET", "/channels/{channel_id}/messages", major="channel_id")
async def history(call: Call) -> Answer:
    """Return messages, newest first; without permission to read the history there are none."""
    channel = call.channel()
    if not call.state.permissions(channel, call.bot.user) & Permission.READ_MESSAGE_HISTORY:
        return []
    query = call.request.query
    limit = int(query.get("limit", 50))
    if not 1 <= limit <= READ_LIMIT:
        raise errors.invalid_form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    shown = [m for m in call.state.messages[channel.id].values() if m.visible_to is None]
    return [call.show(message) for message in _page(shown, query, limit)]


def _page(shown: list[Message], query: Mapping[str, str], limit: int) -> list[Message]:
    """Return one page, newest first, of messages given oldest first."""
    if "around" in query:
        middle = int(query["around"])
        older = [m for m in shown if m.id < middle][-(limit // 2) :] if limit > 1 else []
        newer = [m for m in shown if m.id >= middle][: limit - len(older)]
        return (older + newer)[::-1]
    if "before" in query:
        return [m for m in shown if m.id < int(query["before"])][-limit:][::-1]
    if "after" in query:
        return [m for m in shown if m.id > int(query["after"])][:limit][::-1]
    return shown[-limit:][::-1]


_REACTIONS = Limit("reactions", 1, 0.25)
_MINE = "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me"


@routes.add("PUT", _MINE, limit=_REACTIONS, major="channel_id")
async def react(call: Call) -> None:
    """Add one's reaction; the first of an emoji needs ADD_REACTIONS."""
    channel = call.channel(Permission.READ_MESSAGE_HISTORY)
    message = call.message(channel)
    check_not_archived(channel)
    emoji = unquote(call.request.match_info["emoji"])
    if emoji not in message.reactions:
        call.channel(Permission.ADD_REACTIONS)
    message.reactions.setdefault(emoji, set()).add(call.bot.user.id)
    _announce(call, "MESSAGE_REACTION_ADD", channel, message, emoji)


@routes.add("DELETE", _MINE, limit=_REACTIONS, major="channel_id")
async def unreact(call: Call) -> None:
    """Take one's reaction back."""
    channel = call.channel()
    message = call.message(channel)
    emoji = unquote(call.request.match_info["emoji"])
    people = message.reactions.get(emoji, set())
    people.discard(call.bot.user.id)
    if not people:
        message.reactions.pop(emoji, None)
    _announce(call, "MESSAGE_REACTION_REMOVE", channel, message, emoji)


def _announce(call: Call, name: str, channel: Channel, message: Message, emoji: str) -> None:
    guild = call.state.guild_of(channel)
    adds = name == "MESSAGE_REACTION_ADD"
    member = guild.members.get(call.bot.user.id) if guild is not None and adds else None
    extra = {"emoji": emoji}
    call.state.emit(
        Event(name, channel=channel, guild=guild, message=message, member=member, user=call.bot.user, extra=extra)
    )
