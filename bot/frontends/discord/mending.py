"""What an earlier process left half written in Discord: finished where the answer is known, else taken away.

A process can be killed between two things that belong together: an answer is recorded and its last words are not shown
yet, or a message is posted and not recorded yet. Owns how that is found at the start; what has not ended goes on
without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import discord
import structlog

from bot.core.messages import ConversationKey, Turn
from bot.core.versions import ENDED
from bot.frontends.discord.service import Service
from bot.frontends.discord.surface import Unwritable, calling
from bot.frontends.discord.views import as_ended
from bot.texts import RUNNING_MARK

log = structlog.get_logger(__name__)

NEWEST_MESSAGES: Final = 100
"""How many of a channel's messages are looked at: as many as one call returns."""


async def mend(service: Service, resumed: Iterable[asyncio.Task[None]], before: float) -> None:
    """Bring to their end the messages that were begun before this time, in UTC seconds. A task boundary.

    `resumed` are the writers of what goes on. A message that no writer has found again by its end is nobody's, unless
    it is whole by then: the store knows no messages of an answer that was not to be stored and has ended.
    """
    try:
        unshown = await service.chat.unshown(before)
        lost = [turn for turn in unshown.turns if not service.writers.is_writing(turn)]
        writers = {*resumed, *(_show(service, turn) for turn in lost)}
        strays: dict[ConversationKey, set[int]] = {}
        for channel_id, guild_id in unshown.places:
            key = ConversationKey(channel_id, 0, guild_id)
            for message_id in await _half_written(service, key, before):
                turn = await service.chat.turn_of_message(message_id)
                if turn is None:
                    strays.setdefault(key, set()).add(message_id)
                elif turn.state in ENDED and not service.writers.is_writing(turn):
                    writers.add(_show(service, turn))
        if strays and writers:
            await asyncio.wait(writers)
        for key, found in strays.items():
            for message_id in found.intersection(await _half_written(service, key, before)):
                if await service.chat.turn_of_message(message_id) is None:
                    await _delete(service, key, message_id)
    except Exception:
        log.exception("mending_failed")


def _show(service: Service, turn: Turn) -> asyncio.Task[None]:
    """Have an ended answer written to its end, also into what was posted and not recorded."""
    key = turn.key
    assert key is not None  # noqa: S101 - the store always fills it
    log.info("answer_shown_again", turn=turn.id)
    return service.show(as_ended(turn), service.channel(key), key, service.locale_in(key.guild_id), is_left_over=True)


async def _delete(service: Service, key: ConversationKey, message_id: int) -> None:
    try:
        await service.channel(key).delete(message_id)
    except Unwritable as exc:
        log.info("stray_message_stays", channel=key.channel_id, message=message_id, reason=str(exc))
    else:
        log.info("stray_message_deleted", channel=key.channel_id, message=message_id)


async def _half_written(service: Service, key: ConversationKey, before: float) -> list[int]:
    """Return our newest messages that say that more is to come; none where they cannot be read."""
    try:
        messages = await calling(_newest(service.client(), key, before), service.timing.call_timeout_s)
    except Unwritable as exc:
        log.info("channel_not_looked_at", channel=key.channel_id, kind=type(exc).__name__, reason=str(exc))
        return []
    me = service.client().user
    return [message.id for message in messages if message.author == me and message.content.endswith(RUNNING_MARK)]


async def _newest(client: discord.Client, key: ConversationKey, before: float) -> list[discord.Message]:
    place = client.get_partial_messageable(key.channel_id, guild_id=key.guild_id)
    return [found async for found in place.history(limit=NEWEST_MESSAGES, before=datetime.fromtimestamp(before, UTC))]
