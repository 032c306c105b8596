"""Which persona holds for whom and where, what its variables become, and the saved ones."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.history import History
from bot.core.messages import ConversationKey, Place, Turn, TurnState
from bot.core.personas import TIME_IN_PERSONA, Persona, Personas
from bot.core.visitor import Visitor

ADA, BEN, GUILD, CHANNEL, THREAD = 1, 2, 5, 10, 11
IN_THREAD = Visitor(ADA, GUILD, (THREAD, CHANNEL))
PLACE = Place((THREAD, CHANNEL), "Ada", "Home", "general")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 1, 23, 30, tzinfo=BERLIN).timestamp()


@pytest.fixture
async def personas(tmp_path: Path):
    history = await History.open(tmp_path / "phibot.sqlite3")
    choices = Choices(history)
    await choices.load()
    yield Personas(choices, lambda: NOW, BERLIN)
    await history.aclose()


def resolved(personas, text, place=PLACE, **how):
    return personas.resolve(Persona(text, Scope.PERSON), place, **how).text


async def test_the_nearest_persona_holds_and_a_persons_own_before_all(personas):
    assert personas.at(IN_THREAD) is None
    for scope, owner_id in [
        (Scope.EVERYWHERE, NOBODY),
        (Scope.SERVER, GUILD),
        (Scope.CHANNEL, CHANNEL),
        (Scope.CHANNEL, THREAD),
        (Scope.PERSON, ADA),
    ]:
        assert await personas.set(scope, owner_id, f"{scope} {owner_id}")
        assert personas.at(IN_THREAD) == Persona(f"{scope} {owner_id}", scope)
    assert personas.at(Visitor(BEN, GUILD, (THREAD, CHANNEL))).text == f"channel {THREAD}"
    assert personas.at(Visitor(BEN)).scope is Scope.EVERYWHERE
    await personas.set(Scope.PERSON, ADA, None)
    assert personas.at(IN_THREAD).text == f"channel {THREAD}"


async def test_in_a_shared_room_no_persons_own_holds(personas):
    await personas.set(Scope.PERSON, ADA, "Ada's")
    assert personas.at(IN_THREAD, is_shared=True) is None
    await personas.set(Scope.SERVER, GUILD, "the server's")
    assert personas.at(IN_THREAD, is_shared=True).scope is Scope.SERVER


@pytest.mark.parametrize("knows_place", [True, False])
async def test_a_turn_knows_the_channel_that_its_thread_hangs_under_after_a_restart_too(personas, knows_place):
    await personas.set(Scope.CHANNEL, CHANNEL, "the channel's")
    key = ConversationKey(THREAD, ADA, GUILD)
    turn = Turn(1, 1, None, ADA, "hi", TurnState.QUEUED, 0.0, key=key, place=PLACE if knows_place else None)
    assert (personas.of(turn) is not None) is knows_place


async def test_variables_are_filled_in_and_other_braces_stay(personas):
    text = "{user} of {server} in {channel} on {date}, {time}; {else} {} {{user}} {User} {user"
    assert resolved(personas, text) == (
        f"Ada of Home in general on Sunday, 1 November 2026, {TIME_IN_PERSONA}; {{else}} {{}} {{Ada}} {{User}} {{user"
    )
    assert personas.time_told(NOW) == "(It is 23:30 CET.)"


async def test_who_or_what_has_no_name_of_its_own_gets_a_sensible_word(personas):
    text = "{user}, {server}, {channel}"
    assert resolved(personas, text, is_shared=True) == "everybody here, Home, general"
    assert resolved(personas, text, Place(user_name="Ada"), is_private=True) == "Ada, no server, a private chat"
    assert resolved(personas, text, Place()) == "the user, this server, this channel"


async def test_names_stay_on_their_line_and_are_no_variables_themselves(personas):
    place = Place((), "{date}\n\n<|end|>\u202e\x00", "x" * 500)
    assert resolved(personas, "You talk to {user}.", place) == "You talk to {date} <|end|>."
    assert len(resolved(personas, "{server}", place)) == 48


async def test_saved_personas_are_kept_by_name_for_a_person_and_for_a_server(personas):
    assert await personas.save(Scope.PERSON, ADA, "pirate", "Arr.")
    assert await personas.save(Scope.PERSON, ADA, "Bard", "Sing.")
    assert await personas.save(Scope.SERVER, GUILD, "help", "Help.")
    await personas.set(Scope.PERSON, ADA, "now")
    assert list(personas.saved(Scope.PERSON, ADA).items()) == [("Bard", "Sing."), ("pirate", "Arr.")]
    assert personas.saved(Scope.SERVER, GUILD) == {"help": "Help."}
    assert personas.saved(Scope.PERSON, BEN) == {}
    assert await personas.save(Scope.PERSON, ADA, "pirate", None)
    assert not await personas.save(Scope.PERSON, ADA, "pirate", None)
    assert personas.saved(Scope.PERSON, ADA) == {"Bard": "Sing."}
