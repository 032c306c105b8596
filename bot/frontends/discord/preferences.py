"""/settings: one message for the person alone, with selects, switches and a form, which all change that message.

Every control's custom id says what it does, and the form is read from what Discord sends, so that both work in any
process, also those of an old message. How it all reads is `choosing`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

import discord
import structlog
from discord import app_commands

from bot.core.preferences import Preference
from bot.frontends.discord import choosing
from bot.frontends.discord.choosing import Items, WrongNumber
from bot.frontends.discord.forms import form_sent, written_in
from bot.frontends.discord.replies import (
    ACKNOWLEDGE_S,
    defer,
    ending_well,
    is_welcome,
    key_of,
    locale_of,
    respond,
)
from bot.frontends.discord.surface import calling
from bot.frontends.discord.visitors import visitor_of
from bot.texts import text

if TYPE_CHECKING:
    from bot.frontends.discord.client import PhibotClient

    Interaction: TypeAlias = discord.Interaction[PhibotClient]

log = structlog.get_logger(__name__)

FORM: Final = "settings:form"
_ON: Final = "on"
_OFF: Final = "off"
_FIELD_CHARS: Final = 19

Select: TypeAlias = discord.ui.Select[discord.ui.View]
Button: TypeAlias = discord.ui.Button[discord.ui.View]
_Component = TypeVar("_Component", bound=discord.ui.Item[Any])


@app_commands.command(name="settings", description=text("command.settings"))
async def settings(interaction: Interaction) -> None:
    """Show how the person is answered here, to them alone."""
    await defer(interaction, ephemeral=True)
    await _show(interaction)


async def _show(interaction: Interaction, *notes: str) -> None:
    items, locale = _items(interaction), locale_of(interaction)
    most_tokens = interaction.client.service.chat.preferences.max_new_tokens
    page = choosing.settings_page(items, locale, notes, is_shared=key_of(interaction).user_id is None)
    await respond(interaction, page, view=_view(items, most_tokens, locale))


def _items(interaction: Interaction) -> Items:
    preferences, visitor = interaction.client.service.chat.preferences, visitor_of(interaction)
    return {preference: preferences.item(visitor, preference) for preference in Preference}


def _view(items: Items, most_tokens: int, locale: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for preference in choosing.SELECTED:
        view.add_item(PreferenceSelect(_select(preference, items, most_tokens, locale)))
    for preference in choosing.SWITCHED:
        view.add_item(PreferenceButton(_switch(preference, items, locale)))
    for name in ("numbers", "reset"):
        label = text(f"setting_button.{name}", locale)
        view.add_item(PreferenceButton(discord.ui.Button(label=label, custom_id=f"settings:{name}")))
    return view


def _select(preference: Preference, items: Items, most_tokens: int, locale: str) -> Select:
    options = [
        discord.SelectOption(
            label=option.label, value=option.value, description=option.hint or None, default=option.is_chosen
        )
        for option in choosing.options_of(preference, items[preference], most_tokens, locale)
    ]
    return discord.ui.Select(custom_id=f"settings:{preference}", options=options)


def _switch(preference: Preference, items: Items, locale: str) -> Button:
    """Return a button that says how it is, and makes it the other way."""
    is_on = items[preference].wanted
    what, value = text(f"setting.{preference}", locale), choosing.said(preference, is_on, locale)
    return discord.ui.Button(
        label=text("settings.button", locale, what=what, value=value),
        custom_id=f"settings:{preference}:{_OFF if is_on else _ON}",
    )


class _Control(discord.ui.DynamicItem[_Component], template=r"(?!)"):
    """A select or button of the message. Subclasses say what it is for."""

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the item for one use."""
        del interaction, match
        return cls(item)  # type: ignore[arg-type]  # no other component has such a custom id

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what it is for, or tell the person alone why not."""
        await ending_well(interaction, self._take_if_welcome(interaction), control=self.custom_id)

    async def _take_if_welcome(self, interaction: Interaction) -> None:
        if await is_welcome(interaction):
            await self.take(interaction)

    async def take(self, interaction: Interaction) -> None:
        """Do what it is for, and acknowledge it."""
        raise NotImplementedError


class PreferenceSelect(_Control[Select], template=rf"settings:(?P<preference>{'|'.join(choosing.SELECTED)})"):
    """Chooses one of the usual values."""

    async def take(self, interaction: Interaction) -> None:
        """Choose the value."""
        await defer(interaction, thinking=False)
        preference = Preference(self.custom_id.removeprefix("settings:"))
        await _choose(interaction, {preference: self.item.values[0]})


class PreferenceButton(
    _Control[Button],
    template=rf"settings:(?:numbers|reset|(?:{'|'.join(choosing.SWITCHED)}):(?:{_ON}|{_OFF}))",
):
    """Switches something, opens the form, or takes all choices back."""

    async def take(self, interaction: Interaction) -> None:
        """Do what the button's custom id says."""
        name, _, value = self.custom_id.removeprefix("settings:").partition(":")
        if name == "numbers":
            await calling(interaction.response.send_modal(_form(interaction)), ACKNOWLEDGE_S)
            return
        await defer(interaction, thinking=False)
        preferences, user_id = interaction.client.service.chat.preferences, interaction.user.id
        if name == "reset":
            changed = await preferences.reset(user_id)
            await _show(interaction, text("settings.reset" if changed else "settings.same", locale_of(interaction)))
            return
        await preferences.choose(user_id, Preference(name), value == _ON)
        await _show(interaction)


async def _choose(interaction: Interaction, given: dict[Preference, str]) -> None:
    """Choose what was given, all of it or nothing, and show what is chosen then."""
    preferences, locale = interaction.client.service.chat.preferences, locale_of(interaction)
    most_tokens = preferences.max_new_tokens
    try:
        values = {
            preference: choosing.value_of(preference, entered, most_tokens) for preference, entered in given.items()
        }
    except WrongNumber as exc:
        await _show(interaction, choosing.wrong_sentence(exc, given, most_tokens, locale))
        return
    for preference, value in values.items():
        await preferences.choose(interaction.user.id, preference, value)
    await _show(interaction)


# The form -------------------------------------------------------------------------------------------------------------


def _form(interaction: Interaction) -> discord.ui.Modal:
    """Return the form, filled with the person's own numbers. What is sent off comes to `take_form`."""
    items, locale = _items(interaction), locale_of(interaction)
    most_tokens = interaction.client.service.chat.preferences.max_new_tokens
    form = discord.ui.Modal(title=text("settings.form_title", locale), timeout=None, custom_id=FORM)
    for preference in choosing.WRITTEN:
        item = items[preference]
        default = choosing.said(preference, item.default, locale)
        field: discord.ui.TextInput[discord.ui.View] = discord.ui.TextInput(
            custom_id=preference,
            required=False,
            default=choosing.written(item.own) or None,
            placeholder=text("settings.form_empty", locale, value=default),
            max_length=_FIELD_CHARS,
        )
        form.add_item(discord.ui.Label(text=choosing.field_label(preference, most_tokens, locale), component=field))
    return form


async def take_form(interaction: Interaction) -> None:
    """Choose the numbers of a form that was sent off, whichever process opened it.

    To be called with every interaction; what is no such form is left alone.
    """
    if form_sent(interaction) == FORM:
        await ending_well(interaction, _take_form(interaction), form=FORM)


async def _take_form(interaction: Interaction) -> None:
    if not await is_welcome(interaction):
        return
    await defer(interaction, thinking=False)
    entered = written_in(interaction)
    await _choose(interaction, {name: entered[name].strip() for name in choosing.WRITTEN if name in entered})


CONTROLS: Final = (PreferenceSelect, PreferenceButton)
