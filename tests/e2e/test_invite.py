"""`phibot invite`, as an admin runs it, without a network; and what the bot lacks once it is there. Real processes."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.errors import EX_CONFIG
from bot.ops.invitation import install_url, invite_url, name_of
from bot.playground.permissions import Permission
from bot.texts import text

ROOT = Path(__file__).parents[2]


@pytest.fixture
def invite(tmp_path):
    """Run `phibot invite` with these arguments and settings; return the exit code and both outputs."""

    async def run(*arguments, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHIBOT_", "DISCORD"))}
        environment = kept | settings | {"PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", "invite", *arguments),
            cwd=tmp_path,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), err.decode()

    return run


async def test_the_token_alone_is_enough_for_the_link_and_is_not_shown(invite, discord):
    code, out, err = await invite(DISCORD_TOKEN=discord.token)
    assert (code, err) == (0, "")
    assert invite_url(discord.bot.id) in out
    assert install_url(discord.bot.id) in out
    assert discord.token not in out


async def test_an_application_id_is_enough_and_a_server_can_be_chosen(invite):
    code, out, _ = await invite("--application-id", "1234", "--guild", "77", PHIBOT_ALLOWED_GUILD_IDS="88")
    assert code == 0
    assert invite_url(1234, 77) in out
    assert "The server 77 is not among them" in out


async def test_without_a_token_or_with_one_that_is_none_a_sentence_says_what_to_do(invite):
    code, out, err = await invite()
    assert (code, out) == (EX_CONFIG, "")
    assert "--application-id" in err
    code, out, err = await invite(DISCORD_TOKEN="1440123456789012345")
    assert (code, out) == (EX_CONFIG, "")
    assert "no bot's token" in err
    assert "1440123456789012345" not in err


@pytest.mark.parametrize("wrong", [("--application-id", "x"), ("--guild", "0"), ("--guild", str(2**63))])
async def test_an_id_that_is_none_is_refused(invite, wrong):
    code, out, _ = await invite("--application-id", "1234", *wrong)
    assert code == 2
    assert out == ""


async def test_what_is_missing_in_a_channel_is_told_its_servers_owner_once_over_a_restart(
    bot, discord, home, channel, ada, said
):
    owner = discord.state.users[home.owner_id]
    told = discord.state.dm(discord.bot.user, owner)
    discord.state.set_overwrite(channel, discord.bot_role(home), deny=Permission.SEND_MESSAGES)
    for _ in range(2):
        await bot.start(engine="echo")
        question = await ada.say(channel, "<@bot> hi")
        await discord.until(lambda question=question: text("sign.silenced") in question.reactions)
        await discord.until(lambda: discord.history(told))
        assert await said(await ada.say(ada.dm(), "hi")) == ["hi"]
        assert await bot.end() == 0
    where = {"channel": f"<#{channel.id}>", "server": home.name}
    sentence = text("lacking.silent", **where, permissions=name_of("send_messages"))
    assert [message.content for message in discord.history(told)] == [sentence]
