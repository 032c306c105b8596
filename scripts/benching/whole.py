"""A model behind the whole bot: what everything around it costs one person, and how the bot fares under full load.

One person is compared with the bare pipeline, which is openvino_genai alone, in this process: no engine, no HTTP, no
Discord. It gets the very ids that the bot makes of the question, and both answer with as many tokens. Then several
people ask at once, and the bot's process tells how late its event loop was meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bot.engine  # noqa: F401 - before OpenVINO, which would tell its makers of itself
from benching.engines import Choice
from benching.loopback import DATABASE, BotUnderTest, running
from benching.measures import Results
from bot.core.phi3 import Phi3Tokenizer
from bot.settings import Settings

QUESTION_WORDS = 24
BARE, WHOLE = "bare pipeline", "genai, whole bot"


@dataclass(frozen=True)
class Answered:
    """How long one answer took: until its first token, and all of it."""

    tokens: int
    first_token_s: float
    total_s: float

    @property
    def decode_tok_per_s(self) -> float:
        """Tokens a second after the first."""
        return (self.tokens - 1) / (self.total_s - self.first_token_s)


class BarePipeline:
    """openvino_genai as it comes, with the cache and the properties that the bot gives it."""

    def __init__(self, choice: Choice) -> None:
        """Load it. Blocks for as long as that takes."""
        import openvino_genai

        from bot.engine.dynamic_quantization import with_larger_groups

        settings = Settings(**choice.settings())
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = choice.kv_cache_gb or 1
        scheduler.enable_prefix_caching = True
        properties = dict(with_larger_groups(settings.ov_config, choice.model, choice.device))
        self._genai = openvino_genai
        self._pipeline: Any = openvino_genai.ContinuousBatchingPipeline(
            choice.model, scheduler, choice.device, properties
        )
        self._next = 0

    def answer(self, prompt_ids: tuple[int, ...], new_tokens: int) -> Answered:
        """Generate exactly so many tokens."""
        import openvino

        config = self._genai.GenerationConfig(max_new_tokens=new_tokens, ignore_eos=True)
        self._next += 1
        began_s, first_s, tokens = time.perf_counter(), 0.0, 0
        handle = self._pipeline.add_request(self._next, openvino.Tensor(np.array([prompt_ids], dtype=np.int64)), config)
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            while handle.can_read():
                tokens += sum(len(output.generated_ids) for output in handle.read().values())
                first_s = first_s or time.perf_counter()
        return Answered(tokens, first_s - began_s, time.perf_counter() - began_s)


async def measure(
    folder: Path,
    choice: Choice,
    users: Sequence[int],
    new_tokens: int,
    repeat: int,
    results: Results,
    say: Callable[[str], None],
) -> None:
    """Ask the same questions of both, in turn; then as many people as `users` says ask the bot at once."""
    tokenizer = Phi3Tokenizer.load(choice.model)
    system_ids = tokenizer.encode(Settings().system_prompt)
    questions = _questions(tokenizer)
    bare = await asyncio.to_thread(BarePipeline, choice)
    settings = {**choice.settings(), "max_new_tokens": str(new_tokens)}
    async with running(folder, max(repeat + 1, *users), settings) as bot:
        for number in range(repeat + 1):
            question, question_ids = next(questions)
            prompt_ids = tokenizer.prompt(system_ids, [], question_ids)
            whole, seen_s = await _through_the_bot(bot, number, question, folder)
            alone = await asyncio.to_thread(bare.answer, prompt_ids, max(2, whole.tokens))
            say(f"{number} of {repeat}: {whole.tokens} tokens in {whole.total_s:.1f} s, bare {alone.total_s:.1f} s")
            if number:  # the first time warms both up
                _record(results, WHOLE, whole, len(prompt_ids), seen_s)
                _record(results, BARE, alone, len(prompt_ids), alone.total_s)
                _compare(results, whole, seen_s, alone, len(prompt_ids))
        for number in range(1, repeat + 1):
            for crowd in users:
                await _crowd(bot, crowd, questions, len(prompt_ids), results)
                say(f"{number} of {repeat}: {crowd} at once")


async def _crowd(
    bot: BotUnderTest,
    users: int,
    questions: Iterator[tuple[str, tuple[int, ...]]],
    prompt_tokens: int,
    results: Results,
) -> None:
    """Have several people ask at once; record how late the bot's event loop was until the last answer's end."""
    bot.forget()
    await bot.report()
    for place in range(users):
        await bot.ask(place, next(questions)[0])
    await bot.answered()
    fared = await bot.report()
    for measure in ("loop_lag_p99_ms", "rss_mb"):
        if fared[measure] is not None:
            results.add(measure, fared[measure], engine=WHOLE, users=users, prompt_tokens=prompt_tokens)


def _record(results: Results, engine: str, answered: Answered, prompt_tokens: int, seen_s: float) -> None:
    """Record the pace of decoding, and of the whole as the person saw it: from question to last edit."""
    results.add("decode_tok_per_s", answered.decode_tok_per_s, engine=engine, prompt_tokens=prompt_tokens)
    results.add("total_tok_per_s", answered.tokens / seen_s, engine=engine, prompt_tokens=prompt_tokens)


def _compare(results: Results, whole: Answered, seen_s: float, alone: Answered, prompt_tokens: int) -> None:
    """Record how much of the bare pipeline's pace is left, answer by answer.

    The machine's own pace changes from one minute to the next, by more than what is to be found out: the two of a pair
    follow on each other.
    """
    decode_share = whole.decode_tok_per_s / alone.decode_tok_per_s
    results.add("decode_share", decode_share, engine=WHOLE, prompt_tokens=prompt_tokens)
    total_share = (whole.tokens / seen_s) / (alone.tokens / alone.total_s)
    results.add("total_share", total_share, engine=WHOLE, prompt_tokens=prompt_tokens)


def _questions(tokenizer: Phi3Tokenizer) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield questions that no cache has seen, and their ids; all are of one length."""
    chance = random.Random(1)
    length = None
    while True:
        question = " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(QUESTION_WORDS))
        ids = tokenizer.encode(question)
        length = length or len(ids)
        if len(ids) == length:
            yield question, ids


async def _through_the_bot(bot: BotUnderTest, place: int, question: str, folder: Path) -> tuple[Answered, float]:
    """Ask in Discord; return what the bot recorded of the answer, and how long the person waited for its end."""
    bot.forget()
    asked = await bot.ask(place, question)
    await bot.answered()
    seen_s = bot.last_s[asked.id] - bot.asked_s[asked.id]
    with closing(sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True)) as connection:
        query = "SELECT completion_tokens, first_token_s, total_s FROM turns ORDER BY id DESC LIMIT 1"
        return Answered(*connection.execute(query).fetchone()), seen_s
