"""Branches, edits, forgetting, versions and answers that go on: what people do to turns that are there already."""

from contextlib import AsyncExitStack

import pytest

from bot.core.chat import Phase, Taken
from bot.core.messages import ConversationKey, TurnState
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.echo import Fail, Hang
from bot.errors import (
    TurnGone,
)
from chat_on_disk import BEN, DEMO, HERE, THERE, World, asked, end_of, until

SECRET = "swordfish"


@pytest.fixture(scope="module")
def tokenizer():
    return Phi3Tokenizer.load(DEMO)


@pytest.fixture
async def world(tmp_path, tokenizer):
    async with AsyncExitStack() as closing:
        yield World(tmp_path / "phibot.sqlite3", tokenizer, closing)


async def exchange(chat, text, key=HERE, *, message_id=None, parent_id=None):
    """Ask and wait for the end; return the turn."""
    question = asked(text, key, key.user_id, message_id)
    return (await end_of(await chat.ask(question, parent_id=parent_id))).turn


async def running(world, chat, text, said="so far", **where):
    """Ask a question whose answer does not end by itself."""
    world.say(said, Hang())
    answer = await chat.ask(asked(text, **where))
    await until(answer, lambda s: s.text == said)
    return answer


def on_disk(world, text):
    """Tell whether a text, or its token ids, stand anywhere in the database's files."""
    everything = b"".join(file.read_bytes() for file in world.database.parent.glob(f"{world.database.name}*"))
    ids = b"".join(number.to_bytes(4, "little") for number in world.tokenizer.encode(text))
    return text.encode() in everything or ids in everything


# Branching


async def test_a_reply_to_an_older_turn_goes_on_from_there_and_later_questions_follow_the_reply(world):
    chat = await world.start()
    first = await exchange(chat, "first")
    await exchange(chat, "second")
    branch = await exchange(chat, "other second", parent_id=first.id)
    assert branch.parent_id == first.id
    assert "first" in world.prompt()
    assert "other" in world.prompt()
    await exchange(chat, "third")
    assert [turn.question for turn in (await chat.history(HERE, 9)).turns] == ["first", "other second", "third"]


async def test_a_turn_of_somebody_elses_conversation_is_no_place_to_go_on_from(world):
    chat = await world.start()
    bens = await exchange(chat, "mine", ConversationKey(10, BEN))
    for parent_id in (bens.id, 404):
        with pytest.raises(TurnGone):
            await chat.ask(asked("hello"), parent_id=parent_id)
    assert await chat.history(HERE, 9) == await chat.history(THERE, 9)


async def test_a_branch_from_a_failed_turn_knows_what_was_before_it(world):
    chat = await world.start()
    await exchange(chat, "first")
    world.say(Fail())
    failed = await exchange(chat, "fails")
    world.say("fine")
    await exchange(chat, "again", parent_id=failed.id)
    assert "first" in world.prompt()
    assert "fails" not in world.prompt()


async def test_a_turn_is_found_by_its_question_and_by_its_answers_messages(world):
    chat = await world.start()
    turn = await exchange(chat, "hello", message_id=5)
    await chat.shown(turn.id, [50, 51])
    for message_id in (5, 50, 51):
        assert (await chat.turn_of_message(message_id)).id == turn.id
    assert await chat.turn(turn.id) == await chat.turn_of_message(5)
    assert await chat.turn_of_message(6) is await chat.turn(404) is None


# Stop and leave


async def test_one_turn_is_stopped_and_no_other(world):
    chat = await world.start()
    mine = await running(world, chat, "one")
    other = await running(world, chat, "two", key=THERE)
    assert await chat.stop_turn(mine.turn_id)
    ended = await end_of(mine)
    assert (ended.turn.state, ended.text) == (TurnState.STOPPED, "so far")
    assert other.phase is Phase.ANSWERING
    assert not await chat.stop_turn(mine.turn_id)


async def test_who_leaves_the_queue_gets_no_answer_and_no_later_prompt_contains_the_question(world):
    chat = await world.start()
    first = await running(world, chat, "one")
    waiting = await chat.ask(asked("never mind"))
    assert await chat.stop_turn(waiting.turn_id)
    ended = await end_of(waiting)
    assert (ended.turn.state, ended.text) == (TurnState.STOPPED, "")
    world.say("fine")
    await chat.stop_turn(first.turn_id)
    await exchange(chat, "two")
    assert "never mind" not in world.prompt()
    assert "so far" in world.prompt()


# Edits


async def test_an_edited_question_is_asked_again_in_place_and_later_turns_leave_the_path(world):
    chat = await world.start()
    first = await exchange(chat, "the color red", message_id=5)
    await chat.shown(first.id, [50])
    later = await exchange(chat, "and then?")
    world.say("other")
    answer = await chat.edit(asked("the colour blue", message_id=5))
    ended = (await end_of(answer)).turn
    assert (ended.id, ended.question, ended.answer, ended.edits) == (first.id, "the colour blue", "other", 1)
    assert ended.answer_message_ids == (50,)
    assert "red" not in world.prompt()
    assert "and then" not in world.prompt()
    await exchange(chat, "next")
    assert [turn.question for turn in (await chat.history(HERE, 9)).turns] == ["the colour blue", "next"]
    await exchange(chat, "on from later", parent_id=later.id)
    assert "blue" in world.prompt()
    assert "and then?" in world.prompt()


async def test_nothing_of_the_old_words_nor_of_their_answer_stays_on_the_disk(world):
    chat = await world.start()
    world.say(f"you said {SECRET}")
    await exchange(chat, f"my password is {SECRET}", message_id=5)
    assert on_disk(world, SECRET)
    world.say("fine")
    answer = await chat.edit(asked("never mind", message_id=5))
    assert not on_disk(world, SECRET)
    await end_of(answer)
    assert not on_disk(world, SECRET)


async def test_an_edit_while_the_answer_grows_stops_it_and_nothing_of_it_leaks_into_the_new_one(world):
    chat = await world.start()
    answer = await running(world, chat, f"about {SECRET}", said=f"{SECRET} is", message_id=5)
    waiting = await chat.ask(asked("and then?"))
    world.say("it is blue")
    assert await chat.edit(asked("about the sky", message_id=5)) is Taken.JOINED
    ended = await end_of(answer)
    assert (ended.turn.state, ended.text, ended.edits) == (TurnState.DONE, "it is blue", 1)
    assert SECRET not in world.prompt(1)
    follow_up = (await end_of(waiting)).turn  # it kept its place behind
    assert follow_up.parent_id == ended.turn.id
    assert "it is blue" in world.prompt(2)
    assert len(world.prompts) == 3
    assert not on_disk(world, SECRET)
    assert [turn.id for turn in (await chat.history(HERE, 9)).turns] == [ended.turn.id, follow_up.id]


async def test_an_edit_of_a_waiting_question_replaces_its_words_and_keeps_its_place(world):
    chat = await world.start()
    first = await running(world, chat, "one")
    waiting = await chat.ask(asked("too", message_id=5))
    assert await chat.edit(asked("two", message_id=5)) is Taken.JOINED
    assert await chat.ask(asked("three")) is Taken.JOINED  # it can still be joined
    world.say("fine")
    await chat.stop_turn(first.turn_id)
    assert (await end_of(waiting)).turn.question == "two\nthree"
    assert len(world.prompts) == 2
