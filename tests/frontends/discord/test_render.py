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
    final = render.ended(Snapshot(Phase.ENDED, answer, turn=turn), "en")
    growing = render.growing(part)
    assert growing[:-1] == final[: len(growing) - 1]


@given(words)
def test_only_the_newest_message_of_a_growing_answer_has_the_mark_and_all_fit(answer):
    growing = render.growing(answer)
    assert [content.endswith(RUNNING_MARK) for content in growing] == [False] * (len(growing) - 1) + [True] * bool(
        growing
    )
    assert all(len(content) <= LIMIT_CHARS for content in growing)
