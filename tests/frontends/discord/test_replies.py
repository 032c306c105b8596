"""Replies, with the real chat: going on from an older answer, and messages brought in as quotes."""

import asyncio

import pytest

from bot.core.messages import ConversationKey
from bot.engine.echo import Say
from bot.errors import TurnGone
from bot.playground.model import Intents
from bot.texts import RUNNING_MARK, text


async def asked(world, who, words, **options):
    """Say something to the bot; return its answer's messages."""
    return await world.discord.answer(await who.say(world.channel, words, **options))


async def known(world, message):
    """Wait until the bot has written a message down; return its turn."""
    async with asyncio.timeout(10):
        while (turn := await world.chat.turn_of_message(message.id)) is None:
            await asyncio.sleep(0.005)
    return turn


# Branching ------------------------------------------------------------------------------------------------------------


async def test_a_reply_to_an_older_answer_goes_on_from_there_and_one_to_the_newest_as_any_message(world, stack, heard):
    await stack(heard)
    [first] = await asked(world, world.ada, "<@bot> one")
    await asked(world, world.ada, "<@bot> two")
    [third] = await asked(world, world.ada, "three", reply_to=first)
    assert "one" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]
    await asked(world, world.ada, "four", reply_to=third)
    await asked(world, world.ada, "<@bot> five")
    for prompt in heard.prompts[-2:]:
        assert [word for word in ("one", "two", "three", "four") if word in prompt[: prompt.rindex("answer")]] == (
            ["one", "three"] if prompt is heard.prompts[-2] else ["one", "three", "four"]
        )


async def test_a_reply_to_any_message_of_a_long_answer_is_a_reply_to_all_of_it(world, stack):
    long = "word " * 900
    prompts = []

    def script(request):
        prompts.append(request.prompt_ids)
        return [Say(stack.encode(long if len(prompts) == 1 else "short"))]

    await stack(script, is_guarded=False)
    pieces = await asked(world, world.ada, "<@bot> write a lot")
    assert len(pieces) == 3
    await asked(world, world.ada, "<@bot> something else entirely")
    for piece in pieces:
        assert [message.content for message in await asked(world, world.ada, "go on", reply_to=piece)] == ["short"]
    key = ConversationKey(world.channel.id, world.ada.user.id)
    asked_on_the_way = [turn.asked for turn in (await world.chat.history(key, 10)).turns]
    assert asked_on_the_way == ["write a lot", "go on"]


async def test_replies_to_one_answer_that_come_while_the_first_waits_are_answered_together(world, stack, heard):
    await stack(heard)
    [answer] = await asked(world, world.ada, "<@bot> begin")
    heard.may_end.clear()
    running = await world.ada.say(world.channel, "in the meantime", reply_to=answer)
    await world.sees("answer 2" + RUNNING_MARK)
    [growing] = world.discord.answer_so_far(running)
    await world.ada.say(world.channel, "first half", reply_to=growing)
    await world.discord.until(lambda: world.chat.status().waiting == 1)
    await known(world, await world.ada.say(world.channel, "second half", reply_to=growing))
    heard.may_end.set()
    await world.discord.until(lambda: world.chat.status().running + world.chat.status().waiting == 0)
    assert len(heard.prompts) == 3
    assert "first half\nsecond half" in heard.prompts[-1]


async def test_a_reply_to_the_newest_answer_goes_on_from_the_summary_made_since(world, stack, heard):
    await stack(heard)
    [first] = await asked(world, world.ada, "<@bot> one")
    summary = await world.chat.summarize(ConversationKey(world.channel.id, world.ada.user.id))
    async for _ in summary:
        pass
    await asked(world, world.ada, "two", reply_to=first)
    assert "answer 2" in heard.prompts[-1]
    assert "one" not in heard.prompts[-1]


async def test_a_reply_to_an_answer_from_before_a_reset_goes_on_from_it(world, stack, heard):
    await stack(heard)
    [first] = await asked(world, world.ada, "<@bot> my name is Ada")
    await world.chat.reset(ConversationKey(world.channel.id, world.ada.user.id))
    await asked(world, world.ada, "<@bot> hello")
    assert "my name is Ada" not in heard.prompts[-1]
    await asked(world, world.ada, "and my name?", reply_to=first)
    assert "my name is Ada" in heard.prompts[-1]
    assert "hello" not in heard.prompts[-1]


async def test_a_reply_to_an_answer_that_is_forgotten_begins_nothing_from_it(world, stack, heard):
    await stack(heard)
    [first] = await asked(world, world.ada, "<@bot> my secret")
    turn = await world.chat.turn_of_message(first.id)
    await world.chat.forget_turn(turn.id)
    await asked(world, world.ada, "what was it?", reply_to=first)
    assert "secret" not in heard.prompts[-1]
    assert TurnGone().user_message() not in [message.content for message in world.discord.history(world.channel)]


async def test_a_reply_to_an_answer_that_is_still_growing_goes_on_from_its_end(world, stack, heard):
    await stack(heard)
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    growing = await world.sees("answer 1" + RUNNING_MARK)
    question = await world.ada.say(world.channel, "two", reply_to=growing)
    await world.discord.until(lambda: world.chat.status().waiting == 1)
    heard.may_end.set()
    await world.discord.answer(question)
    assert "one answer 1 two" in " ".join(heard.prompts[-1].split())


# Quotes ---------------------------------------------------------------------------------------------------------------


async def test_a_reply_to_somebody_elses_answer_is_ones_own_conversation_with_that_answer_quoted(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    [for_ada] = await asked(world, world.ada, "<@bot> my secret plan")
    await asked(world, bob, "<@bot> hello, I am Bob")
    await asked(world, bob, "what does that mean?", reply_to=for_ada)
    prompt = heard.prompts[-1]
    assert "hello, I am Bob" in prompt
    assert "phibot wrote:\n> answer 1\n\nwhat does that mean?" in prompt
    assert "secret plan" not in prompt
    await asked(world, world.ada, "<@bot> and mine?")
    assert "Bob" not in heard.prompts[-1]


async def test_a_mention_in_a_reply_brings_that_message_in_with_its_authors_name(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, f"Ask {world.ada.user.mention}:\nis water wet?")
    await asked(world, world.ada, "<@bot> is he right?", reply_to=theirs)
    assert "Bob wrote:\n> Ask @Ada:\n> is water wet?\n\nis he right?" in heard.prompts[-1]


async def test_a_mention_alone_in_a_reply_asks_for_a_reply_to_that_message(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "is water wet?")
    await asked(world, world.ada, "<@bot>", reply_to=theirs)
    assert "Bob wrote:\n> is water wet?\n\nPlease reply to this." in heard.prompts[-1]


async def test_the_text_of_embeds_polls_and_forwards_is_quoted_too(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    news = await bob.say(world.channel, "the news")
    embed = {"title": "Weather", "description": "Rain.", "fields": [{"name": "Wind", "value": "strong"}]}
    news.embeds = [embed | {"author": {"name": "Station"}, "footer": {"text": "at noon"}}]
    await asked(world, world.ada, "<@bot> and now?", reply_to=news)
    quoted = "\n".join(f"> {line}" for line in ("the news", "Station", "Weather", "Rain.", "Wind: strong", "at noon"))
    assert f"Bob wrote:\n{quoted}\n\nand now?" in heard.prompts[-1]
    poll = await bob.say(world.channel, poll="Tea?")
    await asked(world, world.ada, "<@bot> vote", reply_to=poll)
    assert "> Tea?\n> - Yes\n> - No" in heard.prompts[-1]
    forwarded = await bob.say(world.channel, forward=news)
    await asked(world, world.ada, "<@bot> old?", reply_to=forwarded)
    assert "Bob wrote:\n> the news" in heard.prompts[-1]


async def test_the_files_of_a_message_replied_to_are_brought_in_with_it(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "my notes", attachments={"notes.txt": b"buy milk"})
    await asked(world, world.ada, "<@bot> what is to be bought?", reply_to=theirs)
    assert "Bob wrote:\n> my notes\n\nFile notes.txt:\n```\nbuy milk\n```\n\nwhat is to" in heard.prompts[-1]


async def test_a_message_replied_to_that_was_deleted_is_no_error(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "gone soon")
    draft = await world.ada.say(world.channel, "never mind", reply_to=theirs)
    await bob.delete(theirs)
    await world.ada.edit(draft, "<@bot> hello")
    assert [message.content for message in await world.discord.answer(draft)] == ["answer 1"]
    assert "gone soon" not in heard.prompts[-1]


@pytest.mark.parametrize("fault", [None, {"status": 404, "code": 10008}, {"status": 503}])
async def test_a_message_replied_to_that_the_event_leaves_out_is_fetched_once(world, stack, heard, fault):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "is water wet?")
    world.discord.faults.left_out["MESSAGE_CREATE"] = "referenced_message"
    if fault is not None:
        world.discord.faults.add(method="GET", path=rf"/messages/{theirs.id}$", **fault)
    await asked(world, world.ada, "<@bot> is he right?", reply_to=theirs)
    assert ("is water wet?" in heard.prompts[-1]) is (fault is None)
    assert "is he right?" in heard.prompts[-1]
    assert len(world.discord.log.of("GET", rf"/messages/{theirs.id}$")) == 1


async def test_a_reply_to_an_answer_that_the_event_leaves_out_is_known_by_its_number(world, stack, heard):
    await stack(heard)
    [first] = await asked(world, world.ada, "<@bot> one")
    await asked(world, world.ada, "<@bot> two")
    world.discord.faults.left_out["MESSAGE_CREATE"] = "referenced_message"
    await asked(world, world.ada, "three", reply_to=first, ping=False)
    assert "one" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]


@pytest.mark.parametrize(("words", "answer"), [("<@bot>", text("empty.quote")), ("<@bot> nice?", "answer 1")])
async def test_a_message_replied_to_without_anything_to_read_gets_a_sentence_unless_there_are_words(
    world, stack, heard, words, answer
):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, stickers=["Wave"])
    assert [message.content for message in await asked(world, world.ada, words, reply_to=theirs)] == [answer]


async def test_where_discord_withholds_what_others_write_who_quotes_it_is_told_so(world, stack, heard):
    bob = world.discord.person("Bob", world.guild)
    world.discord.bot.enabled_intents = Intents(0)
    await stack(heard)
    theirs = await bob.say(world.channel, "is water wet?")
    answer = await asked(world, world.ada, "<@bot>", reply_to=theirs)
    assert [message.content for message in answer] == [text("empty.quote_withheld")]


async def test_a_quote_that_does_not_fit_is_cut_and_the_person_told(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "😀🎉" * 1000)
    [answer] = await asked(world, world.ada, "<@bot> sum it up", reply_to=theirs)
    assert answer.content.startswith("answer 1\n-# I read only the first ")
    assert answer.content.endswith(" % of what `Bob` wrote")


async def test_a_reply_between_people_is_left_alone_in_free_places_too(world, stack, heard):
    await stack(heard)
    await world.stop()
    await world.start(free_channel_ids=frozenset({world.channel.id}))
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(world.channel, "one")
    await world.discord.answer(theirs)
    await world.ada.say(world.channel, "I agree", reply_to=theirs, ping=False)
    await world.ada.say(world.channel, "@everyone come here")
    await asked(world, world.ada, "two")
    assert len(heard.prompts) == 2
