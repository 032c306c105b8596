"""/admin history and /admin wipe: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

import pytest

from bot.engine.echo import Hang, Say
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text

ERASE = text("admin.wipe_button")


@pytest.fixture
def away(world):
    """A second server, with Ben in it."""
    guild = world.discord.add_guild("Away")
    world.discord.person("Ben", guild)
    return world.discord.add_channel(guild, "far")


@pytest.fixture
def admin(world):
    world.give_role(world.ada, Permission.MANAGE_GUILD, "staff")
    return world.ada


async def asked(world, person, channel, words):
    mention = "<@bot> " if channel.guild_id else ""
    question = await person.say(channel, f"{mention}{words}")
    return (await world.discord.answer(question))[0]


async def used(world, person, command, channel=None, **options):
    """Use a command and return its one message, which nobody else sees."""
    [message] = await world.discord.answer(await person.slash(channel or world.channel, f"admin {command}", **options))
    assert message.visible_to == person.user.id
    return message


async def test_an_admin_reads_what_a_person_asked_in_this_server_and_nowhere_else(world, stack, admin, ben, away):
    await stack()
    await asked(world, ben, world.channel, "first here")
    await asked(world, ben, away, "far away")
    await asked(world, ben, ben.dm(), "in private")
    await asked(world, ben, world.channel, "second here")
    await asked(world, admin, world.channel, "somebody else")
    shown = await used(world, admin, "history", user=ben.user)
    assert shown.content == text("admin.history_all", user=f"<@{ben.user.id}>", count=2)
    [file] = shown.attachments
    page = file.content.decode()
    assert page.index("first here") < page.index("second here")
    assert f"#{world.channel.name}" in page
    for elsewhere in ("far away", "in private", "somebody else"):
        assert elsewhere not in page
    nothing = await used(world, admin, "history", user=world.discord.add_user("Grace"))
    assert text("admin.history_nothing", user="x")[:20] in nothing.content


async def test_an_admin_erases_a_person_here_after_confirming_and_what_runs_is_taken_down(
    world, stack, admin, ben, away
):
    script = [Say(stack.encode("fine"))]
    await stack(lambda _request: script)
    old = await asked(world, ben, world.channel, "one")
    await asked(world, ben, away, "far away")
    script[:] = [Say(stack.encode("half")), Hang()]
    await ben.say(world.channel, "<@bot> two")
    running = await world.sees("half" + RUNNING_MARK)
    confirm = await used(world, admin, "wipe", user=ben.user)
    assert confirm.content == text("admin.wipe_here", user=f"<@{ben.user.id}>", count=2)
    assert not running.deleted
    await admin.press(confirm, ERASE)
    done = text("admin.wiped", user=f"<@{ben.user.id}>", count=2)
    await world.discord.until(lambda: confirm.content == done and not confirm.components)
    await world.discord.until(lambda: running.deleted)
    [page] = await world.said(await ben.slash(world.channel, "history"))
    assert page == text("history.nothing")
    [page] = await world.said(await ben.slash(away, "history"))
    assert "far away" in page
    pressed = await ben.press(old, text("button.regenerate"))
    [told] = await world.discord.until(lambda: pressed.followups)
    assert told.content == text("refused.gone")
    await world.discord.until(lambda: not old.components)


async def test_the_button_that_erases_asks_anew_who_may(world, stack, admin, ben):
    await stack()
    await asked(world, ben, world.channel, "one")
    confirm = await used(world, admin, "wipe", user=ben.user)
    world.guild.members[admin.user.id].role_ids.clear()
    pressed = await admin.press(confirm, ERASE)
    [told] = await world.discord.until(lambda: [one for one in pressed.responses if one is not confirm])
    assert (told.content, told.visible_to) == (text("refused.admins_only"), admin.user.id)
    assert len((await world.chat.history(world.chat.key_for(world.channel.id, ben.user.id, None), 5)).turns) == 1


async def test_the_button_works_after_a_restart(world, stack, admin, ben):
    await stack()
    await asked(world, ben, world.channel, "one")
    confirm = await used(world, admin, "wipe", user=ben.user)
    await stack()
    await admin.press(confirm, ERASE)
    await world.discord.until(lambda: not confirm.components)
    [page] = await world.said(await ben.slash(world.channel, "history"))
    assert page == text("history.nothing")


async def test_an_owner_reads_and_erases_everywhere_in_a_direct_message(world, stack, ben, away):
    owner = world.ada
    await stack(rules={"owner_ids": frozenset({owner.user.id})})
    await asked(world, ben, away, "far away")
    await asked(world, ben, ben.dm(), "in private")
    shown = await used(world, owner, "history", owner.dm(), user=ben.user)
    page = shown.attachments[0].content.decode()
    assert "far away" in page
    assert "in private" in page
    confirm = await used(world, owner, "wipe", owner.dm(), user=ben.user)
    assert confirm.content == text("admin.wipe_everywhere", user=f"<@{ben.user.id}>", count=2)
    await owner.press(confirm, ERASE)
    await world.discord.until(lambda: not confirm.components)
    assert (await world.chat.moderation.said_by(ben.user.id, None, 5)).turns == []


async def test_nobody_else_reads_or_erases_whatever_discord_lets_through(world, stack, ben):
    await stack()
    await asked(world, ben, world.channel, "one")
    for command in ("history", "wipe"):
        told = await used(world, ben, command, user=ben.user)
        assert told.content == text("refused.admins_only")


async def test_the_summary_of_a_shared_room_goes_with_the_words_of_whoever_is_erased(world, stack, admin, ben):
    script = [Say(stack.encode("fine"))]
    await stack(lambda _request: script)
    await world.chat.set_shared(world.channel.id, world.guild.id, shared=True)
    await asked(world, ben, world.channel, "one")
    kept = await asked(world, admin, world.channel, "two")
    script[:] = [Say(stack.encode("Ben said one."))]
    [summary, *_] = await world.discord.answer(await admin.slash(world.channel, "summarize"))
    confirm = await used(world, admin, "wipe", user=ben.user)
    await admin.press(confirm, ERASE)
    await world.discord.until(lambda: summary.deleted)
    assert not kept.deleted
    key = world.chat.key_for(world.channel.id, admin.user.id, world.guild.id)
    assert [turn.asked for turn in (await world.chat.history(key, 5)).turns] == ["two"]
