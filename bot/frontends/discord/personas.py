"""/persona: what the bot is for a person, a channel, a server, and the saved personas.

Owns the form and what the answers say. Who may change what, and how long a persona may be, is core's to decide. The
form carries in its custom id whose persona it is for, so that it is good in whichever process gets it back.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.choices import Scope
from bot.core.persona_editor import NAME_CHARS, Measured
from bot.core.visitor import Visitor
from bot.errors import BotError, PersonaOwnOnly, ShuttingDown
from bot.frontends.discord.forms import form_sent, written_in
from bot.frontends.discord.replies import (
    ACKNOWLEDGE_S,
    defer,
    ending_well,
    is_served,
    key_of,
    locale_of,
    respond,
    sentence_for,
)
from bot.frontends.discord.split import LIMIT_CHARS, sayable
from bot.frontends.discord.surface import calling
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

ME: Final = "me"
Place: TypeAlias = Literal["me", "this channel", "this server"]
_SCOPES: Final = {ME: Scope.PERSON, "this channel": Scope.CHANNEL, "this server": Scope.SERVER}

FORM: Final = "persona:"
_FIELD: Final = "text"
FORM_CHARS: Final = 4000  # the most that Discord's forms take
MOST_PROPOSED: Final = 25  # that Discord shows
_OF_SERVER: Final = "server: "
"""Begins the value of a proposal that is the server's: names have no colon."""
_NOTES_CHARS: Final = 1000  # kept free in /persona show for what stands below the text
_NAMES_CHARS: Final = 250

persona = app_commands.Group(name="persona", description=text("command.persona"))


@persona.command(name="show", description=text("command.persona.show"))
@app_commands.rename(place="for")
@app_commands.describe(place=text("command.persona.for"))
async def show(interaction: Interaction, place: Place | None = None) -> None:
    """Show what holds here, or what is set for a place, to the person alone."""
    await defer(interaction, ephemeral=True)
    visitor = _visitor(interaction)
    page = _page_of(interaction, visitor, _scope(visitor, place)) if place else _page_here(interaction, visitor)
    await respond(interaction, page)


@persona.command(name="set", description=text("command.persona.set"))
@app_commands.rename(place="for")
@app_commands.describe(name=text("command.persona.name"), place=text("command.persona.for"))
async def set_(
    interaction: Interaction, name: app_commands.Range[str, 1, 100] | None = None, place: Place = ME
) -> None:
    """Take a saved persona, or open a form with the one that is set."""
    editor, visitor = interaction.client.service.chat.persona_editor, _visitor(interaction)
    scope = _scope(visitor, place)
    editor.check(visitor, scope)
    if name is None:
        form = _form(scope, editor.chosen(visitor, scope), locale_of(interaction))
        await calling(interaction.response.send_modal(form), ACKNOWLEDGE_S)
        return
    await defer(interaction, ephemeral=True)
    taken, _ = editor.named(visitor, *_wanted(name))
    await _set(interaction, visitor, scope, taken)


@persona.command(name="clear", description=text("command.persona.clear"))
@app_commands.rename(place="for")
@app_commands.describe(place=text("command.persona.for"))
async def clear(interaction: Interaction, place: Place = ME) -> None:
    """Take a persona away."""
    await defer(interaction, ephemeral=True)
    visitor = _visitor(interaction)
    scope = _scope(visitor, place)
    changed = await interaction.client.service.chat.persona_editor.clear(visitor, scope)
    _log("persona_cleared", visitor, scope)
    await respond(
        interaction, text("persona.cleared" if changed else "persona.nothing_to_clear", locale_of(interaction))
    )


@persona.command(name="save", description=text("command.persona.save"))
@app_commands.rename(place="for")
@app_commands.describe(name=text("command.persona.new_name"), place=text("command.persona.for"))
async def save(interaction: Interaction, name: app_commands.Range[str, 1, NAME_CHARS], place: Place = ME) -> None:
    """Save what is set for a place, under a name."""
    await defer(interaction, ephemeral=True)
    visitor = _visitor(interaction)
    scope = _scope(visitor, place)
    interaction.client.service.chat.check_words(visitor, [name])
    kept = await interaction.client.service.chat.persona_editor.save(visitor, scope, name.replace(":", " "))
    _log("persona_saved", visitor, scope)
    await respond(interaction, text("persona.saved", locale_of(interaction), name=_plain(kept)))


@persona.command(name="delete", description=text("command.persona.delete"))
@app_commands.describe(name=text("command.persona.name"))
async def delete(interaction: Interaction, name: app_commands.Range[str, 1, 100]) -> None:
    """Delete a saved persona: the person's own, or, if they may, the server's."""
    await defer(interaction, ephemeral=True)
    editor, visitor = interaction.client.service.chat.persona_editor, _visitor(interaction)
    wanted, library = _wanted(name)
    _, scope = editor.named(visitor, wanted, library)
    await editor.delete(visitor, scope, wanted)
    _log("persona_deleted", visitor, scope)
    await respond(interaction, text("persona.deleted", locale_of(interaction)))


@set_.autocomplete("name")
@delete.autocomplete("name")
async def propose(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    """Propose the saved personas whose names contain what was typed so far, the person's own first."""
    locale, sought = locale_of(interaction), typed.strip().casefold()
    saved = interaction.client.service.chat.persona_editor.saved(_visitor(interaction))
    proposed = [
        app_commands.Choice(
            name=name if scope is Scope.PERSON else text("persona.proposed_of_server", locale, name=name),
            value=name if scope is Scope.PERSON else _OF_SERVER + name,
        )
        for name, scope in saved
        if sought in name.casefold()
    ]
    return proposed[:MOST_PROPOSED]


def _wanted(name: str) -> tuple[str, Scope | None]:
    """Read what was chosen or typed: a name, and whose library it is from, if that was proposed."""
    if name.startswith(_OF_SERVER):
        return name.removeprefix(_OF_SERVER), Scope.SERVER
    return name, None


def _visitor(interaction: Interaction) -> Visitor:
    """Return who it is: where the bot is no member, as in a private chat, for nothing there is anybody's to set."""
    visitor = visitor_of(interaction)
    if visitor.guild_id is None or interaction.client.get_guild(visitor.guild_id) is not None:
        return visitor
    return replace(visitor, guild_id=None)


def _scope(visitor: Visitor, place: Place) -> Scope:
    """Return whose persona is meant: in a direct message with an owner, the server's stands for everywhere.

    Raises: PersonaOwnOnly.
    """
    scope = _SCOPES[place]
    if visitor.guild_id is not None or scope is Scope.PERSON:
        return scope
    if scope is Scope.SERVER and visitor.is_owner:
        return Scope.EVERYWHERE
    raise PersonaOwnOnly


# The form -------------------------------------------------------------------------------------------------------------


def _form(scope: Scope, before: str | None, locale: str) -> discord.ui.Modal:
    """Return the form, filled with what is set. What is sent off comes to `take_persona_form`."""
    form = discord.ui.Modal(title=text("persona.form_title", locale), timeout=None, custom_id=FORM + scope.value)
    field: discord.ui.TextInput[discord.ui.View] = discord.ui.TextInput(
        custom_id=_FIELD,
        style=discord.TextStyle.paragraph,
        default=before,
        placeholder=text("persona.form_hint", locale),
        max_length=FORM_CHARS,
    )
    form.add_item(discord.ui.Label(text=text("persona.form_label", locale), component=field))
    return form


async def take_persona_form(interaction: Interaction) -> None:
    """Set the persona of a form that was sent off, whichever process opened it.

    To be called with every interaction; what is no such form is left alone.
    """
    form = form_sent(interaction)
    if form is not None and form.startswith(FORM):
        await ending_well(interaction, _take_form(interaction, Scope(form.removeprefix(FORM))), form=FORM)


async def _take_form(interaction: Interaction, scope: Scope) -> None:
    """Set what was written; whatever refuses it, it is given back, for it was work to write."""
    service = interaction.client.service
    if not service.seen.is_new(interaction.id) or not await is_served(interaction):
        return
    await defer(interaction, ephemeral=True)
    written = written_in(interaction).get(_FIELD, "")
    try:
        if service.is_closing:
            raise ShuttingDown
        await _set(interaction, _visitor(interaction), scope, written)
    except BotError as exc:
        sentence = sentence_for(interaction, exc, form=FORM)
        await respond(interaction, sentence, file=_file_of(written) if written.strip() else None)


def _file_of(words: str) -> discord.File:
    return discord.File(io.BytesIO(words.encode("utf-8", "replace")), "your_persona.txt")


async def _set(interaction: Interaction, visitor: Visitor, scope: Scope, words: str) -> None:
    """Set a persona and say how long it is."""
    interaction.client.service.chat.check_words(visitor, [words])
    editor, locale = interaction.client.service.chat.persona_editor, locale_of(interaction)
    measured = await editor.set(visitor, scope, words)
    _log("persona_set", visitor, scope)
    lines = [text(f"persona.{scope.value}_done", locale, **_length(measured))]
    if scope is Scope.PERSON and key_of(interaction).user_id is None:
        lines.append(text("persona.shared", locale))
    await respond(interaction, "\n".join(lines))


def _length(measured: Measured) -> dict[str, int]:
    return {"tokens": measured.tokens, "limit_tokens": measured.limit_tokens}


def _log(event: str, visitor: Visitor, scope: Scope) -> None:
    log.info(event, scope=scope.value, user=visitor.user_id, guild=visitor.guild_id, channel=visitor.channel_id)


# What /persona show says ----------------------------------------------------------------------------------------------


def _page_here(interaction: Interaction, visitor: Visitor) -> str:
    """Return what holds where a person is: its text, where that is theirs to see, and what they have saved."""
    chat, locale = interaction.client.service.chat, locale_of(interaction)
    is_shared = key_of(interaction).user_id is None
    held = chat.personas.at(visitor, is_shared=is_shared)
    if held is None:
        lines = [text("persona.none", locale)]
    else:
        measured = chat.persona_editor.measure(visitor, held.text, is_shared=is_shared)
        lines = [text(f"persona.{held.scope.value}", locale, **_length(measured))]
        if chat.persona_editor.may_change(visitor, held.scope):
            lines += _quoted(held.text, locale)
        if not measured.is_used:
            lines.append(text("persona.unused", locale))
    if is_shared:
        lines.append(text("persona.shared", locale))
    return "\n".join([*lines, *_saved(interaction, visitor)])


def _page_of(interaction: Interaction, visitor: Visitor, scope: Scope) -> str:
    """Return what is set for a scope. Raises: PersonaNotAllowed."""
    editor, locale = interaction.client.service.chat.persona_editor, locale_of(interaction)
    editor.check_may(visitor, scope)
    chosen = editor.chosen(visitor, scope)
    if chosen is None:
        return "\n".join([text("persona.not_set", locale), *_saved(interaction, visitor)])
    measured = editor.measure(visitor, chosen)
    head = text(f"persona.{scope.value}_set", locale, **_length(measured))
    return "\n".join([head, *_quoted(chosen, locale), *_saved(interaction, visitor)])


def _quoted(words: str, locale: str) -> list[str]:
    """Return a persona as a quotation, cut to the room there is in one message."""
    room_chars = LIMIT_CHARS - _NOTES_CHARS
    lines: list[str] = []
    for line in sayable(words).splitlines():
        room_chars -= len(line) + 3
        if room_chars < 0:
            return [*lines, f"> {line[: max(0, len(line) + room_chars)]}", text("persona.clipped", locale)]
        lines.append(f"> {line}")
    return lines


def _plain(name: str) -> str:
    """Return a name so that Discord shows it as it is: whoever types it has to see its stars."""
    return discord.utils.escape_markdown(sayable(name)).replace("<", r"\<")


def _saved(interaction: Interaction, visitor: Visitor) -> list[str]:
    """Return the names of the saved personas, and what variables there are."""
    chat, locale = interaction.client.service.chat, locale_of(interaction)
    saved = chat.persona_editor.saved(visitor)
    lines = []
    for scope, key in ((Scope.PERSON, "persona.saved_by_you"), (Scope.SERVER, "persona.saved_in_server")):
        names = ", ".join(_plain(name) for name, of in saved if of is scope)
        if names:
            clipped = names if len(names) <= _NAMES_CHARS else f"{names[:_NAMES_CHARS]} …"
            lines.append(text(key, locale, names=clipped))
    return [*lines, text("persona.variables", locale, zone=chat.personas.zone_name)]
