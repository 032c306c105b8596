"""Which bot gets which event, and with what data.

Owns the table from event names to intents (Discord's documentation, "List of Intents") and the data of each event.
Knows nothing of sessions and sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bot.playground import payloads
from bot.playground.model import Application, Intents, Message, required
from bot.playground.payloads import Json
from bot.playground.renderer import Renderer, Viewer
from bot.playground.state import Event, State

_MESSAGES = (Intents.GUILD_MESSAGES, Intents.DIRECT_MESSAGES)
_REACTIONS = (Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS)
_NEEDED: Final[dict[str, tuple[Intents, Intents]]] = {
    # event name: (intent in a guild, intent in a DM)
    "MESSAGE_CREATE": _MESSAGES,
    "MESSAGE_UPDATE": _MESSAGES,
    "MESSAGE_DELETE": _MESSAGES,
    "MESSAGE_DELETE_BULK": _MESSAGES,
    "MESSAGE_REACTION_ADD": _REACTIONS,
    "MESSAGE_REACTION_REMOVE": _REACTIONS,
    "TYPING_START": (Intents.GUILD_MESSAGE_TYPING, Intents.DIRECT_MESSAGE_TYPING),
    "GUILD_MEMBER_ADD": (Intents.GUILD_MEMBERS, Intents.GUILD_MEMBERS),
    "GUILD_MEMBER_UPDATE": (Intents.GUILD_MEMBERS, Intents.GUILD_MEMBERS),
    "GUILD_MEMBER_REMOVE": (Intents.GUILD_MEMBERS, Intents.GUILD_MEMBERS),
    "THREAD_MEMBERS_UPDATE": (Intents.GUILD_MEMBERS, Intents.GUILD_MEMBERS),
    "INTERACTION_CREATE": (Intents(0), Intents(0)),
}
_GUILDS: Final = (Intents.GUILDS, Intents.GUILDS)


@dataclass(frozen=True, slots=True)
class Audience:
    """A bot and the intents it identified with."""

    application: Application
    intents: Intents

    @property
    def viewer(self) -> Viewer:
        """This audience as a reader of messages."""
        return Viewer(self.application, bool(self.intents & Intents.MESSAGE_CONTENT))


def render(state: State, renderer: Renderer, event: Event, audience: Audience) -> Json | None:
    """Return an event's data for a bot, None if it must not have the event."""
    if not _entitled(state, event, audience):
        return None
    return _DATA[event.name](state, renderer, event, audience)


def _entitled(state: State, event: Event, audience: Audience) -> bool:
    if event.only is not None and event.only is not audience.application:
        return False
    if event.guild is not None and not event.guild.is_available and "unavailable" not in event.extra:
        return False
    needed = _NEEDED.get(event.name, _GUILDS)[0 if event.guild is not None else 1]
    if event.name == "GUILD_MEMBER_UPDATE" and required(event.member).user is audience.application.user:
        needed = Intents.GUILDS  # of itself a bot hears without the intent for members
    if needed and not audience.intents & needed:
        return False
    if event.only is not None:
        return True  # an interaction reaches its bot even where the bot sees no channel
    if event.channel is not None:
        return state.sees(audience.application.user, event.channel)
    return event.guild is None or audience.application.user.id in event.guild.members


def _place(event: Event) -> Json:
    place = {} if event.guild is None else {"guild_id": str(event.guild.id)}
    return place if event.channel is None else place | {"channel_id": str(event.channel.id)}


def _message(_: State, renderer: Renderer, event: Event, audience: Audience) -> Json:
    return renderer.message(_subject(event), audience.viewer, gateway=True)


def _deleted(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"id": str(_subject(event).id)} | _place(event)


def _deleted_bulk(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"ids": [str(id_) for id_ in event.extra["ids"]]} | _place(event)


def _typing(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    data = {"user_id": str(required(event.user).id), "timestamp": event.extra["timestamp"]} | _place(event)
    return data if event.member is None else data | {"member": payloads.member(event.member)}


def _reaction(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    message = _subject(event)
    emoji = {"id": None, "name": event.extra["emoji"]}
    data: Json = {
        "user_id": str(required(event.user).id),
        "message_id": str(message.id),
        "emoji": emoji,
        "burst": False,
        "type": 0,
    }
    data["message_author_id"] = str(message.author.id)
    return data | _place(event) | ({} if event.member is None else {"member": payloads.member(event.member)})


def _interaction(_: State, renderer: Renderer, event: Event, __: Audience) -> Json:
    return renderer.interaction(required(event.interaction))


def _guild(state: State, _: Renderer, event: Event, audience: Audience) -> Json:
    data = payloads.guild(state, required(event.guild), audience.application)
    if event.extra.get("joined"):
        del data["unavailable"]  # its absence tells a new guild from one that came back
    return data


def _member(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return payloads.member(required(event.member)) | _place(event)


def _role(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"role": payloads.role(event.extra["role"])} | _place(event)


def _role_gone(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"role_id": str(event.extra["role"].id)} | _place(event)


def _channel(state: State, _: Renderer, event: Event, __: Audience) -> Json:
    return payloads.channel(state, required(event.channel)) | {
        k: v for k, v in event.extra.items() if k == "newly_created"
    }


def _thread_gone(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    thread = required(event.channel)
    ids = {"id": str(thread.id), "guild_id": str(thread.guild_id), "parent_id": str(thread.parent_id)}
    return ids | {"type": int(thread.type)}


def _thread_members(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    thread = required(event.channel)
    ids = {"id": str(thread.id), "guild_id": str(thread.guild_id)}
    added = [payloads.thread_member(thread, id_) for id_ in event.extra["added"]]
    return ids | {"member_count": len(thread.member_ids), "added_members": added, "removed_member_ids": []}


def _guild_gone(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"id": str(required(event.guild).id)} | event.extra  # `unavailable`: an outage; without: no member any more


def _member_gone(_: State, __: Renderer, event: Event, ___: Audience) -> Json:
    return {"user": payloads.user(required(event.member).user)} | _place(event)


def _subject(event: Event) -> Message:
    return required(event.message)


_DATA: Final[dict[str, Callable[[State, Renderer, Event, Audience], dict[str, Any]]]] = {
    "MESSAGE_CREATE": _message,
    "MESSAGE_UPDATE": _message,
    "MESSAGE_DELETE": _deleted,
    "MESSAGE_DELETE_BULK": _deleted_bulk,
    "MESSAGE_REACTION_ADD": _reaction,
    "MESSAGE_REACTION_REMOVE": _reaction,
    "TYPING_START": _typing,
    "INTERACTION_CREATE": _interaction,
    "GUILD_CREATE": _guild,
    "GUILD_MEMBER_ADD": _member,
    "GUILD_MEMBER_UPDATE": _member,
    "GUILD_ROLE_CREATE": _role,
    "GUILD_ROLE_UPDATE": _role,
    "GUILD_ROLE_DELETE": _role_gone,
    "CHANNEL_CREATE": _channel,
    "CHANNEL_UPDATE": _channel,
    "THREAD_CREATE": _channel,
    "CHANNEL_DELETE": _channel,
    "THREAD_UPDATE": _channel,
    "THREAD_DELETE": _thread_gone,
    "THREAD_MEMBERS_UPDATE": _thread_members,
    "GUILD_DELETE": _guild_gone,
    "GUILD_MEMBER_REMOVE": _member_gone,
}
