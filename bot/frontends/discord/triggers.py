"""Whether a message is for the bot, and the question in it: pure decisions on plain data.

Knows Discord's markup and no discord.py; `reading` makes the facts from its messages.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_SEEN_EVENTS: Final = 2000  # far more than a RESUME replays

_MENTION = re.compile(r"<(?P<kind>@[!&]?|#)(?P<id>\d+)>")
_CUSTOM_EMOJI = re.compile(r"<a?:(?P<name>\w+):\d+>")
_COMMAND = re.compile(r"<(?P<command>/[^<>\n]{1,100}):\d+>")


class Trigger(StrEnum):
    """Why a message is answered."""

    DIRECT = "direct"
    MENTION = "mention"
    REPLY = "reply"
    CHANNEL = "channel"
    EDIT = "edit"  # it was one for the bot before


class Extra(StrEnum):
    """What a message can hold besides text, as far as people need a word about it."""

    VOICE = "voice"
    STICKER = "sticker"
    POLL = "poll"
    FORWARD = "forward"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is listened to where. An empty `guild_ids` means every guild."""

    allow_dms: bool = True
    guild_ids: frozenset[int] = frozenset()
    free_channel_ids: frozenset[int] = frozenset()  # here, and in their threads, no mention is needed

    def allows(self, guild_id: int | None) -> bool:
        """Whether the bot serves this guild, or DMs for None."""
        if guild_id is None:
            return self.allow_dms
        return not self.guild_ids or guild_id in self.guild_ids


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What decides about a message. `names` holds what mentions stand for: "@1", "@&2" and "#3" without brackets."""

    content: str
    guild_id: int | None
    channel_id: int
    parent_channel_id: int | None = None  # the channel that a thread hangs under
    is_ordinary: bool = True  # written by somebody, not a notice of Discord's own
    is_from_bot: bool = False  # of a bot, a webhook or the bot itself
    our_user_id: int = 0
    our_role_id: int | None = None  # the managed role that came with the bot
    is_reply_to_us: bool = False
    is_in_own_thread: bool = False  # one that the bot opened
    addresses_others: bool = False  # by a mention, of a role or of everybody too, or by a reply
    names: Mapping[str, str] = field(default_factory=dict)
    extras: frozenset[Extra] = frozenset()
    forwarded: str = ""

    @property
    def our_mentions(self) -> frozenset[str]:
        """How the bot is mentioned. A ping that only a reply makes is not among the content's mentions."""
        ours = {f"@{self.our_user_id}", f"@!{self.our_user_id}"}
        return frozenset(ours if self.our_role_id is None else ours | {f"@&{self.our_role_id}"})


def why(message: MessageFacts, rules: Rules) -> Trigger | None:
    """Return why this message is to be answered, or None: it is not for the bot."""
    if not message.is_ordinary or message.is_from_bot or not rules.allows(message.guild_id):
        return None
    if message.guild_id is None:
        return Trigger.DIRECT
    if any(match["kind"] + match["id"] in message.our_mentions for match in _MENTION.finditer(message.content)):
        return Trigger.MENTION
    if message.is_reply_to_us:
        return Trigger.REPLY
    is_free = not rules.free_channel_ids.isdisjoint({message.channel_id, message.parent_channel_id})
    return Trigger.CHANNEL if (is_free or message.is_in_own_thread) and not message.addresses_others else None


def question_text(message: MessageFacts) -> str:
    """Return the message's text as the model should read it; a forward's text where there is no other.

    The bot's mention at the start goes, other mentions become names, custom emoji :names:; timestamps stay.
    """
    return _readable(message.content, message) or _readable(message.forwarded, message)


def _readable(content: str, message: MessageFacts) -> str:
    content = content.strip()
    while (match := _MENTION.match(content)) and match["kind"] + match["id"] in message.our_mentions:
        content = content[match.end() :].lstrip(" \t\n,:")
    content = _MENTION.sub(lambda mention: _name(mention, message.names), content)
    content = _CUSTOM_EMOJI.sub(r":\g<name>:", content)
    return _COMMAND.sub(r"\g<command>", content).strip()


def _name(mention: re.Match[str], names: Mapping[str, str]) -> str:
    sign = mention["kind"].replace("!", "")
    known = names.get(sign + mention["id"])
    if known is not None:
        return f"{sign[0]}{known}"
    return {"@": "@unknown-user", "@&": "@unknown-role", "#": "#unknown-channel"}[sign]


def instead_of_text(message: MessageFacts, trigger: Trigger, *, content_is_withheld: bool) -> str | None:
    """Return the catalogue's key of the sentence for a message without text, or None: say nothing.

    `content_is_withheld`: Discord gives this bot only the messages that mention it or are DMs.
    """
    for extra in Extra:
        if extra in message.extras:
            return f"empty.{extra}"
    if content_is_withheld and trigger in (Trigger.REPLY, Trigger.CHANNEL):
        # Free channels: one such sentence a message would be noise; the log and /status tell the admin.
        return "empty.withheld" if trigger is Trigger.REPLY else None
    return "empty.mention"


class SeenEvents:
    """The newest messages and interactions, by id: Discord repeats events after a RESUME."""

    def __init__(self, capacity: int = _SEEN_EVENTS) -> None:
        self._capacity = capacity
        self._ids: OrderedDict[int, None] = OrderedDict()

    def is_new(self, event_id: int) -> bool:
        """Whether this id comes for the first time; from now on it has come."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._capacity:
            self._ids.popitem(last=False)
        return True
