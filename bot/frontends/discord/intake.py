"""What becomes of a message: nothing, a sentence, or a question whose answer is written below it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace

import discord
import structlog

from bot.core.chat import Taken
from bot.core.messages import ConversationKey, Question
from bot.core.visitor import Visitor
from bot.errors import BotError
from bot.frontends.discord.attachments import Bringing, files_of, unread
from bot.frontends.discord.permitted import WRITING, may_react_in, missing_in, place_of
from bot.frontends.discord.reading import facts_of
from bot.frontends.discord.refusals import Told, log_refusal, sign_of
from bot.frontends.discord.replied import followed_by, is_reply_to_answer
from bot.frontends.discord.service import Service
from bot.frontends.discord.triggers import Extra, MessageFacts, Trigger, instead_of_text, question_text, why
from bot.frontends.discord.visitors import visitor_of_message
from bot.texts import text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that is for the bot, and why."""

    message: discord.Message
    facts: MessageFacts
    trigger: Trigger
    key: ConversationKey
    locale: str
    visitor: Visitor
    missing: tuple[str, ...] = ()  # permissions that an answer needs where it stands


@dataclass(frozen=True, slots=True)
class Read:
    """What was asked with a message: the turn it follows, if not the newest, and its files, which are not read yet."""

    question: Question
    parent_id: int | None
    files: Bringing | None

    @property
    def is_readable(self) -> bool:
        """Whether there is anything to answer."""
        has_text = bool(self.question.text) or any(excerpt.text for excerpt in self.question.excerpts)
        return has_text or self.files is not None


async def take_message(service: Service, message: discord.Message, *, our_user_id: int, sees_content: bool) -> None:
    """Answer a message if it is for the bot.

    A task boundary: every failure ends in one log entry, and in a sentence once it is known that the bot was meant.
    """
    if message.author.id == our_user_id:
        return
    try:
        incoming = await meant_for_us(service, message, our_user_id)
        if incoming is None or not service.seen.is_new(message.id):
            return
        if await may_answer(service, incoming):
            async with service.in_order(message.channel.id, message.author.id):
                await answer_or_say(service, incoming, ask(service, incoming, sees_content=sees_content))
        await tell_what_is_missing(service, incoming)
    except Exception:
        log.exception("message_failed", message=message.id, channel=message.channel.id)


async def may_answer(service: Service, incoming: Incoming) -> bool:
    """Tell whether the bot may write where it was asked; who meant it in particular sees a sign if it may not."""
    place = place_of(incoming.message)
    if place is None or WRITING.isdisjoint(incoming.missing):
        return True
    log.info("question_unanswerable", channel=place.id, missing=incoming.missing)
    if incoming.trigger is not Trigger.CHANNEL and may_react_in(place):
        sign = "sign.silenced" if _is_let_in(service, incoming) else "sign.refused"
        await service.react(incoming.key, incoming.message.id, text(sign, incoming.locale))
    return False


async def tell_what_is_missing(service: Service, incoming: Incoming) -> None:
    """Tell the server's admins what permissions are missing where the bot was asked by somebody whom they let in."""
    place = place_of(incoming.message)
    if place is not None and service.connection is not None and _is_let_in(service, incoming):
        await service.lacking.report(service.connection, place, incoming.missing)


def _is_let_in(service: Service, incoming: Incoming) -> bool:
    try:
        service.chat.check_rules(incoming.visitor)
    except BotError:
        return False
    return True


async def meant_for_us(service: Service, message: discord.Message, our_user_id: int) -> Incoming | None:
    """Return a message with what is known of it, or None: it is not for the bot. Raises: HistoryFailed."""
    facts = facts_of(message, our_user_id)
    trigger = why(facts, service.rules)
    if trigger is None and await is_reply_to_answer(service, message):
        trigger = why(replace(facts, is_reply_to_us=True), service.rules)
    if trigger is None:
        return None
    guild_id = message.guild.id if message.guild else None
    key = service.chat.key_for(message.channel.id, message.author.id, guild_id)
    visitor, place = visitor_of_message(service, message), place_of(message)
    missing = missing_in(place) if place is not None else ()
    return Incoming(message, facts, trigger, key, service.locale_of(message), visitor, missing)


async def answer_or_say(service: Service, incoming: Incoming, answering: Awaitable[str | None]) -> None:
    """Await what answers a message, and say what it returns, or why it failed: that once in some minutes only."""
    message = incoming.message
    try:
        sentence = await answering
    except BotError as exc:
        log_refusal(exc, user=message.author.id, channel=message.channel.id)
        sentence = await _refuse(service, incoming, exc)
    except Exception:
        log.exception("message_failed", message=message.id, channel=message.channel.id)
        sentence = text("error.unexpected", incoming.locale)
    if sentence is not None:
        await service.say(incoming.key, sentence, reply_to=message.id)


async def _refuse(service: Service, incoming: Incoming, error: BotError) -> str | None:
    """Return the sentence of a refusal; where it was said just before, give a sign instead, or nothing."""
    message = incoming.message
    told = service.refusals.how(
        error,
        user_id=message.author.id,
        channel_id=message.channel.id,
        message_id=message.id,
        is_addressed=incoming.trigger is not Trigger.CHANNEL or incoming.facts.is_in_own_thread,
    )
    if told is Told.SIGN:
        await service.react(incoming.key, message.id, text(sign_of(error), incoming.locale))
    return error.user_message(incoming.locale) if told is Told.SENTENCE else None


async def ask(service: Service, incoming: Incoming, *, sees_content: bool) -> str | None:
    """Ask what a message asks, and have the answer shown; return what is to be said instead or beside it."""
    if service.is_closing:
        return closing_sentence(service, incoming)
    service.chat.check(incoming.visitor)
    read = await read_question(service, incoming)
    if not read.is_readable:
        return _instead(incoming, read, sees_content=sees_content)
    answer = await service.chat.ask(read.question, parent_id=read.parent_id, bring=read.files)
    if isinstance(answer, Taken):  # what is shown for the other message, or for this one already, is all
        return None
    key = incoming.key
    log.info("question_taken", turn=answer.turn_id, trigger=incoming.trigger, channel=key.channel_id)
    service.show(answer, service.channel(key), key, incoming.locale, file_notes=read.files.notes if read.files else ())
    return None


def closing_sentence(service: Service, incoming: Incoming) -> str | None:
    """Return that the bot is going down, once for each person."""
    told = service.may_be_told_of_closing(incoming.message.author.id)
    return text("refused.shutting_down", incoming.locale) if told else None


async def read_question(service: Service, incoming: Incoming) -> Read:
    """Read a message with what it replies to and the names of its files. Raises: HistoryFailed."""
    message, facts, key = incoming.message, incoming.facts, incoming.key
    followed = await followed_by(service, message, key, facts.our_user_id)
    words = question_text(facts)
    files = files_of(message, facts.our_user_id) if Extra.VOICE not in facts.extras else []
    quotes = () if followed.quote is None else (followed.quote,)
    question = Question(
        key,
        message.author.id,
        message.id,
        words,
        author_name=message.author.display_name,
        excerpts=(*quotes, *unread(files)),
        visitor=incoming.visitor,
    )
    bringing = Bringing(service.attachments, files, incoming.locale) if files else None
    return Read(question, followed.parent_id, bringing)


def _instead(incoming: Incoming, read: Read, *, sees_content: bool) -> str | None:
    """Return what is said to a message in which there is nothing to answer."""
    withheld = not sees_content
    key = instead_of_text(incoming.facts, incoming.trigger, content_is_withheld=withheld)
    if key == "empty.mention" and read.question.excerpts:
        key = "empty.quote_withheld" if withheld and incoming.key.guild_id is not None else "empty.quote"
    return text(key, incoming.locale) if key else None
