"""What admins do about one person's words: read and erase them, in one server or everywhere."""

import time

import pytest

from bot.core.chat import Taken
from bot.core.messages import ConversationKey, TurnState
from bot.engine.echo import Hang
from chat_on_disk import ADA, BEN, asked, end_of, until

HOME, AWAY = 5, 6
AT_HOME = ConversationKey(10, ADA, HOME)
IN_A_THREAD = ConversationKey(11, ADA, HOME)
ABROAD = ConversationKey(20, ADA, AWAY)
IN_DM = ConversationKey(30, ADA)
BENS = ConversationKey(10, BEN, HOME)
ROOM = ConversationKey(12, None, HOME)


@pytest.fixture
async def chat(world):
    """A chat in which Ada and Ben have talked everywhere."""
    chat = await world.start()
    await chat.set_shared(ROOM.channel_id, HOME, shared=True)
    for words, key, user_id in (
        ("home one", AT_HOME, ADA),
        ("ben one", BENS, BEN),
        ("room one", ROOM, BEN),
        ("room two", ROOM, ADA),
        ("room three", ROOM, BEN),
        ("abroad", ABROAD, ADA),
        ("private", IN_DM, ADA),
        ("thread", IN_A_THREAD, ADA),
        ("home two", AT_HOME, ADA),
    ):
        await end_of(await chat.ask(asked(words, key, user_id)))
    return chat


def words_of(said):
    return [turn.asked for turn in said.turns]


async def remembered(chat, key):
    return [turn.asked for turn in (await chat.history(key, 10)).turns]


async def test_a_servers_admins_read_what_was_said_there_and_nothing_else(chat):
    said = await chat.moderation.said_by(ADA, HOME, 10)
    assert (words_of(said), said.count) == (["home one", "room two", "thread", "home two"], 4)
    newest = await chat.moderation.said_by(ADA, HOME, 2)
    assert (words_of(newest), newest.count) == (["thread", "home two"], 4)
    assert words_of(await chat.moderation.said_by(ADA, AWAY, 10)) == ["abroad"]
    everywhere = await chat.moderation.said_by(ADA, None, 10)
    assert {"private", "abroad", "home one"} < set(words_of(everywhere))
    assert words_of(await chat.moderation.said_by(99, None, 10)) == []


async def test_summaries_are_erased_too_but_not_counted(chat):
    await end_of(await chat.summarize(AT_HOME))
    assert (await chat.moderation.said_by(ADA, HOME, 10)).count == 4
    assert (await chat.moderation.erase(ADA, HOME)).count == 4
    assert (await chat.context_of(AT_HOME)).summary is None


async def test_erased_is_what_was_said_there_by_that_person_alone(world, chat):
    assert (await chat.moderation.erase(ADA, HOME)).count == 4
    assert await remembered(chat, AT_HOME) == []
    assert await remembered(chat, IN_A_THREAD) == []
    assert await remembered(chat, ROOM) == ["room one", "room three"]
    assert await remembered(chat, BENS) == ["ben one"]
    assert await remembered(chat, ABROAD) == ["abroad"]
    assert await remembered(chat, IN_DM) == ["private"]
    assert (await chat.moderation.erase(ADA, HOME)).count == 0
    raw = b"".join(file.read_bytes() for file in world.database.parent.glob("phibot.sqlite3*"))
    assert b"home two" not in raw
    assert b"private" in raw
    assert (await chat.moderation.erase(ADA, None)).count == 2
    assert await remembered(chat, IN_DM) == []
    assert (await end_of(await chat.ask(asked("again", AT_HOME)))).text == "fine"


async def test_what_runs_and_what_waits_is_stopped_and_not_asked_again(world, chat):
    world.say("half", Hang())
    running, waiting = asked("running", AT_HOME), asked("waiting", AT_HOME)
    first = await chat.ask(running)
    await until(first, lambda snapshot: snapshot.text == "half")
    second = await chat.ask(waiting)
    assert (await chat.moderation.erase(ADA, HOME)).count == 6
    for answer in (first, second):
        assert (await end_of(answer)).turn.state is TurnState.FORGOTTEN
    assert await chat.ask(running) is Taken.BEFORE
    assert await remembered(chat, AT_HOME) == []


async def test_a_thread_that_went_on_from_erased_words_goes_on_without_them(chat):
    thread = ConversationKey(13, None, HOME)
    await chat.carry_over(AT_HOME, thread)
    await end_of(await chat.ask(asked("bens", thread, BEN)))
    assert await remembered(chat, thread) == ["home one", "home two", "bens"]
    await chat.moderation.erase(ADA, HOME)
    assert await remembered(chat, thread) == ["bens"]


async def test_a_long_conversation_is_erased_in_a_moment(world, chat):
    async with world.history.transaction() as connection:
        [[conversation, head]] = await connection.execute_fetchall(
            "SELECT id, head_id FROM conversations WHERE channel_id = 10 AND user_id = 1"
        )
        for number in range(head + 1, head + 10_001):
            await connection.execute(
                "INSERT INTO turns (id, conversation_id, parent_id, user_id, state, created_at, question) "
                "VALUES (?, ?, ?, 1, 'done', 0, 'old')",
                (number + 100, conversation, head if number == head + 1 else number + 99),
            )
        await connection.execute("UPDATE conversations SET head_id = ? WHERE id = ?", (head + 10_100, conversation))
    started = time.perf_counter()
    assert (await chat.moderation.erase(ADA, HOME)).count == 10_004
    assert time.perf_counter() - started < 5
    assert await remembered(chat, AT_HOME) == []
