"""The buttons under an answer, for its asker and moderators; they work as long as its turn is known, in any process.

Each button's custom id carries the turn, so no view is kept: discord.py makes the item anew for every press. Exceptions
in items reach no handler by themselves; here every press ends in an answer (`Control.callback`). What stands under
which answer is decided in `controls`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

import discord
import structlog

from bot.core.chat import Answer, Chat, Phase, Snapshot
from bot.core.messages import Turn
from bot.errors import AnswerTooOld, ShuttingDown, TurnGone
from bot.frontends.discord.controls import Controls, Stage, has_ended
from bot.frontends.discord.replies import check_may_change, defer, ending_well, is_served
from bot.frontends.discord.surface import InteractionSurface, Surface, Unwritable, calling
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

KEPT_S: Final = 7 * 24 * 3600.0
"""How long after the question an answer can be made anew: nobody reads on below an older one."""
SELDOM_EDITED_S: Final = 50 * 60.0
"""Discord takes far fewer edits of messages older than an hour: there an answer is not shown while it grows."""

Button: TypeAlias = discord.ui.Button[discord.ui.View]


class Control(discord.ui.DynamicItem[Button], template=r"(?!)"):
    """A button about one turn. Subclasses say what a press does; who may press and what goes wrong is settled here."""

    name: ClassVar[str]
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary
    takes_away: ClassVar[bool] = False
    """Whether it only ends something: that can be done while closing, and whatever admins decided."""

    def __init_subclass__(cls, *, name: str, **_: object) -> None:
        """Take the subclass's name, which is part of its buttons' custom ids for ever."""
        super().__init_subclass__(template=rf"turn:{name}:(?P<turn>\d{{1,19}})")
        cls.name = name

    def __init__(self, turn_id: int, label: str, *, disabled: bool = False) -> None:
        """Take the turn that it is about and what stands on it."""
        custom_id = f"turn:{self.name}:{turn_id}"
        super().__init__(discord.ui.Button(label=label, style=self.style, custom_id=custom_id, disabled=disabled))
        self.turn_id = turn_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the item for one press."""
        del interaction
        return cls(int(match["turn"]), getattr(item, "label", None) or "")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what it is for, or tell the person alone why not."""
        await ending_well(interaction, self._take(interaction), control=self.name, turn=self.turn_id)

    async def _take(self, interaction: Interaction) -> None:
        service = interaction.client.service
        if not service.seen.is_new(interaction.id):
            return
        if not await is_served(interaction):
            return
        await defer(interaction, thinking=False)
        if not self.takes_away:
            if service.is_closing:
                raise ShuttingDown
            service.chat.check_rules(visitor_of(interaction))
        try:
            turn = await self._turn(service.chat, interaction.message)
        except TurnGone:
            await _take_away_controls(interaction)
            raise
        check_may_change(interaction, turn)
        log.info("control_pressed", control=self.name, turn=turn.id, user=interaction.user.id)
        await self.press(interaction, turn)

    async def _turn(self, chat: Chat, message: discord.Message | None) -> Turn:
        """Return the turn, which is shown where the button stands: a process may have been killed before it wrote so.

        Raises: TurnGone.
        """
        turn = await chat.turn(self.turn_id)
        if turn is None or turn.key is None:
            raise TurnGone
        if message is None or message.id in turn.answer_message_ids:
            return turn
        if await chat.turn_of_message(message.id) is None:
            await chat.shown(turn.id, [message.id])
        return await chat.turn(self.turn_id) or turn

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Do what the button is for; the interaction is acknowledged. Raises: BotError."""
        raise NotImplementedError


class Stop(Control, name="stop"):
    """Ends the answer; the text so far stays."""

    takes_away = True

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Stop it, or bring the message up to date if it has ended: its last edit may never have arrived.

        Where another version is shown by now, the press came too late to mean anything.
        """
        stopped = await interaction.client.service.chat.stop_turn(turn.id)
        if not stopped and has_ended(turn) and turn.answer_message_ids:
            _show(interaction, as_ended(turn))


class Leave(Stop, name="leave"):
    """Takes a question out of the queue."""


class Regenerate(Control, name="again"):
    """Answers once more, in the same messages."""

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Begin another version."""
        _check_age(interaction, turn)
        answer = await interaction.client.service.chat.regenerate(turn.id, visitor=visitor_of(interaction))
        _show(interaction, answer)


class Continue(Control, name="more"):
    """Lets an answer go on that its length cut off."""

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Go on in the same messages."""
        _check_age(interaction, turn)
        _show(interaction, await interaction.client.service.chat.go_on(turn.id, visitor=visitor_of(interaction)))


class Older(Control, name="older"):
    """Shows the version before this one."""

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Show it in the same messages."""
        _show(interaction, as_ended(await interaction.client.service.chat.show_version(turn.id, -1)))


class Newer(Control, name="newer"):
    """Shows the version after this one."""

    async def press(self, interaction: Interaction, turn: Turn) -> None:
        """Show it in the same messages."""
        _show(interaction, as_ended(await interaction.client.service.chat.show_version(turn.id, 1)))


class Place(Control, name="place"):
    """Says which version is shown; cannot be pressed. An item like the others, so that no view is kept for it."""


ITEMS: Final = (Stop, Leave, Regenerate, Continue, Older, Newer, Place)


def view_of(controls: Controls | None, locale: str) -> discord.ui.View | None:
    """Return the buttons as Discord takes them, None for none at all."""
    if controls is None:
        return None
    view = discord.ui.View(timeout=None)
    for item in _items(controls, locale):
        view.add_item(item)
    return view


def _items(controls: Controls, locale: str) -> list[Control]:
    turn_id = controls.turn_id
    if controls.stage is Stage.WAITING:
        return [Leave(turn_id, text("button.leave", locale))]
    if controls.stage is Stage.GROWING:
        return [Stop(turn_id, text("button.stop", locale))]
    items: list[Control] = [Regenerate(turn_id, text("button.regenerate", locale))]
    if controls.versions > 1:
        place = text("button.place", locale, version=controls.version, versions=controls.versions)
        items.append(Older(turn_id, text("button.older", locale), disabled=controls.version <= 1))
        items.append(Place(turn_id, place, disabled=True))
        items.append(Newer(turn_id, text("button.newer", locale), disabled=controls.version >= controls.versions))
    if controls.can_continue:
        items.append(Continue(turn_id, text("button.continue", locale)))
    return items


def as_ended(turn: Turn) -> Answer:
    """Return an answer that has ended, to be shown as it is recorded."""
    answer = Answer(turn, lambda shown: Snapshot(Phase.ENDED, shown.text))
    answer.end(turn, None)
    return answer


def is_seldom_edited(message_ids: Collection[int], now: datetime) -> bool:
    """Tell whether the oldest of these messages is one that Discord takes few edits of any more."""
    return (
        bool(message_ids) and (now - discord.utils.snowflake_time(min(message_ids))).total_seconds() > SELDOM_EDITED_S
    )


async def _take_away_controls(interaction: Interaction) -> None:
    """Leave no buttons under an answer that is forgotten: none of them can do anything any more."""
    timeout_s = interaction.client.service.timing.call_timeout_s
    with suppress(Unwritable):  # the sentence is what matters
        await calling(interaction.edit_original_response(view=None), timeout_s)


def _check_age(interaction: Interaction, turn: Turn) -> None:
    if interaction.created_at.timestamp() - turn.created_at > KEPT_S:
        raise AnswerTooOld


def _show(interaction: Interaction, answer: Answer) -> None:
    """Have an answer shown in the messages of the one whose control was pressed."""
    key, message = answer.turn.key, interaction.message
    assert key is not None  # noqa: S101 - the store always fills it
    is_old = message is not None and is_seldom_edited([message.id], interaction.created_at)
    locale = str(interaction.guild_locale or interaction.locale)
    service = interaction.client.service
    service.show(answer, _surface(interaction), key, locale, salt=interaction.id, grows=not is_old)


def _surface(interaction: Interaction) -> Surface:
    """Return where the answer stands: its channel, or, where the bot is no member, what the press gives access to."""
    service, message = interaction.client.service, interaction.message
    channel = service.channel_of(interaction)
    is_member = interaction.guild_id is not None and interaction.client.get_guild(interaction.guild_id) is not None
    if is_member or interaction.context.dm_channel or message is None:
        return channel
    timeout_s = service.timing.call_timeout_s
    return InteractionSurface(
        interaction,
        channel,
        channel_is_open=False,
        timeout_s=timeout_s,
        margin_s=service.timing.token_margin_s,
        shown_id=message.id,
    )
