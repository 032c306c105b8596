"""Messages on a loopback Discord, with the real discord.py."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from bot.core.messages import ConversationKey, Turn, TurnState
from bot.errors import EngineFailed, HistoryFailed, QueueFull
from bot.files.reader import FileReader
from bot.frontends.discord.attachments import DEFAULT_LIMITS, Attachments
from bot.frontends.discord.fetch import Fetcher
from bot.frontends.discord.intake import take_message
from bot.frontends.discord.lacking import Lacking
from bot.frontends.discord.pace import Timing
from bot.frontends.discord.service import Service
from bot.frontends.discord.told import Told
from bot.frontends.discord.triggers import Rules
from bot.frontends.discord.writers import Writers
from bot.playground.model import MessageType
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text


@pytest.mark.parametrize("asked", ["<@bot> hello", "hello <@bot>", "<@&bot> hello"])
async def test_a_mention_is_answered_with_a_reply(world, asked):
    await world.start()
    question = await world.ada.say(world.channel, asked)
    [answer] = await world.discord.answer(question)
    assert answer.content.startswith("You said: hello")
    assert answer.replies_to == question.id
    await world.frontend.finish_writers(5)
    assert world.chat.shown_messages == {1: [answer.id]}
    [asked] = world.chat.questions
    assert asked.key == ConversationKey(world.channel.id, world.ada.user.id, world.guild.id)
    assert (asked.user_id, asked.message_id) == (world.ada.user.id, question.id)


async def test_a_direct_message_needs_no_mention(world):
    await world.start()
    question = await world.ada.say(world.ada.dm(), "hello")
    assert await world.said(question) == ["You said: hello"]
    assert world.chat.questions[0].key.guild_id is None


@pytest.mark.parametrize("ping", [True, False])
async def test_a_reply_to_the_bot_needs_no_mention(world, ping):
    await world.start()
    [answer] = await world.discord.answer(await world.ada.say(world.channel, "<@bot> hello"))
    question = await world.ada.say(world.channel, "and then?", reply_to=answer, ping=ping)
    assert await world.said(question) == ["You said: and then?"]


async def test_free_channels_and_their_threads_need_no_mention(world):
    await world.start(free_channel_ids=frozenset({world.channel.id}))
    assert await world.said(await world.ada.say(world.channel, "hello")) == ["You said: hello"]
    thread = world.ada.open_thread(world.channel, "More")
    assert await world.said(await world.ada.say(thread, "in here")) == ["You said: in here"]


async def test_what_is_not_for_the_bot_is_left_alone(world):
    elsewhere = world.discord.add_guild("Elsewhere")
    other_channel = world.discord.add_channel(elsewhere, "general")
    world.discord.faults.add(method="DELETE", path="/users/@me/guilds/", times=None, status=503)  # not left yet
    eve = world.discord.person("Eve", elsewhere, world.guild)
    machine = world.discord.person("Machine", world.guild)
    machine.user.bot = True
    await world.start(allowed_guild_ids=frozenset({world.guild.id}), allow_dms=False)
    said_by_ada = await world.ada.say(world.channel, "just talking")
    await eve.say(world.channel, "I agree", reply_to=said_by_ada)
    await eve.say(world.channel, f"{world.ada.user.mention} hello")
    await eve.say(other_channel, "<@bot> hello")
    await eve.say(eve.dm(), "hello")
    await machine.say(world.channel, "<@bot> hello")
    await world.ada.say(world.channel, "<@bot> joined", kind=MessageType.USER_JOIN)
    await world.said(await world.ada.say(world.channel, "<@bot> now"))
    assert [question.text for question in world.chat.questions] == ["now"]


async def test_the_model_reads_names_instead_of_markup(world):
    await world.start()
    await world.said(
        await world.ada.say(
            world.channel, f"<@bot> who is {world.ada.user.mention} in <#{world.channel.id}>? <:wave:123456>"
        )
    )
    assert world.chat.questions[0].text == "who is @Ada in #general? :wave:"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"text": "<@bot>"}, "empty.mention"),
        ({"text": "<@bot>", "stickers": ["Wave"]}, "empty.sticker"),
        ({"text": "<@bot>", "poll": "Tea?"}, "empty.poll"),
    ],
)
async def test_a_message_without_text_gets_a_sentence(world, content, key):
    await world.start()
    assert await world.said(await world.ada.say(world.channel, **content)) == [text(key)]
    assert world.chat.questions == []


async def test_a_voice_message_gets_a_sentence_and_a_forward_is_read(world):
    await world.start()
    assert await world.said(await world.ada.say(world.ada.dm(), voice=b"ogg")) == [text("empty.voice")]
    news = await world.ada.say(world.channel, "the news")
    forwarded = await world.ada.say(world.ada.dm(), forward=news)
    await world.sees("You said: the news", after=forwarded)


async def test_an_answer_grows_by_edits_and_ends_without_the_mark(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> count")
    answer = await world.asked()
    for words in ("One", "One two", "One two three"):
        world.chat.say(answer, words)
        await world.sees(words + RUNNING_MARK)
    world.chat.end(answer)
    assert await world.said(question) == ["One two three"]
    assert world.discord.log.of("POST", r"/typing$")


async def test_a_long_answer_is_split_with_its_code_blocks_whole(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> code")
    code = "```python\n" + "".join(f"value_{n} = {n}\n" for n in range(300)) + "```"
    answer = await world.asked()
    for length in range(500, len(code), 500):
        world.chat.say(answer, code[:length])
        seen = len(world.discord.log.of("PATCH") + world.discord.log.of("POST", "/messages$"))
        await world.discord.until(
            lambda seen=seen: seen < len(world.discord.log.of("PATCH") + world.discord.log.of("POST", "/messages$"))
        )
    world.chat.say(answer, code)
    world.chat.end(answer)
    said = await world.said(question)
    assert len(said) == 3
    assert all(part.startswith("```python\n") and part.endswith("```") for part in said)
    messages = await world.discord.answer(question)
    await world.frontend.finish_writers(5)
    assert world.chat.shown_messages == {1: [message.id for message in messages]}


async def test_nobody_is_pinged_by_what_the_model_says(world):
    world.chat.answers_itself = False
    await world.start()
    await world.ada.say(world.channel, "<@bot> shout")
    answer = await world.asked()
    for words in ("@everyone", f"@everyone <@{world.ada.user.id}>"):
        world.chat.say(answer, words)
        shown = await world.sees(words + RUNNING_MARK)
        assert not shown.mention_everyone
        assert shown.mention_ids == []
    world.chat.end(answer)


@pytest.mark.parametrize("refusal", [QueueFull(7, None), EngineFailed("the cause, which is nobody's business")])
async def test_a_refused_question_gets_its_sentence(world, refusal):
    await world.start()
    world.chat.refusal = refusal
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == [refusal.user_message()]


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_sentence_gets_through_a_fault_once(world, after_effect):
    await world.start()
    world.chat.refusal = QueueFull(7, None)
    world.discord.faults.add(
        method="POST", path=r"/messages$", times=2, close_connection=True, after_effect=after_effect
    )
    await world.ada.say(world.channel, "<@bot> hi")
    await world.sees(world.chat.refusal.user_message())
    await world.said(await world.discord.person("Ben", world.guild).say(world.channel, "<@bot> hi"))
    assert len(world.discord.history(world.channel)) == 4


async def test_an_unexpected_failure_ends_in_a_sentence_without_its_cause(world):
    await world.start()
    world.chat.refusal = ValueError("secret")
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == [text("error.unexpected")]


async def test_a_failure_for_the_admin_to_mend_is_logged_with_its_cause_and_nothing_that_was_written(world):
    await world.start()
    world.chat.refusal = HistoryFailed("OperationalError: database or disk is full")
    with capture_logs() as logs:
        assert await world.said(await world.ada.say(world.channel, "<@bot> hi, secretly")) == [text("error.unexpected")]
        used = await world.ada.slash(world.channel, "ask", question="hi, secretly")
        await world.discord.until(lambda: used.acknowledged)
        assert await world.said(used) == [text("error.unexpected")]
    failed = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["reason"] for entry in failed] == ["OperationalError: database or disk is full"] * 2
    assert "secretly" not in str(logs)


async def test_a_refusal_that_the_person_can_mend_is_no_error_in_the_log(world):
    await world.start()
    world.chat.refusal = QueueFull(7, None)
    with capture_logs() as logs:
        await world.said(await world.ada.say(world.channel, "<@bot> hi"))
    assert [entry["log_level"] for entry in logs if entry["event"] == "question_refused"] == ["info"]


async def test_a_message_that_cannot_be_read_costs_a_log_entry_and_nobody_hears_of_it(world):
    attachments = Attachments(FileReader(), Fetcher(), DEFAULT_LIMITS)
    writers = Writers(world.chat.shown, world.chat.forget_messages, world.quick)
    lacking = Lacking(Told("nothing", world.recall, world.remember), world.quick)
    service = Service(world.chat, Rules(), world.quick, writers, attachments, lacking)
    unreadable = SimpleNamespace(id=5, channel=world.channel, author=world.ada.user, guild=world.guild)
    with capture_logs() as logs:
        await take_message(service, unreadable, our_user_id=1, sees_content=True)
    assert [entry["event"] for entry in logs] == ["message_failed"]
    assert world.discord.history(world.channel) == []


async def test_a_failed_answer_keeps_its_text_and_says_so(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.chat.say(answer, "Half an")
    world.chat.end(answer, TurnState.FAILED, EngineFailed("x"), finish=None)
    assert await world.said(question) == [f"Half an\n{text('error.engine')}"]


async def test_what_an_earlier_process_left_is_finished_in_its_message(world):
    question = await world.ada.say(world.channel, "<@bot> before the restart")
    old = await world.ada.say(world.channel, "Half an" + RUNNING_MARK)
    old.author = world.discord.bot.user
    key = ConversationKey(world.channel.id, world.ada.user.id, world.guild.id)
    turn = Turn(9, 1, None, world.ada.user.id, "x", TurnState.INTERRUPTED, 0.0, key=key)
    turn = replace(turn, question_message_ids=(question.id,), answer_message_ids=(old.id,))
    world.left_over = [world.chat.begin(turn)]
    await world.start()
    world.chat.say(world.chat.answers[0], "Half an answer.")
    world.chat.end(world.chat.answers[0])
    await world.sees("Half an answer.")
    assert old.content == "Half an answer."
    assert len(world.discord.history(world.channel)) == 2


async def test_a_place_in_line_that_was_shown_but_not_recorded_before_a_kill_becomes_the_answer(world):
    world.chat.answers_itself, world.chat.ahead = False, 2
    await world.start()
    await world.ada.say(world.channel, "<@bot> hi")
    in_line = await world.sees(text("answer.waiting", ahead=2) + RUNNING_MARK)
    await world.stop()
    world.chat.ahead = 0
    world.left_over = [world.chat.begin(world.chat.answers[0].turn)]  # which knows of no message and no attempt
    await world.start()
    world.chat.say(world.chat.answers[-1], "Here I am")
    world.chat.end(world.chat.answers[-1])
    await world.frontend.finish_writers(5)
    assert in_line.content == "Here I am"
    assert len(world.discord.history(world.channel)) == 2


async def test_who_asks_while_the_bot_goes_down_is_told_once(world):
    await world.start()
    world.frontend.begin_closing()
    first = await world.ada.say(world.channel, "<@bot> hi")
    assert await world.said(first) == [text("refused.shutting_down")]
    await world.ada.say(world.channel, "<@bot> hi!")
    bob = world.discord.person("Bob", world.guild)
    assert await world.said(await bob.say(world.channel, "<@bot> hi")) == [text("refused.shutting_down")]
    assert len(world.discord.history(world.channel)) == 5


# Faults ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"status": 503}, {"close_connection": True}])
@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_fault_while_answering_neither_loses_nor_doubles_the_answer(world, fault, after_effect):
    await world.start()
    order = world.discord.faults.add(method="POST", path=r"/messages$", times=2, after_effect=after_effect, **fault)
    question = await world.ada.say(world.channel, "<@bot> hi")
    assert await world.said(question) == ["You said: hi"]
    await world.frontend.finish_writers(5)
    assert order.hits == 2
    assert len(world.discord.history(world.channel)) == 2


async def test_a_failed_edit_is_made_good(world):
    world.chat.answers_itself = False
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    world.discord.faults.add(method="PATCH", times=1, status=503)
    world.chat.say(answer, "One two")
    await world.sees("One two" + RUNNING_MARK)
    world.discord.faults.add(method="PATCH", times=2, close_connection=True)
    world.chat.end(answer)
    assert await world.said(question) == ["One two"]


@pytest.mark.parametrize("world", [True], indirect=True, ids=["rate limits"])
async def test_two_answers_that_stream_in_one_channel_keep_below_its_rate_limit(world):
    world.chat.answers_itself = False
    await world.start(timing=Timing(guild_ready_s=0.05))
    bob = world.discord.person("Bob", world.guild)
    questions = [await person.say(world.channel, "<@bot> talk") for person in (world.ada, bob)]
    await world.asked(2)
    for word in range(100):
        for answer in world.chat.answers:
            world.chat.say(answer, "word " * word)
        await asyncio.sleep(0.05)
    for answer in world.chat.answers:
        world.chat.end(answer)
    for question in questions:
        await world.said(question)
    assert 429 not in world.discord.log.statuses()
    assert 3 <= len(world.discord.log.of("PATCH")) <= 8


async def test_a_rate_limit_is_waited_out(world):
    await world.start()
    world.discord.faults.add(method="POST", path=r"/messages$", status=429, retry_after_s=0.05)
    assert await world.said(await world.ada.say(world.channel, "<@bot> hi")) == ["You said: hi"]


async def test_a_call_that_hangs_is_given_up_and_made_again(world):
    await world.start(timing=replace(world.quick, call_timeout_s=0.2))
    hold = asyncio.Event()
    world.discord.faults.add(method="POST", path=r"/messages$", hold=hold, after_effect=True)
    question = await world.ada.say(world.channel, "<@bot> hi")
    assert await world.said(question) == ["You said: hi"]
    hold.set()
    assert len(world.discord.history(world.channel)) == 2


async def test_a_deleted_answer_stops_its_generation(world):
    world.chat.answers_itself = False
    await world.start()
    await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.chat.say(answer, "One")
    world.discord.state.delete(await world.sees("One" + RUNNING_MARK))
    world.chat.say(answer, "One two")
    await world.discord.until(lambda: world.discord.log.of("PATCH"))
    await world.frontend.finish_writers(5)
    assert answer.ending is TurnState.STOPPED


async def test_a_permission_lost_in_the_middle_stops_the_generation(world):
    world.chat.answers_itself = False
    await world.start()
    await world.ada.say(world.channel, "<@bot> hi")
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    world.discord.state.set_overwrite(
        world.channel, world.guild.everyone, deny=Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES
    )
    world.chat.say(answer, "One two")
    await world.frontend.finish_writers(5)
    assert answer.ending is TurnState.STOPPED
    assert len(world.discord.log.of("POST", r"/messages$")) == 1  # where nothing may be written, nothing is tried


async def test_where_replies_are_forbidden_the_answer_is_a_plain_message(world):
    world.discord.state.set_overwrite(world.channel, world.guild.everyone, deny=Permission.READ_MESSAGE_HISTORY)
    await world.start()
    await world.ada.say(world.channel, "<@bot> hi")
    assert (await world.sees("You said: hi")).reference is None
