"""What may be posted: Discord's limits on a message, its mentions and references.

Owns the checks and the making of messages from drafts, whoever writes them. Knows neither sockets nor who is
allowed to: permissions are checked by the caller, save where they change what a mention does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bot.playground import components as rows
from bot.playground import errors
from bot.playground.channels import check_not_archived, wake_for_post
from bot.playground.model import Attachment, Channel, Interaction, Message, MessageFlags, MessageType, User
from bot.playground.payloads import FORWARD
from bot.playground.permissions import Permission
from bot.playground.state import State

CONTENT_LIMIT_CHARS: Final = 2000
EMBEDS_LIMIT: Final = 10
BULK_DELETE_LIMIT: Final = 100
BULK_DELETE_MAX_AGE_S: Final = 14 * 24 * 3600
EMBED_DESCRIPTION_LIMIT_CHARS: Final = 4096
EMBEDS_TOTAL_LIMIT_CHARS: Final = 6000

_USER = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")


@dataclass(slots=True)
class Draft:
    """A message as its writer hands it in, after JSON or multipart decoding."""

    content: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    stickers: list[dict[str, Any]] = field(default_factory=list)
    poll: dict[str, Any] | None = None
    flags: MessageFlags = MessageFlags(0)
    reference: dict[str, Any] | None = None
    allowed_mentions: dict[str, Any] | None = None
    nonce: str | int | None = None
    type: int = MessageType.DEFAULT

    def check(self) -> None:
        """Hold the draft to Discord's limits. Raises: ApiError 50006 or 50035."""
        check_content(self.content)
        check_embeds(self.embeds)
        rows.check_rows(self.components)
        shown = (self.content.strip(), self.attachments, self.embeds, self.components, self.stickers, self.poll)
        is_forward = self.reference is not None and self.reference.get("type") == FORWARD
        if not any(shown) and not is_forward and self.type in (MessageType.DEFAULT, MessageType.REPLY):
            raise errors.empty_message()


def check_content(content: object) -> None:
    """Raise 50035 for content that is no text or over 2000 code points."""
    if not isinstance(content, str):
        raise errors.invalid_form("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.")
    if len(content) > CONTENT_LIMIT_CHARS:
        raise errors.too_long("content", CONTENT_LIMIT_CHARS)


def check_embeds(embeds: Sequence[dict[str, Any]]) -> None:
    """Raise 50035 for more than 10 embeds, a long description, or more than 6000 characters in all."""
    if len(embeds) > EMBEDS_LIMIT:
        raise errors.too_long("embeds", EMBEDS_LIMIT)
    total = 0
    for number, embed in enumerate(embeds):
        if len(embed.get("description") or "") > EMBED_DESCRIPTION_LIMIT_CHARS:
            raise errors.too_long(f"embeds.{number}.description", EMBED_DESCRIPTION_LIMIT_CHARS)
        total += _embed_chars(embed)
    if total > EMBEDS_TOTAL_LIMIT_CHARS:
        raise errors.invalid_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _embed_chars(embed: dict[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for row in embed.get("fields") or []:
        texts += [row.get("name"), row.get("value")]
    return sum(len(text) for text in texts if text)


def post(
    state: State,
    channel: Channel,
    author: User,
    draft: Draft,
    *,
    interaction: Interaction | None = None,
    visible_to: int | None = None,
) -> Message:
    """Post a checked draft; a reply or forward is resolved first. Raises: ApiError 10003, 50006, 50035 or 50083."""
    draft.check()
    wake_for_post(state, channel, author)
    message = Message(
        state.snowflake(),
        channel.id,
        author,
        draft.content.strip(),  # as Discord does
        state.clock(),
        type=draft.type,
        guild_id=channel.guild_id,
        flags=draft.flags,
        nonce=draft.nonce,
        attachments=draft.attachments,
        embeds=draft.embeds,
        components=draft.components,
        stickers=draft.stickers,
        poll=draft.poll,
        interaction=interaction,
        visible_to=visible_to,
    )
    replied_to = _resolve_reference(state, channel, message, draft.reference)
    set_mentions(state, message, draft.allowed_mentions, replied_to)
    return state.post(message)


def _resolve_reference(
    state: State, channel: Channel, message: Message, reference: dict[str, Any] | None
) -> Message | None:
    """Turn a message into a reply or a forward; return the message replied to."""
    if reference is None:
        return None
    # discord.py sends these ids as JSON numbers, others as strings.
    channel_id = int(reference.get("channel_id") or channel.id)
    target = state.find_message(channel_id, int(reference["message_id"]))
    is_forward = reference.get("type") == FORWARD
    if target is None or target.visible_to is not None or (channel_id != channel.id and not is_forward):
        if reference.get("fail_if_not_exists", True) or is_forward:
            raise errors.invalid_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None
    message.reference = {"type": int(is_forward), "channel_id": channel_id, "message_id": target.id}
    if target.guild_id is not None:
        message.reference["guild_id"] = target.guild_id
    if is_forward:
        message.snapshot_of = target
        message.flags |= MessageFlags.HAS_SNAPSHOT
        return None
    message.type = MessageType.REPLY
    return target


def set_mentions(
    state: State, message: Message, allowed: dict[str, Any] | None, replied_to: Message | None = None
) -> None:
    """Work out whom a message mentions, honouring allowed_mentions. Raises: ApiError 50035."""
    parse, users, roles = _allowed(allowed)
    channel = state.channels[message.channel_id]
    guild = state.guild_of(channel)
    people = [int(id_) for id_ in _USER.findall(message.content)]
    named = [int(id_) for id_ in _ROLE.findall(message.content)]
    wanted = [id_ for id_ in people if id_ in state.users and ("users" in parse or id_ in users)]
    if replied_to is not None and (allowed is None or allowed.get("replied_user", False)):
        wanted.insert(0, replied_to.author.id)
    message.mention_ids = list(dict.fromkeys(wanted))
    message.mention_role_ids = [
        id_
        for id_ in dict.fromkeys(named)
        if guild is not None and id_ in guild.roles and ("roles" in parse or id_ in roles)
    ]
    may_ping_all = bool(state.permissions(channel, message.author) & Permission.MENTION_EVERYONE)
    found = bool(_EVERYONE.search(message.content))
    message.mention_everyone = found and may_ping_all and "everyone" in parse


def _allowed(allowed: dict[str, Any] | None) -> tuple[set[str], set[int], set[int]]:
    if allowed is None:
        return {"users", "roles", "everyone"}, set(), set()
    parse = set(allowed.get("parse") or ())
    for kind in ("users", "roles"):
        if kind in parse and allowed.get(kind):
            code = "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"
            reason = f"parse:['{kind}'] and {kind}: [ids...] are mutually exclusive."
            raise errors.invalid_form("allowed_mentions", code, reason)
    return parse, {int(id_) for id_ in allowed.get("users") or ()}, {int(id_) for id_ in allowed.get("roles") or ()}


def edit(state: State, message: Message, changes: dict[str, Any], attachments: list[Attachment] | None) -> Message:
    """Apply the fields of a PATCH; fields not named stay. Raises: ApiError 10008, 50006, 50035 or 50083."""
    if message.deleted:
        raise errors.unknown_message()
    check_not_archived(state.channels[message.channel_id])
    content = changes.get("content", message.content) or ""
    check_content(content)
    embeds = changes.get("embeds", message.embeds) or []
    check_embeds(embeds)
    components = changes.get("components", message.components) or []
    rows.check_rows(components)
    kept = message.attachments if attachments is None else attachments
    if not any((content.strip(), embeds, components, kept, message.stickers, message.poll)):
        raise errors.empty_message()
    message.content, message.embeds, message.components, message.attachments = content.strip(), embeds, components, kept
    if "flags" in changes:
        changeable = MessageFlags.SUPPRESS_EMBEDS
        message.flags = (message.flags & ~changeable) | (MessageFlags(changes["flags"] or 0) & changeable)
    message.flags &= ~MessageFlags.LOADING
    replied_to = None
    if message.replies_to is not None:
        replied_to = state.find_message(message.channel_id, message.replies_to)
    set_mentions(state, message, changes.get("allowed_mentions"), replied_to)
    state.edited(message)
    return message


def delete_bulk(state: State, channel: Channel, doomed: list[Message]) -> None:
    """Delete several messages with one event. Raises: ApiError 50034 if one is older than two weeks."""
    if any(state.clock() - message.created_at > BULK_DELETE_MAX_AGE_S for message in doomed):
        raise errors.bulk_delete_too_old()
    state.delete_bulk(channel, doomed)
