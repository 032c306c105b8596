"""/admin on a loopback Discord, with the real discord.py and a real chat."""

import discord
import pytest

from bot.core.visitor import Visitor
from bot.frontends.discord.admin import admin
from bot.frontends.discord.commands import LEAVES
from bot.playground.permissions import Permission
from bot.texts import text

ADMINS = [leaf for leaf in LEAVES if leaf.root_parent is admin]


async def test_the_bot_is_told_who_asks_and_where(world):
    channel, ben = world.channel, world.discord.person("Ben", world.guild)
    await world.start(owner_ids=frozenset({world.ada.user.id}))
    await world.said(await world.ada.say(channel, "<@bot> one"))
    used = await ben.slash(channel, "ask", question="two")
    await world.responses(used)
    by_message, by_command = world.chat.questions[0].visitor, world.chat.questions[1].visitor
    shared = {"guild_id": world.guild.id, "channel_ids": (channel.id,), "role_ids": frozenset({world.guild.id})}
    names = {"server_name": world.guild.name, "channel_name": channel.name}
    assert by_message == Visitor(
        world.ada.user.id, **shared, **names, is_admin=True, is_owner=True,
        user_name=world.ada.user.name, locale=by_message.locale,
    )  # fmt: skip
    assert by_command == Visitor(ben.user.id, **shared, **names, user_name=ben.user.name, locale=by_command.locale)


async def test_a_paused_server_hears_one_sentence_and_goes_on_after_resume(world, stack):
    ben = world.discord.person("Ben", world.guild)
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    await stack()
    assert await world.responses(await world.ada.slash(world.channel, "admin pause")) == (
        [text("admin.paused_here")],
        True,
    )
    assert await world.said(await ben.say(world.channel, "<@bot> one")) == [text("refused.paused")]
    assert await world.responses(await ben.slash(world.channel, "ask", question="two")) == (
        [text("refused.paused")],
        True,
    )
    assert (await world.responses(await world.ada.slash(world.channel, "admin resume")))[1]
    assert await world.said(await ben.say(world.channel, "<@bot> three")) != [text("refused.paused")]


async def test_resume_tells_an_admin_whose_server_the_owners_have_paused(world, stack):
    owner, paused = world.discord.person("Boss", world.guild), text("admin.still_paused")
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    await stack(rules={"owner_ids": frozenset({owner.user.id})})
    await world.responses(await world.ada.slash(world.channel, "admin pause"))
    await world.responses(await owner.slash(owner.dm(), "admin pause"))
    resumed, _ = await world.responses(await world.ada.slash(world.channel, "admin resume"))
    assert resumed == [f"{text('admin.resumed_here')} {paused}"]
    assert await world.said(await world.ada.say(world.channel, "<@bot> one")) == [text("refused.paused")]
    await world.responses(await owner.slash(owner.dm(), "admin resume"))
    same, _ = await world.responses(await world.ada.slash(world.channel, "admin resume"))
    assert same == [text("admin.same_here")]


async def test_admin_is_for_admins_only_whatever_discord_lets_through(world, stack):
    ben = world.discord.person("Ben", world.guild)
    await stack()
    used = await ben.slash(world.channel, "admin pause")
    assert await world.responses(used) == ([text("refused.admins_only")], True)
    again = await ben.slash(world.channel, "admin words list")
    assert await world.responses(again) == ([text("refused.admins_only")], True)
    await world.frontend.finish_writers(5)
    told = [message for message in world.discord.history(world.channel) if message.visible_to == ben.user.id]
    assert [message.content for message in told] == [text("refused.admins_only")] * 2
    assert await world.said(await ben.say(world.channel, "<@bot> one")) != [text("refused.paused")]


def something_for(world, option):
    """Return a value that an option takes."""
    if option.choices:
        return option.choices[0].value
    kinds = discord.AppCommandOptionType
    return {
        kinds.user: world.ada.user,
        kinds.role: world.guild.everyone,
        kinds.channel: world.channel,
        kinds.boolean: True,
        kinds.string: "a",
        kinds.integer: int(option.min_value or 1),
        kinds.number: float(option.min_value or 1),
    }[option.type]


@pytest.mark.parametrize("leaf", ADMINS, ids=lambda leaf: leaf.qualified_name)
async def test_each_command_of_admin_is_refused_to_others_in_one_sentence(world, stack, leaf):
    ben = world.discord.person("Ben", world.guild)
    await stack()
    options = {option.name: something_for(world, option) for option in leaf.parameters if option.required}
    used = await ben.slash(world.channel, leaf.qualified_name, **options)
    assert await world.responses(used) == ([text("refused.admins_only")], True)


@pytest.mark.parametrize("is_owner", [True, False])
async def test_an_owner_pauses_everything_in_a_direct_message(world, stack, is_owner):
    ben = world.discord.person("Ben", world.guild)
    await stack(rules={"owner_ids": frozenset({world.ada.user.id}) if is_owner else frozenset()})
    contents, is_private = await world.responses(await world.ada.slash(world.ada.dm(), "admin pause"))
    assert is_private
    assert contents == [text("admin.paused_everywhere" if is_owner else "refused.owners_only")]
    said = await world.said(await ben.say(world.channel, "<@bot> one"))
    assert (said == [text("refused.paused")]) is is_owner
