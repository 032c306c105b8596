"""Buttons, selects and modals: what of them a message may hold, and how one is found on it.

Owns Discord's limits on them (its documentation, "Component Reference"), of the kind that stands in rows. Knows neither
who presses nor what a press does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from bot.playground import errors

ROW: Final = 1
BUTTON: Final = 2
STRING_SELECT: Final = 3
TEXT_INPUT: Final = 4
SELECTS: Final = (STRING_SELECT, 5, 6, 7, 8)
TEXT_DISPLAY: Final = 10
LABEL: Final = 18

LINK, PREMIUM = 5, 6  # styles of buttons that send no interaction

ROWS_LIMIT: Final = 5
BUTTONS_LIMIT: Final = 5
OPTIONS_LIMIT: Final = 25
CUSTOM_ID_LIMIT_CHARS: Final = 100
BUTTON_LABEL_LIMIT_CHARS: Final = 80
MODAL_TITLE_LIMIT_CHARS: Final = 45
TEXT_INPUT_LIMIT_CHARS: Final = 4000

Component = dict[str, Any]


class UnknownComponentError(LookupError):
    """A message shows no such button or select, or it cannot be used."""


def check_rows(rows: Sequence[Component]) -> None:
    """Hold a message's components to Discord's rules. Raises: ApiError 50035 with the path of the field."""
    _check_count("components", rows, ROWS_LIMIT, least=0)
    seen: set[str] = set()
    for number, row in enumerate(rows):
        here = f"components.{number}"
        if row.get("type") != ROW:
            raise _not_one_of(f"{here}.type", (ROW,))
        inside = row.get("components") or []
        _check_count(f"{here}.components", inside, BUTTONS_LIMIT)
        for place, component in enumerate(inside):
            _check(f"{here}.components.{place}", component, alone=len(inside) == 1)
            _check_unique(f"{here}.components.{place}", component, seen)


def _check(here: str, component: Component, *, alone: bool) -> None:
    kind = component.get("type")
    if kind == BUTTON:
        _check_button(here, component)
    elif kind in SELECTS and alone:
        _check_select(here, component)
    else:
        raise _not_one_of(f"{here}.type", (BUTTON, *SELECTS) if alone else (BUTTON,))


def _check_button(here: str, button: Component) -> None:
    style = button.get("style")
    if style not in range(1, PREMIUM + 1):
        raise _not_one_of(f"{here}.style", range(1, PREMIUM + 1))
    if style == LINK:
        if not button.get("url"):
            raise errors.invalid_form(f"{here}.url", "BASE_TYPE_REQUIRED", "This field is required")
    elif style != PREMIUM:
        _check_custom_id(here, button)
    label = button.get("label") or ""
    if len(label) > BUTTON_LABEL_LIMIT_CHARS:
        raise errors.too_long(f"{here}.label", BUTTON_LABEL_LIMIT_CHARS)
    if style != PREMIUM and not label.strip() and not button.get("emoji"):
        reason = "A button must have a label or emoji"
        raise errors.invalid_form(f"{here}.label", "BUTTON_COMPONENT_MISSING_LABEL_OR_EMOJI", reason)


def _check_select(here: str, select: Component) -> None:
    _check_custom_id(here, select)
    options = select.get("options") or []
    if select["type"] == STRING_SELECT:
        _check_count(f"{here}.options", options, OPTIONS_LIMIT)
    values = [option.get("value") for option in options]
    if len(set(values)) < len(values):
        name = "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED"
        raise errors.invalid_form(f"{here}.options", name, "The specified option value is already used")


def _check_custom_id(here: str, component: Component) -> None:
    custom_id = component.get("custom_id")
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= CUSTOM_ID_LIMIT_CHARS:
        raise _bad_length(f"{here}.custom_id", 1, CUSTOM_ID_LIMIT_CHARS)


def _check_unique(here: str, component: Component, seen: set[str]) -> None:
    custom_id = component.get("custom_id")
    if custom_id is not None and custom_id in seen:
        reason = "Component custom id cannot be duplicated"
        raise errors.invalid_form(f"{here}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", reason)
    if custom_id is not None:
        seen.add(custom_id)


def check_modal(modal: Component) -> None:
    """Hold a modal to Discord's rules. Raises: ApiError 50035 with the path of the field."""
    if not 1 <= len(modal.get("title") or "") <= MODAL_TITLE_LIMIT_CHARS:
        raise _bad_length("data.title", 1, MODAL_TITLE_LIMIT_CHARS)
    _check_custom_id("data", modal)
    _check_count("data.components", modal.get("components") or [], ROWS_LIMIT)
    seen: set[str] = set()
    for number, field in enumerate(fields(modal)):
        here = f"data.components.{number}"
        _check_custom_id(here, field)
        _check_unique(here, field, seen)
        if len(field.get("value") or "") > TEXT_INPUT_LIMIT_CHARS:
            raise errors.too_long(f"{here}.value", TEXT_INPUT_LIMIT_CHARS)


def fields(modal: Component) -> Iterator[Component]:
    """Yield what a person fills in: text inputs and selects, in rows or under labels."""
    for outer in modal.get("components") or []:
        if outer.get("type") == LABEL:
            yield outer["component"]
        elif outer.get("type") == ROW:
            yield from outer["components"]


def labelled(modal: Component) -> Iterator[tuple[str, Component]]:
    """Yield the same with what stands above each."""
    for outer in modal.get("components") or []:
        for field in fields({"components": [outer]}):
            yield outer.get("label") or field.get("label") or "", field


def usable(rows: Sequence[Component]) -> list[Component]:
    """Return the buttons and selects that a person can use now, in the order shown."""
    inside = (component for row in rows for component in row["components"])
    return [item for item in inside if "custom_id" in item and not item.get("disabled")]


def name_of(component: Component) -> str:
    """Return what stands on a button or select."""
    emoji = (component.get("emoji") or {}).get("name") or ""
    return " ".join(filter(None, (emoji, component.get("label") or component.get("placeholder") or "")))


def find(rows: Sequence[Component], which: str) -> Component:
    """Return the usable component with this custom id, or with this on it. Raises: UnknownComponentError."""
    for component in usable(rows):
        if which in (component["custom_id"], name_of(component)):
            return component
    shown = ", ".join(name_of(component) for component in usable(rows)) or "nothing"
    reason = f"{which}: there is {shown}"
    raise UnknownComponentError(reason)


def filled_in(modal: Component, values: dict[str, str]) -> list[Component]:
    """Return what submitting a modal sends: `values` by custom id, what else stood in it otherwise.

    Raises: UnknownComponentError for a value without its field, or a required field without a value.
    """
    unknown = set(values) - {field["custom_id"] for field in fields(modal)}
    if unknown:
        raise UnknownComponentError(", ".join(sorted(unknown)))
    sent = []
    for outer in modal["components"]:
        if outer["type"] == LABEL:
            sent.append({"type": LABEL, "id": 1, "component": _filled(outer["component"], values)})
        elif outer["type"] == ROW:
            sent.append({"type": ROW, "id": 1, "components": [_filled(item, values) for item in outer["components"]]})
    return sent


def _filled(field: Component, values: dict[str, str]) -> Component:
    value = values.get(field["custom_id"], field.get("value") or "")
    if field.get("required", True) and not value:
        raise UnknownComponentError(field["custom_id"])
    if len(value) > (field.get("max_length") or TEXT_INPUT_LIMIT_CHARS):
        raise errors.too_long(field["custom_id"], field.get("max_length") or TEXT_INPUT_LIMIT_CHARS)
    chosen = {"values": [value]} if field["type"] in SELECTS else {"value": value}
    return {"type": field["type"], "id": 1, "custom_id": field["custom_id"]} | chosen


def _check_count(path: str, items: Sequence[Component], most: int, *, least: int = 1) -> None:
    if not least <= len(items) <= most:
        raise _bad_length(path, 1, most)


def _bad_length(path: str, least: int, most: int) -> errors.ApiError:
    return errors.invalid_form(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _not_one_of(path: str, allowed: Sequence[int]) -> errors.ApiError:
    named = ", ".join(map(str, allowed))
    return errors.invalid_form(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{named}}}.")
