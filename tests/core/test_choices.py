"""What admins and people chose: kept over restarts, found by the nearest place, changed or not changed as a whole."""

import asyncio
from pathlib import Path

import pytest

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.history import History
from bot.core.permissions import Permissions
from bot.core.visitor import Visitor
from bot.errors import HistoryFailed, Paused

GUILD, CATEGORY, CHANNEL, THREAD = 5, 20, 10, 11
IN_THREAD = Visitor(1, GUILD, (THREAD, CHANNEL, CATEGORY))
IN_DM = Visitor(1, None, (99,))


@pytest.fixture
async def history(tmp_path: Path):
    opened = await History.open(tmp_path / "phibot.sqlite3")
    yield opened
    await opened.aclose()


@pytest.fixture
async def choices(history: History) -> Choices:
    loaded = Choices(history)
    await loaded.load()
    return loaded


async def on_the_disk(history: History) -> bytes:
    [row] = await history.fetch("PRAGMA database_list", {})
    return b"".join(file.read_bytes() for file in Path(row["file"]).parent.iterdir())


async def reloaded(history: History) -> Choices:
    fresh = Choices(history)
    await fresh.load()
    return fresh


@pytest.mark.parametrize("value", [1, 0.5, "née\x00", True, False, [1, "two"], {"a": [None, 2**63]}, ""])
async def test_what_is_put_is_there_at_once_and_after_a_restart(history: History, choices: Choices, value) -> None:
    assert await choices.put(Scope.SERVER, GUILD, "name", value, guild_id=GUILD)
    for seen in (choices, await reloaded(history)):
        assert seen.get(Scope.SERVER, GUILD, "name") == value
        assert seen.all_of(Scope.SERVER, GUILD) == {"name": value}
        assert seen.get(Scope.PERSON, GUILD, "name") is None


async def test_none_takes_a_choice_away_and_what_changes_nothing_says_so(history: History, choices: Choices) -> None:
    assert not await choices.put(Scope.PERSON, 1, "name", None)
    assert await choices.put(Scope.PERSON, 1, "name", "a")
    assert not await choices.put(Scope.PERSON, 1, "name", "a")
    assert await choices.put(Scope.PERSON, 1, "name", "b")
    assert await choices.put(Scope.PERSON, 1, "name", None)
    for seen in (choices, await reloaded(history)):
        assert seen.get(Scope.PERSON, 1, "name") is None
        assert seen.all_of(Scope.PERSON, 1) == {}


@pytest.mark.parametrize("after", [None, "another"])
async def test_what_is_chosen_no_more_is_nowhere_on_the_disk(history: History, choices: Choices, after) -> None:
    await choices.put(Scope.PERSON, 1, "name", "who hides a zebra")
    assert b"who hides a zebra" in await on_the_disk(history)
    assert await choices.put(Scope.PERSON, 1, "name", after)
    assert b"who hides a zebra" not in await on_the_disk(history)


async def test_the_nearest_place_decides(choices: Choices) -> None:
    assert choices.nearest(IN_THREAD, "name") is None
    order = [(Scope.EVERYWHERE, NOBODY), (Scope.SERVER, GUILD), *((Scope.CHANNEL, one) for one in (20, 10, 11))]
    for number, (scope, owner_id) in enumerate(order):
        await choices.put(scope, owner_id, "name", number)
        assert choices.nearest(IN_THREAD, "name") == (number, scope)
    assert choices.nearest(IN_DM, "name") == (0, Scope.EVERYWHERE)


async def test_of_owners_that_are_gone_nothing_is_left_on_the_disk_either(history: History, choices: Choices) -> None:
    for owner_id in (CHANNEL, THREAD):
        await choices.put(Scope.CHANNEL, owner_id, "name", f"a secret of {owner_id}")
    await choices.put(Scope.SERVER, CHANNEL, "name", "kept")
    await choices.forget(Scope.CHANNEL, [CHANNEL, 404])
    for seen in (choices, await reloaded(history)):
        assert seen.nearest(IN_THREAD, "name") == (f"a secret of {THREAD}", Scope.CHANNEL)
        assert seen.get(Scope.CHANNEL, CHANNEL, "name") is None
        assert seen.get(Scope.SERVER, CHANNEL, "name") == "kept"
    assert f"a secret of {CHANNEL}".encode() not in await on_the_disk(history)


async def test_what_the_disk_refuses_is_not_chosen(history: History, choices: Choices) -> None:
    await choices.put(Scope.PERSON, 1, "name", "old")
    await history.write(lambda connection: connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON main.choices BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    ))  # fmt: skip
    with pytest.raises(HistoryFailed):
        await choices.put(Scope.PERSON, 1, "name", "new")
    assert choices.get(Scope.PERSON, 1, "name") == "old"
    assert (await reloaded(history)).get(Scope.PERSON, 1, "name") == "old"


async def test_a_pause_holds_for_its_server_or_everywhere(choices: Choices) -> None:
    permissions = Permissions(choices)
    permissions.check(IN_THREAD)
    assert await permissions.set_paused(GUILD, paused=True)
    assert not await permissions.set_paused(GUILD, paused=True)
    with pytest.raises(Paused):
        permissions.check(IN_THREAD)
    permissions.check(IN_DM)
    permissions.check(Visitor(1, 6, (12,)))
    assert await permissions.set_paused(None, paused=True)
    for visitor in (IN_THREAD, IN_DM):
        with pytest.raises(Paused):
            permissions.check(visitor)
    await permissions.set_paused(None, paused=False)
    permissions.check(IN_DM)
    with pytest.raises(Paused):
        permissions.check(IN_THREAD)


async def test_of_two_choices_in_the_same_moment_the_later_one_holds(history: History, choices: Choices) -> None:
    await asyncio.gather(
        choices.put(Scope.PERSON, 1, "no_store", True),
        choices.put(Scope.PERSON, 1, "no_store", None),
    )
    for seen in (choices, await reloaded(history)):
        assert seen.get(Scope.PERSON, 1, "no_store") is None


async def test_who_stops_waiting_for_a_choice_leaves_memory_and_disk_agreed(history: History, choices: Choices) -> None:
    for moments in range(12):  # in one of them it is written, but that is not yet known
        choosing = asyncio.create_task(choices.put(Scope.SERVER, GUILD, "paused", moments))
        for _ in range(moments):
            await asyncio.sleep(0)
        choosing.cancel()
        await asyncio.wait([choosing])
        assert choices.get(Scope.SERVER, GUILD, "paused") == (await reloaded(history)).get(
            Scope.SERVER, GUILD, "paused"
        )
