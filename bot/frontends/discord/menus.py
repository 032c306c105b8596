"""What stands in a message's context menu: ask about it, sum it up, see how an answer was made, forget it, delete it.

Errors of the menus reach the command tree's handler; those of the form are answered here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.messages import Excerpt, Turn, TurnState
from bot.errors import AnswerStillRuns, QuestionRefused, ShuttingDown
from bot.frontends.discord.asking import ask_and_show
from bot.frontends.discord.attachments import GivenFile, files_of
from bot.frontends.discord.forms import form_sent, written_in
from bot.frontends.discord.pages import details_page
from bot.frontends.discord.reading import question_in, quote_of
from bot.frontends.discord.replies import (
    ACKNOWLEDGE_S,
    check_may_change,
    defer,
    ending_well,
    is_served,
    is_welcome,
    locale_of,
    respond,
    sentence_for,
    tell,
)
from bot.frontends.discord.split import LIMIT_CHARS
from bot.frontends.discord.surface import MessageGone, Unwritable, calling
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

FORM_S: Final = 3600.0
"""How long a form that was opened is remembered with the message it is about."""
QUESTION_CHARS: Final = 1500  # given back whole where it cannot be asked, in one message

_UNFINISHED: Final = (TurnState.QUEUED, TurnState.GENERATING, TurnState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question from a menu is about: a message's words with their author's name, and its files."""

    quotes: tuple[Excerpt, ...]
    files: tuple[GivenFile, ...]


class QuestionForm(discord.ui.Modal):
    """Asks for a question about a message. It knows the message, and so is good only in the process that opened it."""

    def __init__(self, subject: Subject, locale: str) -> None:
        """Take what the question is about."""
        custom_id = f"about:{secrets.token_hex(8)}"
        super().__init__(title=text("ask_about.title", locale), timeout=FORM_S, custom_id=custom_id)
        self._subject = subject
        self._words: discord.ui.TextInput[QuestionForm] = discord.ui.TextInput(
            custom_id="question", style=discord.TextStyle.paragraph, max_length=QUESTION_CHARS
        )
        self.add_item(discord.ui.Label(text=text("ask_about.label", locale), component=self._words))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Ask, or tell the person alone why not."""
        await ending_well(interaction, self._take(interaction), form="ask_about")

    async def _take(self, interaction: Interaction) -> None:
        """Ask; whatever refuses it, the words are given back, for it was work to write them."""
        service, locale, written = interaction.client.service, locale_of(interaction), self._words.value
        if not service.seen.is_new(interaction.id) or not await is_served(interaction):
            return
        try:
            if service.is_closing:
                raise ShuttingDown
            words = question_in(written, interaction.guild)
            await _ask(interaction, words, self._subject, trigger="ask_about")
        except QuestionRefused as exc:
            reason = sentence_for(interaction, exc, form="ask_about")
            if written.strip():
                reason = text("form.given_back", locale, reason=reason, words=written)
            await tell(interaction, reason[:LIMIT_CHARS], in_channel=False)


async def _ask(interaction: Interaction, words: str, subject: Subject, *, trigger: str) -> None:
    await ask_and_show(interaction, words, quotes=subject.quotes, files=subject.files, trigger=trigger)


async def take_lost_form(interaction: Interaction) -> None:
    """Give back what was written into a form that is not known any more: of an earlier process, or of long ago.

    To be called with every interaction; what anybody else takes is left alone, for it has been seen.
    """
    if form_sent(interaction) is not None:
        await ending_well(interaction, _give_back(interaction), form="lost")


async def _give_back(interaction: Interaction) -> None:
    if await is_welcome(interaction):
        words = "\n".join(written_in(interaction).values())
        sentence = text("ask_about.lost", locale_of(interaction), words=words)
        await tell(interaction, sentence[:LIMIT_CHARS], in_channel=False)


@app_commands.context_menu(name=text("menu.ask_about"))
async def ask_about(interaction: Interaction, message: discord.Message) -> None:
    """Open a form for a question about anybody's message."""
    interaction.client.service.chat.check(visitor_of(interaction))  # nobody shall write what is refused anyway
    subject = await _subject(interaction, message)
    if subject is not None:
        form = QuestionForm(subject, locale_of(interaction))
        await calling(interaction.response.send_modal(form), ACKNOWLEDGE_S)


@app_commands.context_menu(name=text("menu.summarize"))
async def summarize(interaction: Interaction, message: discord.Message) -> None:
    """Have anybody's message summed up, in the person's own conversation."""
    subject = await _subject(interaction, message)
    if subject is not None:
        words = text("menu.summarize.question", locale_of(interaction))
        await _ask(interaction, words, subject, trigger="summarize")


async def _subject(interaction: Interaction, message: discord.Message) -> Subject | None:
    """Return what a message says, an answer of ours in full; where that is nothing, say so and return None."""
    quote, us = quote_of(message), interaction.client.user
    turn = await interaction.client.service.chat.turn_of_message(message.id)
    if turn is not None and message.id in turn.answer_message_ids and turn.answer:
        quote = replace(quote, text=turn.answer)
    subject = Subject((quote,) if quote.text.strip() else (), tuple(files_of(message, us.id if us else 0)))
    if not subject.quotes and not subject.files:
        await tell(interaction, text("menu.nothing_to_read", locale_of(interaction)))
        return None
    return subject


@app_commands.context_menu(name=text("menu.details"))
async def details(interaction: Interaction, message: discord.Message) -> None:
    """Show how an answer was made."""
    await defer(interaction, ephemeral=True)
    turn, locale = await interaction.client.service.chat.turn_of_message(message.id), locale_of(interaction)
    if turn is None:
        await respond(interaction, text("details.none", locale))
        return
    _check_ended(turn)
    await respond(interaction, details_page(turn, locale))


@app_commands.context_menu(name=text("menu.forget"))
async def forget(interaction: Interaction, message: discord.Message) -> None:
    """Forget an exchange, and take its answer down."""
    await defer(interaction, ephemeral=True)
    service, locale = interaction.client.service, locale_of(interaction)
    turn = await service.chat.turn_of_message(message.id)
    if turn is None:
        await respond(interaction, text("forget.none", locale))
        return
    check_may_change(interaction, turn)
    gone = await service.chat.forget_turn(turn.id)
    await service.writers.written(turn)
    left = await _take_down(interaction, [turn, *gone])
    log.info("turn_forgotten", turn=turn.id, user=interaction.user.id)
    await respond(interaction, text("forget.done_but_shown" if left else "forget.done", locale))


@app_commands.context_menu(name=text("menu.delete"))
async def delete(interaction: Interaction, message: discord.Message) -> None:
    """Take an answer down; the exchange stays in mind, for it was said."""
    await defer(interaction, ephemeral=True)
    service, locale = interaction.client.service, locale_of(interaction)
    turn = await service.chat.turn_of_message(message.id)
    if turn is None or not turn.answer_message_ids:
        await respond(interaction, text("delete.none", locale))
        return
    check_may_change(interaction, turn)
    _check_ended(turn)
    await service.writers.written(turn)
    turn = await service.chat.turn(turn.id) or turn
    left = await _take_down(interaction, [turn])
    await service.chat.forget_messages([each for each in turn.answer_message_ids if each not in left])
    log.info("answer_deleted", turn=turn.id, user=interaction.user.id)
    done = text("delete.done", locale, forget=text("menu.forget", locale))
    await respond(interaction, text("delete.failed", locale) if left else done)


def _check_ended(turn: Turn) -> None:
    if turn.state in _UNFINISHED:
        raise AnswerStillRuns


async def _take_down(interaction: Interaction, turns: list[Turn]) -> list[int]:
    """Delete the messages that show these turns' answers; return those that could not be."""
    left = []
    for turn in turns:
        if turn.key is None:
            continue
        channel = interaction.client.service.channel(turn.key)
        for message_id in turn.answer_message_ids:
            try:
                await channel.delete(message_id)
            except Unwritable as exc:
                if not isinstance(exc, MessageGone):
                    log.warning("answer_not_deleted", turn=turn.id, kind=type(exc).__name__, reason=str(exc))
                    left.append(message_id)
    return left


MENUS: Final = (ask_about, summarize, details, forget, delete)
