"""How often somebody is told that they are refused: once in some minutes, then by a sign, and not at all for others."""

import pytest

from bot.errors import (
    EngineFailed,
    Paused,
    PersonBlocked,
    PlaceBlocked,
    QuestionEmpty,
    QuestionRefused,
    QueueFull,
    TooManyQuestions,
    WordFiltered,
)
from bot.frontends.discord.refusals import SAID_AGAIN_S, Refusals, Told, sign_of

ADA, BEN, HERE, THERE = 1, 2, 10, 11


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Said:
    """Refusals with a clock to turn, and messages that are all new."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._refusals = Refusals(clock=self.clock)
        self._message_id = 100

    def how(self, error, user_id=ADA, channel_id=HERE, *, is_addressed=True, message_id=None):
        self._message_id += 1
        return self._refusals.how(
            error,
            user_id=user_id,
            channel_id=channel_id,
            message_id=message_id or self._message_id,
            is_addressed=is_addressed,
        )


@pytest.fixture
def said() -> Said:
    return Said()


def test_a_refusal_is_said_once_then_shown_and_said_again_after_some_minutes(said: Said) -> None:
    assert [said.how(PersonBlocked()) for _ in range(3)] == [Told.SENTENCE, Told.SIGN, Told.SIGN]
    said.clock.now_s = SAID_AGAIN_S - 1
    assert said.how(PersonBlocked()) is Told.SIGN
    said.clock.now_s = SAID_AGAIN_S
    assert said.how(PersonBlocked()) is Told.SENTENCE
    assert said.how(PersonBlocked()) is Told.SIGN


def test_each_person_channel_and_reason_is_told_by_itself(said: Said) -> None:
    said.how(TooManyQuestions(5, 10))
    assert said.how(TooManyQuestions(5, 9)) is Told.SIGN
    assert said.how(TooManyQuestions(5, 9), BEN) is Told.SENTENCE
    assert said.how(TooManyQuestions(5, 9), ADA, THERE) is Told.SENTENCE
    assert said.how(QueueFull(3, None)) is Told.SENTENCE


def test_what_is_about_the_very_message_is_always_said(said: Said) -> None:
    assert {said.how(QuestionEmpty()) for _ in range(3)} == {Told.SENTENCE}
    assert {said.how(EngineFailed()) for _ in range(3)} == {Told.SENTENCE}


def test_a_message_that_is_edited_is_not_answered_twice(said: Said) -> None:
    assert said.how(PersonBlocked(), message_id=7) is Told.SENTENCE
    assert said.how(PersonBlocked(), message_id=7) is Told.NOT
    said.clock.now_s = 2 * SAID_AGAIN_S
    assert said.how(PersonBlocked(), message_id=7) is Told.NOT


def test_who_talks_to_others_is_told_once_and_of_a_blocked_channel_never(said: Said) -> None:
    def overheard(error, user_id):
        return said.how(error, user_id, is_addressed=False)

    assert [overheard(PersonBlocked(), ADA) for _ in range(2)] == [Told.SENTENCE, Told.NOT]
    assert [overheard(PlaceBlocked(), ADA) for _ in range(2)] == [Told.NOT, Told.NOT]
    assert said.how(PlaceBlocked()) is Told.SENTENCE
    assert [overheard(Paused(), one) for one in (ADA, BEN, ADA)] == [Told.SENTENCE, Told.NOT, Told.NOT]
    assert [overheard(TooManyQuestions(5, 9), ADA) for _ in range(2)] == [Told.SENTENCE, Told.SIGN]
    assert [overheard(WordFiltered(), ADA) for _ in range(2)] == [Told.SENTENCE, Told.SIGN]


def test_what_was_said_is_forgotten_oldest_first_and_bounded() -> None:
    clock = Clock()
    refusals = Refusals(clock=clock)
    for number in range(25_000):
        clock.now_s += 0.001
        told = refusals.how(PersonBlocked(), user_id=number, channel_id=HERE, message_id=number)
        assert told is Told.SENTENCE
    newest = refusals.how(PersonBlocked(), user_id=24_999, channel_id=HERE, message_id=30_000)
    oldest = refusals.how(PersonBlocked(), user_id=0, channel_id=HERE, message_id=30_001)
    assert (newest, oldest) == (Told.SIGN, Told.SENTENCE)


def test_the_sign_tells_what_passes_from_what_does_not() -> None:
    waits = {QueueFull(1, None), TooManyQuestions(1, 1), Paused()}
    assert {sign_of(error) for error in waits} == {"sign.wait"}
    assert {sign_of(error) for error in (PersonBlocked(), PlaceBlocked(), QuestionRefused())} == {"sign.refused"}
