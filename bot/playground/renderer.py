"""How messages, attachments and interactions look in Discord's JSON.

Owns the rule that message content is shown only to those entitled to it, and links to files. What stands still
(users, guilds, channels) is rendered by payloads.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground import payloads
from bot.playground.commanding import place_of
from bot.playground.model import Application, Attachment, Interaction, Message, MessageFlags, required
from bot.playground.payloads import Json
from bot.playground.permissions import ANSWERING_PERMISSIONS, EVERYTHING, Permission
from bot.playground.state import State

ATTACHMENT_SIZE_LIMIT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who a payload is rendered for: a bot and whether it may read all message content."""

    application: Application
    reads_content: bool


class Renderer:
    """Renders messages and interactions, whose links need the server's address."""

    def __init__(self, state: State, files_url: str) -> None:
        self.state = state
        self.files_url = files_url

    def attachment(self, channel_id: int, subject: Attachment) -> Json:
        """Render an attachment with links that this server answers."""
        url = f"{self.files_url}/{channel_id}/{subject.id}/{subject.filename}"
        body: Json = {
            "id": str(subject.id),
            "filename": subject.filename,
            "size": len(subject.content),
            "url": url,
            "proxy_url": url,
            "content_type": subject.content_type,
        }
        if subject.description is not None:
            body["description"] = subject.description
        if subject.duration_s is not None:
            body |= {"duration_secs": subject.duration_s, "waveform": "AAAA"}
        return body

    def message(self, subject: Message, viewer: Viewer, *, gateway: bool = False, nested: bool = False) -> Json:
        """Render a message; `gateway` adds guild_id and member, `nested` leaves out what it replies to."""
        body = self._envelope(subject) | self._content(subject, viewer)
        if gateway:
            body |= self._gateway_fields(subject)
        if subject.nonce is not None:
            body["nonce"] = subject.nonce
        if subject.interaction is not None:
            body |= self._interaction_metadata(subject.interaction)
        if subject.reference is not None:
            body["message_reference"] = {
                key: str(value) if key.endswith("_id") else value for key, value in subject.reference.items()
            }
            if subject.snapshot_of is not None:
                body["message_snapshots"] = [{"message": self._snapshot(subject.snapshot_of, viewer)}]
            elif not nested:
                body["referenced_message"] = self._referenced(subject, viewer)
        if subject.flags & MessageFlags.HAS_THREAD and subject.id in self.state.channels:
            body["thread"] = payloads.channel(self.state, self.state.channels[subject.id])
        return body

    def _envelope(self, subject: Message) -> Json:
        return {
            "id": str(subject.id),
            "channel_id": str(subject.channel_id),
            "author": payloads.user(subject.author),
            "type": int(subject.type),
            "timestamp": payloads.timestamp(subject.created_at),
            "edited_timestamp": None if subject.edited_at is None else payloads.timestamp(subject.edited_at),
            "flags": int(subject.flags),
            "tts": False,
            "pinned": False,
            "mention_everyone": subject.mention_everyone,
            "mentions": [self._mention(subject, id_) for id_ in subject.mention_ids],
            "mention_roles": [str(id_) for id_ in subject.mention_role_ids],
        }

    def _mention(self, subject: Message, user_id: int) -> Json:
        body = payloads.user(self.state.users[user_id])
        guild = self.state.guilds.get(subject.guild_id) if subject.guild_id is not None else None
        if guild is not None and user_id in guild.members:
            body["member"] = payloads.member(guild.members[user_id], with_user=False)
        return body

    def _content(self, subject: Message, viewer: Viewer) -> Json:
        """Return what the message content intent guards, emptied for those who lack it."""
        if not self._may_read(subject, viewer):
            return {"content": "", "attachments": [], "embeds": [], "components": []}
        body: Json = {
            "content": subject.content,
            "attachments": [self.attachment(subject.channel_id, item) for item in subject.attachments],
            "embeds": subject.embeds,
            "components": subject.components,
        }
        if subject.stickers:
            body["sticker_items"] = subject.stickers
        if subject.poll is not None:
            body["poll"] = subject.poll
        if subject.reactions:
            body["reactions"] = [_reaction(emoji, ids, viewer) for emoji, ids in subject.reactions.items()]
        return body

    @staticmethod
    def _may_read(subject: Message, viewer: Viewer) -> bool:
        me = viewer.application.user
        return viewer.reads_content or subject.guild_id is None or subject.author is me or me.id in subject.mention_ids

    def _gateway_fields(self, subject: Message) -> Json:
        body: Json = {"channel_type": int(self.state.channels[subject.channel_id].type)}
        if subject.guild_id is None:
            return body
        body["guild_id"] = str(subject.guild_id)
        author = self.state.guilds[subject.guild_id].members.get(subject.author.id)
        return body | {"member": payloads.member(author, with_user=False)} if author is not None else body

    def _referenced(self, subject: Message, viewer: Viewer) -> Json | None:
        reference = required(subject.reference)
        target = self.state.find_message(int(reference["channel_id"]), int(reference["message_id"]))
        return None if target is None else self.message(target, viewer, nested=True)

    def _snapshot(self, subject: Message, viewer: Viewer) -> Json:
        keep = (
            "type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags", "mentions",
            "mention_roles", "components",
        )  # fmt: skip
        body = self._envelope(subject) | self._content(subject, viewer)
        return {key: body[key] for key in keep}

    def _interaction_metadata(self, interaction: Interaction) -> Json:
        return {
            "webhook_id": str(interaction.application.id),
            "application_id": str(interaction.application.id),
            "interaction_metadata": {
                "id": str(interaction.id),
                "type": int(interaction.type),
                "user": payloads.user(interaction.user),
                "authorizing_integration_owners": _integration_owners(interaction),
                **_target_ids(interaction),
            },
        }

    def interaction(self, subject: Interaction) -> Json:
        """Render INTERACTION_CREATE."""
        app = subject.application
        body: Json = {
            "id": str(subject.id),
            "application_id": str(app.id),
            "type": int(subject.type),
            "token": subject.token,
            "version": 1,
            "data": subject.data | self._resolved(subject),
            "channel_id": str(subject.channel.id),
            "channel": payloads.channel(self.state, subject.channel, app),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": _integration_owners(subject),
            "attachment_size_limit": ATTACHMENT_SIZE_LIMIT_BYTES,
            "app_permissions": str(int(self._permissions_of_app(subject))),
            "context": place_of(subject.channel, app),
        }
        if subject.message is not None:
            body["message"] = self.message(subject.message, Viewer(app, reads_content=True), gateway=True)
        guild_ = self.state.guild_of(subject.channel)
        if guild_ is None:
            return body | {"user": payloads.user(subject.user)}
        granted = self.state.permissions(subject.channel, subject.user) & EVERYTHING
        who = payloads.member(guild_.members[subject.user.id]) | {"permissions": str(int(granted))}
        home = {"id": str(guild_.id), "locale": "en-US", "features": []}
        return body | {"guild_id": str(guild_.id), "guild": home, "guild_locale": "en-US", "member": who}

    def _permissions_of_app(self, subject: Interaction) -> Permission:
        """Return what the application may do: where it is no member, what its answers may hold."""
        if subject.is_by_guild:
            return self.state.permissions(subject.channel, subject.application.user)
        return self.state.permissions(subject.channel, subject.user) & ANSWERING_PERMISSIONS

    def _resolved(self, subject: Interaction) -> Json:
        """Return what a context menu was opened on, or a command was given. A message is whole."""
        if subject.files:
            files = {str(file.id): self.attachment(subject.channel.id, file) for file in subject.files}
            return {"resolved": subject.data.get("resolved", {}) | {"attachments": files}}
        target = subject.target
        if target is None:
            return {}
        if isinstance(target, Message):
            shown = self.message(target, Viewer(subject.application, reads_content=True))
            return {"resolved": {"messages": {str(target.id): shown}}}
        resolved: Json = {"users": {str(target.id): payloads.user(target)}}
        guild = self.state.guild_of(subject.channel)
        if guild is not None and target.id in guild.members:
            granted = {"permissions": str(int(self.state.permissions(subject.channel, target)))}
            resolved["members"] = {str(target.id): payloads.member(guild.members[target.id], with_user=False) | granted}
        return {"resolved": resolved}


def _integration_owners(interaction: Interaction) -> dict[str, str]:
    owners = {"0": str(interaction.channel.guild_id or 0)} if interaction.is_by_guild else {}
    return owners if interaction.installed_by is None else owners | {"1": str(interaction.installed_by)}


def _target_ids(interaction: Interaction) -> Json:
    if isinstance(interaction.target, Message):
        return {"target_message_id": str(interaction.target.id)}
    return {} if interaction.target is None else {"target_user": payloads.user(interaction.target)}


def _reaction(emoji: str, user_ids: set[int], viewer: Viewer) -> Json:
    count = len(user_ids)
    return {
        "emoji": {"id": None, "name": emoji},
        "count": count,
        "count_details": {"normal": count, "burst": 0},
        "me": viewer.application.user.id in user_ids,
        "me_burst": False,
        "burst_colors": [],
    }
