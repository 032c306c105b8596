"""The things of a Discord: users, guilds, channels, messages, commands, interactions.

Plain data with ids as ints; who may do what stands in permissions.py, what changes them in state.py,
how they look in JSON in payloads.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, TypeVar

from bot.playground.permissions import NOTHING, Permission

T = TypeVar("T")


class Intents(IntFlag):
    """Gateway intents by their bit. Source: Discord's documentation, "List of Intents"."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15


PRIVILEGED_INTENTS = Intents.GUILD_MEMBERS | Intents.GUILD_PRESENCES | Intents.MESSAGE_CONTENT


class ChannelType(IntEnum):
    """The kinds of channel this server has."""

    TEXT = 0
    DM = 1
    GROUP_DM = 3
    CATEGORY = 4
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


class MessageType(IntEnum):
    """The kinds of message this server writes itself; tests may post any other number."""

    DEFAULT = 0
    USER_JOIN = 7
    THREAD_CREATED = 18
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    CONTEXT_MENU_COMMAND = 23


class MessageFlags(IntFlag):
    """Message flags that change what this server does."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_VOICE_MESSAGE = 1 << 13
    HAS_SNAPSHOT = 1 << 14


class InteractionType(IntEnum):
    """What a person did to an application."""

    APPLICATION_COMMAND = 2
    MESSAGE_COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class CallbackType(IntEnum):
    """How an application acknowledged an interaction."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    AUTOCOMPLETE_RESULT = 8
    MODAL = 9


@dataclass(slots=True, eq=False)
class User:
    """A person's or a bot's account."""

    id: int
    name: str
    bot: bool = False
    accepts_dms: bool = True

    @property
    def mention(self) -> str:
        """The text that mentions this user."""
        return f"<@{self.id}>"


@dataclass(slots=True, eq=False)
class Command:
    """An application command as registered: `data` is what was sent, checked."""

    id: int
    version: int
    data: dict[str, Any]
    guild_id: int | None = None

    @property
    def name(self) -> str:
        """The name people type."""
        return str(self.data["name"])

    @property
    def type(self) -> int:
        """1 slash, 2 user, 3 message."""
        return int(self.data.get("type", 1))


@dataclass(slots=True, eq=False)
class Application:
    """A bot as the developer portal knows it: token, switched-on privileged intents, commands."""

    id: int
    name: str
    token: str
    user: User
    owner: User
    enabled_intents: Intents = Intents.MESSAGE_CONTENT | Intents.GUILD_MEMBERS
    presence: dict[str, Any] | None = None
    commands: dict[int | None, list[Command]] = field(default_factory=dict)
    """Registered commands by guild id; None holds the global ones."""
    installed_by: set[int] = field(default_factory=set)
    """The people who installed it for themselves: they have its commands everywhere."""


@dataclass(slots=True, eq=False)
class Role:
    """A guild's role; @everyone has the guild's own id."""

    id: int
    name: str
    permissions: Permission
    position: int = 1
    bot_id: int | None = None
    mentionable: bool = False


@dataclass(slots=True, eq=False)
class Member:
    """A user in a guild."""

    user: User
    joined_at: float
    role_ids: set[int] = field(default_factory=set)
    nick: str | None = None


@dataclass(slots=True)
class Overwrite:
    """What a channel allows and denies one role or one member."""

    allow: Permission = NOTHING
    deny: Permission = NOTHING


@dataclass(slots=True, eq=False)
class Guild:
    """A server with its roles and members; its channels are in State.channels."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    locale: str = "en-US"
    """The language that its admins chose."""
    system_channel_id: int | None = None
    """Where Discord posts its own notices."""
    is_available: bool = True
    """Whether it is free of an outage; in one, bots know no more of it than its id."""

    @property
    def everyone(self) -> Role:
        """The role that every member has."""
        return self.roles[self.id]


@dataclass(slots=True, eq=False)
class Channel:
    """A text channel or category, a thread (`parent_id`), or a DM (`recipient_ids`, no guild).

    A text channel's `parent_id` is its category.
    """

    id: int
    type: ChannelType
    name: str = ""
    guild_id: int | None = None
    parent_id: int | None = None
    owner_id: int | None = None
    position: int = 0
    topic: str | None = None
    is_age_restricted: bool = False
    created_at: float = 0.0
    recipient_ids: tuple[int, ...] = ()
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    member_ids: set[int] = field(default_factory=set)
    last_message_id: int | None = None
    archived: bool = False
    locked: bool = False
    archived_at: float | None = None
    """When it was last archived or opened again."""

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread of `parent_id`."""
        return self.type in (ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD)


@dataclass(slots=True, eq=False)
class Attachment:
    """A file of a message; its bytes are served at /attachments/."""

    id: int
    filename: str
    content: bytes
    content_type: str = "application/octet-stream"
    description: str | None = None
    duration_s: float | None = None


@dataclass(slots=True, eq=False)
class Message:
    """A message with everything that a payload of it needs."""

    id: int
    channel_id: int
    author: User
    content: str
    created_at: float
    type: int = MessageType.DEFAULT
    guild_id: int | None = None
    edited_at: float | None = None
    flags: MessageFlags = MessageFlags(0)
    nonce: str | int | None = None
    reference: dict[str, Any] | None = None
    snapshot_of: Message | None = None
    mention_ids: list[int] = field(default_factory=list)
    mention_role_ids: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    stickers: list[dict[str, Any]] = field(default_factory=list)
    poll: dict[str, Any] | None = None
    reactions: dict[str, set[int]] = field(default_factory=dict)
    interaction: Interaction | None = None
    visible_to: int | None = None
    """The one person who sees an ephemeral message; None: everyone in the channel."""
    deleted: bool = False
    revision: int = 0
    """How often it was edited."""

    @property
    def replies_to(self) -> int | None:
        """The id of the message this one replies to, None if it is no reply."""
        if self.reference is None or self.snapshot_of is not None:
            return None
        return int(self.reference["message_id"])

    @property
    def is_loading(self) -> bool:
        """Whether this still shows "… is thinking"."""
        return bool(self.flags & MessageFlags.LOADING)


@dataclass(slots=True, eq=False)
class Interaction:
    """A command, a button or select, a modal sent off, an autocomplete; and what the application answered."""

    id: int
    token: str
    type: InteractionType
    application: Application
    user: User
    channel: Channel
    data: dict[str, Any]
    created_at: float
    message: Message | None = None
    """The message whose component was used, for a modal too that it opened."""
    target: Message | User | None = None
    """What a context menu was opened on."""
    files: list[Attachment] = field(default_factory=list)
    """What options of a command were given."""
    is_by_guild: bool = True
    """Whether the application is used as one that was added where this happens, or to the bot's own DMs."""
    installed_by: int | None = None
    """Who installed it for himself, if it is used as such a one."""
    modal: dict[str, Any] | None = None
    """The modal that the application opened as its answer."""
    callback: CallbackType | None = None
    """How it was acknowledged; None: not yet."""
    ephemeral: bool = False
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    choices: list[dict[str, Any]] | None = None

    @property
    def is_context_menu(self) -> bool:
        """Whether it is a user or message command."""
        return self.type is InteractionType.APPLICATION_COMMAND and self.target is not None

    @property
    def acknowledged(self) -> bool:
        """Whether the application has called back."""
        return self.callback is not None

    @property
    def responses(self) -> list[Message]:
        """The answers that still stand: the original response, then the followups."""
        first = [self.original] if self.original is not None else []
        return [message for message in [*first, *self.followups] if not message.deleted]


def required(value: T | None) -> T:
    """Return what cannot be missing here. Raises: ValueError if it is: a bug of this server."""
    if value is None:
        raise ValueError("a field is missing that this kind of thing always has")
    return value
