"""Within what people may choose how the bot answers them: what admins decided, for a server or for everywhere.

Owns what those choices are called and how a server's and everywhere's go together. Knows nothing of what people choose.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from bot.core.choices import NOBODY, Choices, Scope

HIGHEST_TEMPERATURE: Final = 2.0
"""As in OpenAI's protocol; far above it is noise already."""
LOWEST_TOP_P: Final = 0.01
"""Of 0, no token would be left to choose."""

_NAME: Final = "bounds"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What answers may be like. They hold for what nobody chose, too."""

    lowest_temperature: float = 0.0
    highest_temperature: float = HIGHEST_TEMPERATURE
    lowest_top_p: float = LOWEST_TOP_P
    highest_top_p: float = 1.0
    max_new_tokens: int | None = None  # None: what the process allows
    may_sample: bool = True  # whether people choose temperature, top-p and seed at all
    may_keep_nothing: bool = True  # whether there is a no-store mode

    def temperature(self, wanted: float) -> float:
        """Return the temperature nearest to the one wanted."""
        return min(max(wanted, self.lowest_temperature), self.highest_temperature)

    def top_p(self, wanted: float) -> float:
        """Return the top-p nearest to the one wanted."""
        return min(max(wanted, self.lowest_top_p), self.highest_top_p)

    def tokens(self, wanted: int) -> int:
        """Return the length of an answer nearest to the one wanted."""
        return wanted if self.max_new_tokens is None else min(wanted, self.max_new_tokens)

    @property
    def are_in_order(self) -> bool:
        """Whether no lowest value is above its highest."""
        return self.lowest_temperature <= self.highest_temperature and self.lowest_top_p <= self.highest_top_p

    def within(self, outer: Bounds) -> Bounds:
        """Return what satisfies both; where nothing can, `outer` decides."""
        lengths = [one for one in (self.max_new_tokens, outer.max_new_tokens) if one is not None]
        return Bounds(
            lowest_temperature=outer.temperature(self.lowest_temperature),
            highest_temperature=outer.temperature(self.highest_temperature),
            lowest_top_p=outer.top_p(self.lowest_top_p),
            highest_top_p=outer.top_p(self.highest_top_p),
            max_new_tokens=min(lengths, default=None),
            may_sample=self.may_sample and outer.may_sample,
            may_keep_nothing=self.may_keep_nothing and outer.may_keep_nothing,
        )


NO_BOUNDS: Final = Bounds()


def chosen(choices: Choices, guild_id: int | None) -> Bounds:
    """Return what is decided for a server alone, or for everywhere (None)."""
    values: dict[str, Any] = choices.get(*_owner(guild_id), _NAME) or {}
    return Bounds(**values) if values else NO_BOUNDS


def holding(choices: Choices, guild_id: int | None) -> Bounds:
    """Return what holds in a server, or (None) in direct messages."""
    everywhere = chosen(choices, None)
    own = NO_BOUNDS if guild_id is None else chosen(choices, guild_id)
    return everywhere if own is NO_BOUNDS else own.within(everywhere)


async def put(choices: Choices, guild_id: int | None, bounds: Bounds) -> bool:
    """Decide for a server, or for everywhere (None); return whether that changed anything. Raises: HistoryFailed."""
    decided = {name: value for name, value in asdict(bounds).items() if value != getattr(NO_BOUNDS, name)}
    return await choices.put(*_owner(guild_id), _NAME, decided or None, guild_id=guild_id)


def _owner(guild_id: int | None) -> tuple[Scope, int]:
    return (Scope.EVERYWHERE, NOBODY) if guild_id is None else (Scope.SERVER, guild_id)
