from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.playground import Playground
from bot.playground.model import Channel, Guild
from bot.playground.user import Person


@dataclass
class Home:
    """A playground with one guild, one channel and one person in it."""

    discord: Playground
    guild: Guild
    channel: Channel
    ada: Person


class TurnableClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def furnish(playground: Playground) -> Home:
    guild = playground.add_guild("Home")
    return Home(playground, guild, playground.add_channel(guild, "general"), playground.person("Ada", guild))


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    async with Playground(running_mark=" ▌") as playground:
        yield furnish(playground)
        assert playground.unknown_routes == []


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
async def timed_home(clock: TurnableClock) -> AsyncIterator[Home]:
    async with Playground(clock=clock) as playground:
        yield furnish(playground)
