"""No-store mode on a loopback Discord, with the real discord.py and a real chat: what is shown, and what is left."""

import pytest

from bot.engine.echo import Say
from bot.playground.components import usable
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text

KEEP_NOTHING = text("setting.no_store")
SECRET = "Zorblax"


def on_disk(stack):
    """Return all that stands in the database's files, as text."""
    files = stack.history_path.parent.glob(stack.history_path.name + "*")
    return b"".join(path.read_bytes() for path in files).decode(errors="replace")


async def choose(world, person=None, channel=None, *, value="on"):
    """Choose to have nothing kept, or (off) not; return the panel."""
    person = person or world.ada
    used = await person.slash(channel or world.channel, "settings")
    [panel] = await world.discord.answer(used, timeout_s=10)
    await person.press(panel, f"settings:no_store:{value}")
    wanted = text("settings.on" if value == "on" else "settings.off")
    await world.discord.until(lambda: text("settings.own", what=KEEP_NOTHING, value=wanted) in panel.content)
    return panel


async def asked(world, words, **options):
    """Say something to the bot as Ada; return the question and its answer's messages, all written."""
    question = await world.ada.say(world.channel, words, **options)
    answer = await world.discord.answer(question, timeout_s=10)
    await world.frontend.finish_writers(5)
    return question, answer


async def history(world):
    [page] = await world.said(await world.ada.slash(world.channel, "history"))
    return page


async def test_an_answer_is_shown_and_nothing_is_left_of_it_on_the_disk(world, stack, heard):
    await stack(heard)
    panel = await choose(world)
    assert text("settings.note.no_store") in panel.content
    heard.may_end.clear()
    question = await world.ada.say(world.channel, f"<@bot> I am {SECRET}", attachments={"jam.txt": b"marmalade"})
    growing = await world.sees("answer 1" + RUNNING_MARK)
    assert SECRET in on_disk(stack)
    assert [each["label"] for each in usable(growing.components)] == [text("button.stop")]
    heard.may_end.set()
    [answer] = await world.discord.answer(question, timeout_s=10)
    await world.frontend.finish_writers(5)
    assert answer.content == "answer 1"
    assert usable(answer.components) == []
    for left in (SECRET, "marmalade", "jam.txt", "answer 1"):
        assert left not in on_disk(stack)
    for menu in ("menu.details", "menu.forget", "menu.delete"):
        said = await world.said(await world.ada.menu(answer, text(menu)))
        assert said == [text({"menu.details": "details.none", "menu.forget": "forget.none"}.get(menu, "delete.none"))]


async def test_history_shows_what_was_kept_before_and_says_that_nothing_is_kept_now(world, stack, heard):
    await stack(heard)
    await asked(world, "<@bot> kept before")
    await choose(world)
    await asked(world, f"<@bot> I am {SECRET}")
    page = await history(world)
    assert "kept before" in page
    assert SECRET not in page
    assert page.endswith(text("history.no_store"))
    await choose(world, value="off")
    await asked(world, "<@bot> and now?")
    assert "kept before" in heard.prompts[-1]
    assert text("history.no_store") not in await history(world)


async def test_each_question_stands_alone_and_a_reply_brings_in_what_it_replies_to(world, stack, heard):
    await stack(heard)
    _, [kept] = await asked(world, "<@bot> one")
    await choose(world)
    _, [forgotten] = await asked(world, "<@bot> two")
    assert "one" not in heard.prompts[-1]
    await asked(world, "<@bot> three", reply_to=forgotten)
    assert "> answer 2\n" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]
    await asked(world, "<@bot> four", reply_to=kept)
    assert "> answer 1\n" in heard.prompts[-1]
    assert "answer 2" not in on_disk(stack)
    assert "four" not in on_disk(stack)


async def test_an_edited_question_is_asked_anew(world, stack, heard):
    await stack(heard)
    await choose(world)
    question, _ = await asked(world, f"<@bot> I am {SECRET}")
    await world.ada.edit(question, f"<@bot> I am {SECRET} the second")
    await world.sees("answer 2")
    await world.frontend.finish_writers(5)
    assert "the second" in heard.prompts[-1]
    assert SECRET not in on_disk(stack)


async def test_an_edit_of_what_was_kept_before_forgets_it_and_keeps_nothing_new(world, stack, heard):
    await stack(heard)
    await asked(world, "<@bot> we two")
    question, [answer] = await asked(world, f"<@bot> I am {SECRET}")
    assert usable(answer.components)
    await choose(world)
    await world.ada.edit(question, f"<@bot> I am {SECRET} the second")
    await world.discord.until(lambda: answer.content == "answer 3")
    await world.frontend.finish_writers(5)
    assert not usable(answer.components)
    assert "the second" in heard.prompts[-1]
    assert "we two" not in heard.prompts[-1]
    page = await history(world)
    assert "we two" in page
    assert SECRET not in page
    assert SECRET not in on_disk(stack)


async def test_a_long_answer_that_appears_at_once_leaves_nothing_either(world, stack):
    words = " ".join(f"{number} apples" for number in range(300))
    await stack(lambda _request: [Say(stack.encode(words))], max_new_tokens=4000, is_guarded=False)
    panel = await choose(world)
    await world.ada.press(panel, "settings:streaming:off")
    await world.discord.until(lambda: text("setting.streaming") + ":** " + text("settings.off") in panel.content)
    _, messages = await asked(world, f"<@bot> I am {SECRET}")
    assert len(messages) > 1
    assert " ".join(message.content for message in messages).endswith("299 apples")
    assert SECRET not in on_disk(stack)
    assert "299 apples" not in on_disk(stack)


@pytest.mark.parametrize("where", ["dm", "abroad"])
async def test_it_holds_in_direct_messages_and_where_the_bot_is_no_member(world, stack, heard, where):
    await stack(heard)
    elsewhere = world.discord.add_guild("Elsewhere", with_bot=False)
    cleo = world.discord.person("Cleo", elsewhere)
    world.discord.bot.installed_by.add(cleo.user.id)
    channel = cleo.dm() if where == "dm" else world.discord.add_channel(elsewhere, "theirs")
    await choose(world, cleo, channel)
    used = await cleo.slash(channel, "ask", question=f"I am {SECRET}")
    assert await world.said(used) == ["answer 1"]
    await world.frontend.finish_writers(5)
    assert SECRET in heard.prompts[-1]
    assert SECRET not in on_disk(stack)


async def test_where_admins_do_not_allow_it_and_in_a_shared_room_each_answer_says_that_it_is_kept(world, stack, heard):
    world.give_role(world.ada, Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS)
    await stack(heard)
    await choose(world)
    await world.said(await world.ada.slash(world.channel, "admin bounds set", no_store="forbidden"))
    _, [answer] = await asked(world, "<@bot> one")
    assert answer.content == f"answer 1\n{text('answer.kept_by_bounds')}"
    [panel] = await world.said(await world.ada.slash(world.channel, "settings"))
    assert text("settings.held", what=KEEP_NOTHING, value="no", wanted="yes") in panel
    await world.said(await world.ada.slash(world.channel, "admin bounds clear"))
    await world.said(await world.ada.slash(world.channel, "conversation", mode="shared"))
    [panel] = await world.said(await world.ada.slash(world.channel, "settings"))
    assert text("settings.note.room") in panel
    _, [answer] = await asked(world, "<@bot> two")
    assert answer.content == f"answer 2\n{text('answer.kept_in_room')}"
    assert "one" in on_disk(stack)
    assert "two" in on_disk(stack)


async def test_a_question_of_before_a_restart_is_answered_and_then_forgotten(world, stack, heard):
    await stack(heard)
    await choose(world)
    heard.may_end.clear()
    question = await world.ada.say(world.channel, f"<@bot> I am {SECRET}")
    await world.sees("answer 1" + RUNNING_MARK)
    heard.may_end.set()
    await stack(lambda _request: [Say(stack.encode(" and the rest"))])
    [answer] = await world.discord.answer(question, timeout_s=10)
    await world.frontend.finish_writers(5)
    assert answer.content.startswith("answer 1")
    assert usable(answer.components) == []
    assert SECRET not in on_disk(stack)
