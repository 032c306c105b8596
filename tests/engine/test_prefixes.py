"""Which prompts continue the same earlier one."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.prefixes import SeenPrompts

# Few ids and short prompts, so that many begin alike.
prompts = st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple)


def begins_with(prompt, start):
    return prompt[: len(start)] == start


@given(st.lists(prompts, max_size=12), prompts, prompts)
def test_two_prompts_have_a_mark_in_common_exactly_if_they_continue_the_same_seen_one(earlier, first, second):
    seen = SeenPrompts()
    for prompt in earlier:
        seen.add(prompt)
    marks = seen.add(first), seen.add(second)
    common = any(begins_with(first, start) and begins_with(second, start) for start in [*earlier, first])
    assert bool(marks[0] & marks[1]) == common


def test_the_prompts_that_were_not_used_for_longest_are_forgotten_first():
    seen = SeenPrompts(remembered=2)
    seen.add((1,))
    seen.add((2,))
    seen.add((1, 5))  # uses (1,) and needs its own place: (2,) has to go
    assert len(seen.add((1, 6))) == 2
    assert len(seen.add((2, 6))) == 1
