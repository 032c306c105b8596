"""A message's context menu: loopback Discord, discord.py, the frontend, the real chat and store, an echo."""

from dataclasses import replace

import pytest

from bot.engine.echo import EchoBackend, Hang, Say
from bot.errors import QueueFull
from bot.frontends.discord.menus import MENUS, QUESTION_CHARS
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text

ASK, SUMMARIZE, DETAILS = text("menu.ask_about"), text("menu.summarize"), text("menu.details")
FORGET, DELETE = text("menu.forget"), text("menu.delete")


async def told(world, used):
    """Return the sentence that the person alone is told."""
    answer = await world.discord.answer(used, timeout_s=10)
    assert [message.visible_to for message in answer] == [used.user.id]
    return answer[0].content


async def form_of(world, used):
    """Wait until the form is open."""
    await world.discord.until(lambda: used.modal is not None)
    return used.modal


class Prompts:
    """A script that answers "Noted." and keeps what the model was given to read."""

    def __init__(self, stack):
        self.stack, self.seen = stack, []

    def __call__(self, request):
        self.seen.append(self.stack.decode(request.prompt_ids))
        return [Say(self.stack.encode("Noted."))]


@pytest.fixture
def prompts(stack):
    return Prompts(stack)


@pytest.fixture
def moderator(world):
    person = world.discord.person("Mod", world.guild)
    world.discord.grant(person, world.guild, Permission.MANAGE_MESSAGES)
    return person


@pytest.fixture
def asked(world):
    """Ask as Ada and return the question and the first message of the finished answer."""

    async def asked(words="hi"):
        question = await world.ada.say(world.channel, f"<@bot> {words}")
        return question, (await world.discord.answer(question))[0]

    return asked


async def remembered(world, person=None):
    [page] = await world.said(await (person or world.ada).slash(world.channel, "history"))
    return page


async def test_the_menus_are_within_discords_limits_and_offered_on_every_message(world, stack):
    await stack()
    offered = [command.name for command in world.ada.commands(world.channel, kind=3)]
    assert sorted(offered) == sorted(menu.name for menu in MENUS)
    assert len(offered) <= 15
    assert all(0 < len(name) <= 32 for name in offered)


# Ask about this, Summarize


async def test_ask_about_this_brings_anybodys_message_in_with_its_authors_name(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed\nuntil Friday.")
    opener = await world.ada.menu(message, ASK)
    form = await form_of(world, opener)
    assert form["title"] == text("ask_about.title")
    sent = await world.ada.submit(opener, question="  When does it open?  ")
    assert await world.said(sent) == ["Noted."]
    assert "Ben wrote:\n> The bridge is closed\n> until Friday.\n\nWhen does it open?" in prompts.seen[0]
    assert "**You:** When does it open?\n**Me:** Noted." in await remembered(world)
    assert await remembered(world, ben) == text("history.nothing")


async def test_ask_about_this_reads_the_messages_files_too(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, attachments={"plan.txt": b"Open the bridge on Friday."})
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    assert await world.said(await world.ada.submit(opener, question="What is planned?")) == ["Noted."]
    assert "File plan.txt:\n```\nOpen the bridge on Friday.\n```\n\nWhat is planned?" in prompts.seen[0]


async def test_ask_about_this_on_part_of_an_answer_brings_the_whole_answer_in(world, stack, prompts, ben, asked):
    answer = "A long sentence of some words, again. " * 80
    await stack(lambda _request: [Say(stack.encode(answer))], is_guarded=False)
    _, first = await asked()
    await stack(prompts)
    opener = await ben.menu(first, ASK)
    await form_of(world, opener)
    await world.said(await ben.submit(opener, question="Shorter, please"))
    assert prompts.seen[0].count("A long sentence of some words, again.") == 80


async def test_a_message_without_anything_to_read_gets_a_sentence(world, stack, ben):
    await stack()
    message = await ben.say(world.channel, stickers=["Wave"])
    for name in (ASK, SUMMARIZE):
        assert await told(world, await world.ada.menu(message, name)) == text("menu.nothing_to_read")


async def test_a_form_sent_without_words_or_twice_or_while_closing_ends_in_one_sentence(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    assert await told(world, await world.ada.submit(opener, question="   ")) == text("refused.empty")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    sent = await world.ada.submit(opener, question="why?")
    assert await world.said(sent) == ["Noted."]
    assert len(prompts.seen) == 1
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    world.frontend.begin_closing()
    sent = await world.ada.submit(opener, question="why?")
    assert await told(world, sent) == text("form.given_back", reason=text("refused.shutting_down"), words="why?")


async def test_a_form_of_before_a_restart_gives_the_words_back(world, stack, ben):
    await stack()
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    await stack()
    words = "Why? " * (QUESTION_CHARS // 5)
    sent = await world.ada.submit(opener, question=words)
    assert await told(world, sent) == text("ask_about.lost", words=words).strip()


async def test_a_form_that_cannot_be_acknowledged_any_more_asks_nothing_and_posts_nothing(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    world.discord.faults.add(method="POST", path=r"/callback", times=None, status=404, code=10062)
    sent = await world.ada.submit(opener, question="why?")
    await world.discord.until(lambda: len(world.discord.log.of("POST", rf"/{sent.token}/callback$")) >= 2)
    world.discord.faults.clear()
    assert await remembered(world) == text("history.nothing")
    assert prompts.seen == []


async def test_a_form_and_a_menu_that_fail_on_the_disk_end_in_a_sentence(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    await stack.history.aclose()
    assert await world.said(await world.ada.submit(opener, question="why?")) == [text("error.unexpected")]
    assert await told(world, await world.ada.menu(message, DETAILS)) == text("error.unexpected")


async def test_what_was_written_into_a_form_is_given_back_when_it_is_refused(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    await world.chat.permissions.set_paused(world.guild.id, paused=True)
    words = ("Why *is* it closed? " * (QUESTION_CHARS // 20)).strip()
    sent = await world.ada.submit(opener, question=words)
    assert await told(world, sent) == text("form.given_back", reason=text("refused.paused"), words=words)
    assert prompts.seen == []


async def test_what_was_written_into_a_form_is_given_back_alone_when_it_is_refused_after_the_acknowledgement(
    world, stack, prompts, ben
):
    await stack(prompts, max_waiting=0)
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    sent = await world.ada.submit(opener, question="why?")
    reason = QueueFull(0, None).user_message()
    assert await told(world, sent) == text("form.given_back", reason=reason, words="why?")
    assert [shown.visible_to for shown in sent.responses] == [world.ada.user.id]


async def test_a_lost_form_that_comes_twice_is_answered_once(world, stack, ben):
    await stack()
    message = await ben.say(world.channel, "The bridge is closed.")
    opener = await world.ada.menu(message, ASK)
    await form_of(world, opener)
    await stack()
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    sent = await world.ada.submit(opener, question="why?")
    assert await told(world, sent) == text("ask_about.lost", words="why?")
    await told(world, await world.ada.slash(world.channel, "help"))  # behind both: events come in order
    assert len(sent.responses) == 1


async def test_summarize_quotes_the_message_and_is_a_question_of_that_persons_own(world, stack, prompts, ben):
    await stack(prompts)
    message = await ben.say(world.channel, "The bridge is closed, for it is broken, which happens.")
    used = await world.ada.menu(message, SUMMARIZE)
    answer = await world.discord.answer(used, timeout_s=10)
    assert [(each.content, each.visible_to) for each in answer] == [("Noted.", None)]
    quoted = "Ben wrote:\n> The bridge is closed, for it is broken, which happens.\n\n"
    assert quoted + text("menu.summarize.question") in prompts.seen[0]
    assert f"**You:** {text('menu.summarize.question')}" in await remembered(world)
    assert await remembered(world, ben) == text("history.nothing")


async def test_a_menu_used_too_often_gets_the_limits_sentence(world, stack, prompts, ben):
    await stack(prompts, per_user_per_minute=1)
    message = await ben.say(world.channel, "The bridge is closed.")
    await world.said(await world.ada.menu(message, SUMMARIZE))
    [refusal] = await world.said(await world.ada.menu(message, SUMMARIZE))
    assert refusal.startswith("That's more than 1 questions a minute.")


# Answer details


async def test_answer_details_tell_how_an_answer_was_made_to_that_person_alone(world, stack, ben):
    info = replace(stack.info, revision="abc123")
    await stack(load=lambda _report: EchoBackend(info))
    await world.said(await world.ada.say(world.channel, "<@bot> good morning"))
    question = await world.ada.say(world.channel, "<@bot> good evening")
    [answer] = await world.discord.answer(question)
    page = await told(world, await ben.menu(answer, DETAILS))
    turn = await world.chat.turn_of_message(answer.id)
    tokens = {"tokens_in": turn.usage.prompt_tokens, "tokens_out": turn.usage.completion_tokens}
    for line in (
        text("details.model_revision", model="Echo-1", revision="abc123"),
        text("details.device", device="CPU", engine="echo"),
        text("details.greedy"),
        text("details.tokens", **tokens),
        text("details.turns_used", count=1),
        text("details.turns_dropped", count=0),
        text("details.first_token", first_token_s=f"{turn.usage.first_token_s:.2f}"),
        text("details.version", version=1, versions=1),
        text("details.batch"),
    ):
        assert line in page.splitlines()
    assert "tokens a second" in page
    assert await told(world, await world.ada.menu(question, DETAILS)) == page  # of the question: the same


async def test_answer_details_of_a_regenerated_answer_tell_its_seed_and_version(world, stack, asked):
    await stack()
    _, answer = await asked()
    await world.ada.press(answer, text("button.regenerate"))
    await world.discord.until(lambda: "2/2" in str(answer.components))
    await world.frontend.finish_writers(5)
    turn = await world.chat.turn_of_message(answer.id)
    page = await told(world, await world.ada.menu(answer, DETAILS))
    assert f"seed {turn.seed}," in page
    assert text("details.version", version=2, versions=2) in page


async def test_answer_details_of_what_is_no_answer_or_not_done_yet_are_a_sentence(world, stack, ben):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    message = await ben.say(world.channel, "The bridge is closed.")
    assert await told(world, await world.ada.menu(message, DETAILS)) == text("details.none")
    await world.ada.say(world.channel, "<@bot> go on for ever")
    half = await world.sees("Half an" + RUNNING_MARK)
    assert await told(world, await world.ada.menu(half, DETAILS)) == text("refused.still_runs")


# Forget this, Delete answer


async def test_forget_this_forgets_ones_own_exchange_and_takes_its_answer_down(world, stack, asked):
    await stack()
    await asked("good morning")
    question, answer = await asked("my secret")
    assert await told(world, await world.ada.menu(answer, FORGET)) == text("forget.done")
    assert answer.deleted
    assert not question.deleted
    page = await remembered(world)
    assert "good morning" in page
    assert "secret" not in page
    assert await told(world, await world.ada.menu(question, FORGET)) == text("forget.none")


async def test_forget_this_takes_down_every_message_of_a_long_answer_with_all_its_versions(world, stack, asked):
    answer = "A long sentence of some words, again. " * 80
    await stack(lambda _request: [Say(stack.encode(answer))], is_guarded=False)
    question, _ = await asked()
    await world.ada.press(world.discord.answer_so_far(question)[-1], text("button.regenerate"))
    await world.discord.until(lambda: "2/2" in str(world.discord.answer_so_far(question)[-1].components))
    shown = world.discord.answer_so_far(question)
    assert len(shown) == 2
    assert await told(world, await world.ada.menu(question, FORGET)) == text("forget.done")
    assert [message.deleted for message in shown] == [True, True]
    assert await remembered(world) == text("history.nothing")


async def test_forget_this_cancels_an_answer_that_is_being_written(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    question = await world.ada.say(world.channel, "<@bot> go on for ever")
    half = await world.sees("Half an" + RUNNING_MARK)
    assert await told(world, await world.ada.menu(question, FORGET)) == text("forget.done")
    await world.discord.until(lambda: half.deleted)
    assert world.chat.status().running == 0
    assert world.discord.answer_so_far(question) == []


@pytest.mark.parametrize("name", [FORGET, DELETE])
async def test_only_the_asker_and_moderators_may_forget_and_delete(world, stack, asked, ben, moderator, name):
    await stack()
    _, answer = await asked("good morning")
    assert await told(world, await ben.menu(answer, name)) == text("refused.not_yours")
    assert not answer.deleted
    assert "good morning" in await remembered(world)
    await told(world, await moderator.menu(answer, name))
    assert answer.deleted


@pytest.mark.parametrize("name", [FORGET, DELETE])
async def test_what_is_none_of_ours_is_neither_forgotten_nor_deleted(world, stack, ben, moderator, name):
    await stack()
    message = await ben.say(world.channel, "The bridge is closed.")
    sentence = text("forget.none") if name == FORGET else text("delete.none")
    assert await told(world, await moderator.menu(message, name)) == sentence
    assert not message.deleted


async def test_delete_answer_takes_it_down_and_says_that_the_exchange_stays_in_mind(world, stack, asked):
    await stack()
    question, answer = await asked("good morning")
    assert await told(world, await world.ada.menu(answer, DELETE)) == text("delete.done", forget=FORGET)
    assert answer.deleted
    assert "**You:** good morning" in await remembered(world)
    assert await told(world, await world.ada.menu(question, DELETE)) == text("delete.none")
    assert await told(world, await world.ada.menu(question, FORGET)) == text("forget.done")
    assert await remembered(world) == text("history.nothing")


async def test_an_answer_that_is_being_written_is_not_deleted_but_stopped_first(world, stack):
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    await world.ada.say(world.channel, "<@bot> go on for ever")
    half = await world.sees("Half an" + RUNNING_MARK)
    assert await told(world, await world.ada.menu(half, DELETE)) == text("refused.still_runs")
    assert not half.deleted


@pytest.mark.parametrize("name", [FORGET, DELETE])
async def test_what_discord_does_not_let_the_bot_delete_is_said(world, stack, asked, name):
    await stack()
    _, answer = await asked()
    world.discord.faults.add(method="DELETE", path=rf"/messages/{answer.id}$", status=403, code=50001)
    sentence = text("forget.done_but_shown") if name == FORGET else text("delete.failed")
    assert await told(world, await world.ada.menu(answer, name)) == sentence


async def test_a_menu_that_comes_twice_is_carried_out_once(world, stack, asked):
    await stack()
    _, answer = await asked()
    world.discord.faults.duplicate["INTERACTION_CREATE"] = 1
    used = await world.ada.menu(answer, FORGET)
    assert await told(world, used) == text("forget.done")
    await told(world, await world.ada.slash(world.channel, "help"))  # behind both: events come in order
    assert await told(world, used) == text("forget.done")


async def test_a_menu_that_comes_too_late_is_answered_in_the_channel(world, stack, asked):
    await stack()
    _, answer = await asked()
    world.discord.faults.add(method="POST", path=r"/callback", times=None, status=404, code=10062)
    await world.ada.menu(answer, DETAILS)
    await world.sees(f"{world.ada.user.mention} {text('command.too_late')}")


async def test_menus_work_in_dms(world, stack):
    await stack()
    question = await world.ada.say(world.ada.dm(), "good morning")
    [answer] = await world.discord.answer(question)
    assert text("details.greedy") in await told(world, await world.ada.menu(answer, DETAILS))
    assert await told(world, await world.ada.menu(answer, FORGET)) == text("forget.done")
    assert answer.deleted
