"""Answers to interactions, whatever their state: acknowledged at once, or told one sentence where that still goes.

Knows neither commands nor controls; both end here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import discord
import structlog

from bot.core.messages import ConversationKey
from bot.frontends.discord.surface import NO_PINGS, Refused, Unreachable, Unwritable, calling

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

ACKNOWLEDGE_S: Final = 3.0  # after that Discord shows "did not respond"
_ALREADY_ACKNOWLEDGED: Final = 40060


def locale_of(interaction: Interaction) -> str:
    """Return the language that the person's Discord speaks."""
    return str(interaction.locale)


async def defer(interaction: Interaction, *, ephemeral: bool = False, thinking: bool = True) -> None:
    """Acknowledge at once; what follows may take its time. Not `thinking`: a control's message stays as it is.

    Raises: Unwritable.
    """
    for is_last in (False, True):
        try:
            await calling(interaction.response.defer(ephemeral=ephemeral, thinking=thinking), ACKNOWLEDGE_S)
        except Unreachable:
            if is_last:
                raise
        except Refused as exc:
            if _code_of(exc) != _ALREADY_ACKNOWLEDGED:
                raise
            return  # by the first try, whose answer was lost
        else:
            return


def _code_of(exc: Unwritable) -> int | None:
    return exc.__cause__.code if isinstance(exc.__cause__, discord.HTTPException) else None


async def tell(interaction: Interaction, sentence: str, *, in_channel: bool = True) -> None:
    """Answer an interaction in whatever state it is: at once, as a followup, or in its channel once it has expired.

    Not `in_channel`: what is for this person alone is not said at all before others hear it.
    """

    def respond() -> Awaitable[object]:
        return interaction.response.send_message(sentence, ephemeral=True, allowed_mentions=NO_PINGS)

    def follow() -> Awaitable[object]:
        return interaction.followup.send(sentence, ephemeral=True, allowed_mentions=NO_PINGS)

    def post() -> Awaitable[object]:
        key = ConversationKey(interaction.channel_id or 0, interaction.user.id, interaction.guild_id)
        return interaction.client.service.channel(key).create(
            f"{interaction.user.mention} {sentence}", nonce=interaction.id & (2**63 - 1), reply_to=None
        )

    ways: list[Callable[[], Awaitable[object]]] = [follow] if interaction.response.is_done() else [respond, follow]
    for way in [*ways, post] if in_channel else ways:
        try:
            await calling(way())
        except (Unwritable, discord.InteractionResponded) as exc:
            log.warning("command_answer_failed", way=way.__name__, kind=type(exc).__name__, reason=str(exc))
        else:
            return
