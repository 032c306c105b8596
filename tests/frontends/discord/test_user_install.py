"""The application that people installed for themselves: asked where the bot is no member, on a loopback Discord."""

from dataclasses import replace

import pytest

from bot.core.messages import TurnState
from bot.frontends.discord.menus import MENUS
from bot.frontends.discord.surface import TOKEN_S
from bot.playground.commanding import MESSAGE_MENU
from bot.playground.permissions import Permission
from bot.texts import ANSWER_FILE, RUNNING_MARK, text

LONG = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(60)).strip()  # ten messages


@pytest.fixture
def abroad(world):
    """Return a channel of a server that the bot is not in; Ada is, and has installed the bot for herself."""
    elsewhere = world.discord.add_guild("Elsewhere", with_bot=False)
    world.discord.join(world.ada.user, elsewhere)
    world.discord.bot.installed_by.add(world.ada.user.id)
    return world.discord.add_channel(elsewhere, "general")


@pytest.fixture
def among_people(world, abroad):
    return world.discord.state.dm(world.ada.user, world.discord.person("Grace").user)


@pytest.fixture
def group(world, abroad):
    return world.discord.group_dm(world.ada, world.discord.person("Grace"))


async def ended(world, words, **how):
    answer = await world.asked()
    world.chat.say(answer, words)
    world.chat.end(answer, **how)
    await world.frontend.finish_writers(10)
    return answer


async def test_only_what_needs_no_membership_is_offered_there(world, abroad, among_people):
    await world.start()
    for place in (abroad, among_people):
        assert [command.name for command in world.ada.commands(place)] == ["ask", "settings", "quota", "persona"]
        assert len(world.ada.commands(place, MESSAGE_MENU)) == len(MENUS)
    assert len(world.ada.commands(world.channel)) > 1


async def test_what_is_asked_there_counts_on_the_quota_and_is_told(world, stack, abroad):
    await stack(tokens_per_day=2)
    for expected in ("hi", text("refused.tokens_used_up", limit_tokens=2, renews_at=0).partition("<t:")[0]):
        used = await world.ada.slash(abroad, "ask", question="hi")
        [message] = await world.discord.until(lambda used=used: used.responses)
        await world.discord.until(lambda message=message, expected=expected: message.content.startswith(expected))
        await world.frontend.finish_writers(5)
    assert message.visible_to == world.ada.user.id
    used = await world.ada.slash(abroad, "quota")
    [message] = await world.discord.until(lambda: used.responses)
    await world.discord.until(lambda: text("quota.everywhere") in message.content)
    assert message.visible_to == world.ada.user.id
    assert "0 of 2 left" in message.content


@pytest.mark.parametrize("place", ["abroad", "among_people", "group"])
async def test_a_question_is_answered_there_as_it_grows(world, request, place):
    where = request.getfixturevalue(place)
    world.chat.answers_itself = False
    await world.start()
    used = await world.ada.slash(where, "ask", question="why?")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    world.chat.say(answer, "word " * 900)
    world.chat.end(answer)
    await world.frontend.finish_writers(5)
    assert len(used.responses) == 3
    assert "".join("".join(message.content for message in used.responses).split()) == "word" * 900
    assert world.discord.log.of("POST", r"/channels/") == []  # where it cannot write by itself, it does not try


async def test_the_message_menus_work_there(world, abroad):
    await world.start()
    message = await world.ada.say(abroad, "a long story")
    used = await world.ada.menu(message, text("menu.summarize"))
    [shown] = await world.discord.answer(used)
    assert shown.content.startswith("You said: ")
    assert [excerpt.text for excerpt in world.chat.questions[0].excerpts] == ["a long story"]


async def test_a_long_answer_takes_five_followups_at_most_and_is_a_file(world, abroad):
    world.chat.answers_itself = False
    await world.start(max_messages=20)
    used = await world.ada.slash(abroad, "ask", question="all")
    answer = await ended(world, LONG)
    assert len(used.responses) == 6
    [file] = used.responses[-1].attachments
    assert (file.filename, file.content.decode()) == (ANSWER_FILE, LONG)
    assert text("answer.as_file") in used.responses[-1].content
    assert answer.ending is None


async def test_followups_whose_answers_are_lost_count_too(world, abroad):
    """Nobody knows whether they were posted; the answer is whole in the file all the same."""
    world.chat.answers_itself = False
    await world.start(max_messages=20)
    used = await world.ada.slash(abroad, "ask", question="all")
    world.discord.faults.add(method="POST", path=r"/webhooks/", times=2, status=503, after_effect=True)
    await ended(world, LONG)
    files = [attachment for message in used.responses for attachment in message.attachments]
    assert [file.content.decode() for file in files] == [LONG]
    assert len(used.followups) == 5


async def test_before_the_fifteen_minutes_are_over_the_answer_ends_with_what_there_is(world, abroad):
    world.chat.answers_itself = False
    await world.start(timing=replace(world.quick, token_margin_s=TOKEN_S - 0.5, stop_s=0.05))
    used = await world.ada.slash(abroad, "ask", question="why?")
    answer = await world.asked()
    world.chat.say(answer, "As far as I came")
    await world.sees(f"As far as I came\n{text('answer.out_of_time')}")
    assert answer.ending is TurnState.STOPPED
    await world.frontend.finish_writers(5)
    assert len(used.responses) == 1


async def test_where_the_server_allows_no_foreign_answers_only_the_person_sees_it(world, abroad):
    everyone = world.discord.state.guilds[abroad.guild_id].everyone
    world.discord.state.set_overwrite(abroad, everyone, deny=Permission.USE_EXTERNAL_APPS)
    await world.start()
    used = await world.ada.slash(abroad, "ask", question="why?")
    [shown] = await world.discord.answer(used)
    assert (shown.content, shown.visible_to) == ("You said: why?", world.ada.user.id)


async def test_a_server_that_is_not_allowed_gets_a_refusal_for_the_person_alone(world, abroad):
    await world.start(allowed_guild_ids=frozenset({world.guild.id}))
    used = await world.ada.slash(abroad, "ask", question="why?")
    [shown] = await world.discord.answer(used)
    assert (shown.content, shown.visible_to) == (text("command.not_here"), world.ada.user.id)
    assert world.chat.questions == []


async def test_where_direct_messages_are_off_it_is_not_offered_among_people(world, among_people, abroad):
    await world.start(allow_dms=False)
    assert world.ada.commands(among_people) == []
    assert [command.name for command in world.ada.commands(abroad)] == ["ask", "settings", "quota", "persona"]


async def test_a_command_that_is_still_shown_where_direct_messages_are_off_is_refused_in_private(world, among_people):
    await world.start()
    await world.stop()
    await world.start(allow_dms=False)
    [ask] = [command for command in world.discord.bot.commands[None] if command.name == "ask"]
    ask.data |= {"contexts": None}
    used = await world.ada.slash(among_people, "ask", question="why?")
    [shown] = await world.discord.answer(used)
    assert (shown.content, shown.visible_to) == (text("command.not_here"), world.ada.user.id)
