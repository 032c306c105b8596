"""How a person's choices read: the lines of /settings, what its selects offer, and numbers as people write them.

Pure functions; knows no discord.py. What may be chosen and what comes of it is core's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.core.bounds import HIGHEST_TEMPERATURE, LOWEST_TOP_P
from bot.core.preferences import LANGUAGES, LARGEST_SEED, Item, Preference
from bot.texts import text

DEFAULT: Final = "default"
"""The value of the option that chooses nothing."""

SELECTED: Final = (Preference.TEMPERATURE, Preference.TOP_P, Preference.MAX_NEW_TOKENS, Preference.LANGUAGE)
SWITCHED: Final = (Preference.STREAMING, Preference.NO_STORE)
WRITTEN: Final = (Preference.TEMPERATURE, Preference.TOP_P, Preference.MAX_NEW_TOKENS, Preference.SEED)
SHOWN: Final = (*WRITTEN, Preference.LANGUAGE, *SWITCHED)

_PRESETS: Final[Mapping[Preference, Mapping[float, str]]] = {  # each with the key of what it is like
    Preference.TEMPERATURE: {0.3: "careful", 0.7: "lively", 1.0: "free", 1.3: "bold"},
    Preference.TOP_P: {1.0: "all_words", 0.95: "most_words", 0.8: "likely_words", 0.5: "likeliest_words"},
}
_LENGTHS: Final = {8: "short", 2: "medium", 1: "long"}  # one part in so many of the longest answer

_DECIMAL: Final = re.compile(r"[0-9]{1,9}([.,][0-9]{0,9})?|[.,][0-9]{1,9}")
_WHOLE: Final = re.compile(r"[0-9]{1,19}")

Items = Mapping[Preference, Item]


class WrongNumber(ValueError):
    """What somebody wrote is no value of this preference."""

    def __init__(self, preference: Preference, given: str) -> None:
        """Take what was written."""
        super().__init__(preference)
        self.preference = preference
        self.given = given


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a select."""

    value: str
    label: str
    hint: str = ""
    is_chosen: bool = False


def settings_page(items: Items, locale: str, notes: tuple[str, ...] = (), *, is_shared: bool = False) -> str:
    """Return every preference on a line of its own: what holds here, and whose choice that is.

    `is_shared`: here is a conversation of all.
    """
    lines = [text("settings.head", locale), *(_line(name, items[name], locale) for name in SHOWN)]
    if items[Preference.TEMPERATURE].here == 0:
        lines.append(text("settings.note.greedy", locale))
    elif items[Preference.SEED].here is not None:
        lines.append(text("settings.note.seed", locale))
    if items[Preference.LANGUAGE].here is not None:
        lines.append(text("settings.note.language", locale))
    if items[Preference.NO_STORE].here:
        lines.append(text("settings.note.room" if is_shared else "settings.note.no_store", locale))
    return "\n".join([*lines, *notes])


def _line(preference: Preference, item: Item, locale: str) -> str:
    what, value = text(f"setting.{preference}", locale), said(preference, item.here, locale)
    if item.is_held_back:
        return text("settings.held", locale, what=what, value=value, wanted=said(preference, item.wanted, locale))
    return text("settings.default" if item.own is None else "settings.own", locale, what=what, value=value)


def said(preference: Preference, value: Any, locale: str) -> str:  # noqa: ANN401 - the values of Preference
    """Return a value in words."""
    match preference:
        case Preference.TEMPERATURE if value == 0:
            return text("settings.greedy", locale)
        case Preference.MAX_NEW_TOKENS:
            return text("settings.tokens", locale, tokens=value)
        case Preference.LANGUAGE:
            return text(f"language.{value}" if value in LANGUAGES else "settings.no_language", locale)
        case Preference.SEED if value is None:
            return text("settings.no_seed", locale)
        case Preference.STREAMING | Preference.NO_STORE:
            return text("settings.on" if value else "settings.off", locale)
        case _:
            return written(value)


def written(value: float | str | None) -> str:
    """Return a value as one would write it into the form; nothing for none."""
    return f"{value:g}" if isinstance(value, float) else str("" if value is None else value)


def options_of(preference: Preference, item: Item, most_tokens: int, locale: str) -> list[Option]:
    """Return what a select offers: nothing of one's own first, then what is usual and the value there is."""
    what = text(f"setting.{preference}", locale)
    default = text("settings.option.default", locale, what=what, value=said(preference, item.default, locale))
    hints = _hints(preference, most_tokens)
    if item.own is not None:
        hints = dict(sorted({item.own: "", **hints}.items()))
    offered = [
        Option(
            written(value),
            text("settings.option", locale, what=what, value=said(preference, value, locale)),
            text(f"setting_hint.{hint}", locale) if hint else "",
            is_chosen=item.own is not None and item.own == value,
        )
        for value, hint in hints.items()
    ]
    return [Option(DEFAULT, default, is_chosen=item.own is None), *offered]


def _hints(preference: Preference, most_tokens: int) -> dict[Any, str]:
    """Return the usual values of a preference, each with what it is like."""
    if preference is Preference.MAX_NEW_TOKENS:
        return {max(1, most_tokens // part): hint for part, hint in _LENGTHS.items()}
    if preference is Preference.LANGUAGE:
        return dict.fromkeys(LANGUAGES, "")
    greedy: dict[Any, str] = {0.0: ""} if preference is Preference.TEMPERATURE else {}
    return greedy | dict(_PRESETS[preference])


def value_of(preference: Preference, given: str, most_tokens: int) -> Any:  # noqa: ANN401 - see Preference
    """Return what was chosen in a select or written into the form; None for nothing of one's own.

    Decimals with a point or a comma. Raises: WrongNumber.
    """
    given = given.strip()
    if given in ("", DEFAULT):
        return None
    if preference is Preference.LANGUAGE and given in LANGUAGES:
        return given
    if preference in (Preference.TEMPERATURE, Preference.TOP_P):
        lowest, highest = (0.0, HIGHEST_TEMPERATURE) if preference is Preference.TEMPERATURE else (LOWEST_TOP_P, 1.0)
        value = round(float(given.replace(",", ".")), 2) if _DECIMAL.fullmatch(given) else -1.0
        if lowest <= value <= highest:
            return value
    else:
        least, most = (1, most_tokens) if preference is Preference.MAX_NEW_TOKENS else (0, LARGEST_SEED)
        whole = int(given) if _WHOLE.fullmatch(given) else -1
        if least <= whole <= most:
            return whole
    raise WrongNumber(preference, given)


def field_label(preference: Preference, most_tokens: int, locale: str) -> str:
    """Return what stands above a field of the form."""
    return text(f"setting_form.{preference}", locale, **_limits(preference, most_tokens, form=True))


def wrong_sentence(wrong: WrongNumber, entered: Mapping[Preference, str], most_tokens: int, locale: str) -> str:
    """Return why what was written into the form is not taken, with all of it given back."""
    preference = wrong.preference
    limits = _limits(preference, most_tokens)
    reason = text(f"setting_wrong.{preference}", locale, given=wrong.given, **limits)
    given = [f"{text(f'setting.{name}', locale)}: {value}" for name, value in entered.items() if value]
    return f"{reason}\n{text('settings.unchanged', locale, entered='; '.join(given))}"


def _limits(preference: Preference, most_tokens: int, *, form: bool = False) -> dict[str, object]:
    match preference:
        case Preference.TEMPERATURE:
            return {"highest": written(HIGHEST_TEMPERATURE)}
        case Preference.TOP_P:
            return {"lowest": written(LOWEST_TOP_P)}
        case Preference.MAX_NEW_TOKENS:
            return {"most": most_tokens}
        case _:
            return {} if form else {"largest": LARGEST_SEED}
