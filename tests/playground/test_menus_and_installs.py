"""Context menus, and an application that people install for themselves, with the real discord.py."""

import asyncio

import discord
import pytest
from discord import app_commands

from bot.playground.commanding import USER_MENU, UnknownCommandError
from bot.playground.model import MessageType
from bot.playground.permissions import Permission
from discord_over_loopback import QuickClient, running


class Menus(QuickClient):
    """A user menu, a message menu and /ask, for servers and for people; `behaviour` answers /ask."""

    def __init__(self, behaviour=None) -> None:
        super().__init__(intents=discord.Intents.default())
        self.tree = app_commands.CommandTree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        self.seen = []
        self.done = asyncio.Event()
        self.failures = []

        @self.tree.context_menu(name="Quote this")
        async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message(f"{message.author.name}: {message.content}")

        @self.tree.context_menu(name="Who is this")
        async def who(interaction: discord.Interaction, user: discord.User) -> None:
            self.seen.append(user)
            await interaction.response.send_message(user.name, ephemeral=True)

        @self.tree.command(description="Ask")
        async def ask(interaction: discord.Interaction) -> None:
            self.seen.append(interaction)
            try:
                await behaviour(interaction)
            except (discord.DiscordException, AssertionError) as exc:
                self.failures.append(exc)
            finally:
                self.done.set()

    async def setup_hook(self) -> None:
        await self.tree.sync()


async def asked(home, channel, behaviour, person=None):
    """Let somebody use /ask and wait until the bot is through with it."""
    client = Menus(behaviour)
    async with running(client, home.discord):
        used = await (person or home.ada).slash(channel, "ask")
        async with asyncio.timeout(10):
            await client.done.wait()
    return client, used


async def answer(interaction) -> None:
    await interaction.response.defer(thinking=True)
    await interaction.edit_original_response(content="because")


async def test_a_message_menu_brings_the_whole_message_even_without_the_intent(home) -> None:
    async with running(Menus(), home.discord):
        message = await home.ada.say(home.channel, "a secret")
        used = await home.ada.menu(message, "Quote this")
        await home.discord.until(lambda: used.responses)
    [shown] = used.responses
    assert (shown.content, shown.type) == ("ada: a secret", MessageType.CONTEXT_MENU_COMMAND)


async def test_a_user_menu_brings_the_member_or_in_a_dm_the_user(home) -> None:
    client = Menus()
    async with running(client, home.discord):
        for place in (home.channel, home.ada.dm()):
            used = await home.ada.menu(home.ada.user, "Who is this", place)
            await home.discord.until(lambda used=used: used.responses)
            assert [m.content for m in used.responses] == ["ada"]
        assert [type(user) for user in client.seen] == [discord.Member, discord.User]
        assert [command.name for command in home.ada.commands(home.channel, USER_MENU)] == ["Who is this"]
        with pytest.raises(UnknownCommandError):
            await home.ada.menu(home.ada.user, "Quote this", home.channel)


@pytest.fixture
def abroad(home):
    """Return a channel of a server that the bot is not in; Ada is, and has installed the bot for herself."""
    elsewhere = home.discord.add_guild("Elsewhere", with_bot=False)
    home.ada.state.join(home.ada.user, elsewhere)
    home.discord.bot.installed_by.add(home.ada.user.id)
    return home.discord.add_channel(elsewhere, "general")


async def test_who_installed_it_uses_it_where_the_bot_is_no_member_and_nobody_else_does(home, abroad) -> None:
    client, used = await asked(home, abroad, answer)
    [interaction] = client.seen
    assert client.failures == []
    assert [m.content for m in used.responses] == ["because"]
    assert interaction.is_user_integration()
    assert not interaction.is_guild_integration()
    assert interaction.context.guild
    assert not interaction.app_permissions.send_messages
    assert interaction.app_permissions.attach_files
    assert client.get_guild(abroad.guild_id) is None
    with pytest.raises(UnknownCommandError):
        await home.discord.person("Grace", home.discord.state.guilds[abroad.guild_id]).slash(abroad, "ask")


async def test_the_bot_hears_nothing_there_and_reaches_it_by_the_token_alone(home, abroad) -> None:
    async def behaviour(interaction) -> None:
        await interaction.response.send_message("here")
        with pytest.raises(discord.Forbidden) as refusal:
            await interaction.client.get_partial_messageable(abroad.id).send("by itself")
        assert refusal.value.code == 50001
        await interaction.edit_original_response(content="still here")

    client, used = await asked(home, abroad, behaviour)
    assert client.failures == []
    assert [m.content for m in used.responses] == ["still here"]


async def test_people_use_it_among_themselves_in_private(home, abroad) -> None:
    grace = home.discord.person("Grace")
    for place in (home.discord.state.dm(home.ada.user, grace.user), home.discord.group_dm(home.ada, grace)):
        client, used = await asked(home, place, answer)
        assert client.failures == []
        assert [m.content for m in used.responses] == ["because"]
        assert grace.sees(used.original)
        assert client.seen[0].context.private_channel


async def test_five_followups_are_the_most_there(home, abroad) -> None:
    async def behaviour(interaction) -> None:
        await interaction.response.send_message("0")
        for number in range(6):
            await interaction.followup.send(str(number + 1))

    client, used = await asked(home, abroad, behaviour)
    [failure] = client.failures
    assert (failure.status, failure.code) == (400, 40094)
    assert [m.content for m in used.responses] == list("012345")
    client, used = await asked(home, home.channel, behaviour)
    assert client.failures == []
    assert len(used.responses) == 7


async def test_a_server_that_allows_no_foreign_applications_shows_their_answers_to_the_person_alone(
    home, abroad
) -> None:
    everyone = home.discord.state.guilds[abroad.guild_id].everyone
    home.discord.state.set_overwrite(abroad, everyone, deny=Permission.USE_EXTERNAL_APPS)
    _, used = await asked(home, abroad, answer)
    assert [m.visible_to for m in used.responses] == [home.ada.user.id]


async def test_a_button_of_such_an_answer_acts_for_the_same_installation(home, abroad) -> None:
    async def behaviour(interaction) -> None:
        view = discord.ui.View()
        view.add_item(discord.ui.Button(label="Go", custom_id="go"))
        await interaction.response.send_message("here", view=view)

    _, used = await asked(home, abroad, behaviour)
    pressed = await home.ada.press(used.original, "Go")
    assert (pressed.is_by_guild, pressed.installed_by) == (False, home.ada.user.id)


async def test_without_an_installation_for_people_it_is_offered_only_where_it_was_added(home, abroad) -> None:
    client = Menus(answer)
    client.tree.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)
    async with running(client, home.discord):
        assert [command.name for command in home.ada.commands(home.channel)] == ["ask"]
        assert [command.name for command in home.ada.commands(home.ada.dm())] == ["ask"]
        assert home.ada.commands(abroad) == []
