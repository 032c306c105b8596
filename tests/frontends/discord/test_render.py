import time

from hypothesis import given
from hypothesis import strategies as st

from bot.core.chat import Phase, Snapshot
from bot.core.messages import Turn, TurnState
from bot.frontends.discord import render
from bot.frontends.discord.split import LIMIT_CHARS
from bot.texts import RUNNING_MARK

words = st.lists(
    st.sampled_from(["word ", "A sentence. ", "\n", "\n\n", "```py\n", "```\n", "`code`", "x" * 300]), max_size=80
).map("".join)


@given(words, st.data())
def test_what_is_sealed_while_an_answer_grows_is_what_it_ends_with(answer, data):
    part = answer[: data.draw(st.integers(0, len(answer)))]
    turn = Turn(1, 1, None, 1, "why?", TurnState.DONE, 0.0)
    final = render.ended(Snapshot(Phase.ENDED, answer, turn=turn), "en").contents
    growing = render.Growing().messages(part)
    assert growing[:-1] == final[: max(0, len(growing) - 1)]


@given(words)
def test_only_the_newest_message_of_a_growing_answer_has_the_mark_and_all_fit(answer):
    growing = render.Growing().messages(answer)
    assert [content.endswith(RUNNING_MARK) for content in growing] == [False] * (len(growing) - 1) + [True] * bool(
        growing
    )
    assert all(len(content) <= LIMIT_CHARS for content in growing)


@given(words, st.lists(st.integers(0, 2000), max_size=8))
def test_an_answer_drawn_as_it_grows_looks_as_if_drawn_at_once(answer, lengths):
    growing = render.Growing()
    for length in [*sorted(lengths), *lengths]:  # and as it shrinks, which a model that is changed may cause
        assert growing.messages(answer[:length]) == render.Growing().messages(answer[:length])


def test_a_long_answer_is_not_split_from_its_beginning_for_every_edit():
    answer = "This is a sentence of some words. " * 3000
    growing = render.Growing()
    began_s = time.process_time()
    for length in range(0, len(answer), 100):
        growing.messages(answer[:length])
    assert time.process_time() - began_s < 10  # about 0.4; from the beginning: about 30


def test_a_line_of_tildes_takes_no_longer_than_any_other():
    began_s = time.process_time()
    render.Growing().messages("~" * 60_000 + "\n")
    assert time.process_time() - began_s < 5
