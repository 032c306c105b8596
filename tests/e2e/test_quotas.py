"""Quotas over the end of the process, with the bot as a real process."""

import re
import signal

from bot.core.spending import DAY_S

QUESTION = "one two three four five"


async def test_neither_a_kill_nor_a_restart_gives_tokens_or_questions_back(bot, ada, ask, said):
    await bot.start(engine="echo", tokens_per_day=60)
    while QUESTION in (answers := await ask(QUESTION))[0]:
        pass
    [refused] = answers
    told = re.fullmatch(r"You have used up your 60 tokens for today\. There are new ones <t:(\d+):R>; .*", refused)
    assert int(told[1]) % DAY_S == 0
    await bot.end(signal.SIGKILL)
    await bot.start()
    assert await ask(QUESTION) == [refused]
    assert "tokens today: 0 of 60 left" in (await ask("/quota"))[0]
    assert await said(await ada.say(ada.dm(), QUESTION)) == [refused]
    assert await bot.end() == 0
    await bot.start(tokens_per_day=10**6, cooldown_s=3600)
    assert (await ask(QUESTION))[0].startswith("I take one question every 3600 s")
