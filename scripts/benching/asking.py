"""One request to an engine, with the time at which each of its tokens came."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from bot.core.engine import Engine, GenerationRequest

TIMEOUT_S = 1800.0


class Asked:
    """A request on its way. Times are `time.perf_counter()` seconds."""

    def __init__(
        self,
        engine: Engine,
        prompt_ids: tuple[int, ...],
        new_tokens: int,
        *,
        due_s: float | None = None,
        stream_interval_s: float = 0.0,
    ) -> None:
        """Send it now. `due_s`: when it should have been sent, if the loop was late."""
        self.started_s = time.perf_counter() if due_s is None else due_s
        self.prompt_ids = prompt_ids
        self.ids: list[int] = []
        self.marks: list[tuple[float, int]] = []  # when, and how many tokens came then
        self._news = asyncio.Event()
        # No stop ids: each answer is as long as it was asked to be.
        self._request = GenerationRequest(prompt_ids, new_tokens, frozenset(), stream_interval_s=stream_interval_s)
        self.task = asyncio.create_task(self._read(engine))

    async def _read(self, engine: Engine) -> None:
        try:
            async with aclosing(engine.generate(self._request)) as chunks:
                async for chunk in chunks:
                    if chunk.ids:
                        self.marks.append((time.perf_counter(), len(chunk.ids)))
                        self.ids.extend(chunk.ids)
                    self._news.set()
        finally:
            self._news.set()

    async def until(self, tokens: int) -> None:
        """Wait for so many tokens or the answer's end. Raises what the engine raised."""
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.ids) < tokens and not self.task.done():
                await self._news.wait()
                self._news.clear()
        if self.task.done():
            await self.task

    async def done(self) -> None:
        """Wait for the whole answer. Raises what the engine raised."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.task

    async def stop(self) -> None:
        """Close it, as Stop does, if it is still running."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    @property
    def first_token_s(self) -> float:
        """Seconds from the request to its first token."""
        return self.marks[0][0] - self.started_s

    @property
    def ended_s(self) -> float:
        """When the last token came."""
        return self.marks[-1][0]

    @property
    def decode_tok_per_s(self) -> float:
        """Tokens a second after the first."""
        (first_s, first), (last_s, _) = self.marks[0], self.marks[-1]
        return (len(self.ids) - first) / (last_s - first_s)

    @property
    def step_s(self) -> float:
        """The usual time between two tokens."""
        times = [at_s for at_s, _ in self.marks]
        return statistics.median(later - at_s for at_s, later in itertools.pairwise(times))

    def tokens_between(self, since_s: float, until_s: float) -> int:
        """Return how many tokens came then."""
        return sum(count for at_s, count in self.marks if since_s < at_s < until_s)

    def longest_pause_s(self, since_s: float, until_s: float) -> float:
        """Return the longest time between two tokens, looking at those that began before `until_s`, from `since_s`."""
        times = [at_s for at_s, _ in self.marks]
        pauses = itertools.pairwise(times)
        return max(later - at_s for at_s, later in pauses if later > since_s and at_s < until_s)


@asynccontextmanager
async def asking(*asked: Asked) -> AsyncIterator[None]:
    """Stop what is still running at the end of the block."""
    try:
        yield
    finally:
        for one in asked:
            await one.stop()


class Prompts:
    """Prompts of random words, no two of which have anything in common that a cache could find."""

    def __init__(self, model: Path, seed: int) -> None:
        """Take the ids of the words that the model in this folder knows."""
        definition = json.loads((model / "tokenizer.json").read_bytes())
        added = {token["id"] for token in definition["added_tokens"]}
        words = [number for token, number in definition["model"]["vocab"].items() if not token.startswith("<")]
        self._ids = [number for number in words if number not in added]
        self._random = random.Random(seed)

    def ids(self, tokens: int) -> tuple[int, ...]:
        """Return a new prompt."""
        return tuple(self._random.choices(self._ids, k=tokens))
