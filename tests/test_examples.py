"""Property tests turn red for what is wrong with the code, not by luck or on a slow machine (tests/conftest.py)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def examples() -> list[str]:
    found: list[str] = []

    @given(st.text())
    def hold(text: str) -> None:
        found.append(text)

    hold()
    return found


@pytest.fixture(autouse=True)
def only_in_an_ordinary_run():
    if settings.get_current_profile_name() == "wide":
        pytest.skip("others were asked for")


def test_a_property_is_tried_with_the_same_examples_each_time():
    assert examples() == examples()
    assert len(set(examples())) > 20


def test_an_example_may_take_its_time():
    @settings(max_examples=2)
    @given(st.booleans())
    def hold(_: bool) -> None:
        time.sleep(0.25)

    hold()
