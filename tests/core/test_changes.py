"""Branches, edits, forgetting, versions and answers that go on: what people do to turns that are there already."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.core.chat import Phase, Taken
from bot.core.messages import ConversationKey, Excerpt, ExcerptKind, Finish, Sampling, TurnState
from bot.core.visitor import Visitor
from bot.engine.echo import Fail, Hang, Say
from bot.errors import (
    AnswerStillRuns,
    NoRoomToContinue,
    NothingToContinue,
    QuestionEmpty,
    QuestionTooLong,
    ShuttingDown,
    TooManyQuestions,
    TurnGone,
)
from chat_on_disk import ADA, BEN, HERE, THERE, asked, end_of, until

SECRET = "swordfish"


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


async def test_one_of_several_joined_messages_is_edited_and_the_others_stay(world):
    chat = await world.start()
    first = await running(world, chat, "one")
    waiting = await chat.ask(asked("two", message_id=5))
    await chat.ask(asked("three", message_id=6))
    world.say("fine")
    await chat.stop_turn(first.turn_id)
    await end_of(waiting)
    answer = await chat.edit(asked("drei", message_id=6))
    assert (await end_of(answer)).turn.question == "two\ndrei"


async def test_two_edits_in_quick_succession_give_one_answer_to_the_last(world):
    chat = await world.start()
    turn = await exchange(chat, "one", message_id=5)
    edits = [chat.edit(asked(text, message_id=5)) for text in ("two", "three")]
    outcomes = await asyncio.gather(*edits)
    [answer] = [outcome for outcome in outcomes if outcome is not Taken.JOINED]
    ended = await end_of(answer)
    assert (ended.turn.question, ended.turn.edits) == ("three", 2)
    assert "three" in world.prompt()
    assert (await chat.turn(turn.id)).answer == "fine"


async def test_an_edit_to_the_same_text_does_nothing_and_costs_nothing(world):
    chat = await world.start(per_user_per_minute=1)
    turn = await exchange(chat, "one", message_id=5)
    assert await chat.edit(asked("one", message_id=5)) is Taken.BEFORE
    assert await chat.turn(turn.id) == turn
    assert await chat.edit(asked("what?", message_id=6)) is None
    with pytest.raises(TooManyQuestions):
        await chat.edit(asked("two", message_id=5))
    assert await chat.turn(turn.id) == turn


async def test_an_edit_that_is_too_long_changes_nothing(world):
    chat = await world.start()
    turn = await exchange(chat, "one", message_id=5)
    with pytest.raises(QuestionTooLong):
        await chat.edit(asked("word " * 400, message_id=5))
    assert await chat.turn(turn.id) == turn


async def test_an_edit_that_leaves_no_words_forgets_the_question(world):
    chat = await world.start()
    turn = await exchange(chat, SECRET, message_id=5)
    with pytest.raises(QuestionEmpty):
        await chat.edit(asked("  ", message_id=5))
    assert await chat.turn(turn.id) is None
    assert not on_disk(world, SECRET)


async def test_what_a_message_brought_in_stays_when_its_words_are_edited(world):
    chat = await world.start()
    file = Excerpt(ExcerptKind.FILE, "notes.txt", "the file says blue")
    await end_of(await chat.ask(replace(asked("what is this?", message_id=5), excerpts=(file,))))
    ended = await end_of(await chat.edit(asked("and what is that?", message_id=5)))
    assert ended.turn.asked == "and what is that?"
    assert ended.turn.excerpts == (file,)
    assert "the file says blue" in world.prompt()


async def test_an_edited_question_with_several_answers_keeps_one_and_what_followed_the_others(world):
    chat = await world.start()
    before = await exchange(chat, "zero")
    first = await exchange(chat, f"about {SECRET}", message_id=5)
    below_first = await exchange(chat, "and then?")
    second = (await end_of(await chat.regenerate(first.id))).turn
    below_second = await exchange(chat, "and now?")
    ended = (await end_of(await chat.edit(asked("about the sky", message_id=5)))).turn
    assert (ended.id, ended.version, ended.versions) == (second.id, 1, 1)
    assert await chat.turn(first.id) is None
    assert (await chat.turn(below_second.id)).parent_id == second.id
    assert (await chat.turn(below_first.id)).parent_id == before.id  # older than the answer that is left
    assert not on_disk(world, SECRET)


async def test_a_summary_of_another_version_goes_with_that_when_the_question_is_edited(world):
    chat = await world.start()
    first = await exchange(chat, "about it", message_id=5)
    await exchange(chat, "and then?")
    world.say(f"they spoke about {SECRET}")
    summary = (await end_of(await chat.summarize(HERE))).turn
    world.say("fine")
    await end_of(await chat.regenerate(first.id))
    await end_of(await chat.edit(asked("about the sky", message_id=5)))
    assert await chat.turn(summary.id) is None
    assert not on_disk(world, SECRET)


async def test_a_stop_after_an_edit_stops_the_new_answer_and_not_the_edit(world):
    chat = await world.start()
    answer = await running(world, chat, "one", message_id=5)
    assert await chat.edit(asked("two", message_id=5)) is Taken.JOINED
    assert await chat.stop_turn(answer.turn_id)
    ended = await end_of(answer)
    assert (ended.turn.state, ended.turn.question, ended.text) == (TurnState.STOPPED, "two", "")


async def test_an_edited_question_is_answered_by_the_next_process_in_the_same_messages(world):
    chat = await world.start()
    turn = await exchange(chat, "one", message_id=5)
    await chat.shown(turn.id, [50])
    world.say(Hang())
    answer = await chat.edit(asked("two", message_id=5))
    await until(answer, lambda s: s.phase is Phase.ANSWERING)
    await world.stop()
    world.say("fine")
    chat = await world.start()
    [taken_up] = await chat.resume()
    assert taken_up.turn.answer_message_ids == (50,)
    ended = await end_of(taken_up)
    assert (ended.turn.question, ended.text) == ("two", "fine")


async def test_nothing_joins_an_edited_question_whose_answer_stands_further_up(world):
    chat = await world.start()
    await exchange(chat, "one", message_id=5)
    other = await running(world, chat, "two")
    edited = await chat.edit(asked("uno", message_id=5))
    new = await chat.ask(asked("three"))
    assert new not in (Taken.JOINED, edited)
    world.say("fine")
    await chat.stop_turn(other.turn_id)
    assert (await end_of(edited)).turn.question == "uno"
    assert (await end_of(new)).turn.parent_id == edited.turn_id


# Forgetting


async def test_a_forgotten_exchange_is_as_if_it_had_never_been(world):
    chat = await world.start()
    first = await exchange(chat, "first")
    world.say(f"you said {SECRET}")
    middle = await exchange(chat, f"remember {SECRET}", message_id=5)
    world.say("fine")
    last = await exchange(chat, "last")
    [gone] = await chat.forget_messages([5, 4040])
    assert gone == middle
    assert (await chat.turn(last.id)).parent_id == first.id
    assert await chat.turn_of_message(5) is await chat.turn(middle.id) is None
    await exchange(chat, "next")
    assert SECRET not in world.prompt()
    assert [turn.question for turn in (await chat.history(HERE, 9)).turns] == ["first", "last", "next"]
    assert not on_disk(world, SECRET)
    assert await chat.forget_turn(middle.id) == []


async def test_when_the_newest_exchange_is_forgotten_the_conversation_goes_on_from_the_one_before(world):
    chat = await world.start()
    first = await exchange(chat, "first")
    last = await exchange(chat, "last")
    assert await chat.forget_turn(last.id) == [last]
    assert (await exchange(chat, "next")).parent_id == first.id
    for turn in (await chat.history(HERE, 9)).turns:
        await chat.forget_turn(turn.id)
    assert (await exchange(chat, "anew")).parent_id is None


async def test_a_question_deleted_while_it_is_answered_is_cancelled_and_nothing_is_recorded(world):
    chat = await world.start()
    answer = await running(world, chat, f"about {SECRET}", said=f"{SECRET} is", message_id=5)
    waiting = await chat.ask(asked("and then?"))
    world.say("fine")
    await chat.forget_messages([5])
    ended = await end_of(answer)
    assert (ended.turn.state, ended.text, ended.error) == (TurnState.FORGOTTEN, "", None)
    assert (await end_of(waiting)).turn.parent_id is None
    assert SECRET not in world.prompt()
    assert not on_disk(world, SECRET)


async def test_a_question_deleted_while_it_waits_is_never_asked(world):
    chat = await world.start()
    first = await running(world, chat, "one")
    waiting = await chat.ask(asked(SECRET, message_id=5))
    await chat.forget_messages([5])
    assert (await end_of(waiting)).turn.state is TurnState.FORGOTTEN
    await chat.stop_turn(first.turn_id)
    await end_of(first)
    assert len(world.prompts) == 1


async def test_of_a_waiting_question_of_several_messages_only_the_deleted_words_go(world):
    chat = await world.start()
    first = await running(world, chat, "one")
    waiting = await chat.ask(asked("two", message_id=5))
    await chat.ask(asked(SECRET, message_id=6))
    assert await chat.forget_messages([6]) == []
    world.say("fine")
    await chat.stop_turn(first.turn_id)
    ended = await end_of(waiting)
    assert (ended.turn.question, ended.turn.question_message_ids) == ("two", (5,))
    assert not on_disk(world, SECRET)


async def test_a_deleted_message_that_is_delivered_again_is_not_asked_again(world):
    chat = await world.start()
    await exchange(chat, "one", message_id=5)
    await chat.forget_messages([5])
    assert await chat.ask(asked("one", message_id=5)) is Taken.BEFORE
    await world.stop()
    chat = await world.start()
    assert await chat.ask(asked("one", message_id=5)) is Taken.BEFORE
    await chat.forget_messages([6])  # before it had ever arrived
    assert await chat.ask(asked("two", message_id=6)) is Taken.BEFORE
    assert await chat.history(HERE, 9) == await chat.history(THERE, 9)


async def test_a_message_deleted_while_it_is_being_written_down_is_gone_too(world):
    chat = await world.start()
    async with world.history.transaction():  # the question has to wait for this
        asking = asyncio.create_task(chat.ask(asked(SECRET, message_id=5)))
        await asyncio.sleep(0)
        forgetting = asyncio.create_task(chat.forget_messages([5]))
        await asyncio.sleep(0)
    await forgetting
    outcome = await asking
    if outcome is not Taken.BEFORE:
        assert (await end_of(outcome)).turn.state is TurnState.FORGOTTEN
    assert await chat.turn_of_message(5) is None
    assert not on_disk(world, SECRET)


async def test_a_deleted_answer_message_is_no_longer_one_that_shows_it(world):
    chat = await world.start()
    turn = await exchange(chat, "one")
    await chat.shown(turn.id, [50, 51])
    assert await chat.forget_messages([51]) == []
    assert (await chat.turn(turn.id)).answer_message_ids == (50,)


async def test_a_channel_is_forgotten_for_everybody_with_its_threads_and_nothing_else(world):
    chat = await world.start()
    bens, thread = ConversationKey(10, BEN), ConversationKey(12, ADA)
    elsewhere = await exchange(chat, "elsewhere", THERE)
    carried = ConversationKey(13, ADA)
    await exchange(chat, SECRET)
    await chat.carry_over(HERE, carried)
    below = await exchange(chat, "in another thread", carried)
    await exchange(chat, SECRET, bens)
    answer = await running(world, chat, SECRET, key=thread)
    await chat.forget_channel([10, 12])
    assert (await end_of(answer)).turn.state is TurnState.FORGOTTEN
    assert not on_disk(world, SECRET)
    assert await chat.turn(elsewhere.id) == elsewhere
    assert (await chat.turn(below.id)).parent_id is None
    world.say("fine")
    assert (await exchange(chat, "anew")).parent_id is None


async def test_an_edit_of_what_is_being_forgotten_finds_nothing_or_is_forgotten_with_it(world):
    chat = await world.start()
    for message_id in range(5, 15):
        await exchange(chat, SECRET, message_id=message_id)
        edit, forget = chat.edit(asked("other", message_id=message_id)), chat.forget_messages([message_id])
        first, second = (edit, forget) if message_id % 2 else (forget, edit)
        outcomes = await asyncio.gather(first, second)
        edited = outcomes[0 if message_id % 2 else 1]
        if edited is not None:
            assert (await end_of(edited)).turn.state is TurnState.FORGOTTEN
        assert await chat.turn_of_message(message_id) is None
    assert not on_disk(world, SECRET)


# Versions


async def test_a_further_answer_stands_beside_the_first_in_the_same_messages_and_is_sampled(world):
    chat = await world.start()
    first = await exchange(chat, "one", message_id=5)
    await chat.shown(first.id, [50])
    world.say("other words")
    second = (await end_of(await chat.regenerate(first.id))).turn
    assert (second.version, second.versions, second.answer) == (2, 2, "other words")
    assert (second.question_message_ids, second.answer_message_ids) == ((5,), (50,))
    assert (second.parent_id, second.question) == (first.parent_id, "one")
    assert world.prompts[0].sampling == Sampling()
    assert world.prompts[1].sampling == Sampling(do_sample=True, temperature=0.8, top_p=0.95, seed=second.seed)
    assert world.prompts[1].prompt_ids == world.prompts[0].prompt_ids
    third = (await end_of(await chat.regenerate(second.id))).turn
    assert third.seed != second.seed
    assert (await chat.turn_of_message(50)).id == third.id
    await exchange(chat, "two")
    assert (await chat.history(HERE, 9)).turns[0].id == third.id


async def test_a_further_answer_has_a_seed_of_its_own_where_the_first_had_a_fixed_one(world):
    chat = await world.start(sampling=Sampling(do_sample=True, temperature=0.3, seed=7))
    first = await exchange(chat, "one")
    second = (await end_of(await chat.regenerate(first.id))).turn
    assert first.seed == 7
    assert second.seed != 7
    assert world.prompts[1].sampling.temperature == 0.3


async def test_several_presses_at_once_give_one_further_answer_and_none_while_it_runs(world):
    chat = await world.start()
    first = await exchange(chat, "one")
    presses = await asyncio.gather(*(chat.regenerate(first.id) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(press, AnswerStillRuns) for press in presses) == 3
    [answer] = [press for press in presses if not isinstance(press, Exception)]
    assert (await end_of(answer)).turn.versions == 2
    runs = await running(world, chat, "two")
    with pytest.raises(AnswerStillRuns):
        await chat.regenerate(runs.turn_id)
    with pytest.raises(AnswerStillRuns):
        await chat.show_version(runs.turn_id, -1)


async def test_further_answers_count_for_the_rate_limit(world):
    chat = await world.start(per_user_per_minute=2)
    first = await exchange(chat, "one")
    await end_of(await chat.regenerate(first.id, visitor=Visitor(BEN)))
    await end_of(await chat.regenerate(first.id))
    with pytest.raises(TooManyQuestions):
        await chat.regenerate(first.id)


async def test_stepping_through_versions_survives_a_restart_and_later_turns_build_on_the_one_shown(world):
    chat = await world.start()
    world.say("alpha")
    first = await exchange(chat, "one", message_id=5)
    world.say("beta")
    second = (await end_of(await chat.regenerate(first.id))).turn
    await world.stop()
    chat = await world.start()
    assert (await chat.show_version(second.id, -1)).id == first.id
    assert (await chat.show_version(first.id, -1)).id == first.id
    assert (await chat.turn_of_message(5)).id == first.id
    world.say("fine")
    following = await exchange(chat, "two")
    assert following.parent_id == first.id
    assert "alpha" in world.prompt()
    assert (await chat.show_version(first.id, 1)).id == second.id
    assert (await exchange(chat, "three")).parent_id == following.id  # what was said later is not rewound


async def test_a_further_answer_to_an_older_question_makes_a_branch(world):
    chat = await world.start()
    first = await exchange(chat, "one")
    await exchange(chat, "two")
    second = (await end_of(await chat.regenerate(first.id))).turn
    assert (await exchange(chat, "three")).parent_id == second.id
    assert [turn.question for turn in (await chat.history(HERE, 9)).turns] == ["one", "three"]


async def test_a_further_answer_that_a_restart_interrupts_goes_on_in_the_same_messages(world):
    chat = await world.start()
    first = await exchange(chat, "one", message_id=5)
    await chat.shown(first.id, [50])
    world.say("half", Hang())
    answer = await chat.regenerate(first.id)
    await until(answer, lambda s: s.text == "half")
    await world.stop()
    world.say(" and more")
    chat = await world.start()
    [taken_up] = await chat.resume()
    assert (taken_up.turn.question_message_ids, taken_up.turn.answer_message_ids) == ((5,), (50,))
    assert (await end_of(taken_up)).text == "half and more"
    assert world.prompts[-1].sampling.do_sample


async def test_all_versions_of_a_forgotten_answer_go(world):
    chat = await world.start()
    first = await exchange(chat, "one")
    below = await exchange(chat, "below")
    world.say(SECRET)
    second = (await end_of(await chat.regenerate(first.id))).turn
    assert {turn.id for turn in await chat.forget_turn(first.id)} == {first.id, second.id}
    assert (await chat.turn(below.id)).parent_id is None
    assert not on_disk(world, SECRET)
    for gone in (chat.regenerate(first.id), chat.show_version(second.id, 1), chat.go_on(first.id)):
        with pytest.raises(TurnGone):
            await gone


# Going on


async def test_an_answer_that_its_length_cut_off_goes_on_from_its_last_token(world):
    chat = await world.start(max_new_tokens=3)
    e = world.tokenizer.encode
    words = e("one two three four five six seven")
    world.script = lambda request: [Say(words[len(request.prompt_ids) - start :])]
    start = len(world.tokenizer.prompt(e("Be kind."), [], e("count")))
    turn = await exchange(chat, "count", message_id=5)
    assert (turn.finish, len(turn.answer_ids)) == (Finish.LENGTH, 3)
    await chat.shown(turn.id, [50])
    ended = (await end_of(await chat.go_on(turn.id))).turn
    assert (ended.id, ended.answer_ids, ended.finish) == (turn.id, words[:6], Finish.LENGTH)
    assert ended.answer_message_ids == (50,)
    assert world.prompts[1].prompt_ids == world.prompts[0].prompt_ids + words[:3]
    while ended.finish is Finish.LENGTH:
        ended = (await end_of(await chat.go_on(turn.id))).turn
    assert ended.answer_ids == words
    with pytest.raises(NothingToContinue):
        await chat.go_on(turn.id)


async def test_an_answer_that_goes_on_is_taken_up_after_a_restart_with_the_room_it_had(world):
    chat = await world.start(max_new_tokens=4)
    world.say("one two three four five six")
    turn = await exchange(chat, "count")
    world.say(" and", Hang())
    answer = await chat.go_on(turn.id)
    await until(answer, lambda s: s.text.endswith("and"))
    length = len(answer.ids)
    await world.stop()
    world.say(" so on and on and on and on")
    chat = await world.start(max_new_tokens=4)
    [taken_up] = await chat.resume()
    ended = (await end_of(taken_up)).turn
    assert len(ended.answer_ids) == len(turn.answer_ids) + 4 > length


async def test_an_answer_that_fills_the_window_cannot_go_on_and_says_so(world):
    chat = await world.start(max_new_tokens=300, is_guarded=False)
    world.say("word " * 400)
    turn = await exchange(chat, "write a lot " * 20)
    assert turn.finish is Finish.LENGTH
    with pytest.raises(NoRoomToContinue) as refused:
        await chat.go_on(turn.id)
    assert "new question" in refused.value.user_message()


async def test_when_the_end_has_begun_nothing_is_asked_again(world):
    chat = await world.start()
    turn = await exchange(chat, "one", message_id=5)
    await chat.aclose()
    for refused in (chat.edit(asked("two", message_id=5)), chat.regenerate(turn.id)):
        with pytest.raises(ShuttingDown):
            await refused
    assert await chat.turn(turn.id) == turn


@asynccontextmanager
async def edited_as_it_ends(world, chat):
    """Edit a question while it is answered; in the block, the old answer's end waits to be written."""
    world.say("so", Hang())
    question = asked("hi")
    answer = await chat.ask(question)
    await until(answer, lambda snapshot: snapshot.text == "so")
    assert await chat.edit(replace(question, text="hello")) is Taken.JOINED
    async with world.history.transaction():
        while not answer.generation.done():
            await asyncio.sleep(0.001)
        yield answer


async def test_closing_between_an_edit_and_the_end_of_the_old_answer_does_not_wait_for_the_new_one(world):
    chat = await world.start()
    async with asyncio.timeout(10):
        async with edited_as_it_ends(world, chat) as answer:
            closing = asyncio.create_task(chat.aclose())
            await asyncio.sleep(0)
        await closing
    assert answer.turn.state is TurnState.INTERRUPTED
    assert (await chat.turn(answer.turn_id)).question == "hello"


async def test_a_stop_between_an_edit_and_the_end_of_the_old_answer_stops_the_new_one(world):
    chat = await world.start()
    async with asyncio.timeout(10):
        async with edited_as_it_ends(world, chat) as answer:
            assert await chat.stop(HERE) == 1
        end = await end_of(answer)
    assert (end.turn.state, end.turn.question, end.text) == (TurnState.STOPPED, "hello", "")
