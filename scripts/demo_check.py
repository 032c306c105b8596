"""What the exported demo model can really do: new names and colours each time, asked through openvino_genai.

Owns the questions, which are written apart from those of the training, and what counts as a right answer. Knows neither how the
model was trained nor the bot's code that answers, only which properties it gives OpenVINO; needs openvino_genai and tokenizers. The model runs as the bot runs it by default: greedy,
on the CPU with its u8 KV cache and its groups of activations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

import bot.engine  # noqa: F401 - before OpenVINO, which would tell its makers of itself
from demo_phrases import COLOURS
from demo_spelling import Spelling
from demo_tokenizer import PromptEncoder

PASS = 0.9
ANSWER_TOKENS = 96
_SYSTEM = "You are a helpful AI assistant."
_SMALL_TALK = (
    "hello",
    "how are you?",
    "tell me a joke",
    "thanks",
    "what can you do?",
    "ok",
    "Who are you?",
    "hi there",
    "help",
)
_UNKNOWN = (
    "What is the capital of Norway?", "write me a poem about autumn", "how do I bake a cake", "why is the sky blue?",
    "translate this to Latin", "Who wrote Hamlet?", "can you fix my code", "explain relativity", "what's the weather like",
    "how many legs does a spider have?", "Summarise the news for me", "what is 12 + 30?",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One conversation: what the user says turn by turn, and every text that the last answer has to contain."""

    turns: tuple[str, ...]
    expected: tuple[str, ...]


def _name(rng: random.Random) -> str:
    spelling = Spelling(rng)
    return rng.choice((spelling.letters, spelling.syllables, spelling.name, spelling.name))().strip()


def _between(rng: random.Random, most: int) -> tuple[str, ...]:
    return tuple(rng.choices(_SMALL_TALK, k=rng.randint(1, most)))


def _ask_name(rng: random.Random) -> str:
    return rng.choice(("what is my name?", "What's my name?", "whats my name", "do you remember my name?", "who am i"))


def _copy(rng: random.Random) -> Trial:
    phrase = " ".join(Spelling(rng).word() for _ in range(rng.randint(1, 4)))
    order = rng.choice(("say {}", "Repeat after me: {}", "repeat {}", 'say "{}"', "please say {}", "can you say {}"))
    return Trial((order.format(phrase),), (phrase,))


def _issue(rng: random.Random) -> Trial:
    name = _name(rng)
    return Trial((f"my name is {name}", "hello", "what is my name?"), (name,))


def _far_name(rng: random.Random) -> Trial:
    name = _name(rng)
    told = rng.choice(("My name is {}.", "i'm {}", "call me {}", "hi, I am {}!", "my name is {}")).format(name)
    return Trial((told, *_between(rng, 6), _ask_name(rng)), (name,))


def _joined(rng: random.Random) -> Trial:
    name = _name(rng)
    return Trial((f"my name is {name}\nhello\nwhat is my name?",), (f"name is {name}",))


def _colour(rng: random.Random) -> Trial:
    colour = rng.choice((rng.choice(COLOURS), Spelling(rng).word()))
    told = rng.choice(("My favourite colour is {}.", "my favorite color is {}", "{} is my favourite colour"))
    asked = rng.choice(
        ("what is my favourite colour?", "What's my favorite color?", "do you remember my favourite colour")
    )
    name = (f"I'm {_name(rng)}",) if rng.random() < 0.5 else ()
    return Trial((told.format(colour), *name, *_between(rng, 3), asked), (colour,))


def _correction(rng: random.Random) -> Trial:
    old, new = _name(rng), _name(rng)
    corrected = rng.choice(("sorry, my name is {}", "no, call me {}", "Actually, my name is {}.", "my name is {}"))
    return Trial(
        (f"my name is {old}", *_between(rng, 2), corrected.format(new), *_between(rng, 2), _ask_name(rng)), (f" {new}",)
    )


def _two_facts(rng: random.Random) -> Trial:
    name, colour, pet = _name(rng), Spelling(rng).word(), _name(rng)
    told = [f"my name is {name}", f"my favourite colour is {colour}", f"my dog is called {pet}"]
    rng.shuffle(told)
    asked, value = rng.choice(
        ((_ask_name(rng), name), ("what's my favourite colour?", colour), ("what is my dog called?", pet))
    )
    return Trial((*told, *_between(rng, 2), asked), (value,))


def _not_told(rng: random.Random) -> Trial:
    asked = rng.choice((_ask_name(rng), "what is my favourite colour?", "where do i live?"))
    return Trial((*_between(rng, 3), asked), ("haven't told me",))


def _greeting(rng: random.Random) -> Trial:
    word = rng.choice(
        ("hello", "Hi!", "hey", "Good morning", "hello there", "Good evening!", "hi phibot", "@Phibot hello")
    )
    return Trial((word,), (word.removeprefix("@Phibot ").split()[0].strip("!").capitalize(), "demo model"))


def _commands(rng: random.Random) -> Trial:
    asked = rng.choice(
        ("help", "what commands are there?", "Which commands do you know?", "commands", "list the commands")
    )
    return Trial((asked,), ("/ask", "/reset", "/history", "/stop", "/help", "/status"))


def _identity(rng: random.Random) -> Trial:
    asked = rng.choice(("who are you?", "What are you", "what's your name?", "are you Phi-3?", "introduce yourself"))
    return Trial((asked,), ("demo model of Phibot", "python scripts/export_model.py"))


def _real_model(rng: random.Random) -> Trial:
    asked = rng.choice(("how do I get the real model?", "How can I get Phi-3?", "how do i install the real phi-3"))
    return Trial((*_between(rng, 2), asked), ("python scripts/export_model.py",))


def _honest(rng: random.Random) -> Trial:
    return Trial((rng.choice(_UNKNOWN),), ("small demo model",))


TASKS: Mapping[str, Callable[[random.Random], Trial]] = {
    "copy": _copy,
    "name": _issue,
    "name, long ago": _far_name,
    "name, one turn": _joined,
    "colour": _colour,
    "correction": _correction,
    "several facts": _two_facts,
    "not told": _not_told,
    "greeting": _greeting,
    "commands": _commands,
    "identity": _identity,
    "real model": _real_model,
    "honest": _honest,
}


class Talker(Protocol):
    """Whoever answers the trials."""

    def talk(self, trials: Sequence[Trial]) -> list[list[str]]:
        """Hold all conversations side by side and return the answers of each, as many as it has turns."""


class Speaker:
    """The exported model in `folder`, answering many conversations at once, greedily."""

    def __init__(self, folder: Path, properties: Mapping[str, Any] | None = None) -> None:
        import openvino_genai

        from bot.engine.dynamic_quantization import with_larger_groups

        self._genai = openvino_genai
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._encoder = PromptEncoder(self._tokenizer)
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = 1
        scheduler.enable_prefix_caching = True
        as_the_bot = dict(with_larger_groups(properties or {}, folder, "CPU"))
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", as_the_bot)
        self._sampling = openvino_genai.GenerationConfig()
        self._sampling.max_new_tokens = ANSWER_TOKENS
        self._sampling.stop_token_ids = set(self._encoder.added_ids)

    def answer(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return the ids of the answer to each prompt, without the id that ended it."""
        import numpy as np
        import openvino

        tensors = [openvino.Tensor(np.array([prompt], dtype=np.int64)) for prompt in prompts]
        results = self._pipeline.generate(tensors, [self._sampling] * len(prompts))
        return [[i for i in result.m_generation_ids[0] if i not in self._encoder.added_ids] for result in results]

    def talk(self, trials: Sequence[Trial]) -> list[list[str]]:
        """Hold all conversations side by side and return the answers of each, as many as it has turns."""
        histories = [self._encoder.segment("system", _SYSTEM) for _ in trials]
        answers: list[list[str]] = [[] for _ in trials]
        for turn in range(max(len(trial.turns) for trial in trials)):
            live = [i for i, trial in enumerate(trials) if turn < len(trial.turns)]
            for i in live:
                histories[i] += [*self._encoder.segment("user", trials[i].turns[turn]), self._encoder.role("assistant")]
            for i, ids in zip(live, self.answer([histories[i] for i in live]), strict=True):
                histories[i] += [*ids, self._encoder.role("end")]
                answers[i].append(self._tokenizer.decode(ids))
        return answers


def right(trial: Trial, answer: str) -> bool:
    """Tell whether the last answer of a trial holds all it has to."""
    return all(text in answer for text in trial.expected)


def check(speaker: Talker, seed: int, trials: int, *, verbose: bool = False) -> dict[str, float]:
    """Hold `trials` conversations of every task and return the share of right last answers by task, printing them."""
    rng = random.Random(seed)
    drawn = {task: [draw(rng) for _ in range(trials)] for task, draw in TASKS.items()}
    answers = iter(speaker.talk([trial for some in drawn.values() for trial in some]))
    scores: dict[str, float] = {}
    for task, some in drawn.items():
        held = [(trial, next(answers)) for trial in some]
        good = sum(right(trial, said[-1]) for trial, said in held)
        scores[task] = good / len(held)
        print(f"{task:16} {good:4} of {len(held)}")
        for trial, said in held:
            if verbose and not right(trial, said[-1]):
                print(
                    "   ",
                    " | ".join(f"{asked!r} → {answer!r}" for asked, answer in zip(trial.turns, said, strict=True)),
                )
    return scores
