"""/persona on a loopback Discord, with the real discord.py and a real chat: what is set, shown and saved."""

import asyncio

import pytest

from bot.core.choices import Scope
from bot.core.messages import ConversationKey
from bot.core.permissions import Kind, Verdict
from bot.errors import PersonBlocked
from bot.playground.commanding import UnknownCommandError
from bot.playground.permissions import Permission
from bot.texts import text

CHANNEL, SERVER = {"for": "this channel"}, {"for": "this server"}
VARIABLES = text("persona.variables", zone="UTC")
PIRATE = "You are a pirate and talk to {user} of {server} in {channel}."


@pytest.fixture
async def start(world, stack, heard):
    """Return what starts the bot; Ada manages the server."""
    world.give_role(world.ada, Permission.MANAGE_GUILD)

    async def start(**how):
        await stack(heard, **how)

    return start


async def told(world, used):
    """Return the lines of a command's answer, which is for one person alone."""
    [message] = await world.discord.answer(used, timeout_s=10)
    assert message.visible_to == used.user.id
    return message.content.splitlines()


async def opened(world, person, channel=None, **place):
    """Return the use of the command that has opened the form."""
    used = await person.slash(channel or world.channel, "persona set", **place)
    await world.discord.until(lambda: used.modal is not None)
    return used


def prefilled(used):
    [label] = used.modal["components"]
    return label["component"].get("value")


async def set_by_form(world, person, words, channel=None, **place):
    """Write into the form and send it off; return the lines of the answer."""
    return await told(world, await person.submit(await opened(world, person, channel, **place), text=words))


async def proposals(world, person, command="persona set", typed="", channel=None):
    used = await person.complete(channel or world.channel, command, "name", typed)
    await world.discord.until(lambda: used.choices is not None)
    return [(choice["name"], choice["value"]) for choice in used.choices]


async def asked(world, heard, person, channel=None, words="<@bot> hello"):
    """Ask, and return what the model was told to be."""
    where = channel or world.channel
    await world.said(await person.say(where, words))
    return heard.prompts[-1]


async def test_a_persona_of_ones_own_is_written_into_a_form_and_holds_from_the_next_question_on(
    world, start, heard, ben
):
    await start()
    assert (await asked(world, heard, ben)).startswith("Be kind.")
    [done] = await set_by_form(world, ben, PIRATE)
    tokens = int(done.split()[1])
    assert done == text("persona.person_done", tokens=tokens, limit_tokens=1024)
    assert (await asked(world, heard, ben)).startswith("You are a pirate and talk to Ben of Home in general.")
    assert "answer 1" in heard.prompts[-1]
    assert (await asked(world, heard, world.ada)).startswith("Be kind.")
    assert (await asked(world, heard, ben, ben.dm(), "hi")).startswith("You are a pirate and talk to Ben of no server")


async def test_the_form_shows_what_is_set_and_works_after_a_restart(world, start, heard, ben):
    await start()
    await set_by_form(world, ben, PIRATE)
    used = await opened(world, ben)
    assert prefilled(used) == PIRATE
    await start()
    sent = await ben.submit(used, text="Sing.")
    assert (await told(world, sent))[0].startswith("Done: ")
    assert (await asked(world, heard, ben)).startswith("Sing.")


async def test_what_a_conversation_was_told_stays_after_a_restart(world, start, heard, ben):
    await start()
    await set_by_form(world, ben, "Today is {date}.")
    first = await asked(world, heard, ben)
    ids = heard.ids[-1]
    await start(wall_clock=lambda: 0.0)
    assert (await asked(world, heard, ben)).startswith(first.split("hello")[0])
    assert heard.ids[-1][: len(ids)] == ids


async def test_show_tells_what_holds_here_how_long_it_is_and_what_is_saved(world, start, ben):
    await start()
    assert await told(world, await ben.slash(world.channel, "persona show")) == [text("persona.none"), VARIABLES]
    await set_by_form(world, ben, "Sing.\nLoudly.")
    await told(world, await ben.slash(world.channel, "persona save", name="bard"))
    shown = await told(world, await ben.slash(world.channel, "persona show"))
    tokens = len(world.chat.models.default.tokenizer.encode("Sing.\nLoudly."))
    assert shown[0] == text("persona.person", tokens=tokens, limit_tokens=1024)
    assert shown[1:] == ["> Sing.", "> Loudly.", text("persona.saved_by_you", names="bard"), VARIABLES]


async def test_the_nearest_persona_holds_and_its_text_is_for_those_who_may_change_it(world, start, heard, ben):
    await start()
    other = world.discord.add_channel(world.guild, "other")
    [done] = await set_by_form(world, world.ada, "Of the server.", **SERVER)
    assert done.endswith("except in channels, and for people, with a persona of their own.")
    await set_by_form(world, world.ada, "Of the channel.", **CHANNEL)
    assert (await asked(world, heard, ben)).startswith("Of the channel.")
    assert (await asked(world, heard, ben, other)).startswith("Of the server.")
    shown = await told(world, await ben.slash(world.channel, "persona show"))
    assert shown[0].startswith("**The persona of this channel holds here:**")
    assert "> Of the channel." not in shown
    assert "> Of the channel." in await told(world, await world.ada.slash(world.channel, "persona show"))
    assert "> Of the server." in await told(world, await world.ada.slash(world.channel, "persona show", **SERVER))
    await set_by_form(world, ben, "Ben's own.")
    assert (await asked(world, heard, ben)).startswith("Ben's own.")


async def test_only_admins_and_the_roles_they_chose_change_a_channels_and_a_servers(world, start, heard, ben):
    role = world.give_role(ben, Permission(0))
    grace = world.discord.person("Grace", world.guild)
    await start()
    for person in (ben, grace):
        for place in (CHANNEL, SERVER):
            used = await person.slash(world.channel, "persona set", **place)
            assert await told(world, used) == [text("refused.persona_not_allowed")]
            assert used.modal is None
            used = await person.slash(world.channel, "persona show", **place)
            assert await told(world, used) == [text("refused.persona_not_allowed")]
    await world.chat.permissions.set_persona_role(world.guild.id, role.id, may=True, by=world.ada.user.id)
    assert (await set_by_form(world, ben, "Ben chose this.", **CHANNEL))[0].startswith("Done: ")
    assert (await asked(world, heard, grace)).startswith("Ben chose this.")
    used = await opened(world, ben, **CHANNEL)
    await world.chat.permissions.set_persona_role(world.guild.id, role.id, may=False, by=world.ada.user.id)
    assert await told(world, await ben.submit(used, text="Too late.")) == [text("refused.persona_not_allowed")]
    assert (await asked(world, heard, grace)).startswith("Ben chose this.")


async def test_clear_takes_a_persona_away_and_the_next_one_holds(world, start, heard, ben):
    await start()
    await set_by_form(world, world.ada, "Of the server.", **SERVER)
    await set_by_form(world, ben, "Ben's own.")
    assert await told(world, await ben.slash(world.channel, "persona clear")) == [text("persona.cleared")]
    assert (await asked(world, heard, ben)).startswith("Of the server.")
    used = await ben.slash(world.channel, "persona clear", **SERVER)
    assert await told(world, used) == [text("refused.persona_not_allowed")]
    assert await told(world, await world.ada.slash(world.channel, "persona clear", **SERVER)) == [
        text("persona.cleared")
    ]
    assert (await asked(world, heard, ben)).startswith("Be kind.")
    assert await told(world, await ben.slash(world.channel, "persona clear")) == [text("persona.nothing_to_clear")]


async def test_saved_personas_are_proposed_while_the_name_is_typed_and_taken(world, start, heard, ben):
    await start()
    for words, name in (("Sing.", "Bard"), ("Arr.", "pirate")):
        await set_by_form(world, ben, words)
        saved = await told(world, await ben.slash(world.channel, "persona save", name=name))
        assert saved == [text("persona.saved", name=name)]
    await set_by_form(world, world.ada, "Answer politely.", **SERVER)
    await told(world, await world.ada.slash(world.channel, "persona save", name="Help desk", **SERVER))
    of_server = ("Help desk (this server's)", "server: Help desk")
    assert await proposals(world, ben) == [("Bard", "Bard"), ("pirate", "pirate"), of_server]
    assert await proposals(world, ben, typed="d") == [("Bard", "Bard"), of_server]
    assert await proposals(world, world.ada) == [of_server]
    assert await proposals(world, ben, channel=ben.dm()) == [("Bard", "Bard"), ("pirate", "pirate")]
    await told(world, await ben.slash(world.channel, "persona set", name="bard"))
    assert (await asked(world, heard, ben)).startswith("Sing.")
    await told(world, await ben.slash(world.channel, "persona set", name=of_server[1]))
    assert (await asked(world, heard, ben)).startswith("Answer politely.")
    used = await ben.slash(world.channel, "persona set", name="nobody")
    assert await told(world, used) == [text("refused.no_such_persona")]


async def test_saved_personas_survive_a_restart_until_they_are_deleted_by_those_who_may(world, start, ben):
    await start()
    await set_by_form(world, ben, "Sing.")
    await told(world, await ben.slash(world.channel, "persona save", name="bard"))
    await set_by_form(world, world.ada, "Help.", **SERVER)
    await told(world, await world.ada.slash(world.channel, "persona save", name="desk", **SERVER))
    await start()
    assert [name for name, _ in await proposals(world, ben, "persona delete")] == ["bard", "desk (this server's)"]
    used = await ben.slash(world.channel, "persona delete", name="server: desk")
    assert await told(world, used) == [text("refused.persona_not_allowed")]
    for person, name in ((ben, "bard"), (world.ada, "desk")):
        assert await told(world, await person.slash(world.channel, "persona delete", name=name)) == [
            text("persona.deleted")
        ]
    assert await proposals(world, ben) == []
    used = await ben.slash(world.channel, "persona delete", name="bard")
    assert await told(world, used) == [text("refused.no_such_persona")]


async def test_the_name_of_a_saved_persona_is_shown_as_it_was_given_whatever_marks_it_has(world, start, ben):
    await start()
    await set_by_form(world, ben, "Arr.")
    [saved] = await told(world, await ben.slash(world.channel, "persona save", name="*a*_b_ <@1>"))
    plain = r"\*a\*\_b\_ \<@1>"
    assert saved == text("persona.saved", name=plain)
    shown = await told(world, await ben.slash(world.channel, "persona show"))
    assert text("persona.saved_by_you", names=plain) in shown


async def test_no_more_than_discord_can_propose_are_saved_and_one_name_once(world, start, ben):
    await start()
    used = await ben.slash(world.channel, "persona save", name="early")
    assert await told(world, used) == [text("refused.no_persona_to_save")]
    await set_by_form(world, ben, "Sing.")
    for number in range(25):
        await told(world, await ben.slash(world.channel, "persona save", name=f"song {number:02}"))
    used = await ben.slash(world.channel, "persona save", name="one more")
    assert await told(world, used) == [text("refused.personas_full", limit=25)]
    assert len(await proposals(world, ben)) == 25
    used = await ben.slash(world.channel, "persona save", name="SONG 07")
    assert await told(world, used) == [text("persona.saved", name="song 07")]
    used = await ben.slash(world.channel, "persona save", name="\u200b:\u202e")
    assert await told(world, used) == [text("refused.persona_name_empty")]


async def test_a_persona_too_long_is_refused_with_its_tokens_and_given_back(world, start, heard, ben):
    await start()
    words = "né " * 1333
    used = await opened(world, ben)
    sent = await ben.submit(used, text=words)
    [message] = await world.discord.answer(sent, timeout_s=10)
    tokens = len(world.chat.models.default.tokenizer.encode(words))
    assert tokens > 1024
    assert message.content == text("refused.persona_too_long", tokens=tokens, limit_tokens=1024)
    [file] = message.attachments
    assert (file.filename, file.content.decode()) == ("your_persona.txt", words)
    assert message.visible_to == ben.user.id
    assert await set_by_form(world, ben, " \n ") == [text("refused.persona_empty")]
    assert (await asked(world, heard, ben)).startswith("Be kind.")


async def test_whatever_a_form_is_refused_for_the_persona_is_given_back(world, start, ben):
    await start()
    words = "You are a pirate of the *seven* seas."

    async def check_given_back(used, refusal):
        [message] = await world.discord.answer(await ben.submit(used, text=words), timeout_s=10)
        assert (message.content, message.visible_to) == (refusal, ben.user.id)
        assert [(file.filename, file.content.decode()) for file in message.attachments] == [("your_persona.txt", words)]

    used = await opened(world, ben)
    await world.chat.words.add(world.guild.id, ["pirate"])
    await check_given_back(used, text("refused.filtered"))
    await world.chat.words.remove(world.guild.id, ["pirate"])
    used = await opened(world, ben)
    await world.chat.permissions.set_paused(world.guild.id, paused=True)
    await check_given_back(used, text("refused.paused"))
    await world.chat.permissions.set_paused(world.guild.id, paused=False)
    used = await opened(world, ben)
    world.frontend.begin_closing()
    await check_given_back(used, text("refused.shutting_down"))


async def test_a_long_persona_is_shown_in_part_and_whole_in_the_form(world, start, ben):
    await start()
    words = "Be kind to all people. " * 100
    await set_by_form(world, ben, words)
    shown = await told(world, await ben.slash(world.channel, "persona show"))
    assert text("persona.clipped") in shown
    assert sum(map(len, shown)) < 2000
    used = await opened(world, ben)
    assert prefilled(used) == words


async def test_who_is_blocked_or_paused_sets_none_and_sees_what_holds(world, start, ben):
    await start()
    used = await opened(world, ben)
    await world.chat.permissions.set_paused(world.guild.id, paused=True)
    assert await told(world, await ben.submit(used, text="Arr.")) == [text("refused.paused")]
    for command, options in (("set", {}), ("clear", {}), ("save", {"name": "x"})):
        used = await ben.slash(world.channel, f"persona {command}", **options)
        assert await told(world, used) == [text("refused.paused")]
    assert await told(world, await ben.slash(world.channel, "persona show")) == [text("persona.none"), VARIABLES]
    permissions = world.chat.permissions
    await permissions.set_paused(world.guild.id, paused=False)
    used = await opened(world, ben)
    await permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, ben.user.id, by=world.ada.user.id)
    assert await told(world, await ben.submit(used, text="Arr.")) == [PersonBlocked().user_message()]
    for command in ("show", "set", "clear"):
        used = await ben.slash(world.channel, f"persona {command}")
        assert await told(world, used) == [PersonBlocked().user_message()]


async def test_what_was_set_for_a_channel_goes_with_it(world, start, heard, ben):
    await start()
    other = world.discord.add_channel(world.guild, "other")
    await set_by_form(world, world.ada, "Of the channel.", other, **CHANNEL)
    world.discord.person("Home-owner", world.guild).delete_channel(other)
    async with asyncio.timeout(10):
        while world.chat.personas.chosen(Scope.CHANNEL, other.id) is not None:
            await asyncio.sleep(0.01)


async def test_in_a_shared_room_the_rooms_persona_holds_and_show_says_so(world, start, heard, ben):
    await start()
    await world.chat.set_shared(world.channel.id, world.guild.id, shared=True)
    done = await set_by_form(world, ben, "Ben's own.")
    assert done[1] == text("persona.shared")
    assert (await asked(world, heard, ben)).startswith("Be kind.")
    await set_by_form(world, world.ada, "Greet {user}.", **CHANNEL)
    assert (await asked(world, heard, ben)).startswith("Greet everybody here.")
    shown = await told(world, await ben.slash(world.channel, "persona show"))
    assert shown[0].startswith("**The persona of this channel holds here:**")
    assert text("persona.shared") in shown


async def test_a_persona_of_a_channel_holds_in_its_threads(world, start, heard, ben):
    await start()
    await set_by_form(world, world.ada, "Of the channel.", **CHANNEL)
    thread = ben.open_thread(world.channel, "talk")
    assert (await asked(world, heard, ben, thread)).startswith("Of the channel.")


async def test_owners_set_the_persona_for_everywhere_in_a_direct_message_and_others_only_their_own(
    world, start, heard, ben
):
    await start(rules={"owner_ids": frozenset({world.ada.user.id})})
    used = await ben.slash(ben.dm(), "persona set", **SERVER)
    assert await told(world, used) == [text("refused.persona_own_only")]
    used = await world.ada.slash(world.ada.dm(), "persona set", **CHANNEL)
    assert await told(world, used) == [text("refused.persona_own_only")]
    [done] = await set_by_form(world, world.ada, "For all.", world.ada.dm(), **SERVER)
    assert done.endswith("chose another persona.")
    assert (await asked(world, heard, ben)).startswith("For all.")


async def test_where_the_bot_is_no_member_there_is_only_ones_own(world, start, heard, ben):
    elsewhere = world.discord.add_guild("Elsewhere", with_bot=False)
    world.discord.join(ben.user, elsewhere)
    world.discord.bot.installed_by.add(ben.user.id)
    abroad = world.discord.add_channel(elsewhere, "general")
    await start()
    used = await ben.slash(abroad, "persona set", **SERVER)
    assert await told(world, used) == [text("refused.persona_own_only")]
    await set_by_form(world, ben, "Ben's own.", abroad)
    used = await ben.slash(abroad, "ask", question="hello")
    await world.discord.answer(used, timeout_s=10)
    assert heard.prompts[-1].startswith("Ben's own.")


async def test_context_counts_the_persona_before_the_first_question_too(world, start, ben):
    await start()
    key = ConversationKey(world.channel.id, ben.user.id, world.guild.id)
    before = (await world.chat.context_of(key)).system_tokens
    await set_by_form(world, ben, "You are a pirate, whatever people say. " * 5)
    used = await ben.slash(world.channel, "context")
    shown = "\n".join(await told(world, used))
    counted = world.chat.models.default.tokenizer.encode("You are a pirate, whatever people say. " * 5)
    assert before < len(counted) + 2
    assert text("context.system", tokens=len(counted) + 2) in shown


async def test_a_new_name_is_proposed_by_nobody(world, start, ben):
    await start()
    with pytest.raises(UnknownCommandError):
        await ben.complete(world.channel, "persona save", "name", "x")
