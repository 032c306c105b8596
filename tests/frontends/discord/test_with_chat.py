"""The whole way but for the model: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

import re
import threading

import pytest

from bot.engine.echo import EchoBackend, Fail, Hang, Say
from bot.texts import RUNNING_MARK, text


async def test_a_question_is_answered_and_remembered_until_reset(world, stack):
    await stack()
    assert await world.said(await world.ada.say(world.channel, "<@bot> good morning")) == ["good morning"]
    await stack()
    used = await world.ada.slash(world.channel, "history")
    [page] = await world.said(used)
    assert page.endswith("**You:** good morning\n**Me:** good morning")
    assert await world.said(await world.ada.slash(world.channel, "reset")) == [text("reset.done")]
    assert await world.said(await world.ada.slash(world.channel, "reset")) == [text("reset.nothing")]
    assert await world.said(await world.ada.slash(world.channel, "history")) == [text("history.nothing")]


async def test_stop_ends_the_generation_and_keeps_the_text(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    question = await world.ada.say(world.channel, "<@bot> go on for ever")
    await world.sees("Half an" + RUNNING_MARK)
    assert await world.said(await world.ada.slash(world.channel, "stop")) == [text("stop.done")]
    assert await world.said(question) == [f"Half an\n{text('answer.stopped')}"]
    assert world.chat.status().running == 0


async def test_an_answer_cut_by_a_restart_is_finished_in_the_same_message(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    question = await world.ada.say(world.channel, "<@bot> hi")
    half = await world.sees("Half an" + RUNNING_MARK)
    await stack(lambda _request: [Say(stack.encode(" answer."))])
    await world.discord.until(lambda: half.content.endswith("answer."))
    assert [message.id for message in world.discord.answer_so_far(question)] == [half.id]


async def test_who_asks_while_the_model_loads_is_told_how_far_it_is_and_then_answered_in_the_same_message(world, stack):
    go_on = threading.Event()

    def load(report):
        report("loading.compiling")
        assert go_on.wait(30)
        return EchoBackend(stack.info, load_s=0.1)

    await stack(load=load)
    question = await world.ada.say(world.channel, "<@bot> are you there?")
    told = await world.discord.wait_for(lambda message: message.author is world.discord.bot.user)
    fields = {"stage": text("loading.compiling"), "elapsed_s": 12345, "last_time_s": 40}
    assert re.sub(r"\d+ s so far", "12345 s so far", told.content) == text("loading.wait_last", **fields) + RUNNING_MARK
    [status] = await world.said(await world.ada.slash(world.channel, "status"))
    assert text("loading.compiling") in status
    go_on.set()
    assert await world.said(question) == ["are you there?"]
    assert [message.id for message in world.discord.answer_so_far(question)] == [told.id]
    [status] = await world.said(await world.ada.slash(world.channel, "status"))
    assert text("status.ready") in status


async def test_messages_sent_while_a_question_waits_are_answered_together(world, stack):
    go_on = threading.Event()

    def script(request):
        yield Say(stack.encode("One at a time: "))
        while not go_on.wait(0.01):
            yield Say(())
        yield Say(request.prompt_ids[-2:-1])

    await stack(script)
    await world.ada.say(world.channel, "<@bot> one")
    await world.sees("One at a time:" + RUNNING_MARK)
    await world.ada.say(world.channel, "<@bot> two")
    await world.ada.say(world.channel, "<@bot> three")
    assert await world.said(await world.ada.slash(world.channel, "ask", question="four")) == [text("ask.joined")]
    go_on.set()
    await world.discord.until(lambda: world.chat.status().running + world.chat.status().waiting == 0)
    await world.frontend.finish_writers(5)
    [page] = await world.said(await world.ada.slash(world.channel, "history"))
    assert "**You:** two\nthree\nfour" in page


async def test_a_failed_generation_ends_in_its_sentence(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half")), Fail()])
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == [f"Half\n{text('error.engine')}"]


async def test_who_asks_too_much_is_told_so(world, stack):
    await stack(per_user_per_minute=1)
    await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    [refusal] = await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert refusal.startswith("That's more than 1 questions a minute.")


@pytest.mark.parametrize(
    ("bad", "shown", "why"),
    [
        ("Paris.\n\nUser: and Spain, what is its capital?", "Paris. Paris.", "guard.self_dialogue"),
        ("Well. " + "I say it again and again. " * 15, "Well. I say it again and again.", "guard.loop"),
    ],
)
async def test_an_answer_that_goes_wrong_twice_shows_what_was_sound_and_says_why_it_ends(world, stack, bad, shown, why):
    await stack(lambda _request: [Say(stack.encode(bad), 0.002), Hang()])
    question = await world.ada.say(world.channel, "<@bot> what is the capital of France?")
    assert await world.said(question) == [f"{shown}\n{text(why)}"]


async def test_the_model_reads_what_is_in_a_file_and_history_shows_the_words_alone(world, stack):
    await stack()
    [answer] = await world.said(
        await world.ada.say(world.channel, "<@bot> good morning", attachments={"a.txt": b"my name is Ada"})
    )
    assert answer == "File a.txt:\n```\nmy name is Ada\n```\n\ngood morning"
    [page] = await world.said(await world.ada.slash(world.channel, "history"))
    assert "**You:** good morning\n**Me:** File a.txt:" in page


async def test_files_beyond_the_models_window_are_cut_to_its_tokens_and_the_person_is_told(world, stack):
    await stack(lambda _request: [Say(stack.encode("Read."))])
    files = {f"{name}.txt": "Żółć ".encode() * 380 for name in "abc"}
    [answer] = await world.said(await world.ada.say(world.channel, "<@bot> sum up", attachments=files))
    said, *notes = answer.splitlines()
    assert said == "Read."
    assert len(notes) == 3
    assert notes[0] == text("file.cut", name="`a.txt`", percent=int(re.search(r"(\d+) %", notes[0])[1]))


async def test_after_a_restart_a_question_still_has_its_files_and_says_which_were_not_read(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    files = {"a.txt": b"words", "cat.png": b"\x89PNG\r\n\x1a\n\0\0"}
    await world.ada.say(world.channel, "<@bot> hi", attachments=files)
    half = await world.sees("Half an" + RUNNING_MARK)
    prompts = []

    def script(request):
        prompts.append(request.prompt_ids)
        return [Say(stack.encode(" answer."))]

    await stack(script)
    await world.discord.until(lambda: "answer." in half.content and not half.content.endswith(RUNNING_MARK))
    assert half.content.splitlines()[1:] == [text("file.unread", names="`cat.png`")]
    read = "File a.txt:\n```\nwords\n```\n\nFile cat.png: (nothing of it can be read)\n\nhi"
    ids = tuple(stack.encode(read))
    assert any(prompts[0][at : at + len(ids)] == ids for at in range(len(prompts[0])))
