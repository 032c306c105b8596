import discord

from bot.playground import Playground
from discord_over_loopback import QuickClient, running


class Echo(QuickClient):
    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot:
            answer = await message.reply(f"{message.content}?")
            await answer.edit(content=f"{message.content}!")


async def test_a_client_logs_in_hears_replies_and_edits() -> None:
    async with Playground() as playground:
        guild = playground.add_guild("Home")
        channel = playground.add_channel(guild, "general")
        ada = playground.person("Ada", guild)
        async with running(Echo(), playground):
            question = await ada.say(channel, "hello")
            answer = await playground.wait_for(lambda m: m.content == "hello!")
        assert answer.replies_to == question.id
        assert answer.edited_at is not None
        assert playground.unknown_routes == []
