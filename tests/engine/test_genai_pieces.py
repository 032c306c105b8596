"""Prompts in pieces: who gets in between, what is computed at all, and that no answer is any other for it."""

import random

import pytest
from structlog.testing import capture_logs

from bot.core.engine import GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Event

STEP_TOKENS = 32
CACHE_TOKENS = 2048
STOP_IDS = frozenset({3})


@pytest.fixture(scope="module")
def genai(load, tiny_f32_dir):
    """Return a backend that computes 32 tokens of a prompt in a step, with room for 2,048."""
    backend = load("genai", tiny_f32_dir, kv_cache_blocks=CACHE_TOKENS // 32, step_tokens=STEP_TOKENS)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def plain(load, tiny_f32_dir):
    """Return a backend whose steps are large enough for every prompt here, as a whole."""
    backend = load("genai", tiny_f32_dir, step_tokens=2048)
    yield backend
    backend.close()


class Steps:
    """Steps a backend and writes down which events each step brought."""

    def __init__(self, backend, first_id):
        self.backend = backend
        self.steps: list[list[Event]] = []
        self.next_id = first_id
        self.unwanted: set[int] = set()
        self.live: set[int] = set()

    def ask(self, prompt_ids, max_new_tokens=4):
        self.next_id += 1
        self.backend.start(self.next_id, GenerationRequest(tuple(prompt_ids), max_new_tokens, STOP_IDS))
        self.live.add(self.next_id)
        return self.next_id

    def step(self):
        events = []

        def emit(event):
            assert event.id in self.live
            events.append(event)
            if event.finish is not None or event.error is not None:
                self.live.remove(event.id)
            elif event.id in self.unwanted:
                self.live.remove(event.id)
                return False
            return True

        self.backend.step(emit)
        self.steps.append(events)
        return events

    def cancel(self, number):
        self.backend.cancel(number)
        self.live.discard(number)

    def finish(self):
        while self.live:
            self.step()
        return self

    def answer(self, number):
        return tuple(token for events in self.steps for event in events if event.id == number for token in event.ids)

    def first_token(self, number):
        """Return after how many steps the first token came."""
        return next(at for at, events in enumerate(self.steps, 1) if any(e.id == number and e.ids for e in events))


@pytest.fixture
def steps():
    """Return what begins to count steps from here."""
    return lambda backend: Steps(backend, random.getrandbits(40))


@pytest.fixture
def words():
    """Return what makes up prompts that nobody asked before."""
    source = random.Random()
    return lambda n: tuple(source.randrange(20, 380) for _ in range(n))


def test_a_short_prompt_is_answered_between_the_pieces_of_a_long_one(genai, steps, words):
    run = steps(genai)
    long = run.ask(words(20 * STEP_TOKENS))
    run.step()
    short = run.ask(words(10))
    run.finish()
    assert run.first_token(short) == 2
    assert run.first_token(long) == 21


def test_a_growing_answer_gets_a_token_in_every_step_of_a_long_prefill(genai, steps, words):
    run = steps(genai)
    growing = run.ask(words(10), max_new_tokens=30)
    run.step()
    run.ask(words(20 * STEP_TOKENS), max_new_tokens=1)
    run.finish()
    assert [sum(event.id == growing for event in events) for events in run.steps[:30]] == [1] * 30


def test_of_two_long_prompts_the_shorter_is_first_and_the_other_still_moves_on(genai, steps, words):
    run = steps(genai)
    longer, shorter = run.ask(words(12 * STEP_TOKENS)), run.ask(words(6 * STEP_TOKENS))
    run.finish()
    assert run.first_token(shorter) < run.first_token(longer) == 18
    assert run.first_token(shorter) <= 6 * 3 / 2


def test_a_cached_history_costs_no_pieces(genai, steps, words):
    history = words(1000)
    run = steps(genai)
    first = run.ask(history, max_new_tokens=10)
    run.finish()
    again = steps(genai)
    follow_up = again.ask((*history, *run.answer(first), *words(20)))
    again.finish()
    assert again.first_token(follow_up) <= 2


def test_two_with_the_same_long_beginning_compute_it_once(genai, steps, words):
    persona = words(10 * STEP_TOKENS)
    run = steps(genai)
    one, other = run.ask((*persona, *words(20))), run.ask((*persona, *words(20)))
    run.finish()
    assert sorted([run.first_token(one), run.first_token(other)]) == [11, 12]


@pytest.mark.parametrize("steps_before", [0, 3])
def test_a_prompt_cancelled_between_its_pieces_leaves_and_what_was_computed_of_it_is_kept(
    genai, steps, words, steps_before
):
    run = steps(genai)
    prompt = words(10 * STEP_TOKENS)
    gone = run.ask(prompt)
    for _ in range(steps_before):
        run.step()
    run.cancel(gone)
    short = run.ask(words(10))
    run.step()
    run.step()
    assert run.answer(short)
    assert not run.answer(gone)
    run.finish()
    again = steps(genai)
    number = again.ask(prompt)
    again.finish()
    assert again.first_token(number) == 10 - steps_before


def test_what_does_not_fit_beside_the_others_waits_and_is_then_answered(genai, plain, steps, words):
    run = steps(genai)
    prompts = [words(200) for _ in range(6)]
    asked = [run.ask(prompt, max_new_tokens=400) for prompt in prompts]
    run.finish()
    one_by_one = steps(plain)
    for prompt, number in zip(prompts, asked, strict=True):
        alone = one_by_one.ask(prompt, max_new_tokens=400)
        one_by_one.finish()
        assert run.answer(number) == one_by_one.answer(alone)
    begun = sorted(map(run.first_token, asked))
    assert begun[2] < 400 < begun[3]  # three of 600 tokens fit


def test_a_request_that_waits_for_room_can_be_cancelled(genai, steps, words):
    run = steps(genai)
    running, waiting = run.ask(words(20), max_new_tokens=1500), run.ask(words(20), max_new_tokens=1500)
    for _ in range(10):
        run.step()
    assert not run.answer(waiting)
    run.cancel(waiting)
    run.cancel(running)
    late = run.ask(words(20), max_new_tokens=1500)
    run.step()
    run.step()
    assert run.answer(late)
    run.cancel(late)


def test_a_stopped_answer_frees_its_place_within_two_steps(genai, steps, words):
    run = steps(genai)
    running, waiting = run.ask(words(20), max_new_tokens=1500), run.ask(words(20), max_new_tokens=1500)
    run.step()
    run.unwanted.add(running)
    run.step()
    before = len(run.steps)
    while not run.answer(waiting):
        run.step()
    assert len(run.steps) - before <= 2
    run.cancel(waiting)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_mix_every_answer_is_the_one_it_gets_alone(genai, plain, steps, seed):
    """Prompts that share beginnings, continue answers, are asked twice, cancelled in every state, and wait for room."""
    source = random.Random(seed)
    personas = [tuple(source.randrange(20, 380) for _ in range(n)) for n in (17, 70, 300)]
    run, asked, ended = steps(genai), {}, []
    for _ in range(250):
        if source.random() < 0.3 and len(run.live) < 8:
            beginning = source.choice([*personas, *ended[-6:]])
            added = tuple(source.randrange(20, 380) for _ in range(source.choice((1, 5, 40, 200))))
            prompt = (beginning + added)[:900] if source.random() < 0.7 else beginning[:900]
            new = source.choice((1, 7, 30, 150))
            for _ in range(source.choice((1, 1, 2))):
                asked[run.ask(prompt, new)] = (prompt, new)
        if run.live and source.random() < 0.05:
            gone = source.choice(sorted(run.live))
            run.cancel(gone)
            asked.pop(gone)
        news = [event.id for event in run.step() if event.finish is not None]
        ended += [asked[number][0] + run.answer(number) for number in news]
    run.finish()
    alone = steps(plain)
    for number, (prompt, new) in asked.items():
        one = alone.ask(prompt, new)
        alone.finish()
        assert run.answer(number) == alone.answer(one)
    assert len(asked) > 10
    assert {event.finish for events in run.steps for event in events} <= {None, Finish.STOP, Finish.LENGTH}


def test_a_prompt_is_not_given_up_half_computed(load, tiny_f32_dir, steps, words, plain):
    """Of a block that counts as filled before it is, somebody else would take what was never computed."""
    backend = load("genai", tiny_f32_dir, step_tokens=STEP_TOKENS)
    run = steps(backend)
    prompt = words(20 * STEP_TOKENS)
    for at in range(19):
        gone = run.ask(prompt)
        for _ in range(at % 3):
            run.step()
        run.cancel(gone)
    number = run.ask(prompt, max_new_tokens=20)
    run.finish()
    alone = steps(plain)
    expected = alone.ask(prompt, max_new_tokens=20)
    alone.finish()
    assert run.answer(number) == alone.answer(expected)
    backend.close()


def test_the_piece_is_chosen_from_measured_steps_and_told(load, tiny_f32_dir):
    with capture_logs() as logs:
        backend = load("genai", tiny_f32_dir, step_target_s=1e-9)
    [ready] = [entry for entry in logs if entry["event"] == "pipeline_ready"]
    assert ready["step_tokens"] == 32
    assert ready["prefill_tokens_per_s"] > 0
    assert ready["kv_cache_tokens"] > 4096
    backend.close()
