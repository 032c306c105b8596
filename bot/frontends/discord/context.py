"""What the bot has in mind of a conversation, and what people may do about it: /context, /pin, /summarize.

Owns the select that pins. What the window holds is core's to count, how that reads is `pages`'.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import discord
import structlog
from discord import app_commands

from bot.core.chat import Answer
from bot.core.context import ContextMap, TurnTokens
from bot.core.excerpts import one_line
from bot.core.messages import TurnState
from bot.errors import NothingToPin, TurnGone
from bot.frontends.discord.asking import public_surface
from bot.frontends.discord.pages import context_page
from bot.frontends.discord.private import PrivateSurface
from bot.frontends.discord.replies import defer, ending_well, is_welcome, key_of, locale_of, respond, tell
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

_SELECT_OPTIONS: Final = 25  # Discord's limit

Select: TypeAlias = discord.ui.Select[discord.ui.View]


@app_commands.command(name="context", description=text("command.context"))
async def context(interaction: Interaction) -> None:
    """Show what fills the window, to the person alone."""
    await defer(interaction, ephemeral=True)
    await _show(interaction)


async def _show(interaction: Interaction) -> None:
    chat, locale = interaction.client.service.chat, locale_of(interaction)
    filled = await chat.context_of(key_of(interaction), visitor_of(interaction))
    view = None
    if filled.turns:
        view = discord.ui.View(timeout=None)
        view.add_item(PinSelect(pin_select(filled, locale)))
    await respond(interaction, context_page(filled, locale), view=view)


def pin_select(filled: ContextMap, locale: str) -> Select:
    """Return the newest exchanges of the window to choose from, those that are pinned chosen already."""
    options = [_option(counted, locale) for counted in filled.turns[-_SELECT_OPTIONS:][::-1]]
    return discord.ui.Select(
        custom_id=PinSelect.CUSTOM_ID,
        placeholder=text("context.choose", locale),
        min_values=0,
        max_values=len(options),
        options=options,
    )


def _option(counted: TurnTokens, locale: str) -> discord.SelectOption:
    turn = counted.turn
    return discord.SelectOption(
        label=one_line(turn.asked) or text("context.wordless", locale),
        value=str(turn.id),
        description=text("context.turn_tokens", locale, tokens=counted.tokens),
        default=turn.pinned,
    )


class PinSelect(discord.ui.DynamicItem[Select], template=r"pins"):
    """Pins what is chosen and takes the pin from what is not. It carries the turns, so it works in any process."""

    CUSTOM_ID: Final = "pins"

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the item for one choice."""
        del interaction, match
        return cls(item)  # type: ignore[arg-type]  # no other component has this custom id

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pin and unpin, or tell the person alone why not."""
        await ending_well(interaction, self._take(interaction), control="pins")

    async def _take(self, interaction: Interaction) -> None:
        if not await is_welcome(interaction):
            return
        interaction.client.service.chat.check_rules(visitor_of(interaction))
        await defer(interaction, thinking=False)
        offered = {int(option.value) for option in self.item.options}
        chosen = {int(value) for value in self.item.values}
        try:
            await _pin_only(interaction, offered, chosen)
        finally:  # also where one of several was refused: what is shown must be what is
            await _show(interaction)


async def _pin_only(interaction: Interaction, offered: set[int], chosen: set[int]) -> None:
    """Pin the chosen ones of the turns offered. Raises: PinsFull; TurnGone, if one is no longer in the window."""
    chat = interaction.client.service.chat
    filled = await chat.context_of(key_of(interaction))
    pinned = {counted.turn.id: counted.turn.pinned for counted in filled.turns}
    for turn_id in sorted(offered & set(pinned), key=chosen.__contains__):  # first what makes room
        if pinned[turn_id] != (turn_id in chosen):
            await chat.pin(turn_id, turn_id in chosen)
    if chosen - set(pinned):
        raise TurnGone


@app_commands.command(name="pin", description=text("command.pin"))
async def pin(interaction: Interaction) -> None:
    """Pin the last exchange."""
    await defer(interaction, ephemeral=True)
    chat, locale = interaction.client.service.chat, locale_of(interaction)
    filled = await chat.context_of(key_of(interaction))
    if not filled.turns:
        raise NothingToPin
    newest = filled.turns[-1]
    words = one_line(newest.turn.asked) or text("context.wordless", locale)
    if newest.turn.pinned:
        await respond(interaction, text("pin.already", locale, words=words))
        return
    await chat.pin(newest.turn.id, True)
    tokens, limit_tokens = filled.pinned_tokens + newest.tokens, filled.pin_limit_tokens
    await respond(interaction, text("pin.done", locale, words=words, tokens=tokens, limit_tokens=limit_tokens))


@app_commands.command(name="summarize", description=text("command.summarize"))
async def summarize(interaction: Interaction) -> None:
    """Have the conversation summed up, and show the summary as it is written: in a shared room to all."""
    service, key, locale = interaction.client.service, key_of(interaction), locale_of(interaction)
    is_private, visitor = key.user_id is not None, visitor_of(interaction)
    service.chat.check(visitor)
    service.chat.check_quota(visitor, key)
    await defer(interaction, ephemeral=is_private)
    before = await service.chat.context_of(key, visitor)
    answer = await service.chat.summarize(key, visitor)
    if service.writers.is_writing(answer.turn):
        await respond(interaction, text("summarize.already", locale))
        return
    timeout_s = service.timing.call_timeout_s
    surface = PrivateSurface(interaction, timeout_s) if is_private else public_surface(interaction)
    await asyncio.wait({service.show(answer, surface, key, locale)})
    sentence = _outcome(answer, before, await service.chat.context_of(key, visitor), locale)
    if sentence:
        await tell(interaction, sentence, in_channel=not is_private, is_private=is_private)


def _outcome(answer: Answer, before: ContextMap, after: ContextMap, locale: str) -> str | None:
    """Return what came of a summary, or None where the line below it has said so."""
    if answer.turn.state is TurnState.FORGOTTEN:  # the writer left no line, nor the summary
        return text("summarize.forgotten", locale)
    if answer.turn.state is not TurnState.DONE:
        return None
    if after.summary is None or after.summary.id != answer.turn.id:
        return text("summarize.unsound", locale)
    freed_tokens = before.used_tokens - after.used_tokens
    if freed_tokens <= 0:
        return text("summarize.no_shorter", locale)
    return text("summarize.freed", locale, freed_tokens=freed_tokens, used_tokens=after.used_tokens)
