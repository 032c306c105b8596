"""/context, /pin and /summarize: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

import asyncio
import re
from dataclasses import replace

import pytest

from bot.core.summaries import INSTRUCTION
from bot.engine.echo import EchoBackend, Fail, Hang, Say
from bot.texts import RUNNING_MARK, text

WINDOW_TOKENS = 400
SUMMARY = "Ada likes tea."


async def told(world, used):
    """Return the message that the person alone is told."""
    answer = await world.discord.answer(used, timeout_s=10)
    assert {message.visible_to for message in answer} == {used.user.id}
    return answer[-1].content


async def opened(world, person=None):
    """Use /context and return its message."""
    used = await (person or world.ada).slash(world.channel, "context")
    await told(world, used)
    return used.original


def select_of(message):
    [select] = [item for row in message.components for item in row["components"]]
    return select


def options_of(message):
    """Return what can be chosen: its words, and whether it is pinned."""
    return [(option["label"], bool(option.get("default"))) for option in select_of(message)["options"]]


def values_of(message, *labels):
    return [option["value"] for option in select_of(message)["options"] if option["label"] in labels]


async def choose(world, message, *labels, person=None):
    select = select_of(message)
    return await (person or world.ada).select(message, select["custom_id"], *values_of(message, *labels))


async def shows(world, message, *options):
    await world.discord.until(lambda: message.components and options_of(message) == list(options))


async def idle(world):
    """Wait until nothing runs or waits, also what nobody in Discord sees."""
    async with asyncio.timeout(10):
        while world.chat.status().running + world.chat.status().waiting:
            await asyncio.sleep(0.01)


async def refusal_of(world, used):
    """Return the sentence that came beside the select's message."""
    [sentence] = await world.discord.until(lambda: used.followups)
    assert sentence.visible_to == used.user.id
    return sentence.content


@pytest.fixture
def small(world, stack):
    """Return what starts a bot with a small window that answers "fine", and sums up as it is told."""

    async def start(*summary, info=None, **limits):
        instruction = stack.encode(INSTRUCTION)

        def play(request):
            is_summary = request.prompt_ids[-len(instruction) - 2 : -2] == instruction
            return list(summary or [Say(stack.encode(SUMMARY))]) if is_summary else [Say(stack.encode("fine"))]

        info = replace(info or stack.info, context_tokens=WINDOW_TOKENS)
        limits = {"max_new_tokens": 64, "per_user_per_minute": 1000, **limits}
        await stack(load=lambda _report: EchoBackend(info, play), **limits)

    return start


@pytest.fixture
def say(world):
    async def say(*questions, place=None, person=None):
        for words in questions:
            asked = await (person or world.ada).say(place or world.channel, f"<@bot> {words}")
            [answer] = await world.said(asked)
        return answer

    return say


LONG = "and a good many words besides, which take their room, " * 4


# /context


async def test_context_shows_what_fills_the_window_to_that_person_alone(world, small, say):
    await small()
    await say("one", "two")
    await say("else", person=world.discord.person("Ben", world.guild))
    message = await opened(world)
    page = message.content.splitlines()
    filled = await world.chat.context_of(world.chat.key_for(world.channel.id, world.ada.user.id, world.guild.id))
    assert page[0] == text("context.head", used_tokens=filled.used_tokens, window_tokens=WINDOW_TOKENS)
    assert re.fullmatch(r"`█+▒+░+·+`", page[1])
    shown = [int(line.rsplit(" ", 1)[1]) for line in page[2:] if line.startswith("`")]
    assert sum(shown) == WINDOW_TOKENS
    assert options_of(message) == [("two", False), ("one", False)]


async def test_context_of_a_conversation_not_begun_shows_the_room_and_nothing_to_pin(world, small):
    await small()
    message = await opened(world)
    assert text("context.room", tokens=64) in message.content
    assert message.components == []


async def test_context_tells_files_apart_and_how_many_exchanges_were_dropped(world, small, say):
    await small(per_user_per_minute=1000)
    answers = [await say(f"{number} {LONG}") for number in range(6)]
    assert any("no longer fit" in answer for answer in answers)
    await world.said(await world.ada.say(world.channel, "<@bot> read it", attachments={"a.txt": b"some words"}))
    message = await opened(world)
    assert re.search(re.escape(text("context.dropped", count=0))[:-1] + "[1-9]", message.content)
    assert re.search(text("context.attachments", tokens="[1-9]"), message.content)


# Pins


async def test_pin_pins_the_last_exchange_and_says_how_much_that_takes(world, small, say):
    await small()
    assert await told(world, await world.ada.slash(world.channel, "pin")) == text("refused.nothing_to_pin")
    await say("one", "two")
    sentence = await told(world, await world.ada.slash(world.channel, "pin"))
    filled = await world.chat.context_of(world.chat.key_for(world.channel.id, world.ada.user.id, world.guild.id))
    numbers = {"tokens": filled.pinned_tokens, "limit_tokens": filled.pin_limit_tokens}
    assert sentence == text("pin.done", words="two", **numbers)
    assert await told(world, await world.ada.slash(world.channel, "pin")) == text("pin.already", words="two")
    message = await opened(world)
    assert options_of(message) == [("two", True), ("one", False)]
    assert text("context.pinned", tokens=filled.pinned_tokens) in message.content


async def test_the_select_pins_what_is_chosen_and_unpins_what_is_not_also_after_a_restart(world, small, say):
    await small()
    await say("one", "two", "three")
    message = await opened(world)
    await choose(world, message, "one", "three")
    await shows(world, message, ("three", True), ("two", False), ("one", True))
    await small()
    await choose(world, message, "two")
    await shows(world, message, ("three", False), ("two", True), ("one", False))
    await choose(world, message)
    await shows(world, message, ("three", False), ("two", False), ("one", False))


async def test_what_is_pinned_stays_so_when_its_answer_is_made_anew(world, small, say):
    await small()
    answer = await say("my cat is called Muffin")
    await told(world, await world.ada.slash(world.channel, "pin"))
    [answer] = [message for message in world.discord.history(world.channel) if message.content == answer]
    await world.ada.press(answer, text("button.regenerate"))
    await idle(world)
    await world.discord.until(lambda: "2/2" in str(answer.components))
    assert options_of(await opened(world)) == [("my cat is called Muffin", True)]


async def test_a_pinned_exchange_outlives_every_cut(world, small, say):
    await small()
    await say("remember the bridge")
    await told(world, await world.ada.slash(world.channel, "pin"))
    for number in range(6):
        await say(f"{number} {LONG}")
    message = await opened(world)
    assert re.search(re.escape(text("context.dropped", count=0))[:-1] + "[1-9]", message.content)
    assert ("remember the bridge", True) in options_of(message)


async def test_too_much_pinned_is_refused_with_the_limit_and_the_rest_is_kept(world, small, say):
    await small()
    await say("one", f"two {LONG}", f"three {LONG}")
    message = await opened(world)
    labels = [label for label, _ in options_of(message)]
    used = await choose(world, message, *labels)
    assert (await refusal_of(world, used)).startswith("Too much is pinned: that makes ")
    pinned = [pinned for _, pinned in options_of(message)]
    assert sorted(pinned) == [False, True, True] or sorted(pinned) == [False, False, True]
    await small()
    await say(f"four {LONG}{LONG}")
    sentence = await told(world, await world.ada.slash(world.channel, "pin"))
    assert sentence.startswith("Too much is pinned")


async def test_an_exchange_that_is_gone_when_it_is_chosen_is_said_and_the_page_is_brought_up_to_date(world, small, say):
    await small()
    await say("one", "two")
    message = await opened(world)
    await told(world, await world.ada.slash(world.channel, "reset"))
    used = await choose(world, message, "one")
    assert await refusal_of(world, used) == text("refused.gone")
    await world.discord.until(lambda: message.components == [])


async def test_a_choice_that_comes_twice_or_too_late_or_while_closing_does_no_harm(world, small, say):
    await small()
    await say("one", "two")
    message = await opened(world)
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    await choose(world, message, "one")
    await shows(world, message, ("two", False), ("one", True))
    world.discord.faults.add(method="POST", path=r"/callback", times=None, status=404, code=10062)
    used = await choose(world, message)
    await world.discord.until(lambda: len(world.discord.log.of("POST", rf"/{used.token}/callback$")) >= 2)
    world.discord.faults.clear()
    world.frontend.begin_closing()
    used = await choose(world, message)
    [sentence] = await world.discord.until(lambda: used.responses)
    assert (sentence.content, sentence.visible_to) == (text("refused.shutting_down"), world.ada.user.id)
    assert ("one", True) in options_of(message)


async def test_a_choice_that_fails_on_the_disk_ends_in_a_sentence(world, small, stack, say):
    await small()
    await say("one")
    message = await opened(world)
    await stack.history.aclose()
    used = await choose(world, message, "one")
    assert await refusal_of(world, used) == text("error.unexpected")


async def test_who_may_not_see_a_conversation_can_pin_nothing_in_it(world, small, say):
    await small()
    await say("one")
    message = await opened(world)
    ben = world.discord.person("Ben", world.guild)
    message.visible_to = ben.user.id  # as if he had got hold of it
    used = await choose(world, message, "one", person=ben)
    assert await refusal_of(world, used) == text("refused.gone")
    assert options_of(await opened(world)) == [("one", False)]


# /summarize


async def test_summarize_shows_the_summary_to_that_person_alone_and_what_it_freed(world, small, say):
    await small()
    await say("I like tea", f"two {LONG}", f"three {LONG}")
    before = (await opened(world)).content
    used = await world.ada.slash(world.channel, "summarize")
    await world.discord.until(lambda: used.followups)
    summary, outcome = await world.discord.answer(used)
    assert (summary.content, summary.visible_to) == (SUMMARY, world.ada.user.id)
    assert summary.components == []
    after = await world.chat.context_of(world.chat.key_for(world.channel.id, world.ada.user.id, world.guild.id))
    used_before = int(re.search(r"(\d+) of the", before)[1])
    freed = {"freed_tokens": used_before - after.used_tokens, "used_tokens": after.used_tokens}
    assert freed["freed_tokens"] > 100
    assert (outcome.content, outcome.visible_to) == (text("summarize.freed", **freed), world.ada.user.id)
    page = await opened(world)
    assert text("context.summary", tokens=after.summary_tokens) in page.content
    assert text("context.summarized", count=3) in page.content
    assert text("history.summary", text=SUMMARY) in await told(world, await world.ada.slash(world.channel, "history"))


async def test_a_summary_grows_and_stop_leaves_everything_as_it_was(world, small, stack, say):
    await small(Say(stack.encode("Ada likes")), Hang())
    await say("I like tea")
    used = await world.ada.slash(world.channel, "summarize")
    growing = await world.sees("Ada likes" + RUNNING_MARK)
    assert growing.visible_to == world.ada.user.id
    again = await world.ada.slash(world.channel, "summarize")
    assert await told(world, again) == text("summarize.already")
    await world.ada.press(growing, text("button.stop"))
    await world.discord.until(lambda: growing.content == f"Ada likes\n{text('answer.stopped')}")
    await world.frontend.finish_writers(5)
    assert used.followups == []
    assert "I like tea" in await told(world, await world.ada.slash(world.channel, "history"))


async def test_a_summary_whose_words_are_deleted_on_the_way_ends_with_a_sentence(world, small, stack, say):
    await small(Say(stack.encode("Ada likes")), Hang())
    question = await world.ada.say(world.channel, "<@bot> I like tea")
    await world.said(question)
    used = await world.ada.slash(world.channel, "summarize")
    growing = await world.sees("Ada likes" + RUNNING_MARK)
    await world.ada.delete(question)
    assert await refusal_of(world, used) == text("summarize.forgotten")
    assert growing.deleted


async def test_a_summary_that_fails_or_has_nothing_to_sum_up_says_so(world, small, stack, say):
    await small(Say(stack.encode("Ada")), Fail())
    used = await world.ada.slash(world.channel, "summarize")
    assert await told(world, used) == text("refused.nothing_to_summarize")
    await say("I like tea")
    used = await world.ada.slash(world.channel, "summarize")
    assert await told(world, used) == f"Ada\n{text('error.engine')}"
    assert options_of(await opened(world)) == [("I like tea", False)]


async def test_a_summary_longer_than_what_it_stands_for_is_honest_about_it(world, small, stack, say):
    await small(Say(stack.encode("Ada likes tea, and said so in very few words, of which these are many more.")))
    await say("tea")
    used = await world.ada.slash(world.channel, "summarize")
    await world.discord.until(lambda: used.followups)
    assert used.followups[-1].content == text("summarize.no_shorter")


async def test_a_summary_whose_interaction_expires_is_made_but_never_posted_for_all(world, small, stack, say):
    await small(Say(stack.encode("Ada likes tea and more of the like"), 0.02))
    await say("I like tea", f"two {LONG}")
    used = await world.ada.slash(world.channel, "summarize")
    await world.discord.wait_for(lambda message: message.content.endswith(RUNNING_MARK))
    used.created_at -= 16 * 60
    await idle(world)
    await world.frontend.finish_writers(5)
    key = world.chat.key_for(world.channel.id, world.ada.user.id, world.guild.id)
    assert (await world.chat.context_of(key)).summary.answer == "Ada likes tea and more of the like"
    public = [message for message in world.discord.history(world.channel) if message.visible_to is None]
    assert not any("Ada likes" in message.content for message in public)


async def test_in_a_shared_room_the_summary_is_for_all(world, small, say):
    await small()
    await world.chat.set_shared(world.channel.id, world.guild.id, shared=True)
    used = await world.ada.slash(world.channel, "ask", question="I like tea")
    await world.said(used)
    ben = world.discord.person("Ben", world.guild)
    assert options_of(await opened(world, ben)) == [("I like tea", False)]
    used = await ben.slash(world.channel, "summarize")
    await world.discord.until(lambda: used.followups)
    assert {message.visible_to for message in await world.discord.answer(used)} == {None}


@pytest.mark.parametrize("change", ["deleted", "forgotten", "edited"])
async def test_a_summary_for_all_goes_with_the_words_that_it_is_made_of(world, small, change):
    await small()
    await world.chat.set_shared(world.channel.id, world.guild.id, shared=True)
    questions, answers = [], []
    for words in ("I like tea", "and milk"):
        questions.append(await world.ada.say(world.channel, f"<@bot> {words}"))
        answers += await world.discord.answer(questions[-1])
    used = await world.ada.slash(world.channel, "summarize")
    await world.discord.until(lambda: used.followups)
    summary = used.original
    assert summary.content.startswith(SUMMARY)
    if change == "deleted":
        await world.ada.delete(questions[0])
    elif change == "forgotten":
        await world.ada.menu(answers[0], text("menu.forget"))
    else:
        await world.ada.edit(questions[0], "<@bot> I like coffee")
    await world.discord.until(lambda: summary.deleted)
    assert not answers[1].deleted


async def test_what_is_summed_up_by_itself_is_said_once_below_the_next_answer(world, small, say):
    await small(auto_summarize=True)
    answers = []
    for number in range(5):
        answers.append(await say(f"{number} {LONG}"))
        await idle(world)
    line = re.compile("^fine\n" + re.escape(text("answer.summarized", count=7)).replace("7", r"\d"))
    one = f"fine\n{text('answer.summarized_one')}"
    told_of = [answer for answer in answers if line.match(answer) or answer == one]
    assert told_of
    assert len(told_of) < 4
    assert not any("no longer fit" in answer for answer in answers)
