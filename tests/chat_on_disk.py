"""Chats on a real database and a real tokenizer, with an engine that plays scripts."""

import asyncio
import itertools
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import bot
from bot.core.chat import Chat, ChatLimits
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.engine.echo import EchoBackend, Say
from bot.engine.executor import ThreadedEngine

DEMO = Path(bot.__file__).parent / "demo_model"
INFO = EngineInfo("echo", "Echo", "none", 400, 4)
ADA, BEN = 1, 2
HERE = ConversationKey(channel_id=10, user_id=ADA)
THERE = ConversationKey(channel_id=11, user_id=ADA)
message_ids = itertools.count(1000)


class World:
    """Starts chats, one process's after the other, on the same database."""

    def __init__(self, database, tokenizer, closing):
        self.database, self.tokenizer, self.closing = database, tokenizer, closing
        self.prompts = []
        self.script = None
        self.now = 1_000_000.0
        self.monotonic = 0.0

    async def start(self, *, info=INFO, factory=None, tokenizer=None, sampling=None, lineup=None, **limits):
        process = await self.closing.enter_async_context(AsyncExitStack())
        history = await History.open(self.database, clock=lambda: self.now)
        process.push_async_callback(history.aclose)
        self.engine = ThreadedEngine(factory or (lambda _report: EchoBackend(info, self._play)), info, last_load_s=7.0)
        process.push_async_callback(self.engine.aclose)
        self.engine.start()
        chat = Chat(
            history,
            tokenizer or self.tokenizer,
            self.engine,
            system_prompt="Be kind.",
            sampling=sampling,
            limits=ChatLimits(**limits),
            lineup=lineup,
            clock=lambda: self.monotonic,
            wall_clock=lambda: self.now,
        )
        process.push_async_callback(chat.aclose)
        self.history, self.stop = history, process.aclose
        return chat

    async def kill(self, path):
        """Let the next chat find, at `path`, what is on the disk at this moment, as after a kill -9."""
        async with self.history.transaction():  # else the log could be emptied between the two files
            for end in ("", "-wal"):
                shutil.copy(f"{self.database}{end}", f"{path}{end}")
        await self.stop()
        self.database = path

    def _play(self, request):
        self.prompts.append(request)
        return self.script(request) if self.script else [Say(self.tokenizer.encode("fine"))]

    def say(self, *actions):
        """Play the same actions for every request; texts are encoded."""
        plan = [Say(self.tokenizer.encode(a)) if isinstance(a, str) else a for a in actions]
        self.script = lambda _request: plan

    def prompt(self, number=-1):
        return self.tokenizer.decode(self.prompts[number].prompt_ids)


def asked(text, key=HERE, user_id=ADA, message_id=None):
    return Question(key, user_id, message_id or next(message_ids), text)


async def end_of(answer):
    async with asyncio.timeout(10):
        return [snapshot async for snapshot in answer][-1]


async def until(answer, condition):
    async with asyncio.timeout(10):
        async for snapshot in answer:
            if condition(snapshot):
                return snapshot
    raise AssertionError("it never came")
