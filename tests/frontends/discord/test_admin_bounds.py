"""/admin bounds on a loopback Discord, with the real discord.py and a real chat."""

import asyncio

import pytest

from bot.core.messages import GREEDY
from bot.playground.permissions import Permission
from bot.texts import text


async def admins(world, command, channel=None, **options):
    """Return what an admin's command answers, to them alone."""
    used = await world.ada.slash(channel or world.channel, f"admin bounds {command}", **options)
    [message] = await world.discord.answer(used, timeout_s=10)
    assert message.visible_to == world.ada.user.id
    return message.content.split("\n")


@pytest.fixture
async def ben(world, stack, requests):
    """Start the bot with Ada as an admin; return Ben, who is none and has chosen a temperature of 1.3."""
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    ben = world.discord.person("Ben", world.guild)
    await stack(requests, max_new_tokens=1000)
    panel = await settings(world, ben)
    await ben.select(panel, "settings:temperature", "1.3")
    await world.discord.until(lambda: "(your choice)" in panel.content)
    return ben


async def settings(world, person, channel=None):
    used = await person.slash(channel or world.channel, "settings")
    [message] = await world.discord.answer(used, timeout_s=10)
    return message


async def test_bounds_hold_everybody_back_at_once_and_settings_says_so(world, ben, requests):
    lines = await admins(world, "set", highest_temperature=0.5, longest_answer=4)
    here = [f"- {text('bounds.temperature', lowest=0, highest=0.5)}", f"- {text('bounds.longest_answer', tokens=4)}"]
    assert lines == [text("bounds.here"), *here]
    panel = await settings(world, ben)
    what = {name: text(f"setting.{name}") for name in ("temperature", "max_new_tokens")}
    assert text("settings.held", what=what["temperature"], value="0.5", wanted="1.3") in panel.content
    assert text("settings.held", what=what["max_new_tokens"], value="4 tokens", wanted="1000 tokens") in panel.content
    await world.said(await ben.say(world.channel, "<@bot> one"))
    assert (requests.found[-1].sampling.temperature, requests.found[-1].max_new_tokens) == (0.5, 4)
    await world.said(await ben.say(ben.dm(), "two"))
    assert (requests.found[-1].sampling.temperature, requests.found[-1].max_new_tokens) == (1.3, 1000)


async def test_bounds_are_set_one_by_one_shown_cleared_and_outlive_a_restart(world, ben, stack, requests):
    await admins(world, "set", sampling="fixed")
    await admins(world, "set", lowest_top_p=0.5)
    shown = [text("bounds.top_p", lowest=0.5, highest=1), text("bounds.fixed_sampling")]
    await stack(requests, max_new_tokens=1000)
    assert await admins(world, "show") == [text("bounds.here"), *(f"- {line}" for line in shown)]
    await world.said(await ben.say(world.channel, "<@bot> one"))
    assert requests.found[-1].sampling == GREEDY
    assert await admins(world, "clear") == [text("bounds.here"), f"- {text('bounds.none')}"]
    await world.said(await ben.say(world.channel, "<@bot> two"))
    assert requests.found[-1].sampling.temperature == 1.3


async def test_of_the_bounds_that_admins_set_in_the_same_moment_none_is_lost(world, ben):
    wanted = [{"lowest_top_p": 0.5}, {"sampling": "fixed"}, {"longest_answer": 9}, {"no_store": "forbidden"}]
    await asyncio.gather(*(admins(world, "set", **one) for one in wanted))
    assert len(await admins(world, "show")) == 1 + len(wanted)
    crossing = [{"lowest_temperature": 1.2}, {"highest_temperature": 0.8}]
    replies = await asyncio.gather(*(admins(world, "set", **one) for one in crossing))
    assert [text("bounds.crossed")] in replies


async def test_bounds_that_leave_nothing_are_not_taken(world, ben):
    await admins(world, "set", highest_temperature=0.5)
    assert await admins(world, "set", lowest_temperature=0.6) == [text("bounds.crossed")]
    assert await admins(world, "show") == [
        text("bounds.here"), f"- {text('bounds.temperature', lowest=0, highest=0.5)}"
    ]  # fmt: skip


async def test_bounds_are_for_admins_only(world, ben):
    for command in ("set", "clear", "show"):
        used = await ben.slash(world.channel, f"admin bounds {command}")
        assert await world.said(used) == [text("refused.admins_only")]


async def test_an_owner_sets_bounds_for_everywhere_in_a_direct_message(world, stack, requests):
    ben = world.discord.person("Ben", world.guild)
    await stack(requests, rules={"owner_ids": frozenset({world.ada.user.id})}, max_new_tokens=1000)
    everywhere = [text("bounds.everywhere"), f"- {text('bounds.longest_answer', tokens=3)}"]
    assert await admins(world, "set", world.ada.dm(), longest_answer=3) == everywhere
    for channel, words in ((world.channel, "<@bot> one"), (ben.dm(), "two")):
        await world.said(await ben.say(channel, words))
        assert requests.found[-1].max_new_tokens == 3
    assert await admins(world, "show") == [text("bounds.here"), f"- {text('bounds.none')}", *everywhere]
