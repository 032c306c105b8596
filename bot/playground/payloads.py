"""How the things of model.py look in Discord's JSON.

Owns the keys that discord.py 2.7 requires (docs of each object: Discord's API reference) and the rule that message
content is shown only to those entitled to it. Pure functions of the state; links to files come from `Links`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.playground.model import (
    Application,
    Attachment,
    Channel,
    ChannelType,
    Command,
    Guild,
    Intents,
    Interaction,
    InteractionType,
    Member,
    Message,
    MessageFlags,
    Role,
    User,
    required,
)
from bot.playground.permissions import EVERYTHING
from bot.playground.state import State

Json = dict[str, Any]

ATTACHMENT_SIZE_LIMIT_BYTES = 10 * 1024 * 1024
FORWARD = 1  # message_reference.type of a forwarded message


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who a payload is rendered for: a bot and whether it may read all message content."""

    application: Application
    reads_content: bool


def timestamp(seconds: float) -> str:
    """Return Discord's ISO 8601 form of a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def user(subject: User) -> Json:
    """Render a user."""
    return {
        "id": str(subject.id),
        "username": subject.name.lower(),
        "global_name": None if subject.bot else subject.name,
        "discriminator": "0000" if subject.bot else "0",
        "avatar": None,
        "bot": subject.bot,
        "public_flags": 0,
    }


def own_user(subject: User) -> Json:
    """Render the bot's own account, as /users/@me and READY show it."""
    return user(subject) | {"verified": True, "mfa_enabled": False, "flags": 0, "email": None, "locale": "en-US"}


def application(subject: Application) -> Json:
    """Render /oauth2/applications/@me."""
    return {
        "id": str(subject.id),
        "name": subject.name,
        "description": "",
        "icon": None,
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": hashlib.sha256(str(subject.id).encode()).hexdigest(),
        "owner": user(subject.owner),
        "team": None,
        "flags": application_flags(subject),
    }


def application_flags(subject: Application) -> int:
    """Return the flags that say which privileged intents are on (the "limited" ones, under 100 guilds)."""
    bits = {Intents.GUILD_PRESENCES: 1 << 13, Intents.GUILD_MEMBERS: 1 << 15, Intents.MESSAGE_CONTENT: 1 << 19}
    return sum(bit for intent, bit in bits.items() if subject.enabled_intents & intent)


def role(subject: Role) -> Json:
    """Render a role."""
    tags = {"tags": {"bot_id": str(subject.bot_id)}} if subject.bot_id is not None else {}
    return {
        "id": str(subject.id),
        "name": subject.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": subject.position,
        "permissions": str(int(subject.permissions)),
        "managed": subject.bot_id is not None,
        "mentionable": subject.mentionable,
        "flags": 0,
        **tags,
    }


def member(subject: Member, *, with_user: bool = True) -> Json:
    """Render a member; a message carries it beside its author, without the user inside."""
    body: Json = {
        "roles": [str(role_id) for role_id in sorted(subject.role_ids)],
        "nick": subject.nick,
        "avatar": None,
        "joined_at": timestamp(subject.joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }
    return body | {"user": user(subject.user)} if with_user else body


def channel(state: State, subject: Channel, viewer: Application | None = None) -> Json:
    """Render a channel; a DM shows `viewer` the other one."""
    body: Json = {
        "id": str(subject.id),
        "type": int(subject.type),
        "flags": 0,
        "last_message_id": _text(subject.last_message_id),
    }
    if subject.type is ChannelType.DM:
        others = [id_ for id_ in subject.recipient_ids if viewer is None or id_ != viewer.user.id]
        return body | {"recipients": [user(state.users[id_]) for id_ in others]}
    body |= {"guild_id": str(subject.guild_id), "name": subject.name, "parent_id": _text(subject.parent_id)}
    if subject.is_thread:
        return body | _thread_fields(state, subject)
    return body | {
        "position": subject.position,
        "topic": subject.topic,
        "nsfw": False,
        "rate_limit_per_user": 0,
        "permission_overwrites": _overwrites(state, subject),
    }


def _thread_fields(state: State, subject: Channel) -> Json:
    created = timestamp(subject.created_at)
    count = len(state.messages[subject.id])
    return {
        "owner_id": _text(subject.owner_id),
        "message_count": count,
        "total_message_sent": count,
        "member_count": len(subject.member_ids),
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": created,
            "create_timestamp": created,
            "locked": False,
        },
    }


def _overwrites(state: State, subject: Channel) -> list[Json]:
    guild = state.guild_of(subject)
    return [
        {
            "id": str(target_id),
            "type": 0 if guild is not None and target_id in guild.roles else 1,
            "allow": str(int(rule.allow)),
            "deny": str(int(rule.deny)),
        }
        for target_id, rule in subject.overwrites.items()
    ]


def guild(state: State, subject: Guild, viewer: Application) -> Json:
    """Render GUILD_CREATE for a bot: the channels it sees, all members."""
    seen = [item for item in state.guild_channels(subject) if state.sees(viewer.user, item)]
    return {
        "id": str(subject.id),
        "name": subject.name,
        "icon": None,
        "owner_id": str(subject.owner_id),
        "unavailable": False,
        "large": False,
        "member_count": len(subject.members),
        "joined_at": timestamp(subject.members[viewer.user.id].joined_at),
        "roles": [role(item) for item in subject.roles.values()],
        "members": [member(item) for item in subject.members.values()],
        "channels": [channel(state, item) for item in seen if not item.is_thread],
        "threads": [channel(state, item) for item in seen if item.is_thread],
        "emojis": [],
        "stickers": [],
        "features": [],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "afk_channel_id": None,
        "afk_timeout": 300,
        "default_message_notifications": 0,
        "description": None,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "preferred_locale": "en-US",
        "premium_tier": 0,
        "system_channel_flags": 0,
        "system_channel_id": None,
        "vanity_url_code": None,
        "verification_level": 0,
    }


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
            body["thread"] = channel(self.state, self.state.channels[subject.id])
        return body

    def _envelope(self, subject: Message) -> Json:
        return {
            "id": str(subject.id),
            "channel_id": str(subject.channel_id),
            "author": user(subject.author),
            "type": int(subject.type),
            "timestamp": timestamp(subject.created_at),
            "edited_timestamp": None if subject.edited_at is None else timestamp(subject.edited_at),
            "flags": int(subject.flags),
            "tts": False,
            "pinned": False,
            "mention_everyone": subject.mention_everyone,
            "mentions": [self._mention(subject, id_) for id_ in subject.mention_ids],
            "mention_roles": [str(id_) for id_ in subject.mention_role_ids],
        }

    def _mention(self, subject: Message, user_id: int) -> Json:
        body = user(self.state.users[user_id])
        guild = self.state.guilds.get(subject.guild_id) if subject.guild_id is not None else None
        if guild is not None and user_id in guild.members:
            body["member"] = member(guild.members[user_id], with_user=False)
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
        return body | {"member": member(author, with_user=False)} if author is not None else body

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
                "user": user(interaction.user),
                "authorizing_integration_owners": _integration_owners(interaction),
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
            "data": subject.data,
            "channel_id": str(subject.channel.id),
            "channel": channel(self.state, subject.channel, app),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": _integration_owners(subject),
            "attachment_size_limit": ATTACHMENT_SIZE_LIMIT_BYTES,
            "app_permissions": str(int(self.state.permissions(subject.channel, app.user))),
            "context": 0 if subject.channel.guild_id is not None else 1,
        }
        if subject.type is InteractionType.MESSAGE_COMPONENT and subject.message is not None:
            body["message"] = self.message(subject.message, Viewer(app, reads_content=True), gateway=True)
        guild_ = self.state.guild_of(subject.channel)
        if guild_ is None:
            return body | {"user": user(subject.user)}
        granted = self.state.permissions(subject.channel, subject.user) & EVERYTHING
        who = member(guild_.members[subject.user.id]) | {"permissions": str(int(granted))}
        home = {"id": str(guild_.id), "locale": "en-US", "features": []}
        return body | {"guild_id": str(guild_.id), "guild": home, "guild_locale": "en-US", "member": who}


def command(subject: Command, app: Application) -> Json:
    """Render a registered command."""
    defaults: Json = {
        "type": 1,
        "description": "",
        "name_localizations": None,
        "description_localizations": None,
        "default_member_permissions": None,
        "nsfw": False,
        "contexts": None,
        "integration_types": [0],
    }
    place = {} if subject.guild_id is None else {"guild_id": str(subject.guild_id)}
    ids = {"id": str(subject.id), "application_id": str(app.id), "version": str(subject.version)}
    return defaults | subject.data | ids | place


def _integration_owners(interaction: Interaction) -> dict[str, str]:
    return {"0": str(interaction.channel.guild_id or 0)}


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


def _text(id_: int | None) -> str | None:
    return None if id_ is None else str(id_)
