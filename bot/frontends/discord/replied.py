"""What a reply brings into a question: the turn to go on from, or a message quoted.

Owns the one look at Discord for a message that an event did not bring along. Whether the reply is for the bot at all is
`triggers`' matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import discord
import structlog

from bot.core.messages import ConversationKey, Excerpt
from bot.frontends.discord.reading import quote_of, reply_reference
from bot.frontends.discord.service import Service
from bot.frontends.discord.surface import Unwritable, calling
from bot.frontends.discord.visitors import visitor_of_message

log = structlog.get_logger(__name__)

_FETCH_S: Final = 5.0
"""How long the question waits for the message it replies to; without it, it is asked all the same."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a message follows: a turn of its own conversation, or what is quoted for it."""

    parent_id: int | None = None
    quote: Excerpt | None = None


NOTHING: Final = Followed()


async def is_reply_to_answer(service: Service, message: discord.Message) -> bool:
    """Tell whether a message replies to an answer of ours that its event did not bring along. Asks the store only."""
    reference = reply_reference(message)
    if reference is None or reference.resolved is not None or reference.message_id is None:
        return False
    turn = await service.chat.turn_of_message(reference.message_id)
    return turn is not None and reference.message_id in turn.answer_message_ids


async def followed_by(service: Service, message: discord.Message, key: ConversationKey, our_user_id: int) -> Followed:
    """Return what a message goes on from in the conversation `key`; nothing for what is deleted or none of ours.

    The answer may be shown in several messages; each stands for all of it. Of the bot's other sentences there is
    nothing to quote. Where a question stands alone, since its person wants nothing kept, what it replies to is quoted:
    of an answer that is forgotten, the message. Raises: HistoryFailed.
    """
    replied_to = await _replied_to(message)
    if replied_to is None:
        return NOTHING
    if replied_to.author.id != our_user_id:
        return Followed(quote=quote_of(replied_to))
    turn = await service.chat.turn_of_message(replied_to.id)
    wish = service.chat.preferences.manner(visitor_of_message(service, message))
    is_alone = wish.no_store and key.user_id is not None
    if (turn is None or turn.no_store) and not is_alone:
        return NOTHING
    if turn is None:
        return Followed(quote=quote_of(replied_to))
    if turn.key == key and not is_alone:
        return Followed(parent_id=turn.id)
    quote = quote_of(replied_to)
    return Followed(quote=replace(quote, text=turn.answer or quote.text))


async def _replied_to(message: discord.Message) -> discord.Message | None:
    """Return the message replied to; one that the event did not bring is fetched, and kept where it belongs."""
    reference = reply_reference(message)
    if reference is None or reference.message_id is None:
        return None
    if reference.resolved is None:
        try:
            reference.resolved = await calling(message.channel.fetch_message(reference.message_id), _FETCH_S)
        except Unwritable as exc:
            log.info("reply_not_followed", message=message.id, kind=type(exc).__name__, reason=str(exc))
    return reference.resolved if isinstance(reference.resolved, discord.Message) else None
