"""Messages both ways between a scripted person and the real discord.py."""

import io

import discord
import pytest

from bot.playground.errors import ApiError
from bot.playground.permissions import Permission
from discord_over_loopback import Listener, running


async def test_a_bot_hears_a_message_replies_to_it_and_edits_the_reply(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        question = await home.ada.say(home.channel, "hello <@bot>")
        heard = await client.hear(f"hello <@{client.user.id}>")
        assert heard.author.name == "ada"
        assert heard.guild.me in heard.mentions
        reply = await heard.reply("hello")
        await reply.edit(content="hello, Ada")
        answer = await home.discord.wait_for(lambda m: m.content == "hello, Ada")
    assert answer.replies_to == question.id
    assert answer.mention_ids == [home.ada.user.id]
    assert answer.edited_at is not None


async def test_a_bot_sees_edits_and_deletions_of_others(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        message = await home.ada.say(home.channel, "first")
        await client.hear("first")
        await home.ada.edit(message, "second")
        await home.ada.delete(message)
        await client.wait_for("raw_message_delete", timeout=20)
    assert [edit.data["content"] for edit in client.edits] == ["second"]
    assert client.deleted == [message.id]


async def test_stickers_polls_voice_forwards_and_files_arrive_as_such(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        text = await home.ada.say(home.channel, "look", attachments={"notes.txt": b"a line"})
        heard = await client.hear("look")
        assert await heard.attachments[0].read() == b"a line"
        await home.ada.say(home.channel, stickers=["wave"])
        await home.ada.say(home.channel, poll="Tea?")
        await home.ada.say(home.channel, voice=b"OggS")
        await home.ada.say(home.channel, forward=text)
        await home.ada.say(home.channel, "end")
        await client.hear("end")
    _, sticker, poll, voice, forward, _ = client.heard
    assert sticker.stickers[0].name == "wave"
    assert poll.poll.question == "Tea?"
    assert voice.flags.voice
    assert forward.message_snapshots[0].content == "look"


async def test_messages_in_dms_and_threads_arrive(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        thread = home.ada.open_thread(home.channel, "aside")
        await home.ada.say(thread, "in a thread")
        await home.ada.say(home.ada.dm(), "in private")
        in_thread, in_private = await client.hear("in a thread"), await client.hear("in private")
        assert isinstance(in_thread.channel, discord.Thread)
        assert in_private.guild is None
        await in_private.channel.send("just us")
        await home.discord.wait_for(lambda m: m.content == "just us" and m.channel_id == home.ada.dm().id)
        user = await client.fetch_user(home.ada.user.id)
        assert (await user.create_dm()).id == home.ada.dm().id


async def test_content_is_empty_without_the_intent_save_for_dms_mentions_and_own(home) -> None:
    client = Listener(intents=discord.Intents.default())
    async with running(client, home.discord):
        await home.ada.say(home.channel, "among us", attachments={"a.txt": b"a"})
        await home.ada.say(home.channel, "for <@bot>")
        await home.ada.say(home.ada.dm(), "private")
        await client.get_channel(home.channel.id).send("mine")
        await client.hear("mine")
    mention = f"for <@{client.user.id}>"
    assert [m.content for m in client.heard] == ["", mention, "private", "mine"]
    assert client.heard[0].attachments == []


async def test_a_file_sent_by_the_bot_can_be_downloaded_again(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        sent = await client.get_channel(home.channel.id).send(file=discord.File(io.BytesIO(b"\x00\xff"), "raw.bin"))
        assert await sent.attachments[0].read() == b"\x00\xff"
    assert home.discord.history(home.channel)[0].attachments[0].filename == "raw.bin"


async def test_a_reply_to_a_deleted_message_is_refused_unless_it_need_not_exist(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        question = await home.ada.say(home.channel, "gone soon")
        heard = await client.hear("gone soon")
        await home.ada.delete(question)
        with pytest.raises(discord.HTTPException, match="Unknown message") as refusal:
            await heard.reply("too late")
        assert (refusal.value.status, refusal.value.code) == (400, 50035)
        lenient = heard.to_reference(fail_if_not_exists=False)
        sent = await heard.channel.send("anyway", reference=lenient)
        assert sent.reference is None


async def test_editing_what_was_deleted_or_anothers_is_refused(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        mine = await channel.send("mine")
        theirs = await home.ada.say(home.channel, "hers")
        await mine.delete()
        with pytest.raises(discord.NotFound) as gone:
            await mine.edit(content="again")
        assert gone.value.code == 10008
        with pytest.raises(discord.Forbidden) as foreign:
            await channel.get_partial_message(theirs.id).edit(content="mine now")
        assert foreign.value.code == 50005


@pytest.mark.parametrize(
    ("content", "code", "detail"), [("x" * 2001, 50035, "Must be 2000 or fewer in length."), (" ", 50006, "empty")]
)
async def test_content_that_is_too_long_or_empty_is_refused(home, content, code, detail) -> None:
    client = Listener()
    async with running(client, home.discord):
        with pytest.raises(discord.HTTPException, match=detail) as refusal:
            await client.get_channel(home.channel.id).send(content)
    assert refusal.value.code == code


async def test_two_thousand_code_points_fit(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("\N{GRINNING FACE}" * 2000)
    assert len(home.discord.history(home.channel)[0].content) == 2000


async def test_allowed_mentions_decide_who_is_mentioned(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        await home.ada.say(home.channel, "question")
        heard = await client.hear("question")
        text = f"@everyone <@{home.ada.user.id}>"
        await heard.reply(text, allowed_mentions=discord.AllowedMentions.none())
        await channel.send(text)
    quiet, loud = home.discord.history(home.channel)[1:]
    assert quiet.mention_ids == []
    assert loud.mention_ids == [home.ada.user.id]
    assert not loud.mention_everyone  # the bot lacks MENTION_EVERYONE


async def test_a_repeated_nonce_returns_the_first_message(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        first = await channel.send("once", nonce=7)
        again = await channel.send("twice", nonce=7)
    assert first.id == again.id
    assert [m.content for m in home.discord.history(home.channel)] == ["once"]


async def test_history_is_paged_as_discord_does(home) -> None:
    client = Listener()
    said = [await home.ada.say(home.channel, str(number)) for number in range(7)]
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        middle = discord.Object(said[3].id)
        assert [m.content async for m in channel.history(limit=2)] == ["6", "5"]
        assert [m.content async for m in channel.history(limit=2, before=middle)] == ["2", "1"]
        assert [m.content async for m in channel.history(limit=2, after=middle)] == ["4", "5"]
        assert [m.content async for m in channel.history(limit=3, around=middle)] == ["4", "3", "2"]
        assert (await channel.fetch_message(said[0].id)).content == "0"


async def test_typing_reactions_and_bulk_deletion_work(home) -> None:
    home.discord.bot_role(home.guild).permissions = Permission.MANAGE_MESSAGES
    client = Listener()
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        async with channel.typing():
            sent = await channel.send("typed")
        await sent.add_reaction("\N{THUMBS UP SIGN}")
        kept = home.discord.history(home.channel)[0]
        assert kept.reactions == {"\N{THUMBS UP SIGN}": {client.user.id}}
        await sent.remove_reaction("\N{THUMBS UP SIGN}", client.user)
        assert kept.reactions == {}
        other = await channel.send("other")
        await channel.delete_messages([sent, other])
    assert home.discord.history(home.channel) == []
    assert client.typists == [client.user.id]


async def test_threads_are_opened_with_and_without_a_message(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        channel = client.get_channel(home.channel.id)
        sent = await channel.send("subject")
        on_message = await sent.create_thread(name="on it")
        assert on_message.id == sent.id
        alone = await channel.create_thread(name="alone", type=discord.ChannelType.public_thread)
        await alone.send("inside")
        await alone.edit(name="renamed")
    assert home.discord.history(home.discord.state.channels[alone.id])[0].content == "inside"


async def test_missing_permissions_are_refused_with_their_codes(home) -> None:
    everyone = home.guild.everyone
    silent = home.discord.add_channel(home.guild, "silent")
    home.discord.state.set_overwrite(silent, everyone, deny=Permission.SEND_MESSAGES)
    hidden = home.discord.add_channel(home.guild, "hidden")
    home.discord.state.set_overwrite(hidden, everyone, deny=Permission.VIEW_CHANNEL)
    client = Listener()
    async with running(client, home.discord):
        with pytest.raises(discord.Forbidden) as mute:
            await client.get_channel(silent.id).send("psst")
        assert client.get_channel(hidden.id) is None
        with pytest.raises(discord.Forbidden) as blind:
            await client.get_partial_messageable(hidden.id).send("psst")
        with pytest.raises(discord.NotFound) as nowhere:
            await client.get_partial_messageable(1).send("psst")
    assert (mute.value.code, blind.value.code, nowhere.value.code) == (50013, 50001, 10003)
    with pytest.raises(ApiError):
        await home.ada.say(silent, "psst")


async def test_someone_with_closed_dms_cannot_be_written_to(home) -> None:
    home.ada.user.accepts_dms = False
    client = Listener()
    async with running(client, home.discord):
        user = await client.fetch_user(home.ada.user.id)
        with pytest.raises(discord.Forbidden) as refusal:
            await user.send("hello?")
    assert refusal.value.code == 50007
