"""Who may use the bot, and where: what admins decided, alone and together, over restarts and at the same time."""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.choices import Choices
from bot.core.history import History
from bot.core.permissions import MOST_SUBJECTS, Kind, Permissions, Verdict
from bot.core.visitor import Visitor
from bot.errors import (
    AgeRestrictedOnly,
    Paused,
    PersonBlocked,
    PersonNotAllowed,
    PlaceBlocked,
    PlaceNotAllowed,
    QuestionRefused,
    RulesFull,
)

ADMIN, ADA, BEN = 9, 1, 2
HOME, AWAY = 5, 6
EVERYONE, HELPERS = HOME, 31
THREAD, CHANNEL, CATEGORY, OTHER = 11, 10, 20, 12
BLOCKED, ALLOWED = Verdict
HERE = Visitor(ADA, HOME, (THREAD, CHANNEL, CATEGORY), frozenset({EVERYONE, HELPERS}))
ELSEWHERE = Visitor(ADA, AWAY, (77,), frozenset({AWAY}))
IN_DM = Visitor(ADA, None, (99,))


@pytest.fixture
async def history(tmp_path: Path):
    opened = await History.open(tmp_path / "phibot.sqlite3")
    yield opened
    await opened.aclose()


async def loaded(history: History) -> Permissions:
    choices = Choices(history)
    await choices.load()
    return Permissions(choices)


@pytest.fixture
async def permissions(history: History) -> Permissions:
    return await loaded(history)


def refusal(permissions: Permissions, visitor: Visitor) -> type[QuestionRefused] | None:
    try:
        permissions.check(visitor)
    except QuestionRefused as exc:
        return type(exc)
    return None


@pytest.mark.parametrize(
    ("kind", "subject", "refused"),
    [
        (Kind.USER, ADA, PersonBlocked),
        (Kind.ROLE, HELPERS, PersonBlocked),
        (Kind.ROLE, EVERYONE, PersonBlocked),
        (Kind.CHANNEL, THREAD, PlaceBlocked),
        (Kind.CHANNEL, CHANNEL, PlaceBlocked),
        (Kind.CHANNEL, CATEGORY, PlaceBlocked),
    ],
)
async def test_what_is_blocked_is_refused_in_its_server_alone_also_after_a_restart(
    history: History, permissions: Permissions, kind: Kind, subject: int, refused: type
) -> None:
    assert await permissions.decide(HOME, BLOCKED, kind, subject, by=ADMIN)
    assert not await permissions.decide(HOME, BLOCKED, kind, subject, by=ADMIN)
    for seen in (permissions, await loaded(history)):
        assert refusal(seen, HERE) is refused
        assert refusal(seen, ELSEWHERE) is None
        assert refusal(seen, IN_DM) is None
        assert refusal(seen, Visitor(BEN, HOME, (OTHER,))) is None
        assert seen.listed(HOME, BLOCKED, kind) == {subject: ADMIN}
    assert await permissions.clear(HOME, kind, [subject]) == 1
    assert await permissions.clear(HOME, kind, [subject]) == 0
    assert refusal(permissions, HERE) is None


async def test_allowed_people_are_the_only_ones_by_name_or_by_role(permissions: Permissions) -> None:
    ben = Visitor(BEN, HOME, (CHANNEL,), frozenset({EVERYONE}))
    await permissions.decide(HOME, ALLOWED, Kind.ROLE, HELPERS, by=ADMIN)
    assert refusal(permissions, HERE) is None
    assert refusal(permissions, ben) is PersonNotAllowed
    await permissions.decide(HOME, ALLOWED, Kind.USER, BEN, by=ADMIN)
    assert refusal(permissions, ben) is None
    assert refusal(permissions, IN_DM) is None
    await permissions.clear(HOME, Kind.ROLE, [HELPERS])
    assert refusal(permissions, HERE) is PersonNotAllowed


@pytest.mark.parametrize("subject", [THREAD, CHANNEL, CATEGORY])
async def test_allowed_places_are_the_only_ones_with_what_is_under_them(permissions: Permissions, subject: int) -> None:
    await permissions.decide(HOME, ALLOWED, Kind.CHANNEL, subject, by=ADMIN)
    assert refusal(permissions, HERE) is None
    assert refusal(permissions, replace(HERE, channel_ids=(OTHER,))) is PlaceNotAllowed
    assert refusal(permissions, ELSEWHERE) is None


async def test_block_beats_allow_and_the_last_word_on_a_subject_counts(permissions: Permissions) -> None:
    await permissions.decide(HOME, ALLOWED, Kind.USER, ADA, by=ADMIN)
    await permissions.decide(HOME, BLOCKED, Kind.ROLE, HELPERS, by=ADMIN)
    assert refusal(permissions, HERE) is PersonBlocked
    await permissions.decide(HOME, ALLOWED, Kind.ROLE, HELPERS, by=ADMIN)
    assert refusal(permissions, HERE) is None
    assert permissions.listed(HOME, BLOCKED, Kind.ROLE) == {}
    await permissions.decide(HOME, ALLOWED, Kind.CHANNEL, THREAD, by=ADMIN)
    await permissions.decide(HOME, BLOCKED, Kind.CHANNEL, CATEGORY, by=ADMIN)
    assert refusal(permissions, HERE) is PlaceBlocked


async def test_what_holds_everywhere_holds_beside_what_a_server_decides(permissions: Permissions) -> None:
    await permissions.decide(None, BLOCKED, Kind.USER, ADA, by=ADMIN)
    await permissions.decide(HOME, ALLOWED, Kind.USER, ADA, by=ADMIN)
    for visitor in (HERE, ELSEWHERE, IN_DM):
        assert refusal(permissions, visitor) is PersonBlocked
    await permissions.decide(None, ALLOWED, Kind.USER, BEN, by=ADMIN)
    await permissions.clear(None, Kind.USER, [ADA])
    assert refusal(permissions, HERE) is PersonNotAllowed
    assert refusal(permissions, Visitor(BEN, None)) is None
    assert refusal(permissions, Visitor(BEN, HOME)) is PersonNotAllowed  # here only Ada is allowed


async def test_owners_are_never_blocked_and_admins_are_as_everybody_else(permissions: Permissions) -> None:
    await permissions.decide(HOME, BLOCKED, Kind.USER, ADA, by=BEN)
    await permissions.decide(None, BLOCKED, Kind.USER, ADA, by=BEN)
    await permissions.decide(HOME, BLOCKED, Kind.CHANNEL, CHANNEL, by=BEN)
    await permissions.set_age_restricted_only(None, only=True, by=BEN)
    assert refusal(permissions, replace(HERE, is_admin=True)) is PersonBlocked
    assert refusal(permissions, replace(HERE, is_admin=True, is_owner=True)) is None
    assert refusal(permissions, replace(IN_DM, is_admin=True, is_owner=True)) is None


async def test_age_restricted_channels_only(history: History, permissions: Permissions) -> None:
    assert await permissions.set_age_restricted_only(HOME, only=True, by=ADMIN)
    assert not await permissions.set_age_restricted_only(HOME, only=True, by=BEN)
    for seen in (permissions, await loaded(history)):
        assert refusal(seen, HERE) is AgeRestrictedOnly
        assert refusal(seen, replace(HERE, is_age_restricted=True)) is None
        assert refusal(seen, ELSEWHERE) is None
        assert refusal(seen, IN_DM) is None
    await permissions.set_age_restricted_only(None, only=True, by=ADMIN)
    assert refusal(permissions, IN_DM) is AgeRestrictedOnly
    assert await permissions.set_age_restricted_only(HOME, only=False, by=ADMIN)
    assert refusal(permissions, HERE) is AgeRestrictedOnly


async def test_admins_and_the_roles_chosen_may_change_personas(history: History, permissions: Permissions) -> None:
    assert not permissions.may_change_personas(HERE)
    assert permissions.may_change_personas(replace(HERE, is_admin=True))
    assert await permissions.set_persona_role(HOME, HELPERS, may=True, by=ADMIN)
    for seen in (permissions, await loaded(history)):
        assert seen.may_change_personas(HERE)
        assert not seen.may_change_personas(replace(HERE, role_ids=frozenset({EVERYONE})))
        assert not seen.may_change_personas(IN_DM)
        assert seen.persona_roles(HOME) == {HELPERS: ADMIN}
    assert await permissions.set_persona_role(HOME, HELPERS, may=False, by=ADMIN)
    assert not await permissions.set_persona_role(HOME, HELPERS, may=False, by=ADMIN)
    assert not permissions.may_change_personas(HERE)


async def test_it_is_known_who_paused_a_server(history: History, permissions: Permissions) -> None:
    assert permissions.paused_by(HOME) is None
    assert await permissions.set_paused(HOME, paused=True, by=ADMIN)
    assert not await permissions.set_paused(HOME, paused=True, by=BEN)
    for seen in (permissions, await loaded(history)):
        assert seen.paused_by(HOME) == ADMIN
        assert refusal(seen, HERE) is Paused
        seen.check_rules(HERE)


async def test_admins_who_decide_at_the_same_time_lose_nothing(history: History, permissions: Permissions) -> None:
    deciding = [permissions.decide(HOME, BLOCKED, Kind.USER, number, by=ADMIN) for number in range(100, 120)]
    assert all(await asyncio.gather(*deciding))
    for seen in (permissions, await loaded(history)):
        assert list(seen.listed(HOME, BLOCKED, Kind.USER)) == list(range(100, 120))


async def test_a_list_is_bounded_and_a_full_one_changes_nothing(permissions: Permissions) -> None:
    for number in range(MOST_SUBJECTS):
        await permissions.decide(HOME, BLOCKED, Kind.USER, 1000 + number, by=ADMIN)
    await permissions.decide(HOME, ALLOWED, Kind.USER, BEN, by=ADMIN)
    with pytest.raises(RulesFull):
        await permissions.decide(HOME, BLOCKED, Kind.USER, BEN, by=ADMIN)
    assert permissions.listed(HOME, ALLOWED, Kind.USER) == {BEN: ADMIN}
    assert BEN not in permissions.listed(HOME, BLOCKED, Kind.USER)


async def test_every_combination_refuses_as_the_rules_read(permissions: Permissions) -> None:
    """The rules once more, as plain conditions, over all combinations of a user's and a channel's lists."""
    states = (None, BLOCKED, ALLOWED)
    for own, others, place, other_place in itertools.product(states, repeat=4):
        for kind, subject, state in (
            (Kind.USER, ADA, own),
            (Kind.USER, BEN, others),
            (Kind.CHANNEL, CHANNEL, place),
            (Kind.CHANNEL, OTHER, other_place),
        ):
            await permissions.clear(HOME, kind, [subject])
            if state is not None:
                await permissions.decide(HOME, state, kind, subject, by=ADMIN)
        expected: type[QuestionRefused] | None = None
        if own is BLOCKED:
            expected = PersonBlocked
        elif own is None and others is ALLOWED:
            expected = PersonNotAllowed
        elif place is BLOCKED:
            expected = PlaceBlocked
        elif place is None and other_place is ALLOWED:
            expected = PlaceNotAllowed
        assert refusal(permissions, HERE) is expected, (own, others, place, other_place)
