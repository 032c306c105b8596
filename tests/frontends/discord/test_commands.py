"""Slash commands on a loopback Discord, with the real discord.py."""

import asyncio
import time
from dataclasses import replace

import pytest

from bot.core.chat import Remembered, Status, Taken
from bot.core.engine import EngineInfo, Loading
from bot.core.messages import ConversationKey, Turn, TurnState
from bot.errors import CooldownRuns, EngineDead, QuestionTooLong, QueueFull
from bot.frontends.discord.commands import COMMANDS, LEAVES, history_page, status_page
from bot.frontends.discord.split import LIMIT_CHARS
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text


def turn(number, question, answer):
    return Turn(number, 1, None, 3, question, TurnState.DONE, 0.0, answer=answer, asked=question)


async def test_ask_is_answered_in_public_and_grows(world):
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="why?")
    answer = await world.asked()
    assert world.chat.questions[0].key == ConversationKey(world.channel.id, world.ada.user.id, world.guild.id)
    for words in ("One", "One two"):
        world.chat.say(answer, words)
        await world.sees(words + RUNNING_MARK)
    world.chat.end(answer)
    assert await world.responses(used) == (["One two"], False)
    await world.frontend.finish_writers(5)
    assert world.chat.shown_messages == {1: [used.original.id]}


async def test_a_long_answer_to_ask_goes_on_in_the_channel(world):
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="much")
    answer = await world.asked()
    world.chat.say(answer, "word " * 900)
    world.chat.end(answer)
    contents, _ = await world.responses(used)
    await world.frontend.finish_writers(5)
    assert len(world.chat.shown_messages[1]) == 3
    assert contents[0].startswith("word")


async def test_where_the_bot_may_not_write_itself_ask_goes_on_in_followups(world):
    world.discord.state.set_overwrite(world.channel, world.discord.bot_role(world.guild), deny=Permission.SEND_MESSAGES)
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="much")
    answer = await world.asked()
    world.chat.say(answer, "word " * 900)
    world.chat.end(answer)
    await world.frontend.finish_writers(5)
    assert len(used.responses) == 3


async def test_ask_works_in_dms(world):
    await world.start()
    used = await world.ada.slash(world.ada.dm(), "ask", question="why?")
    assert await world.responses(used) == (["You said: why?"], False)


@pytest.mark.parametrize("refusal", [EngineDead("x"), QueueFull(7, None), QuestionTooLong(9, 5), CooldownRuns(30, 2)])
async def test_an_ask_that_is_refused_after_its_acknowledgement_is_refused_to_that_person_alone(world, refusal):
    await world.start()
    world.chat.refusal = refusal
    used = await world.ada.slash(world.channel, "ask", question="why?")
    assert await world.responses(used) == ([refusal.user_message()], True)
    assert [message.visible_to for message in world.discord.history(world.channel)] == [world.ada.user.id]


async def test_where_the_promise_of_an_answer_cannot_be_taken_back_the_refusal_takes_its_place(world):
    await world.start()
    world.discord.faults.add(method="DELETE", path=r"/@original$", status=403)
    world.chat.refusal = QueueFull(7, None)
    used = await world.ada.slash(world.channel, "ask", question="why?")
    assert await world.responses(used) == ([world.chat.refusal.user_message()], False)


async def test_a_promise_that_was_taken_back_unheard_is_not_in_the_way_of_the_refusal(world):
    await world.start()
    world.discord.faults.add(method="DELETE", path=r"/@original$", close_connection=True, after_effect=True)
    world.chat.refusal = QueueFull(7, None)
    used = await world.ada.slash(world.channel, "ask", question="why?")
    assert await world.responses(used) == ([world.chat.refusal.user_message()], True)


async def test_a_replayed_command_is_carried_out_once(world):
    await world.start()
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert await world.responses(used) == (["You said: hi"], False)
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    await world.responses(await world.ada.slash(world.channel, "reset"))
    await world.responses(await world.ada.slash(world.channel, "help"))  # behind both: events come in order
    assert [question.text for question in world.chat.questions] == ["hi"]
    assert len(world.chat.resets) == 1
    assert await world.responses(used) == (["You said: hi"], False)


async def test_an_ask_that_an_earlier_process_took_changes_nothing(world):
    await world.start()

    async def know(_question, **_):
        return Taken.BEFORE

    world.chat.ask = know
    used = await world.ada.slash(world.channel, "ask", question="hi")
    await world.discord.until(lambda: used.acknowledged)
    await world.responses(await world.ada.slash(world.channel, "help"))
    assert not world.discord.log.of("PATCH", r"/@original$")


async def test_an_ask_that_joins_a_waiting_question_says_so(world):
    await world.start()

    async def join(_question, **_):
        return Taken.JOINED

    world.chat.ask = join
    used = await world.ada.slash(world.channel, "ask", question="and this?")
    assert (await world.responses(used))[0] == [text("ask.joined")]


async def test_an_answer_outlives_the_interaction(world):
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="why?")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    used.created_at -= 16 * 60
    world.chat.say(answer, "One two")
    world.chat.end(answer)
    await world.sees("One two")
    await world.frontend.finish_writers(5)


async def test_an_answer_that_comes_after_the_interaction_expired_is_posted_in_the_channel(world):
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="why?")
    answer = await world.asked()
    used.created_at -= 16 * 60
    world.chat.say(answer, "Late")
    world.chat.end(answer)
    posted = await world.sees("Late")
    assert posted.interaction is None


async def test_reset_forgets_here_or_everywhere_and_only_the_person_sees_it(world):
    await world.start()
    here = await world.ada.slash(world.channel, "reset")
    assert await world.responses(here) == ([text("reset.done")], True)
    everywhere = await world.ada.slash(world.channel, "reset", scope="everywhere")
    assert await world.responses(everywhere) == ([text("reset.everywhere", count=3)], True)
    key = ConversationKey(world.channel.id, world.ada.user.id, world.guild.id)
    assert world.chat.resets == [key, world.ada.user.id]


async def test_stop_keeps_the_text_so_far(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> talk")
    world.chat.say(await world.asked(), "Half an")
    await world.sees("Half an" + RUNNING_MARK)
    used = await world.ada.slash(world.channel, "stop")
    assert await world.responses(used) == ([text("stop.done")], True)
    assert await world.said(question) == [f"Half an\n{text('answer.stopped')}"]
    used = await world.ada.slash(world.channel, "stop")
    assert await world.responses(used) == ([text("stop.nothing")], True)


async def test_history_is_for_the_person_alone(world):
    await world.start()
    used = await world.ada.slash(world.channel, "history")
    assert await world.responses(used) == ([text("history.nothing")], True)
    world.chat.turns = [turn(1, "who?", "me"), turn(2, "why?", "because")]
    used = await world.ada.slash(world.channel, "history")
    [page], is_private = await world.responses(used)
    assert is_private
    assert page.splitlines()[1:] == ["**You:** who?", "**Me:** me", "**You:** why?", "**Me:** because"]


async def test_help_names_every_command(world):
    await world.start()
    used = await world.ada.slash(world.channel, "help")
    [page], is_private = await world.responses(used)
    assert is_private
    assert all(f"`/{command.name}`" in page for command in COMMANDS if command.name != "help")


async def test_status_tells_model_device_and_load(world):
    await world.start()
    used = await world.ada.slash(world.channel, "status")
    [page], is_private = await world.responses(used)
    assert is_private
    for part in ("Echo-1", "CPU (a fast one)", "2 being answered, 5 waiting"):
        assert part in page


async def test_commands_keep_the_rule_of_allowed_servers(world):
    elsewhere = world.discord.add_guild("Elsewhere")
    other_channel = world.discord.add_channel(elsewhere, "general")
    eve = world.discord.person("Eve", elsewhere)
    world.discord.faults.add(method="DELETE", path="/users/@me/guilds/", times=None, status=503)  # not left yet
    await world.start(allowed_guild_ids=frozenset({world.guild.id}))
    used = await eve.slash(other_channel, "ask", question="hi")
    assert await world.responses(used) == ([text("command.not_here")], True)
    assert world.chat.questions == []


async def test_commands_are_not_offered_in_dms_where_those_are_off(world):
    await world.start(allow_dms=False)
    assert world.ada.commands(world.ada.dm()) == []
    assert len(world.ada.commands(world.channel)) == len(COMMANDS)


async def test_an_unexpected_failure_in_a_command_ends_in_a_sentence(world):
    await world.start()
    world.chat.refusal = ValueError("secret")
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert await world.responses(used) == ([text("error.unexpected")], True)


async def test_a_command_while_the_bot_goes_down_gets_its_sentence(world):
    await world.start()
    world.frontend.begin_closing()
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert await world.responses(used) == ([text("refused.shutting_down")], True)


async def test_a_command_that_cannot_be_acknowledged_in_time_is_answered_in_the_channel(world):
    await world.start()
    world.discord.faults.add(method="POST", path=r"/callback", times=None, status=404, code=10062)
    await world.ada.slash(world.channel, "ask", question="hi")
    await world.sees(f"{world.ada.user.mention} {text('command.too_late')}")


@pytest.mark.parametrize("after_effect", [False, True])
async def test_an_acknowledgement_whose_answer_is_lost_is_made_again(world, after_effect):
    await world.start()
    world.discord.faults.add(method="POST", path=r"/callback", close_connection=True, after_effect=after_effect)
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert await world.responses(used) == (["You said: hi"], False)


async def test_a_command_that_discord_knows_and_we_do_not_says_so(world):
    await world.start()
    [known] = [command for command in world.ada.commands(world.channel) if command.name == "help"]
    known.data["name"] = "gone"
    used = await world.ada.slash(world.channel, "gone")
    assert await world.responses(used) == ([text("command.outdated")], True)


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_lost_edit_of_the_response_is_made_again(world, after_effect):
    await world.start()
    world.discord.faults.add(
        method="PATCH", path=r"/@original$", times=2, close_connection=True, after_effect=after_effect
    )
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert (await world.responses(used))[0] == ["You said: hi"]
    await world.frontend.finish_writers(5)
    assert len(world.discord.history(world.channel)) == 1


async def test_commands_are_synced_only_when_they_changed_or_by_force(world):
    def syncs():
        return len(world.discord.log.of("PUT", r"/commands$"))

    for options, expected in (({}, 1), ({}, 1), ({"force_sync": True}, 2), ({"allow_dms": False}, 3), ({}, 4)):
        await world.start(**options)
        await world.stop()
        assert syncs() == expected


async def test_commands_that_could_not_be_synced_are_synced_at_the_next_start(world):
    world.discord.faults.add(method="PUT", path=r"/commands$", status=403)
    await world.start()
    await world.stop()
    assert world.facts == {}
    await world.start()
    assert len(world.ada.commands(world.channel)) == len(COMMANDS)


def test_every_command_is_described_within_discords_limit():
    assert all(0 < len(command.description) <= 100 for command in COMMANDS)
    for command in LEAVES:
        for description in (command.description, *(option.description for option in command.parameters)):
            assert 0 < len(str(description)) <= 100


def test_a_long_history_shows_the_newest_and_fits():
    turns = [turn(number, f"question {number} " + "x " * 500, "```py\n" + "y\n" * 500 + "```") for number in range(10)]
    page = history_page(Remembered(turns), "en")
    assert len(page) <= LIMIT_CHARS
    assert "question 9" in page
    assert "question 0" not in page
    assert page.count("```") % 2 == 0


def test_a_history_of_very_long_texts_takes_no_longer_than_one_of_short_texts():
    turns = [turn(number, "[" * 800_000, "word " * 160_000) for number in range(10)]
    began_s = time.process_time()
    page = history_page(Remembered(turns), "en")
    assert time.process_time() - began_s < 2  # about 0.02; of the whole texts: about 10
    assert page.count("…") == 2 * page.count("**Me:**") > 0


def test_a_history_says_how_much_of_it_is_not_shown_and_how_much_forgotten():
    turns = [turn(number, "question " * 60, "answer " * 60) for number in range(10)]
    page = history_page(Remembered(turns, earlier=5, forgotten=7), "en")
    shown = page.count("**You:**")
    assert 0 < shown < 10
    assert page.splitlines()[-2:] == [
        text("history.earlier", count=15 - shown),
        text("history.forgotten", count=7),
    ]
    assert history_page(Remembered([], forgotten=1), "en").endswith(text("history.forgotten", count=1))


def test_an_unanswered_turn_is_in_the_history():
    assert text("history.no_answer") in history_page(Remembered([turn(1, "why?", "")]), "en")


def test_the_status_says_what_is_loading_and_what_is_off():
    info = EngineInfo("genai", "Phi-3", "GPU.0", 4096, 1)
    now = Status(info, Loading("loading.compiling", 12.3, None), 0, 1)
    page = status_page(now, latency_s=float("nan"), sees_content=False, locale="en-GB")
    assert "compiling it for the device, 12 s" in page
    assert text("status.withheld") in page
    assert "nan" not in page
    ready = status_page(replace(now, loading=None), latency_s=0.0421, sees_content=True, locale="de")
    assert "42 ms" in ready
    assert text("status.ready", "de") in ready


async def test_commands_are_acknowledged_before_slow_work(world):
    await world.start()
    release = asyncio.Event()

    async def slow_reset(_key):
        await release.wait()
        return False

    world.chat.reset = slow_reset
    used = await world.ada.slash(world.channel, "reset")
    await world.discord.until(lambda: used.acknowledged)
    release.set()
    assert await world.responses(used) == ([text("reset.nothing")], True)
