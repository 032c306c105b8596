"""Continuous batching: many requests in one step, and what its KV cache cannot hold."""

import pytest
from structlog.testing import capture_logs

from bot.core.engine import GenerationRequest
from bot.core.messages import Finish, Sampling
from bot.errors import PromptTooLong

BLOCK_TOKENS = 32  # of the KV cache, on a CPU


def talk(*prompt_ids, max_new_tokens=30, **fields):
    return GenerationRequest(prompt_ids, max_new_tokens, frozenset({3}), **fields)


MANY = [
    talk(*range(20, 30)),
    talk(*range(40, 400)),  # prefilled in pieces, while others decode
    talk(50, max_new_tokens=1),
    talk(*range(20, 90), max_new_tokens=60),
]


def test_four_requests_at_once_get_the_answers_they_get_alone(backends, answer):
    alone = [answer(backends["genai"], request)[0] for request in MANY]
    assert answer(backends["genai"], *MANY) == alone
    assert [len(heard.ids) for heard in alone] == [30, 30, 1, 60]


def test_sampled_side_by_side_each_follows_its_own_seed(backends, answer):
    requests = [talk(20, 30, 40, sampling=Sampling(do_sample=True, temperature=1.5, seed=seed)) for seed in range(4)]
    alone = [answer(backends["genai"], request)[0] for request in requests]
    assert answer(backends["genai"], *requests) == alone
    assert len({heard.ids for heard in alone}) == 4


@pytest.fixture(scope="module")
def small(load, tiny_f32_dir):
    """Return an engine whose cache holds 256 tokens."""
    backend = load("genai", tiny_f32_dir, kv_cache_blocks=256 // BLOCK_TOKENS)
    yield backend
    backend.close()


def test_a_cache_smaller_than_the_window_cuts_the_window_to_it(load, tiny_f32_dir):
    with capture_logs() as logs:
        backend = load("genai", tiny_f32_dir, kv_cache_blocks=10)
    assert backend.info.context_tokens == 10 * BLOCK_TOKENS
    [entry] = logs
    assert entry["log_level"] == "warning"
    assert "PHIBOT_KV_CACHE_GB" in entry["advice"]
    backend.close()


def test_a_larger_cache_leaves_the_window_as_it_is(backends):
    assert backends["genai"].info.context_tokens == 4096


def test_what_can_never_fit_in_the_cache_is_refused_and_harms_no_other(small, answer):
    with pytest.raises(PromptTooLong) as caught:
        answer(small, talk(*range(20, 30), max_new_tokens=20), talk(*range(20, 420)))
    assert caught.value.fields == {"tokens": 400, "limit_tokens": 255}
    [answered] = answer(small, talk(*range(20, 30)))
    assert len(answered.ids) == 30


def test_an_answer_ends_where_the_cache_does(small, answer):
    [heard] = answer(small, talk(*range(20, 220), max_new_tokens=200))
    assert (len(heard.ids), heard.finish) == (56, Finish.LENGTH)


def test_two_that_fit_alone_but_not_together_are_both_answered_in_full(small, backends, answer):
    requests = [talk(*range(20, 120), max_new_tokens=100), talk(*range(120, 220), max_new_tokens=100)]
    expected = [answer(backends["genai"], request)[0] for request in requests]
    assert answer(small, *requests) == expected
    assert [len(heard.ids) for heard in expected] == [100, 100]


def test_an_exported_folder_without_its_openvino_tokenizer_serves_ids_all_the_same(
    load, tiny_f32_dir, tmp_path, answer, backends
):
    for file in tiny_f32_dir.iterdir():
        if "tokenizer.xml" not in file.name and "tokenizer.bin" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    backend = load("genai", tmp_path)
    assert answer(backend, MANY[0]) == answer(backends["genai"], MANY[0])
    backend.close()
