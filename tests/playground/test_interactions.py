"""Slash commands and buttons of the real discord.py, used by a scripted person."""

import asyncio

import discord
import pytest
from discord import app_commands

from bot.playground.commanding import UnknownCommandError
from bot.playground.model import CallbackType, InteractionType
from discord_over_loopback import Listener, running


class Commander(Listener):
    """A client with a tree; `behaviour` is what /ask does."""

    def __init__(self, behaviour, *, guild: discord.Object | None = None) -> None:
        super().__init__()
        self.tree = app_commands.CommandTree(self)
        self.guild = guild
        self.failures: list[BaseException] = []
        self.done = asyncio.Event()

        @self.tree.command(guild=guild, description="Ask a question")
        @app_commands.describe(question="What to ask")
        async def ask(interaction: discord.Interaction, question: str, user: discord.User | None = None) -> None:
            await self._watched(behaviour(interaction, question, user))

    async def _watched(self, work) -> None:
        try:
            await work
        except (discord.DiscordException, AssertionError) as exc:
            self.failures.append(exc)
        finally:
            self.done.set()

    async def setup_hook(self) -> None:
        await self.tree.sync(guild=self.guild)


async def ask(home, behaviour, channel=None, **options):
    """Let Ada use /ask and wait until the bot is through with it."""
    client = Commander(behaviour)
    async with running(client, home.discord):
        interaction = await home.ada.slash(channel or home.channel, "ask", question="why?", **options)
        async with asyncio.timeout(10):
            await client.done.wait()
    return client, interaction


async def test_a_command_is_answered_at_once(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        answer = await interaction.response.send_message(f"{question} because")
        assert answer.message_id is not None
        assert interaction.user.name == "ada"

    client, interaction = await ask(home, behaviour)
    assert client.failures == []
    assert [m.content for m in interaction.responses] == ["why? because"]
    assert interaction.responses[0].interaction is interaction


async def test_a_deferred_answer_replaces_the_thinking_and_grows_by_edits(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(thinking=True)
        promised = await interaction.original_response()
        assert promised.flags.loading
        await interaction.edit_original_response(content="be")
        await interaction.edit_original_response(content="because")
        follow_up = await interaction.followup.send("more", wait=True)
        await follow_up.edit(content="more of it")

    client, interaction = await ask(home, behaviour)
    assert client.failures == []
    assert interaction.callback is CallbackType.DEFERRED_MESSAGE
    assert [m.content for m in interaction.responses] == ["because", "more of it"]


async def test_the_first_followup_takes_the_place_of_a_promise(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("because")

    _, interaction = await ask(home, behaviour)
    assert [m.content for m in interaction.responses] == ["because"]
    assert interaction.original.content == "because"


async def test_an_ephemeral_answer_is_seen_by_one_person_and_by_no_other_route(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(content="psst")
        await interaction.followup.send("psst again", ephemeral=True)
        assert [m async for m in interaction.channel.history()] == []
        original = await interaction.original_response()
        try:
            await interaction.channel.fetch_message(original.id)
        except discord.NotFound as exc:
            assert exc.code == 10008  # noqa: PT017

    client, interaction = await ask(home, behaviour)
    grace = home.discord.person("Grace", home.guild)
    assert client.failures == []
    assert client.heard == []
    assert [home.ada.sees(m) for m in interaction.responses] == [True, True]
    assert [grace.sees(m) for m in interaction.responses] == [False, False]


async def test_an_answer_can_be_deleted(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.send_message("oops")
        await interaction.delete_original_response()
        with pytest.raises(discord.NotFound):
            await interaction.edit_original_response(content="again")

    client, interaction = await ask(home, behaviour)
    assert client.failures == []
    assert interaction.responses == []


async def test_once_a_promise_to_all_is_deleted_a_followup_is_seen_by_one_person(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.delete_original_response()
        await interaction.followup.send("psst", ephemeral=True)
        with pytest.raises(discord.NotFound):
            await interaction.edit_original_response(content="again")

    client, interaction = await ask(home, behaviour)
    assert client.failures == []
    assert [(m.content, m.visible_to) for m in interaction.responses] == [("psst", home.ada.user.id)]


async def test_the_first_followup_to_a_promise_is_as_public_as_that_whatever_its_flags_say(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("psst", ephemeral=True)
        await interaction.followup.send("psst again", ephemeral=True)

    client, interaction = await ask(home, behaviour)
    assert client.failures == []
    assert [m.visible_to for m in interaction.responses] == [None, home.ada.user.id]


async def test_a_command_in_a_dm_arrives_with_a_user_and_a_resolved_option(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        assert interaction.guild is None
        await interaction.response.send_message(f"{user.name}!")

    _, interaction = await ask(home, behaviour, home.ada.dm(), user=home.ada.user)
    assert [m.content for m in interaction.responses] == ["ada!"]


async def test_acknowledging_after_three_seconds_is_too_late(timed_home, clock) -> None:
    async def behaviour(interaction, question, user) -> None:
        clock.now += 3.1
        await interaction.response.defer()

    client, interaction = await ask(timed_home, behaviour)
    (failure,) = client.failures
    assert isinstance(failure, discord.NotFound)
    assert failure.code == 10062
    assert not interaction.acknowledged


async def test_acknowledging_twice_is_refused(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.send_message("one")
        # discord.py refuses a second one itself; a second process with the same token would not know.
        await interaction._state.http.request(
            discord.http.Route("POST", f"/interactions/{interaction.id}/{interaction.token}/callback"),
            json={"type": 5, "data": {}},
        )

    client, _ = await ask(home, behaviour)
    (failure,) = client.failures
    assert (failure.status, failure.code) == (400, 40060)


async def test_a_token_is_over_after_fifteen_minutes(timed_home, clock) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.defer(thinking=True)
        clock.now += 15 * 60 + 1
        await interaction.edit_original_response(content="late")

    client, _ = await ask(timed_home, behaviour)
    (failure,) = client.failures
    assert (failure.status, failure.code) == (401, 50027)


async def test_a_button_answers_by_changing_its_message(home) -> None:
    class Stop(discord.ui.View):
        @discord.ui.button(label="Stop", custom_id="stop")
        async def stop_it(self, interaction: discord.Interaction, button) -> None:
            await interaction.response.edit_message(content="stopped", view=None)

    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("running", view=Stop())
        (message,) = home.discord.history(home.channel)
        interaction = await home.ada.press(message, "stop")
        await home.discord.until(lambda: message.content == "stopped")
    assert interaction.type is InteractionType.MESSAGE_COMPONENT
    assert interaction.callback is CallbackType.UPDATE_MESSAGE
    assert message.components == []


async def test_commands_keep_their_ids_and_belong_to_their_guild(home) -> None:
    async def behaviour(interaction, question, user) -> None:
        await interaction.response.send_message("ok")

    for _ in range(2):
        client = Commander(behaviour, guild=discord.Object(home.guild.id))
        async with running(client, home.discord):
            (synced,) = await client.tree.fetch_commands(guild=discord.Object(home.guild.id))
    (kept,) = home.ada.commands(home.channel)
    assert kept.id == synced.id
    assert home.ada.commands(home.ada.dm()) == []


async def test_commands_against_the_rules_are_refused_with_the_field(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        bad = {"name": "Ask", "description": "x"}
        with pytest.raises(discord.HTTPException, match="name"):
            await client.http.bulk_upsert_global_commands(client.application_id, [bad])
        twice = [{"name": "ask", "description": "x"}] * 2
        with pytest.raises(discord.HTTPException, match="unique"):
            await client.http.bulk_upsert_global_commands(client.application_id, twice)


async def test_an_unregistered_command_cannot_be_used(home) -> None:
    with pytest.raises(UnknownCommandError):
        await home.ada.slash(home.channel, "nothing")


async def test_an_option_proposes_values_while_it_is_typed(home) -> None:
    client = Commander(None)
    group = app_commands.Group(name="colour", description="Colours")

    @group.command(name="choose", description="Choose one")
    async def choose(interaction: discord.Interaction, name: str, shade: str) -> None:
        raise AssertionError((interaction, name, shade))

    @choose.autocomplete("name")
    async def propose(_interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{typed}…", value=typed.upper())]

    client.tree.add_command(group)
    async with running(client, home.discord):
        used = await home.ada.complete(home.channel, "colour choose", "name", "gre")
        await home.discord.until(lambda: used.choices is not None)
        assert used.choices == [{"name": "gre…", "value": "GRE"}]
        assert used.callback is CallbackType.AUTOCOMPLETE_RESULT
        for command, option in (("colour choose", "shade"), ("colour choose", "size"), ("colour mix", "name")):
            with pytest.raises(UnknownCommandError):
                await home.ada.complete(home.channel, command, option)


@pytest.mark.parametrize(
    ("proposed", "refusal"),
    [
        ([("n", "v")] * 25, None),
        ([("n", "v")] * 26, "data.choices"),
        ([("n" * 101, "v")], "data.choices.0.name"),
        ([("n", "v"), ("n", "v" * 101)], "data.choices.1.value"),
        ([("n", "")], "data.choices.0.value"),
    ],
)
async def test_what_is_proposed_is_held_to_discords_limits(home, proposed, refusal) -> None:
    client = Listener()
    tree = app_commands.CommandTree(client)
    client.setup_hook = tree.sync
    refused = []

    @tree.command(description="Take one")
    async def take(interaction: discord.Interaction, name: str) -> None:
        raise AssertionError

    @take.autocomplete("name")
    async def propose(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        choices = [app_commands.Choice(name=name, value=value) for name, value in proposed]
        try:
            await interaction.response.autocomplete(choices)
        except discord.HTTPException as exc:
            refused.append(exc.text)
            await interaction.response.autocomplete([])
        return []

    async with running(client, home.discord):
        used = await home.ada.complete(home.channel, "take", "name", "n")
        await home.discord.until(lambda: used.choices is not None)
    assert len(used.choices) == (0 if refusal else len(proposed))
    assert [text.split("\n")[1].split(":")[0] for text in refused] == ([f"In {refusal}"] if refusal else [])
