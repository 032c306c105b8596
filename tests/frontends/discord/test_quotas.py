"""/quota and /admin quota on a loopback Discord, with the real discord.py and a real chat."""

import asyncio
import re

import pytest

from bot.core.quotas import Rule, Subject
from bot.core.spending import DAY_S
from bot.core.visitor import Visitor
from bot.engine.echo import Say
from bot.frontends.discord.commands import LEAVES
from bot.playground.permissions import Permission
from bot.texts import text

NOW = 1_800_000_000.0
MIDNIGHT = int((NOW // DAY_S + 1) * DAY_S)
REGENERATE, CONTINUE = text("button.regenerate"), text("button.continue")


class Clock:
    """A wall clock that the test turns."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def started(world, stack, clock):
    """Return what starts a bot on whose answers a test can count; Ada manages the server."""

    async def started(script=None, *, rules=None, **limits):
        world.give_role(world.ada, Permission.MANAGE_GUILD)
        say = script or (lambda _request: [Say(stack.encode("fine"))])
        limits = {"per_user_per_minute": 1000, "max_new_tokens": 8, **limits}
        await stack(say, wall_clock=clock, rules=rules, **limits)

    return started


@pytest.fixture
def told(world):
    """Return what a command answers; it is for its user alone."""

    async def told(person, name, *, place=None, **options):
        used = await person.slash(place or world.channel, name, **options)
        [message] = await world.discord.answer(used, timeout_s=10)
        assert message.visible_to == person.user.id
        return message.content

    return told


def cost(stack, *texts):
    return sum(len(stack.encode(words)) for words in texts)


def used_up(limit, *, here=False):
    key = "refused.tokens_used_up_here" if here else "refused.tokens_used_up"
    return text(key, limit_tokens=limit, renews_at=MIDNIGHT)


# Nothing gets around a quota


async def by_message(world, question, answer):
    return (await world.said(await world.ada.say(world.channel, "<@bot> more")))[0]


async def by_message_elsewhere(world, question, answer):
    return (await world.said(await world.ada.say(world.elsewhere, "<@bot> more")))[0]


async def by_direct_message(world, question, answer):
    return (await world.said(await world.ada.say(world.ada.dm(), "more")))[0]


async def by_edit(world, question, answer):
    await world.ada.edit(question, "<@bot> more")
    refused = await world.discord.wait_for(lambda message: message.content == used_up(2))
    assert refused.replies_to == question.id
    return refused.content


async def privately(world, used, how="responses"):
    """Return what an interaction says, which is for its user alone."""
    [message] = await world.discord.until(lambda: getattr(used, how))
    assert message.visible_to == world.ada.user.id
    return message.content


async def by_button(world, question, answer):
    return await privately(world, await world.ada.press(answer, REGENERATE), "followups")


async def by_continue(world, question, answer):
    return await privately(world, await world.ada.press(answer, CONTINUE), "followups")


async def by_command(world, question, answer):
    return await privately(world, await world.ada.slash(world.channel, "ask", question="more"))


async def by_menu(world, question, answer):
    return await privately(world, await world.ada.menu(answer, text("menu.summarize")))


async def by_summary(world, question, answer):
    return await privately(world, await world.ada.slash(world.channel, "summarize"))


WAYS = [
    by_message, by_message_elsewhere, by_direct_message, by_edit, by_button, by_continue, by_command, by_menu,
    by_summary,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_who_has_used_up_the_day_gets_around_that_in_no_way(world, stack, started, way):
    world.elsewhere = world.discord.add_channel(world.guild, "elsewhere")
    await started(
        lambda _request: [Say(stack.encode("one two three four five six seven eight nine"))], tokens_per_day=2
    )
    question = await world.ada.say(world.channel, "<@bot> hi")
    [answer] = await world.discord.answer(question, timeout_s=10)
    shown = answer.content
    assert await way(world, question, answer) == used_up(2)
    assert answer.content == shown
    assert world.chat.status().running + world.chat.status().waiting == 0


@pytest.mark.parametrize("way", ["ask", "message"])
async def test_of_many_questions_at_the_same_time_only_those_that_are_sure_to_fit_are_taken(world, stack, started, way):
    longest = 8 + cost(stack, "hi")
    await started(
        lambda _request: [Say(stack.encode("one two three four five six seven eight nine"))],
        tokens_per_day=2 * longest + 1,
        is_guarded=False,
    )
    places = [world.discord.add_channel(world.guild, f"room-{number}") for number in range(8)]
    if way == "ask":
        asked = await asyncio.gather(*(world.ada.slash(place, "ask", question="hi") for place in places))
    else:
        asked = await asyncio.gather(*(world.ada.say(place, "<@bot> hi") for place in places))
    answers = [await world.discord.answer(one, timeout_s=10) for one in asked]
    refused = [message for [message] in answers if message.content.startswith("You have ")]
    assert len(refused) == len(answers) - 3
    assert {message.visible_to for message in refused} == {world.ada.user.id if way == "ask" else None}
    [everywhere] = world.chat.quotas.standing(Visitor(world.ada.user.id))
    assert everywhere.spent_tokens == 3 * longest


async def test_lines_that_are_answered_together_are_one_question_also_while_a_cooldown_runs(world, stack, heard):
    ben = world.discord.person("Ben", world.guild)
    await stack(heard, slots=1, cooldown_s=30, per_user_per_minute=1)
    heard.may_end.clear()
    await ben.say(world.channel, "<@bot> zero")
    await world.discord.until(lambda: heard.prompts)
    await world.ada.say(world.channel, "<@bot> one")
    await world.discord.until(lambda: world.chat.status().waiting)
    for words in ("two", "three"):
        line = await world.ada.say(world.channel, f"<@bot> {words}")
        async with asyncio.timeout(10):
            while await world.chat.turn_of_message(line.id) is None:
                await asyncio.sleep(0.001)
    elsewhere = world.discord.add_channel(world.guild, "elsewhere")
    [refused] = await world.said(await world.ada.say(elsewhere, "<@bot> four"))
    assert refused.startswith("That's more than 1 questions a minute")
    heard.may_end.set()
    await world.sees("answer 2")
    assert "one two three" in " ".join(heard.prompts[1].split())


# /quota


async def test_quota_shows_what_is_left_and_when_it_renews(world, stack, started, told, clock):
    await started(tokens_per_day=100, per_user_per_minute=5, cooldown_s=0)
    assert (await told(world.ada, "admin quota set", tokens=30, cooldown=20)).startswith("From now on")
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    await world.said(await world.ada.say(world.ada.dm(), "and here"))
    clock.now += 5
    here, everywhere = cost(stack, "hi", "fine"), cost(stack, "hi", "fine", "and here", "fine")
    lines = (await told(world.ada, "quota")).splitlines()
    assert lines[:3] == [
        text("quota.head"),
        text("quota.everywhere"),
        text("quota.tokens", left=100 - everywhere, limit=100, renews_at=MIDNIGHT),
    ]
    seconds = re.fullmatch(text("quota.questions_renew", left=3, limit=5, wait_s=r"(\d+)"), lines[3])
    assert 50 <= int(seconds[1]) <= 60
    assert lines[4:6] == [
        text("quota.here"),
        text("quota.tokens", left=30 - here, limit=30, renews_at=MIDNIGHT),
    ]
    seconds = re.fullmatch(text("quota.cooldown", cooldown_s=20, wait_s=r"(\d+)"), lines[6])
    assert 10 <= int(seconds[1]) <= 20
    assert lines[7:] == [text("quota.what_counts")]
    assert (await told(world.ada, "quota", place=world.ada.dm())).splitlines()[1:3] == lines[1:3]


async def test_what_is_left_by_quota_can_be_used_to_the_end_and_not_after_it(world, stack, started, told):
    one = cost(stack, "hi", "fine")
    await started(tokens_per_day=2 * one)
    for left in (2 * one, one, 0):
        assert text("quota.tokens", left=left, limit=2 * one, renews_at=MIDNIGHT) in await told(world.ada, "quota")
        [answer] = await world.said(await world.ada.say(world.channel, "<@bot> hi"))
        assert answer == ("fine" if left else used_up(2 * one))


async def test_there_are_new_tokens_at_midnight_also_after_a_restart(world, stack, started, told, clock):
    await started(tokens_per_day=2)
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    await stack(wall_clock=clock, tokens_per_day=2)
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == [used_up(2)]
    clock.now = MIDNIGHT
    renewed = text("quota.tokens", left=2, limit=2, renews_at=int(MIDNIGHT + DAY_S))
    assert renewed in await told(world.ada, "quota")
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["hi"]


async def test_who_has_no_limits_is_told_so_with_what_was_used(world, stack, started, told):
    await started(tokens_per_day=2, cooldown_s=60, rules={"owner_ids": frozenset({world.ada.user.id})},
                  unlimited_user_ids=frozenset({world.ada.user.id}))  # fmt: skip
    for _ in range(2):
        assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["fine"]
    used = text("quota.tokens_used", tokens=2 * cost(stack, "hi", "fine"))
    assert (await told(world.ada, "quota")).splitlines() == [
        text("quota.head"), text("quota.everywhere"), used, text("quota.here"), used, text("quota.what_counts")
    ]  # fmt: skip


# /admin quota


async def test_what_admins_set_holds_at_once_and_until_they_clear_it(world, stack, started, told):
    await started()
    ben = world.discord.person("Ben", world.guild)
    assert await told(world.ada, "admin quota clear") == text(
        "quota.nothing_to_clear", who=text("quota.everybody_here")
    )
    for given, said in (({"tokens": 2}, "2 tokens a day"), ({"questions": 9}, "9 questions a minute, 2 tokens a day")):
        answer = await told(world.ada, "admin quota set", **given)
        assert answer == text("quota.chosen", who=text("quota.everybody_here"), limits=said)
    assert await told(world.ada, "admin quota set", questions=9) == text(
        "quota.same", who=text("quota.everybody_here"), limits="9 questions a minute, 2 tokens a day"
    )
    await world.said(await ben.say(world.channel, "<@bot> hi"))
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == [used_up(2, here=True)]
    assert await world.said(await ben.say(ben.dm(), "hi")) == ["fine"]
    assert (await told(world.ada, "admin quota show")).splitlines() == [
        text("quota.rules_here"),
        text("quota.rule", who=text("quota.everybody_here"), limits="9 questions a minute, 2 tokens a day"),
        text("quota.beside", limits="1000 questions a minute"),
    ]
    assert await told(world.ada, "admin quota clear") == text("quota.cleared", who=text("quota.everybody_here"))
    assert text("quota.no_rules") in await told(world.ada, "admin quota show")
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == ["fine"]


async def test_an_owner_sets_what_holds_everywhere_in_a_direct_message(world, stack, started, told):
    ada, ben = world.ada, world.discord.person("Ben", world.guild)
    await started(tokens_per_day=1000, rules={"owner_ids": frozenset({ada.user.id})})
    answer = await told(ada, "admin quota set", place=ada.dm(), tokens=2)
    assert answer == text("quota.chosen", who=text("quota.everybody"), limits="2 tokens a day")
    await world.said(await ben.say(ben.dm(), "hi"))
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == [used_up(2)]
    assert "2 tokens a day" in await told(ada, "admin quota show", place=ada.dm())
    answer = await told(ada, "admin quota unlimited", place=ada.dm())
    assert answer == text("quota.chosen", who=text("quota.everybody"), limits=text("quota.says_unlimited"))
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == ["fine"]


async def test_only_admins_set_quotas_and_say_what_they_mean(world, stack, started, told):
    await started()
    ben = world.discord.person("Ben", world.guild)
    for command in ("set", "unlimited", "clear", "show"):
        assert await told(ben, f"admin quota {command}") == text("refused.admins_only")
    assert await told(world.ada, "admin quota set") == text("refused.quota_without_limits")
    assert world.chat.quotas.rules(world.guild.id) == {}


def test_discord_takes_no_numbers_that_make_no_sense():
    [setting] = [leaf for leaf in LEAVES if leaf.qualified_name == "admin quota set"]
    [granting] = [leaf for leaf in LEAVES if leaf.qualified_name == "admin quota grant"]
    numbers = [one for one in (*setting.parameters, *granting.parameters) if one.min_value is not None]
    assert [(one.display_name, one.min_value, one.max_value) for one in numbers] == [
        ("cooldown", 0, 3600), ("questions", 1, 1000), ("tokens", 1, 10**9), ("tokens", 1, 10**9)
    ]  # fmt: skip


async def test_a_role_has_limits_of_its_own_and_may_have_none(world, stack, started, told):
    ben, cleo = world.discord.person("Ben", world.guild), world.discord.person("Cleo", world.guild)
    helpers, crowd = world.give_role(ben, Permission(0), "helpers"), world.give_role(cleo, Permission(0), "crowd")
    await started()
    await told(world.ada, "admin quota set", tokens=2)
    answer = await told(world.ada, "admin quota unlimited", role=helpers)
    assert answer == text("quota.chosen", who=f"<@&{helpers.id}>", limits=text("quota.says_unlimited"))
    answer = await told(world.ada, "admin quota set", role=crowd, tokens=4)
    assert answer == text("quota.chosen", who=f"<@&{crowd.id}>", limits=text("quota.says_tokens", tokens=4))
    answers = []
    for person, questions in ((ben, 3), (cleo, 3), (world.ada, 2)):
        for _ in range(questions):
            answers += await world.said(await person.say(world.channel, "<@bot> hi"))
    assert cost(stack, "hi", "fine") == 2
    assert answers[:7] == ["fine"] * 5 + [used_up(4, here=True), "fine"]
    assert answers[7] == used_up(2, here=True)
    assert text("quota.tokens_used", tokens=6) in (await told(ben, "quota")).split(text("quota.here"))[1]
    assert (await told(world.ada, "admin quota show")).splitlines()[1:4] == [
        text("quota.rule", who=text("quota.everybody_here"), limits="2 tokens a day"),
        text("quota.rule", who=f"<@&{helpers.id}>", limits=text("quota.says_unlimited")),
        text("quota.rule", who=f"<@&{crowd.id}>", limits="4 tokens a day"),
    ]
    answer = await told(world.ada, "admin quota clear", role=helpers)
    assert answer == text("quota.cleared", who=f"<@&{helpers.id}>")
    assert text("quota.tokens", left=0, limit=2, renews_at=MIDNIGHT) in await told(ben, "quota")


async def test_a_grant_lets_somebody_go_on_today(world, stack, started, told, clock):
    ben = world.discord.person("Ben", world.guild)
    await started()
    await told(world.ada, "admin quota set", tokens=2)
    await world.said(await ben.say(world.channel, "<@bot> hi"))
    answer = await told(world.ada, "admin quota grant", user=ben.user, tokens=2)
    granted = text("quota.tokens_granted", left=2, limit=4, granted=2, renews_at=MIDNIGHT)
    assert answer.splitlines() == [
        text("quota.granted", who=f"<@{ben.user.id}>", tokens=2, granted=2), text("quota.here"), granted
    ]  # fmt: skip
    assert granted in await told(ben, "quota")
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == ["fine"]
    assert await world.said(await ben.say(world.channel, "<@bot> hi")) == [used_up(4, here=True)]
    clock.now = MIDNIGHT
    assert text("quota.tokens", left=2, limit=2, renews_at=int(MIDNIGHT + DAY_S)) in await told(ben, "quota")


async def test_an_admin_sees_what_somebody_used_in_this_server_and_an_owner_all(world, stack, started, told):
    ben = world.discord.person("Ben", world.guild)
    role = world.give_role(ben, Permission(0))
    olga = world.discord.person("Olga", world.guild)
    await started(rules={"owner_ids": frozenset({olga.user.id})})
    await told(world.ada, "admin quota set", role=role, tokens=10)
    await world.said(await ben.say(world.channel, "<@bot> hi"))
    await world.said(await ben.say(ben.dm(), "hi"))
    here = [text("quota.here"), text("quota.tokens", left=8, limit=10, renews_at=MIDNIGHT)]
    assert (await told(world.ada, "admin quota user", user=ben.user)).splitlines()[1:] == here
    lines = (await told(olga, "admin quota user", user=ben.user)).splitlines()
    assert lines[1:3] == [text("quota.everywhere"), text("quota.tokens_used", tokens=4)]
    assert lines[-2:] == here


async def test_in_a_direct_message_there_are_no_roles(world, stack, started, told):
    await started(rules={"owner_ids": frozenset({world.ada.user.id})})
    role = world.give_role(world.ada, Permission(0))
    answer = await told(world.ada, "admin quota set", place=world.ada.dm(), role=role, tokens=2)
    assert answer == text("refused.roles_nowhere")


async def test_who_may_ask_nothing_can_still_look_at_the_quota(world, stack, started, told):
    ben = world.discord.person("Ben", world.guild)
    await started(tokens_per_day=7)
    await told(world.ada, "admin block", user=ben.user)
    assert text("quota.tokens", left=7, limit=7, renews_at=MIDNIGHT) in await told(ben, "quota")


async def test_everybody_as_a_role_is_everybody(world, stack, started, told):
    await started()
    answer = await told(world.ada, "admin quota set", role=world.guild.everyone, questions=3)
    assert answer == text("quota.chosen", who=text("quota.everybody_here"), limits="3 questions a minute")


async def test_many_rules_are_shown_in_one_message(world, stack, started, told):
    await started()
    for number in range(100):
        await world.chat.quotas.choose(world.guild.id, Subject("user", 10**17 + number), Rule(1, 2, 3))
    page = await told(world.ada, "admin quota show")
    assert len(page) <= 2000
    shown = page.count("\n<@")
    assert text("quota.more_rules", count=100 - shown) in page
    assert text("quota.beside", limits="1000 questions a minute") in page
