"""Personas in real processes: what was set in one that is killed holds in the next, which takes its forms too."""

import signal

from bot.texts import text


async def opened(discord, ada, channel):
    used = await ada.slash(channel, "persona set")
    await discord.until(lambda: used.modal is not None)
    return used


async def test_a_persona_its_form_and_what_a_conversation_was_told_outlive_a_kill(discord, bot, channel, ada, said):
    await bot.start(time_zone="Asia/Tokyo")
    sent = await ada.submit(await opened(discord, ada, channel), text="Today is {date}; you talk to {user}.")
    [done] = await said(sent)
    assert done.startswith("Done: ")
    assert await said(await ada.say(channel, "<@bot> my name is Zorblax"))
    left_open = await opened(discord, ada, channel)
    await bot.end(signal.SIGKILL)
    assert "you talk to" not in bot.log
    await bot.start()
    [answer] = await said(await ada.say(channel, "<@bot> what is my name?"))
    assert "Zorblax" in answer
    [shown] = await said(await ada.slash(channel, "persona show"))
    assert "> Today is {date}; you talk to {user}." in shown
    assert text("persona.variables", zone="Asia/Tokyo") in shown
    [done] = await said(await ada.submit(left_open, text="You are a pirate."))
    assert done.startswith("Done: ")
    assert await bot.end() == 0
