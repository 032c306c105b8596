"""/model: which models there are, which one answers here, and, for admins, another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.choices import Scope
from bot.core.engine import UNLOADED
from bot.core.models import Model, Models
from bot.core.visitor import Visitor
from bot.errors import EngineError, StartError
from bot.frontends.discord.replies import check_admin, defer, locale_of, respond, sentence_for
from bot.frontends.discord.split import LIMIT_CHARS, sayable
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

CHANNEL: Final = "this channel"
Place: TypeAlias = Literal["this channel", "this server"]

MOST_PROPOSED: Final = 25
"""What Discord shows of an option's proposals."""
_CHOICE_CHARS: Final = 100  # the longest that Discord takes
_NAME_CHARS: Final = 60  # of a model in a list
_REASON_CHARS: Final = 200
_NOTES_CHARS: Final = 600  # kept free for what stands below the list
_HERE: Final = {
    None: "model.here",
    Scope.CHANNEL: "model.here_by_channel",
    Scope.SERVER: "model.here_by_server",
    Scope.EVERYWHERE: "model.here_by_everywhere",
}
_DONE: Final = {
    Scope.CHANNEL: "model.set_for_channel",
    Scope.SERVER: "model.set_for_server",
    Scope.EVERYWHERE: "model.set_for_everywhere",
}
_GB: Final = 1e9
_MB: Final = 1e6

model = app_commands.Group(name="model", description=text("command.model"))


@model.command(name="show", description=text("command.model.show"))
async def show(interaction: Interaction) -> None:
    """List the models, to the person alone."""
    await defer(interaction, ephemeral=True)
    models = interaction.client.service.chat.models
    await respond(interaction, models_page(models, visitor_of(interaction), locale_of(interaction)))


@model.command(name="set", description=text("command.model.set"))
@app_commands.rename(name="model", place="for")
@app_commands.describe(name=text("command.model.set.model"), place=text("command.model.for"))
async def set_(interaction: Interaction, name: str, place: Place = CHANNEL) -> None:
    """Choose a model; until it is loaded, and if it cannot be, the one of before answers."""
    check_admin(interaction)
    await defer(interaction, ephemeral=True)
    models, visitor, locale = interaction.client.service.chat.models, visitor_of(interaction), locale_of(interaction)
    new, old, scope = models.named(name), models.at(visitor), _scope(visitor, place)
    loading = new.engine.loading
    if loading is not None:
        key = "model.set_loading" if loading.last_time_s is None else "model.set_loading_last"
        fields = {"model": shown(new), "old": shown(old), "last_time_s": round(loading.last_time_s or 0)}
        await respond(interaction, text(key, locale, **fields))
    try:
        is_chosen = await models.choose(visitor, scope, new.name)
    except (EngineError, StartError) as exc:
        reason = sentence_for(interaction, exc, command="model set", model=new.name)
        await respond(interaction, text("model.not_set", locale, reason=reason, old=shown(old)))
        return
    if not is_chosen:
        overtaken = text("model.overtaken", locale, model=shown(new), old=shown(models.at(visitor)))
        await respond(interaction, overtaken)
        return
    log.info("model_chosen", model=new.name, scope=scope.value, guild=visitor.guild_id, user=visitor.user_id)
    await respond(interaction, text(_DONE[scope], locale, model=shown(new)))


@model.command(name="clear", description=text("command.model.clear"))
@app_commands.rename(place="for")
@app_commands.describe(place=text("command.model.for"))
async def clear(interaction: Interaction, place: Place = CHANNEL) -> None:
    """Take a choice back."""
    check_admin(interaction)
    await defer(interaction, ephemeral=True)
    models, visitor, locale = interaction.client.service.chat.models, visitor_of(interaction), locale_of(interaction)
    scope = _scope(visitor, place)
    changed = await models.clear(visitor, scope)
    log.info("model_cleared", scope=scope.value, guild=visitor.guild_id, user=visitor.user_id, changed=changed)
    key = "model.cleared" if changed else "model.nothing_to_clear"
    await respond(interaction, text(key, locale, model=shown(models.at(visitor))))


@set_.autocomplete("name")
async def propose(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    """Propose the models whose names contain what was typed so far."""
    names = [one.name for one in interaction.client.service.chat.models.all]
    fitting = [name for name in names if typed.strip().lower() in name.lower() and 0 < len(name) <= _CHOICE_CHARS]
    return [app_commands.Choice(name=name, value=name) for name in fitting[:MOST_PROPOSED]]


def _scope(visitor: Visitor, place: Place) -> Scope:
    """Return whose choice it is: in a direct message with an owner, the server's stands for everywhere."""
    if place == CHANNEL:
        return Scope.CHANNEL
    return Scope.EVERYWHERE if visitor.guild_id is None else Scope.SERVER


def models_page(models: Models, visitor: Visitor, locale: str) -> str:
    """Return the lines of /model show, which fit in one message; why a folder is no model, admins are told."""
    used = models.chosen(visitor)
    lines = [text(_HERE[used.scope], locale, model=shown(used.model))]
    if used.missing is not None:
        lines.append(text("model.missing", locale, model=_clipped(used.missing, _NAME_CHARS)))
    lines.append(text("model.device", locale, device=models.default.engine.info.device))
    rows = [text("model.row", locale, model=shown(one), facts=", ".join(_facts(one, locale))) for one in models.all]
    notes = [text("model.elsewhere", locale)] if models.is_elsewhere else []
    if visitor.is_admin:
        notes += [
            text("model.unusable", locale, model=_clipped(name, _NAME_CHARS), reason=_clipped(why, _REASON_CHARS))
            for name, why in models.unusable.items()
        ]
    fitting = _fitting(rows, LIMIT_CHARS - sum(map(len, lines)) - _NOTES_CHARS, locale)
    head = "\n".join(lines + fitting)
    return "\n".join([head, *_fitting(notes, LIMIT_CHARS - len(head) - len(lines), locale)])


def _fitting(lines: list[str], room_chars: int, locale: str) -> list[str]:
    """Return as many lines as fit, and how many more there are."""
    fitting: list[str] = []
    for line in lines:
        more = text("model.more", locale, count=len(lines) - len(fitting))
        room_chars -= len(line) + 1
        if room_chars < len(more) + 1:
            return [*fitting, more]
        fitting.append(line)
    return fitting


def _facts(one: Model, locale: str) -> list[str]:
    info, loading, tokens_per_s = one.engine.info, one.engine.loading, one.speed.tokens_per_s
    facts = [] if one.size_bytes is None else [text("model.size", locale, size=_size(one.size_bytes))]
    facts.append(text("model.window", locale, context_tokens=info.context_tokens))
    if tokens_per_s is None:
        facts.append(text("model.unmeasured", locale))
    else:
        facts.append(text("model.speed", locale, tokens_per_s=f"{tokens_per_s:.1f}"))
    if loading is None:
        facts.append(text("model.loaded", locale))
    elif loading.stage == UNLOADED:
        facts.append(text("model.unloaded", locale))
    else:
        stage = text(loading.stage, locale)
        facts.append(text("model.loading", locale, stage=stage, elapsed_s=round(loading.elapsed_s)))
    return facts


def _size(size_bytes: int) -> str:
    return f"{size_bytes / _GB:.1f} GB" if size_bytes >= _GB / 10 else f"{size_bytes / _MB:.1f} MB"


def shown(one: Model) -> str:
    """Return a model's name for people; a server elsewhere tells its own."""
    return _clipped(one.name or one.engine.info.model, _NAME_CHARS)


def _clipped(words: str, most_chars: int) -> str:
    words = sayable(words)
    return words if len(words) <= most_chars else words[: most_chars - 1] + "…"
