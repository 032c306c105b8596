"""What becomes of a message: nothing, a sentence, or a question whose answer is written below it."""

from __future__ import annotations

from collections.abc import Sequence

import discord
import structlog

from bot.core.chat import Taken
from bot.core.messages import ConversationKey, Question
from bot.errors import BotError
from bot.frontends.discord.attachments import files_of
from bot.frontends.discord.reading import facts_of, locale_of
from bot.frontends.discord.refusals import log_refusal
from bot.frontends.discord.service import Service
from bot.frontends.discord.triggers import Extra, Trigger, instead_of_text, question_text, why
from bot.texts import DEFAULT_LOCALE, text

log = structlog.get_logger(__name__)


async def take_message(service: Service, message: discord.Message, *, our_user_id: int, sees_content: bool) -> None:
    """Answer a message if it is for the bot.

    A task boundary: every failure ends in one log entry, and in a sentence once it is known that the bot was meant.
    """
    key = ConversationKey(message.channel.id, message.author.id, message.guild.id if message.guild else None)
    locale, trigger, sentence = DEFAULT_LOCALE, None, None
    try:
        facts = facts_of(message, our_user_id)
        trigger = why(facts, service.rules)
        if trigger is None or not service.seen.is_new(message.id):
            return
        locale = locale_of(message)
        if service.is_closing:
            told = service.may_be_told_of_closing(message.author.id)
            sentence = text("refused.shutting_down", locale) if told else None
        else:
            async with service.in_order(message.channel.id, message.author.id):
                files = files_of(message, our_user_id) if Extra.VOICE not in facts.extras else []
                words = question_text(facts)
                brought = await service.bring(files, words, service.channel(key), locale)
                if words or brought.is_readable:
                    asked = Question(
                        key, message.author.id, message.id, words or brought.words, excerpts=brought.excerpts
                    )
                    sentence = await _ask(service, asked, trigger, locale, brought.notes)
                else:
                    empty = instead_of_text(facts, trigger, content_is_withheld=not sees_content)
                    sentence = "\n".join([text(empty, locale), *brought.notes]) if empty else None
    except BotError as exc:
        log_refusal(exc, user=message.author.id, channel=message.channel.id)
        sentence = exc.user_message(locale)
    except Exception:
        log.exception("message_failed", message=message.id, channel=message.channel.id)
        sentence = text("error.unexpected", locale) if trigger else None
    if sentence is not None:
        await service.say(key, sentence, reply_to=message.id)


async def _ask(
    service: Service, question: Question, trigger: Trigger, locale: str, file_notes: Sequence[str]
) -> str | None:
    """Ask, and have the answer shown; return what else is to be said."""
    answer = await service.chat.ask(question)
    if isinstance(answer, Taken):  # what is shown for the other message, or for this one already, is all
        return "\n".join(file_notes) if answer is Taken.JOINED and file_notes else None
    log.info("question_taken", turn=answer.turn_id, trigger=trigger, channel=question.key.channel_id)
    service.show(answer, service.channel(question.key), question.key, locale, file_notes=file_notes)
    return None
