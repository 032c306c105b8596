"""What people who share one device feel: each scenario asks an engine and records what it measured.

Works with any core Engine, whatever is behind it. What an engine answers is not looked at, only when.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from benching.asking import Asked, Prompts, asking
from benching.measures import Results
from bot.core.engine import Engine
from bot.core.generation import STREAM_INTERVAL_S

SOON_S = 0.05  # how long after a question the next person's comes: "beside"
STREAMING_TOKENS = 4  # an answer that has so many is under way
PATIENT_TOKENS = 160  # more than come beside a long prompt's prefill
FULL_CACHE_SHARE = 1.25  # of the KV cache, in all prompts together


@dataclass(frozen=True)
class Sizes:
    """How long prompts and answers are, in tokens."""

    prompt: int = 512
    history: int = 1000
    followup: int = 20
    long: int = 2000
    short: int = 20
    new: int = 128

    @classmethod
    def fitting(cls, context_tokens: int, new: int) -> Sizes:
        """Return the usual sizes, or smaller ones of the same proportions for a model with a smaller window."""
        share = min(1.0, context_tokens / 3000)
        return cls(round(512 * share), round(1000 * share), 20, round(2000 * share), 20, new)


@dataclass(frozen=True)
class Bench:
    """One engine under measurement. `kv_cache_tokens`: about how many its KV cache holds, None if it has none."""

    name: str
    engine: Engine
    prompts: Prompts
    sizes: Sizes
    users: Sequence[int]
    results: Results
    kv_cache_tokens: int | None = None

    def ask(self, prompt_tokens: int, new_tokens: int, *, due_s: float | None = None, as_bot: bool = False) -> Asked:
        """Send a prompt that nobody has sent before; `as_bot`: take tokens as seldom as the bot, else each at once."""
        stream_interval_s = STREAM_INTERVAL_S if as_bot else 0.0
        prompt_ids = self.prompts.ids(prompt_tokens)
        return Asked(self.engine, prompt_ids, new_tokens, due_s=due_s, stream_interval_s=stream_interval_s)

    def record(self, measure: str, value: float, *, users: int, prompt_tokens: int) -> None:
        """Record a value of this engine's."""
        self.results.add(measure, value, engine=self.name, users=users, prompt_tokens=prompt_tokens)


async def alone(bench: Bench) -> None:
    """One person, a prompt of medium length: the first token, and the pace afterwards."""
    asked = bench.ask(bench.sizes.prompt, bench.sizes.new, as_bot=True)
    await asked.done()
    bench.record("first_token_s", asked.first_token_s, users=1, prompt_tokens=bench.sizes.prompt)
    if len(asked.marks) > 1:
        bench.record("decode_tok_per_s", asked.decode_tok_per_s, users=1, prompt_tokens=bench.sizes.prompt)


async def long_alone(bench: Bench) -> None:
    """One person, a long prompt: what it costs without anybody beside it."""
    asked = bench.ask(bench.sizes.long, 1)
    await asked.done()
    bench.record("first_token_s", asked.first_token_s, users=1, prompt_tokens=bench.sizes.long)


async def followup(bench: Bench) -> None:
    """Ask the next question of a conversation: the first token after some new ones."""
    before = bench.ask(bench.sizes.history - 2, 2)
    await before.done()
    added = bench.prompts.ids(bench.sizes.followup)
    asked = Asked(bench.engine, (*before.prompt_ids, *before.ids, *added), 1)
    await asked.done()
    tokens = bench.sizes.history + bench.sizes.followup
    bench.record("followup_first_token_s", asked.first_token_s, users=1, prompt_tokens=tokens)


async def together(bench: Bench) -> None:
    """Let several people ask short questions at once: their tokens a second, from first question to last token."""
    for users in bench.users:
        await _crowd(bench, users, bench.sizes.short)


async def full_cache(bench: Bench) -> None:
    """Send prompts that do not fit into the KV cache together: everybody is still answered, but how fast."""
    if bench.kv_cache_tokens is None:
        return
    users = bench.engine.info.slots
    most = bench.engine.info.context_tokens - bench.sizes.new
    await _crowd(bench, users, min(most, round(FULL_CACHE_SHARE * bench.kv_cache_tokens / users)))


async def _crowd(bench: Bench, users: int, prompt_tokens: int) -> None:
    crowd = [bench.ask(prompt_tokens, bench.sizes.new, as_bot=True) for _ in range(users)]
    async with asking(*crowd):
        await asyncio.gather(*(asked.done() for asked in crowd))
    took_s = max(asked.ended_s for asked in crowd) - crowd[0].started_s
    tokens = sum(len(asked.ids) for asked in crowd)
    bench.record("total_tok_per_s", tokens / took_s, users=users, prompt_tokens=prompt_tokens)


async def short_beside_long(bench: Bench) -> None:
    """Ask a short question while another person's long prompt is being prefilled: both first tokens."""
    long = bench.ask(bench.sizes.long, 1)
    due_s = long.started_s + SOON_S
    await asyncio.sleep(SOON_S)  # an engine in this process may hold the loop up: that counts as waiting
    short = bench.ask(bench.sizes.short, 1, due_s=due_s)
    async with asking(long, short):
        await asyncio.gather(long.done(), short.done())
    sizes = bench.sizes
    bench.record("short_beside_long_first_token_s", short.first_token_s, users=2, prompt_tokens=sizes.short)
    bench.record("long_beside_short_first_token_s", long.first_token_s, users=2, prompt_tokens=sizes.long)


async def pause(bench: Bench) -> None:
    """Send a long prompt while another person's answer is under way: that one's longest pause meanwhile."""
    running = bench.ask(bench.sizes.short, PATIENT_TOKENS)
    async with asking(running):
        await running.until(STREAMING_TOKENS)
        long = bench.ask(bench.sizes.long, 1)
        async with asking(long):
            # Where there is one at a time, the answer ends before the prompt is looked at.
            await asyncio.wait({running.task, long.task}, return_when=asyncio.FIRST_COMPLETED)
            until_s = time.perf_counter()
            await running.until(len(running.ids) + 1)
            if long.task.done():
                await long.done()
    longest_s = running.longest_pause_s(long.started_s, until_s)
    bench.record("longest_pause_s", longest_s, users=2, prompt_tokens=bench.sizes.long)


async def stop(bench: Bench) -> None:
    """Stop one answer while every slot is taken and one person waits: the steps until that one gets in.

    A step gives each running answer a token, so another answer's tokens count them; the one in which the newcomer gets
    its own first token is left out. Where nobody else is running, the time is counted in steps, less the newcomer's
    first token alone.
    """
    slots = bench.engine.info.slots
    alone_s = 0.0
    if slots == 1:
        newcomer = bench.ask(bench.sizes.short, 1)
        await newcomer.done()
        alone_s = newcomer.first_token_s
    running = [bench.ask(bench.sizes.short, PATIENT_TOKENS) for _ in range(slots)]
    async with asking(*running):
        await asyncio.gather(*(asked.until(STREAMING_TOKENS) for asked in running))
        waiting = bench.ask(bench.sizes.short, 1)
        async with asking(waiting):
            await running[-1].until(len(running[-1].ids) + STREAMING_TOKENS)
            stopped_s = time.perf_counter()
            await running[-1].stop()
            await waiting.done()
            step_s = running[0].step_s
            if slots > 1:
                await running[0].until(len(running[0].ids) + 1)
                # The newcomer's step brings the others a token too, a moment earlier or later.
                steps: float = running[0].tokens_between(stopped_s, waiting.ended_s + step_s / 2) - 1
            else:
                steps = (waiting.ended_s - stopped_s - alone_s) / step_s
    bench.record("stop_steps", max(0.0, steps), users=slots, prompt_tokens=bench.sizes.short)


SCENARIOS: Mapping[str, Callable[[Bench], Awaitable[None]]] = {
    "alone": alone,
    "long_alone": long_alone,
    "followup": followup,
    "together": together,
    "short_beside_long": short_beside_long,
    "pause": pause,
    "stop": stop,
    "full_cache": full_cache,
}


async def measure(benches: Sequence[Bench], scenarios: Sequence[str], repeat: int, say: Callable[[str], None]) -> None:
    """Run the scenarios on all engines, side by side: what disturbs the machine meanwhile disturbs each alike."""
    for number in range(1, repeat + 1):
        for scenario in scenarios:
            for bench in benches:
                began_s = time.perf_counter()
                await SCENARIOS[scenario](bench)
                say(f"{number} of {repeat}: {scenario}, {bench.name}: {time.perf_counter() - began_s:.1f} s")
