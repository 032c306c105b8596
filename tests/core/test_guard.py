"""The guard on planted bad answers and on ordinary ones, and what of an answer it lets be shown."""
# ruff: noqa: T201 - the rates are printed: they are what this is run for

import time
from collections import Counter
from dataclasses import dataclass

import pytest

from bot.core.guard import Guard, Verdict
from bot.core.messages import Fault
from guard_corpus import HELD_OUT, LOOP, PROMPT_ECHO, PROMPTS, SELF_DIALOGUE, TUNED, Sample, pieces, planted
from guard_ordinary import ordinary

CAUGHT_SHARE, FALSE_ALARM_SHARE = 0.99, 0.005


@dataclass
class Watched:
    """What became of an answer that grew by tokens: the verdict and the most that could be seen of it before."""

    verdict: Verdict | None
    shown_chars: int
    seen_chars: int  # how far the answer had grown by then


def guard_of(sample: Sample) -> Guard:
    return Guard(
        question=sample.question,
        questions=[sample.context],
        system_prompt=sample.system_prompt,
        names=sample.names,
    )


def watch(sample: Sample, seed: int = 0) -> Watched:
    guard, shown, seen = guard_of(sample), 0, 0
    for piece in pieces(sample.text, seed):
        verdict = guard.feed(piece)
        seen += len(piece)
        if verdict is not None:
            return Watched(verdict, shown, seen)
        shown = max(shown, guard.shown_chars)
    return Watched(guard.finish(), shown, seen)


def is_caught(sample: Sample, verdict: Verdict | None) -> bool:
    """Tell whether a verdict leaves what was sound (all but a last line at most) and nothing of what was bad."""
    sound = sample.text[: sample.bad_from].rstrip()
    least = sound.rfind("\n") if sample.kind == PROMPT_ECHO else len(sound)
    if sample.kind == LOOP:
        least = 0  # the loop may begin with the end of what was said before
    return verdict is not None and least <= verdict.keep_chars <= sample.bad_from + sample.may_stay_chars


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Sample, Watched]]:
    return [(sample, watch(sample, seed)) for seed, sample in enumerate(planted())]


@pytest.mark.parametrize("half", [TUNED, HELD_OUT])
def test_at_least_99_percent_of_the_planted_bad_answers_are_caught(verdicts, half):
    ours = [(sample, watched) for sample, watched in verdicts if sample.half == half]
    missed = [sample for sample, watched in ours if not is_caught(sample, watched.verdict)]
    kinds = Counter(sample.kind for sample, _ in ours)
    for kind, count in kinds.items():
        print(f"{half} {kind}: {count - sum(s.kind == kind for s in missed)} of {count} caught")
    assert len(verdicts) >= 500
    assert set(kinds) == set(Fault)
    assert len(missed) <= (1 - CAUGHT_SHARE) * len(ours), [sample.text[sample.bad_from :][:80] for sample in missed]


def test_at_most_half_a_percent_of_5000_ordinary_answers_are_taken_for_bad_ones():
    samples = ordinary(5000)
    alarms = [(s, watched.verdict) for n, s in enumerate(samples) if (watched := watch(s, n)).verdict]
    kinds = Counter(verdict.fault for _, verdict in alarms)
    print(f"false alarms: {len(alarms)} of {len(samples)}", *(f"{kind}: {count}" for kind, count in kinds.items()))
    assert len({sample.text for sample in samples}) > 0.95 * len(samples) == 0.95 * 5000
    assert len(alarms) <= FALSE_ALARM_SHARE * len(samples), [(v, s.text[:80]) for s, v in alarms]


def test_of_a_made_up_turn_or_a_role_marker_nothing_can_be_seen_before_it_is_cut(verdicts):
    for sample, watched in verdicts:
        if sample.kind in (SELF_DIALOGUE, Fault.ROLE_MARKER):
            seen = sample.text[sample.bad_from : max(sample.bad_from, watched.shown_chars)]
            assert len(seen.strip("\n >*_#-[(👤")) <= 1, (sample, seen)


def test_of_a_recited_system_prompt_little_can_be_seen_before_it_is_cut(verdicts):
    for sample, watched in verdicts:
        if sample.kind == PROMPT_ECHO:
            assert watched.shown_chars - sample.bad_from < 0.25 * len(sample.system_prompt), sample


def test_an_ordinary_answer_is_held_back_for_a_few_characters_only():
    delays = []
    for seed, sample in enumerate(ordinary(900)[-500:]):
        guard, seen = guard_of(sample), 0
        for piece in pieces(sample.text, seed):
            guard.feed(piece)
            seen += len(piece)
            delays.append(seen - guard.shown_chars)
        assert guard.finish() is None
    held = [delay for delay in delays if delay]
    assert len(held) < 0.05 * len(delays)
    assert sum(delays) / len(delays) < 1


def test_a_loop_is_cut_to_about_one_round_and_noticed_within_700_characters(verdicts):
    rounds = [(s, w) for s, w in verdicts if s.kind == LOOP and s.bad_from and " the next step" in s.text]
    for sample, watched in rounds:
        kept = sample.text[: watched.verdict.keep_chars]
        assert kept.count("The next step") <= 1
        assert watched.seen_chars - sample.bad_from < 700
    assert rounds


def test_a_label_that_nothing_follows_is_cut_at_the_end():
    guard = Guard(question="What is the capital of France?")
    assert guard.feed("Paris.\n\nUser:") is None
    assert guard.shown_chars == len("Paris.")
    assert guard.finish() == Verdict(Fault.SELF_DIALOGUE, len("Paris."))


def test_what_users_and_others_do_is_no_talk_but_a_question_to_oneself_after_it_is_one():
    answer = "Intro.\nUser: reads files\nAdmin: writes files\nQ: what is the capital of France?\n"
    guard = Guard(question="tell me of the sky")
    assert guard.feed(answer) == Verdict(Fault.SELF_DIALOGUE, answer.index("\nQ:"))


def test_a_prompt_that_everybody_could_guess_may_be_said():
    guard = Guard(question="who are you?", system_prompt="You are a helpful AI assistant.")
    assert guard.feed("You are a helpful AI assistant. " * 2) is None
    assert guard.finish() is None


def test_what_the_person_wrote_themselves_is_no_secret():
    [prompt, *_] = PROMPTS[TUNED]
    asked = f"Correct the commas: {prompt}"
    assert watch(Sample(prompt, asked, system_prompt=prompt)).verdict is None
    assert watch(Sample(prompt, "Correct the commas", system_prompt=prompt)).verdict is not None


def test_only_the_first_verdict_counts_and_it_stays():
    guard = Guard()
    first = guard.feed("Fine.<|end|>")
    assert first == Verdict(Fault.ROLE_MARKER, 5)
    assert guard.feed("\n\nUser: what else is there?") is first
    assert guard.finish() is first is guard.verdict


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_verdict_does_not_depend_on_how_the_text_is_cut_into_tokens(size):
    for sample in planted()[::5]:
        guard = guard_of(sample)
        parts = [sample.text[start : start + size] for start in range(0, len(sample.text), size)]
        verdict = next(filter(None, map(guard.feed, parts)), None) or guard.finish()
        assert is_caught(sample, verdict), (sample, verdict)


def test_a_token_costs_the_same_at_the_end_of_a_long_answer_as_at_its_beginning():
    text = "".join(sample.text + "\n\n" for sample in ordinary(900)[-400::4] if "```" not in sample.text)
    parts = pieces(text, 1)
    assert len(parts) > 6000

    def spent_s(count: int) -> float:
        best_s = float("inf")
        for _ in range(3):
            guard = Guard(question="hello", system_prompt=PROMPTS[TUNED][0])
            began_s = time.perf_counter()
            for part in parts[:count]:
                guard.feed(part)
            best_s = min(best_s, time.perf_counter() - began_s)
            assert guard.verdict is None
        return best_s / count

    short_s, long_s = spent_s(1024), spent_s(6000)
    print(f"a token of 1,024: {short_s * 1e6:.1f} us, of 6,000: {long_s * 1e6:.1f} us")
    assert long_s < 3 * short_s
    assert short_s < 0.0005
