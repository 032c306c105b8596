"""A question that comes by an interaction: a command, a menu or a form. The answer grows in its response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import discord
import structlog

from bot.core.chat import Taken
from bot.core.messages import Excerpt, Question
from bot.errors import QuestionEmpty
from bot.frontends.discord.attachments import Bringing, GivenFile, unread
from bot.frontends.discord.replies import defer, key_of, locale_of, promise_is_kept, respond
from bot.frontends.discord.surface import InteractionSurface
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)


async def ask_and_show(
    interaction: Interaction,
    words: str,
    *,
    trigger: str,
    quotes: Sequence[Excerpt] = (),
    files: Sequence[GivenFile] = (),
) -> None:
    """Ask as a mention would, and show the answer to all. Raises: BotError, Unwritable."""
    service, key, locale = interaction.client.service, key_of(interaction), locale_of(interaction)
    visitor = visitor_of(interaction)
    service.chat.check(visitor)
    brought = [*(quote.text for quote in quotes), *(file.name for file in files)]
    service.chat.check_words(visitor, [words, *brought])
    if not words.strip():
        raise QuestionEmpty
    service.chat.check_quota(visitor, key)  # refusals are for them alone, so before all see the deferral
    await defer(interaction, ephemeral=False)
    bringing = Bringing(service.attachments, files, locale) if files else None
    question = Question(
        key,
        interaction.user.id,
        interaction.id,
        words,
        author_name=interaction.user.display_name,
        excerpts=(*quotes, *unread(files)),
        visitor=visitor,
    )
    answer = await service.chat.ask(question, bring=bringing)
    if isinstance(answer, Taken):
        if answer is Taken.JOINED:
            await respond(interaction, text("ask.joined", locale))
        return
    log.info("question_taken", turn=answer.turn_id, trigger=trigger, channel=key.channel_id)
    service.show(answer, public_surface(interaction), key, locale, file_notes=bringing.notes if bringing else ())


def public_surface(interaction: Interaction) -> InteractionSurface:
    """Return the response to an interaction as a place where all can read on, for an answer that is on its way."""
    promise_is_kept(interaction)
    service = interaction.client.service
    return InteractionSurface(
        interaction,
        service.channel_of(interaction),
        channel_is_open=_may_post(interaction),
        timeout_s=service.timing.call_timeout_s,
        margin_s=service.timing.token_margin_s,
    )


def _may_post(interaction: Interaction) -> bool:
    """Whether the bot may write into the channel itself: it can have been added by a user, without its server."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel  # with the bot; two people's own is none that it can write to
    may = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    is_member = interaction.client.get_guild(interaction.guild_id) is not None
    return is_member and (may.send_messages_in_threads if in_thread else may.send_messages)
