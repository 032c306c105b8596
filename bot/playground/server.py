"""The loopback Discord as one object: start it, furnish it, wait for what happens in it, close it.

Owns the HTTP server on 127.0.0.1 and the composition of state, gateway and REST. What a test or the terminal asks of
the world goes through here or through a `Person`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from aiohttp import web

from bot.playground.faults import Faults
from bot.playground.gateway import Gateway
from bot.playground.model import (
    Application,
    Channel,
    Guild,
    Interaction,
    Member,
    Message,
    MessageType,
    Role,
    User,
    required,
)
from bot.playground.permissions import NOTHING, Permission
from bot.playground.ratelimits import RateLimits
from bot.playground.renderer import Renderer
from bot.playground.rest import accounts, channels, commands, interactions, messages
from bot.playground.rest.pipeline import PREFIX, CallLog, Pipeline
from bot.playground.state import Clock, Event, State
from bot.playground.user import Person

LOOPBACK: Final = "127.0.0.1"
HEARTBEAT_INTERVAL_S: Final = 41.25
REQUEST_LIMIT_BYTES: Final = 32 * 1024 * 1024
SHUTDOWN_TIMEOUT_S: Final = 0.5

T = TypeVar("T")


class Playground:
    """A Discord on 127.0.0.1 with one bot in it.

    `clock` gives seconds since 1970 to everything that has a time; `running_mark` is what the bot ends the newest
    message of an answer with while more is to come. Use as `async with`, or `start` and `aclose`.
    """

    def __init__(
        self,
        *,
        rate_limits: bool = True,
        clock: Clock = time.time,
        running_mark: str = "",
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
        bot_name: str = "Phibot",
        port: int = 0,
    ) -> None:
        self.state = State(clock)
        self.faults = Faults()
        self.limits = RateLimits(clock, enabled=rate_limits)
        self.bot: Application = self.state.add_application(bot_name)
        self.running_mark = running_mark.strip()
        self.port = port
        self._renderer = Renderer(self.state, "")
        self._pipeline = Pipeline(
            self.state, self._renderer, self.limits, self.faults, gateway_url=lambda: self.gateway_url
        )
        self.gateway = Gateway(
            self.state,
            self._renderer,
            self.faults,
            url=lambda: self.gateway_url,
            heartbeat_interval_s=heartbeat_interval_s,
            rate_limits=rate_limits,
        )
        self._runner: web.AppRunner | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self.state.subscribe(self._wake)

    # Life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one, `port` then says which."""
        app = web.Application(middlewares=[_only_loopback], client_max_size=REQUEST_LIMIT_BYTES)
        for routes in (accounts, channels, messages, commands, interactions):
            for route in routes.routes:
                app.router.add_route(route.method, PREFIX + route.path, self._pipeline.handler(route))
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", self._attachment)
        app.router.add_route("*", "/{tail:.*}", self._pipeline.unknown)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self.port).start()
        self.port = self._runner.addresses[0][1]
        self._renderer.files_url = f"http://{LOOPBACK}:{self.port}/attachments"

    async def aclose(self) -> None:
        """Cut every connection and stop listening. Safe to call twice."""
        self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        where, which = int(request.match_info["channel_id"]), request.match_info["attachment_id"]
        posted = [message.attachments for message in self.state.messages.get(where, {}).values()]
        given = [used.files for used in self.state.interactions.values() if used.channel.id == where]
        for attachment in itertools.chain(*posted, *given):
            if str(attachment.id) == which:
                if self.faults.hold_files is not None:
                    self.faults.held_files += 1
                    await self.faults.hold_files.wait()
                return web.Response(body=attachment.content, headers={"Content-Type": attachment.content_type})
        raise web.HTTPNotFound

    # Addresses and records

    @property
    def api_url(self) -> str:
        """The root of REST, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """The address of the gateway."""
        return f"ws://{LOOPBACK}:{self.port}/gateway/"

    @property
    def files_origin(self) -> str:
        """Where attachments are served, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.bot.token

    @property
    def log(self) -> CallLog:
        """Every REST call so far, with time, status and body."""
        return self._pipeline.log

    @property
    def unknown_routes(self) -> list[str]:
        """The calls to routes that this server does not have; a test asserts that there are none."""
        return self._pipeline.unknown_routes

    # Furnishing

    def add_guild(self, name: str, *, bot_permissions: Permission = NOTHING, with_bot: bool = True) -> Guild:
        """Create a guild; the bot joins it with a managed role that grants `bot_permissions`."""
        guild = self.state.add_guild(name, self.state.add_user(f"{name}-owner"))
        if with_bot:
            self.state.join(self.bot.user, guild, bot_permissions)
        return guild

    def add_channel(self, guild: Guild, name: str) -> Channel:
        """Create a text channel."""
        return self.state.add_channel(guild, name)

    def add_user(self, name: str) -> User:
        """Create a person's account."""
        return self.state.add_user(name)

    def join(self, user: User, guild: Guild) -> Member:
        """Make a user a member of a guild."""
        return self.state.join(user, guild)

    def person(self, name: str, *guilds: Guild) -> Person:
        """Return the person of that name, made on first use, and let them join the guilds."""
        found = next((user for user in self.state.users.values() if user.name == name and not user.bot), None)
        user = found or self.add_user(name)
        for guild in guilds:
            if user.id not in guild.members:
                self.join(user, guild)
        return Person(self.state, self.bot, user)

    def group_dm(self, owner: Person, *others: Person) -> Channel:
        """Open a group of people; no bot can be in it."""
        return self.state.group_dm(owner.user, *(person.user for person in others))

    def grant(self, person: Person, guild: Guild, granted: Permission) -> Role:
        """Give somebody a role of his own with permissions, as moderators have."""
        role = self.state.add_role(guild, f"{person.user.name}'s", granted)
        guild.members[person.user.id].role_ids.add(role.id)
        return role

    def bot_role(self, guild: Guild) -> Role:
        """Return the bot's managed role in a guild."""
        return next(role for role in guild.roles.values() if role.bot_id == self.bot.user.id)

    def history(self, channel: Channel) -> list[Message]:
        """Return a channel's messages, oldest first, ephemeral ones included."""
        return list(self.state.messages[channel.id].values())

    # Waiting

    def _wake(self, _: Event) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], T], *, timeout_s: float = 30.0) -> T:
        """Return the condition's value as soon as it is true; it is asked again after each change.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                value = condition()
                if value:
                    return value
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)

    async def wait_for(
        self, predicate: Callable[[Message], bool], *, after: Message | None = None, timeout_s: float = 30.0
    ) -> Message:
        """Return the first message, posted `after` one if given, for which the predicate holds or comes to hold.

        Raises: TimeoutError.
        """
        since = 0 if after is None else after.id

        def find() -> Message | None:
            everything = (m for channel in self.state.messages.values() for m in channel.values() if m.id > since)
            return next((message for message in everything if predicate(message)), None)

        return required(await self.until(find, timeout_s=timeout_s))

    async def bot_connected(self, *, timeout_s: float = 30.0) -> None:
        """Wait until the bot has identified or resumed. Raises: TimeoutError."""
        await self.until(lambda: self.gateway.connected(self.bot), timeout_s=timeout_s)

    async def settled(self, message: Message, *, quiet_s: float = 0.2, timeout_s: float = 30.0) -> Message:
        """Wait until a message has not changed for `quiet_s`. Raises: TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                seen = message.revision
                if not await self._changes_within(message, seen, quiet_s):
                    return message

    async def _changes_within(self, message: Message, seen: int, quiet_s: float) -> bool:
        try:
            return await self.until(lambda: message.revision != seen, timeout_s=quiet_s)
        except TimeoutError:
            return False

    # Answers

    def answer_so_far(self, question: Message | Interaction) -> list[Message]:
        """Return the bot's messages that answer a question, oldest first.

        To a message: the replies to it and what continues them, by a reply to a piece of the answer or by a plain
        message; in a DM plain messages count from the start. To an interaction: its responses and what continues them.
        """
        if isinstance(question, Interaction):
            answer, channel_id = list(question.responses), question.channel.id
            is_open = bool(answer)
        else:
            answer, channel_id = [], question.channel_id
            is_open = question.guild_id is None
        known = {question.id, *(message.id for message in answer)}
        for message in self.state.messages.get(channel_id, {}).values():  # none of a channel that was deleted
            if message.id <= question.id or message.author is not self.bot.user or message.id in known:
                continue
            if message.visible_to is not None:  # what one person alone sees stands between no two messages
                continue
            if (
                message.interaction is None
                and message.type != MessageType.THREAD_CREATED
                and (message.replies_to in known or (message.replies_to is None and is_open))
            ):
                answer.append(message)
                known.add(message.id)
                is_open = True
            else:
                is_open = False
        return sorted(answer, key=lambda message: message.id)

    def is_finished(self, question: Message | Interaction) -> bool:
        """Whether a question is answered: there is an answer and none of its messages says "more to come".

        All of them count: the next message may be there before the mark leaves the one before it.
        """
        answer = self.answer_so_far(question)
        return bool(answer) and not any(self.is_running(message) for message in answer)

    def is_running(self, message: Message) -> bool:
        """Whether a message says that more is to come: "… is thinking", or the running mark at its end."""
        return message.is_loading or (bool(self.running_mark) and message.content.endswith(self.running_mark))

    async def answer(self, question: Message | Interaction, *, timeout_s: float = 30.0) -> list[Message]:
        """Wait for the finished answer to a question. Raises: TimeoutError."""
        await self.until(lambda: self.is_finished(question), timeout_s=timeout_s)
        return self.answer_so_far(question)


@web.middleware
async def _only_loopback(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what another host's name led here (DNS rebinding from a web page)."""
    if request.url.host not in (LOOPBACK, "localhost"):
        raise web.HTTPForbidden(text="This server answers to 127.0.0.1 only.")
    return await handler(request)
