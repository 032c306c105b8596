"""The order in which prompts are computed, without any model."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.prefill import MOST_OVERTAKEN, Line, step_tokens_for, whole_blocks

numbers = itertools.count(1)


def words(tokens):
    """Return ids that no other prompt has."""
    mark = next(numbers)
    return tuple(1000 * mark + at for at in range(tokens))


def drive(line, *, starts):
    """Compute what the line says, and return the order; what is given whole ends at once."""
    order = []
    while len(order) < starts and (start := line.next()) is not None:
        order.append(start)
        if start.is_whole:
            line.leave(start.id)
        else:
            line.piece_done(start.id, 1)
    return order


def test_a_long_prompt_is_given_in_pieces_and_then_whole():
    line = Line(4096, 64)
    line.join(1, words(150), 10)
    order = [(start.tokens, start.is_whole) for start in drive(line, starts=9)]
    assert order == [(64, False), (128, False), (150, True)]


def test_shorter_ones_come_first_but_the_oldest_gets_every_third_start():
    line = Line(100_000, 64)
    line.join(1, words(64 * 10), 10)
    for number in range(2, 12):
        line.join(number, words(30), 10)
    order = [start.id for start in drive(line, starts=15)]
    assert order == [2, 3, 1, 4, 5, 1, 6, 7, 1, 8, 9, 1, 10, 11, 1]


def test_who_does_not_fit_is_overtaken_by_smaller_ones_but_not_for_ever():
    line = Line(1024, 64)
    line.join(1, words(60), 500)
    assert line.next().id == 1
    line.join(2, words(60), 900)
    for number in range(3, 30):
        line.join(number, words(10), 20)
    assert len(drive(line, starts=99)) == MOST_OVERTAKEN
    line.leave(1)
    assert line.next().id == 2


def test_what_was_computed_is_known_and_what_the_cache_cannot_hold_is_forgotten():
    line, prompt = Line(640, 64), words(320)
    line.cached.remember(prompt)
    line.join(1, (*prompt, *words(20)), 10)
    assert line.next().is_whole
    line.cached.remember(words(640))
    line.leave(1)
    line.join(2, (*prompt, *words(20)), 10)
    assert line.next().tokens == 64


def test_a_half_filled_block_that_others_left_is_filled_before_pieces_go_on():
    line, prompt = Line(4096, 64), words(100)
    line.cached.remember(prompt)
    line.join(1, (*prompt, *words(200)), 10)
    assert [start.tokens for start in drive(line, starts=9)] == [128, 192, 256, 300]


def test_after_two_pieces_that_found_nothing_of_the_earlier_ones_the_rest_is_given_whole():
    line = Line(4096, 64)
    line.join(1, words(1000), 10)
    for _ in range(2):
        assert not line.next().is_whole
        line.piece_done(1, 3)
    assert line.next().is_whole


def test_two_that_continue_the_same_prompt_do_not_run_side_by_side():
    line, prompt = Line(4096, 64), words(40)
    line.join(1, prompt, 10)
    drive(line, starts=1)
    line.join(2, (*prompt, *words(5)), 10)
    line.join(3, (*prompt, *words(5)), 10)
    first = line.next()
    assert line.next() is None
    line.leave(first.id)
    assert {first.id, line.next().id} == {2, 3}


@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(1, 120), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([32, 64, 128]),
)
def test_room_is_never_given_twice_and_everybody_is_computed_to_the_end(requests, step_tokens):
    line, running, done = Line(1024, step_tokens), [], set()
    waiting = dict(enumerate(requests))
    for number, (tokens, new, _) in waiting.items():
        line.join(number, words(tokens), new)
    for _ in range(10_000):
        start = line.next()
        assert line.free_tokens >= 0
        if start is None:
            if not running:
                break
            done.add(running[0])
            line.leave(running.pop(0))
        elif not start.is_whole:
            assert start.tokens % 32 == 0
            line.piece_done(start.id, 1)
        else:
            assert start.tokens == requests[start.id][0]
            running.append(start.id)
    assert done == set(waiting)
    assert line.free_tokens == 1024


@pytest.mark.parametrize(
    ("rate", "target_s", "expected"), [(60, 1, 32), (80, 1, 64), (5, 1, 32), (60, 2.5, 128), (9000, 1, 128)]
)
def test_a_step_with_all_the_others_in_it_takes_no_longer_than_asked_for_but_has_a_block_at_least(
    rate, target_s, expected
):
    assert step_tokens_for(lambda tokens: tokens / rate, beside=7, target_s=target_s, most=128) == expected


def test_a_step_that_was_held_up_once_is_timed_again_and_one_that_is_always_slow_is_not_taken():
    times_s = iter([9, 0.5, 0.9, 2, 2])
    asked = []

    def seconds_of(tokens):
        asked.append(tokens)
        return next(times_s)

    assert step_tokens_for(seconds_of, beside=7, target_s=1, most=512) == 128
    assert asked == [71, 71, 135, 263, 263]


def test_tokens_take_whole_blocks():
    assert [whole_blocks(tokens) for tokens in (1, 32, 33)] == [32, 32, 64]
