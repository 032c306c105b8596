"""Visitors who treat the bot as people and networks do: they ask, stop, reset, walk away, and connections are cut.

Each takes a few actions by chance and is never seen again. Knows nothing of what may leak.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
import stat
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from bot.core.chat import Answer, Chat, Phase
from bot.core.engine import Engine, GenerationRequest
from bot.core.messages import ConversationKey, Question
from bot.core.phi3 import Phi3Tokenizer
from bot.errors import BotError, QuestionRefused

ANSWER_S = 300.0
"""An answer that takes longer never ends."""

MOST_SNAPSHOTS = 20
WORDS = ("my name is Ada", "what is my name?", "hello", "my favourite colour is green", "ça va? 你好 🙂", "thank you")


@dataclass
class Tally:
    """What was done, and how answers ended."""

    conversations: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)


@dataclass
class World:
    """Where visitors go."""

    chat: Chat
    engine: Engine
    tokenizer: Phi3Tokenizer
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


class Visitor:
    """One person, in one channel after the other."""

    def __init__(self, world: World) -> None:
        """Come in, with an id that nobody had before."""
        self.world = world
        self.chance = world.chance
        self.user_id = next(world.ids)
        self.key = self._somewhere()
        self.is_new = True  # the next question opens a conversation: a channel's first, or the first after a reset

    def _somewhere(self) -> ConversationKey:
        return ConversationKey(next(self.world.ids), self.user_id)

    def move_on(self) -> None:
        """Go to a channel where nobody was before."""
        self.key, self.is_new = self._somewhere(), True

    def text(self) -> str:
        """Make up a question; one in ten is a long paste."""
        words = self.chance.choices(WORDS, k=self.chance.randint(20, 60) if self.chance.random() < 0.1 else 1)
        return ", ".join([*words, str(self.chance.randrange(10_000))])

    async def ask(self) -> Answer | None:
        """Ask; None when there is no answer to this question alone."""
        question = Question(self.key, self.user_id, next(self.world.ids), self.text())
        try:
            answer = await self.world.chat.ask(question)
        except QuestionRefused as exc:
            self.world.tally.ends[f"refused: {type(exc).__name__}"] += 1
            return None
        self.world.tally.conversations += self.is_new
        self.is_new = False
        return answer if isinstance(answer, Answer) else None

    async def watch(self, answer: Answer | None) -> None:
        """See the answer grow for a while, and then see no more of it."""
        snapshots = self.chance.randrange(MOST_SNAPSHOTS)
        if answer is None or not snapshots:
            return
        async with asyncio.timeout(ANSWER_S), aclosing(aiter(answer)) as growing:
            async for _ in growing:
                snapshots -= 1
                if not snapshots:
                    return

    async def read(self, answer: Answer | None) -> None:
        """Read the answer to its end."""
        if answer is None:
            return
        async with asyncio.timeout(ANSWER_S), aclosing(aiter(answer)) as growing:
            async for snapshot in growing:
                if snapshot.phase is Phase.ENDED and snapshot.turn is not None:
                    error = f": {type(snapshot.error).__name__}" if snapshot.error is not None else ""
                    self.world.tally.ends[f"{snapshot.turn.state}{error}"] += 1


# What visitors do -----------------------------------------------------------------------------------------------------


async def talk(visitor: Visitor) -> None:
    """Ask, and read the answer to its end."""
    await visitor.read(await visitor.ask())


async def talk_elsewhere(visitor: Visitor) -> None:
    """Open a conversation in another channel."""
    visitor.move_on()
    await talk(visitor)


async def burst(visitor: Visitor) -> None:
    """Ask three times before the first is answered; the last two may join."""
    answers = [await visitor.ask() for _ in range(3)]
    for answer in answers:
        await visitor.read(answer)


async def stop(visitor: Visitor) -> None:
    """Stop the answer somewhere, before it began or after."""
    answer = await visitor.ask()
    await visitor.watch(answer)
    await visitor.world.chat.stop(visitor.key)
    await visitor.read(answer)


async def reset(visitor: Visitor) -> None:
    """Have everything forgotten in the middle of an answer."""
    answer = await visitor.ask()
    await visitor.watch(answer)
    everywhere = visitor.chance.random() < 0.3
    await (
        visitor.world.chat.reset_everywhere(visitor.user_id) if everywhere else visitor.world.chat.reset(visitor.key)
    )
    await visitor.read(answer)
    visitor.is_new = True


async def walk_away(visitor: Visitor) -> None:
    """Read no further; the answer goes on by itself."""
    await visitor.watch(await visitor.ask())
    visitor.move_on()


async def look_back(visitor: Visitor) -> None:
    """Ask what the bot remembers."""
    await visitor.world.chat.history(visitor.key, 10)


async def close(visitor: Visitor) -> None:
    """Close the engine's generator itself in the middle, or before its first token."""
    tokenizer, limit = visitor.world.tokenizer, visitor.chance.randrange(MOST_SNAPSHOTS)
    prompt_ids = tokenizer.prompt((), [], tokenizer.encode(visitor.text()))
    request = GenerationRequest(prompt_ids, 100, tokenizer.stop_ids)
    try:
        async with asyncio.timeout(ANSWER_S), aclosing(visitor.world.engine.generate(request)) as chunks:
            async for _ in chunks:
                limit -= 1
                if limit <= 0:
                    break
    except BotError as exc:
        visitor.world.tally.ends[f"closed: {type(exc).__name__}"] += 1
    else:
        visitor.world.tally.ends["closed"] += 1


async def cut(visitor: Visitor) -> None:
    """Cut one of the connections to the engine in the middle of an answer: this one's, another's, or an idle one."""
    answer = await visitor.ask()
    await visitor.watch(answer)
    if cut_a_connection(visitor.chance):
        visitor.world.tally.actions["connections cut"] += 1
    await visitor.read(answer)


Action = Callable[[Visitor], Awaitable[None]]

ACTIONS: Mapping[Action, int] = {
    talk: 4, talk_elsewhere: 2, burst: 1, stop: 3, reset: 2, walk_away: 2, look_back: 1, close: 3, cut: 1,
}  # fmt: skip
"""What is done, and how often one among the others."""


async def visit(world: World, actions: Mapping[Action, int], goes_on: Callable[[], bool]) -> None:
    """Let one visitor after the other do what chance says until `goes_on` says no."""
    while goes_on():
        visitor = Visitor(world)
        for _ in range(world.chance.randint(1, 6)):
            [action] = world.chance.choices(list(actions), weights=list(actions.values()))
            world.tally.actions[action.__name__] += 1
            try:
                await action(visitor)
            except TimeoutError:
                world.tally.unexpected[f"{action.__name__}: an answer did not end within {ANSWER_S:.0f} s"] += 1
            if not goes_on():
                break


def cut_a_connection(chance: random.Random) -> bool:
    """Shut down one of this process's TCP connections, as a broken network would; False if there is none."""
    connected = []
    for name in os.listdir("/proc/self/fd"):
        with_peer = _connected(int(name))
        connected += [with_peer] if with_peer is not None else []
    try:
        if not connected:
            return False
        chance.choice(connected).shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was faster
        return False
    else:
        return True
    finally:
        for twin in connected:
            twin.close()


def _connected(number: int) -> socket.socket | None:
    """Return a second handle on a descriptor if it is a TCP connection, None if it is anything else, or gone."""
    try:
        if not stat.S_ISSOCK(Path(f"/proc/self/fd/{number}").stat().st_mode):
            return None
        twin = socket.socket(fileno=os.dup(number))
    except OSError:
        return None
    try:
        if twin.family in (socket.AF_INET, socket.AF_INET6) and twin.getpeername():
            return twin
    except OSError:
        pass
    twin.close()
    return None
