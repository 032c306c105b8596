"""The slash commands, and the one handler for everything that goes wrong in them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.chat import Remembered, Status, Taken
from bot.core.messages import ConversationKey, Question
from bot.errors import BotError, QuestionEmpty, ShuttingDown
from bot.frontends.discord.attachments import NOTHING, given
from bot.frontends.discord.reading import question_in
from bot.frontends.discord.replies import ACKNOWLEDGE_S, defer, tell
from bot.frontends.discord.service import log_refusal
from bot.frontends.discord.split import LIMIT_CHARS, sayable, split
from bot.frontends.discord.surface import (
    NO_PINGS,
    Expired,
    InteractionSurface,
    Unwritable,
    calling,
)
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

HISTORY_TURNS: Final = 10
_HISTORY_TEXT_CHARS: Final = 300
_HISTORY_NOTES_CHARS: Final = 300  # kept free for what is told of turns that are not shown

THIS_CHANNEL: Final = "this channel"
EVERYWHERE: Final = "everywhere"


class PhibotTree(app_commands.CommandTree["PhibotClient"]):
    """The commands' tree: who may use them, and one place for all their errors."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Keep the rules of messages for commands too; say so where they forbid, and nothing to what came before."""
        service = interaction.client.service
        if not service.seen.is_new(interaction.id):
            return False
        if not service.rules.allows(interaction.guild_id):
            await tell(interaction, text("command.not_here", _locale(interaction)))
            return False
        if service.is_closing:
            await tell(interaction, ShuttingDown().user_message(_locale(interaction)))
            return False
        return True

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Answer with a sentence, whatever happened; log what nobody expected."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        name = interaction.command.qualified_name if interaction.command else None
        locale = _locale(interaction)
        if isinstance(cause, BotError):
            log_refusal(cause, command=name, user=interaction.user.id, channel=interaction.channel_id)
            sentence = cause.user_message(locale)
        elif isinstance(cause, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            log.warning("command_outdated", command=name, reason=str(cause))
            sentence = text("command.outdated", locale)
        elif isinstance(cause, Unwritable):
            log.warning("command_not_shown", command=name, kind=type(cause).__name__, reason=str(cause))
            sentence = text("command.too_late" if isinstance(cause, Expired) else "error.unexpected", locale)
        else:
            log.error("command_failed", command=name, exc_info=cause)
            sentence = text("error.unexpected", locale)
        await tell(interaction, sentence)


async def _answer(interaction: Interaction, sentence: str) -> None:
    """Put the answer where "thinking" is shown."""
    timeout_s = interaction.client.service.timing.call_timeout_s
    await calling(interaction.edit_original_response(content=sentence, allowed_mentions=NO_PINGS), timeout_s)


def key_of(interaction: Interaction) -> ConversationKey:
    """Return the conversation of the person in this channel: the same as for his messages there."""
    return ConversationKey(interaction.channel_id or 0, interaction.user.id, interaction.guild_id)


def _locale(interaction: Interaction) -> str:
    return str(interaction.locale)


# The commands ---------------------------------------------------------------------------------------------------------


@app_commands.command(name="ask", description=text("command.ask"))
@app_commands.describe(question=text("command.ask.question"), file=text("command.ask.file"))
async def ask(
    interaction: Interaction, question: app_commands.Range[str, 1, 4000], file: discord.Attachment | None = None
) -> None:
    """Ask as a mention would; the answer grows in the response."""
    await defer(interaction, ephemeral=False)
    service, key, locale = interaction.client.service, key_of(interaction), _locale(interaction)
    words = question_in(question, interaction.guild)
    if not words:
        raise QuestionEmpty
    brought = await service.attachments.bring([given(file)], words, locale) if file is not None else NOTHING
    answer = await service.chat.ask(
        Question(key, interaction.user.id, interaction.id, words, excerpts=brought.excerpts)
    )
    if isinstance(answer, Taken):
        if answer is Taken.JOINED:
            await _answer(interaction, "\n".join([text("ask.joined", locale), *brought.notes]))
        return
    log.info("question_taken", turn=answer.turn_id, trigger="ask", channel=key.channel_id)
    surface = InteractionSurface(
        interaction,
        service.channel(key),
        channel_is_open=_may_post(interaction),
        timeout_s=service.timing.call_timeout_s,
    )
    service.show(answer, surface, key, locale, file_notes=brought.notes)


def _may_post(interaction: Interaction) -> bool:
    """Whether the bot may write into the channel itself: it can have been added by a user, without its server."""
    if interaction.guild_id is None:
        return isinstance(interaction.channel, discord.DMChannel)
    may = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    is_member = interaction.client.get_guild(interaction.guild_id) is not None
    return is_member and (may.send_messages_in_threads if in_thread else may.send_messages)


@app_commands.command(name="reset", description=text("command.reset"))
@app_commands.describe(scope=text("command.reset.scope"))
async def reset(interaction: Interaction, scope: Literal["this channel", "everywhere"] = THIS_CHANNEL) -> None:
    """Begin anew, here or everywhere."""
    await defer(interaction, ephemeral=True)
    chat, locale = interaction.client.service.chat, _locale(interaction)
    if scope == THIS_CHANNEL:
        had_any = await chat.reset(key_of(interaction))
        sentence = text("reset.done" if had_any else "reset.nothing", locale)
    else:
        count = await chat.reset_everywhere(interaction.user.id)
        key = {0: "reset.everywhere_nothing", 1: "reset.everywhere_one"}.get(count, "reset.everywhere")
        sentence = text(key, locale, count=count)
    await _answer(interaction, sentence)


@app_commands.command(name="stop", description=text("command.stop"))
async def stop(interaction: Interaction) -> None:
    """Stop the person's answers in this channel."""
    await defer(interaction, ephemeral=True)
    count = await interaction.client.service.chat.stop(key_of(interaction))
    await _answer(interaction, text("stop.done" if count else "stop.nothing", _locale(interaction)))


@app_commands.command(name="history", description=text("command.history"))
async def history(interaction: Interaction) -> None:
    """Show the newest turns, to the person alone."""
    await defer(interaction, ephemeral=True)
    remembered = await interaction.client.service.chat.history(key_of(interaction), HISTORY_TURNS)
    await _answer(interaction, history_page(remembered, _locale(interaction)))


def history_page(remembered: Remembered, locale: str) -> str:
    """Return the newest turns that fit in one message, each text clipped, and how many are not shown or forgotten."""
    head = text("history.head" if remembered.turns else "history.nothing", locale)
    shown: list[str] = []
    room = LIMIT_CHARS - len(head) - _HISTORY_NOTES_CHARS
    for turn in reversed(remembered.turns):
        question = text("history.you", locale, text=_clipped(turn.asked, locale))
        answer = _clipped(turn.answer, locale) or text("history.no_answer", locale)
        entry = f"\n{question}\n{text('history.me', locale, text=answer)}"
        room -= len(entry)
        if room < 0:
            break
        shown.append(entry)
    notes = {
        "history.earlier": remembered.earlier + len(remembered.turns) - len(shown),
        "history.forgotten": remembered.forgotten,
    }
    told = [f"\n{text(key, locale, count=count)}" for key, count in notes.items() if count]
    return head + "".join([*reversed(shown), *told])


def _clipped(words: str, locale: str) -> str:
    words = sayable(words).strip()
    beginning = words[: 2 * _HISTORY_TEXT_CHARS]  # more than one chunk can hold: what follows does not change it
    first, *more = split(beginning, _HISTORY_TEXT_CHARS) or [""]
    return f"{first} {text('history.clipped', locale)}" if more or beginning != words else first


@app_commands.command(name="help", description=text("command.help"))
async def help_(interaction: Interaction) -> None:
    """Say how to talk to the bot."""
    helping = interaction.response.send_message(text("help", _locale(interaction)), ephemeral=True)
    await calling(helping, ACKNOWLEDGE_S)


@app_commands.command(name="status", description=text("command.status"))
async def status(interaction: Interaction) -> None:
    """Say what answers and how busy it is."""
    client = interaction.client
    page = status_page(
        client.service.chat.status(),
        latency_s=client.latency,
        sees_content=client.intents.message_content,
        locale=_locale(interaction),
    )
    await calling(interaction.response.send_message(page, ephemeral=True), ACKNOWLEDGE_S)


def status_page(now: Status, *, latency_s: float, sees_content: bool, locale: str) -> str:
    """Return the lines of /status; `latency_s` is not finite before the first heartbeat."""
    info, loading = now.info, now.loading
    state = text("status.ready", locale)
    if loading is not None:
        stage = text(loading.stage, locale)
        state = text("status.loading", locale, stage=stage, elapsed_s=round(loading.elapsed_s))
    lines = [
        text("status.model", locale, model=info.model, engine=info.engine, context_tokens=info.context_tokens),
        text("status.device", locale, device=info.device),
        state,
        text("status.queue", locale, running=now.running, waiting=now.waiting),
    ]
    if math.isfinite(latency_s):
        lines.append(text("status.latency", locale, latency_ms=round(latency_s * 1000)))
    if not sees_content:
        lines.append(text("status.withheld", locale))
    return "\n".join(lines)


COMMANDS: Final[tuple[app_commands.Command[Any, ..., Any], ...]] = (ask, reset, stop, history, help_, status)


def add_commands(tree: PhibotTree, *, in_dms: bool) -> None:
    """Add every command to the tree, for servers that added the bot and, if wanted, its DMs."""
    tree.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=in_dms, private_channel=False)
    tree.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)
    for command in COMMANDS:
        tree.add_command(command)
