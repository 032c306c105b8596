"""A loopback Discord and the bot as a real process, started, signalled and killed as an admin would."""

import asyncio
import os
import sqlite3
import sys
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM

import psutil
import pytest

from bot.playground import Playground
from bot.playground.model import Interaction
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK

RUN_BOT = Path(__file__).with_name("run_bot.py")
ROOT = Path(__file__).parents[2]


class BotProcess:
    """`phibot run` against a loopback Discord; its folder holds the database and stays between starts."""

    def __init__(self, discord, folder):
        self.discord, self.folder = discord, folder
        self.settings = {}
        self.process = None
        self.log = ""

    async def start(self, *, wait=True, **settings):
        """Start with PHIBOT_* settings (names in lower case) and wait until it is connected."""
        self.settings.update(settings)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHIBOT_", "DISCORD"))}
        environment |= {f"PHIBOT_{name.upper()}": str(value) for name, value in self.settings.items()}
        environment |= {"DISCORD_TOKEN": self.settings.get("token", self.discord.token), "PYTHONPATH": str(ROOT)}
        environment.pop("PHIBOT_TOKEN", None)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            RUN_BOT,
            self.discord.api_url,
            self.discord.gateway_url,
            "run",
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self.log = ""  # of this process alone, from the first line
        self._reading = asyncio.create_task(self._read())
        if wait:
            await self.discord.bot_connected(timeout_s=60)
            await self.until_logged("discord_ready")

    async def _read(self):
        async for line in self.process.stderr:
            self.log += line.decode()

    async def until_logged(self, word, timeout_s=60):
        async with asyncio.timeout(timeout_s):
            while word not in self.log:
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.02)

    def rows(self, sql):
        """Return what the database holds at this moment."""
        connection = sqlite3.connect(f"file:{self.folder / 'data/phibot.sqlite3'}?mode=ro", uri=True, timeout=10)
        with closing(connection):
            return connection.execute(sql).fetchall()

    async def until_rows(self, sql, expected, timeout_s=60):
        async with asyncio.timeout(timeout_s):
            while self.rows(sql) != expected:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def engine_suspended_beyond(self, characters):
        """Let the engine run step by step until the newest answer is longer, then not at all until the block ends.

        So the answer cannot end by itself, however fast the engine is and however slow everything else.
        """
        newest = "SELECT length(answer) FROM turns ORDER BY id DESC LIMIT 1"
        [engine] = psutil.Process(self.process.pid).children()
        engine.suspend()
        try:
            async with asyncio.timeout(100):
                while self.rows(newest) <= [(characters,)]:
                    engine.resume()
                    await asyncio.sleep(0.03)
                    engine.suspend()
                    await asyncio.sleep(0.2)
            yield
        finally:
            with suppress(psutil.NoSuchProcess):
                engine.resume()

    def signal(self, number=SIGTERM):
        self.process.send_signal(number)

    async def end(self, number=SIGTERM, timeout_s=30):
        """Send a signal if it still runs, wait for its end, return the exit code."""
        if self.process is None:
            return None
        if self.process.returncode is None:
            self.signal(number)
        return await self.ended(timeout_s)

    async def ended(self, timeout_s=30):
        """Wait for the end, return the exit code; a second signal would be one to hurry."""
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
        await self._reading
        return code


@pytest.fixture
async def discord():
    async with Playground(rate_limits=True, running_mark=RUNNING_MARK) as playground:
        yield playground
        assert playground.unknown_routes == []


@pytest.fixture
async def bot(discord, tmp_path):
    process = BotProcess(discord, tmp_path)
    yield process
    await process.end(SIGKILL)


@pytest.fixture
def home(discord):
    allowed = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY
    return discord.add_guild("Home", bot_permissions=allowed)


@pytest.fixture
def channel(discord, home):
    return discord.add_channel(home, "general")


@pytest.fixture
def ada(discord, home):
    return discord.person("Ada", home)


@pytest.fixture
def ask(discord, channel, ada):
    """Ask as Ada, in the channel with a mention (or by a slash command), and return the finished answer's texts."""

    async def ask(text, *, timeout_s=60):
        if text.startswith("/"):
            question = await ada.slash(channel, text.removeprefix("/"))
        else:
            question = await ada.say(channel, f"<@bot> {text}")
        return await answer_to(discord, question, timeout_s)

    return ask


@pytest.fixture
def said(discord):
    """Return the finished answer's texts to a message or command."""
    return partial(answer_to, discord)


async def answer_to(discord, question, timeout_s=60):
    if isinstance(question, Interaction):
        await discord.until(lambda: question.acknowledged, timeout_s=timeout_s)
    return [message.content for message in await discord.answer(question, timeout_s=timeout_s)]
