"""The slash commands, and the one handler for everything that goes wrong in them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.chat import Remembered, Status
from bot.core.engine import UNLOADED
from bot.frontends.discord import (  # noqa: F401 - they add their commands to the group
    admin_bounds,
    admin_people,
    admin_permissions,
    admin_quotas,
    admin_rules,
    admin_words,
)
from bot.frontends.discord.admin import admin
from bot.frontends.discord.asking import ask_and_show
from bot.frontends.discord.attachments import given
from bot.frontends.discord.context import context, pin, summarize
from bot.frontends.discord.menus import MENUS, delete, details, forget
from bot.frontends.discord.models import model
from bot.frontends.discord.personas import persona
from bot.frontends.discord.preferences import settings
from bot.frontends.discord.quotas import quota
from bot.frontends.discord.reading import question_in
from bot.frontends.discord.replies import (
    ACKNOWLEDGE_S,
    check_moderator,
    defer,
    is_for_admin,
    is_let_in,
    is_moderator,
    is_welcome,
    key_of,
    locale_of,
    respond,
    sentence_for,
    tell,
)
from bot.frontends.discord.rooms import conversation, thread
from bot.frontends.discord.split import LIMIT_CHARS, sayable, split
from bot.frontends.discord.surface import calling
from bot.frontends.discord.visitors import visitor_of
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
        """Keep the rules of messages for commands too, but for what takes away or only tells; /admin is for admins.

        Here and not in the group: discord.py asks a command's own group alone, and takes its refusal for an error.
        """
        if not await is_welcome(interaction):
            return False
        root = _root_of(interaction)
        if root == admin.name and not await is_for_admin(interaction):
            return False
        return root in STAYS_OPEN or await is_let_in(interaction)

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Answer with a sentence, whatever happened; log what nobody expected."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        name = interaction.command.qualified_name if interaction.command else None
        if isinstance(cause, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            log.warning("command_outdated", command=name, reason=str(cause))
            await tell(interaction, text("command.outdated", locale_of(interaction)))
        else:
            await tell(interaction, sentence_for(interaction, cause, command=name))


def _root_of(interaction: Interaction) -> str:
    """Return the name of the command that is used, of a subcommand the outermost group's; "" if there is none."""
    command = interaction.command
    if isinstance(command, app_commands.Command):
        return (command.root_parent or command).name
    return command.name if command is not None else ""


# The commands ---------------------------------------------------------------------------------------------------------


@app_commands.command(name="ask", description=text("command.ask"))
@app_commands.describe(question=text("command.ask.question"), file=text("command.ask.file"))
async def ask(
    interaction: Interaction, question: app_commands.Range[str, 1, 4000], file: discord.Attachment | None = None
) -> None:
    """Ask as a mention would; the answer grows in the response."""
    files = [given(file)] if file is not None else []
    await ask_and_show(interaction, question_in(question, interaction.guild), files=files, trigger="ask")


@app_commands.command(name="reset", description=text("command.reset"))
@app_commands.describe(scope=text("command.reset.scope"))
async def reset(interaction: Interaction, scope: Literal["this channel", "everywhere"] = THIS_CHANNEL) -> None:
    """Begin anew, here or everywhere; what all share only moderators end."""
    if scope == THIS_CHANNEL and key_of(interaction).user_id is None:
        check_moderator(interaction)
    await defer(interaction, ephemeral=True)
    chat, locale = interaction.client.service.chat, locale_of(interaction)
    if scope == THIS_CHANNEL:
        had_any = await chat.reset(key_of(interaction))
        sentence = text("reset.done" if had_any else "reset.nothing", locale)
    else:
        count = await chat.reset_everywhere(interaction.user.id)
        key = {0: "reset.everywhere_nothing", 1: "reset.everywhere_one"}.get(count, "reset.everywhere")
        sentence = text(key, locale, count=count)
    await respond(interaction, sentence)


@app_commands.command(name="stop", description=text("command.stop"))
async def stop(interaction: Interaction) -> None:
    """Stop the person's answers in this channel; moderators stop everybody's in a shared one."""
    await defer(interaction, ephemeral=True)
    user_id = None if is_moderator(interaction) else interaction.user.id
    count = await interaction.client.service.chat.stop(key_of(interaction), user_id=user_id)
    await respond(interaction, text("stop.done" if count else "stop.nothing", locale_of(interaction)))


@app_commands.command(name="history", description=text("command.history"))
async def history(interaction: Interaction) -> None:
    """Show the newest turns, to the person alone."""
    await defer(interaction, ephemeral=True)
    key = key_of(interaction)
    remembered = await interaction.client.service.chat.history(key, HISTORY_TURNS)
    page = history_page(remembered, locale_of(interaction), is_shared=key.user_id is None)
    if key.user_id is not None and interaction.client.service.chat.preferences.manner(visitor_of(interaction)).no_store:
        page += f"\n{text('history.no_store', locale_of(interaction))}"
    await respond(interaction, page)


def history_page(remembered: Remembered, locale: str, *, is_shared: bool = False) -> str:
    """Return the newest turns that fit in one message, each text clipped, and how many are not shown or forgotten."""
    head = text("history.head" if remembered.turns else "history.nothing", locale)
    if remembered.summary:
        head += "\n" + text("history.summary", locale, text=_clipped(remembered.summary, locale))
    shown: list[str] = []
    room = LIMIT_CHARS - len(head) - _HISTORY_NOTES_CHARS
    for turn in reversed(remembered.turns):
        words = _clipped(turn.asked, locale)
        question = text("history.you", locale, text=words)
        if is_shared:
            question = text("history.they", locale, user=f"<@{turn.user_id}>", text=words)
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
    helping = interaction.response.send_message(text("help", locale_of(interaction)), ephemeral=True)
    await calling(helping, ACKNOWLEDGE_S)


@app_commands.command(name="status", description=text("command.status"))
async def status(interaction: Interaction) -> None:
    """Say what answers and how busy it is."""
    client = interaction.client
    page = status_page(
        client.service.chat.status(visitor_of(interaction)),
        latency_s=client.latency,
        sees_content=client.intents.message_content,
        locale=locale_of(interaction),
    )
    await calling(interaction.response.send_message(page, ephemeral=True), ACKNOWLEDGE_S)


def status_page(now: Status, *, latency_s: float, sees_content: bool, locale: str) -> str:
    """Return the lines of /status; `latency_s` is not finite before the first heartbeat."""
    info, loading = now.info, now.loading
    state = text("status.ready", locale)
    if loading is not None and loading.stage == UNLOADED:
        state = text("status.unloaded", locale)
    elif loading is not None:
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


COMMANDS: Final[tuple[app_commands.Command[Any, ..., Any] | app_commands.Group, ...]] = (
    ask,
    reset,
    stop,
    history,
    context,
    pin,
    summarize,
    thread,
    conversation,
    settings,
    help_,
    quota,
    status,
    model,
    persona,
    admin,
)


LEAVES: Final = tuple(
    leaf
    for command in COMMANDS
    for leaf in (command.walk_commands() if isinstance(command, app_commands.Group) else [command])
    if isinstance(leaf, app_commands.Command)
)
"""Each command that can be used, subcommands among them."""


FOR_PEOPLE: Final[tuple[app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu, ...]] = (
    ask,
    settings,
    persona,
    quota,
    *MENUS,
)
"""What people who installed the application for themselves have everywhere, also where the bot is no member."""


def add_commands(tree: PhibotTree, *, in_dms: bool) -> None:
    """Add every command and menu to the tree, for servers that added the bot and, if wanted, its DMs."""
    tree.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=in_dms, private_channel=False)
    tree.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)
    for each in FOR_PEOPLE:
        each.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=in_dms, private_channel=in_dms)
        each.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    for command in COMMANDS:
        tree.add_command(command)
    for menu in MENUS:
        tree.add_command(menu)


_OPEN: Final[tuple[app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu, ...]] = (
    reset,
    stop,
    history,
    context,
    help_,
    quota,
    settings,
    status,
    admin,
    model,
    details,
    forget,
    delete,
)

STAYS_OPEN: Final = frozenset(each.name for each in _OPEN)
"""What people may use whom admins let ask nothing: it takes away or chooses what is theirs alone, or tells of it."""
