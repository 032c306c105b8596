"""Threads and shared rooms, with the real chat."""

import pytest

from bot.playground.model import Intents
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text

FORBIDDEN = {
    Permission.CREATE_PUBLIC_THREADS: "permission.create_public_threads",
    Permission.SEND_MESSAGES_IN_THREADS: "permission.send_messages_in_threads",
}


async def asked(world, who, words, place=None, **options):
    """Say something to the bot; return its answer's texts."""
    return await world.said(await who.say(place or world.channel, words, **options))


async def used(world, who, command, place=None, **options):
    """Use a command; return what it answers."""
    interaction = await who.slash(place or world.channel, command, **options)
    await world.discord.until(lambda: interaction.responses and not interaction.responses[0].is_loading)
    return [message.content for message in interaction.responses]


async def continued(world, who):
    """Continue in a thread; return it."""
    before = set(world.discord.state.channels)
    [told] = await used(world, who, "thread")
    [thread] = [channel for number, channel in world.discord.state.channels.items() if number not in before]
    assert told == text("thread.opened", thread=f"<#{thread.id}>")
    return thread


def admin(world):
    return world.discord.person("Home-owner")


# Threads --------------------------------------------------------------------------------------------------------------


async def test_a_conversation_goes_on_in_a_thread_on_its_last_answer_without_mentions(world, stack, heard):
    await stack(heard)
    question = await world.ada.say(world.channel, "<@bot> my cat is called Muffin")
    [answer] = await world.discord.answer(question)
    thread = await continued(world, world.ada)
    assert (thread.id, thread.name, thread.owner_id) == (
        answer.id,
        "my cat is called Muffin",
        world.discord.bot.user.id,
    )
    assert world.ada.user.id in thread.member_ids
    said = text("thread.begun", user=world.ada.user.mention)
    assert [message.content for message in world.discord.history(thread)] == [said]
    assert await asked(world, world.ada, "what is it called?", thread) == ["answer 2"]
    assert "Muffin" in heard.prompts[-1]
    await asked(world, world.ada, "<@bot> and here?")
    assert "what is it called" not in heard.prompts[-1]


async def test_in_the_bots_own_thread_no_mention_is_needed_after_a_restart_either_nor_if_it_was_archived(
    world, stack, heard
):
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    thread = await continued(world, world.ada)
    await stack(heard)
    assert await asked(world, world.ada, "two", thread) == ["answer 2"]
    admin(world).archive(thread)
    await stack(heard)
    assert await asked(world, world.ada, "three", thread) == ["answer 3"]
    assert all(word in heard.prompts[-1] for word in ("one", "two"))


async def test_a_thread_opened_while_the_answer_grows_goes_on_from_its_end(world, stack, heard):
    await stack(heard)
    await asked(world, world.ada, "<@bot> zero")
    heard.may_end.clear()
    await world.ada.say(world.channel, "<@bot> one")
    await world.sees("answer 2" + RUNNING_MARK)
    thread = await continued(world, world.ada)
    question = await world.ada.say(thread, "two")
    await world.discord.until(lambda: world.chat.status().waiting == 1)
    heard.may_end.set()
    assert await world.said(question) == ["answer 3"]
    assert "answer 2" in heard.prompts[-1]


async def test_where_discord_withholds_texts_the_thread_does_not_promise_to_do_without_mentions(world, stack, heard):
    world.discord.bot.enabled_intents = Intents(0)
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    thread = await continued(world, world.ada)
    [said] = [message.content for message in world.discord.history(thread)]
    assert said == text("thread.begun_withheld", user=world.ada.user.mention)


async def test_in_its_own_thread_the_bot_keeps_out_of_what_is_meant_for_others(world, stack, heard):
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    thread = await continued(world, world.ada)
    bob = world.discord.person("Bob", world.guild)
    theirs = await bob.say(thread, f"{world.ada.user.mention} look")
    await world.ada.say(thread, "I see", reply_to=theirs, ping=False)
    await asked(world, bob, "and I?", thread)
    assert len(heard.prompts) == 2
    assert "one" not in heard.prompts[-1]  # Bob has a conversation of his own there
    somebodys = world.ada.open_thread(world.channel, "Ada's own")
    await world.ada.say(somebodys, "not for the bot")
    await asked(world, world.ada, "<@bot> for the bot", somebodys)
    assert len(heard.prompts) == 3


@pytest.mark.parametrize("permission", FORBIDDEN)
async def test_a_permission_that_the_bot_lacks_is_named(world, stack, heard, permission):
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    world.discord.state.set_overwrite(world.channel, world.discord.bot.user, deny=permission)
    name = text(FORBIDDEN[permission])
    assert await used(world, world.ada, "thread") == [text("thread.forbidden", permission=name)]


async def test_a_permission_that_goes_away_in_the_middle_is_named_too(world, stack, heard):
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    world.discord.faults.add(method="POST", path=r"/threads$", times=2, status=403, code=50013)
    name = text("permission.create_public_threads")
    assert await used(world, world.ada, "thread") == [text("thread.forbidden", permission=name)]


async def test_who_may_open_no_threads_cannot_have_the_bot_do_it(world, stack, heard):
    await stack(heard)
    await asked(world, world.ada, "<@bot> one")
    world.discord.state.set_overwrite(world.channel, world.ada.user, deny=Permission.CREATE_PUBLIC_THREADS)
    assert await used(world, world.ada, "thread") == [text("thread.not_allowed")]


async def test_where_there_is_nothing_to_go_on_or_no_thread_can_be_a_sentence_says_so(world, stack, heard):
    await stack(heard)
    assert await used(world, world.ada, "thread") == [text("thread.nothing")]
    await asked(world, world.ada, "<@bot> one")
    thread = await continued(world, world.ada)
    assert await used(world, world.ada, "thread", thread) == [text("thread.not_here")]
    assert "thread" not in [command.name for command in world.ada.commands(world.ada.dm())]


async def test_beside_an_answer_that_is_gone_or_has_a_thread_a_thread_of_its_own_is_opened(world, stack, heard):
    await stack(heard)
    question = await world.ada.say(world.channel, "<@bot> one")
    [answer] = await world.discord.answer(question)
    first, second = await continued(world, world.ada), await continued(world, world.ada)
    world.discord.state.delete(answer)
    third = await continued(world, world.ada)
    assert first.id == answer.id
    for thread in (second, third):
        await asked(world, world.ada, "and?", thread)
        assert "one" in heard.prompts[-1]


# Shared rooms ---------------------------------------------------------------------------------------------------------


async def test_a_shared_channel_is_one_conversation_with_the_speakers_names_told(world, stack, heard):
    await stack(heard)
    bob = world.discord.person("Bob", world.guild)
    await asked(world, world.ada, "<@bot> before that")
    assert await used(world, admin(world), "conversation", mode="shared") == [text("conversation.shared")]
    await asked(world, world.ada, "<@bot> I like tea")
    await asked(world, bob, "<@bot> what does Ada like?")
    assert "before that" not in heard.prompts[-1]
    assert "Ada: I like tea" in heard.prompts[-1]
    assert "Bob: what does Ada like?" in heard.prompts[-1]
    [page] = await used(world, bob, "history")
    assert f"**{world.ada.user.mention}:** I like tea" in page


async def test_in_a_shared_channel_that_is_not_free_only_who_addresses_the_bot_is_answered(world, stack, heard):
    await stack(heard)
    await used(world, admin(world), "conversation", mode="shared")
    await world.ada.say(world.channel, "just talking")
    [answer] = await world.discord.answer(await world.ada.say(world.channel, "<@bot> one"))
    bob = world.discord.person("Bob", world.guild)
    await asked(world, bob, "and I?", reply_to=answer)
    assert len(heard.prompts) == 2
    assert "wrote:" not in heard.prompts[-1]  # the room's own answer is gone on from, not quoted


async def test_a_reply_in_a_shared_room_goes_on_from_anybodys_answer(world, stack, heard):
    await stack(heard)
    await used(world, admin(world), "conversation", mode="shared")
    [first] = await world.discord.answer(await world.ada.say(world.channel, "<@bot> one"))
    await asked(world, world.ada, "<@bot> two")
    await asked(world, world.discord.person("Bob", world.guild), "three", reply_to=first)
    assert "Ada: one" in heard.prompts[-1]
    assert "two" not in heard.prompts[-1]


async def test_a_shared_room_stays_so_over_a_restart_until_it_is_private_again(world, stack, heard):
    await stack(heard)
    await asked(world, world.ada, "<@bot> mine")
    await used(world, admin(world), "conversation", mode="shared")
    await asked(world, world.ada, "<@bot> ours")
    await stack(heard)
    assert await used(world, admin(world), "conversation", mode="shared") == [text("conversation.shared_already")]
    await asked(world, world.discord.person("Bob", world.guild), "<@bot> and?")
    assert "ours" in heard.prompts[-1]
    assert await used(world, admin(world), "conversation", mode="private") == [text("conversation.private")]
    assert await used(world, admin(world), "conversation", mode="private") == [text("conversation.private_already")]
    await asked(world, world.ada, "<@bot> again")
    assert "mine" in heard.prompts[-1]
    assert "ours" not in heard.prompts[-1]


async def test_only_moderators_make_a_room_shared_and_reset_it(world, stack, heard):
    await stack(heard)
    assert await used(world, world.ada, "conversation", mode="shared") == [text("refused.moderators_only")]
    mod = world.discord.person("Mod", world.guild)
    world.discord.grant(mod, world.guild, Permission.MANAGE_CHANNELS)
    await used(world, mod, "conversation", mode="shared")
    await asked(world, world.ada, "<@bot> one")
    assert await used(world, world.ada, "reset") == [text("refused.moderators_only")]
    assert await used(world, world.ada, "reset", scope="everywhere") == [text("reset.everywhere_nothing")]
    await asked(world, world.ada, "<@bot> two")
    assert "one" in heard.prompts[-1]
    assert await used(world, mod, "reset") == [text("reset.done")]
    await asked(world, world.ada, "<@bot> three")
    assert "one" not in heard.prompts[-1]


async def test_in_a_shared_room_people_stop_their_own_answers_and_moderators_all(world, stack, heard):
    await stack(heard)
    heard.may_end.clear()
    await used(world, admin(world), "conversation", mode="shared")
    bob = world.discord.person("Bob", world.guild)
    question = await world.ada.say(world.channel, "<@bot> one")
    await world.sees("answer 1" + RUNNING_MARK)
    assert await used(world, bob, "stop") == [text("stop.nothing")]
    assert await used(world, world.ada, "stop") == [text("stop.done")]
    assert await world.said(question) == [f"answer 1\n{text('answer.stopped')}"]
    question = await bob.say(world.channel, "<@bot> two")
    await world.sees("answer 2" + RUNNING_MARK)
    assert await used(world, admin(world), "stop") == [text("stop.done")]
    assert await world.said(question) == [f"answer 2\n{text('answer.stopped')}"]
    heard.may_end.set()


async def test_a_shared_conversation_that_goes_on_in_a_thread_is_shared_there(world, stack, heard):
    await stack(heard)
    await used(world, admin(world), "conversation", mode="shared")
    await asked(world, world.ada, "<@bot> I like tea")
    thread = await continued(world, world.ada)
    await asked(world, world.discord.person("Bob", world.guild), "what does Ada like?", thread)
    assert "Ada: I like tea" in heard.prompts[-1]
    assert "Bob: what does Ada like?" in heard.prompts[-1]
