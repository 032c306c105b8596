"""Permissions that are missing where the bot is asked: who asks sees a sign, and the admins are told once."""

import pytest
from structlog.testing import capture_logs

from bot.core.messages import TurnState
from bot.frontends.discord.lacking import MOST_AN_HOUR, Lacking
from bot.frontends.discord.permitted import missing_in
from bot.frontends.discord.told import Told
from bot.ops.invitation import NEEDED, name_of, purpose_of
from bot.playground.guilds import give_role, set_role
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text
from discord_over_loopback import QuickClient, running

SEND, THREADS = Permission.SEND_MESSAGES, Permission.SEND_MESSAGES_IN_THREADS
HISTORY, FILES, REACT = Permission.READ_MESSAGE_HISTORY, Permission.ATTACH_FILES, Permission.ADD_REACTIONS


class Home:
    """The world's server, seen by its owner."""

    def __init__(self, world):
        self.world, self.state, self.guild = world, world.discord.state, world.guild
        self.owner = self.state.users[world.guild.owner_id]
        self.bot = world.discord.bot.user

    def deny(self, denied, channel=None):
        self.state.set_overwrite(channel or self.world.channel, self.world.discord.bot_role(self.guild), deny=denied)

    def told(self):
        """Return what the owner has been told in private."""
        return [message.content for message in self.world.discord.history(self.state.dm(self.bot, self.owner))]

    def sentence(self, key, *names, channel=None):
        where = f"<#{(channel or self.world.channel).id}>"
        return text(f"lacking.{key}", channel=where, server=self.guild.name, permissions=", ".join(names))

    async def until_told(self, times=1):
        await self.world.discord.until(lambda: len(self.told()) >= times)
        return self.told()


@pytest.fixture
def home(world):
    return Home(world)


async def ask(world, channel=None, words="<@bot> hi"):
    return await world.ada.say(channel or world.channel, words)


async def silenced(world, question):
    await world.discord.until(lambda: text("sign.silenced") in question.reactions)


async def test_where_it_may_not_write_who_asks_sees_a_sign_and_the_owner_is_told_once(world, home):
    home.deny(SEND)
    await world.start()
    await silenced(world, await ask(world))
    assert await home.until_told() == [home.sentence("silent", "Send Messages")]
    await silenced(world, await ask(world))
    assert len(home.told()) == 1
    assert world.chat.questions == []
    assert [message.author.name for message in world.discord.history(world.channel)] == ["Ada", "Ada"]


async def test_every_permission_that_matters_there_is_named_as_discord_names_it(world, home):
    home.deny(HISTORY | FILES)
    await world.start()
    answer = await ask(world)
    await world.sees("You said: hi")
    assert await home.until_told() == [home.sentence("partly", "Read Message History", "Attach Files")]
    assert answer.reactions == {}


async def test_a_german_servers_owner_reads_the_names_that_a_german_discord_shows(world, home):
    world.guild.locale = "de"
    home.deny(FILES)
    await world.start()
    await ask(world)
    [told] = await home.until_told()
    assert "**Dateien anhängen**" in told


async def test_what_only_follows_from_another_lack_is_not_named(world, home):
    home.deny(SEND | FILES | HISTORY | REACT)
    await world.start()
    await ask(world)
    assert await home.until_told() == [home.sentence("silent", "Send Messages", "Read Message History")]


async def test_in_threads_what_threads_need_counts_and_all_threads_of_a_channel_count_once(world, home):
    home.deny(THREADS)
    await world.start()
    threads = [world.ada.open_thread(world.channel, name) for name in ("One", "Two")]
    await silenced(world, await ask(world, threads[0]))
    assert await home.until_told() == [home.sentence("silent", "Send Messages in Threads", channel=threads[0])]
    await silenced(world, await ask(world, threads[1]))
    assert await world.said(await ask(world)) == ["You said: hi"]
    assert len(home.told()) == 1


async def test_another_set_is_told_again_and_so_is_one_that_was_mended_meanwhile(world, home):
    await world.start()
    home.deny(FILES)
    await world.said(await ask(world))
    await home.until_told(1)
    home.deny(FILES | SEND)
    await silenced(world, await ask(world))
    await home.until_told(2)
    home.deny(Permission(0))
    await world.said(await ask(world))
    home.deny(FILES | SEND)
    await silenced(world, await ask(world))
    said = await home.until_told(3)
    lost = home.sentence("silent", "Send Messages")
    assert said == [home.sentence("partly", "Attach Files"), lost, lost]


async def test_a_role_that_mends_it_is_noticed_at_once(world, home):
    everyone = world.guild.everyone
    world.give_role(world.ada, everyone.permissions)
    set_role(home.state, world.guild, everyone, everyone.permissions & ~SEND)
    await world.start()
    await silenced(world, await ask(world))
    helpers = home.state.add_role(world.guild, "helpers", SEND)
    give_role(home.state, world.guild, home.bot, helpers)
    assert await world.said(await ask(world)) == ["You said: hi"]
    set_role(home.state, world.guild, helpers, Permission(0))
    await silenced(world, await ask(world))
    assert await home.until_told(2) == [home.sentence("silent", "Send Messages")] * 2


async def test_after_a_restart_nothing_is_told_twice(world, home):
    home.deny(SEND)
    for _ in range(2):
        await world.start()
        await silenced(world, await ask(world))
        await world.discord.until(lambda: world.facts.get("discord.told.missing_permissions"))
        await world.stop()
    assert home.told() == [home.sentence("silent", "Send Messages")]


async def test_an_owner_who_takes_no_messages_finds_it_where_discord_posts_its_notices(world, home):
    home.owner.accepts_dms = False
    notices = world.discord.add_channel(world.guild, "notices")
    world.guild.system_channel_id = notices.id
    home.deny(SEND)
    await world.start()
    await silenced(world, await ask(world))
    await world.sees(home.sentence("silent", "Send Messages"))
    await silenced(world, await ask(world))
    assert [message.content for message in world.discord.history(notices)] == [home.sentence("silent", "Send Messages")]


@pytest.mark.parametrize("has_system_channel", [False, True])
async def test_where_nobody_can_be_told_the_log_says_it_once(world, home, has_system_channel):
    home.owner.accepts_dms = False
    home.deny(SEND)
    if has_system_channel:
        world.guild.system_channel_id = world.channel.id
    await world.start()
    with capture_logs() as logs:
        for _ in range(2):
            await silenced(world, await ask(world))
        await world.said(await ask(world, world.ada.dm(), "hi"))
    told = [entry for entry in logs if entry["event"] == "permissions_missing"]
    assert [(entry["missing"], entry["told_by"]) for entry in told] == [("Send Messages", "log")]
    assert len(world.discord.log.of("POST", f"/channels/{world.channel.id}/messages")) == 0


async def test_where_not_even_a_reaction_is_allowed_there_is_no_call_that_would_be_refused(world, home):
    home.deny(SEND | REACT)
    await world.start()
    await ask(world)
    await home.until_told()
    assert world.discord.log.of("PUT", "/reactions/") == []
    assert not [status for status in world.discord.log.statuses() if status == 403]


async def test_a_reaction_that_discord_refuses_costs_nothing(world, home):
    home.deny(SEND)
    world.discord.faults.add(method="PUT", path="/reactions/", status=403, code=90001)  # Ada has blocked the bot
    await world.start()
    await ask(world)
    assert await home.until_told() == [home.sentence("silent", "Send Messages")]


async def test_people_who_talk_among_themselves_in_a_free_channel_see_no_signs(world, home):
    home.deny(SEND)
    await world.start(free_channel_ids=frozenset({world.channel.id}))
    talk = await ask(world, words="nice weather")
    await home.until_told()
    assert talk.reactions == {}
    await silenced(world, await ask(world))


async def test_where_the_admins_let_nobody_in_nothing_is_told_and_no_permission_missed(world, stack, heard, home):
    await stack(heard)
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    await world.said(await world.ada.slash(world.channel, "admin block", channel=world.channel))
    home.deny(SEND)
    question = await ask(world)
    await world.discord.until(lambda: question.reactions)
    assert [*question.reactions] == [text("sign.refused")]
    await world.said(await ask(world, world.ada.dm(), "hi"))
    assert home.told() == []


async def test_an_edit_that_makes_it_a_question_sees_the_sign_too(world, stack, heard, home):
    await stack(heard)
    home.deny(SEND)
    talk = await ask(world, words="nice weather")
    await world.ada.edit(talk, "<@bot> nice weather?")
    await silenced(world, talk)
    assert heard.prompts == []


async def test_a_permission_lost_while_an_answer_grows_is_told_at_once(world, home):
    world.chat.answers_itself = False
    await world.start()
    await ask(world)
    answer = await world.asked()
    world.chat.say(answer, "One")
    await world.sees("One" + RUNNING_MARK)
    home.deny(SEND)
    world.chat.say(answer, "word " * 900)
    assert await home.until_told() == [home.sentence("silent", "Send Messages")]
    assert answer.ending is TurnState.STOPPED


async def test_an_answer_whose_message_is_deleted_is_no_reason_to_tell_anybody(world, home):
    world.chat.answers_itself = False
    await world.start()
    await ask(world)
    answer = await world.asked()
    world.chat.say(answer, "One")
    world.discord.state.delete(await world.sees("One" + RUNNING_MARK))
    world.chat.say(answer, "One two")
    await world.frontend.finish_writers(5)
    assert home.told() == []


async def test_a_command_is_answered_where_messages_are_not(world, home):
    home.deny(SEND)
    await world.start()
    used = await world.ada.slash(world.channel, "ask", question="hi")
    assert await world.said(used) == ["You said: hi"]


async def test_while_discord_is_down_nobody_counts_as_told(world, home):
    home.deny(FILES)
    await world.start()
    outage = world.discord.faults.add(path="/users/@me/channels", times=None, status=503)
    await world.said(await ask(world))
    await world.discord.until(lambda: outage.hits == 1 + len(world.quick.sentence_retries_s))
    world.discord.faults.clear()
    for _ in range(2):  # the first may come while the failure is still being noted
        await world.said(await ask(world))
    assert await home.until_told() == [home.sentence("partly", "Attach Files")]


class Asked(QuickClient):
    """discord.py's own client, which reports what is missing wherever somebody writes, at a time of the test's own."""

    def __init__(self, world, **options):
        super().__init__(**options)
        self.now = 0.0
        told = Told("missing_permissions", world.recall, world.remember)
        self.lacking = Lacking(told, world.quick, clock=lambda: self.now)

    async def on_message(self, message):
        if message.guild is not None:
            await self.lacking.report(self, message.channel, missing_in(message.channel))


async def test_one_servers_admins_are_not_flooded_and_hear_the_rest_later(world, home):
    channels = [world.discord.add_channel(world.guild, f"c{number}") for number in range(MOST_AN_HOUR + 1)]
    for channel in channels:
        home.deny(FILES, channel)
    client = Asked(world)
    async with running(client, world.discord):
        for number, channel in enumerate(channels[:-1]):
            await ask(world, channel)
            await home.until_told(number + 1)
        await ask(world, channels[-1])
        elsewhere = world.discord.add_guild("Elsewhere")
        other = world.discord.add_channel(elsewhere, "general")
        home.state.set_overwrite(other, world.discord.bot_role(elsewhere), deny=FILES)
        await world.discord.person("Eve", elsewhere).say(other, "hi")
        await world.discord.wait_for(lambda message: "Elsewhere" in message.content)  # another server's have their own
        assert len(home.told()) == MOST_AN_HOUR
        client.now = 3601.0
        await ask(world, channels[-1])
        told = await home.until_told(MOST_AN_HOUR + 1)
    assert told == [home.sentence("partly", "Attach Files", channel=channel) for channel in channels]


@pytest.fixture
async def page(world, stack):
    """Return what /admin permissions tells Ada in a channel; it is for her alone."""
    await stack()
    world.give_role(world.ada, Permission.MANAGE_GUILD)

    async def page(channel=None):
        [answer] = await world.discord.answer(await world.ada.slash(channel or world.channel, "admin permissions"))
        assert answer.visible_to == world.ada.user.id
        return answer.content.splitlines()

    return page


async def test_an_admin_sees_what_is_missing_in_the_channel_the_roles_and_the_other_channels(world, home, page):
    closed = world.discord.add_channel(world.guild, "closed")
    home.deny(FILES | REACT)
    home.deny(SEND, closed)
    world.discord.add_channel(world.guild, "fine")
    lines = await page()
    assert lines[0] == text("granted.head", channel=f"<#{world.channel.id}>")
    assert [line for line in lines if line.startswith("❌")] == [
        f"❌ {name_of(lost)}: {purpose_of(lost)}" for lost in ("attach_files", "add_reactions")
    ]
    assert [line for line in lines if line.startswith("✅")] == [
        f"✅ {name_of(kept)}" for kept in NEEDED if kept not in ("attach_files", "add_reactions")
    ]
    assert lines[-2:] == [
        text("granted.roles_whole"),
        text("granted.elsewhere", channel=f"<#{closed.id}>", permissions="Send Messages"),
    ]


async def test_what_the_roles_do_not_give_is_named_and_a_long_list_is_counted(world, home, page):
    everyone = world.guild.everyone
    set_role(home.state, world.guild, everyone, everyone.permissions & ~HISTORY)
    for number in range(40):
        world.discord.add_channel(world.guild, f"c{number}")
    lines = await page()
    assert text("granted.roles", permissions="Read Message History") in lines
    left_out = 40 - sum(line.startswith("In <#") for line in lines)
    assert lines[-1] == text("granted.more", count=left_out)
    assert 0 < left_out < 40


async def test_of_a_channel_that_it_does_not_see_or_may_not_write_in_only_what_is_known_is_shown(world, home, page):
    home.deny(SEND)
    assert not [line for line in await page() if "Attach Files" in line]
    world.discord.add_channel(world.guild, "another")
    everyone = world.guild.everyone
    world.give_role(world.ada, everyone.permissions)
    set_role(home.state, world.guild, everyone, everyone.permissions & ~Permission.VIEW_CHANNEL)
    assert await page() == [
        text("granted.head", channel=f"<#{world.channel.id}>"),
        text("granted.lacking", permission="View Channels", purpose=purpose_of("view_channel")),
        text("granted.roles", permissions="View Channels"),
    ]


async def test_in_a_thread_the_channels_permissions_are_shown_and_in_private_none_are_needed(world, home, stack):
    await stack(rules={"owner_ids": frozenset({world.ada.user.id})})
    home.deny(THREADS)
    thread = world.ada.open_thread(world.channel, "aside")
    [answer] = await world.discord.answer(await world.ada.slash(thread, "admin permissions"))
    assert f"❌ {name_of('send_messages_in_threads')}" in answer.content
    [answer] = await world.discord.answer(await world.ada.slash(world.ada.dm(), "admin permissions"))
    assert answer.content == text("granted.direct")
