"""Edited and deleted messages, threads and channels, with the real chat: it is kept in step with Discord."""

import asyncio
import sqlite3
import time

from structlog.testing import capture_logs

from bot.engine.echo import Hang, Say
from bot.errors import HistoryFailed
from bot.frontends.discord.changes import LATE_S
from bot.playground.model import Intents
from bot.texts import RUNNING_MARK, text


def contents(messages):
    return [message.content for message in messages]


async def asked(world, words):
    """Say something to the bot as Ada; return the question and the answer's messages."""
    question = await world.ada.say(world.channel, words)
    return question, await world.discord.answer(question)


async def quiet(world):
    """Wait until nothing is asked, answered or written any more."""
    await world.discord.until(lambda: world.chat.status().running + world.chat.status().waiting == 0)
    await world.frontend.finish_writers(5)


def from_bot(world):
    return [message for message in world.discord.history(world.channel) if message.author is world.discord.bot.user]


def admin(world):
    return world.discord.person("Home-owner")


def remembered(stack):
    """Return all that stands in the database's files, as text."""
    folder = stack.history_path.parent
    return b"".join(path.read_bytes() for path in folder.glob(stack.history_path.name + "*")).decode(errors="replace")


# Edits ----------------------------------------------------------------------------------------------------------------


async def test_an_edited_question_is_answered_anew_in_the_same_message_and_the_branch_rewinds(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    await asked(world, "<@bot> two")
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: answer.content == "answer 3")
    assert "one" not in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]
    await asked(world, "<@bot> drei")
    assert "eins" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]
    assert len(from_bot(world)) == 3


async def test_an_edit_stops_the_running_answer_which_begins_anew_in_its_message(world, stack, heard):
    await stack(heard)
    heard.may_end.clear()
    question = await world.ada.say(world.channel, "<@bot> one")
    growing = await world.sees("answer 1" + RUNNING_MARK)
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: growing.content == "answer 2" + RUNNING_MARK)
    heard.may_end.set()
    assert contents(await world.discord.answer(question)) == ["answer 2"]
    assert "eins" in heard.prompts[-1]
    assert "one" not in heard.prompts[-1]


async def test_a_waiting_question_that_is_edited_keeps_its_place_and_is_asked_in_its_new_words(world, stack, heard):
    await stack(heard, slots=1)
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    await world.sees("answer 1" + RUNNING_MARK)
    waiting = await world.ada.say(world.channel, "<@bot> two")
    await world.discord.until(lambda: world.chat.status().waiting == 1)
    await world.ada.edit(waiting, "<@bot> zwei")
    await _until_asked(world, waiting, "zwei")
    heard.may_end.set()
    assert contents(await world.discord.answer(waiting)) == ["answer 2"]
    assert "zwei" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]


async def _until_asked(world, message, words):
    async with asyncio.timeout(10):
        while (turn := await world.chat.turn_of_message(message.id)) is None or turn.asked != words:
            await asyncio.sleep(0.005)


async def test_a_shorter_new_answer_leaves_no_surplus_message_and_a_longer_one_goes_on_below(world, stack):
    long, short = "word " * 900, "That is all."
    await stack(
        lambda request: [Say(stack.encode(long if "long" in stack.decode(request.prompt_ids) else short))],
        is_guarded=False,
    )
    question, pieces = await asked(world, "<@bot> a long one")
    assert len(pieces) == 3
    await world.ada.edit(question, "<@bot> in brief")
    await world.discord.until(lambda: contents(world.discord.answer_so_far(question)) == [short])
    assert from_bot(world) == [pieces[0]]
    await quiet(world)
    await world.ada.edit(question, "<@bot> as long as before")
    await world.discord.until(lambda: len(from_bot(world)) == 3)
    await quiet(world)
    assert pieces[0].content.startswith("word word")
    assert not any(RUNNING_MARK in content for content in contents(from_bot(world)))
    turn = await world.chat.turn_of_message(question.id)
    assert list(turn.answer_message_ids) == [message.id for message in from_bot(world)]


async def test_an_event_that_changes_no_text_asks_nothing(world, stack, heard):
    await stack(heard)
    question, _ = await asked(world, "<@bot> look at http://127.0.0.1/")
    question.embeds = [{"title": "A page"}]
    world.discord.state.edited(question, silently=True)
    await world.ada.edit(question, "<@bot> look at http://127.0.0.1/")
    await asked(world, "<@bot> and now?")
    assert len(heard.prompts) == 2


async def test_an_edit_that_discord_sends_twice_is_taken_once(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    world.discord.faults.duplicate["MESSAGE_UPDATE"] = 1
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: answer.content == "answer 2")
    await asked(world, "<@bot> next")
    assert len(heard.prompts) == 3


async def test_an_edit_that_adds_the_mention_asks_what_was_not_for_the_bot(world, stack, heard):
    await stack(heard)
    question = await world.ada.say(world.channel, "is water wet?")
    await world.ada.edit(question, "<@bot> is water wet?")
    assert contents(await world.discord.answer(question)) == ["answer 1"]
    assert await world.chat.turn_of_message(question.id) is not None


async def test_an_old_message_is_not_asked_by_an_edit_but_an_old_question_is_answered_anew(world, stack, heard):
    await stack(heard)
    talk = await world.ada.say(world.channel, "is water wet?")
    question, [answer] = await asked(world, "<@bot> one")
    for message in (talk, question):
        message.created_at -= LATE_S + 60
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: answer.content == "answer 2")
    await world.ada.edit(talk, "<@bot> is water wet?")
    await asked(world, "<@bot> two")
    assert len(heard.prompts) == 3


async def test_a_question_without_its_mention_stays_one_and_one_without_words_is_forgotten(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> walrus")
    await world.ada.edit(question, "just walrus")
    await world.discord.until(lambda: answer.content == "answer 2")
    await quiet(world)
    await world.ada.edit(question, "<@bot>")
    await world.sees(text("refused.empty"))
    await world.discord.until(lambda: answer.deleted)
    assert await world.chat.turn_of_message(question.id) is None
    assert "walrus" not in remembered(stack)


async def test_an_edited_question_keeps_what_it_brought_in(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "is water wet?")
    question = await world.ada.say(
        world.channel, "<@bot> right?", reply_to=theirs, attachments={"notes.txt": b"buy milk"}
    )
    [answer] = await world.discord.answer(question)
    await world.ada.edit(question, "<@bot> wrong?")
    await world.discord.until(lambda: answer.content == "answer 2")
    for prompt, words in zip(heard.prompts, ("right?", "wrong?"), strict=True):
        assert f"Bob wrote:\n> is water wet?\n\nFile notes.txt:\n```\nbuy milk\n```\n\n{words}" in prompt


async def test_a_file_that_is_taken_out_of_a_question_is_forgotten_and_the_question_asked_without(world, stack, heard):
    await stack(heard)
    files = {"notes.txt": b"buy milk"}
    question = await world.ada.say(world.channel, "<@bot> right?", attachments=files)
    [answer] = await world.discord.answer(question)
    assert "buy milk" in heard.prompts[-1]
    question.attachments = []
    await world.ada.edit(question, "<@bot> right?")
    await world.discord.until(lambda: answer.content == "answer 2")
    assert "right?" in heard.prompts[-1]
    assert "buy milk" not in heard.prompts[-1]
    assert "buy milk" not in remembered(stack)


async def test_who_edits_too_often_is_told_so_and_the_old_answer_stays(world, stack, heard):
    await stack(heard, per_user_per_minute=1)
    question, [answer] = await asked(world, "<@bot> one")
    await world.ada.edit(question, "<@bot> eins")
    told = await world.discord.wait_for(lambda message: message.content.startswith("That's more than 1 questions"))
    assert told.replies_to == question.id
    assert answer.content == "answer 1"


async def test_who_edits_while_the_bot_goes_down_is_told_once(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    world.frontend.begin_closing()
    await world.ada.edit(question, "<@bot> eins")
    await world.sees(text("refused.shutting_down"))
    await world.ada.edit(question, "<@bot> uno")
    bob = world.discord.person("Bob", world.guild)
    assert contents(await world.discord.answer(await bob.say(world.channel, "<@bot> hi"))) == [
        text("refused.shutting_down")
    ]
    assert contents(from_bot(world)).count(text("refused.shutting_down")) == 2
    assert answer.content == "answer 1"


async def test_an_edit_whose_text_discord_withholds_changes_nothing(world, stack, heard):
    world.discord.bot.enabled_intents = Intents(0)
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    await world.ada.edit(question, "not for you any more")
    await asked(world, "<@bot> two")
    assert (await world.chat.turn_of_message(question.id)).asked == "one"
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: answer.content == "answer 3")


async def test_an_edit_that_comes_while_its_message_is_still_being_read_is_not_lost(world, stack, heard):
    await stack(heard)
    hold = world.discord.faults.hold_files = asyncio.Event()
    question = await world.ada.say(world.channel, "<@bot> one", attachments={"notes.txt": b"buy milk"})
    async with asyncio.timeout(10):
        while not world.discord.faults.held_files:
            await asyncio.sleep(0.005)
    await world.ada.edit(question, "<@bot> eins")
    hold.set()
    await world.discord.until(
        lambda: contents(from_bot(world)) == [f"answer {len(heard.prompts)}"] and "eins" in heard.prompts[-1]
    )
    assert "buy milk" in heard.prompts[-1]


async def test_one_of_two_waiting_messages_that_loses_its_words_takes_no_answer_of_the_other_away(world, stack, heard):
    await stack(heard)
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    await world.sees("answer 1" + RUNNING_MARK)
    two = await world.ada.say(world.channel, "<@bot> two")
    await _until_asked(world, two, "two")
    three = await world.ada.say(world.channel, "<@bot> three")
    await _until_asked(world, three, "two\nthree")
    await world.ada.edit(three, "<@bot>")
    await world.sees(text("refused.empty"))
    heard.may_end.set()
    await quiet(world)
    assert contents(from_bot(world)).count("answer 2") == 1
    assert "three" not in heard.prompts[-1]


async def test_an_edit_where_the_bot_does_not_serve_any_more_asks_nothing(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    world.discord.faults.add(method="DELETE", path="/users/@me/guilds/", times=None, status=503)  # not left yet
    await stack(heard, rules={"allowed_guild_ids": frozenset({1})})
    await world.ada.edit(question, "<@bot> eins")
    for words in ("two", "three"):
        await world.said(await world.ada.say(world.ada.dm(), words))
    await quiet(world)
    assert answer.content == "answer 1"
    assert len(heard.prompts) == 3


async def test_the_answer_to_an_edited_question_of_long_ago_is_not_shown_while_it_grows(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    await quiet(world)
    world.discord.state.clock = lambda: time.time() + 2 * 3600
    heard.may_end.clear()
    seen = len(world.discord.log)
    await world.ada.edit(question, "<@bot> eins")
    await world.discord.until(lambda: len(heard.prompts) == 2)
    bob = world.discord.person("Bob", world.guild)
    await bob.say(world.channel, "<@bot> two")
    await world.sees("answer 3" + RUNNING_MARK)
    heard.may_end.set()
    await world.discord.until(lambda: answer.content == "answer 2")
    edits = [call for call in world.discord.log[seen:] if call.method == "PATCH" and str(answer.id) in call.path]
    assert len(edits) == 1


async def test_an_edited_question_whose_answer_was_deleted_unheard_is_answered_below_it(world, stack, heard):
    await stack(heard)
    question, [answer] = await asked(world, "<@bot> one")
    await quiet(world)
    del world.discord.state.messages[world.channel.id][answer.id]  # no event: as while the bot was offline
    await world.ada.edit(question, "<@bot> eins")
    anew = await world.sees("answer 2")
    assert anew.replies_to == question.id
    await quiet(world)
    assert (await world.chat.turn_of_message(question.id)).answer_message_ids == (anew.id,)


async def test_a_message_deleted_unheard_does_not_keep_the_others_of_a_deleted_questions_answer(world, stack):
    await stack(lambda _request: [Say(stack.encode("word " * 900))], is_guarded=False)
    question, pieces = await asked(world, "<@bot> a long one")
    await quiet(world)
    del world.discord.state.messages[world.channel.id][pieces[-1].id]
    await world.ada.delete(question)
    await world.discord.until(lambda: from_bot(world) == [])


# Deletions ------------------------------------------------------------------------------------------------------------


async def test_a_deleted_question_is_forgotten_with_its_answer_and_what_followed_follows_what_was_before(
    world, stack, heard
):
    await stack(heard)
    await asked(world, "<@bot> first")
    question, [answer] = await asked(world, "<@bot> secret")
    await asked(world, "<@bot> third")
    await world.ada.delete(question)
    await world.discord.until(lambda: answer.deleted)
    await asked(world, "<@bot> fourth")
    assert "secret" not in heard.prompts[-1]
    assert all(word in heard.prompts[-1] for word in ("first", "third"))
    assert "secret" not in remembered(stack)


async def test_all_messages_of_a_deleted_questions_answer_go(world, stack):
    await stack(lambda _request: [Say(stack.encode("word " * 900))], is_guarded=False)
    question, pieces = await asked(world, "<@bot> write a lot")
    assert len(pieces) == 3
    await world.ada.delete(question)
    await world.discord.until(lambda: from_bot(world) == [])


async def test_a_question_deleted_while_it_is_answered_stops_and_leaves_no_message(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    question = await world.ada.say(world.channel, "<@bot> go on for ever")
    growing = await world.sees("Half an" + RUNNING_MARK)
    await world.ada.delete(question)
    await world.discord.until(lambda: growing.deleted)
    await quiet(world)
    assert from_bot(world) == []
    assert "for ever" not in remembered(stack)


async def test_a_question_deleted_while_it_waits_leaves_the_queue_and_its_placeholder_goes(world, stack, heard):
    await stack(heard, slots=1)
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    await world.sees("answer 1" + RUNNING_MARK)
    bob, cy = (world.discord.person(name, world.guild) for name in ("Bob", "Cy"))
    await cy.say(world.channel, "<@bot> before that")
    await world.discord.until(lambda: world.chat.status().waiting == 1)
    waiting = await bob.say(world.channel, "<@bot> two")
    await world.discord.until(lambda: world.discord.answer_so_far(waiting))
    [placeholder] = world.discord.answer_so_far(waiting)
    await bob.delete(waiting)
    await world.discord.until(lambda: placeholder.deleted)
    heard.may_end.set()
    await quiet(world)
    assert len(heard.prompts) == 2


async def test_messages_deleted_in_bulk_are_forgotten_together(world, stack, heard):
    await stack(heard)
    first, [first_answer] = await asked(world, "<@bot> secret one")
    second, [second_answer] = await asked(world, "<@bot> secret two")
    await admin(world).delete_bulk([first, first_answer, second])
    await world.discord.until(lambda: second_answer.deleted)
    await quiet(world)
    await asked(world, "<@bot> third")
    assert "secret" not in heard.prompts[-1]
    assert "secret" not in remembered(stack)


async def test_a_deleted_thread_and_a_deleted_channel_with_its_threads_are_forgotten(world, stack, heard):
    await stack(heard)
    thread = world.ada.open_thread(world.channel, "More")
    for place, words in ((world.channel, "secret here"), (thread, "secret there")):
        await world.discord.answer(await world.ada.say(place, f"<@bot> {words}"))
    admin(world).delete_channel(thread)
    await _until_forgotten(world, stack, "secret there")
    assert "secret here" in remembered(stack)
    another = world.ada.open_thread(world.channel, "More")
    await world.discord.answer(await world.ada.say(another, "<@bot> secret there"))
    admin(world).delete_channel(world.channel)
    await _until_forgotten(world, stack, "secret")


async def _until_forgotten(world, stack, words):
    async with asyncio.timeout(10):
        while words in remembered(stack):
            await asyncio.sleep(0.01)


async def test_what_runs_in_a_channel_that_is_deleted_ends(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    await world.ada.say(world.channel, "<@bot> go on for ever")
    await world.sees("Half an" + RUNNING_MARK)
    admin(world).delete_channel(world.channel)
    await quiet(world)
    assert "for ever" not in remembered(stack)


async def test_nothing_is_forgotten_when_the_bot_is_only_removed_from_the_server(world, stack, heard):
    await stack(heard)
    await asked(world, "<@bot> one")
    world.discord.state.leave(world.discord.bot.user, world.guild)
    world.discord.state.join(world.discord.bot.user, world.guild)
    await asked(world, "<@bot> two")
    assert "one" in heard.prompts[-1]


async def test_the_deletion_of_an_answer_keeps_what_was_said(world, stack, heard):
    await stack(heard)
    _, [answer] = await asked(world, "<@bot> one")
    world.discord.state.delete(answer)
    await asked(world, "<@bot> two")
    assert "one" in heard.prompts[-1]


async def test_a_deletion_that_cannot_be_recorded_is_logged_without_what_was_written(world, stack, heard):
    await stack(heard)
    question, _ = await asked(world, "<@bot> secret")
    with sqlite3.connect(stack.history_path) as other:
        other.execute("CREATE TRIGGER full BEFORE DELETE ON turns BEGIN SELECT raise(ABORT, 'disk is full'); END")
    with capture_logs() as logs:
        await world.ada.delete(question)
        async with asyncio.timeout(10):
            while not any(entry["log_level"] == "error" for entry in logs):
                await asyncio.sleep(0.01)
    [failed] = [entry for entry in logs if entry["log_level"] == "error"]
    assert failed["error"] == HistoryFailed.__name__
    assert "secret" not in str(logs)
