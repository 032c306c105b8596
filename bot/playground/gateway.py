"""The gateway: sessions, what opens and resumes them, and the events each bot is entitled to.

Owns identification, replay and sequence numbers, and what tests do to connections. Knows nothing of REST; what an event
looks like is asked of dispatch.py, frames are connection.py's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from bot.playground import payloads
from bot.playground.connection import CloseCode, Connection, Op, Refused, Session
from bot.playground.dispatch import Audience, render
from bot.playground.faults import Faults
from bot.playground.model import PRIVILEGED_INTENTS, Application, Intents
from bot.playground.renderer import Renderer
from bot.playground.state import Clock, Event, State

HIGHEST_INTENT: Final = 1 << 26


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
            raise Refused(CloseCode.ALREADY_AUTHENTICATED)
        application = self._authenticate(data)
        intents = _check_intents(data.get("intents"), application)
        shard = data.get("shard")
        if shard is not None and not (len(shard) == 2 and 0 <= shard[0] < shard[1]):
            raise Refused(CloseCode.INVALID_SHARD)
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
            raise Refused(CloseCode.AUTHENTICATION_FAILED)
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
            if not guild.is_available:  # it comes when its outage is over
                continue
            session.push("GUILD_CREATE", payloads.guild(self.state, guild, application))

    def resume(self, connection: Connection, data: dict[str, Any]) -> None:
        """Go on with a session: replay what was missed, then RESUMED; op 9 if there is no such session."""
        if connection.session is not None:
            raise Refused(CloseCode.ALREADY_AUTHENTICATED)
        application = self._authenticate(data)
        session = self.sessions.get(data.get("session_id", ""))
        if session is None or session.application is not application:
            connection.send_op(Op.INVALID_SESSION, data=False)
            return
        seq = data.get("seq")
        if not isinstance(seq, int) or not 0 <= seq <= session.seq:
            raise Refused(CloseCode.INVALID_SEQ)
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
            if event.name in self.faults.left_out:
                data.pop(self.faults.left_out.pop(event.name), None)
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
        raise Refused(CloseCode.INVALID_INTENTS)
    intents = Intents(value)
    if intents & PRIVILEGED_INTENTS & ~application.enabled_intents:
        raise Refused(CloseCode.DISALLOWED_INTENTS)
    return intents


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
