"""Shared rooms: who has which conversation, what each person's words do in it, and threads that carry one on."""

import asyncio
import itertools
from contextlib import AsyncExitStack

import pytest

from bot.core.chat import Chat, Phase, Taken
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.engine.echo import EchoBackend, Hang, Say
from bot.engine.executor import ThreadedEngine

INFO = EngineInfo("echo", "Echo", "none", 400, 4)
ADA, BEN = 1, 2
GUILD, CHANNEL, THREAD = 7, 10, 11
NAMES = {ADA: "Ada", BEN: "Ben"}
message_ids = itertools.count(1000)


@pytest.fixture
async def world(tmp_path, tokenizer):
    async with AsyncExitStack() as closing:
        yield World(tmp_path / "phibot.sqlite3", tokenizer, closing)


class World:
    """Starts chats on one database, and keeps the prompts of their questions."""

    def __init__(self, database, tokenizer, closing):
        self.database, self.tokenizer, self.closing = database, tokenizer, closing
        self.prompts = []
        self.plan = [Say(tokenizer.encode("fine"))]

    async def start(self):
        process = await self.closing.enter_async_context(AsyncExitStack())
        self.history = await History.open(self.database)
        process.push_async_callback(self.history.aclose)
        engine = ThreadedEngine(lambda _report: EchoBackend(INFO, self._play), INFO)
        process.push_async_callback(engine.aclose)
        engine.start()
        chat = Chat(self.history, self.tokenizer, engine, system_prompt="")
        process.push_async_callback(chat.aclose)
        await chat.resume()
        self.stop = process.aclose
        return chat

    def _play(self, request):
        self.prompts.append(self.tokenizer.decode(request.prompt_ids))
        return self.plan

    async def ask(self, chat, text, *, user_id=ADA, channel_id=CHANNEL):
        key = chat.key_for(channel_id, user_id, GUILD)
        return await chat.ask(Question(key, user_id, next(message_ids), text, author_name=NAMES[user_id]))

    async def exchange(self, chat, text, **where):
        answer = await self.ask(chat, text, **where)
        async with asyncio.timeout(10):
            return [snapshot async for snapshot in answer][-1].turn


async def test_a_shared_channel_is_one_conversation_in_which_the_model_knows_who_speaks(world):
    chat = await world.start()
    assert await chat.set_shared(CHANNEL, GUILD, shared=True)
    await world.exchange(chat, "I like tea")
    turn = await world.exchange(chat, "me too", user_id=BEN)
    assert world.prompts[-1] == "Ada: I like tea fine Ben: me too"
    assert (turn.question, turn.asked) == ("Ben: me too", "me too")
    assert turn.key == ConversationKey(CHANNEL, None, GUILD)


async def test_elsewhere_each_has_a_conversation_and_the_name_is_not_told(world):
    chat = await world.start()
    await chat.set_shared(THREAD, GUILD, shared=True)
    await world.exchange(chat, "I like tea")
    await world.exchange(chat, "me too", user_id=BEN)
    assert world.prompts == ["I like tea", "me too"]


async def test_what_is_shared_survives_a_restart_and_ends_when_it_is_made_private(world):
    chat = await world.start()
    assert await chat.set_shared(CHANNEL, GUILD, shared=True)
    assert not await chat.set_shared(CHANNEL, GUILD, shared=True)
    await world.exchange(chat, "in the room")
    await world.stop()
    chat = await world.start()
    assert chat.is_shared(CHANNEL)
    assert not chat.is_shared(THREAD)
    assert await chat.set_shared(CHANNEL, GUILD, shared=False)
    assert chat.key_for(CHANNEL, ADA, GUILD) == ConversationKey(CHANNEL, ADA)
    await world.exchange(chat, "alone")
    assert world.prompts[-1] == "alone"
    await chat.set_shared(CHANNEL, GUILD, shared=True)
    await world.exchange(chat, "again", user_id=BEN)
    assert world.prompts[-1] == "Ada: in the room fine Ben: again"


async def test_waiting_questions_of_two_people_do_not_join(world):
    chat = await world.start()
    await chat.set_shared(CHANNEL, GUILD, shared=True)
    world.plan = [Hang()]
    running = await world.ask(chat, "first")
    async with asyncio.timeout(10):
        async for snapshot in running:
            if snapshot.phase is Phase.ANSWERING:
                break
    world.plan = [Say(world.tokenizer.encode("fine"))]
    adas, bens = await world.ask(chat, "Ada's"), await world.ask(chat, "Ben's", user_id=BEN)
    assert await world.ask(chat, "Ben's too", user_id=BEN) is Taken.JOINED
    running.stop()
    ends = [[snapshot async for snapshot in answer][-1].turn for answer in (adas, bens)]
    assert [turn.question for turn in ends] == ["Ada: Ada's", "Ben: Ben's\nBen: Ben's too"]


async def test_resetting_everything_of_one_person_leaves_shared_rooms_alone(world):
    chat = await world.start()
    await chat.set_shared(CHANNEL, GUILD, shared=True)
    await world.exchange(chat, "in the room")
    await world.exchange(chat, "alone", channel_id=THREAD)
    assert await chat.reset_everywhere(ADA) == 1
    await world.exchange(chat, "and now?")
    assert world.prompts[-1] == "Ada: in the room fine Ada: and now?"
    assert await chat.reset(ConversationKey(CHANNEL, None))
    await world.exchange(chat, "anew")
    assert world.prompts[-1] == "Ada: anew"


async def test_resetting_everything_of_one_person_does_not_stop_their_answer_in_a_shared_room(world):
    chat = await world.start()
    await chat.set_shared(CHANNEL, GUILD, shared=True)
    world.plan = [Hang()]
    in_room, alone = await world.ask(chat, "in the room"), await world.ask(chat, "alone", channel_id=THREAD)
    await chat.reset_everywhere(ADA)
    async with asyncio.timeout(10):
        assert [snapshot async for snapshot in alone][-1].turn.state == "stopped"
    assert in_room.stop()


async def test_a_thread_carries_a_conversation_on_and_both_then_go_their_own_ways(world):
    chat = await world.start()
    await world.exchange(chat, "I like tea")
    source, target = chat.key_for(CHANNEL, ADA, GUILD), chat.key_for(THREAD, ADA, GUILD)
    assert await chat.carry_over(source, target)
    await world.exchange(chat, "in the thread", channel_id=THREAD)
    assert world.prompts[-1] == "I like tea fine in the thread"
    await world.exchange(chat, "in the channel")
    assert world.prompts[-1] == "I like tea fine in the channel"
    assert not await chat.carry_over(source, target)  # it has begun
    assert [turn.asked for turn in (await chat.history(target, 9)).turns] == ["I like tea", "in the thread"]
    await chat.reset(source)
    await world.exchange(chat, "still there?", channel_id=THREAD)
    assert world.prompts[-1].startswith("I like tea fine")


async def test_there_is_nothing_to_carry_over_from_a_conversation_that_never_began(world):
    chat = await world.start()
    assert not await chat.carry_over(chat.key_for(CHANNEL, ADA, GUILD), chat.key_for(THREAD, ADA, GUILD))


async def test_a_question_in_the_thread_does_not_join_the_one_that_waits_in_the_channel(world):
    chat = await world.start()
    world.plan = [Hang()]
    waiting = await world.ask(chat, "in the channel")
    await chat.carry_over(chat.key_for(CHANNEL, ADA, GUILD), chat.key_for(THREAD, ADA, GUILD))
    in_thread = await world.ask(chat, "in the thread", channel_id=THREAD)
    assert in_thread.turn.parent_id == waiting.turn_id
    assert in_thread.turn.key == ConversationKey(THREAD, ADA)
    assert waiting.stop()
    assert in_thread.stop()
