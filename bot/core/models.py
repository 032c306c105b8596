"""The models that answer: what belongs to each, and which of them is chosen where.

What depends on the model is together in `Model`: its ids are its tokenizer's, its prompts fit its window, and whoever
asks it waits for a slot of its engine. Each turn has the name of the model it is for, from when it is asked. Knows
nothing of files, devices or of how an engine comes to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.engine import Engine
from bot.core.history import History
from bot.core.messages import Turn
from bot.core.personas import Personas
from bot.core.phi3 import Phi3Tokenizer
from bot.core.preferences import Preferences
from bot.core.prompt import PromptBuilder
from bot.core.scheduler import Scheduler
from bot.core.visitor import Visitor
from bot.errors import HistoryFailed, NoSuchModel

log = structlog.get_logger(__name__)

_CHOICE: Final = "model"
_SHOWN_CHARS: Final = 100  # of a name that somebody typed
_FACT: Final = "tokens_per_s {name}"

LEAST_S: Final = 0.1
"""An answer says something of the speed if it grew for so long: several tokens may arrive at once, within some
milliseconds of when they were made."""

SMOOTHING: Final = 0.2
"""How much the newest answer counts in the mean."""


class Speed:
    """How fast a model writes one answer here, beside whatever else it does: a mean of the recent ones."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self.tokens_per_s: float | None = None

    def measured(self, tokens: int, seconds: float) -> None:
        """Take how long so many tokens after the first took; too short a time says nothing."""
        if not tokens or seconds < LEAST_S:
            return
        newest, before = tokens / seconds, self.tokens_per_s
        self.tokens_per_s = newest if before is None else before + SMOOTHING * (newest - before)


@dataclass(frozen=True, slots=True)
class Offered:
    """A model as it is handed in. `size_bytes`: on the disk, None where that is another machine's.

    `held`: keeps it loaded within a block, if it is one that comes and goes.
    """

    name: str
    engine: Engine
    tokenizer: Phi3Tokenizer
    size_bytes: int | None
    held: Callable[[], AbstractContextManager[None]] = nullcontext


class Model:
    """One model, and all that is made for it alone."""

    def __init__(
        self, offered: Offered, prompts: PromptBuilder, scheduler: Scheduler, *, is_one_of_several: bool
    ) -> None:
        """Take what was handed in and what was made for it."""
        self._is_one_of_several = is_one_of_several
        self.name = offered.name
        self.engine = offered.engine
        self.tokenizer = offered.tokenizer
        self.size_bytes = offered.size_bytes
        self.held = offered.held
        self.prompts = prompts
        self.scheduler = scheduler
        self.speed = Speed()

    @property
    def title(self) -> str:
        """What receipts call it: several can be exports of the same source."""
        source = self.engine.info.model
        return f"{source} ({self.name})" if self._is_one_of_several and source != self.name else source


@dataclass(frozen=True, slots=True)
class Lineup:
    """Which models there are. `unusable`: by name, why something that was to be one is none."""

    default_name: str = ""
    default_size_bytes: int | None = None
    others: Sequence[Offered] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)
    is_elsewhere: bool = False  # the default's engine is another machine's, which says what it runs


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that answers at a place, and whose choice that is; None: nobody's, it is the default.

    `missing`: the name of the one that was chosen, if there is no such model (any more).
    """

    model: Model
    scope: Scope | None = None
    missing: str | None = None


class Models:
    """Every model there is, and who chose which."""

    def __init__(
        self,
        history: History,
        choices: Choices,
        tokenizer: Phi3Tokenizer,
        engine: Engine,
        lineup: Lineup,
        *,
        system_prompt: str,
        max_new_tokens: int,
        clock: Callable[[], float],
        personas: Personas,
        preferences: Preferences,
    ) -> None:
        """Take the default model's tokenizer and engine, and the others; `clock` gives seconds."""
        self._history = history
        self._choices = choices
        self._saved: dict[str, float | None] = {}
        self._wishes: dict[tuple[Scope, int], object] = {}  # the newest choice for each place
        default = Offered(lineup.default_name, engine, tokenizer, lineup.default_size_bytes)
        offers = [default, *lineup.others]
        self.all: Sequence[Model] = [
            Model(
                one,
                _prompts(one, history, system_prompt, max_new_tokens, personas, preferences),
                Scheduler(one.engine.info.slots, clock),
                is_one_of_several=len(offers) > 1,
            )
            for one in offers
        ]
        """The default one first."""
        self.default = self.all[0]
        self.unusable = lineup.unusable
        self.is_elsewhere = lineup.is_elsewhere
        self._by_name = {one.name: one for one in self.all}

    async def load(self) -> None:
        """Recall how fast each one was, once the choices are loaded. Raises: HistoryFailed."""
        for one in self.all:
            told = await self._history.recall(_FACT.format(name=one.name))
            one.speed.tokens_per_s = self._saved[one.name] = float(told) if told else None

    async def save(self) -> None:
        """Write down how fast each one is. A failure costs the figure."""
        for one in self.all:
            tokens_per_s = one.speed.tokens_per_s
            if tokens_per_s is None or tokens_per_s == self._saved.get(one.name):
                continue
            try:
                await self._history.remember(_FACT.format(name=one.name), f"{tokens_per_s:.3g}")
            except HistoryFailed as exc:
                log.warning("speed_not_recorded", model=one.name, reason=exc.detail)
            self._saved[one.name] = tokens_per_s

    def of(self, turn: Turn) -> Model:
        """Return the model that a turn is for; one that is there no more has the default in its place."""
        return self._by_name.get(turn.model, self.default)

    def named(self, name: str) -> Model:
        """Return the model of a name. Raises: NoSuchModel."""
        if name not in self._by_name:
            raise NoSuchModel(name[:_SHOWN_CHARS])
        return self._by_name[name]

    def at(self, visitor: Visitor) -> Model:
        """Return the model that answers a visitor's questions."""
        return self.chosen(visitor).model

    def chosen(self, visitor: Visitor) -> Chosen:
        """Return the model that answers a visitor's questions, and who chose it: channel, server, everywhere."""
        found = self._choices.nearest(visitor, _CHOICE)
        if found is None:
            return Chosen(self.default)
        name, scope = found
        model = self._by_name.get(name)
        return Chosen(self.default, missing=name) if model is None else Chosen(model, scope)

    async def choose(self, visitor: Visitor, scope: Scope, name: str) -> bool:
        """Choose a model for a visitor's channel, server, or everywhere, once it is loaded.

        Until then, and if it cannot be loaded, the one in use there stays in use, and loaded. Returns False when
        another choice was made, or taken back, there meanwhile: that one holds. Cancelling chooses nothing.
        Raises: NoSuchModel, NoRoomForModel, ModelNotLoaded, EngineError, StartError, HistoryFailed.
        """
        model, place = self.named(name), _place(visitor, scope)
        wish = self._wishes[place] = object()
        try:
            with self.at(visitor).held(), model.held():
                await model.engine.ready()
                if self._wishes.get(place) is not wish:
                    return False
                await self._put(visitor, place, name)
        finally:
            if self._wishes.get(place) is wish:
                del self._wishes[place]
        return True

    async def clear(self, visitor: Visitor, scope: Scope) -> bool:
        """Take a choice back; return whether there was one. Raises: HistoryFailed."""
        place = _place(visitor, scope)
        self._wishes.pop(place, None)
        return await self._put(visitor, place, None)

    async def _put(self, visitor: Visitor, place: tuple[Scope, int], name: str | None) -> bool:
        scope, owner_id = place
        return await self._choices.put(scope, owner_id, _CHOICE, name, guild_id=visitor.guild_id)

    def wait_s(self) -> float | None:
        """Return the seconds until there is room in the longest line, None while nothing has been measured."""
        return max((wait_s for one in self.all if (wait_s := one.scheduler.wait_s()) is not None), default=None)


def _place(visitor: Visitor, scope: Scope) -> tuple[Scope, int]:
    """Return whose choice it is."""
    return scope, {Scope.CHANNEL: visitor.channel_id, Scope.SERVER: visitor.guild_id}.get(scope) or NOBODY


def _prompts(
    offered: Offered,
    history: History,
    system_prompt: str,
    max_new_tokens: int,
    personas: Personas,
    preferences: Preferences,
) -> PromptBuilder:
    return PromptBuilder(
        history,
        offered.tokenizer,
        system_prompt=system_prompt,
        context_tokens=lambda: offered.engine.info.context_tokens,
        max_new_tokens=max_new_tokens,
        personas=personas,
        preferences=preferences,
    )
