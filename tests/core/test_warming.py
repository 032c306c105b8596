"""Warming between the turns of real conversations, on a real database, with an engine that plays scripts."""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

import bot
from bot.core.chat import Chat, ChatLimits
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import ConversationKey, Question, TurnState
from bot.core.phi3 import Phi3Tokenizer
from bot.core.prompt import PromptBuilder
from bot.engine.echo import EchoBackend, Fail, Hang, Say
from bot.engine.executor import ThreadedEngine

DEMO = Path(bot.__file__).parent / "demo_model"
INFO = EngineInfo("echo", "Echo", "none", 400, 2, caches_prefixes=True)
ADA = ConversationKey(channel_id=10, user_id=1)
BEN = ConversationKey(channel_id=10, user_id=2)
message_ids = itertools.count(1000)


class Scripted:
    """A chat whose engine answers every question alike, and plays what it is told when a prefix is warmed."""

    def __init__(self, folder):
        self.folder = folder
        self.tokenizer = Phi3Tokenizer.load(DEMO)
        self.to_warm = [Say(self.tokenizer.encode("never shown"))]
        self.to_say = [Say(self.tokenizer.encode("this is an answer of a few words " * 3))]
        self.warmed = []  # prompts, in order
        self.asked = []
        self.heard = asyncio.Event()

    async def __aenter__(self):
        self.history = await History.open(self.folder / "phibot.sqlite3")
        return self

    async def __aexit__(self, *_exc):
        await self.chat.aclose()
        await self.engine.aclose()
        await self.history.aclose()

    def begin(self, info=INFO):
        loop = asyncio.get_running_loop()

        def play(request):
            is_warming = request.max_new_tokens == 1
            loop.call_soon_threadsafe(self._hear, self.warmed if is_warming else self.asked, request.prompt_ids)
            return self.to_warm if is_warming else self.to_say

        self.engine = ThreadedEngine(lambda _report: EchoBackend(info, play), info)
        self.engine.start()
        limits = ChatLimits(max_new_tokens=50, per_user_per_minute=1000)
        self.chat = Chat(self.history, self.tokenizer, self.engine, system_prompt="Be kind.", limits=limits)
        self.prompts = PromptBuilder(
            self.history,
            self.tokenizer,
            system_prompt="Be kind.",
            context_tokens=lambda: info.context_tokens,
            max_new_tokens=50,
        )
        return self

    def _hear(self, heard, prompt_ids):
        heard.append(prompt_ids)
        self.heard.set()

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                self.heard.clear()
                await self.heard.wait()

    async def idle(self):
        """Wait until nothing is left to warm."""
        async with asyncio.timeout(10):
            while any(task.get_name() == "warming" for task in asyncio.all_tasks()):
                await asyncio.sleep(0)

    async def ask(self, text="and what happened then?", key=ADA):
        return await self.chat.ask(Question(key, key.user_id, next(message_ids), text))

    async def answered(self, *question, **where):
        return await ended(await self.ask(*question, **where))

    async def fill(self, key=ADA):
        """Talk until the next question will cut; return the last turn."""
        async with asyncio.timeout(20):
            before = len(self.warmed)
            while True:
                turn = await self.answered(key=key)
                if await self.prompts.next_prefix(turn):
                    await self.until(lambda: len(self.warmed) > before)
                    return turn


async def ended(answer):
    async with asyncio.timeout(10):
        return [snapshot async for snapshot in answer][-1].turn


@pytest.fixture
async def world(tmp_path):
    async with Scripted(tmp_path) as scripted:
        yield scripted


async def test_the_prefix_of_a_turn_that_will_cut_is_computed_before_it_is_asked(world):
    world.begin()
    for _ in range(3):
        await world.fill()
        turn = await world.answered()
        assert turn.usage.dropped_turns > 0
        assert world.asked[-1][: len(world.warmed[-1])] == world.warmed[-1]
        assert len(world.asked[-1]) - len(world.warmed[-1]) == len(turn.question_ids) + 2
    assert len(world.warmed) == 3
    assert "never shown" not in "".join(t.answer for t in (await world.chat.history(ADA, 99)).turns)


async def test_an_engine_that_caches_no_prefixes_warms_none(world):
    world.begin(replace(INFO, caches_prefixes=False))
    turns = [await world.answered() for _ in range(25)]
    assert any(turn.usage.dropped_turns for turn in turns)
    assert world.warmed == []


async def test_nothing_is_warmed_while_somebody_is_answered(world):
    world.begin()
    world.to_say, said = [Hang()], world.to_say
    hanging = await world.ask("this takes long", BEN)
    await world.until(lambda: world.asked)
    world.to_say = said
    while not await world.prompts.next_prefix(await world.answered()):
        pass
    assert world.warmed == []
    await world.chat.stop(BEN)
    await ended(hanging)
    await world.until(lambda: world.warmed)


async def test_a_question_ends_the_warming_at_once_and_it_is_taken_up_again_after_the_answer(world):
    world.begin()
    world.to_warm = [Hang()]
    await world.fill()
    for times in (1, 2, 3):
        assert len(world.warmed) == times
        assert world.chat.status().running == world.chat.status().waiting == 0
        assert (await world.answered("hello", BEN)).state is TurnState.DONE
        await world.until(lambda times=times: len(world.warmed) > times)
    assert len(set(world.warmed)) == 1


async def test_warming_stands_in_nobodys_way_where_there_is_one_slot_only(world):
    world.begin(replace(INFO, slots=1))
    world.to_warm = [Hang()]
    await world.fill()
    assert (await world.answered()).state is TurnState.DONE


@pytest.mark.parametrize("end", ["drain", "aclose"])
async def test_the_end_does_not_wait_for_the_warming(world, end):
    world.begin()
    world.to_warm = [Hang()]
    await world.fill()
    async with asyncio.timeout(20):
        await (world.chat.drain(1000) if end == "drain" else world.chat.aclose())
    assert "warming" not in [task.get_name() for task in asyncio.all_tasks()]
    assert len(world.warmed) == 1


async def test_a_message_that_is_known_already_interrupts_the_warming_only_for_as_long_as_that_takes_to_find_out(world):
    world.begin()
    world.to_warm = [Hang()]
    turn = await world.fill()
    await world.chat.ask(Question(ADA, 1, turn.question_message_ids[0], "again"))
    await world.until(lambda: len(world.warmed) == 2)


async def test_a_conversation_that_was_reset_is_not_warmed(world):
    world.begin()
    world.to_say, said = [Hang()], world.to_say
    hanging = await world.ask("this takes long", BEN)
    await world.until(lambda: world.asked)
    world.to_say = said
    while not await world.prompts.next_prefix(await world.answered()):
        pass
    await world.chat.reset(ADA)
    await world.chat.stop(BEN)
    await ended(hanging)
    await world.idle()
    assert world.warmed == []


async def test_a_warming_that_fails_harms_nobody_and_is_not_tried_again(world):
    world.begin()
    world.to_warm = [Fail()]
    await world.fill()
    await world.answered("hello", BEN)
    assert (await world.answered()).usage.dropped_turns > 0
    assert len(world.warmed) == 1
