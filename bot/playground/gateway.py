"""The gateway: WebSocket connections, sessions that survive them, and the events each bot is entitled to.

Owns the protocol (HELLO, IDENTIFY, RESUME, heartbeats, close codes) and sequence numbers. Knows nothing of REST; what
an event looks like is asked of dispatch.py. Source: Discord's documentation, "Gateway" and "Gateway Close Codes".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import structlog
from aiohttp import WSMsgType, web

from bot.playground import payloads
from bot.playground.dispatch import Audience, render
from bot.playground.faults import Faults
from bot.playground.model import PRIVILEGED_INTENTS, Application, Intents
from bot.playground.payloads import Renderer
from bot.playground.state import Clock, Event, State

log = structlog.get_logger(__name__)

SENDS_PER_WINDOW: Final = 120
SEND_WINDOW_S: Final = 60.0
REPLAY_LIMIT: Final = 1000
CLOSE_TIMEOUT_S: Final = 1.0
HIGHEST_INTENT: Final = 1 << 26


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class CloseCode(IntEnum):
    """Gateway close codes."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class _Refused(Exception):
    """The client broke the protocol; the connection ends with this code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(slots=True, eq=False)
class Session:
    """What a bot resumes: its sequence number and the events to replay."""

    id: str
    audience: Audience
    seq: int = 0
    buffer: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=REPLAY_LIMIT))
    connection: Connection | None = None

    @property
    def application(self) -> Application:
        """The bot whose session this is."""
        return self.audience.application

    def push(self, name: str, data: dict[str, Any] | None) -> dict[str, Any]:
        """Give an event its number, keep it for a replay and send it if the bot is connected."""
        self.seq += 1
        payload = {"op": int(Op.DISPATCH), "t": name, "s": self.seq, "d": data}
        self.buffer.append(payload)
        if self.connection is not None:
            self.connection.send(payload)
        return payload


class Connection:
    """One WebSocket: a reader that obeys the client and a writer that sends in order."""

    def __init__(self, gateway: Gateway, request: web.Request) -> None:
        self.gateway = gateway
        self.session: Session | None = None
        self._request = request
        self._socket = web.WebSocketResponse(timeout=CLOSE_TIMEOUT_S, max_msg_size=0)
        compressed = request.query.get("compress") == "zlib-stream"
        self._deflate = zlib.compressobj() if compressed else None
        self._outbox: asyncio.Queue[dict[str, Any] | int] = asyncio.Queue()
        self._received: deque[float] = deque()

    async def run(self) -> web.WebSocketResponse:
        """Serve until either side closes."""
        await self._socket.prepare(self._request)
        writer = asyncio.create_task(self._write())
        self.send_op(Op.HELLO, {"heartbeat_interval": int(self.gateway.heartbeat_interval_s * 1000)})
        try:
            await self._read()
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            self.gateway.forget(self)
        return self._socket

    def send(self, payload: dict[str, Any]) -> None:
        """Send a payload after all that were sent before."""
        self._outbox.put_nowait(payload)

    def send_op(self, op: Op, data: object) -> None:
        """Send a payload that is no event."""
        self.send({"op": int(op), "d": data, "s": None, "t": None})

    def close(self, code: int) -> None:
        """Close with a code once everything before is sent."""
        self._outbox.put_nowait(code)

    def drop(self) -> None:
        """Cut the TCP connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        while True:
            item = await self._outbox.get()
            try:
                if isinstance(item, int):
                    await self._socket.close(code=item)
                    return
                await self._send_text(json.dumps(item, separators=(",", ":")))
            except (ConnectionError, RuntimeError) as exc:  # the reader sees the end of the socket and cleans up
                log.debug("gateway.unsent", reason=str(exc))
                return

    async def _send_text(self, text: str) -> None:
        if self._deflate is None:
            await self._socket.send_str(text)
        else:
            await self._socket.send_bytes(
                self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            )

    async def _read(self) -> None:
        while True:
            # A client that misses its heartbeat is cut off, as Discord does.
            patience_s = self.gateway.heartbeat_interval_s * 1.5 + 1.0
            try:
                frame = await self._socket.receive(timeout=patience_s)
            except TimeoutError:
                await self._socket.close(code=CloseCode.SESSION_TIMED_OUT)
                return
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            try:
                self._count_send()
                self._obey(frame.data)
            except _Refused as refusal:
                log.debug("gateway.refused", code=refusal.code.name)
                await self._socket.close(code=refusal.code)
                return

    def _count_send(self) -> None:
        now = self.gateway.clock()
        while self._received and self._received[0] <= now - SEND_WINDOW_S:
            self._received.popleft()
        self._received.append(now)
        if self.gateway.rate_limits and len(self._received) > SENDS_PER_WINDOW:
            raise _Refused(CloseCode.RATE_LIMITED)

    def _obey(self, frame: str | bytes) -> None:
        try:
            payload = json.loads(frame)
            op, data = payload["op"], payload.get("d")
        except (ValueError, KeyError, TypeError) as exc:
            raise _Refused(CloseCode.DECODE_ERROR) from exc
        if op == Op.HEARTBEAT:
            self.gateway.heartbeats += 1
            if not self.gateway.faults.withhold_heartbeat_acks:
                self.send_op(Op.HEARTBEAT_ACK, None)
        elif not isinstance(data, dict):
            raise _Refused(CloseCode.DECODE_ERROR)
        elif op == Op.IDENTIFY:
            self.gateway.identify(self, data)
        elif op == Op.RESUME:
            self.gateway.resume(self, data)
        elif self.session is None:
            raise _Refused(CloseCode.NOT_AUTHENTICATED)
        elif op == Op.PRESENCE_UPDATE:
            self.session.application.presence = data
            self.gateway.state.changed()
        elif op == Op.REQUEST_GUILD_MEMBERS:
            self.gateway.send_members(self.session, data)
        elif op != Op.VOICE_STATE_UPDATE:
            raise _Refused(CloseCode.UNKNOWN_OPCODE)


class Gateway:
    """All sessions and connections of the server, and what tests do to them."""

    def __init__(
        self,
        state: State,
        renderer: Renderer,
        faults: Faults,
        *,
        url: Callable[[], str],
        heartbeat_interval_s: float,
        rate_limits: bool,
    ) -> None:
        self.state = state
        self.renderer = renderer
        self.faults = faults
        self.url = url
        self.heartbeat_interval_s = heartbeat_interval_s
        self.rate_limits = rate_limits
        self.sessions: dict[str, Session] = {}
        self.connections: list[Connection] = []
        self.heartbeats = 0
        self.identifies = 0
        self.resumes = 0
        state.subscribe(self.dispatch)

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        return self.state.clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one gateway connection."""
        if self.faults.refuse_gateway > 0:
            self.faults.refuse_gateway -= 1
            return web.Response(status=503, text="no gateway for now")
        connection = Connection(self, request)
        self.connections.append(connection)
        return await connection.run()

    def forget(self, connection: Connection) -> None:
        """Take a finished connection off its session, which stays resumable."""
        self.connections.remove(connection)
        if connection.session is not None and connection.session.connection is connection:
            connection.session.connection = None
        self.state.changed()

    def connected(self, application: Application) -> bool:
        """Whether a bot has identified or resumed and is still connected."""
        return any(s.connection is not None for s in self._sessions_of(application))

    def _sessions_of(self, application: Application) -> list[Session]:
        return [session for session in self.sessions.values() if session.application is application]

    # The protocol

    def identify(self, connection: Connection, data: dict[str, Any]) -> None:
        """Start a session: READY, then GUILD_CREATE for each guild."""
        if connection.session is not None:
            raise _Refused(CloseCode.ALREADY_AUTHENTICATED)
        application = self._authenticate(data)
        intents = _check_intents(data.get("intents"), application)
        shard = data.get("shard")
        if shard is not None and not (len(shard) == 2 and 0 <= shard[0] < shard[1]):
            raise _Refused(CloseCode.INVALID_SHARD)
        application.presence = data.get("presence")
        session = Session(secrets.token_hex(16), Audience(application, intents), connection=connection)
        self.sessions[session.id] = session
        connection.session = session
        self.identifies += 1
        self._welcome(session, shard)
        self.state.changed()

    def _authenticate(self, data: dict[str, Any]) -> Application:
        application = self.state.applications.get(str(data.get("token", "")).removeprefix("Bot "))
        if application is None:
            raise _Refused(CloseCode.AUTHENTICATION_FAILED)
        return application

    def _welcome(self, session: Session, shard: list[int] | None) -> None:
        application = session.application
        guilds = [guild for guild in self.state.guilds.values() if application.user.id in guild.members]
        ready: dict[str, Any] = {
            "v": 10,
            "user": payloads.own_user(application.user),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url(),
            "private_channels": [],
            "application": {"id": str(application.id), "flags": payloads.application_flags(application)},
        }
        session.push("READY", ready | ({} if shard is None else {"shard": shard}))
        if not session.audience.intents & Intents.GUILDS:
            return
        for guild in guilds:
            session.push("GUILD_CREATE", payloads.guild(self.state, guild, application))

    def resume(self, connection: Connection, data: dict[str, Any]) -> None:
        """Go on with a session: replay what was missed, then RESUMED; op 9 if there is no such session."""
        if connection.session is not None:
            raise _Refused(CloseCode.ALREADY_AUTHENTICATED)
        application = self._authenticate(data)
        session = self.sessions.get(data.get("session_id", ""))
        if session is None or session.application is not application:
            connection.send_op(Op.INVALID_SESSION, data=False)
            return
        seq = data.get("seq")
        if not isinstance(seq, int) or not 0 <= seq <= session.seq:
            raise _Refused(CloseCode.INVALID_SEQ)
        if session.connection is not None:
            session.connection.drop()
        connection.session = session
        session.connection = connection
        self.resumes += 1
        for payload in session.buffer:
            if payload["s"] > seq:
                connection.send(payload)
        session.push("RESUMED", {})
        self.state.changed()

    def send_members(self, session: Session, data: dict[str, Any]) -> None:
        """Answer op 8 with one chunk of members."""
        guild = self.state.guilds[int(data["guild_id"])]
        wanted = {int(id_) for id_ in _listed(data.get("user_ids"))}
        prefix = (data.get("query") or "").lower()
        found = [
            member
            for member in guild.members.values()
            if (member.user.id in wanted if wanted else member.user.name.lower().startswith(prefix))
        ]
        limit = data.get("limit") or len(found)
        chunk: dict[str, Any] = {
            "guild_id": str(guild.id),
            "members": [payloads.member(member) for member in found[:limit]],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(id_) for id_ in wanted - set(guild.members)],
        }
        session.push("GUILD_MEMBERS_CHUNK", chunk | ({"nonce": data["nonce"]} if "nonce" in data else {}))

    def dispatch(self, event: Event) -> None:
        """Send an event to every session that may have it, connected or not."""
        if not event.name:
            return
        for session in list(self.sessions.values()):
            data = render(self.state, self.renderer, event, session.audience)
            if data is None:
                continue
            if event.name in self.faults.malformed:
                data = self.faults.malformed.pop(event.name)
            payload = session.push(event.name, data)
            if self.faults.take_duplicate(event.name) and session.connection is not None:
                session.connection.send(payload)

    # What tests do to connections

    def drop(self) -> None:
        """Cut every connection without a word; the sessions stay resumable."""
        for connection in list(self.connections):
            connection.drop()

    def close(self, code: int) -> None:
        """Close every connection with a code."""
        for connection in list(self.connections):
            connection.close(code)

    def reconnect(self) -> None:
        """Send op 7: the client is to come back and resume."""
        for connection in list(self.connections):
            connection.send_op(Op.RECONNECT, None)

    def invalidate(self, *, resumable: bool) -> None:
        """Send op 9; unless resumable, the sessions are gone."""
        for connection in list(self.connections):
            connection.send_op(Op.INVALID_SESSION, resumable)
            if not resumable and connection.session is not None:
                self.sessions.pop(connection.session.id, None)
                connection.session = None


def _check_intents(value: object, application: Application) -> Intents:
    if not isinstance(value, int) or not 0 <= value < HIGHEST_INTENT:
        raise _Refused(CloseCode.INVALID_INTENTS)
    intents = Intents(value)
    if intents & PRIVILEGED_INTENTS & ~application.enabled_intents:
        raise _Refused(CloseCode.DISALLOWED_INTENTS)
    return intents


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
