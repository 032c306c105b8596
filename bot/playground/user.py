"""A scripted person: says, edits, deletes, and uses commands, as somebody with Discord open would.

Owns what a client does between a person and Discord: finding the command, building its options. The rules of the
world are the state's and posting's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bot.playground import errors, posting
from bot.playground.model import (
    Application,
    Attachment,
    Channel,
    Command,
    Interaction,
    InteractionType,
    Message,
    MessageFlags,
    MessageType,
    User,
)
from bot.playground.payloads import FORWARD, timestamp
from bot.playground.payloads import user as user_payload
from bot.playground.permissions import Permission
from bot.playground.posting import Draft
from bot.playground.state import Event, State

BUTTON = 2
POLL_LASTS_S = 24 * 3600
SUBCOMMAND, SUBCOMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER = 1, 2, 3, 4, 5, 6
IN_GUILD, IN_BOT_DM = 0, 1  # contexts of a command


class UnknownCommandError(LookupError):
    """No registered command has this name here, or a required option is missing."""


class Person:
    """One user's hands. `<@bot>` and `<@&bot>` in what they write mention the bot and its managed role."""

    def __init__(self, state: State, bot: Application, user: User) -> None:
        self.state = state
        self.bot = bot
        self.user = user

    def dm(self) -> Channel:
        """Return this person's DM with the bot."""
        return self.state.dm(self.user, self.bot.user)

    def _need(self, channel: Channel, needed: Permission) -> None:
        if needed & ~self.state.permissions(channel, self.user):
            raise errors.missing_permissions()

    def _written(self, channel: Channel, text: str) -> str:
        guild = self.state.guild_of(channel)
        roles = guild.roles.values() if guild is not None else ()
        role = next((role for role in roles if role.bot_id == self.bot.user.id), None)
        text = text.replace("<@bot>", self.bot.user.mention)
        return text if role is None else text.replace("<@&bot>", f"<@&{role.id}>")

    async def say(
        self,
        channel: Channel,
        text: str = "",
        *,
        reply_to: Message | None = None,
        ping: bool = True,
        attachments: Mapping[str, bytes] | None = None,
        voice: bytes | None = None,
        stickers: Sequence[str] = (),
        poll: str | None = None,
        forward: Message | None = None,
        kind: int = MessageType.DEFAULT,
    ) -> Message:
        """Post a message; `attachments` are contents by file name, `kind` any of Discord's message types.

        Raises: ApiError as Discord would refuse it.
        """
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        self._need(channel, Permission.VIEW_CHANNEL | needed)
        files = [self._file(name, content) for name, content in (attachments or {}).items()]
        if voice is not None:
            files = [Attachment(self.state.snowflake(), "voice-message.ogg", voice, "audio/ogg", duration_s=1.0)]
        draft = Draft(
            content=self._written(channel, text),
            attachments=files,
            stickers=[self._sticker(name) for name in stickers],
            poll=None if poll is None else _poll(poll, self.state.clock()),
            flags=MessageFlags.IS_VOICE_MESSAGE if voice is not None else MessageFlags(0),
            reference=_reference(reply_to, forward),
            allowed_mentions={"parse": ["users", "roles", "everyone"], "replied_user": ping},
            type=kind,
        )
        return posting.post(self.state, channel, self.user, draft)

    def _file(self, name: str, content: bytes) -> Attachment:
        kind = "text/plain; charset=utf-8" if name.endswith((".txt", ".md")) else "application/octet-stream"
        return Attachment(self.state.snowflake(), name, content, kind)

    def _sticker(self, name: str) -> dict[str, Any]:
        return {"id": str(self.state.snowflake()), "name": name, "format_type": 1}

    async def edit(self, message: Message, text: str) -> Message:
        """Edit one's own message. Raises: ApiError 50005 for another's."""
        if message.author is not self.user:
            raise errors.not_your_message()
        changes = {"content": self._written(self.state.channels[message.channel_id], text)}
        return posting.edit(self.state, message, changes, None)

    async def delete(self, message: Message) -> None:
        """Delete a message; another's needs MANAGE_MESSAGES. Raises: ApiError 50013."""
        if message.author is not self.user:
            self._need(self.state.channels[message.channel_id], Permission.MANAGE_MESSAGES)
        self.state.delete(message)

    async def react(self, message: Message, emoji: str) -> None:
        """Add a reaction."""
        channel = self.state.channels[message.channel_id]
        self._need(channel, Permission.ADD_REACTIONS)
        message.reactions.setdefault(emoji, set()).add(self.user.id)
        guild = self.state.guild_of(channel)
        member = guild.members[self.user.id] if guild is not None else None
        self.state.emit(
            Event(
                "MESSAGE_REACTION_ADD",
                channel=channel,
                guild=guild,
                message=message,
                member=member,
                user=self.user,
                extra={"emoji": emoji},
            )
        )

    def open_thread(self, parent: Channel, name: str) -> Channel:
        """Open a public thread. Raises: ApiError 50013."""
        self._need(parent, Permission.CREATE_PUBLIC_THREADS)
        return self.state.add_thread(parent, name, self.user)

    def sees(self, message: Message) -> bool:
        """Whether this person sees a message."""
        channel = self.state.channels[message.channel_id]
        return message.visible_to in (None, self.user.id) and self.state.sees(self.user, channel)

    # Interactions

    def commands(self, channel: Channel) -> list[Command]:
        """Return the bot's slash commands offered in a channel: the guild's, then the global ones."""
        place = IN_BOT_DM if channel.guild_id is None else IN_GUILD
        own = self.bot.commands.get(channel.guild_id, []) if channel.guild_id is not None else []
        names = {command.name for command in own}
        offered = own + [c for c in self.bot.commands.get(None, []) if c.name not in names]
        return [c for c in offered if c.type == 1 and place in (c.data.get("contexts") or (place,))]

    async def slash(self, channel: Channel, name: str, **options: Any) -> Interaction:
        """Use a slash command, `name` with its subcommand after a space; return at once.

        Raises: UnknownCommandError, ApiError 50013.
        """
        self._need(channel, Permission.USE_APPLICATION_COMMANDS)
        head, *path = name.split()
        command = next((command for command in self.commands(channel) if command.name == head), None)
        if command is None:
            raise UnknownCommandError(name)
        users = [value for value in options.values() if isinstance(value, User)]
        data: dict[str, Any] = {
            "id": str(command.id),
            "name": command.name,
            "type": command.type,
            "options": _options(command.data.get("options") or [], path, options),
            "resolved": {"users": {str(user.id): user_payload(user) for user in users}},
        }
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        return self._interact(InteractionType.APPLICATION_COMMAND, channel, data)

    async def press(self, message: Message, custom_id: str) -> Interaction:
        """Press a button of a message; return at once."""
        data = {"custom_id": custom_id, "component_type": BUTTON}
        channel = self.state.channels[message.channel_id]
        return self._interact(InteractionType.MESSAGE_COMPONENT, channel, data, message)

    def _interact(
        self, kind: InteractionType, channel: Channel, data: dict[str, Any], message: Message | None = None
    ) -> Interaction:
        interaction = Interaction(
            self.state.snowflake(),
            secrets.token_urlsafe(48),
            kind,
            self.bot,
            self.user,
            channel,
            data,
            self.state.clock(),
            message=message,
        )
        self.state.interact(interaction)
        return interaction


def _options(known: list[dict[str, Any]], path: list[str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options of an interaction, nested along a path of subcommands. Raises: UnknownCommandError."""
    if path:
        head, *rest = path
        option = next((o for o in known if o["name"] == head and o["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)), None)
        if option is None:
            raise UnknownCommandError(head)
        inner = _options(option.get("options") or [], rest, values)
        return [{"name": head, "type": option["type"], "options": inner}]
    by_name = {option["name"]: option for option in known}
    missing = [name for name, option in by_name.items() if option.get("required") and name not in values]
    unknown = [name for name in values if name not in by_name]
    if missing or unknown:
        raise UnknownCommandError(", ".join(missing + unknown))
    return [
        {"name": name, "type": by_name[name]["type"], "value": str(value.id) if isinstance(value, User) else value}
        for name, value in values.items()
    ]


def _reference(reply_to: Message | None, forward: Message | None) -> dict[str, Any] | None:
    target = forward or reply_to
    if target is None:
        return None
    return {"type": FORWARD if forward else 0, "message_id": target.id, "channel_id": target.channel_id}


def _poll(question: str, now: float) -> dict[str, Any]:
    answers = [{"answer_id": number, "poll_media": {"text": text}} for number, text in ((1, "Yes"), (2, "No"))]
    return {
        "question": {"text": question},
        "answers": answers,
        "expiry": timestamp(now + POLL_LASTS_S),  # discord.py cannot read a poll without
        "allow_multiselect": False,
        "layout_type": 1,
    }
