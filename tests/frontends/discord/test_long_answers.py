"""Answers of more messages than anybody wants to scroll through, on a loopback Discord."""

import asyncio

import pytest

from bot.core.messages import Finish, TurnState
from bot.playground.permissions import Permission
from bot.texts import ANSWER_FILE, RUNNING_MARK, text

LONG = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(40)).strip()  # seven messages


def file_of(message):
    [attachment] = message.attachments
    assert attachment.filename == ANSWER_FILE
    return attachment.content.decode()


async def ended(world, question, words=LONG, **how):
    answer = await world.asked()
    world.chat.say(answer, words)
    world.chat.end(answer, **how)
    await world.frontend.finish_writers(10)
    return world.discord.answer_so_far(question)


@pytest.fixture
async def asked(world):
    """Return a question in a world that shows at most three messages."""
    world.chat.answers_itself = False
    await world.start(max_messages=3)
    return await world.ada.say(world.channel, "<@bot> tell me all")


async def test_the_whole_of_a_long_answer_is_a_file_below_its_last_message(world, asked):
    shown = await ended(world, asked)
    assert [len(message.attachments) for message in shown] == [0, 0, 1]
    assert file_of(shown[-1]) == LONG
    assert shown[-1].content.endswith("\n" + text("answer.as_file"))
    assert LONG.startswith(shown[0].content)
    assert all(len(message.content) <= 2000 for message in shown)


async def test_while_it_grows_no_more_messages_are_shown_than_in_the_end(world, asked):
    answer = await world.asked()
    for length in range(500, len(LONG), 500):
        world.chat.say(answer, LONG[:length])
        await asyncio.sleep(0)
    await world.discord.until(lambda: len(world.discord.answer_so_far(asked)) == 3)
    await world.discord.until(lambda: world.discord.answer_so_far(asked)[-1].content.endswith(RUNNING_MARK))
    assert not any(message.attachments for message in world.discord.answer_so_far(asked))
    shown = await ended(world, asked)
    assert len(shown) == 3
    assert file_of(shown[-1]) == LONG


async def test_what_fits_is_no_file(world, asked):
    shown = await ended(world, asked, "word " * 900)
    assert len(shown) == 3
    assert not any(message.attachments for message in shown)


async def test_the_file_and_the_other_lines_stand_together_below_the_answer(world, asked):
    shown = await ended(world, asked, finish=Finish.LENGTH, completion_tokens=900)
    assert shown[-1].content.endswith(f"\n{text('answer.as_file')}\n{text('answer.length', tokens=900)}")
    assert len(shown[-1].content) <= 2000


@pytest.mark.parametrize("fault", [{"status": 503}, {"close_connection": True}])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_call_that_is_made_again_doubles_no_file(world, asked, fault, method):
    answer = await world.asked()
    if method == "PATCH":  # the last message is there already, and gets the file in an edit
        world.chat.say(answer, LONG)
        await world.discord.until(lambda: len(world.discord.answer_so_far(asked)) == 3)
    order = world.discord.faults.add(method=method, path="/messages", times=3, after_effect=True, **fault)
    shown = await ended(world, asked)
    assert order.hits == 3
    assert [len(message.attachments) for message in shown] == [0, 0, 1]
    assert file_of(shown[-1]) == LONG


async def test_after_a_restart_the_file_is_not_doubled(world, asked):
    answer = await world.asked()
    shown = await ended(world, asked)
    left = world.chat.begin(answer.turn)  # an earlier process died before it could record the messages
    world.left_over = [left]
    await world.stop()
    await world.start(max_messages=3)
    world.chat.say(left, LONG)
    world.chat.end(left)
    await world.frontend.finish_writers(10)
    again = world.discord.answer_so_far(asked)
    assert [message.id for message in again] == [message.id for message in shown]
    assert [len(message.attachments) for message in again] == [0, 0, 1]


@pytest.mark.parametrize("is_shown", [True, False])
async def test_where_no_file_may_be_attached_the_answer_takes_more_messages(world, asked, is_shown):
    world.discord.state.set_overwrite(world.channel, world.discord.bot_role(world.guild), deny=Permission.ATTACH_FILES)
    answer = await world.asked()
    if is_shown:
        world.chat.say(answer, LONG)
        await world.discord.until(lambda: len(world.discord.answer_so_far(asked)) == 3)
    shown = await ended(world, asked)
    assert "".join("".join(message.content for message in shown).split()) == "".join(LONG.split())
    assert not any(message.attachments for message in shown)
    assert answer.ending is None


async def test_a_long_answer_that_was_stopped_is_a_file_too(world, asked):
    shown = await ended(world, asked, state=TurnState.STOPPED, finish=None)
    assert file_of(shown[-1]) == LONG
    assert text("answer.stopped") in shown[-1].content


async def test_an_answer_to_ask_becomes_a_file_as_well(world, asked):
    used = await world.ada.slash(world.channel, "ask", question="all of it")
    answer = await world.asked(2)
    world.chat.say(answer, LONG)
    world.chat.end(answer)
    await world.discord.until(lambda: any(m.attachments for m in world.discord.answer_so_far(used)))
    shown = world.discord.answer_so_far(used)
    assert len(shown) == 3
    assert file_of(shown[-1]) == LONG
