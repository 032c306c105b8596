"""Buttons, selects and modals of the real discord.py, used by scripted people."""

import asyncio

import discord
import pytest

from bot.playground.components import UnknownComponentError
from bot.playground.errors import ApiError
from bot.playground.model import CallbackType
from discord_over_loopback import Listener, running


class Form(discord.ui.Modal, title="More"):
    words = discord.ui.TextInput(label="Words", custom_id="words", max_length=20)
    tone = discord.ui.Label(text="Tone", component=discord.ui.TextInput(custom_id="tone", required=False))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(content=f"{self.words} ({self.tone.component})")


class Panel(discord.ui.View):
    """Buttons: for anybody, for Ada alone, for a form, for nobody; and a select."""

    @discord.ui.button(label="Stop", custom_id="stop")
    async def stop_it(self, interaction: discord.Interaction, _button) -> None:
        await interaction.response.edit_message(content="stopped", view=None)

    @discord.ui.button(label="Mine", emoji="🔒", custom_id="mine")
    async def mine(self, interaction: discord.Interaction, _button) -> None:
        if interaction.user.name == "ada":
            await interaction.response.defer()
            await interaction.edit_original_response(content="hers")
        await interaction.followup.send("yes", ephemeral=True) if interaction.response.is_done() else (
            await interaction.response.send_message("not yours", ephemeral=True)
        )

    @discord.ui.button(label="More", custom_id="more")
    async def more(self, interaction: discord.Interaction, _button) -> None:
        await interaction.response.send_modal(Form(custom_id="form"))

    @discord.ui.button(label="Never", custom_id="never", disabled=True)
    async def never(self, interaction: discord.Interaction, _button) -> None:
        raise AssertionError

    @discord.ui.select(
        custom_id="pick", max_values=2, options=[discord.SelectOption(label=word, value=word) for word in "abc"]
    )
    async def pick(self, interaction: discord.Interaction, select: discord.ui.Select) -> None:
        await interaction.response.edit_message(content="+".join(select.values))


@pytest.fixture
async def panel(home):
    """Return a message of the bot's own with the panel under it, while the bot runs."""
    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("running", view=Panel(timeout=None))
        yield home.discord.history(home.channel)[0]


async def test_a_button_is_pressed_by_what_stands_on_it(home, panel) -> None:
    pressed = await home.ada.press(panel, "Stop")
    await home.discord.until(lambda: panel.content == "stopped")
    assert pressed.callback is CallbackType.UPDATE_MESSAGE
    assert panel.components == []


async def test_anybody_may_press_and_the_application_decides(home, panel) -> None:
    grace = home.discord.person("Grace", home.guild)
    others = await grace.press(panel, "mine")
    await home.discord.until(lambda: others.responses)
    own = await home.ada.press(panel, "🔒 Mine")
    await home.discord.until(lambda: own.followups)
    assert [(m.content, m.visible_to) for m in others.responses] == [("not yours", grace.user.id)]
    assert [(m.content, m.visible_to) for m in own.responses] == [("hers", None), ("yes", home.ada.user.id)]
    assert own.callback is CallbackType.DEFERRED_UPDATE


async def test_a_select_sends_its_values(home, panel) -> None:
    await home.ada.select(panel, "pick", "a", "c")
    await home.discord.until(lambda: panel.content == "a+c")
    with pytest.raises(UnknownComponentError):
        await home.ada.select(panel, "pick", "z")
    with pytest.raises(UnknownComponentError):
        await home.ada.select(panel, "pick", "a", "b", "c")


async def test_a_modal_is_filled_in_and_sent_off(home, panel) -> None:
    opener = await home.ada.press(panel, "More")
    await home.discord.until(lambda: opener.modal is not None)
    assert opener.modal["title"] == "More"
    with pytest.raises(UnknownComponentError):
        await home.ada.submit(opener, tone="kind")  # words are required
    with pytest.raises(ApiError):
        await home.ada.submit(opener, words="x" * 21)
    sent = await home.ada.submit(opener, words="hi", tone="kind")
    await home.discord.until(lambda: panel.content == "hi (kind)")
    assert sent.callback is CallbackType.UPDATE_MESSAGE


async def test_what_is_not_there_or_cannot_be_seen_cannot_be_pressed(home, panel) -> None:
    eve = home.discord.person("Eve")
    for which in ("never", "Other"):
        with pytest.raises(UnknownComponentError):
            await home.ada.press(panel, which)
    with pytest.raises(ApiError):
        await eve.press(panel, "stop")
    home.discord.state.delete(panel)
    with pytest.raises(ApiError):
        await home.ada.press(panel, "stop")


async def test_a_message_that_goes_while_its_button_is_pressed_cannot_be_changed(home) -> None:
    outcome = asyncio.get_running_loop().create_future()

    class Slow(discord.ui.View):
        @discord.ui.button(label="Go", custom_id="go")
        async def go(self, interaction: discord.Interaction, _button) -> None:
            home.discord.state.delete(message)
            try:
                await interaction.response.edit_message(content="late")
            except discord.NotFound as exc:
                outcome.set_result(exc.code)

    client = Listener()
    async with running(client, home.discord):
        await client.get_channel(home.channel.id).send("there", view=Slow())
        [message] = home.discord.history(home.channel)
        await home.ada.press(message, "go")
        async with asyncio.timeout(20):
            assert await outcome == 10008


def row(*components):
    return {"type": 1, "components": list(components)}


def button(custom_id="a", **fields):
    return {"type": 2, "style": 2, "label": "A", "custom_id": custom_id} | fields


WRONG = {
    "six rows": [row(button(str(n))) for n in range(6)],
    "six buttons": [row(*(button(str(n)) for n in range(6)))],
    "an empty row": [row()],
    "a long custom_id": [row(button("x" * 101))],
    "no custom_id": [row(button(None))],
    "one custom_id twice": [row(button("a"), button("a"))],
    "neither label nor emoji": [row(button(label=""))],
    "a long label": [row(button(label="x" * 81))],
    "a button without a row": [button()],
    "a select beside a button": [
        row({"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]}, button())
    ],
    "a select without options": [row({"type": 3, "custom_id": "s", "options": []})],
    "a link without an address": [row({"type": 2, "style": 5, "label": "A"})],
}


@pytest.mark.parametrize("components", WRONG.values(), ids=WRONG)
async def test_components_against_the_rules_are_refused_in_sends_and_in_edits(home, components) -> None:
    client = Listener()
    async with running(client, home.discord):
        sent = await client.get_channel(home.channel.id).send("hi")
        routes = discord.http.Route
        create = routes("POST", "/channels/{channel_id}/messages", channel_id=home.channel.id)
        edit = routes(
            "PATCH", "/channels/{channel_id}/messages/{message_id}", channel_id=home.channel.id, message_id=sent.id
        )
        for route in (create, edit):
            with pytest.raises(discord.HTTPException) as refusal:
                await client.http.request(route, json={"content": "hi", "components": components})
            assert (refusal.value.status, refusal.value.code) == (400, 50035)
            assert "components" in str(refusal.value)
    assert [message.components for message in home.discord.history(home.channel)] == [[]]


async def test_components_stay_in_an_edit_that_does_not_name_them_and_go_in_one_that_empties_them(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        sent = await client.get_channel(home.channel.id).send("one", view=Panel())
        [message] = home.discord.history(home.channel)
        await sent.edit(content="two")
        assert len(message.components) == 2
        await sent.edit(view=None)
        assert (message.content, message.components) == ("two", [])
