"""What an ended process may not have shown to its end, and what is not among it."""

from dataclasses import replace

from bot.core.messages import TurnState
from bot.engine.echo import Hang
from chat_on_disk import HERE, THERE, asked, end_of

HOUR_S = 3600


async def exchange(chat, text, key=HERE):
    return (await end_of(await chat.ask(asked(text, key)))).turn


async def test_an_ended_answer_without_a_message_is_told_with_where_it_was_asked(world):
    chat = await world.start()
    lost = await exchange(chat, "lost")
    shown = await exchange(chat, "shown", THERE)
    await chat.shown(shown.id, [501])
    found = await chat.unshown(world.now)
    assert [turn.id for turn in found.turns] == [lost.id]
    assert set(found.places) == {(HERE.channel_id, None), (THERE.channel_id, None)}


async def test_what_failed_or_was_stopped_is_told_too_but_not_what_still_runs(world):
    chat = await world.start()
    world.say("half", Hang())
    stopped, running = [await chat.ask(asked(text, key)) for text, key in (("a", HERE), ("b", THERE))]
    await chat.stop(HERE)
    assert (await end_of(stopped)).turn.state is TurnState.STOPPED
    found = await chat.unshown(world.now)
    assert [turn.id for turn in found.turns] == [stopped.turn_id]
    running.stop()


async def test_what_is_older_than_a_resumed_answer_or_newer_than_the_process_is_not_told(world):
    chat = await world.start()
    await exchange(chat, "old")
    asked_at, world.now = world.now, world.now + HOUR_S + 1
    newer = await exchange(chat, "new")
    assert [turn.id for turn in (await chat.unshown(world.now)).turns] == [newer.id]
    assert not (await chat.unshown(asked_at - 1)).turns
    assert not (await chat.unshown(asked_at - 1)).places


async def test_an_answer_that_somebody_deleted_stays_deleted(world):
    chat = await world.start()
    turn = await exchange(chat, "hi")
    await chat.shown(turn.id, [501, 502])
    await chat.forget_messages([501])
    await chat.forget_messages([502])
    assert not (await chat.unshown(world.now)).turns
    assert (await chat.turn(turn.id)).answer == "fine"


async def test_of_several_versions_only_the_one_that_is_shown_can_be_told(world):
    chat = await world.start()
    first = await exchange(chat, "hi")
    again = await end_of(await chat.regenerate(first.id))
    assert [turn.id for turn in (await chat.unshown(world.now)).turns] == [again.turn.id]
    await chat.shown(again.turn.id, [501])
    assert not (await chat.unshown(world.now)).turns


async def test_a_new_answer_to_an_edited_question_is_told_though_somebody_deleted_the_old_one(world):
    chat = await world.start()
    question = asked("hi")
    turn = (await end_of(await chat.ask(question))).turn
    await chat.shown(turn.id, [501])
    await chat.forget_messages([501])
    await end_of(await chat.edit(replace(question, text="hello")))
    assert [unshown.id for unshown in (await chat.unshown(world.now)).turns] == [turn.id]
