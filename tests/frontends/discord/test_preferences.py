"""/settings on a loopback Discord, with the real discord.py and a real chat."""

import pytest

from bot.core.messages import GREEDY, Sampling
from bot.engine.loading import EngineOptions, make_factory
from bot.engine.model_folder import DEMO_FOLDER, find_model
from bot.frontends.discord import preferences as panel
from bot.playground.components import usable
from bot.playground.permissions import Permission
from bot.texts import CATALOGUE, RUNNING_MARK, text

PREFERENCES = ("temperature", "top_p", "max_new_tokens", "seed", "language", "streaming", "no_store")
WHAT = {name: text(f"setting.{name}") for name in PREFERENCES}
NUMBERS, RESET = text("setting_button.numbers"), text("setting_button.reset")


async def opened(world, person=None, channel=None):
    """Return the one message that /settings shows."""
    used = await (person or world.ada).slash(channel or world.channel, "settings")
    [message] = await world.discord.answer(used, timeout_s=10)
    return message


def own(name, value):
    return text("settings.own", what=WHAT[name], value=value)


def set_up(name, value):
    return text("settings.default", what=WHAT[name], value=value)


def held(name, value, wanted):
    return text("settings.held", what=WHAT[name], value=value, wanted=wanted)


def lines(message):
    return message.content.split("\n")


async def shows(world, message, *wanted):
    """Wait until the message has these lines."""
    await world.discord.until(lambda: set(wanted) <= set(lines(message)))


async def form_of(world, message, person=None):
    """Open the form of a message; return what opened it and the fields by name."""
    opener = await (person or world.ada).press(message, NUMBERS)
    await world.discord.until(lambda: opener.modal is not None)
    return opener, {outer["component"]["custom_id"]: outer for outer in opener.modal["components"]}


# The panel


async def test_settings_is_one_message_for_the_person_alone_with_what_holds_and_within_discords_limits(world, stack):
    await stack(max_new_tokens=1000)
    message = await opened(world)
    assert message.visible_to == world.ada.user.id
    assert lines(message) == [
        text("settings.head"),
        set_up("temperature", "0, always the likeliest word"),
        set_up("top_p", "1"),
        set_up("max_new_tokens", "1000 tokens"),
        set_up("seed", "another one each time"),
        set_up("language", "none in particular"),
        set_up("streaming", "yes"),
        set_up("no_store", "no"),
        text("settings.note.greedy"),
    ]
    assert len(message.components) <= 5
    assert len(usable(message.components)) == len(panel.choosing.SELECTED) + len(panel.choosing.SWITCHED) + 2


async def test_a_choice_in_a_select_holds_from_the_next_question_on_in_the_same_message_and_everywhere(
    world, stack, requests
):
    await stack(requests, max_new_tokens=1000)
    message = await opened(world)
    await world.ada.select(message, "settings:temperature", "0.7")
    await shows(world, message, own("temperature", "0.7"))
    await world.ada.select(message, "settings:top_p", "0.8")
    await shows(world, message, own("temperature", "0.7"), own("top_p", "0.8"))
    await world.ada.select(message, "settings:max_new_tokens", "125")
    await shows(world, message, own("max_new_tokens", "125 tokens"))
    for channel, words in ((world.channel, "<@bot> one"), (world.ada.dm(), "two")):
        await world.said(await world.ada.say(channel, words))
        asked = requests.found[-1]
        assert (asked.sampling.do_sample, asked.sampling.temperature, asked.sampling.top_p) == (True, 0.7, 0.8)
        assert asked.max_new_tokens == 125
    ben = world.discord.person("Ben", world.guild)
    await world.said(await ben.say(world.channel, "<@bot> three"))
    assert requests.found[-1].sampling == GREEDY
    await world.ada.select(message, "settings:temperature", "default")
    await shows(world, message, set_up("temperature", "0, always the likeliest word"), own("top_p", "0.8"))
    assert [each.content for each in world.discord.history(world.channel) if each.visible_to] == [message.content]


async def test_the_select_has_what_is_chosen_chosen_also_a_number_that_is_not_usual(world, stack):
    await stack(max_new_tokens=1000)
    message = await opened(world)
    opener, _ = await form_of(world, message)
    await world.ada.submit(opener, temperature="0,65")
    await shows(world, message, own("temperature", "0.65"))
    options = message.components[0]["components"][0]["options"]
    assert [option["value"] for option in options] == ["default", "0", "0.3", "0.65", "0.7", "1", "1.3"]
    assert [option["value"] for option in options if option.get("default")] == ["0.65"]


async def test_exact_numbers_are_written_into_a_form_with_a_point_or_a_comma(world, stack, requests):
    await stack(requests, max_new_tokens=1000)
    message = await opened(world)
    opener, fields = await form_of(world, message)
    assert list(fields) == ["temperature", "top_p", "max_new_tokens", "seed"]
    await world.ada.submit(opener, temperature="0,7", top_p=" .85 ", max_new_tokens="200", seed="42")
    wanted = own("temperature", "0.7"), own("top_p", "0.85"), own("max_new_tokens", "200 tokens"), own("seed", "42")
    await shows(world, message, *wanted, text("settings.note.seed"))
    await world.said(await world.ada.say(world.channel, "<@bot> one"))
    assert requests.found[-1].sampling == Sampling(True, 0.7, 0.85, 42)
    assert requests.found[-1].max_new_tokens == 200
    opener, fields = await form_of(world, message)
    assert [outer["component"].get("value") for outer in fields.values()] == ["0.7", "0.85", "200", "42"]
    await world.ada.submit(opener, seed="")
    await shows(world, message, own("temperature", "0.7"), set_up("seed", "another one each time"))


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("temperature", "warm"),
        ("temperature", "2.5"),
        ("temperature", "-1"),
        ("temperature", "nan"),
        ("top_p", "0"),
        ("top_p", "1,2,3"),
        ("max_new_tokens", "0"),
        ("max_new_tokens", "1001"),
        ("max_new_tokens", "12.5"),
        ("seed", "99999999999999"),
        ("seed", "٣"),
    ],
)
async def test_a_bad_number_changes_nothing_and_all_that_was_written_is_given_back(world, stack, field, given):
    await stack(max_new_tokens=1000)
    message = await opened(world)
    before = lines(message)
    opener, _ = await form_of(world, message)
    entered = {"temperature": "0,7", "seed": "42", field: given}
    await world.ada.submit(opener, **entered)
    back = [f"{WHAT[name]}: {entered[name]}" for name in WHAT if name in entered]
    await shows(world, message, text("settings.unchanged", entered="; ".join(back)))
    assert lines(message)[: len(before)] == before
    assert f"“{given}”" in lines(message)[len(before)]


async def test_reset_takes_every_choice_back(world, stack):
    await stack(max_new_tokens=1000)
    message = await opened(world)
    untouched = message.content
    await world.ada.press(message, RESET)
    await shows(world, message, text("settings.same"))
    await world.ada.select(message, "settings:temperature", "1.3")
    await shows(world, message, own("temperature", "1.3"))
    await world.ada.press(message, RESET)
    await shows(world, message, text("settings.reset"))
    assert message.content == f"{untouched}\n{text('settings.reset')}"


async def test_choices_and_the_old_message_outlive_a_restart_a_form_opened_before_it_too(world, stack, requests):
    await stack(requests, max_new_tokens=1000)
    message = await opened(world)
    await world.ada.select(message, "settings:temperature", "0.7")
    await shows(world, message, own("temperature", "0.7"))
    opener, _ = await form_of(world, message)
    await stack(requests, max_new_tokens=1000)
    await world.ada.submit(opener, temperature="0.7", seed="5")
    await shows(world, message, own("temperature", "0.7"), own("seed", "5"))
    await world.ada.select(message, "settings:top_p", "0.5")
    await shows(world, message, own("temperature", "0.7"), own("top_p", "0.5"), own("seed", "5"))
    await world.said(await world.ada.say(world.channel, "<@bot> one"))
    assert requests.found[-1].sampling == Sampling(True, 0.7, 0.5, 5)


async def test_the_details_of_an_answer_show_its_askers_choices(world, stack):
    await stack(max_new_tokens=1000)
    message = await opened(world)
    opener, _ = await form_of(world, message)
    await world.ada.submit(opener, temperature="0.7", seed="42")
    await shows(world, message, own("seed", "42"))
    [answer] = await world.discord.answer(await world.ada.say(world.channel, "<@bot> one"), timeout_s=10)
    [page] = await world.said(await world.ada.menu(answer, text("menu.details")))
    assert text("details.sampled", seed=42, temperature=0.7, top_p=1.0) in page


async def test_a_seed_gives_the_same_answer_twice_and_others_give_others(world, stack):
    model = find_model(DEMO_FOLDER, may_use_demo=True)
    options = EngineOptions("genai", "CPU", None, {}, kv_cache_gb=1, trust_remote_code=False)
    await stack(load=make_factory(options, model, stack.encode("Hi")), max_new_tokens=1000)
    message = await opened(world)
    answers = []
    for seed in ("42", "42", "43", "44", "45", "46"):
        opener, _ = await form_of(world, message)
        await world.ada.submit(opener, temperature="2", seed=seed, max_new_tokens="30")
        await shows(world, message, own("temperature", "2"), own("seed", seed))
        await world.said(await world.ada.slash(world.channel, "reset"))
        [answer] = await world.said(await world.ada.say(world.channel, "<@bot> xyzzy plugh quux"))
        answers.append(answer)
    assert answers[0] == answers[1]
    assert len(set(answers)) > 1  # some agree: the demo model has few things to say


async def test_settings_work_in_direct_messages_and_where_the_bot_is_no_member(world, stack):
    await stack(max_new_tokens=1000)
    elsewhere = world.discord.add_guild("Elsewhere", with_bot=False)
    channel = world.discord.add_channel(elsewhere, "theirs")
    cleo = world.discord.person("Cleo", elsewhere)
    world.discord.bot.installed_by.add(cleo.user.id)
    for person, place in ((world.ada, world.ada.dm()), (cleo, channel)):
        message = await opened(world, person, place)
        await person.select(message, "settings:temperature", "0.3")
        await shows(world, message, own("temperature", "0.3"))
        assert message.visible_to == person.user.id


async def test_who_is_told_to_wait_can_still_choose(world, stack):
    await stack(max_new_tokens=1000)
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    await stack(max_new_tokens=1000)
    await world.said(await world.ada.slash(world.channel, "admin pause"))
    message = await opened(world)
    await world.ada.select(message, "settings:temperature", "0.3")
    await shows(world, message, own("temperature", "0.3"))


async def test_a_language_is_asked_of_the_model_and_taken_back(world, stack, heard):
    await stack(heard)
    message = await opened(world)
    await world.ada.select(message, "settings:language", "fr")
    await shows(world, message, own("language", "Français"), text("settings.note.language"))
    await world.said(await world.ada.say(world.channel, "<@bot> one"))
    assert "one\n\n(Please answer in French.)" in heard.prompts[-1]
    await world.ada.select(message, "settings:language", "default")
    await shows(world, message, set_up("language", "none in particular"))
    await world.said(await world.ada.say(world.channel, "<@bot> two"))
    assert heard.prompts[-1].count("Please answer") == 1


async def test_who_chose_german_is_spoken_to_in_german_and_others_are_not(world, stack, heard):
    await stack(heard)
    message = await opened(world)
    await world.ada.select(message, "settings:language", "de")
    german = text("settings.own", "de", what=text("setting.language", "de"), value="Deutsch")
    await shows(world, message, text("settings.head", "de"), german)
    assert await world.said(await world.ada.slash(world.channel, "stop")) == [text("stop.nothing", "de")]
    ben = world.discord.person("Ben", world.guild)
    assert await world.said(await ben.slash(world.channel, "stop")) == [text("stop.nothing")]
    assert await world.said(await world.ada.say(world.channel, "<@bot>")) == [text("empty.mention", "de")]
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    answer = await world.sees("answer 1" + RUNNING_MARK)
    await world.ada.press(answer, text("button.stop", "de"))
    await world.discord.until(lambda: answer.content.endswith(text("answer.stopped", "de")))
    assert [each["label"] for each in usable(answer.components)] == [text("button.regenerate", "de")]
    assert text("stop.nothing", "de") != text("stop.nothing")


async def test_the_form_fits_discords_limits_in_every_language(world, stack):
    await stack(max_new_tokens=131_072)
    message = await opened(world)
    for language in CATALOGUE:
        await world.ada.select(message, "settings:language", language)
        await shows(world, message, text("settings.head", language))
        opener = await world.ada.press(message, text("setting_button.numbers", language))
        await world.discord.until(lambda opener=opener: opener.modal is not None)
        assert all(len(outer["label"]) <= 45 for outer in opener.modal["components"])
        assert all(len(outer["component"]["placeholder"]) <= 100 for outer in opener.modal["components"])


# Streaming


async def test_without_streaming_the_answer_appears_once_and_stop_is_there_until_then(world, stack, heard):
    await stack(heard)
    message = await opened(world)
    await world.ada.press(message, text("settings.button", what=WHAT["streaming"], value="yes"))
    await shows(world, message, own("streaming", "no"))
    heard.may_end.clear()
    question = await world.ada.say(world.channel, "<@bot> one")
    placeholder = await world.sees(text("answer.writing") + RUNNING_MARK)
    assert [each["label"] for each in usable(placeholder.components)] == [text("button.stop")]
    heard.may_end.set()
    [answer] = await world.discord.answer(question, timeout_s=10)
    assert (answer.id, answer.content) == (placeholder.id, "answer 1")
    assert answer.revision == 1


async def test_without_streaming_stop_shows_what_there_is(world, stack, heard):
    await stack(heard)
    message = await opened(world)
    await world.ada.press(message, "settings:streaming:off")
    await shows(world, message, own("streaming", "no"))
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    placeholder = await world.sees(text("answer.writing") + RUNNING_MARK)
    await world.discord.until(lambda: world.chat.status().running == 1)
    await world.ada.press(placeholder, text("button.stop"))
    await world.discord.until(lambda: placeholder.content.endswith(text("answer.stopped")))
