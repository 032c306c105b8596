"""Routes about the caller itself, other users, guilds and their members."""

from __future__ import annotations

from bot.playground import errors, payloads
from bot.playground.model import Guild
from bot.playground.rest.call import Answer, Call, Routes

routes = Routes()


@routes.add("GET", "/users/@me")
async def me(call: Call) -> Answer:
    """Return the bot's own account: how a client checks its token."""
    return payloads.own_user(call.bot.user)


@routes.add("GET", "/users/{user_id}")
async def get_user(call: Call) -> Answer:
    """Return any account."""
    user = call.state.users.get(call.id("user_id"))
    if user is None:
        raise errors.unknown_user()
    return payloads.user(user)


@routes.add("GET", "/oauth2/applications/@me")
@routes.add("GET", "/applications/@me")
async def application(call: Call) -> Answer:
    """Return the bot's application."""
    return payloads.application(call.bot)


@routes.add("GET", "/gateway")
async def gateway(call: Call) -> Answer:
    """Return where the gateway is."""
    return {"url": call.gateway_url}


@routes.add("GET", "/gateway/bot")
async def gateway_bot(call: Call) -> Answer:
    """Return where the gateway is and how many shards to use."""
    limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    return {"url": call.gateway_url, "shards": 1, "session_start_limit": limit}


@routes.add("POST", "/users/@me/channels")
async def open_dm(call: Call) -> Answer:
    """Open the DM with a user."""
    user = call.state.users.get(int(call.form["recipient_id"]))
    if user is None:
        raise errors.unknown_user()
    if user is call.bot.user:
        raise errors.dms_closed()
    return payloads.channel(call.state, call.state.dm(call.bot.user, user), call.bot)


@routes.add("DELETE", "/users/@me/guilds/{guild_id}")
async def leave_guild(call: Call) -> None:
    """Leave a guild; of one that the bot is not in it knows nothing, and an owner has to hand his over first."""
    guild = call.state.guilds.get(call.id("guild_id"))
    if guild is None or call.bot.user.id not in guild.members:
        raise errors.unknown_guild()
    if guild.owner_id == call.bot.user.id:
        raise errors.invalid_guild()
    call.state.leave(call.bot.user, guild)


def _guild(call: Call) -> Guild:
    guild = call.state.guilds.get(call.id("guild_id"))
    if guild is None:
        raise errors.unknown_guild()
    if call.bot.user.id not in guild.members:
        raise errors.missing_access()
    return guild


@routes.add("GET", "/guilds/{guild_id}", major="guild_id")
async def get_guild(call: Call) -> Answer:
    """Return a guild that the bot is in."""
    return payloads.guild(call.state, _guild(call), call.bot)


@routes.add("GET", "/guilds/{guild_id}/channels", major="guild_id")
async def guild_channels(call: Call) -> Answer:
    """Return a guild's channels, without threads."""
    found = call.state.guild_channels(_guild(call))
    return [payloads.channel(call.state, channel) for channel in found if not channel.is_thread]


@routes.add("GET", "/guilds/{guild_id}/members", major="guild_id")
async def list_members(call: Call) -> Answer:
    """Return members by id, after `after`, at most `limit`."""
    after = int(call.request.query.get("after", 0))
    limit = int(call.request.query.get("limit", 1))
    found = sorted((m for m in _guild(call).members.values() if m.user.id > after), key=lambda m: m.user.id)
    return [payloads.member(member) for member in found[:limit]]


@routes.add("GET", "/guilds/{guild_id}/members/{user_id}", major="guild_id")
async def get_member(call: Call) -> Answer:
    """Return one member."""
    member = _guild(call).members.get(call.id("user_id"))
    if member is None:
        raise errors.unknown_member()
    return payloads.member(member)
