"""/admin words: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

import threading

import pytest

from bot.engine.echo import EchoBackend, Say
from bot.texts import RUNNING_MARK, text

MASKED = "You are so ■■■■, you ■■■ ■■■■■, they say"


class Watched:
    """All that the bot ever showed in a channel, in every state of every message."""

    def __init__(self, world):
        self.shown = []
        world.discord.state.subscribe(self._note)

    def _note(self, event):
        if event.message is not None and event.message.author.bot:
            self.shown.append(event.message.content)
            self.shown += [file.content.decode() for file in event.message.attachments]


async def test_words_are_added_shown_and_taken_away(world, stack, admin):
    await stack()
    assert await admin("words list") == text("admin.words_none")
    assert await admin("words add", words="Rude, very  bad*,rude") == text("admin.words_added", count=2)
    assert await admin("words add", words="rude, !?") == text("admin.words_added_none", count=0)
    assert await admin("words list") == text("admin.words_list", count=2, words="`rude`, `very bad*`")
    [rules] = await world.discord.answer(await world.ada.slash(world.channel, "admin rules"))
    assert text("admin.rules_words", count=2) in rules.content
    assert await admin("words remove", words="RUDE") == text("admin.words_removed", count=1)
    assert await admin("words remove", words="rude") == text("admin.words_removed_none", count=0)
    assert await admin("words add", words="x" * 100) == text("refused.word_too_long", limit_chars=60)


async def test_a_question_with_a_filtered_word_is_refused_in_every_way_it_can_come(world, stack, admin, ben):
    await stack()
    await admin("words add", words="rude")
    refusal = text("refused.filtered")
    asked = await ben.say(world.channel, "<@bot> hello")
    [answer] = await world.discord.answer(asked)
    rude = await world.ada.say(world.channel, "that was rude")
    assert await world.said(await ben.say(world.channel, "<@bot> how RUDE!")) == [refusal]
    for used in (
        await ben.slash(world.channel, "ask", question="how rude"),
        await ben.menu(rude, text("menu.summarize")),
    ):
        [told] = await world.discord.answer(used)
        assert (told.content, told.visible_to) == (refusal, ben.user.id)
    quoting = await ben.say(world.channel, "<@bot> why?", reply_to=rude)
    await world.discord.until(lambda: text("sign.refused") in quoting.reactions)
    form = await ben.menu(answer, text("menu.ask_about"))
    await world.discord.until(lambda: form.modal is not None)
    sent = await ben.submit(form, question="rude?")
    [told] = await world.discord.answer(sent)
    given_back = text("form.given_back", reason=refusal, words="rude?")
    assert (told.content, told.visible_to) == (given_back, ben.user.id)
    await ben.edit(asked, "<@bot> rude hello")
    await world.discord.until(lambda: text("sign.refused") in asked.reactions)
    assert answer.content == "hello"
    [page] = await world.said(await ben.slash(world.channel, "history"))
    assert "rude" not in page.lower()


async def test_a_file_with_a_filtered_word_is_refused_where_the_answer_would_be(world, stack, admin, ben):
    await stack()
    await admin("words add", words="rude")
    said = await world.said(await ben.say(world.channel, "<@bot> sum up", attachments={"a.txt": b"It was so RUDE."}))
    assert said == [text("refused.filtered")]


@pytest.mark.parametrize("is_loading", [False, True])
async def test_a_command_whose_file_has_a_filtered_word_is_refused_to_that_person_alone(
    world, stack, admin, ben, is_loading
):
    may_load = threading.Event()

    def load(_report):
        may_load.wait(20)
        return EchoBackend(stack.info)

    await stack(load=load)
    await admin("words add", words="rude")
    if not is_loading:
        may_load.set()
    used = await ben.slash(world.channel, "ask", question="sum up", file=ben.file("a.txt", b"It was so RUDE."))
    if is_loading:  # what stands there for all meanwhile goes
        await world.discord.until(lambda: used.original is not None and used.original.content)
        assert used.original.visible_to is None
        may_load.set()
    await world.discord.until(lambda: used.original is not None and used.original.deleted)
    [told] = await world.discord.answer(used)
    assert (told.content, told.visible_to) == (text("refused.filtered"), ben.user.id)
    assert [message for message in world.discord.history(world.channel) if message.visible_to is None] == []
    await stack()
    await world.mended()
    assert [message for message in world.discord.history(world.channel) if message.visible_to is None] == []


async def test_a_command_whose_files_name_is_filtered_is_refused_to_that_person_alone(world, stack, admin, ben):
    await stack()
    await admin("words add", words="rude")
    used = await ben.slash(world.channel, "ask", question="sum up", file=ben.file("so rude.txt", b"Kind words."))
    [told] = await world.discord.answer(used)
    assert (told.content, told.visible_to) == (text("refused.filtered"), ben.user.id)


async def test_an_answer_is_masked_in_every_state_of_its_message_also_in_pieces_and_versions(world, stack, admin, ben):
    watched = Watched(world)
    await stack(lambda _request: [Say(stack.encode("You are so rude, you bad apple, they say"), 0.005)])
    await admin("words add", words="rude, bad apple")
    question = await ben.say(world.channel, "<@bot> am I?")
    [answer] = await world.discord.answer(question)
    assert answer.content == MASKED
    await ben.press(answer, text("button.regenerate"))
    await world.discord.until(lambda: text("button.older") in str(answer.components))
    await ben.press(answer, text("button.older"))
    [page] = await world.said(await ben.slash(world.channel, "history"))
    assert "■■■■" in page
    everything = [shown.removesuffix(RUNNING_MARK) for shown in watched.shown]
    assert len(everything) > 3
    assert not any("rude" in shown or "bad apple" in shown for shown in everything)


@pytest.mark.parametrize("most", [1, None])
async def test_a_long_answer_is_masked_over_its_messages_and_in_its_file(world, stack, admin, ben, most):
    watched = Watched(world)
    line = "all this is rude talk and more of it\n"
    await stack(lambda _request: [Say(stack.encode(line * 150))], rules={"max_messages": most}, is_guarded=False)
    await admin("words add", words="rude talk")
    messages = await world.discord.answer(await ben.say(world.channel, "<@bot> talk"))
    assert len(messages) == (most or 2)
    for file in messages[-1].attachments:
        assert "■■■■ ■■■■" in file.content.decode()
    assert len(messages[-1].attachments) == (most or 0)
    assert not any("rude" in shown for shown in watched.shown)


async def test_a_persona_with_a_filtered_word_is_refused(world, stack, admin, ben):
    await stack()
    await admin("words add", words="rude")
    opened = await ben.slash(world.channel, "persona set")
    await world.discord.until(lambda: opened.modal is not None)
    [told] = await world.discord.answer(await ben.submit(opened, text="Be as rude as you can."))
    assert (told.content, told.visible_to) == (text("refused.filtered"), ben.user.id)
    [shown] = await world.discord.answer(await ben.slash(world.channel, "persona show"))
    assert "rude" not in shown.content
