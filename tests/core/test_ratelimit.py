"""How fast one person may ask."""

import pytest

from bot.core.ratelimit import RateLimit
from bot.errors import TooManyQuestions

ADA, BEN = 1, 2


def test_a_person_over_the_limit_is_told_when_to_come_back_and_others_are_not_touched() -> None:
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    rate.count(ADA)
    now[0] = 10
    rate.count(ADA)
    rate.count(BEN)
    now[0] = 20
    with pytest.raises(TooManyQuestions) as refused:
        rate.count(ADA)
    assert refused.value.fields == {"per_minute": 2, "retry_after_s": 40}
    now[0] = 60.5
    rate.count(ADA)


def test_what_is_over_a_minute_old_is_forgotten() -> None:
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    for user_id in range(1000):
        rate.count(user_id)
    now[0] = 61
    rate.count(ADA)
    assert len(rate._asked) == 1
