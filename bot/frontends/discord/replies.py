"""Answers to interactions, whatever their state: acknowledged at once, or told one sentence where that still goes.

Owns who may use anything at all, and that nothing that goes wrong in a control or form escapes. Knows neither commands
nor controls; all of them end here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import discord
import structlog

from bot.core.messages import ConversationKey, Turn
from bot.errors import AdminsOnly, BotError, ModeratorsOnly, NotYourAnswer, OwnersOnly, QuestionRefused, ShuttingDown
from bot.frontends.discord.refusals import log_refusal
from bot.frontends.discord.split import split
from bot.frontends.discord.surface import (
    KEEP,
    NO_PINGS,
    Expired,
    MessageGone,
    Refused,
    Unreachable,
    Unwritable,
    calling,
    patiently,
)
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

ACKNOWLEDGE_S: Final = 3.0  # after that Discord shows "did not respond"
_ALREADY_ACKNOWLEDGED: Final = 40060
_PROMISED_TO_ALL: Final = "promised_to_all"
"""Among an interaction's extras while "thinking" stands there for all to see, and nothing has taken its place."""


def locale_of(interaction: Interaction) -> str:
    """Return the language that the person chose, else the one that their Discord speaks."""
    return interaction.client.service.chat.preferences.language(interaction.user.id) or str(interaction.locale)


def key_of(interaction: Interaction) -> ConversationKey:
    """Return the conversation that a person takes part in there: the same as for their messages."""
    chat = interaction.client.service.chat
    return chat.key_for(interaction.channel_id or 0, interaction.user.id, interaction.guild_id)


async def is_welcome(interaction: Interaction) -> bool:
    """Keep the rules of messages for interactions too; say so where they forbid, and nothing to what came before."""
    service = interaction.client.service
    if not service.seen.is_new(interaction.id):
        return False
    if not await is_served(interaction):
        return False
    if service.is_closing:
        await tell(interaction, ShuttingDown().user_message(locale_of(interaction)))
        return False
    return True


async def is_served(interaction: Interaction) -> bool:
    """Tell whether the bot serves this server, or DMs, and say so to the person if it does not."""
    if interaction.client.service.rules.allows(interaction.guild_id):
        return True
    await tell(interaction, text("command.not_here", locale_of(interaction)))
    return False


async def is_let_in(interaction: Interaction) -> bool:
    """Keep what admins decided of people and places; say so where they forbid."""
    return await _passes(interaction, lambda: interaction.client.service.chat.check_rules(visitor_of(interaction)))


async def is_for_admin(interaction: Interaction) -> bool:
    """Tell whether an admin's command is used by one, whatever a server made of Discord's defaults; tell others so."""
    return await _passes(interaction, lambda: check_admin(interaction))


async def _passes(interaction: Interaction, check: Callable[[], None]) -> bool:
    """Make a check before a command, and tell the person alone what it refuses."""
    try:
        check()
    except QuestionRefused as exc:
        sentence = sentence_for(interaction, exc)
        if interaction.type is not discord.InteractionType.autocomplete:  # that takes choices only
            await tell(interaction, sentence)
        return False
    return True


def check_may_change(interaction: Interaction, turn: Turn) -> None:
    """Let only the asker and, in a server, those who may manage messages in this channel. Raises: NotYourAnswer."""
    is_moderator = interaction.guild_id is not None and interaction.permissions.manage_messages
    if interaction.user.id != turn.user_id and not is_moderator:
        raise NotYourAnswer


def is_moderator(interaction: Interaction) -> bool:
    """Whether this person may manage the channel, or other people's messages in it."""
    may = interaction.permissions
    return interaction.guild_id is not None and (may.manage_messages or may.manage_channels)


def check_moderator(interaction: Interaction) -> None:
    """Let only moderators go on. Raises: ModeratorsOnly."""
    if not is_moderator(interaction):
        raise ModeratorsOnly


def check_admin(interaction: Interaction) -> None:
    """Let only those go on who manage the server, and owners of the bot. Raises: AdminsOnly, OwnersOnly."""
    if not visitor_of(interaction).is_admin:
        raise OwnersOnly if interaction.guild_id is None else AdminsOnly


def sentence_for(interaction: Interaction, error: Exception, **what: object) -> str:
    """Log an error as it deserves, and return the sentence for the person."""
    locale = locale_of(interaction)
    if isinstance(error, BotError):
        log_refusal(error, **what, user=interaction.user.id, channel=interaction.channel_id)
        return error.user_message(locale)
    if isinstance(error, Unwritable):
        log.warning("interaction_not_shown", **what, kind=type(error).__name__, reason=str(error))
        return text("command.too_late" if isinstance(error, Expired) else "error.unexpected", locale)
    log.error("interaction_failed", **what, exc_info=error)
    return text("error.unexpected", locale)


async def ending_well(interaction: Interaction, doing: Awaitable[None], **what: object) -> None:
    """Await what a control or a form is for; whatever goes wrong, the person alone is told. A task boundary."""
    try:
        await doing
    except Exception as exc:  # noqa: BLE001 - exceptions in items and forms reach no handler by themselves
        await tell(interaction, sentence_for(interaction, exc, **what), in_channel=False)


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
            continue
        except Refused as exc:
            if _code_of(exc) != _ALREADY_ACKNOWLEDGED:
                raise  # else by the first try, whose answer was lost
        interaction.extras[_PROMISED_TO_ALL] = thinking and not ephemeral
        return


def promise_is_kept(interaction: Interaction) -> None:
    """Take note that from now on an answer stands where "thinking" was shown, or is about to: it is not taken back."""
    interaction.extras.pop(_PROMISED_TO_ALL, None)


async def _take_back_promise(interaction: Interaction) -> bool:
    """Let no "thinking" stand there for all any more; return whether what is told next can be for one person alone.

    The first followup to it would take its place, as public as it is, whatever its own flags say.
    """
    if not interaction.extras.pop(_PROMISED_TO_ALL, False):
        return True
    timing = interaction.client.service.timing
    try:
        await patiently(
            lambda: calling(interaction.delete_original_response(), timing.call_timeout_s), timing.sentence_retries_s
        )
    except MessageGone:  # by an earlier try, whose answer was lost
        return True
    except Unwritable as exc:
        log.warning("promise_not_taken_back", kind=type(exc).__name__, reason=str(exc))
        return False
    return True


async def respond(
    interaction: Interaction,
    content: str,
    *,
    view: discord.ui.View | None = None,
    file: discord.File | None = None,
) -> None:
    """Put it where "thinking" is shown, or in the message whose control was used. Raises: Unwritable."""
    timeout_s = interaction.client.service.timing.call_timeout_s
    editing = interaction.edit_original_response(
        content=content, view=view, attachments=KEEP if file is None else [file], allowed_mentions=NO_PINGS
    )
    await calling(editing, timeout_s)
    promise_is_kept(interaction)


async def respond_in_full(interaction: Interaction, content: str) -> None:
    """Answer this person alone in as many messages as it takes. Raises: Unwritable."""
    first, *more = split(content)
    await respond(interaction, first)
    for message in more:
        await tell(interaction, message, in_channel=False)


def _code_of(exc: Unwritable) -> int | None:
    return exc.__cause__.code if isinstance(exc.__cause__, discord.HTTPException) else None


async def tell(interaction: Interaction, sentence: str, *, in_channel: bool = True, is_private: bool = True) -> None:
    """Answer an interaction in whatever state it is: at once, as a followup, or in its channel once it has expired.

    Where all were promised an answer, that is taken back first. Not `in_channel`: what is for this person alone is not
    said at all before others hear it. Nothing is said to who is still typing an option: that takes proposals only.
    """
    if interaction.type is discord.InteractionType.autocomplete:
        return
    if is_private and not await _take_back_promise(interaction) and not in_channel:
        return

    def respond() -> Awaitable[object]:
        return interaction.response.send_message(sentence, ephemeral=is_private, allowed_mentions=NO_PINGS)

    def follow() -> Awaitable[object]:
        return interaction.followup.send(sentence, ephemeral=is_private, allowed_mentions=NO_PINGS)

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
