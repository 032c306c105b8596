"""The buttons under an answer of a real process, before and after it was killed."""

import signal

from bot.texts import RUNNING_MARK, text

STOP, REGENERATE = text("button.stop"), text("button.regenerate")


def buttons(message):
    return [button["label"] for row in message.components for button in row["components"]]


async def test_the_buttons_of_before_a_kill_work_after_it(discord, bot, channel, ada):
    await bot.start(engine="echo")
    question = await ada.say(channel, "<@bot> good morning")
    [answer] = await discord.answer(question)
    assert buttons(answer) == [REGENERATE]
    await bot.end(signal.SIGKILL)
    await bot.start()
    await ada.press(answer, REGENERATE)
    await discord.until(lambda: "2/2" in buttons(answer))
    assert discord.answer_so_far(question) == [answer]
    assert answer.content == "good morning"
    assert await bot.end() == 0


async def test_stop_of_before_a_kill_ends_the_answer_that_goes_on_after_it(discord, bot, channel, ada, tiny_model_dir):
    # Unguarded, because what the guard finds is taken back.
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=4000, drain_s=0, guard="false")
    await bot.until_logged("engine_process_ready")
    question = await ada.say(channel, "<@bot> talk to me")
    async with bot.engine_suspended_beyond(100):
        await discord.until(lambda: is_growing(discord.answer_so_far(question)))
        bot.signal(signal.SIGKILL)
    await bot.ended()
    [(before,)] = bot.rows("SELECT length(answer) FROM turns")
    await bot.start()
    await bot.until_logged("engine_process_ready")
    async with bot.engine_suspended_beyond(before):
        newest = discord.answer_so_far(question)[-1]
        assert buttons(newest) == [STOP]
        await ada.press(newest, STOP)
        await bot.until_rows("SELECT state FROM turns", [("stopped",)])
    pieces = await discord.answer(question, timeout_s=60)
    assert pieces[-1].content.endswith(text("answer.stopped"))
    assert [buttons(piece) for piece in pieces] == [[]] * (len(pieces) - 1) + [[REGENERATE]]
    assert await bot.end() == 0


def is_growing(pieces):
    """Tell whether the newest message of an answer is shown with words and Stop."""
    return pieces and pieces[-1].content.endswith(RUNNING_MARK) and buttons(pieces[-1]) == [STOP]
