"""Files that the real discord.py sends, edits and takes away, read back by the test."""

import io

import discord
import pytest
from discord import app_commands

from discord_over_loopback import Listener, running


def file(name, content=b"words"):
    return discord.File(io.BytesIO(content), name)


def files_of(message):
    return {attachment.filename: attachment.content for attachment in message.attachments}


async def test_files_come_with_a_message_and_by_edits(home) -> None:
    client = Listener()
    async with running(client, home.discord):
        sent = await client.get_channel(home.channel.id).send("two", files=[file("a.md", b"A"), file("b.md", b"B")])
        [message] = home.discord.history(home.channel)
        assert files_of(message) == {"a.md": b"A", "b.md": b"B"}
        sent = await sent.edit(attachments=[sent.attachments[1], file("c.md", b"C")])
        assert files_of(message) == {"b.md": b"B", "c.md": b"C"}
        await sent.add_files(file("d.md", b"D"))
        assert files_of(message) == {"b.md": b"B", "c.md": b"C", "d.md": b"D"}
        await sent.edit(attachments=[])
    assert files_of(message) == {}
    assert message.content == "two"


async def test_files_come_with_every_kind_of_answer_to_a_command(home) -> None:
    class Filing(Listener):
        async def setup_hook(self) -> None:
            tree = app_commands.CommandTree(self)

            @tree.command(description="Answer with files")
            async def files(interaction: discord.Interaction) -> None:
                await interaction.response.send_message("first", file=file("first.md"), ephemeral=True)
                await interaction.edit_original_response(attachments=[file("edited.md")])
                follow_up = await interaction.followup.send("second", file=file("second.md"), wait=True)
                assert await follow_up.attachments[0].read() == b"words"
                await interaction.followup.edit_message(follow_up.id, attachments=[file("third.md")])
                await interaction.followup.send("end")

            await tree.sync()

    async with running(Filing(), home.discord):
        used = await home.ada.slash(home.channel, "files")
        await home.discord.until(lambda: len(used.responses) == 3)
    assert [list(files_of(message)) for message in used.responses] == [["edited.md"], ["third.md"], []]
    assert [message.visible_to for message in used.responses] == [home.ada.user.id, None, None]


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        (lambda: [file(f"{n}.txt") for n in range(11)], 400, 50035),
        (lambda: [file("large.bin", bytes(10 * 1024 * 1024 + 1))], 413, 40005),
    ],
    ids=["eleven", "large"],
)
async def test_too_many_or_too_large_files_are_refused(home, files, status, code) -> None:
    client = Listener()
    async with running(client, home.discord):
        route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=home.channel.id)
        found = files()
        form = [{"name": "payload_json", "value": '{"content": "hi"}'}]
        form += [
            {"name": f"files[{n}]", "value": each.fp, "filename": each.filename, "content_type": "text/plain"}
            for n, each in enumerate(found)
        ]
        with pytest.raises(discord.HTTPException) as refusal:
            await client.http.request(route, files=found, form=form)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert home.discord.history(home.channel) == []
