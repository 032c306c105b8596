"""One gateway connection and the session it serves: frames in and out, in order.

Owns the wire (zlib stream or text), the send limit and the reading of opcodes; what they mean for the world is the
gateway's. Source: Discord's documentation, "Gateway" and "Gateway Close Codes".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import WSMsgType, web

from bot.playground.dispatch import Audience
from bot.playground.model import Application

if TYPE_CHECKING:
    from bot.playground.gateway import Gateway

log = structlog.get_logger(__name__)

SENDS_PER_WINDOW: Final = 120
SEND_WINDOW_S: Final = 60.0
REPLAY_LIMIT: Final = 1000
CLOSE_TIMEOUT_S: Final = 1.0
HEARTBEAT_ACK_AFTER_S: Final = 0.05
"""As if over a network: discord.py's thread notes when a heartbeat was sent only after that, and measures an
acknowledgement that was faster from the heartbeat before (`Can't keep up, … 41.3s behind`)."""


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


class Refused(Exception):
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
            except Refused as refusal:
                log.debug("gateway.refused", code=refusal.code.name)
                await self._socket.close(code=refusal.code)
                return

    def _count_send(self) -> None:
        now = self.gateway.clock()
        while self._received and self._received[0] <= now - SEND_WINDOW_S:
            self._received.popleft()
        self._received.append(now)
        if self.gateway.rate_limits and len(self._received) > SENDS_PER_WINDOW:
            raise Refused(CloseCode.RATE_LIMITED)

    def _obey(self, frame: str | bytes) -> None:
        try:
            payload = json.loads(frame)
            op, data = payload["op"], payload.get("d")
        except (ValueError, KeyError, TypeError) as exc:
            raise Refused(CloseCode.DECODE_ERROR) from exc
        if op == Op.HEARTBEAT:
            self.gateway.heartbeats += 1
            if not self.gateway.faults.withhold_heartbeat_acks:
                asyncio.get_running_loop().call_later(HEARTBEAT_ACK_AFTER_S, self.send_op, Op.HEARTBEAT_ACK, None)
        elif not isinstance(data, dict):
            raise Refused(CloseCode.DECODE_ERROR)
        elif op == Op.IDENTIFY:
            self.gateway.identify(self, data)
        elif op == Op.RESUME:
            self.gateway.resume(self, data)
        elif self.session is None:
            raise Refused(CloseCode.NOT_AUTHENTICATED)
        elif op == Op.PRESENCE_UPDATE:
            self.session.application.presence = data
            self.gateway.state.changed()
        elif op == Op.REQUEST_GUILD_MEMBERS:
            self.gateway.send_members(self.session, data)
        elif op != Op.VOICE_STATE_UPDATE:
            raise Refused(CloseCode.UNKNOWN_OPCODE)
