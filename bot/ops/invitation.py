"""How the bot gets into a server: the permissions that it asks for, why, and the links that ask for them.

Knows Discord's permission bits and the shape of its tokens; asks Discord for nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from typing import Final

from bot.errors import TokenMalformed
from bot.texts import text

NEEDED: Final[dict[str, int]] = {
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "send_messages_in_threads": 1 << 38,
    "read_message_history": 1 << 16,
    "attach_files": 1 << 15,
    "add_reactions": 1 << 6,
    "create_public_threads": 1 << 35,
}
"""All that it needs, by discord.py's names, the most needed first.

https://discord.com/developers/docs/topics/permissions
"""

PERMISSIONS: Final = sum(NEEDED.values())

_AUTHORIZE: Final = "https://discord.com/oauth2/authorize"
HIGHEST_ID: Final = 2**63 - 1


def name_of(permission: str, locale: str = "en") -> str:
    """Return a permission's name as Discord shows it."""
    return text(f"permission.{permission}", locale)


def names_of(permissions: Collection[str], locale: str = "en") -> str:
    """Return permissions' names as Discord shows them, with commas between them."""
    return ", ".join(name_of(permission, locale) for permission in permissions)


def purpose_of(permission: str, locale: str = "en") -> str:
    """Return what a permission of `NEEDED` is for, without a stop."""
    return text(f"purpose.{permission}", locale)


def invite_url(application_id: int, guild_id: int | None = None) -> str:
    """Return the link that invites the bot with the least permissions it needs, to a guild if one is given.

    Its form: https://discord.com/developers/docs/topics/oauth2#bot-authorization-flow
    """
    chosen = "" if guild_id is None else f"&guild_id={guild_id}&disable_guild_select=true"
    return f"{_AUTHORIZE}?client_id={application_id}&scope=bot+applications.commands&permissions={PERMISSIONS}{chosen}"


def install_url(application_id: int) -> str:
    """Return the link by which a person has the commands everywhere, without the bot becoming a member."""
    return f"{_AUTHORIZE}?client_id={application_id}&scope=applications.commands&integration_type=1"


def application_id_of(token: str) -> int:
    """Return the id that a bot's token begins with: its account's, which is its application's too.

    Of applications made before 2017 the two may differ. Raises: TokenMalformed, which does not hold the token.
    """
    head = token.partition(".")[0]
    try:
        digits = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)).decode("ascii")
    except ValueError:  # also what base64 and the decoding raise
        digits = ""
    application_id = int(digits) if digits.isdigit() and len(digits) <= len(str(HIGHEST_ID)) else 0
    if token.count(".") != 2 or not 0 < application_id <= HIGHEST_ID:
        raise TokenMalformed(
            "DISCORD_TOKEN is no bot's token: that has three parts with dots between them and begins with the bot's "
            "id. The portal shows it once, under Bot > Reset Token; it is neither the application id nor the public "
            "key. (With --application-id the link is made without a token.)"
        )
    return application_id


def invitation(application_id: int, *, guild_id: int | None = None, allowed: Collection[int] = ()) -> str:
    """Return what an admin needs to know to invite the bot: links, permissions, what is left again.

    `allowed`: the only guilds that are served; empty: all.
    """
    return "\n".join(_lines(application_id, guild_id, allowed))


def _lines(application_id: int, guild_id: int | None, allowed: Collection[int]) -> Iterator[str]:
    where = "a server" if guild_id is None else f"the server {guild_id}"
    yield f"To have the bot in {where}, open this link (you need Manage Server there):"
    yield f"  {invite_url(application_id, guild_id)}"
    yield ""
    yield "It asks for these permissions and no others:"
    width = max(len(name_of(permission)) for permission in NEEDED)
    for permission in NEEDED:
        yield f"  {name_of(permission):{width}}  {purpose_of(permission)}"
    yield ""
    yield "To have /ask and the message menus for yourself, also where the bot is no member, open this one:"
    yield f"  {install_url(application_id)}"
    yield "(In the portal, on the page Installation, User Install has to be switched on for that.)"
    if allowed:
        served = ", ".join(map(str, sorted(allowed)))
        yield ""
        yield f"PHIBOT_ALLOWED_GUILD_IDS is set: it leaves every server again but {served}."
        if guild_id is not None and guild_id not in allowed:
            yield f"The server {guild_id} is not among them: add it there first."
