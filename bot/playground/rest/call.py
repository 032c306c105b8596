"""One REST call as a handler sees it: who calls, the decoded body, and the checks that most handlers share.

Owns decoding (JSON, multipart with payload_json) and looking things up with Discord's errors. Knows no route.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aiohttp import BodyPartReader, web

from bot.playground import errors
from bot.playground.model import Application, Attachment, Channel, Intents, Message
from bot.playground.permissions import Permission
from bot.playground.ratelimits import Limit
from bot.playground.renderer import ATTACHMENT_SIZE_LIMIT_BYTES, Renderer, Viewer
from bot.playground.state import State

_FILE_FIELD = re.compile(r"files\[(\d+)\]")

CHANNEL_MESSAGES: Final = Limit("channel-messages", 5, 5.0)
"""Shared by sends and edits in a channel: about 5 in 5 s, undocumented (facts of the community)."""
INTERACTION: Final = Limit("interaction", 5, 2.0)
"""Webhooks, and so followups and edits of responses: 5 in 2 s for each token."""
ORDINARY: Final = Limit("ordinary", 10, 1.0)


@dataclass(slots=True)
class Call:
    """A call on its way through a handler."""

    request: web.Request
    state: State
    renderer: Renderer
    gateway_url: str
    application: Application | None = None
    body: Any = None
    files: dict[int, Attachment] = field(default_factory=dict)

    @property
    def bot(self) -> Application:
        """The calling application. Raises: ApiError 401 on routes that a stranger called."""
        if self.application is None:
            raise errors.unauthorized()
        return self.application

    @property
    def viewer(self) -> Viewer:
        """The caller as a reader of messages; REST goes by what the portal enables."""
        return Viewer(self.bot, bool(self.bot.enabled_intents & Intents.MESSAGE_CONTENT))

    @property
    def form(self) -> dict[str, Any]:
        """The body as an object. Raises: ApiError 50109 for anything else."""
        if not isinstance(self.body, dict):
            raise errors.invalid_json()
        return self.body

    def id(self, name: str) -> int:
        """Return an id from the path. Raises: ApiError 50035."""
        value = self.request.match_info[name]
        if not value.isdecimal():
            raise errors.not_a_snowflake(name, value)
        return int(value)

    def channel(self, needed: Permission = Permission.VIEW_CHANNEL) -> Channel:
        """Return the path's channel, in which the caller has what is needed.

        Raises: ApiError 10003, 50001 if it cannot see the channel, 50013 if it lacks another permission.
        """
        channel = self.state.channels.get(self.id("channel_id"))
        if channel is None:
            raise errors.unknown_channel()
        granted = self.state.permissions(channel, self.bot.user)
        if not granted & Permission.VIEW_CHANNEL:
            raise errors.missing_access()
        if needed & ~granted:
            raise errors.missing_permissions()
        return channel

    def message(self, channel: Channel) -> Message:
        """Return the path's message. Raises: ApiError 10008, also for ephemeral ones."""
        message = self.state.find_message(channel.id, self.id("message_id"))
        if message is None or message.visible_to is not None:
            raise errors.unknown_message()
        return message

    def show(self, message: Message) -> dict[str, Any]:
        """Render a message for the caller."""
        return self.renderer.message(message, self.viewer)

    async def decode(self) -> None:
        """Read the body into `body` and `files`. Raises: ApiError 40005 for a large file, 50109."""
        if self.request.content_type.startswith("multipart/"):
            await self._decode_multipart()
            return
        raw = await self.request.read()
        if raw:
            self.body = _load_json(raw)

    async def _decode_multipart(self) -> None:
        async for part in await self.request.multipart():
            if not isinstance(part, BodyPartReader):
                raise errors.invalid_json()
            content = bytes(await part.read(decode=True))
            if len(content) > ATTACHMENT_SIZE_LIMIT_BYTES:
                raise errors.too_large()
            found = _FILE_FIELD.fullmatch(part.name or "")
            if part.name == "payload_json":
                self.body = _load_json(content)
            elif found is not None:
                kind = part.headers.get("Content-Type", "application/octet-stream")
                self.files[int(found[1])] = Attachment(self.state.snowflake(), part.filename or "file", content, kind)
        if self.body is None:
            self.body = {}


def _load_json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise errors.invalid_json() from exc


Answer: TypeAlias = dict[str, Any] | list[dict[str, Any]] | tuple[int, dict[str, Any]] | None
"""What a handler returns: the JSON body of a 200, (status, body), or None for a 204."""
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route with its bucket; `by_token` routes carry an interaction's token instead of the bot's."""

    method: str
    path: str
    handler: Handler
    limit: Limit
    major: str
    by_token: bool


class Routes(list[Route]):
    """Routes, added by decorating their handlers."""

    def add(
        self, method: str, path: str, *, limit: Limit = ORDINARY, major: str = "", by_token: bool = False
    ) -> Callable[[Handler], Handler]:
        """Register the decorated handler; `major` names the path parameter that has buckets of its own."""

        def register(handler: Handler) -> Handler:
            self.append(Route(method, path, handler, limit, major, by_token))
            return handler

        return register
