"""Edits and threads over the end of the process, with the bot as a real process."""

import signal

import pytest

from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_question_edited_while_it_is_answered_is_answered_in_its_new_words_by_the_next_process(
    discord, bot, channel, ada, tiny_model_dir, number
):
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=3000, drain_s=0)
    question = await ada.say(channel, "<@bot> secret words")
    answer = await discord.wait_for(lambda m: m.author is discord.bot.user and len(m.content) > 50, timeout_s=60)
    await ada.edit(question, "<@bot> talk to me")
    await bot.until_rows("SELECT coalesce(asked, question) FROM turns", [("talk to me",)])
    await bot.end(number)
    await bot.start(max_new_tokens=50)
    await bot.until_rows("SELECT state FROM turns", [("done",)])
    await discord.answer(question)
    assert discord.answer_so_far(question)[0] is answer
    await discord.until(lambda: not any(RUNNING_MARK in one.content for one in discord.history(channel)))
    assert await bot.end() == 0
    assert b"secret" not in b"".join(path.read_bytes() for path in (bot.folder / "data").iterdir())


async def test_a_question_deleted_while_it_is_answered_leaves_nothing_for_the_next_process(
    discord, bot, channel, ada, tiny_model_dir
):
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=3000, drain_s=0)
    question = await ada.say(channel, "<@bot> secret words")
    answer = await discord.wait_for(lambda m: m.author is discord.bot.user and len(m.content) > 50, timeout_s=60)
    await ada.delete(question)
    await discord.until(lambda: answer.deleted, timeout_s=30)
    await bot.end(signal.SIGKILL)
    await bot.start()
    assert bot.rows("SELECT count(*) FROM turns") == [(0,)]
    assert await bot.end() == 0
    assert b"secret" not in b"".join(path.read_bytes() for path in (bot.folder / "data").iterdir())


async def test_the_bots_own_thread_needs_no_mention_after_a_restart_and_knows_what_was_said(
    discord, bot, home, channel, ada, ask, said
):
    needed = Permission.CREATE_PUBLIC_THREADS | Permission.SEND_MESSAGES_IN_THREADS
    discord.state.set_overwrite(channel, discord.bot.user, allow=needed)
    await bot.start(engine="genai")
    await ask("my name is Quorvex")
    [opened] = await ask("/thread")
    thread = next(found for found in discord.state.guild_channels(home) if found.is_thread)
    assert opened == text("thread.opened", thread=f"<#{thread.id}>")
    assert await bot.end() == 0
    await bot.start()
    [answer] = await said(await ada.say(thread, "what is my name?"))
    assert "Quorvex" in answer
    assert await bot.end() == 0
