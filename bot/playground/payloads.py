"""How the things of model.py look in Discord's JSON.

Owns the keys that discord.py 2.7 requires (docs of each object: Discord's API reference) of users, guilds, channels and
commands; messages are renderer.py's. Pure functions of the state.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from bot.playground.model import (
    Application,
    Channel,
    ChannelType,
    Command,
    Guild,
    Intents,
    Member,
    Role,
    User,
)
from bot.playground.state import State

Json = dict[str, Any]

FORWARD = 1  # message_reference.type of a forwarded message


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
    if subject.guild_id is None:
        others = [id_ for id_ in subject.recipient_ids if viewer is None or id_ != viewer.user.id]
        if subject.type is ChannelType.GROUP_DM:
            body |= {"owner_id": _text(subject.owner_id), "icon": None, "name": None}
        return body | {"recipients": [user(state.users[id_]) for id_ in others]}
    body |= {"guild_id": str(subject.guild_id), "name": subject.name, "parent_id": _text(subject.parent_id)}
    if subject.is_thread:
        return body | _thread_fields(state, subject)
    return body | {
        "position": subject.position,
        "topic": subject.topic,
        "nsfw": subject.is_age_restricted,
        "rate_limit_per_user": 0,
        "permission_overwrites": _overwrites(state, subject),
    }


def _thread_fields(state: State, subject: Channel) -> Json:
    created = timestamp(subject.created_at)
    changed = created if subject.archived_at is None else timestamp(subject.archived_at)
    count = len(state.messages.get(subject.id, {}))  # none is left of a thread that is being deleted
    return {
        "owner_id": _text(subject.owner_id),
        "message_count": count,
        "total_message_sent": count,
        "member_count": len(subject.member_ids),
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": subject.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": changed,
            "create_timestamp": created,
            "locked": subject.locked,
        },
    }


def thread_member(thread: Channel, user_id: int) -> Json:
    """Render somebody's membership of a thread."""
    joined = timestamp(thread.created_at)
    return {"id": str(thread.id), "user_id": str(user_id), "join_timestamp": joined, "flags": 0}


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
        "preferred_locale": subject.locale,
        "premium_tier": 0,
        "system_channel_flags": 0,
        "system_channel_id": _text(subject.system_channel_id),
        "vanity_url_code": None,
        "verification_level": 0,
    }


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


def _text(id_: int | None) -> str | None:
    return None if id_ is None else str(id_)
