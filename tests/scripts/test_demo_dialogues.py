"""The conversations that the demo model learns from never contradict themselves."""

import itertools
import random
import re

import pytest

import demo_phrases
from demo_dialogues import Exchange, dialogue, system_prompt
from demo_spelling import Spelling
from demo_wording import wording

_TOLD_NAME = re.compile(r"Nice to meet you, (.+?)!|Got it, your name is (.+?)\.(?= |$)")
_SAID_NAME = re.compile(r"(?:^|! |\. |Yes, y|Y)our name is (.+?)\.(?= [A-Z]|$)")
_TOLD_COLOUR = re.compile(r"I'll remember that your favourite colour is (.+?)\.(?= [A-Z]|$)")
_SAID_COLOUR = re.compile(r"Your favourite colour is (.+?)\.(?= [A-Z]|$)")


def conversation(seed: int, exchanges: int = 25) -> list[Exchange]:
    rng = random.Random(seed)
    return list(itertools.islice(dialogue(rng, Spelling(rng)), exchanges))


@pytest.mark.parametrize("seed", range(150))
def test_an_answer_names_the_newest_name_and_colour_that_the_user_told(seed: int) -> None:
    name = colour = None
    for exchange in conversation(seed):
        if exchange.task in ("joined", "everything", "copy"):
            name = colour = None  # several answers in one: the next telling counts again
            continue
        if told := _TOLD_NAME.fullmatch(exchange.answer):
            name = told[1] or told[2]
            assert name in exchange.user
        elif told := _TOLD_COLOUR.fullmatch(exchange.answer):
            colour = told[1]
            assert colour in exchange.user
        elif exchange.task == "ask_name":
            assert name in (None, exchange.value)
            assert exchange.value in exchange.answer
        elif exchange.task == "ask_colour":
            assert colour in (None, exchange.value)
            assert _SAID_COLOUR.fullmatch(exchange.answer)
        elif "haven't told me your name" in exchange.answer:
            assert name is None
        elif "haven't told me your favourite colour" in exchange.answer:
            assert colour is None


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_known_that_was_not_told(seed: int) -> None:
    said = ""
    for exchange in conversation(seed):
        said += exchange.user + "\n"
        if exchange.task in ("name", "correction", "colour", "fact", "ask_name", "ask_colour", "ask_fact", "copy"):
            assert exchange.value
            assert exchange.value in said
            assert exchange.value in exchange.answer


def test_what_is_to_be_repeated_is_repeated_to_the_letter() -> None:
    copies = [e for seed in range(80) for e in conversation(seed) if e.task == "copy"]

    assert len(copies) > 100
    assert all(e.answer == e.value and e.answer in e.user for e in copies)


def test_a_question_has_one_answer_among_the_small_talk() -> None:
    first = [asked for _, askings, _ in demo_phrases.CHAT for asked in askings]

    assert len(first) == len(set(first))


def test_no_answer_forgets_a_gap() -> None:
    for seed in range(60):
        for exchange in conversation(seed):
            assert not re.search(r"\{\w+\}|\[[^\]]*\|", exchange.answer)
            assert exchange.user


def test_the_same_seed_makes_the_same_conversation() -> None:
    assert conversation(7) == conversation(7)
    assert conversation(7) != conversation(8)


def test_carelessness_never_touches_a_name() -> None:
    rng = random.Random(1)

    typed = {wording(rng, "[hi, |]my name is {new}[.|]", new="ZoR'blat.X") for _ in range(300)}

    assert all("ZoR'blat.X" in text for text in typed)
    assert len(typed) > 10


def test_system_prompts_are_mostly_the_bots_own_and_sometimes_missing() -> None:
    rng = random.Random(1)

    drawn = [system_prompt(rng, Spelling(rng)) for _ in range(400)]

    assert drawn.count("You are a helpful AI assistant.") > 200
    assert "" in drawn
