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
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=4000, drain_s=0)
    question = await ada.say(channel, "<@bot> talk to me")
    running = await discord.wait_for(lambda m: m.content.endswith(RUNNING_MARK) and len(m.content) > 100, timeout_s=60)
    assert buttons(running) == [STOP]
    await bot.until_rows("SELECT length(answer) > 100 FROM turns", [(1,)])  # else it would wait again, with Leave
    await bot.end(signal.SIGKILL)
    await bot.start()
    await bot.until_logged("answers_resumed")
    newest = discord.answer_so_far(question)[-1]
    await ada.press(newest, STOP)
    pieces = await discord.answer(question, timeout_s=60)
    assert pieces[-1].content.endswith(text("answer.stopped"))
    assert [buttons(piece) for piece in pieces] == [[]] * (len(pieces) - 1) + [[REGENERATE]]
    assert await bot.end() == 0
