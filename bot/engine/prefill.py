"""Which prompt is computed next, and how much of it: long ones in pieces, so that short ones get in between.

Pure bookkeeping on token counts and hashes; knows nothing of the library that computes. It rests on the prefix cache: a
request of a prompt's first 64 ids, then one of its first 128, ... computes 64 new ones each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bot.engine.prefixes import SeenPrompts

BLOCK_TOKENS: Final = 32
"""The KV cache is given out and found again in whole blocks: of 32 tokens on a CPU, of 16 on a GPU."""

MOST_PASSED: Final = 2
"""Starts in a row that others get before the oldest prompt gets one."""

MOST_OVERTAKEN: Final = 8
"""Later requests that may take room in the KV cache before the first in line that needs more of it than is free."""

MOST_STALLS: Final = 2
"""Pieces whose predecessors had been thrown out of the cache again, until a prompt is given the rest in one go."""


def step_tokens_for(seconds_of: Callable[[int], float], *, beside: int, target_s: float, most: int) -> int:
    """Return how many tokens of a prompt to prefill in one step, that it take at most `target_s`: `most` or fewer.

    `seconds_of` times a step of so many tokens, `beside` of which are the other answers'. It is asked of ever larger
    steps, since the time jumps: on two cores 64 tokens took 0.9 s, 65 took 1.5 and 128 took 1.8. A step that takes too
    long is timed again, as something else may have held it up.
    """
    tokens = BLOCK_TOKENS
    while 2 * tokens <= most and any(seconds_of(2 * tokens + beside) <= target_s for _ in range(2)):
        tokens *= 2
    return tokens


def whole_blocks(tokens: int) -> int:
    """Return how many tokens the blocks have that hold so many."""
    return -(-tokens // BLOCK_TOKENS) * BLOCK_TOKENS


def chain(ids: Sequence[int]) -> tuple[int, ...]:
    """Return a hash for each whole block of `ids: (T,)`, of all ids up to its end: `(T // BLOCK_TOKENS,)`."""
    hashes, last = [], 0
    for end in range(BLOCK_TOKENS, len(ids) + 1, BLOCK_TOKENS):
        last = hash((last, tuple(ids[end - BLOCK_TOKENS : end])))
        hashes.append(last)
    return tuple(hashes)


class CachedPrefixes:
    """An estimate of what the prefix cache holds, which the library does not tell: the blocks used last.

    A wrong guess costs time and nothing else: what is thought new is found in the cache in one short step a piece, what
    is thought cached is computed in longer steps.
    """

    def __init__(self, cache_tokens: int) -> None:
        """Take how many tokens the cache holds."""
        self._most_blocks = cache_tokens // BLOCK_TOKENS
        # The hash of each block, the one used last at the end; and what followed where a sequence ended after it.
        self._tails: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    def remember(self, ids: Sequence[int]) -> None:
        """Note that a sequence `(T,)` was put into the cache, or found there, just now."""
        hashes = (0, *chain(ids))
        for block in hashes:
            self._tails.setdefault(block, ())
            self._tails.move_to_end(block)
        tail = tuple(ids[(len(hashes) - 1) * BLOCK_TOKENS :])
        if tail:
            self._tails[hashes[-1]] = tail
        while len(self._tails) > self._most_blocks + 1:
            self._tails.popitem(last=False)

    def known_tokens(self, prompt: Prompt) -> tuple[int, int]:
        """Return how many of a prompt's first tokens are there: in whole blocks, and with a half-filled one."""
        whole, last = 0, 0
        for block in prompt.chain:
            if block not in self._tails:
                break
            whole, last = whole + BLOCK_TOKENS, block
        tail = self._tails.get(last, ())
        return whole, whole + len(tail) * (prompt.ids[whole : whole + len(tail)] == tail)


@dataclass(eq=False, slots=True)
class Prompt:
    """A prompt that is not yet computed to its end."""

    id: int
    ids: tuple[int, ...]
    chain: tuple[int, ...]
    marks: frozenset[int]  # of the prompts that it continues
    reserved_tokens: int  # of the KV cache, for the prompt and the longest answer, in whole blocks
    fed_tokens: int = 0  # with its last piece
    stalls: int = 0
    passed: int = 0
    overtaken: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """What to compute next: the first `tokens` of a prompt, all of them if `is_whole`."""

    id: int
    tokens: int
    is_whole: bool


class Line:
    """Prompts in order of arrival, and the room in the KV cache that those have which were begun.

    A request is begun only if it fits in the cache to its end beside all others that were: in a full cache requests are
    recomputed again and again. What they have in common counts for each, since it may be in the cache or not.
    """

    def __init__(self, cache_tokens: int, step_tokens: int) -> None:
        """Take how many tokens the cache holds and how many to compute in one step: whole blocks."""
        self.step_tokens = step_tokens
        self.cached = CachedPrefixes(cache_tokens)
        self._cache_tokens = cache_tokens
        self._prompts: dict[int, Prompt] = {}
        self._held_tokens: dict[int, int] = {}  # of the requests begun, to their end
        self._seen = SeenPrompts()
        self._taken: dict[int, frozenset[int]] = {}  # the marks of the requests that were given whole

    @property
    def free_tokens(self) -> int:
        """Room in the KV cache that no request has."""
        return self._cache_tokens - sum(self._held_tokens.values())

    def join(self, number: int, ids: tuple[int, ...], max_new_tokens: int) -> None:
        """Put a request at the end of the line. It must fit in the cache if it is alone there."""
        reserved = whole_blocks(len(ids) + max_new_tokens)
        self._prompts[number] = Prompt(number, ids, chain(ids), self._seen.add(ids), min(reserved, self._cache_tokens))

    def leave(self, number: int) -> None:
        """Forget a request, wherever it is, and free its room."""
        self._prompts.pop(number, None)
        self._held_tokens.pop(number, None)
        self._taken.pop(number, None)

    def next(self) -> Start | None:
        """Choose what to compute next: of what may begin, the prompt with the least left to compute.

        The oldest gets at least every third start, however many shorter ones there are. A prompt with a piece or less
        left is given whole and leaves the line; its room it keeps.
        """
        prompts = list(self._startable())
        if not prompts:
            return None
        oldest, chosen = prompts[0], min(prompts, key=self._left)
        if oldest.passed >= MOST_PASSED or oldest.overtaken >= MOST_OVERTAKEN:
            chosen = oldest
        oldest.passed = 0 if chosen is oldest else oldest.passed + 1
        self._let_in(chosen)
        return self._start(chosen)

    def piece_done(self, number: int, steps: int) -> None:
        """Note that a prompt's last piece was computed, in `steps`; more than one: its predecessors were lost."""
        prompt = self._prompts.get(number)
        if prompt is not None:
            self.cached.remember(prompt.ids[: prompt.fed_tokens])
            prompt.stalls += steps > 1

    def _startable(self) -> Iterator[Prompt]:
        """Yield who may begin or go on, oldest first.

        None that continues the same earlier prompt as an answer that grows (docs/decisions.md): it would find the
        half-filled last block of that one's answer in the cache, and both would write into it.
        """
        free, first_too_large = self.free_tokens, None
        taken = frozenset[int]().union(*self._taken.values())
        for prompt in self._prompts.values():
            if prompt.marks & taken:
                continue
            if prompt.id in self._held_tokens:
                yield prompt
            elif prompt.reserved_tokens > free:
                first_too_large = first_too_large or prompt
            elif first_too_large is None or first_too_large.overtaken < MOST_OVERTAKEN:
                yield prompt

    def _left(self, prompt: Prompt) -> int:
        return len(prompt.ids) - self.cached.known_tokens(prompt)[1]

    def _let_in(self, chosen: Prompt) -> None:
        """Give a request its room, and count that against whoever waits longer and found none."""
        if chosen.id in self._held_tokens:
            return
        free = self.free_tokens
        for prompt in self._prompts.values():
            if prompt is chosen:
                break
            if prompt.id not in self._held_tokens and prompt.reserved_tokens > free:
                prompt.overtaken += 1
        self._held_tokens[chosen.id] = chosen.reserved_tokens

    def _start(self, prompt: Prompt) -> Start:
        whole, known = self.cached.known_tokens(prompt)
        prompt.stalls += whole < prompt.fed_tokens
        end = len(prompt.ids)
        if end - known > self.step_tokens and prompt.stalls < MOST_STALLS:
            # Where others left a half-filled block, a piece that goes beyond its end is not found again: fill it first.
            end = whole + (BLOCK_TOKENS if whole > prompt.fed_tokens else self.step_tokens)
        if end == len(prompt.ids):
            del self._prompts[prompt.id]
            self._taken[prompt.id] = prompt.marks
            return Start(prompt.id, end, is_whole=True)
        prompt.fed_tokens = end
        return Start(prompt.id, end, is_whole=False)
