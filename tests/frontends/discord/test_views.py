"""The buttons under an answer: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

import asyncio
import itertools
import threading
import time
from dataclasses import replace

import pytest

from bot.engine.echo import EchoBackend, Hang, Say
from bot.playground.model import CallbackType
from bot.playground.permissions import Permission
from bot.texts import ENGLISH, RUNNING_MARK, text

WEEK_S = 7 * 24 * 3600
STOP, LEAVE, REGENERATE = text("button.stop"), text("button.leave"), text("button.regenerate")
CONTINUE, OLDER, NEWER = text("button.continue"), text("button.older"), text("button.newer")


def buttons(message):
    """Return what stands on a message's buttons."""
    return [button["label"] for row in message.components for button in row["components"]]


def pressable(message):
    return [b["label"] for row in message.components for b in row["components"] if not b.get("disabled")]


async def told(world, used):
    """Return the sentence that the presser alone is told."""
    [sentence] = await world.discord.until(lambda: used.followups)
    assert sentence.visible_to == used.user.id
    return sentence.content


async def shows(world, message, words, *labels):
    """Wait until a message has these words and buttons."""
    await world.discord.until(lambda: message.content == words and buttons(message) == list(labels))


def numbered(stack, *texts):
    """Return a script that answers with one text after the other."""
    found = itertools.cycle(texts)
    return lambda _request: [Say(stack.encode(next(found)))]


def half(stack):
    """Return a script that never gets further than "Half an"."""
    return lambda _request: [Say(stack.encode("Half an")), Hang()]


@pytest.fixture
def asked(world):
    """Ask as Ada and return the question and the first message of the finished answer."""

    async def asked(words="hi", place=None):
        mention = "<@bot> " if place is None else ""
        question = await world.ada.say(place or world.channel, f"{mention}{words}")
        return question, (await world.discord.answer(question))[0]

    return asked


async def test_an_answer_that_is_there_at_once_is_one_post_with_its_buttons(world, stack, asked):
    await stack(timing=replace(world.quick, first_text_s=1))
    _, answer = await asked()
    assert buttons(answer) == [REGENERATE]
    await world.frontend.finish_writers(5)
    writing = [call for call in world.discord.log if "/messages" in call.path and call.method != "GET"]
    assert [call.method for call in writing] == ["POST"]


async def test_stop_keeps_the_text_and_makes_way_for_regenerate(world, stack):
    await stack(half(stack))
    await world.ada.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    assert buttons(answer) == [STOP]
    await world.ada.press(answer, STOP)
    await shows(world, answer, f"Half an\n{text('answer.stopped')}", REGENERATE)


async def test_stop_pressed_twice_stops_once_and_complains_of_nothing(world, stack):
    await stack(half(stack))
    await world.ada.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    used = [await world.ada.press(answer, STOP) for _ in range(2)]
    await shows(world, answer, f"Half an\n{text('answer.stopped')}", REGENERATE)
    await world.discord.until(lambda: all(each.acknowledged for each in used))
    assert [each.followups for each in used] == [[], []]


async def test_others_are_told_that_it_is_not_theirs_and_moderators_may(world, stack):
    await stack(half(stack))
    grace, mod = world.discord.person("Grace", world.guild), world.discord.person("Mod", world.guild)
    world.discord.grant(mod, world.guild, Permission.MANAGE_MESSAGES)
    await world.ada.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    assert await told(world, await grace.press(answer, STOP)) == text("refused.not_yours")
    assert answer.content.endswith(RUNNING_MARK)
    await mod.press(answer, STOP)
    await shows(world, answer, f"Half an\n{text('answer.stopped')}", REGENERATE)


async def test_a_moderator_of_another_channel_only_may_not(world, stack, asked):
    await stack()
    mod = world.discord.person("Mod", world.guild)
    role = world.discord.grant(mod, world.guild, Permission.MANAGE_MESSAGES)
    world.discord.state.set_overwrite(world.channel, role, deny=Permission.MANAGE_MESSAGES)
    _, answer = await asked()
    assert await told(world, await mod.press(answer, REGENERATE)) == text("refused.not_yours")


async def test_who_waits_leaves_the_queue_by_the_placeholders_button(world, stack):
    go_on = threading.Event()

    def load(report):
        report("loading.compiling")
        assert go_on.wait(30)
        return EchoBackend(stack.info)

    await stack(load=load)
    await world.ada.say(world.channel, "<@bot> are you there?")
    placeholder = await world.discord.wait_for(lambda message: buttons(message) == [LEAVE])
    await world.ada.press(placeholder, LEAVE)
    await shows(world, placeholder, text("answer.stopped"), REGENERATE)
    go_on.set()
    assert world.chat.status().waiting == 0


async def test_who_stands_in_line_has_the_button_too_and_the_one_before_goes_on(world, stack):
    await stack(half(stack), slots=1)
    grace = world.discord.person("Grace", world.guild)
    await world.ada.say(world.channel, "<@bot> go on for ever")
    running = await world.sees("Half an" + RUNNING_MARK)
    waiting = [
        await person.say(world.channel, "<@bot> and me?")
        for person in (grace, world.discord.person("Eve", world.guild))
    ]
    placeholder = await world.discord.wait_for(lambda message: buttons(message) == [LEAVE])
    owner = next(message.author for message in waiting if message.id == placeholder.replies_to)
    await world.discord.person(owner.name).press(placeholder, LEAVE)
    await shows(world, placeholder, text("answer.stopped"), REGENERATE)
    assert running.content == "Half an" + RUNNING_MARK


async def test_regenerate_shows_another_version_in_the_same_messages_and_arrows_lead_back(world, stack, asked):
    await stack(numbered(stack, "First.", "Second.", "Third."))
    question, answer = await asked()
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/2", NEWER)
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Third.", REGENERATE, OLDER, "3/3", NEWER)
    assert pressable(answer) == [REGENERATE, OLDER]
    await world.ada.press(answer, OLDER)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/3", NEWER)
    await world.ada.press(answer, OLDER)
    await shows(world, answer, "First.", REGENERATE, OLDER, "1/3", NEWER)
    assert pressable(answer) == [REGENERATE, NEWER]
    await world.ada.press(answer, NEWER)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/3", NEWER)
    assert world.discord.answer_so_far(question) == [answer]


async def test_the_conversation_goes_on_from_the_version_that_is_shown(world, stack, asked):
    prompts = []
    texts = itertools.chain(["First.", "Second."], itertools.repeat("More."))

    def script(request):
        prompts.append(tuple(request.prompt_ids))
        return [Say(stack.encode(next(texts)))]

    await stack(script)
    _, answer = await asked()
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/2", NEWER)
    await world.ada.press(answer, OLDER)
    await shows(world, answer, "First.", REGENERATE, OLDER, "1/2", NEWER)
    await asked("and now?")
    first, second = (stack.encode(words) for words in ("First.", "Second."))
    assert holds(prompts[-1], first)
    assert not holds(prompts[-1], second)


def holds(ids, part):
    return any(ids[start : start + len(part)] == tuple(part) for start in range(len(ids)))


async def test_a_shorter_version_deletes_the_messages_it_does_not_need_and_a_longer_one_brings_them_back(
    world, stack, asked
):
    longer = " ".join(words for words in ENGLISH.values() if words.endswith("."))[:2500]  # no loop: those are cut
    await stack(numbered(stack, longer, "Short."), max_new_tokens=3000)
    question, first = await asked()
    pieces = world.discord.answer_so_far(question)
    assert [buttons(piece) for piece in pieces] == [[], [REGENERATE]]
    await world.ada.press(pieces[-1], REGENERATE)
    await shows(world, first, "Short.", REGENERATE, OLDER, "2/2", NEWER)
    await world.frontend.finish_writers(5)
    assert world.discord.answer_so_far(question) == [first]
    await world.ada.press(first, OLDER)
    await world.discord.until(lambda: len(world.discord.answer_so_far(question)) == 2)
    await world.frontend.finish_writers(5)
    pieces = world.discord.answer_so_far(question)
    assert " ".join(piece.content for piece in pieces).split() == longer.split()
    assert [buttons(piece) for piece in pieces] == [[], [REGENERATE, OLDER, "1/2", NEWER]]
    turn = await world.chat.turn_of_message(question.id)
    assert turn.answer_message_ids == tuple(piece.id for piece in pieces)


async def test_a_new_version_grows_in_the_same_message_and_can_be_stopped(world, stack, asked):
    scripts = iter([[Say(stack.encode("First."))], [Say(stack.encode("Half an")), Hang()]])
    await stack(lambda _request: next(scripts))
    question, answer = await asked()
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Half an" + RUNNING_MARK, STOP)
    await world.ada.press(answer, STOP)
    await shows(world, answer, f"Half an\n{text('answer.stopped')}", REGENERATE, OLDER, "2/2", NEWER)
    assert world.discord.answer_so_far(question) == [answer]


async def test_regenerate_pressed_twice_begins_one_version_and_says_so(world, stack, asked):
    scripts = iter([[Say(stack.encode("First."))], [Say(stack.encode("Half an")), Hang()]])
    await stack(lambda _request: next(scripts))
    _, answer = await asked()
    used = [await world.ada.press(answer, REGENERATE) for _ in range(2)]
    await shows(world, answer, "Half an" + RUNNING_MARK, STOP)
    await world.discord.until(lambda: any(each.followups for each in used))
    assert sorted(m.content for each in used for m in each.followups) == [text("refused.still_runs")]


async def test_an_answer_that_its_length_cut_off_goes_on(world, stack, asked):
    await stack(lambda _request: [Say(stack.encode("one two three four five six"))], max_new_tokens=3)
    _, answer = await asked()
    assert buttons(answer) == [REGENERATE, CONTINUE]
    before = answer.content.split("\n")[0]
    await world.ada.press(answer, CONTINUE)
    await world.discord.until(lambda: len(answer.content.split("\n")[0]) > len(before) and CONTINUE in buttons(answer))
    assert answer.content.startswith(before)


async def test_what_is_forgotten_or_older_than_a_week_is_refused_with_a_sentence(world, stack, asked):
    await stack(wall_clock=lambda: time.time() - WEEK_S - 60)
    question, answer = await asked()
    assert await told(world, await world.ada.press(answer, REGENERATE)) == text("refused.too_old")
    turn = await world.chat.turn_of_message(question.id)
    await world.chat.forget_turn(turn.id)
    assert await told(world, await world.ada.press(answer, REGENERATE)) == text("refused.gone")
    assert answer.content == "hi"


async def test_the_buttons_work_after_a_restart(world, stack, asked):
    await stack(numbered(stack, "First."))
    _, answer = await asked()
    await stack(numbered(stack, "Second."))
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/2", NEWER)
    await stack()
    await world.ada.press(answer, OLDER)
    await shows(world, answer, "First.", REGENERATE, OLDER, "1/2", NEWER)


async def test_while_shutting_down_stop_still_works_and_the_others_say_why_they_do_not(world, stack, asked):
    scripts = iter([[Say(stack.encode("First."))], [Say(stack.encode("Half an")), Hang()]])
    await stack(lambda _request: next(scripts))
    _, old = await asked()
    await world.ada.say(world.channel, "<@bot> go on for ever")
    running = await world.sees("Half an" + RUNNING_MARK)
    world.frontend.begin_closing()
    draining = asyncio.create_task(world.chat.drain(30))
    assert await told(world, await world.ada.press(old, REGENERATE)) == text("refused.shutting_down")
    await world.ada.press(running, STOP)
    await shows(world, running, f"Half an\n{text('answer.stopped')}", REGENERATE)
    await draining


async def test_a_press_while_discords_edit_is_in_flight_comes_after_it(world, stack):
    await stack(half(stack))
    await world.ada.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    held = asyncio.Event()
    fault = world.discord.faults.add(method="PATCH", path="/messages/", hold=held)
    used = await world.ada.press(answer, STOP)
    await world.discord.until(lambda: used.acknowledged and fault.hits == 1)
    again = await world.ada.press(answer, STOP)  # what stands there is not up to date yet
    await world.discord.until(lambda: again.acknowledged)
    held.set()
    await world.discord.until(lambda: answer.content.endswith(text("answer.stopped")))
    await world.frontend.finish_writers(5)
    assert buttons(answer) == [REGENERATE]
    edits = [call.body["content"] for call in world.discord.log.of("PATCH", "/messages/")]
    assert sum(content.endswith(text("answer.stopped")) for content in edits) == 1  # not once more for the second press


async def test_a_message_whose_last_edit_was_lost_is_brought_to_its_end_by_its_old_button(world, stack):
    await stack(half(stack))
    question = await world.ada.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    world.discord.faults.add(method="PATCH", path="/messages/", status=503, times=4)
    turn = await world.chat.turn_of_message(question.id)
    await world.chat.stop_turn(turn.id)
    await world.frontend.finish_writers(5)
    assert buttons(answer) == [STOP]
    await world.ada.press(answer, STOP)
    await shows(world, answer, f"Half an\n{text('answer.stopped')}", REGENERATE)


async def test_a_press_that_discord_repeats_counts_once(world, stack, asked):
    await stack(numbered(stack, "First.", "Second.", "Third."))
    _, answer = await asked()
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    used = await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/2", NEWER)
    await asked("and now?")
    assert used.followups == []
    assert world.chat.status().running == 0


async def test_a_press_that_cannot_be_acknowledged_changes_nothing(world, stack, asked):
    await stack(numbered(stack, "First.", "Second."))
    _, answer = await asked()
    world.discord.faults.add(method="POST", path="/callback", status=404, code=10062)
    await world.ada.press(answer, REGENERATE)
    await asked("and now?")
    assert answer.content == "First."


async def test_whatever_goes_wrong_is_told_in_a_sentence(world, stack, asked):
    await stack()
    _, answer = await asked()
    await stack.history.aclose()
    assert await told(world, await world.ada.press(answer, REGENERATE)) == text("error.unexpected")


async def test_where_the_bot_does_not_serve_any_more_its_buttons_say_so(world, stack, asked):
    await stack(numbered(stack, "First.", "Second."))
    answers = [(await asked())[1], (await asked(place=world.ada.dm()))[1]]
    world.discord.faults.add(method="DELETE", path="/users/@me/guilds/", times=None, status=503)  # not left yet
    await stack(numbered(stack, "Third."), rules={"allowed_guild_ids": frozenset({1}), "allow_dms": False})
    for answer, words in zip(answers, ("First.", "Second."), strict=True):
        used = await world.ada.press(answer, REGENERATE)
        [sentence] = await world.discord.until(lambda used=used: used.responses)
        assert (sentence.content, sentence.visible_to) == (text("command.not_here"), world.ada.user.id)
        assert answer.content == words


async def test_a_stop_that_comes_after_another_version_took_its_place_posts_nothing(world, stack, asked):
    await stack(numbered(stack, "First.", "Second."))
    _, answer = await asked()
    before = answer.components
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Second.", REGENERATE, OLDER, "2/2", NEWER)
    await world.frontend.finish_writers(5)
    after, answer.components = (
        answer.components,
        [{"type": 1, "components": [{**before[0]["components"][0], "custom_id": "turn:stop:1", "label": STOP}]}],
    )
    used = await world.ada.press(answer, STOP)
    answer.components = after
    await world.discord.until(lambda: used.callback is not None)
    await world.ada.press(answer, OLDER)
    await shows(world, answer, "First.", REGENERATE, OLDER, "1/2", NEWER)
    await world.frontend.finish_writers(5)
    assert len([m for m in world.discord.history(world.channel) if m.author is world.discord.bot.user]) == 1


async def test_a_person_who_regenerates_too_often_is_told_so(world, stack, asked):
    await stack(per_user_per_minute=1)
    _, answer = await asked()
    assert (await told(world, await world.ada.press(answer, REGENERATE))).startswith("That's more than 1 questions")


async def test_the_buttons_work_in_a_dm_a_thread_and_under_a_command(world, stack, asked):
    await stack(numbered(stack, "First.", "Second."))
    thread = world.ada.open_thread(world.channel, "aside")
    answers = [(await asked(place=world.ada.dm()))[1]]
    question = await world.ada.say(thread, "<@bot> hi")
    answers.append((await world.discord.answer(question))[0])
    used = await world.ada.slash(world.channel, "ask", question="hi")
    answers.append((await world.discord.answer(used))[0])
    for answer, (before, after) in zip(answers, itertools.cycle([("First.", "Second.")]), strict=False):
        assert {answer.content} <= {before, after}
        used = await world.ada.press(answer, REGENERATE)
        await world.discord.until(lambda answer=answer: "2/2" in buttons(answer))
        assert used.callback is CallbackType.DEFERRED_UPDATE


async def test_a_channel_that_goes_while_a_button_is_pressed_stops_the_generation(world, stack, asked):
    scripts = iter([[Say(stack.encode("First."))], [Say(stack.encode("Half an")), Hang()]])
    await stack(lambda _request: next(scripts))
    _, answer = await asked()
    await world.ada.press(answer, REGENERATE)
    await shows(world, answer, "Half an" + RUNNING_MARK, STOP)
    world.discord.grant(world.ada, world.guild, Permission.MANAGE_CHANNELS)
    await world.ada.press(answer, STOP)
    world.ada.delete_channel(world.channel)
    await world.frontend.finish_writers(5)
    assert world.chat.status().running == 0
