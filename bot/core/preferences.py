"""How the bot talks to each person: what they chose themselves, within what holds where they ask.

Owns what those choices are called, and what comes of them together with the process's defaults and the admins' bounds.
Does not know how anybody chooses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from bot.core import bounds
from bot.core.bounds import NO_BOUNDS, Bounds
from bot.core.choices import Choices, Scope
from bot.core.messages import GREEDY, ConversationKey, Sampling, Turn
from bot.core.visitor import Visitor, visitor_of_turn

LARGEST_SEED: Final = 2**31 - 1
"""What every engine takes."""


LANGUAGES: Final[Mapping[str, str]] = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hu": "Hungarian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
"""What a model can be asked to answer in, by Discord's codes without their countries; as many as a select can offer
beside "none". Named as the model is told. The Phi family's own list of languages."""


class Preference(StrEnum):
    """What a person can choose, by the name that it is stored under."""

    TEMPERATURE = "temperature"  # float; 0: always the likeliest token
    TOP_P = "top_p"  # float
    MAX_NEW_TOKENS = "max_new_tokens"  # int
    SEED = "seed"  # int; none: another one each time
    STREAMING = "streaming"  # bool
    LANGUAGE = "language"  # a code of LANGUAGES; none: the model answers in whichever it likes
    NO_STORE = "no_store"  # bool


SAMPLING: Final = frozenset({Preference.TEMPERATURE, Preference.TOP_P, Preference.SEED})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be chosen: what the person chose (None: nothing), what holds without, what holds here."""

    own: Any
    default: Any
    here: Any

    @property
    def wanted(self) -> Any:  # noqa: ANN401 - the values of Preference
        """What would hold if nothing held it back."""
        return self.default if self.own is None else self.own

    @property
    def is_held_back(self) -> bool:
        """Whether something else holds here than what was chosen, or would be the default."""
        return bool(self.here != self.wanted)


@dataclass(frozen=True, slots=True)
class Manner:
    """How one question is answered."""

    sampling: Sampling
    max_new_tokens: int
    is_streamed: bool = True
    language: str | None = None
    no_store: bool = False


class Preferences:
    """Tells how each person is answered at each place. Nothing here waits, but for changes; bounds take turns."""

    def __init__(self, choices: Choices, sampling: Sampling, max_new_tokens: int) -> None:
        """Take the choices and the process's own settings: `max_new_tokens` is also the most that anybody gets."""
        self._choices = choices
        self._bounding = asyncio.Lock()  # bounds are made of those that were set before
        self._sampling = sampling
        self.max_new_tokens = max_new_tokens
        self._defaults: dict[Preference, Any] = {
            Preference.TEMPERATURE: sampling.temperature if sampling.do_sample else 0.0,
            Preference.TOP_P: sampling.top_p if sampling.do_sample else 1.0,
            Preference.MAX_NEW_TOKENS: max_new_tokens,
            Preference.SEED: sampling.seed if sampling.do_sample else None,
            Preference.STREAMING: True,
            Preference.LANGUAGE: None,
            Preference.NO_STORE: False,
        }
        self._usual = self._manner({}, bounds.NO_BOUNDS)

    def item(self, visitor: Visitor, preference: Preference) -> Item:
        """Return what a person chose, and what comes of it where they are."""
        own = self._choices.all_of(Scope.PERSON, visitor.user_id)
        return self._item(own, preference, bounds.holding(self._choices, visitor.guild_id))

    def manner(self, visitor: Visitor) -> Manner:
        """Return how a person is answered where they ask."""
        holding = bounds.holding(self._choices, visitor.guild_id)
        own = self._choices.all_of(Scope.PERSON, visitor.user_id)
        if not own and holding is bounds.NO_BOUNDS:  # most people choose nothing
            return self._usual
        return self._manner(own, holding)

    def _manner(self, own: Mapping[str, Any], holding: Bounds) -> Manner:
        here = {preference: self._item(own, preference, holding).here for preference in Preference}
        return Manner(
            self._sampled(here[Preference.TEMPERATURE], here[Preference.TOP_P], here[Preference.SEED]),
            here[Preference.MAX_NEW_TOKENS],
            is_streamed=here[Preference.STREAMING],
            language=here[Preference.LANGUAGE],
            no_store=here[Preference.NO_STORE],
        )

    def keeps_nothing(self, visitor: Visitor, key: ConversationKey) -> bool:
        """Tell whether a question of theirs goes as its answer ends; of a shared conversation everything is kept."""
        return key.user_id is not None and self.manner(visitor).no_store

    def manner_of(self, turn: Turn) -> Manner:
        """Return how a turn is answered: as whoever asked it wishes now. A summary is the bot's own matter."""
        if turn.summarizes is not None:
            return Manner(self._sampling, self.max_new_tokens)
        return self.manner(visitor_of_turn(turn))

    def language(self, user_id: int) -> str | None:
        """Return the code of the language that a person chose, to be answered and spoken to in; None: none."""
        own = self._choices.get(Scope.PERSON, user_id, Preference.LANGUAGE)
        return own if own in LANGUAGES else None

    async def choose(self, user_id: int, preference: Preference, value: Any) -> bool:  # noqa: ANN401 - see Preference
        """Choose, or with None choose no more; return whether that changed anything.

        Raises: HistoryFailed, and then nothing has changed.
        """
        return await self._choices.put(Scope.PERSON, user_id, preference.value, value)

    async def reset(self, user_id: int) -> bool:
        """Choose nothing any more; return whether that changed anything. Raises: HistoryFailed."""
        changed = [await self.choose(user_id, preference, None) for preference in Preference]
        return any(changed)

    def bounds_chosen(self, guild_id: int | None) -> Bounds:
        """Return the bounds that were set for a server, or for everywhere (None)."""
        return bounds.chosen(self._choices, guild_id)

    async def bound(self, guild_id: int | None, **wanted: Any) -> bool:
        """Set some bounds of a server, or (None) everywhere; the others stay as they are, whoever set them just now.

        Returns False, and nothing has changed, if a lowest value would be above its highest. Raises: HistoryFailed.
        """
        async with self._bounding:
            decided = replace(self.bounds_chosen(guild_id), **wanted)
            if decided.are_in_order:
                await bounds.put(self._choices, guild_id, decided)
            return decided.are_in_order

    async def unbound(self, guild_id: int | None) -> None:
        """Take away all bounds of a server, or (None) of everywhere. Raises: HistoryFailed."""
        async with self._bounding:
            await bounds.put(self._choices, guild_id, NO_BOUNDS)

    def _item(self, chosen: Mapping[str, Any], preference: Preference, holding: Bounds) -> Item:
        own, default = chosen.get(preference), self._defaults[preference]
        return Item(own, default, self._held(preference, default if own is None else own, holding))

    def _held(self, preference: Preference, wanted: Any, holding: Bounds) -> Any:  # noqa: ANN401 - see Preference
        """Return what of a wish is granted."""
        if preference in SAMPLING and not holding.may_sample:
            wanted = self._defaults[preference]
        match preference:
            case Preference.TEMPERATURE:
                return holding.temperature(wanted)
            case Preference.TOP_P:
                return holding.top_p(wanted)
            case Preference.MAX_NEW_TOKENS:
                return holding.tokens(min(wanted, self.max_new_tokens))
            case Preference.NO_STORE:
                return wanted and holding.may_keep_nothing
            case _:
                return wanted

    def _sampled(self, temperature: float, top_p: float, seed: int | None) -> Sampling:
        if temperature > 0:
            return Sampling(do_sample=True, temperature=temperature, top_p=top_p, seed=seed)
        return GREEDY if self._sampling.do_sample else self._sampling
