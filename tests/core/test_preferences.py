"""How each person is answered: their own choices within the bounds of the place, on a real database."""

from dataclasses import replace

import pytest

from bot.core import bounds
from bot.core.bounds import Bounds
from bot.core.chat import Chat
from bot.core.choices import Choices
from bot.core.messages import GREEDY, ConversationKey, Finish, Sampling, TurnState
from bot.core.preferences import Preference, Preferences
from bot.core.visitor import Visitor
from bot.engine.echo import Hang
from bot.errors import QuestionTooLong
from chat_on_disk import ADA, BEN, HERE, asked, end_of

GUILD = 5
IN_GUILD, IN_DM = Visitor(ADA, GUILD, (10,)), Visitor(ADA, None, (99,))
CHOSEN = {Preference.TEMPERATURE: 0.7, Preference.TOP_P: 0.9, Preference.MAX_NEW_TOKENS: 3, Preference.SEED: 7}


async def choose(chat: Chat, values: dict, user_id: int = ADA) -> None:
    for preference, value in values.items():
        await chat.preferences.choose(user_id, preference, value)


# What the engine is asked for


async def test_who_chose_nothing_is_answered_as_the_process_is_set_up(world):
    for sampling in (GREEDY, Sampling(do_sample=True, temperature=0.3, top_p=0.8, seed=4)):
        chat = await world.start(sampling=sampling, max_new_tokens=50)
        await choose(chat, CHOSEN, BEN)
        await end_of(await chat.ask(asked("one")))
        assert (world.prompts[-1].sampling, world.prompts[-1].max_new_tokens) == (sampling, 50)
        await world.stop()


async def test_sampling_seed_and_length_are_the_askers_own_also_in_the_receipt_and_after_a_restart(world):
    chat = await world.start(max_new_tokens=50)
    await choose(chat, CHOSEN)
    wanted = Sampling(do_sample=True, temperature=0.7, top_p=0.9, seed=7)
    for _ in range(2):
        world.say("one two three four five")
        end = await end_of(await chat.ask(asked("one")))
        assert world.prompts[-1].sampling == end.turn.receipt.sampling == wanted
        assert (end.turn.finish, end.turn.usage.completion_tokens, end.turn.seed) == (Finish.LENGTH, 3, 7)
        await world.stop()
        chat = await world.start(max_new_tokens=50)
        await chat.resume()


async def test_a_question_taken_up_after_a_restart_is_answered_as_its_person_wishes_by_then(world):
    chat = await world.start()
    await choose(chat, CHOSEN)
    world.say(Hang())
    await chat.ask(asked("one"))
    await chat.preferences.choose(ADA, Preference.SEED, 8)
    await world.stop()
    world.say("one two three four five")
    chat = await world.start()
    [answer] = await chat.resume()
    assert (await end_of(answer)).turn.receipt.sampling.seed == 8
    assert world.prompts[-1].max_new_tokens == 3


async def test_a_further_version_has_another_seed_and_an_answer_that_goes_on_gets_its_length_again(world):
    chat = await world.start(max_new_tokens=50)
    await choose(chat, CHOSEN)
    world.say("one two three four five six seven eight")
    first = await end_of(await chat.ask(asked("one")))
    await end_of(await chat.go_on(first.turn.id))
    assert (world.prompts[-1].max_new_tokens, world.prompts[-1].sampling.seed) == (3, 7)
    second = await end_of(await chat.regenerate(first.turn.id))
    sampling = second.turn.receipt.sampling
    assert replace(sampling, seed=7) == replace(world.prompts[0].sampling, seed=7)
    assert sampling.seed != 7


async def test_a_summary_is_made_as_the_process_is_set_up(world):
    chat = await world.start(max_new_tokens=50)
    await choose(chat, {Preference.TEMPERATURE: 1.5, Preference.MAX_NEW_TOKENS: 1})
    await end_of(await chat.ask(asked("one")))
    await end_of(await chat.summarize(HERE))
    assert world.prompts[-1].sampling == GREEDY
    assert world.prompts[-1].max_new_tokens > 1


async def test_the_window_is_cut_alike_however_long_an_answer_may_be(world):
    chat = await world.start(max_new_tokens=50)
    before = await chat.context_of(HERE)
    await choose(chat, CHOSEN)
    assert await chat.context_of(HERE) == before


# Bounds


@pytest.fixture
async def choices(world):
    await world.start()
    loaded = Choices(world.history)
    await loaded.load()
    return loaded


def manner(choices, visitor=IN_GUILD, sampling=GREEDY):
    return Preferences(choices, sampling, 100).manner(visitor)


async def test_what_is_beyond_a_bound_is_held_back_there_and_only_there(choices):
    preferences = Preferences(choices, GREEDY, 100)
    for preference, value in {**CHOSEN, Preference.MAX_NEW_TOKENS: 80, Preference.NO_STORE: True}.items():
        await preferences.choose(ADA, preference, value)
    held = Bounds(highest_temperature=0.5, lowest_top_p=0.95, max_new_tokens=20, may_keep_nothing=False)
    assert await bounds.put(choices, GUILD, held)
    here, there = preferences.manner(IN_GUILD), preferences.manner(IN_DM)
    assert (here.sampling, here.max_new_tokens, here.no_store) == (Sampling(True, 0.5, 0.95, 7), 20, False)
    assert (there.sampling, there.max_new_tokens, there.no_store) == (Sampling(True, 0.7, 0.9, 7), 80, True)
    item = preferences.item(IN_GUILD, Preference.TEMPERATURE)
    assert (item.own, item.default, item.here, item.is_held_back) == (0.7, 0.0, 0.5, True)
    assert not preferences.item(IN_DM, Preference.TEMPERATURE).is_held_back
    assert not preferences.item(IN_GUILD, Preference.SEED).is_held_back


async def test_a_server_decides_within_what_holds_everywhere(choices):
    await bounds.put(choices, None, Bounds(highest_temperature=1.0, max_new_tokens=30))
    await bounds.put(choices, GUILD, Bounds(lowest_temperature=0.5, highest_temperature=1.5, max_new_tokens=40))
    holding = bounds.holding(choices, GUILD)
    assert (holding.lowest_temperature, holding.highest_temperature, holding.max_new_tokens) == (0.5, 1.0, 30)
    await bounds.put(choices, GUILD, Bounds(lowest_temperature=1.5))
    assert (bounds.holding(choices, GUILD).temperature(0.0), bounds.holding(choices, GUILD).are_in_order) == (1.0, True)
    assert bounds.holding(choices, 6) == bounds.chosen(choices, None) == bounds.holding(choices, None)


async def test_bounds_hold_for_what_nobody_chose(choices):
    await bounds.put(choices, GUILD, Bounds(lowest_temperature=0.4, max_new_tokens=20))
    assert manner(choices).sampling == Sampling(do_sample=True, temperature=0.4)
    assert manner(choices).max_new_tokens == 20
    assert manner(choices, IN_DM).sampling == GREEDY


async def test_where_sampling_may_not_be_changed_the_process_decides(choices):
    preferences = Preferences(choices, Sampling(True, 0.3, 0.8, 4), 100)
    for preference, value in CHOSEN.items():
        await preferences.choose(ADA, preference, value)
    await bounds.put(choices, GUILD, Bounds(may_sample=False))
    assert preferences.manner(IN_GUILD).sampling == Sampling(True, 0.3, 0.8, 4)
    assert preferences.manner(IN_GUILD).max_new_tokens == 3
    assert preferences.item(IN_GUILD, Preference.SEED).is_held_back


async def test_a_temperature_of_nought_is_greedy_also_where_the_process_samples(choices):
    preferences = Preferences(choices, Sampling(True, 0.3, 0.8, 4), 100)
    await preferences.choose(ADA, Preference.TEMPERATURE, 0.0)
    assert preferences.manner(IN_DM).sampling == GREEDY


async def test_no_bounds_are_none_that_are_stored(choices):
    assert not await bounds.put(choices, GUILD, Bounds())
    assert await bounds.put(choices, GUILD, Bounds(max_new_tokens=5))
    assert await bounds.put(choices, GUILD, Bounds())
    assert bounds.holding(choices, GUILD) == Bounds()


async def test_reset_takes_all_choices_of_one_person_away(choices):
    preferences = Preferences(choices, GREEDY, 100)
    assert not await preferences.reset(ADA)
    await preferences.choose(ADA, Preference.SEED, 3)
    await preferences.choose(BEN, Preference.SEED, 4)
    assert await preferences.reset(ADA)
    assert preferences.item(IN_DM, Preference.SEED).own is None
    assert preferences.item(Visitor(BEN), Preference.SEED).own == 4


# Language


async def test_the_model_is_asked_for_a_language_only_in_what_its_person_asks(world):
    chat = await world.start()
    await end_of(await chat.ask(asked("one")))
    assert "answer in" not in world.prompt()
    await chat.preferences.choose(ADA, Preference.LANGUAGE, "de")
    end = await end_of(await chat.ask(asked("two")))
    first = world.prompts[-1].prompt_ids
    assert "two\n\n(Please answer in German.)" in world.prompt()
    assert (end.turn.question, end.turn.asked) == ("two", "two")
    await chat.preferences.choose(ADA, Preference.LANGUAGE, None)
    await end_of(await chat.ask(asked("three")))
    assert world.prompts[-1].prompt_ids[: len(first)] == first  # what was cached still is
    assert world.prompt().count("answer in") == 1


async def test_in_a_shared_room_each_is_answered_in_their_own_language_and_the_beginning_stays_the_same(world):
    chat = await world.start()
    room = ConversationKey(12, None, GUILD)
    await chat.preferences.choose(ADA, Preference.LANGUAGE, "fr")
    await end_of(await chat.ask(asked("one", room, BEN)))
    before = world.prompts[-1].prompt_ids
    await end_of(await chat.ask(asked("two", room, ADA)))
    assert world.prompts[-1].prompt_ids[: len(before)] == before
    assert world.prompt().count("(Please answer in French.)") == 1
    assert "two\n\n(Please answer in French.)" in world.prompt()


async def test_a_long_question_has_room_for_the_language_it_asks_for(world):
    chat = await world.start(max_new_tokens=100)
    words = "a"
    while True:
        try:
            await end_of(await chat.ask(asked(words)))
        except QuestionTooLong:
            break
        words += " a" * 20
        await chat.reset(HERE)
    await chat.preferences.choose(ADA, Preference.LANGUAGE, "de")
    fitting = words[: -len(" a" * 20)]
    for cut in range(0, 40, 2):
        try:
            answer = await chat.ask(asked(fitting[: len(fitting) - cut]))
        except QuestionTooLong:
            continue
        assert (await end_of(answer)).turn.state is TurnState.DONE
        return
    raise AssertionError("no question was taken")


async def test_a_language_that_is_none_is_not_asked_for(choices):
    preferences = Preferences(choices, GREEDY, 100)
    await preferences.choose(ADA, Preference.LANGUAGE, "tlh")
    assert preferences.language(ADA) is None
