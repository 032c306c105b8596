"""What of a conversation stays in the window, on numbers alone."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.core.context import Window, fit
from bot.errors import QuestionTooLong

WINDOW = 4096
EXCHANGE = st.integers(4, 1500)  # a question and an answer of no tokens still have four role tokens


@st.composite
def conversations(draw):
    """Draw the arguments of a fit whose question is not too long."""
    context_tokens, max_new_tokens = draw(st.integers(64, 2 * WINDOW)), draw(st.integers(1, 2 * WINDOW))
    limit = context_tokens - min(max_new_tokens, context_tokens // 4)
    system_tokens = draw(st.integers(0, limit // 4))
    return {
        "system_tokens": system_tokens,
        "exchange_tokens": draw(st.lists(EXCHANGE, max_size=40)),
        "question_tokens": draw(st.integers(3, limit - system_tokens)),
        "context_tokens": context_tokens,
        "max_new_tokens": max_new_tokens,
    }


def of(*exchanges, question=20, new=1024, system=10):
    return fit(
        system_tokens=system,
        exchange_tokens=exchanges,
        question_tokens=question,
        context_tokens=WINDOW,
        max_new_tokens=new,
    )


@given(conversations())
def test_prompt_and_answer_never_exceed_the_window(numbers):
    window = fit(**numbers)
    assert window.prompt_tokens + window.max_new_tokens <= numbers["context_tokens"]


@given(conversations())
def test_an_answer_always_has_its_room(numbers):
    window = fit(**numbers)
    assert min(numbers["max_new_tokens"], numbers["context_tokens"] // 4) <= window.max_new_tokens
    assert 1 <= window.max_new_tokens <= numbers["max_new_tokens"]


@given(conversations())
def test_the_count_is_that_of_what_stays(numbers):
    window = fit(**numbers)
    stays = numbers["exchange_tokens"][window.first :]
    assert window.prompt_tokens == numbers["system_tokens"] + numbers["question_tokens"] + sum(stays)


@given(conversations())
def test_nothing_is_dropped_while_all_fits(numbers):
    window = fit(**numbers)
    room = min(numbers["max_new_tokens"], numbers["context_tokens"] // 4)
    whole = numbers["system_tokens"] + numbers["question_tokens"] + sum(numbers["exchange_tokens"])
    assert (window.first == 0) == (whole + room <= numbers["context_tokens"])


@given(conversations())
def test_a_cut_drops_no_more_than_half_the_window_asks_for(numbers):
    window = fit(**numbers)
    assume(window.first)
    last_dropped = numbers["exchange_tokens"][window.first - 1]
    assert window.prompt_tokens + last_dropped > numbers["context_tokens"] // 2


@given(conversations(), st.data())
def test_a_longer_question_never_keeps_more(numbers, data):
    shorter_question = data.draw(st.integers(3, numbers["question_tokens"]))
    assert fit(**numbers).first >= fit(**{**numbers, "question_tokens": shorter_question}).first


@given(conversations(), st.data())
def test_every_question_of_ordinary_length_cuts_in_the_same_place(numbers, data):
    ordinary = numbers["context_tokens"] // 16
    assume(ordinary >= 3)
    questions = data.draw(st.lists(st.integers(3, ordinary), min_size=2, max_size=2))
    cuts = {fit(**{**numbers, "question_tokens": tokens}).first for tokens in questions}
    assert len(cuts - {0}) <= 1


@given(conversations(), EXCHANGE)
def test_older_exchanges_do_not_bring_back_what_was_dropped(numbers, older):
    shorter = fit(**numbers)
    longer = fit(**{**numbers, "exchange_tokens": [older, *numbers["exchange_tokens"]]})
    assert longer.first == 0 or longer.first >= shorter.first + 1


@given(conversations())
def test_the_same_numbers_cut_nothing_more(numbers):
    # A regeneration, or a restart: what the first cut left is not cut again.
    window = fit(**numbers)
    again = fit(**{**numbers, "exchange_tokens": numbers["exchange_tokens"][window.first :]})
    assert again == Window(0, window.prompt_tokens, window.max_new_tokens)


@given(st.lists(st.integers(20, 250), min_size=60, max_size=120))
def test_after_a_cut_several_more_turns_fit_before_the_next(exchanges):
    history, turns_since_cut = [], None
    for tokens in exchanges:
        window = of(*history)
        if window.first:
            assert turns_since_cut is None or turns_since_cut >= 4
            turns_since_cut = 0
        elif turns_since_cut is not None:
            turns_since_cut += 1
        history = [*history[window.first :], tokens]
    assert turns_since_cut is not None or sum(exchanges) < WINDOW


def test_a_cut_goes_down_to_about_half_the_window():
    exchanges = [100] * 31  # with 30 around them more than the 3,072 that an answer's quarter leaves
    assert of(*exchanges[1:]) == Window(0, 3030, 1024)
    assert of(*exchanges) == Window(11, 2030, 1024)


def test_what_fits_to_the_last_token_stays():
    assert of(1500, 1542) == Window(0, 3072, 1024)  # the window less an answer's quarter
    assert of(1100, 2018) == Window(1, 2048, 1024)  # half the window


def test_the_newest_exchange_survives_a_question_of_more_than_half_the_window():
    assert of(900, 300, 300, question=2000) == Window(2, 2310, 1024)
    assert of(900, 300, 400, question=2500) == Window(3, 2510, 1024)  # it would fill more than half of what is free


def test_an_exchange_too_long_to_stay_beside_the_question_goes_even_if_it_is_the_newest():
    assert of(100, 2500, question=1000) == Window(2, 1010, 1024)


def test_a_short_answer_leaves_its_room_to_the_prompt():
    assert of(*[100] * 39, new=100) == Window(0, 3930, 100)
    assert of(*[100] * 40, new=100).first == 20


def test_a_long_answer_may_use_all_that_the_prompt_leaves():
    assert of(new=10_000) == Window(0, 30, WINDOW - 30)


def test_a_question_alone_too_long_is_refused_with_its_tokens_and_the_limit():
    assert of(question=3062) == Window(0, 3072, 1024)
    with pytest.raises(QuestionTooLong) as refused:
        of(50, 60, question=3063)
    assert refused.value.fields == {"tokens": 3063, "limit_tokens": 3062}
    assert refused.value.user_message() == (
        "That is too long for me: 3063 tokens, and 3062 is the most I can read at once."
    )


@pytest.mark.parametrize("context_tokens", range(1, 9))
def test_the_tiniest_window_keeps_room_for_one_token(context_tokens):
    numbers = {"system_tokens": 0, "exchange_tokens": [9], "context_tokens": context_tokens, "max_new_tokens": 1024}
    if context_tokens <= 3:
        with pytest.raises(QuestionTooLong):
            fit(question_tokens=3, **numbers)
    else:
        window = fit(question_tokens=3, **numbers)
        assert window == Window(1, 3, context_tokens - 3)


def test_a_system_prompt_that_fills_the_window_leaves_a_limit_of_zero_not_less():
    with pytest.raises(QuestionTooLong) as refused:
        of(system=WINDOW, question=5)
    assert refused.value.fields == {"tokens": 5, "limit_tokens": 0}
