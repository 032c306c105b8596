"""Summaries: what takes the place of what was said, when, and what happens when it fails or its words are forgotten."""

import asyncio
import itertools
from contextlib import AsyncExitStack

import pytest

from bot.core.chat import Chat, ChatLimits, Phase
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, Receipt, Sampling, TurnState
from bot.core.observer import NOBODY
from bot.core.summaries import INSTRUCTION
from bot.core.visitor import Visitor
from bot.engine.echo import EchoBackend, Fail, Hang, Say
from bot.engine.executor import ThreadedEngine
from bot.errors import NothingToContinue, NothingToSummarize, TooManyQuestions

INFO = EngineInfo("echo", "Echo", "none", 400, 4, revision="abc")
ADA, BEN = 1, 2
HERE = ConversationKey(channel_id=10, user_id=ADA)
ROOM = ConversationKey(channel_id=11, user_id=None)
SUMMARY = "Ada likes tea"
message_ids = itertools.count(1000)


@pytest.fixture
async def world(tmp_path, tokenizer):
    async with AsyncExitStack() as closing:
        yield World(tmp_path / "phibot.sqlite3", tokenizer, closing)


class World:
    """Starts chats on one database; the engine answers "fine", and asked to sum up, whatever `self.summary` plays."""

    def __init__(self, database, tokenizer, closing):
        self.database, self.tokenizer, self.closing = database, tokenizer, closing
        self.requests = []
        self.summary = [Say(tokenizer.encode(SUMMARY))]

    async def start(self, *, observer=NOBODY, **limits):
        process = await self.closing.enter_async_context(AsyncExitStack())
        self.history = await History.open(self.database)
        process.push_async_callback(self.history.aclose)
        engine = ThreadedEngine(lambda _report: EchoBackend(INFO, self._play), INFO)
        process.push_async_callback(engine.aclose)
        engine.start()
        limits = ChatLimits(**{"max_new_tokens": 64, "per_user_per_minute": 1000, **limits})
        self.chat = Chat(self.history, self.tokenizer, engine, system_prompt="", limits=limits, observer=observer)
        process.push_async_callback(self.chat.aclose)
        await self.chat.resume()
        self.stop = process.aclose
        return self.chat

    def _play(self, request):
        self.requests.append(request)
        is_summary = self.prompt().endswith(INSTRUCTION)
        return self.summary if is_summary else [Say(self.tokenizer.encode("fine"))]

    def prompt(self):
        return self.tokenizer.decode(self.requests[-1].prompt_ids)

    async def exchange(self, words, key=HERE, user_id=ADA):
        message_id = next(message_ids)
        return await end_of(await self.chat.ask(Question(key, user_id, message_id, words)))

    async def summarize(self, key=HERE, user_id=None):
        visitor = None if user_id is None else Visitor(user_id)
        return await end_of(await self.chat.summarize(key, visitor))


async def end_of(answer):
    async with asyncio.timeout(10):
        return [snapshot async for snapshot in answer][-1].turn


async def test_a_summary_takes_the_place_of_what_it_covers_right_after_the_system_prompt(world):
    chat = await world.start()
    await world.exchange("I like tea")
    await world.exchange("and milk")
    before = await chat.context_of(HERE)
    summary = await world.summarize()
    assert world.prompt() == f"I like tea fine and milk fine {INSTRUCTION}"
    assert (summary.answer, summary.state, summary.usage.dropped_turns) == (SUMMARY, TurnState.DONE, 0)
    await world.exchange("what do I like?")
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} what do I like?"
    counted = await chat.context_of(HERE)
    assert [turn.turn.asked for turn in counted.turns] == ["what do I like?"]
    assert counted.summary.answer == SUMMARY
    assert counted.summary_tokens == world.tokenizer.exchange_tokens((summary.question_ids, summary.answer_ids))
    assert (before.dropped_turns, counted.dropped_turns) == (0, 2)
    remembered = await chat.history(HERE, 9)
    assert [turn.asked for turn in remembered.turns] == ["what do I like?"]
    assert (remembered.summary, remembered.forgotten) == (SUMMARY, 2)


async def test_the_next_summary_is_made_of_the_one_before_and_takes_its_place(world):
    await world.start()
    await world.exchange("I like tea")
    await world.summarize()
    await world.exchange("and milk")
    await world.summarize()
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} and milk fine {INSTRUCTION}"
    await world.exchange("so?")
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} so?"


async def test_a_pinned_turn_stays_as_it_was_said_beside_the_summary_that_covers_it(world):
    chat = await world.start()
    await chat.pin((await world.exchange("I like tea")).id, True)
    await world.exchange("and milk")
    await world.summarize()
    await world.exchange("so?")
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} I like tea fine so?"


async def test_a_summary_survives_later_cuts_and_the_counts_are_those_of_the_prompt(world):
    chat = await world.start()
    await world.exchange("I like tea")
    await world.summarize()
    for number in range(20):
        before = await chat.context_of(HERE)
        turn = await world.exchange(f"question {number} of quite a few more words than that")
        tokens = len(world.requests[-1].prompt_ids)
        if not turn.usage.dropped_turns:
            assert tokens == before.used_tokens + world.tokenizer.question_tokens(turn.question_ids)
        assert world.prompt().startswith(f"{INSTRUCTION} {SUMMARY} question")
    assert (await chat.context_of(HERE)).dropped_turns > 1


@pytest.mark.parametrize("ends", ["fails", "is stopped"])
async def test_a_summary_that_fails_or_is_stopped_leaves_everything_as_it_was(world, ends):
    chat = await world.start()
    await world.exchange("I like tea")
    half = Say(world.tokenizer.encode("Ada"))
    world.summary = [half, Fail()] if ends == "fails" else [half, Hang()]
    answer = await chat.summarize(HERE)
    async with asyncio.timeout(10):
        async for snapshot in answer:
            if snapshot.text and ends == "is stopped":
                answer.stop()
    await world.exchange("so?")
    assert world.prompt() == "I like tea fine so?"
    assert (await chat.context_of(HERE)).summary is None


async def test_a_question_asked_meanwhile_waits_for_the_summary_and_is_answered_with_it(world):
    chat = await world.start()
    await world.exchange("I like tea")
    summary = await chat.summarize(HERE)
    assert await chat.summarize(HERE) is summary
    await world.exchange("so?")
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} so?"


async def test_there_is_nothing_to_sum_up_before_anything_was_said_or_right_after_a_summary(world):
    chat = await world.start()
    with pytest.raises(NothingToSummarize):
        await chat.summarize(HERE)
    await world.exchange("I like tea")
    await world.summarize()
    with pytest.raises(NothingToSummarize):
        await chat.summarize(HERE)


async def test_a_summary_counts_as_a_question_of_its_asker(world):
    chat = await world.start(per_user_per_minute=2)
    await world.exchange("I like tea", ROOM)
    assert (await world.summarize(ROOM)).user_id == ADA
    with pytest.raises(TooManyQuestions):
        await world.exchange("one too many", ROOM)
    await world.exchange("me too", ROOM, BEN)
    assert (await world.summarize(ROOM, BEN)).user_id == BEN
    assert chat.status().waiting == 0


async def test_a_summary_that_a_restart_interrupts_is_made_by_the_next_process(world):
    chat = await world.start()
    await world.exchange("I like tea")
    world.summary = [Hang()]
    answer = await chat.summarize(HERE)
    async with asyncio.timeout(10):
        async for snapshot in answer:
            if snapshot.phase is Phase.ANSWERING:
                break
    await world.stop()
    world.summary = [Say(world.tokenizer.encode(SUMMARY))]
    await world.start()
    await world.exchange("so?")
    assert world.prompt() == f"{INSTRUCTION} {SUMMARY} so?"


async def test_what_does_not_fit_beside_the_instruction_stays_as_it_was_said(world):
    chat = await world.start()
    for _ in range(3):
        await world.exchange("word " * 95)
    assert len((await chat.context_of(HERE)).turns) == 3
    await world.summarize()
    await world.exchange("so?")
    assert world.prompt().startswith(f"{INSTRUCTION} {SUMMARY} word")
    assert [len(turn.turn.asked) > 100 for turn in (await chat.context_of(HERE)).turns] == [True, False]


async def test_a_full_window_is_summed_up_by_itself_before_it_is_cut_if_that_is_wanted(world):
    chat = await world.start(auto_summarize=True)
    turns = [await world.exchange(f"question {number} " + "of some words " * 5) for number in range(24)]
    assert all(turn.usage.dropped_turns == 0 for turn in turns)
    counted = await chat.context_of(HERE)
    assert counted.summary is not None
    assert 2 < len(counted.turns) < 24
    assert counted.dropped_turns == 24 - len(counted.turns)


class Closer(type(NOBODY)):
    """Closes a chat as soon as an answer has ended."""

    chat = closing = None

    def ended(self, outcome, answer_tokens):
        if self.closing is None:
            self.closing = asyncio.create_task(self.chat.aclose())


async def test_a_summary_that_begins_while_the_chat_is_being_closed_is_waited_for(world):
    chat = await world.start()
    while (await chat.context_of(HERE)).used_tokens < 265:
        await world.exchange("of some words " * 5)
    await world.stop()
    closer = Closer()
    closer.chat = await world.start(observer=closer, auto_summarize=True)
    await closer.chat.ask(Question(HERE, ADA, next(message_ids), "of some words " * 12))
    async with asyncio.timeout(10):
        while closer.closing is None:
            await asyncio.sleep(0.01)
        await closer.closing
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("turn ")] == []
    [summary] = await world.history.unfinished()
    assert (summary.summarizes is not None, summary.state) == (True, TurnState.INTERRUPTED)


async def test_by_default_nothing_is_summed_up_by_itself(world):
    chat = await world.start()
    turns = [await world.exchange(f"question {number} " + "of some words " * 5) for number in range(24)]
    assert any(turn.usage.dropped_turns for turn in turns)
    assert (await chat.context_of(HERE)).summary is None


@pytest.mark.parametrize("change", ["forgotten", "edited"])
async def test_when_words_are_forgotten_or_edited_the_summary_of_them_is_gone_and_the_others_are_back(world, change):
    chat = await world.start()
    first = await world.exchange("I like tea")
    second = await world.exchange("my secret is 42")
    await world.summarize()
    await world.exchange("so?")
    if change == "forgotten":
        await chat.forget_turn(second.id)
        await world.exchange("and now?")
        assert world.prompt() == "I like tea fine so? fine and now?"
    else:
        message_id = second.question_message_ids[0]
        await end_of(await chat.edit(Question(HERE, ADA, message_id, "I have none")))
        assert world.prompt() == "I like tea fine I have none"
    rows = await world.history.fetch("SELECT count(*) AS count FROM turns WHERE summarizes IS NOT NULL", {})
    assert rows[0]["count"] == 0
    assert (await chat.context_of(HERE)).summary is None
    assert (await chat.turn(first.id)).answer == "fine"


@pytest.mark.parametrize("change", ["forgotten", "edited"])
async def test_a_summary_that_is_being_made_of_words_that_go_is_stopped_and_never_counts(world, change):
    chat = await world.start()
    await world.exchange("I like tea")
    second = await world.exchange("my secret is 42")
    world.summary = [Say(world.tokenizer.encode("the secret")), Hang()]
    summary = await chat.summarize(HERE)
    async with asyncio.timeout(10):
        async for snapshot in summary:
            if snapshot.text:
                break
    if change == "forgotten":
        await chat.forget_turn(second.id)
    else:
        await end_of(await chat.edit(Question(HERE, ADA, second.question_message_ids[0], "I have none")))
    ended = await end_of(summary)
    assert (ended.state, ended.answer) == (TurnState.FORGOTTEN, "")
    await world.exchange("so?")
    between = "" if change == "forgotten" else "I have none fine "
    assert world.prompt() == f"I like tea fine {between}so?"


async def test_a_summary_that_its_length_cut_off_counts_and_does_not_go_on(world):
    chat = await world.start()
    await world.exchange("I like tea")
    world.summary = [Say(world.tokenizer.encode("Ada likes tea and " * 30))]
    summary = await world.summarize()
    assert summary.finish is Finish.LENGTH
    assert summary.usage.completion_tokens == 400 // 8
    with pytest.raises(NothingToContinue):
        await chat.go_on(summary.id)
    await world.exchange("so?")
    assert world.prompt() == f"{INSTRUCTION} {summary.answer.strip()} so?"


async def test_an_answer_has_a_receipt_of_how_it_was_made(world):
    await world.start()
    await world.exchange("I like tea")
    turn = await world.exchange("and milk")
    expected = Receipt("Echo", "abc", "none", "echo", Sampling(), turns_used=1)
    assert turn.receipt == expected
    assert (await world.history.turn(turn.id)).receipt == expected
    await world.summarize()
    assert (await world.exchange("so?")).receipt == Receipt("Echo", "abc", "none", "echo", Sampling(), 0, True)
