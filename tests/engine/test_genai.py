"""Continuous batching: many requests in one step, what its KV cache cannot hold, and what it must not mix up."""

import random

import pytest
from structlog.testing import capture_logs

from bot.core.engine import GenerationRequest
from bot.core.messages import Finish, Sampling
from bot.engine.backend import Backend
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
    [entry] = [entry for entry in logs if entry["log_level"] == "warning"]
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


def test_two_that_fit_alone_but_not_together_are_answered_one_after_the_other(small, backends, answer):
    requests = [talk(*range(20, 120), max_new_tokens=100), talk(*range(120, 220), max_new_tokens=100)]
    expected = [answer(backends["genai"], request)[0] for request in requests]
    batch = Batch(small, 90_000)
    for request in requests:
        batch.ask(request)
    while 0 not in batch.ended:
        assert batch.heard[1] == ()
        batch.step()
    batch.finish()
    assert batch.heard == [heard.ids for heard in expected]


def test_an_exported_folder_without_its_openvino_tokenizer_serves_ids_all_the_same(
    load, tiny_f32_dir, tmp_path, answer, backends
):
    for file in tiny_f32_dir.iterdir():
        if "tokenizer.xml" not in file.name and "tokenizer.bin" not in file.name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    backend = load("genai", tmp_path)
    assert answer(backend, MANY[0]) == answer(backends["genai"], MANY[0])
    backend.close()


# Prefix caching -------------------------------------------------------------------------------------------------------
# optimum, which caches nothing, is the judge.


@pytest.fixture
def right(backends, answer):
    """Return what a request's answer should be."""

    def right(request):
        return answer(backends["optimum"], request)[0]

    return right


class Batch:
    """Requests that come and go between the steps of one backend."""

    def __init__(self, backend: Backend, first_id: int) -> None:
        self.backend = backend
        self.first_id = first_id
        self.asked: list[GenerationRequest] = []
        self.heard: list[tuple[int, ...]] = []
        self.ended: set[int] = set()
        self.left: set[int] = set()

    def ask(self, request: GenerationRequest) -> None:
        self.backend.start(self.first_id + len(self.asked), request)
        self.asked.append(request)
        self.heard.append(())

    def leave(self, index: int) -> None:
        self.left.add(index)
        self.backend.cancel(self.first_id + index)

    @property
    def live(self) -> list[int]:
        return [index for index in range(len(self.asked)) if index not in self.ended | self.left]

    def step(self) -> None:
        def emit(event):
            index = event.id - self.first_id
            assert index in self.live
            assert event.error is None
            self.heard[index] += event.ids
            if event.finish is not None:
                self.ended.add(index)
            return True

        self.backend.step(emit)

    def finish(self) -> None:
        while self.live:
            self.step()


@pytest.mark.parametrize("lengths", [(50, 50), (5, 50), (50, 5), (5, 5)])
def test_two_that_continue_the_same_answer_at_once_do_not_get_into_each_other(lengths, backends, right):
    rng = random.Random(sum(lengths))
    batch = Batch(backends["genai"], 30_000 + 100 * lengths[0] + 10 * lengths[1])
    greeting = talk(*rng.choices(range(20, 400), k=40), max_new_tokens=5)
    batch.ask(greeting)
    batch.finish()
    for length in lengths:
        more = rng.choices(range(20, 400), k=length)
        batch.ask(talk(*greeting.prompt_ids, *batch.heard[0], *more, max_new_tokens=10))
    batch.finish()
    assert batch.heard == [right(request).ids for request in batch.asked]


def test_who_continues_an_answer_while_it_grows_does_not_get_into_it(load, tiny_f32_dir, right):
    """The last block of the growing answer is found by what it holds so far."""
    rng = random.Random(0)
    first = talk(*rng.choices(range(20, 400), k=116), max_new_tokens=20)
    whole = (*first.prompt_ids, *right(first).ids)
    backend = load("genai", tiny_f32_dir)
    batch = Batch(backend, 1)
    batch.ask(first)
    for _ in range(14):  # 129 tokens are in the cache then, one of them in the last block
        batch.step()
    batch.ask(talk(*whole, *rng.choices(range(20, 400), k=24), max_new_tokens=20))
    batch.step()
    batch.ask(talk(*whole, *rng.choices(range(20, 400), k=2), max_new_tokens=20))
    batch.finish()
    backend.close()
    assert batch.heard == [right(request).ids for request in batch.asked]


def test_a_prompt_given_up_half_read_leaves_nothing_half_read_behind(backends, right):
    rng = random.Random(1)
    batch = Batch(backends["genai"], 40_000)
    for _ in range(
        7
    ):  # each takes one of the 256 tokens of a step: the next prompt is read up to the middle of a block
        batch.ask(talk(*rng.choices(range(20, 400), k=60), max_new_tokens=60))
    while not all(batch.heard):
        batch.step()
    long_prompt = rng.choices(range(20, 400), k=700)
    batch.ask(talk(*long_prompt))
    batch.step()
    batch.leave(7)
    batch.ask(talk(*long_prompt[:300], max_new_tokens=30))
    batch.finish()
    assert batch.heard[7] == ()
    for index in batch.ended:
        assert batch.heard[index] == right(batch.asked[index]).ids


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_goes_and_is_continued_every_answer_is_the_right_one(seed, load, tiny_f32_dir, right):
    """A cache too small for all, prompts that begin alike, readers who leave."""
    rng = random.Random(seed)
    backend = load("genai", tiny_f32_dir, kv_cache_blocks=28)
    batch = Batch(backend, 1)
    common = rng.choices(range(20, 400), k=500)
    for _ in range(90):
        draw = rng.random()
        if len(batch.live) < 6 and draw < 0.4:
            cut = rng.choice([rng.randrange(1, 500), BLOCK_TOKENS * rng.randrange(1, 15) + rng.randrange(2)])
            more = rng.choices(range(20, 400), k=rng.choice([0, 1, 5, 40]))
            batch.ask(talk(*common[:cut], *more, max_new_tokens=rng.choice([1, 2, 10, 33])))
        elif batch.ended and draw < 0.6:
            index = rng.choice(sorted(batch.ended))
            batch.ask(talk(*batch.asked[index].prompt_ids, *batch.heard[index], 25, 26, max_new_tokens=15))
        elif batch.live and draw < 0.7:
            batch.leave(rng.choice(batch.live))
        batch.step()
    batch.finish()
    backend.close()
    assert len(batch.ended) > 15
    for index in batch.ended:
        assert batch.heard[index] == right(batch.asked[index]).ids


def test_requests_that_have_nothing_in_common_still_share_their_steps(backends):
    rng = random.Random(2)
    batch = Batch(backends["genai"], 50_000)
    for _ in range(6):
        batch.ask(talk(*rng.choices(range(20, 400), k=40), max_new_tokens=30))
    steps = 0
    while batch.live:
        batch.step()
        steps += 1
    assert steps <= 30 + 6


def test_who_waits_for_a_like_prompt_does_not_hold_up_the_others(backends):
    rng = random.Random(3)
    batch = Batch(backends["genai"], 60_000)
    same = talk(*rng.choices(range(20, 400), k=40), max_new_tokens=40)
    for request in (same, same, talk(*rng.choices(range(20, 400), k=40), max_new_tokens=5)):
        batch.ask(request)
    while 2 not in batch.ended:
        batch.step()
    assert batch.ended == {2}
    batch.finish()
    assert batch.heard[0] == batch.heard[1]


def test_prompts_are_read_one_after_the_other(backends):
    rng = random.Random(4)
    batch = Batch(backends["genai"], 70_000)
    for _ in range(2):
        batch.ask(talk(*rng.choices(range(20, 400), k=40), max_new_tokens=5))
    batch.step()
    assert [len(ids) for ids in batch.heard] == [1, 0]
    batch.step()
    assert [len(ids) for ids in batch.heard] == [2, 1]
    batch.finish()


def test_what_was_cancelled_is_gone_before_the_next_one_joins(backends):
    rng = random.Random(5)
    batch = Batch(backends["genai"], 80_000)
    same = talk(*rng.choices(range(20, 400), k=40), max_new_tokens=5)
    batch.ask(same)
    batch.step()
    batch.leave(0)
    batch.ask(same)
    batch.step()
    assert batch.heard[1] == ()
    batch.finish()
    assert batch.heard[1][:1] == batch.heard[0]
