"""A scripted person: says, edits, deletes, and uses commands, as somebody with Discord open would.

Owns what a client does between a person and Discord: finding the command, building its options. The rules of the
world are the state's and posting's.
"""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bot.playground import channels, commanding, errors, posting
from bot.playground.commanding import MESSAGE_MENU, SLASH, USER_MENU, UnknownCommandError, installation, offered
from bot.playground.components import BUTTON, STRING_SELECT, UnknownComponentError, filled_in, find
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
from bot.playground.permissions import Permission
from bot.playground.posting import Draft
from bot.playground.state import Event, State

POLL_LASTS_S = 24 * 3600


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
        files = [self.file(name, content) for name, content in (attachments or {}).items()]
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

    def file(self, name: str, content: bytes) -> Attachment:
        """Return a file, for an option of a command."""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"  # Discord goes by the name too
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
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

    async def delete_bulk(self, messages: Sequence[Message]) -> None:
        """Delete several messages of one channel at once, as a moderator with a bot for it does.

        Raises: ApiError 50013, 50016, 50034.
        """
        channel = self.state.channels[messages[0].channel_id]
        self._need(channel, Permission.MANAGE_MESSAGES)
        if not 2 <= len(messages) <= posting.BULK_DELETE_LIMIT:
            raise errors.bulk_delete_count()
        posting.delete_bulk(self.state, channel, list(messages))

    def open_thread(
        self, parent: Channel, name: str, *, on: Message | None = None, is_private: bool = False
    ) -> Channel:
        """Open a thread, public or private, from a message or without one. Raises: ApiError 50013, 50024, 160004."""
        self._need(parent, Permission.CREATE_PRIVATE_THREADS if is_private else Permission.CREATE_PUBLIC_THREADS)
        return channels.open_thread(self.state, parent, name, self.user, on=on, is_private=is_private)

    def archive(self, thread: Channel, *, locked: bool | None = None) -> None:
        """Archive a thread, and lock it or not. Raises: ApiError 50013."""
        if thread.owner_id != self.user.id or locked is not None:
            self._need(thread, Permission.MANAGE_THREADS)
        channels.update_thread(self.state, thread, archived=True, locked=locked)

    def add_to_thread(self, thread: Channel, user: User) -> None:
        """Add somebody to a thread. Raises: ApiError 50013."""
        self._need(thread, Permission.SEND_MESSAGES_IN_THREADS)
        channels.add_to_thread(self.state, thread, user)

    def delete_channel(self, channel: Channel) -> None:
        """Delete a channel or a thread. Raises: ApiError 50013."""
        self._need(channel, Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS)
        channels.delete_channel(self.state, channel)

    def sees(self, message: Message) -> bool:
        """Whether this person sees a message."""
        channel = self.state.channels[message.channel_id]
        return message.visible_to in (None, self.user.id) and self.state.sees(self.user, channel)

    # Interactions

    def commands(self, channel: Channel, kind: int = SLASH) -> list[Command]:
        """Return the bot's commands of a kind that this person is offered in a channel."""
        return offered(self.state, self.bot, channel, self.user, kind)

    async def slash(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """Use a slash command, `name` with its subcommand after a space; return at once.

        People, roles and channels are given as they are, files come from `file`.
        Raises: UnknownCommandError, ApiError 50013.
        """
        head, *path = name.split()
        command = self._command(channel, head, SLASH)
        data = {
            "options": commanding.options(command.data.get("options") or [], path, options),
            "resolved": commanding.resolved(self.state, channel, options.values()),
        }
        files = [value for value in options.values() if isinstance(value, Attachment)]
        return self._use(channel, command, data, files=files)

    async def complete(self, channel: Channel, name: str, option: str, typed: str = "") -> Interaction:
        """Type the beginning of an option of a slash command; return at once. What is proposed will be in `choices`.

        Raises: UnknownCommandError, also for an option that proposes nothing; ApiError 50013.
        """
        head, *path = name.split()
        command = self._command(channel, head, SLASH)
        known = commanding.being_typed(command.data.get("options") or [], path, option, typed)
        data = {"id": str(command.id), "name": command.name, "type": command.type, "options": known}
        return self._begin(self._interaction(InteractionType.AUTOCOMPLETE, channel, data))

    async def menu(self, target: Message | User, name: str, channel: Channel | None = None) -> Interaction:
        """Choose a command from the context menu of a message, or of a user in a `channel`; return at once.

        Raises: UnknownCommandError, ApiError 10008 or 50013.
        """
        if isinstance(target, Message):
            self._look_at(target)
            place = self.state.channels[target.channel_id]
            command = self._command(place, name, MESSAGE_MENU)
        else:
            place = channel or self.dm()
            command = self._command(place, name, USER_MENU)
        return self._use(place, command, {"target_id": str(target.id)}, target)

    def _command(self, channel: Channel, name: str, kind: int) -> Command:
        self._need(channel, Permission.USE_APPLICATION_COMMANDS)
        command = next((command for command in self.commands(channel, kind) if command.name == name), None)
        if command is None:
            raise UnknownCommandError(name)
        return command

    def _use(
        self,
        channel: Channel,
        command: Command,
        data: dict[str, Any],
        target: Message | User | None = None,
        files: Sequence[Attachment] = (),
    ) -> Interaction:
        data = {"id": str(command.id), "name": command.name, "type": command.type} | data
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        how = installation(self.state, self.bot, channel, self.user, command)
        used = self._interaction(InteractionType.APPLICATION_COMMAND, channel, data)
        used.target, used.files = target, [*files]
        used.is_by_guild, used.installed_by = how.by_guild, self.user.id if how.by_user else None
        return self._begin(used)

    async def press(self, message: Message, which: str) -> Interaction:
        """Press a button of a message, by its custom id or by what stands on it; return at once.

        Raises: UnknownComponentError, ApiError 10008 for a message that is gone or cannot be seen.
        """
        button = self._component(message, which)
        return self._begin_on(message, {"custom_id": button["custom_id"], "component_type": BUTTON})

    async def select(self, message: Message, which: str, *values: str) -> Interaction:
        """Choose values in a select of a message, by its custom id or what stands on it; return at once.

        Raises: UnknownComponentError, ApiError 10008.
        """
        select = self._component(message, which)
        known = {option["value"] for option in select.get("options") or []}
        least, most = select.get("min_values", 1), select.get("max_values", 1)
        if not least <= len(values) <= most or (select["type"] == STRING_SELECT and not known.issuperset(values)):
            raise UnknownComponentError(", ".join(values))
        data = {"custom_id": select["custom_id"], "component_type": select["type"], "values": list(values)}
        return self._begin_on(message, data)

    async def submit(self, opener: Interaction, **values: str) -> Interaction:
        """Fill in the modal that answered an interaction, by custom id, and send it off; return at once.

        Raises: UnknownComponentError, also if there is no modal.
        """
        if opener.modal is None:
            reason = "no modal was opened"
            raise UnknownComponentError(reason)
        data = {"custom_id": opener.modal["custom_id"], "components": filled_in(opener.modal, values)}
        sent = self._interaction(InteractionType.MODAL_SUBMIT, opener.channel, data)
        sent.message, sent.is_by_guild, sent.installed_by = opener.message, opener.is_by_guild, opener.installed_by
        return self._begin(sent)

    def _component(self, message: Message, which: str) -> dict[str, Any]:
        self._look_at(message)
        return find(message.components, which)

    def _look_at(self, message: Message) -> None:
        if message.deleted or not self.sees(message):
            raise errors.unknown_message()

    def _begin_on(self, message: Message, data: dict[str, Any]) -> Interaction:
        channel = self.state.channels[message.channel_id]
        used = self._interaction(InteractionType.MESSAGE_COMPONENT, channel, data)
        used.message = message
        if message.interaction is not None:  # it acts as what it was when the message was made
            used.is_by_guild, used.installed_by = message.interaction.is_by_guild, message.interaction.installed_by
        return self._begin(used)

    def _interaction(self, kind: InteractionType, channel: Channel, data: dict[str, Any]) -> Interaction:
        token = secrets.token_urlsafe(48)
        return Interaction(self.state.snowflake(), token, kind, self.bot, self.user, channel, data, self.state.clock())

    def _begin(self, interaction: Interaction) -> Interaction:
        self.state.interact(interaction)
        return interaction


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
