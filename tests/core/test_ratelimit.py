"""When each person asked: a minute's questions, and the pause since the last one."""

import pytest

from bot.core.ratelimit import MINUTE_S, Pace

ADA, BEN = 1, 2
HERE, THERE = 10, 11
HOUR_S = 3600.0


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def pace(now) -> Pace:
    return Pace(lambda place_id: HOUR_S if place_id == HERE else 0.0, lambda: now[0])


def test_a_minute_counts_from_each_question_and_each_person_and_place_alone(pace, now) -> None:
    pace.count(ADA, HERE)
    now[0] = 10
    pace.count(ADA, HERE)
    pace.count(BEN, HERE)
    pace.count(ADA, THERE)
    now[0] = 20
    assert pace.wait_s(ADA, HERE, 2) == 40
    assert pace.wait_s(ADA, HERE, 1) == 50
    assert [pace.wait_s(ADA, HERE, 3), pace.wait_s(BEN, HERE, 2), pace.wait_s(ADA, THERE, 2)] == [0, 0, 0]
    assert pace.in_last_minute(ADA, HERE) == 2
    now[0] = 60
    assert pace.wait_s(ADA, HERE, 2) == 0
    assert pace.in_last_minute(ADA, HERE) == 1


def test_a_cooldown_runs_from_the_last_question_though_that_is_long_ago(pace, now) -> None:
    assert pace.cooldown_s(ADA, HERE, 30) == 0
    pace.count(ADA, HERE)
    now[0] = 600
    assert pace.cooldown_s(ADA, HERE, 30) == 0
    assert pace.cooldown_s(ADA, HERE, HOUR_S) == HOUR_S - 600
    assert pace.cooldown_s(ADA, THERE, HOUR_S) == 0


def test_a_question_of_an_earlier_process_counts_from_when_it_was_asked(pace) -> None:
    pace.count(ADA, HERE, ago_s=100)
    pace.count(ADA, HERE, ago_s=40)
    assert pace.wait_s(ADA, HERE, 1) == 20
    assert pace.cooldown_s(ADA, HERE, 50) == 10


def test_who_goes_on_asking_for_days_takes_no_more_room(pace, now) -> None:
    for minute in range(1000):
        now[0] = 60 * minute
        pace.count(ADA, HERE)
    assert [len(times) for times in pace._asked.values()] == [1]


def test_where_no_pause_is_demanded_a_person_is_forgotten_after_a_minute(pace, now) -> None:
    for user_id in range(1000):
        pace.count(user_id, HERE)
        pace.count(user_id, THERE)
    now[0] = MINUTE_S + 2
    pace.count(BEN, THERE)
    assert [user_id for user_id, place_id in pace._asked if place_id == THERE] == [BEN]
    assert pace.cooldown_s(ADA, HERE, HOUR_S) == HOUR_S - now[0]


def test_what_is_older_than_any_limit_is_forgotten(pace, now) -> None:
    for user_id in range(1000):
        for _ in range(3):
            pace.count(user_id, HERE)
    now[0] = HOUR_S + MINUTE_S + 2
    pace.count(ADA, HERE)
    assert pace.in_last_minute(ADA, HERE) == 1
    assert [len(times) for times in pace._asked.values()] == [1]
