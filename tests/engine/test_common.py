"""The window's clamp, and the sentence for a model that would not load."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.engine import GenerationRequest
from bot.engine.common import new_tokens_allowed, unusable
from bot.errors import EngineFailed, PromptTooLong


def request(prompt_tokens, max_new_tokens):
    return GenerationRequest((7,) * prompt_tokens, max_new_tokens, frozenset())


@given(st.integers(2, 300), st.integers(1, 300), st.integers(1, 300))
def test_an_answer_never_leaves_the_window_and_always_has_room_for_a_token(window, prompt_tokens, wanted):
    if prompt_tokens >= window:
        with pytest.raises(PromptTooLong) as caught:
            new_tokens_allowed(request(prompt_tokens, wanted), window)
        assert caught.value.fields == {"tokens": prompt_tokens, "limit_tokens": window - 1}
        return
    allowed = new_tokens_allowed(request(prompt_tokens, wanted), window)
    assert 1 <= allowed <= wanted
    assert prompt_tokens + allowed <= window
    assert allowed == wanted or prompt_tokens + allowed == window


@pytest.mark.parametrize("wrong", [request(0, 5), request(5, 0), request(5, -1)])
def test_nothing_to_read_or_to_say_fails_the_request(wrong):
    with pytest.raises(EngineFailed):
        new_tokens_allowed(wrong, 100)


# As OpenVINO 2026.4 words them; the first lines are where in its source they come from.
SOURCE = "Exception from src/inference/src/cpp/core.cpp:117:\nException from src/inference/src/dev/plugin.cpp:54:\n"
OF_PROPERTIES = [
    "Exception from src/plugins/intel_cpu/src/config.cpp:505:\nNotFound: Unsupported property NOT_ONE by CPU plugin.\n",
    "Exception from src/plugins/intel_cpu/src/config.cpp:88:\nWrong value FOOfor property key PERFORMANCE_HINT.\n\n",
    "Exception from src/inference/include/openvino/runtime/properties.hpp:1379:\nCould not read number of streams\n",
    'Couldn\'t create directory ["/proc/nope"], err=No such file or directory)',
]
OF_FILES = "Check 'is_valid_weights_range' failed at src/core/xml_util/x.cpp:900:\nIncorrect weights in bin file!\n"


@pytest.mark.parametrize("words", OF_PROPERTIES)
def test_a_wrong_property_points_to_the_setting_it_comes_from(words):
    sentence = unusable(Path("model"), "CPU", RuntimeError(SOURCE + words))
    assert "PHIBOT_OV_CONFIG" in sentence
    assert words.strip().splitlines()[-1] in sentence
    assert "\n" not in sentence
    assert ".cpp" not in sentence


def test_a_broken_file_does_not():
    sentence = unusable(Path("model"), "CPU", RuntimeError(SOURCE + OF_FILES))
    assert sentence == "OpenVINO cannot load model on CPU: Incorrect weights in bin file!"


def test_an_error_without_words_is_named_by_its_kind():
    assert unusable(Path("model"), "CPU", MemoryError()) == "OpenVINO cannot load model on CPU: MemoryError"
