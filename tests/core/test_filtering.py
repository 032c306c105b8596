"""The word filter in a chat: real database and tokenizer, an engine that plays scripts."""

import asyncio
from dataclasses import replace

import pytest

from bot.core.chat import Taken
from bot.core.choices import Choices, Scope
from bot.core.filtering import MOST_WORD_CHARS, MOST_WORDS
from bot.core.messages import Brought, ConversationKey, Excerpt, ExcerptKind, Fault, Finish, TurnState
from bot.engine.echo import Hang, Say
from bot.errors import RulesFull, WordFiltered, WordTooLong
from chat_on_disk import ADA, asked, end_of, until

HOME, AWAY = 5, 6
HERE = ConversationKey(10, ADA, HOME)
ABROAD = ConversationKey(20, ADA, AWAY)
IN_DM = ConversationKey(30, ADA)


def quoting(text, name="Ben", kind=ExcerptKind.QUOTE, key=HERE):
    return replace(asked("and this?", key), excerpts=(Excerpt(kind, name, text),))


async def answered(chat, question):
    return (await end_of(await chat.ask(question))).text


async def test_words_are_kept_as_compared_and_hold_in_their_server_or_everywhere(world):
    chat = await world.start()
    assert await chat.words.add(HOME, [" Rude", "RUDE ", "Très  Laid", "", "!"]) == ["rude", "tres laid"]
    assert await chat.words.add(HOME, ["rude"]) == []
    await world.stop()
    chat = await world.start()
    await chat.resume()
    assert chat.words.listed(HOME) == ["rude", "tres laid"]
    with pytest.raises(WordFiltered):
        await chat.ask(asked("how rude!", HERE))
    assert await answered(chat, asked("how rude!", ABROAD)) == "fine"
    assert await answered(chat, asked("how rude!", IN_DM)) == "fine"
    assert await chat.words.remove(HOME, ["Rude", "other"]) == ["rude"]
    await chat.words.add(None, ["rude"])
    for key in (HERE, ABROAD, IN_DM):
        with pytest.raises(WordFiltered):
            await chat.ask(asked("how rude!", key))


async def test_words_and_lists_are_bounded_and_refused_as_a_whole(world):
    chat = await world.start()
    with pytest.raises(WordTooLong):
        await chat.words.add(HOME, ["short", "x" * (MOST_WORD_CHARS + 1)])
    await chat.words.add(HOME, [f"word{number}" for number in range(MOST_WORDS - 1)])
    with pytest.raises(RulesFull):
        await chat.words.add(HOME, ["one", "two"])
    assert len(chat.words.listed(HOME)) == MOST_WORDS - 1
    adding = [chat.words.add(AWAY, [f"word{number}"]) for number in range(10)]
    await asyncio.gather(*adding)
    assert len(chat.words.listed(AWAY)) == 10


@pytest.mark.parametrize(
    "question",
    [
        asked("how rude", HERE, message_id=1),
        replace(quoting("so rude"), message_id=1),
        replace(quoting("", name="rude.txt", kind=ExcerptKind.FILE), message_id=1),
    ],
)
async def test_a_question_with_a_filtered_word_is_refused_and_not_stored(world, question):
    chat = await world.start()
    await chat.words.add(HOME, ["rude"])
    with pytest.raises(WordFiltered):
        await chat.ask(question)
    assert await chat.turn_of_message(1) is None
    assert (await chat.history(HERE, 5)).turns == []
    assert world.prompts == []


async def test_somebody_with_a_filtered_name_can_be_quoted(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude"])
    assert await answered(chat, quoting("hello", name="Rude")) == "fine"


async def test_an_edit_with_a_filtered_word_changes_nothing(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude"])
    await answered(chat, asked("how are you?", HERE, message_id=1))
    with pytest.raises(WordFiltered):
        await chat.edit(asked("how rude", HERE, message_id=1))
    [turn] = (await chat.history(HERE, 5)).turns
    assert (turn.asked, turn.answer) == ("how are you?", "fine")


async def test_a_file_with_a_filtered_word_ends_the_question_and_none_of_it_is_stored(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude"])
    question = quoting("", name="a.txt", kind=ExcerptKind.FILE)

    async def bring():
        return Brought((Excerpt(ExcerptKind.FILE, "a.txt", "this is RUDE indeed"),))

    ended = await end_of(await chat.ask(question, bring=bring))
    assert isinstance(ended.error, WordFiltered)
    assert ended.turn.state is TurnState.FAILED
    assert world.prompts == []
    stored = await chat.turn_of_message(question.message_id)
    assert stored.excerpts == (Excerpt(ExcerptKind.FILE, "a.txt", ""),)
    again = await chat.regenerate(stored.id)
    assert isinstance((await end_of(again)).error, WordFiltered)


async def test_a_question_is_answered_once_an_edit_has_taken_its_filtered_file_away(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude"])
    question = quoting("", name="a.txt", kind=ExcerptKind.FILE)

    async def bring():
        return Brought((Excerpt(ExcerptKind.FILE, "a.txt", "this is RUDE indeed"),))

    assert isinstance((await end_of(await chat.ask(question, bring=bring))).error, WordFiltered)
    still_there = replace(question, text="and what of this?")
    assert isinstance((await end_of(await chat.edit(still_there, is_whole=True))).error, WordFiltered)
    without = replace(question, text="and without it?", excerpts=())
    ended = await end_of(await chat.edit(without, is_whole=True))
    assert (ended.error, ended.text) == (None, "fine")


async def make_busy(world, chat):
    """Return the answers that take every slot."""
    world.say("so", Hang())
    busy = [await chat.ask(asked("busy", ConversationKey(50 + n, ADA, HOME))) for n in range(4)]
    for one in busy:
        await until(one, lambda snapshot: snapshot.text == "so")
    return busy


async def test_an_edit_of_a_line_that_makes_a_filtered_phrase_with_the_other_lines_changes_nothing(world):
    chat = await world.start()
    await chat.words.add(HOME, ["you fool"])
    busy = await make_busy(world, chat)
    answer = await chat.ask(asked("hey you", HERE))
    line = asked("cool cat", HERE)
    assert await chat.ask(line) is Taken.JOINED
    with pytest.raises(WordFiltered):
        await chat.edit(replace(line, text="fool me once"))
    assert (await chat.turn(answer.turn_id)).asked == "hey you\ncool cat"
    assert await chat.edit(replace(line, text="dear fool")) is Taken.JOINED
    world.say("fine")
    for one in busy:
        one.stop()
    end = await end_of(answer)
    assert (end.turn.asked, end.text) == ("hey you\ndear fool", "fine")
    with pytest.raises(WordFiltered):
        await chat.edit(replace(line, text="fool me once"))
    assert await chat.turn(answer.turn_id) == end.turn


@pytest.mark.parametrize("is_read_in_line", [False, True])
async def test_a_text_that_discord_made_a_file_of_makes_no_filtered_phrase_with_the_lines_before_it(
    world, is_read_in_line
):
    chat = await world.start()
    await chat.words.add(HOME, ["you fool"])
    busy = await make_busy(world, chat)
    answer = await chat.ask(asked("hey you", HERE))
    pasted = replace(quoting("", name="message.txt", kind=ExcerptKind.FILE), text="")

    async def bring():
        return Brought((Excerpt(ExcerptKind.FILE, "message.txt", "fool me once"),), words="fool me once")

    assert await chat.ask(pasted, bring=bring) is Taken.JOINED
    if is_read_in_line:
        await asyncio.gather(*(one for one in asyncio.all_tasks() if one.get_name().startswith("files of message")))
    for one in busy:
        one.stop()
    assert isinstance((await end_of(answer)).error, WordFiltered)


async def test_lines_that_make_a_filtered_phrase_only_together_do_not_become_one_question(world):
    chat = await world.start()
    await chat.words.add(HOME, ["you fool"])
    busy = await make_busy(world, chat)
    first = await chat.ask(asked("hey you", HERE))
    second = await chat.ask(asked("fool me once", HERE))
    world.say("fine")
    for one in busy:
        one.stop()
    assert [(await end_of(one)).turn.asked for one in (first, second)] == ["hey you", "fool me once"]


async def test_answers_are_masked_as_they_grow_and_stored_as_shown_while_the_ids_stay_the_models(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude", "bad apple"])
    spoken = "You are so rude, you bad apple of a rudest kind"
    ids = world.tokenizer.encode(spoken)
    world.say(spoken)
    answer = await chat.ask(asked("am I?", HERE))
    async with asyncio.timeout(10):
        shown = [snapshot.text async for snapshot in answer]
    masked = "You are so ■■■■, you ■■■ ■■■■■ of a rudest kind"
    assert shown[-1] == masked
    assert all(masked.startswith(text) for text in shown)
    [turn] = (await chat.history(HERE, 1)).turns
    assert turn.answer == masked
    assert turn.answer_ids == ids
    world.say("fine")
    await answered(chat, asked("and now?", HERE))
    assert "bad apple" in world.prompt()


async def test_what_was_held_back_when_an_answer_is_stopped_is_neither_shown_nor_kept(world):
    chat = await world.start()
    await chat.words.add(HOME, ["bad apple"])
    world.say("You are a bad", Hang())
    answer = await chat.ask(asked("what am I?", HERE))
    await until(answer, lambda snapshot: snapshot.text.strip() == "You are a")
    await chat.stop_turn(answer.turn_id)
    ended = await end_of(answer)
    assert ended.text.strip() == "You are a"
    assert "bad" not in world.tokenizer.decode(ended.turn.answer_ids)


async def test_an_answer_that_goes_on_and_one_after_a_restart_are_masked_as_if_they_had_never_stopped(world):
    chat = await world.start(max_new_tokens=8)
    await chat.words.add(HOME, ["rude"])
    world.say("so rude of you, so very rude that nobody would have thought it")
    first = await end_of(await chat.ask(asked("am I?", HERE)))
    assert first.turn.finish is Finish.LENGTH
    await world.stop()
    chat = await world.start(max_new_tokens=8)
    await chat.resume()
    world.say(" and rude again and again and again")
    more = await end_of(await chat.go_on(first.turn.id))
    assert "rude" not in more.text
    assert "■■■■" in first.text
    assert more.text.startswith(first.text)
    assert "■■■■" in more.text.removeprefix(first.text)


async def test_a_word_filtered_later_is_masked_in_new_answers_and_let_through_again_without_a_trace(world):
    chat = await world.start()
    world.say("so rude")
    assert await answered(chat, asked("one", HERE)) == "so rude"
    await chat.words.add(HOME, ["rude"])
    assert await answered(chat, asked("two", HERE)) == "so ■■■■"
    await chat.words.remove(HOME, ["rude"])
    assert await answered(chat, asked("three", HERE)) == "so rude"


async def test_summaries_are_masked_too(world):
    chat = await world.start()
    await answered(chat, asked("what is it?", HERE))
    await chat.words.add(HOME, ["rude"])
    world.say("They were rude.")
    ended = await end_of(await chat.summarize(HERE))
    assert ended.text == "They were ■■■■."
    assert (await chat.history(HERE, 5)).summary == "They were ■■■■."


async def test_what_the_guard_cuts_and_what_is_filtered_go_together(world):
    chat = await world.start()
    await chat.words.add(HOME, ["rude", "of you all"])
    plans = iter(["How rude of you.\n\nUser: and who is rude?\nAssistant: Me.", " So rude of you"])
    world.script = lambda _request: [Say(world.tokenizer.encode(next(plans)))]
    answer = await chat.ask(asked("am I?", HERE))
    async with asyncio.timeout(10):
        shown = [snapshot.text async for snapshot in answer]
    assert not any("rude" in text or "User" in text for text in shown)
    [turn] = (await chat.history(HERE, 1)).turns
    spoken = world.tokenizer.decode(turn.answer_ids)
    assert "■■■■ of you." in turn.answer
    assert len(spoken) == len(turn.answer)
    assert turn.usage.fault is Fault.SELF_DIALOGUE


async def test_words_that_were_kept_before_markdown_counted_for_nothing_are_found_and_can_be_taken_off(world):
    await world.start()
    await Choices(world.history).put(Scope.SERVER, HOME, "filtered_words", ["a|b", "so_rude"], guild_id=HOME)
    await world.stop()
    chat = await world.start()
    await chat.resume()
    for words in ("so_rude", "how so_**rude**!", "an a|b"):
        with pytest.raises(WordFiltered):
            await chat.ask(asked(words, HERE))
    assert await chat.words.add(HOME, ["sorude"]) == []
    assert await chat.words.remove(HOME, ["so_rude", "a|b"]) == ["ab", "sorude"]
    assert chat.words.listed(HOME) == []
