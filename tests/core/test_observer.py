"""What a chat tells whoever observes it: on a real database, with an engine that plays a script."""

import asyncio
import itertools
import sqlite3
from contextlib import AsyncExitStack
from contextlib import closing as closing_connection
from pathlib import Path

import pytest

import bot
from bot.core.chat import Chat, ChatLimits, Phase, Taken
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.echo import EchoBackend, Fail, Hang, Say
from bot.engine.executor import ThreadedEngine
from bot.errors import BotError, HistoryFailed

INFO = EngineInfo("echo", "Echo", "none", 400, 1)
ids = itertools.count(1)


class Listener:
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def asked(self, outcome):
        self.heard.append(("asked", outcome))

    def waited(self, wait_s):
        self.heard.append(("waited", wait_s))

    def began(self, prompt_tokens):
        self.heard.append(("began", prompt_tokens))

    def first_token(self, after_s):
        self.heard.append(("first_token", after_s))

    def generated(self, tokens):
        self.heard.append(("generated", tokens))

    def ended(self, outcome, answer_tokens):
        self.heard.append(("ended", outcome, answer_tokens))

    def of(self, name):
        return [words[0] if len(words) == 1 else tuple(words) for kind, *words in self.heard if kind == name]


class World:
    def __init__(self):
        self.listener = Listener()
        self.now_s = 0.0
        self.script = []

    async def start(self, database, closing, **limits):
        tokenizer = self.tokenizer = Phi3Tokenizer.load(Path(bot.__file__).parent / "demo_model")
        self.history = await History.open(database, clock=lambda: self.now_s)
        closing.push_async_callback(self.history.aclose)
        engine = ThreadedEngine(lambda _: EchoBackend(INFO, lambda _: self.script), INFO)
        closing.push_async_callback(engine.aclose)
        engine.start()
        self.chat = Chat(
            self.history,
            tokenizer,
            engine,
            system_prompt="Be kind.",
            limits=ChatLimits(**limits),
            observer=self.listener,
            clock=lambda: self.now_s,
            wall_clock=lambda: self.now_s,
        )
        closing.push_async_callback(self.chat.aclose)
        return self.chat

    def asked(self, text, user_id=1, message_id=None):
        return Question(ConversationKey(10, user_id), user_id, message_id or next(ids), text)


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def closing():
    async with AsyncExitStack() as stack:
        yield stack


async def end_of(answer):
    async with asyncio.timeout(10):
        return [snapshot async for snapshot in answer][-1]


async def until(answer, condition):
    async with asyncio.timeout(10):
        async for snapshot in answer:
            if condition(snapshot):
                return


async def test_an_answer_is_told_from_its_question_to_its_end_with_its_tokens(world, tmp_path, closing):
    chat = await world.start(tmp_path / "db", closing)
    words = world.tokenizer.encode("I am fine")
    world.script = [Say(words)]
    turn = (await end_of(await chat.ask(world.asked("how are you?")))).turn
    told = world.listener
    assert told.of("asked") == ["taken"]
    assert told.of("began") == [turn.usage.prompt_tokens]
    assert sum(told.of("generated")) == len(words)
    assert told.of("ended") == [("done", len(words))]
    assert len(told.of("waited")) == len(told.of("first_token")) == 1
    kinds = [kind for kind, *_ in told.heard if kind != "generated"]
    assert kinds.index("waited") < kinds.index("began") < kinds.index("first_token") < kinds.index("ended")


async def test_the_seconds_in_line_and_to_the_first_token_are_those_that_somebody_waited(world, tmp_path, closing):
    chat = await world.start(tmp_path / "db", closing)
    world.script = [Say(world.tokenizer.encode("one")), Hang()]
    first = await chat.ask(world.asked("one"))
    await until(first, lambda s: s.text)
    second = await chat.ask(world.asked("two", user_id=2))
    await until(second, lambda s: s.phase is Phase.WAITING and s.ahead == 0)
    await until_in_line(second)
    world.now_s += 30
    world.script = [Say(world.tokenizer.encode("two"))]
    first.stop()
    await end_of(second)
    assert world.listener.of("waited") == [0.0, 30.0]
    assert world.listener.of("first_token") == [0.0, 30.0]
    assert [outcome for outcome, _ in world.listener.of("ended")] == ["stopped", "done"]


async def until_in_line(answer):
    async with asyncio.timeout(10):
        while answer.lease is None:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("limits", "text", "outcome"),
    [({}, "", "empty"), ({}, "long " * 500, "too_long"), ({"max_waiting": 1}, "hi", "queue_full"),
     ({"per_user_per_minute": 1}, "hi", "too_many")],
)  # fmt: skip
async def test_a_refused_question_is_told_with_its_reason(world, tmp_path, closing, limits, text, outcome):
    chat = await world.start(tmp_path / "db", closing, **limits)
    world.script = [Hang()]
    running = await chat.ask(world.asked("first"))
    await until(running, lambda s: s.phase is Phase.ANSWERING)
    if outcome == "queue_full":
        await chat.ask(world.asked("second", user_id=2))
    with pytest.raises(BotError):
        await chat.ask(world.asked(text, user_id=3 if outcome != "too_many" else 1))
    assert world.listener.of("asked")[-1] == outcome
    running.stop()


async def test_joined_and_repeated_messages_failures_and_the_end_of_the_process_are_told_apart(
    world, tmp_path, closing
):
    chat = await world.start(tmp_path / "db", closing)
    world.script = [Fail()]
    await end_of(await chat.ask(world.asked("this fails", message_id=77)))
    assert await chat.ask(world.asked("this fails", message_id=77)) is Taken.BEFORE
    world.script = [Hang()]
    running = await chat.ask(world.asked("one"))
    await until(running, lambda s: s.phase is Phase.ANSWERING)
    await chat.ask(world.asked("two"))
    assert await chat.ask(world.asked("three")) is Taken.JOINED
    await chat.aclose()
    with pytest.raises(BotError):
        await chat.ask(world.asked("too late"))
    assert world.listener.of("asked") == ["taken", "repeated", "taken", "taken", "joined", "shutting_down"]
    assert [outcome for outcome, _ in world.listener.of("ended")] == ["failed", "interrupted", "interrupted"]


async def test_a_question_that_the_database_did_not_take_is_told_as_failed(world, tmp_path, closing):
    chat = await world.start(tmp_path / "db", closing)
    with closing_connection(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("DROP TABLE messages")
    with pytest.raises(HistoryFailed):
        await chat.ask(world.asked("hi"))
    assert world.listener.of("asked") == ["failed"]
