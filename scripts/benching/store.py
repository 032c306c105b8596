"""The store, as it grows: loading a prompt's turns, appending a question, cutting a window that is full.

Owns a database file of made-up conversations. Long ones have been cut as the bot cuts them (`bot.core.context`), and
one path is very long; what is measured goes through `History` and `PromptBuilder`, as the bot's own reads and writes.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from benching.measures import Results, percentile
from bot.core._rows import pack_ids
from bot.core.history import History
from bot.core.messages import ConversationKey, Question, Turn, TurnState, Usage
from bot.core.phi3 import Phi3Tokenizer
from bot.core.prompt import PromptBuilder

CONTEXT_TOKENS, MAX_NEW_TOKENS = 4096, 1024
QUESTION_TOKENS, ANSWER_TOKENS = 20, 100  # 124 with role tokens: 24 exchanges fit beside the room for an answer
WINDOW_FULL, WINDOW_CUT = 25, 16  # exchanges: where the next turn must cut, and what stays
CONVERSATION_TURNS = 45  # the next turn of such a conversation cuts
PATH_TURNS = 10_000
ROWS_AT_ONCE = 20_000
LOADS, APPENDS, CUTS = 300, 100, 20  # of each in a repetition
BYTES_PER_TURN = 2_500  # on disk, the log of what is being written included
ENGINE, DEEP = "sqlite", "sqlite, one path of {turns} turns"


@dataclass(frozen=True)
class Store:
    """A filled store. `heads` are keys whose next turn cuts; `path` is the very long conversation's turns."""

    history: History
    prompts: PromptBuilder
    turns: int
    heads: list[ConversationKey]
    path: range


async def measure(
    file: Path, tokenizer: Phi3Tokenizer, turns: int, repeat: int, results: Results, say: Callable[[str], None]
) -> None:
    """Fill a store of so many turns in a new file and measure it."""
    began_s = time.perf_counter()
    history = await History.open(file)
    try:
        heads, path = await _fill(history, tokenizer.sha256, turns)
        say(f"{turns} turns written in {time.perf_counter() - began_s:.0f} s")
        prompts = PromptBuilder(
            history,
            tokenizer,
            system_prompt="",
            context_tokens=lambda: CONTEXT_TOKENS,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        store = Store(history, prompts, turns, heads, path)
        for number in range(repeat):
            await _repetition(store, random.Random(number), results, number)
            say(f"{turns} turns, {number + 1} of {repeat}")
    finally:
        await history.aclose()


async def _repetition(store: Store, chance: random.Random, results: Results, number: int) -> None:
    messages = iter(range(10 * store.turns + 1_000_000 * (number + 1), 2**62))

    def record(name: str, seconds: list[float], engine: str = ENGINE) -> None:
        for percent in (50, 99):
            measure = f"{name}_p{percent}_ms"
            if measure != "cut_p50_ms":
                results.add(measure, 1000 * percentile(seconds, percent), engine=engine, users=store.turns)

    first = store.path.stop
    record("load", [await _load(store, chance.randrange(first, store.turns + 1)) for _ in range(LOADS)])
    deep = store.path[len(store.path) // 2 :]
    loads = [await _load(store, chance.choice(deep)) for _ in range(LOADS)]
    record("load", loads, DEEP.format(turns=len(store.path)))
    record("append", [await _append(store, chance.choice(store.heads), next(messages)) for _ in range(APPENDS)])
    if keys := store.heads[number * CUTS :][:CUTS]:  # each conversation's window is full once
        record("cut", [await _cut(store, key, next(messages)) for key in keys])


async def _load(store: Store, turn_id: int) -> float:
    """Load what a turn's prompt is made of."""
    began_s = time.perf_counter()
    turns = await store.history.path(turn_id)
    took_s = time.perf_counter() - began_s
    assert len(turns) <= WINDOW_FULL  # noqa: S101 - else the store is not what the figures say
    return took_s


async def _append(store: Store, key: ConversationKey, message_id: int) -> float:
    """Take a question, which is on the disk then, and end its turn."""
    began_s = time.perf_counter()
    accepted = await store.history.accept(_question(key, message_id))
    took_s = time.perf_counter() - began_s
    await _end(store, accepted.turn)
    return took_s


async def _cut(store: Store, key: ConversationKey, message_id: int) -> float:
    """Take a question in a conversation whose window is full: load it, cut it, record where."""
    accepted = await store.history.accept(_question(key, message_id))
    began_s = time.perf_counter()
    prompt = await store.prompts.build(accepted.turn)
    await store.history.begin(
        accepted.turn.id,
        question=accepted.turn.question,
        question_ids=prompt.question_ids,
        tokenizer="",
        window_from=prompt.window_from,
        seed=None,
    )
    took_s = time.perf_counter() - began_s
    assert prompt.dropped_turns  # noqa: S101 - else nothing was cut
    await _end(store, accepted.turn)
    return took_s


def _question(key: ConversationKey, message_id: int) -> Question:
    return Question(key, key.user_id or 0, message_id, "And what is the capital of the next one?")


async def _end(store: Store, turn: Turn) -> None:
    await store.history.finish(turn.id, state=TurnState.STOPPED, finish=None, answer="", answer_ids=(), usage=Usage())


# Filling ------------------------------------------------------------------------------------------------------------


async def _fill(history: History, tokenizer: str, turns: int) -> tuple[list[ConversationKey], range]:
    """Write the long path first, then conversations of equal length; return the keys that cut next, and the path."""
    path_turns = min(PATH_TURNS, turns // 2)
    lengths = [path_turns] + [CONVERSATION_TURNS] * ((turns - path_turns) // CONVERSATION_TURNS)
    if rest := turns - sum(lengths):
        lengths.append(rest)
    rows = _turns(lengths, tokenizer)
    async with history.transaction() as connection:
        await connection.executemany(
            "INSERT INTO conversations (id, channel_id, user_id, guild_id, created_at) VALUES (?, ?, ?, 1, 0)",
            [(number, number, number) for number in range(1, len(lengths) + 1)],
        )
    while batch := list(itertools.islice(rows, ROWS_AT_ONCE)):
        async with history.transaction() as connection:
            await _write(connection, batch)
    async with history.transaction() as connection:
        await connection.execute(
            "UPDATE conversations SET head_id = (SELECT max(id) FROM turns WHERE conversation_id = conversations.id)"
        )
    whole = [n for n, length in enumerate(lengths, 1) if n > 1 and length == CONVERSATION_TURNS]
    return [ConversationKey(number, number, 1) for number in whole], range(1, path_turns + 1)


def _turns(lengths: list[int], tokenizer: str) -> Iterator[tuple[object, ...]]:
    """Yield the rows of all turns: id, parent, window, conversation, user, tokenizer, texts and ids."""
    turn_id = 0
    question, answer = "What is the capital of the land that lies next to it? ", "It is the one that you know. " * 14
    question_ids, answer_ids = pack_ids(range(300, 300 + QUESTION_TOKENS)), pack_ids(range(300, 300 + ANSWER_TOKENS))
    for conversation, length in enumerate(lengths, 1):
        for place in range(length):
            turn_id += 1
            parent = turn_id - 1 if place else None
            window = turn_id - _window(place) if place >= WINDOW_FULL else None
            texts = (f"{question}{turn_id}", answer, question_ids, answer_ids)
            yield (turn_id, parent, window, conversation, conversation, tokenizer, *texts)


def _window(place: int) -> int:
    """Return how many turns before it are in the prompt of a conversation's turn, after cuts."""
    return WINDOW_CUT + (place - WINDOW_FULL) % (WINDOW_FULL - WINDOW_CUT + 1)


async def _write(connection: aiosqlite.Connection, batch: list[tuple[object, ...]]) -> None:
    await connection.executemany(
        "INSERT INTO turns (id, parent_id, window_from, conversation_id, user_id, tokenizer, question, answer,"
        " question_ids, answer_ids, state, finish, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'done', 'stop', 0)",
        batch,
    )
    await connection.executemany(
        "INSERT INTO messages (message_id, turn_id, kind, position, author_id, text) VALUES (?, ?, ?, 0, ?, ?)",
        [
            message
            for turn_id, _, _, _, user_id, _, question, *_ in batch
            for message in (
                (2 * turn_id, turn_id, "question", user_id, question),
                (2 * turn_id + 1, turn_id, "answer", None, None),
            )
        ],
    )
