"""What becomes of messages, threads and channels that are changed or deleted: the chat is kept in step with Discord.

An edited question is asked again and answered in the same messages; with a deleted one its answer goes too. What
happens while the bot is offline it never hears of: Discord tells nobody later.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import discord
import structlog

from bot.core.chat import Answer
from bot.core.messages import Turn, TurnState
from bot.errors import BotError, QuestionEmpty
from bot.frontends.discord.intake import (
    Incoming,
    answer_or_say,
    ask,
    closing_sentence,
    may_answer,
    meant_for_us,
    read_question,
)
from bot.frontends.discord.reading import facts_of, knows_all_files
from bot.frontends.discord.refusals import log_refusal
from bot.frontends.discord.service import Service
from bot.frontends.discord.triggers import Trigger
from bot.frontends.discord.views import as_ended, is_seldom_edited
from bot.frontends.discord.visitors import visitor_of_message
from bot.texts import DEFAULT_LOCALE

log = structlog.get_logger(__name__)

LATE_S: Final = 3600.0
"""So long after it was sent, a message that was not for the bot can still become so by an edit."""


async def take_edit(service: Service, message: discord.Message, *, our_user_id: int, sees_content: bool) -> None:
    """Ask anew what an edited message asks, or for the first time if only the edit made it one for the bot.

    A task boundary, as `take_message` is. Events that change no text (a link's preview, a pin) bring no new edit time;
    without the Message Content intent an edit may come without the text that it made, and then means nothing.
    """
    edited_at = message.edited_at
    if edited_at is None or message.author.id == our_user_id or not service.seen.is_new(hash((message.id, edited_at))):
        return
    if not (sees_content or message.content or message.guild is None):
        return
    if not service.rules.allows(message.guild.id if message.guild else None):
        return
    try:
        async with service.in_order(message.channel.id, message.author.id):  # after it was asked in its first words
            turn = await service.chat.turn_of_message(message.id)
            if turn is not None and message.id in turn.question_message_ids:
                incoming = _known(service, message, turn, our_user_id)
                await answer_or_say(service, incoming, _edit(service, incoming, turn))
            elif (edited_at - message.created_at).total_seconds() < LATE_S:
                new = await meant_for_us(service, message, our_user_id)
                if new is not None and await may_answer(service, new):
                    await answer_or_say(service, new, ask(service, new, sees_content=sees_content))
    except Exception:
        log.exception("edit_failed", message=message.id, channel=message.channel.id)


def _known(service: Service, message: discord.Message, turn: Turn, our_user_id: int) -> Incoming:
    """Return an edited question: it stays one in the conversation that it was asked in, mention or not."""
    guild_id = message.guild.id if message.guild else None
    key = turn.key or service.chat.key_for(message.channel.id, message.author.id, guild_id)
    visitor = visitor_of_message(service, message)
    return Incoming(message, facts_of(message, our_user_id), Trigger.EDIT, key, service.locale_of(message), visitor)


async def _edit(service: Service, incoming: Incoming, before: Turn) -> str | None:
    """Ask a question in its new words; return what is to be said."""
    if service.is_closing:
        return closing_sentence(service, incoming)
    service.chat.check(incoming.visitor)
    read = await read_question(service, incoming)
    try:
        answer = await service.chat.edit(read.question, is_whole=knows_all_files(incoming.message))
    except QuestionEmpty:
        if await service.chat.turn(before.id) is None:  # else other messages ask the same turn
            take_away(service, before)
        raise
    if isinstance(answer, Answer):
        for summary in answer.withdrawn:
            take_away(service, summary)
        key = incoming.key
        log.info("question_edited", turn=answer.turn_id, channel=key.channel_id)
        now = incoming.message.edited_at or discord.utils.utcnow()
        grows = not is_seldom_edited(before.answer_message_ids, now)
        service.show(answer, service.channel(key), key, incoming.locale, grows=grows)
    return None


async def take_deletion(service: Service, message_ids: Collection[int]) -> None:
    """Forget what deleted messages asked, and take its answers away. A task boundary."""
    try:
        for turn in await service.chat.forget_messages(message_ids):
            log.info("question_deleted", turn=turn.id)
            take_away(service, turn, message_ids)
    except BotError as exc:
        log_refusal(exc, messages=len(message_ids))
    except Exception:
        log.exception("deletion_failed", messages=len(message_ids))


async def take_channel_deletion(service: Service, channel_id: int) -> None:
    """Forget what was said in a deleted channel or thread. A task boundary."""
    try:
        await service.chat.forget_channel([channel_id])
    except BotError as exc:
        log_refusal(exc, channel=channel_id)
    except Exception:
        log.exception("deletion_failed", channel=channel_id)


def take_away(service: Service, turn: Turn, deleted_ids: Collection[int] = ()) -> None:
    """Delete the messages that show a forgotten turn's answer: by a writer, for one may be writing them still."""
    if turn.key is None or not (turn.question_message_ids or is_public_summary(turn)):  # another version's messages
        return
    left = tuple(message_id for message_id in turn.answer_message_ids if message_id not in deleted_ids)
    gone = as_ended(replace(turn, state=TurnState.FORGOTTEN, answer="", answer_message_ids=left))
    service.show(gone, service.channel(turn.key), turn.key, DEFAULT_LOCALE)


def is_public_summary(turn: Turn) -> bool:
    """Tell whether a turn is a shared conversation's summary: nobody's message asked for it, and all have read it."""
    return turn.summarizes is not None and turn.key is not None and turn.key.user_id is None
