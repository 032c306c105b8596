"""The whole bot as a process: real signals, real discord.py, real models, on the loopback Discord."""

import asyncio
import signal
import sqlite3

import pytest

from bot.core.migrations import APPLICATION_ID
from bot.texts import RUNNING_MARK, text

ENGINES = ["genai", "optimum"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_demo_model_remembers_a_name_across_turns_and_a_restart_until_reset(bot, ask, engine):
    await bot.start(engine=engine)
    assert "Quorvex" in (await ask("my name is Quorvex"))[0]
    assert "Quorvex" in (await ask("what is my name?"))[0]
    assert await bot.end() == 0
    await bot.start()
    assert "Quorvex" in (await ask("what is my name?"))[0]
    assert await ask("/reset") == [text("reset.done")]
    assert "Quorvex" not in (await ask("what is my name?"))[0]
    assert await bot.end() == 0


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_long_answer_grows_by_edits_is_split_and_stops_at_once_on_stop(
    discord, bot, channel, ada, engine, tiny_model_dir
):
    await bot.start(engine=engine, model_dir=tiny_model_dir, max_new_tokens=4000)
    await bot.until_logged("engine_process_ready")
    question = await ada.say(channel, "<@bot> talk to me")
    async with bot.engine_suspended_beyond(2100):
        await discord.until(lambda: len(discord.answer_so_far(question)) >= 2, timeout_s=60)
        await discord.until(lambda: discord.answer_so_far(question)[-1].content.endswith(RUNNING_MARK), timeout_s=60)
        await ada.slash(channel, "stop")
        await bot.until_rows("SELECT state FROM turns", [("stopped",)])
    pieces = [message.content for message in await discord.answer(question, timeout_s=30)]
    assert len(pieces) >= 2
    assert max(map(len, pieces)) <= 2000
    assert pieces[-1].endswith(text("answer.stopped"))
    assert sum(call.method == "PATCH" for call in discord.log) >= 2
    [(state, tokens)] = bot.rows("SELECT state, completion_tokens FROM turns")
    assert state == "stopped"
    assert 0 < tokens < 4000
    assert await bot.end() == 0


async def test_sigterm_lets_a_running_answer_finish(discord, bot, channel, ada, tiny_model_dir):
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=600, drain_s=60)
    question = await ada.say(channel, "<@bot> talk to me")
    await bot.until_rows("SELECT state FROM turns", [("generating",)])  # what is shown may be "still loading"
    assert await bot.end(timeout_s=90) == 0
    assert discord.is_finished(question)
    assert discord.answer_so_far(question)[-1].content.endswith(text("answer.length", tokens=600))
    assert bot.rows("SELECT state, completion_tokens FROM turns") == [("done", 600)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_the_end_of_the_process_broke_off_the_next_one_finishes_in_the_same_messages(
    discord, bot, channel, ada, tiny_model_dir, number
):
    # Greedy, for then this model never ends by itself; unguarded, because what the guard finds is taken back.
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=3000, drain_s=0, guard="false")
    await bot.until_logged("engine_process_ready")
    question = await ada.say(channel, "<@bot> talk to me")
    async with bot.engine_suspended_beyond(200):
        await discord.until(lambda: len("".join(m.content for m in discord.answer_so_far(question)[:1])) > 200)
        first = discord.answer_so_far(question)[0]
        waiting = await ada.say(channel, "<@bot> and then?")
        await bot.until_rows("SELECT count(*) FROM turns", [(2,)])
        bot.signal(number)
        if number is signal.SIGTERM:
            await bot.until_rows("SELECT state FROM turns WHERE id = 1", [("interrupted",)])
    assert await bot.ended() == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    if number is signal.SIGTERM:
        # By what the bot recorded: between the messages of a long answer may stand the other question's placeholder.
        newest = "SELECT max(message_id) FROM messages WHERE kind = 'answer' AND turn_id = 1"
        [(shown,)] = bot.rows(newest)
        [last] = [message for message in discord.history(channel) if message.id == shown]
        assert text("answer.interrupted") in last.content
    [(recorded,)] = bot.rows("SELECT answer FROM turns WHERE id = 1")
    await bot.start(max_new_tokens=2000, do_sample="true")  # so words that are said anew would be others
    await bot.until_rows("SELECT DISTINCT state FROM turns", [("done",)], timeout_s=100)
    await discord.answer(question)
    await discord.answer(waiting)
    await discord.until(lambda: not any(RUNNING_MARK in one.content for one in discord.history(channel)))
    assert first.content.startswith(recorded.strip()[:200])
    assert bot.rows("SELECT answer FROM turns WHERE id = 1")[0][0].startswith(recorded)
    assert text("answer.interrupted") not in "".join(m.content for m in discord.answer_so_far(question))


async def test_a_second_signal_does_not_wait(discord, bot, channel, ada, tiny_model_dir):
    await bot.start(model_dir=tiny_model_dir, max_new_tokens=4000, drain_s=600)
    await bot.until_logged("engine_process_ready")
    await ada.say(channel, "<@bot> talk to me")
    async with bot.engine_suspended_beyond(50):
        bot.signal()
        await bot.until_logged("signal")
        await asyncio.sleep(0.2)
        assert bot.process.returncode is None
        bot.signal(signal.SIGINT)
        await bot.until_rows("SELECT state FROM turns", [("interrupted",)])
    assert await bot.ended(timeout_s=15) == 0
    assert bot.rows("SELECT state FROM turns") == [("interrupted",)]


async def test_a_second_signal_does_not_wait_for_an_engine_that_is_still_loading(bot):
    await bot.start(engine="optimum", engine_process="false")  # whose import alone takes seconds
    assert "engine_ready" not in bot.log
    bot.signal()
    await bot.until_logged("signal")
    assert await bot.end(signal.SIGINT, timeout_s=3) == 0


async def test_a_wrong_token_ends_in_one_sentence_and_exit_code_78(bot):
    await bot.start(wait=False, engine="echo", token="wrong")
    assert await bot.process.wait() == 78
    await bot.end()
    assert "phibot: Discord does not accept DISCORD_TOKEN" in bot.log
    assert "Traceback" not in bot.log


async def test_a_model_that_cannot_be_loaded_ends_in_one_sentence_and_exit_code_78(bot, tmp_path):
    await bot.start(wait=False, ov_config='{"NO_SUCH_PROPERTY": "1"}')
    assert await bot.process.wait() == 78
    await bot.end()
    assert "PHIBOT_OV_CONFIG" in bot.log
    assert "Traceback" not in bot.log


async def test_two_bots_never_share_a_database(bot, discord, tmp_path):
    await bot.start(engine="echo")
    second = type(bot)(discord, tmp_path)
    await second.start(wait=False, engine="echo")
    assert await second.process.wait() == 78
    await second.end()
    assert "in use by another running bot" in second.log
    assert await bot.end() == 0


async def test_only_the_admins_servers_are_served_others_left_his_free_channels_need_no_mention_and_dms_are_off(
    bot, discord, home, channel, ada, said
):
    free = discord.add_channel(home, "free")
    elsewhere = discord.add_guild("Elsewhere")
    other = discord.add_channel(elsewhere, "general")
    eve = discord.person("Eve", elsewhere)
    await bot.start(engine="echo", allowed_guild_ids=home.id, allowed_channel_ids=free.id, allow_dms="false")
    await discord.until(lambda: discord.bot.user.id not in elsewhere.members)
    assert [message.content for message in discord.history(other)] == [text("unserved.leaving")]
    await bot.until_logged("guild_left")
    await eve.say(eve.dm(), "in private")
    await ada.say(channel, "no mention")
    assert await said(await ada.say(free, "no mention")) == ["no mention"]
    assert ada.commands(ada.dm()) == []
    assert await said(await ada.say(channel, "<@bot> a mention")) == ["a mention"]
    assert bot.rows("SELECT question FROM turns ORDER BY id") == [("no mention",), ("a mention",)]
    assert await bot.end() == 0


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (
            [
                f"PRAGMA application_id = {APPLICATION_ID}",
                "CREATE TABLE migrations (name TEXT)",
                "PRAGMA user_version = 999",
            ],
            "was made by a newer version of this program",
        ),
        (["CREATE TABLE recipes (name TEXT)"], "is a database of another program"),
    ],
    ids=["newer", "foreign"],
)
async def test_a_database_that_is_not_ours_to_write_ends_in_one_sentence_and_is_left_untouched(
    bot, tmp_path, statements, sentence
):
    path = tmp_path / "theirs.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    before = path.read_bytes()
    await bot.start(wait=False, engine="echo", database=path)
    assert await bot.process.wait() == 78
    await bot.end()
    [line] = [line for line in bot.log.splitlines() if line.startswith("phibot: ")]
    assert sentence in line
    assert "Traceback" not in bot.log
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_where_no_fallback_is_allowed_a_missing_device_ends_in_one_sentence_and_exit_code_78(bot):
    await bot.start(wait=False, device="GPU.7", device_fallback="none")
    assert await bot.process.wait() == 78
    await bot.end()
    [line] = [line for line in bot.log.splitlines() if line.startswith("phibot: ")]
    assert "Device GPU.7 was asked for (PHIBOT_DEVICE), but OpenVINO found only CPU" in line
    assert "Traceback" not in bot.log


async def test_nothing_that_people_write_and_no_token_is_in_the_log(bot, ask, discord, channel, ada):
    await bot.start(engine="echo", log_level="INFO")
    assert await ask("a secret of mine") == ["a secret of mine"]
    theirs = await ada.say(channel, "a secret of theirs")
    question = await ada.say(
        channel, "<@bot> secret question", reply_to=theirs, attachments={"secret.txt": b"a secret file"}
    )
    [answer] = await discord.answer(question, timeout_s=30)
    before = answer.content
    await ada.edit(question, "<@bot> secret of another kind")
    await discord.until(lambda: answer.content != before and RUNNING_MARK not in answer.content)
    form = await ada.menu(answer, text("menu.ask_about"))
    await discord.until(lambda: form.modal is not None)
    submitted = await ada.submit(form, question="a secret about that")
    assert await discord.answer(submitted, timeout_s=30)
    for name in ("menu.details", "menu.forget"):
        used = await ada.menu(answer, text(name))
        await discord.until(lambda used=used: used.responses and not used.responses[0].is_loading)
    await ada.delete(question)
    assert await bot.end() == 0
    assert "secret" not in bot.log
    assert discord.token not in bot.log
