"""Everything a Discord remembers, and the events that each change of it causes.

Owns identity (snowflakes), the collections and their invariants, and the order of events. Knows neither sockets nor
JSON: listeners receive `Event`s and render what they need. Rules about what may be posted stand in posting.py.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bot.playground import permissions
from bot.playground.model import (
    Application,
    Channel,
    ChannelType,
    Guild,
    Interaction,
    Member,
    Message,
    Overwrite,
    Role,
    User,
)
from bot.playground.permissions import DEFAULT_EVERYONE, NOTHING, Permission

DISCORD_EPOCH_MS: Final = 1_420_070_400_000

Clock = Callable[[], float]
"""Returns the time in seconds since 1970; tests hand in one they can turn."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the gateway's name for it, where it happened, and the things it is about.

    `only` limits it to one application, as for its own interactions. An event without a name never goes over
    a gateway; it wakes those who wait for the state to become something.
    """

    name: str
    channel: Channel | None = None
    guild: Guild | None = None
    message: Message | None = None
    member: Member | None = None
    user: User | None = None
    interaction: Interaction | None = None
    only: Application | None = None
    extra: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class State:
    """The one world of this server. Not safe for threads: everything happens in the event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, dict[int, Message]] = {}
        """By channel, then by id, oldest first."""
        self.applications: dict[str, Application] = {}
        """By token."""
        self.interactions: dict[str, Interaction] = {}
        """By token."""
        self._last_snowflake = 0
        self._listeners: list[Listener] = []

    # Identity and events

    def snowflake(self) -> int:
        """Return a new id: later than every id before it, its upper bits the time."""
        stamp = max(0, int(self.clock() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last_snowflake = max(stamp, self._last_snowflake + 1)
        return self._last_snowflake

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every event from now on; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        """Hand an event to every listener, in order of subscription."""
        for listener in list(self._listeners):
            listener(event)

    def changed(self) -> None:
        """Wake those who wait, for a change that Discord tells no bot about."""
        self.emit(Event(""))

    # Accounts and guilds

    def add_user(self, name: str, *, bot: bool = False) -> User:
        """Create an account."""
        user = User(self.snowflake(), name, bot=bot)
        self.users[user.id] = user
        return user

    def add_application(self, name: str) -> Application:
        """Create a bot with its application and a fresh token."""
        user = self.add_user(name, bot=True)
        owner = self.add_user(f"{name}-owner")
        # A real token's shape (the account's id, time, signature): what reads or redacts tokens can be tried on it.
        head = base64.urlsafe_b64encode(str(user.id).encode()).decode().rstrip("=")
        token = f"{head}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
        application = Application(user.id, name, token, user, owner)
        self.applications[token] = application
        return application

    def add_guild(self, name: str, owner: User) -> Guild:
        """Create a guild with @everyone and its owner."""
        guild = Guild(self.snowflake(), name, owner.id)
        guild.roles[guild.id] = Role(guild.id, "@everyone", DEFAULT_EVERYONE, position=0)
        self.guilds[guild.id] = guild
        self.join(owner, guild)
        return guild

    def add_role(self, guild: Guild, name: str, granted: Permission = NOTHING, *, bot_id: int | None = None) -> Role:
        """Create a role at the top of the guild's list; `bot_id` makes it the managed role of that bot."""
        role = Role(self.snowflake(), name, granted, position=len(guild.roles), bot_id=bot_id)
        guild.roles[role.id] = role
        self.emit(Event("GUILD_ROLE_CREATE", guild=guild, extra={"role": role}))
        return role

    def join(self, user: User, guild: Guild, granted: Permission = NOTHING) -> Member:
        """Make a user a member; a bot gets its managed role with `granted`."""
        member = Member(user, self.clock())
        if user.bot:
            member.role_ids.add(self.add_role(guild, user.name, granted, bot_id=user.id).id)
        guild.members[user.id] = member
        if user.bot:
            only = next(app for app in self.applications.values() if app.user is user)
            self.emit(Event("GUILD_CREATE", guild=guild, only=only, extra={"joined": True}))
        self.emit(Event("GUILD_MEMBER_ADD", guild=guild, member=member))
        return member

    def leave(self, user: User, guild: Guild) -> None:
        """Take a member out of a guild; a bot's managed role goes with it."""
        member = guild.members.pop(user.id)
        only = next((app for app in self.applications.values() if app.user is user), None)
        if only is not None:
            self.emit(Event("GUILD_DELETE", guild=guild, only=only))
            for role in [role for role in guild.roles.values() if role.bot_id == user.id]:
                del guild.roles[role.id]
                self.emit(Event("GUILD_ROLE_DELETE", guild=guild, extra={"role": role}))
        self.emit(Event("GUILD_MEMBER_REMOVE", guild=guild, member=member))

    # Channels

    def add_channel(
        self,
        guild: Guild,
        name: str,
        kind: ChannelType = ChannelType.TEXT,
        *,
        category: Channel | None = None,
        is_age_restricted: bool = False,
    ) -> Channel:
        """Create a text channel, in a category or in none, or a category."""
        channel = self.keep(
            Channel(
                self.snowflake(),
                kind,
                name,
                guild.id,
                parent_id=None if category is None else category.id,
                position=sum(1 for _ in self.guild_channels(guild)),
                is_age_restricted=is_age_restricted,
                created_at=self.clock(),
            )
        )
        self.emit(Event("CHANNEL_CREATE", channel=channel, guild=guild))
        return channel

    def dm(self, first: User, second: User) -> Channel:
        """Return the one DM channel of two users; it is made on first use."""
        pair = {first.id, second.id}
        for channel in self.channels.values():
            if channel.type is ChannelType.DM and set(channel.recipient_ids) == pair:
                return channel
        return self.keep(
            Channel(self.snowflake(), ChannelType.DM, created_at=self.clock(), recipient_ids=(first.id, second.id))
        )

    def group_dm(self, owner: User, *others: User) -> Channel:
        """Open a group of people; no bot can be in it."""
        ids = (owner.id, *(user.id for user in others))
        return self.keep(
            Channel(
                self.snowflake(),
                ChannelType.GROUP_DM,
                owner_id=owner.id,
                created_at=self.clock(),
                recipient_ids=ids,
            )
        )

    def keep(self, channel: Channel) -> Channel:
        """Add a channel without a word about it."""
        self.channels[channel.id] = channel
        self.messages[channel.id] = {}
        return channel

    def guild_channels(self, guild: Guild) -> Iterator[Channel]:
        """Yield a guild's channels and threads, in the order they were made."""
        return (channel for channel in self.channels.values() if channel.guild_id == guild.id)

    def guild_of(self, channel: Channel) -> Guild | None:
        """Return the guild a channel is in; None for a DM."""
        return None if channel.guild_id is None else self.guilds[channel.guild_id]

    def set_overwrite(
        self, channel: Channel, target: Role | User, *, allow: Permission = NOTHING, deny: Permission = NOTHING
    ) -> None:
        """Set what a channel allows and denies a role or a user."""
        channel.overwrites[target.id] = Overwrite(allow, deny)
        self.emit(Event("CHANNEL_UPDATE", channel=channel, guild=self.guild_of(channel)))

    # Permissions

    def permissions(self, channel: Channel, user: User) -> Permission:
        """Return what a user may do in a channel; a thread takes its parent's overwrites."""
        guild = self.guild_of(channel)
        if guild is None:
            return permissions.DM_PERMISSIONS if user.id in channel.recipient_ids else NOTHING
        member = guild.members.get(user.id)
        if member is None:
            return NOTHING
        roles = [guild.roles[role_id] for role_id in member.role_ids if role_id in guild.roles]
        granted = permissions.base(
            guild.everyone.permissions, (role.permissions for role in roles), is_owner=user.id == guild.owner_id
        )
        ruling = channel if channel.parent_id is None or not channel.is_thread else self.channels.get(channel.parent_id)
        if ruling is None:
            return NOTHING
        rules, none = ruling.overwrites, Overwrite()

        def pair(id_: int) -> tuple[Permission, Permission]:
            rule = rules.get(id_, none)
            return rule.allow, rule.deny

        found = permissions.overwrite(granted, pair(guild.id), (pair(role.id) for role in roles), pair(user.id))
        is_closed = channel.type is ChannelType.PRIVATE_THREAD and user.id not in channel.member_ids
        return NOTHING if is_closed and not found & Permission.MANAGE_THREADS else found

    def sees(self, user: User, channel: Channel) -> bool:
        """Whether a user can see a channel."""
        return bool(self.permissions(channel, user) & Permission.VIEW_CHANNEL)

    # Messages

    def post(self, message: Message) -> Message:
        """Keep a new message and tell everyone who sees the channel."""
        channel = self.channels[message.channel_id]
        self.messages[channel.id][message.id] = message
        channel.last_message_id = message.id
        self._message_event("MESSAGE_CREATE", message)
        return message

    def edited(self, message: Message, *, silently: bool = False) -> None:
        """Announce that a message's fields were changed; `silently` leaves its edited mark as it is."""
        if not silently:
            message.edited_at = self.clock()
        message.revision += 1
        self._message_event("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        """Remove a message."""
        self._forget(message)
        self._message_event("MESSAGE_DELETE", message)

    def delete_bulk(self, channel: Channel, doomed: list[Message]) -> None:
        """Remove several messages with one event."""
        for message in doomed:
            self._forget(message)
        ids = [message.id for message in doomed]
        self.emit(Event("MESSAGE_DELETE_BULK", channel=channel, guild=self.guild_of(channel), extra={"ids": ids}))

    def _forget(self, message: Message) -> None:
        self.messages[message.channel_id].pop(message.id, None)
        message.deleted = True

    def _message_event(self, name: str, message: Message) -> None:
        channel = self.channels[message.channel_id]
        if message.visible_to is not None:
            name = ""  # Discord tells the bot of an ephemeral message in the answers to its own calls only
        self.emit(Event(name, channel=channel, guild=self.guild_of(channel), message=message))

    def find_message(self, channel_id: int, message_id: int) -> Message | None:
        """Return a message that still exists, ephemeral ones included."""
        return self.messages.get(channel_id, {}).get(message_id)

    def interact(self, interaction: Interaction) -> None:
        """Hand a new interaction to its application."""
        self.interactions[interaction.token] = interaction
        self.emit(
            Event(
                "INTERACTION_CREATE",
                channel=interaction.channel,
                guild=self.guild_of(interaction.channel),
                interaction=interaction,
                only=interaction.application,
            )
        )
