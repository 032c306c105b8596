"""The soak: an engine process, a chat on a SQLite file, visitors in rounds, and a rest after each to look for leaks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benching.engines import Choice, opened
from bot.core.chat import Chat, ChatLimits
from bot.core.history import History
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.process import EngineProcess
from soaking import verdict
from soaking.state import State, is_there, look
from soaking.visitors import ACTIONS, Action, Visitor, World, talk, visit

ROUNDS = 40
LONGEST_ROUND_S, SHORTEST_ROUND_S = 15.0, 1.0
REST_S = 120.0
"""How long what nobody waits for any more may take to end: answers that were walked away from among it."""

LOOK_S = 0.1
NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How to soak. `people` do something at once; the rest is as on the command line."""

    seconds: float
    seed: int
    choice: Choice
    people: int
    actions: Mapping[Action, int] = field(default_factory=lambda: ACTIONS)
    rest_s: float = REST_S

    @property
    def round_s(self) -> float:
        """How long visitors come before everybody rests."""
        return min(LONGEST_ROUND_S, max(SHORTEST_ROUND_S, self.seconds / ROUNDS))


@dataclass
class Found:
    """What the soak found; `fresh` before the first visitor, `rests` after each round."""

    plan: Plan
    began_s: float = field(default_factory=time.perf_counter)
    fresh: State | None = None
    rests: list[State] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    world: World | None = None
    is_interrupted: bool = False

    def report(self) -> dict[str, Any]:
        """Return everything as it goes into the JSON file."""
        tally = self.world.tally if self.world else None
        return {
            "seed": self.plan.seed,
            "engine": self.plan.choice.engine,
            "model": self.plan.choice.model.resolve().name,
            "people": self.plan.people,
            "seconds": round(time.perf_counter() - self.began_s, 1),
            "conversations": tally.conversations if tally else 0,
            "actions": dict(sorted(tally.actions.items())) if tally else {},
            "ends": dict(sorted(tally.ends.items())) if tally else {},
            "memory": verdict.memory(self.rests) if self.rests else {},
            "fresh": asdict(self.fresh) if self.fresh else None,
            "rests": [asdict(state) for state in self.rests],
            "leaked": self.leaked,
            "is_interrupted": self.is_interrupted,
        }


class Soak:
    """One soak under way."""

    def __init__(self, found: Found, chat: Chat, history: History, engine: EngineProcess, world: World) -> None:
        """Take the parts; none is closed here."""
        self.found, self.plan = found, found.plan
        self.chat, self.history, self.engine, self.world = chat, history, engine, world

    async def look(self) -> State:
        """Look at everything now."""
        at_s = time.perf_counter() - self.found.began_s
        return await look(self.chat, self.history, self.engine, at_s=at_s, conversations=self.world.tally.conversations)

    async def run(self, say: Callable[[str], None]) -> None:
        """Let visitors come in rounds until the time is over, then see that every slot still answers."""
        fresh = self.found.fresh = await self._first_look()
        await self._fill_every_slot()  # so that threads which are made when they are first needed are there
        until_s = time.perf_counter() + self.plan.seconds
        while time.perf_counter() < until_s and not self.found.leaked:
            await self._round(min(until_s, time.perf_counter() + self.plan.round_s))
            rest = await self._rest(fresh)
            self.found.leaked += self._leaked(self._left(fresh, rest))
            self.found.rests.append(rest)
            say(_line(rest))
        await self._fill_every_slot()
        self.found.leaked += verdict.memory_leaked(verdict.memory(self.found.rests))

    async def _first_look(self) -> State:
        """Look until nothing changes any more: the last connections of the start are made in the background."""
        before, now = None, await self.look()
        while before != (counts := (now.engine_tasks, now.engine_sockets, now.sockets, now.tasks)):
            await asyncio.sleep(LOOK_S)
            before, now = counts, await self.look()
        return now

    async def _round(self, until_s: float) -> None:
        def goes_on() -> bool:
            return time.perf_counter() < until_s

        async with asyncio.TaskGroup() as group:
            for _ in range(self.plan.people):
                group.create_task(visit(self.world, self.plan.actions, goes_on))

    async def _rest(self, fresh: State) -> State:
        """Wait until nothing is left, as long as that may take, and return the state then: no leak goes by itself."""
        give_up_s = time.perf_counter() + self.plan.rest_s
        while True:
            state = await self.look()
            if not self._left(fresh, state) or time.perf_counter() > give_up_s:
                return state
            await asyncio.sleep(LOOK_S)  # the other process can only be asked

    def _left(self, fresh: State, rest: State) -> list[str]:
        rests = [*self.found.rests, rest]
        # Each slot may have had a connection, and so may everybody who asks the engine past the chat's slots.
        connections = self.engine.info.slots + self.plan.people
        return verdict.leaked(fresh, rests[len(rests) // 3], rest, connections)

    def _leaked(self, left: list[str]) -> list[str]:
        found = list(left)
        found += [f"{count} times {what}" for what, count in self.world.tally.unexpected.items()]
        failures = sum(count for end, count in self.world.tally.ends.items() if ": Engine" in end)
        if (
            failures > self.world.tally.actions["connections cut"]
        ):  # an answer survives one cut, and fails at the second
            found.append(f"{failures} answers failed, more than connections were cut: {dict(self.world.tally.ends)}")
        return found

    async def _fill_every_slot(self) -> None:
        """Have as many people ask at once as there are slots: all of them must be answered."""
        before = self.world.tally.ends["done"]
        slots = self.engine.info.slots
        await asyncio.gather(*(talk(Visitor(self.world)) for _ in range(slots)))
        answered = self.world.tally.ends["done"] - before
        if answered != slots:
            self.found.leaked.append(f"only {answered} of {slots} slots still answer")


async def soak(found: Found, folder: Path, say: Callable[[str], None]) -> None:
    """Soak, close everything, and see that nothing is left of it. Cancelling ends it early. Raises: StartError."""
    loop = asyncio.get_running_loop()
    lost: list[str] = []
    loop.set_exception_handler(lambda _loop, context: lost.append(str(context.get("exception") or context["message"])))
    tasks_before = len(asyncio.all_tasks())
    async with _built(found, folder, say) as running:
        await running.run(say)
        pid = running.engine.pid
    if (left := len(asyncio.all_tasks()) - tasks_before) > 0:
        found.leaked.append(f"{left} tasks are left after everything was closed")
    if pid is not None and is_there(pid):
        found.leaked.append(f"the engine's process {pid} is left after everything was closed")
    found.leaked += [f"an exception that nobody took: {what}" for what in lost]


@asynccontextmanager
async def _built(found: Found, folder: Path, say: Callable[[str], None]) -> AsyncIterator[Soak]:
    plan = found.plan
    async with AsyncExitStack() as closing:
        history = await History.open(folder / "phibot.sqlite3")
        closing.push_async_callback(history.aclose)
        engine = await closing.enter_async_context(opened(plan.choice, say, in_process=True))
        assert isinstance(engine, EngineProcess)  # noqa: S101 - in a process of its own
        tokenizer = Phi3Tokenizer.load(plan.choice.model)
        limits = ChatLimits(per_user_per_minute=NO_LIMIT)
        chat = Chat(history, tokenizer, engine, system_prompt="You are a helpful AI assistant.", limits=limits)
        closing.push_async_callback(chat.aclose)
        found.world = World(chat, engine, tokenizer, random.Random(plan.seed))
        yield Soak(found, chat, history, engine, found.world)


def _line(state: State) -> str:
    return (
        f"{state.at_s:6.0f} s  {state.conversations:6d} conversations  bot {state.rss_mb:.1f} MB, {state.tasks} tasks, "
        f"{state.files + state.sockets} files  engine {state.engine_rss_mb:.1f} MB, {state.engine_tasks} tasks, "
        f"{state.engine_files + state.engine_sockets} files"
    )
