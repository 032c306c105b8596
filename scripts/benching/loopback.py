"""The whole bot on a loopback Discord: what it adds to the time that a model takes, and what it can carry.

The Discord and the people are in this process, the bot in one of its own (`benching.bot_child`). Times begin when a
message is sent to the gateway and end when a call arrives at this Discord's REST. An echo's answer is complete before
the frontend's pacing begins to wait, so nothing in these times is a wait on purpose.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from benching.engines import environment
from benching.measures import Results, percentile
from bot.playground import Playground
from bot.playground.model import Message
from bot.playground.permissions import Permission
from bot.playground.state import Event
from bot.texts import RUNNING_MARK

SCRIPTS = Path(__file__).resolve().parents[1]
QUESTION = "Hello"  # an echo says one token a step: a long one would measure the echo
WARM_UP_MESSAGES = 20
NO_LIMIT = "1000000"
DATABASE = "phibot.sqlite3"
START_S, ANSWERS_S, END_S = 120.0, 120.0, 30.0
PERMISSIONS = Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY


class BotUnderTest:
    """A running bot, the Discord it is on, and the people there."""

    def __init__(self, discord: Playground, process: asyncio.subprocess.Process, people: int) -> None:
        """Furnish the Discord; it has to be done before the bot connects to know it from the start."""
        guild = discord.add_guild("Home", bot_permissions=PERMISSIONS)
        self.discord = discord
        self.process = process
        self.places = [
            (discord.person(f"person{number}", guild), discord.add_channel(guild, f"channel{number}"))
            for number in range(people)
        ]
        self.asked_s: dict[int, float] = {}  # by the question's id
        self.first_s: dict[int, float] = {}
        self.last_s: dict[int, float] = {}
        self.finished: set[int] = set()
        discord.state.subscribe(self._see)

    def _see(self, event: Event) -> None:
        message = event.message
        if event.name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or message is None:
            return
        question = message.replies_to
        if message.author is not self.discord.bot.user or question not in self.asked_s:
            return
        now_s = time.perf_counter()
        self.first_s.setdefault(question, now_s)
        self.last_s[question] = now_s
        if not message.content.endswith(RUNNING_MARK):
            self.finished.add(question)

    async def ask(self, place: int, text: str) -> Message:
        """Have a person ask something in their channel."""
        person, channel = self.places[place % len(self.places)]
        began_s = time.perf_counter()
        question = await person.say(channel, f"<@bot> {text}")
        self.asked_s[question.id] = began_s
        return question

    async def answered(self) -> None:
        """Wait until every question is. Raises: TimeoutError."""
        await self.discord.until(lambda: len(self.finished) == len(self.asked_s), timeout_s=ANSWERS_S)

    async def report(self) -> dict[str, float | None]:
        """Ask the bot's process how it fared since the last time."""
        self.process.stdin.write(b"\n")
        async with asyncio.timeout(END_S):
            return json.loads(await self.process.stdout.readline())

    def forget(self) -> None:
        """Begin a new measurement."""
        for times in (self.asked_s, self.first_s, self.last_s):
            times.clear()
        self.finished.clear()


@asynccontextmanager
async def running(folder: Path, people: int, settings: Mapping[str, str]) -> AsyncIterator[BotUnderTest]:
    """Start a bot on a Discord without rate limits; at the end of the block it is closed."""
    async with Playground(rate_limits=False, running_mark=RUNNING_MARK) as discord:
        own = {"database": str(folder / DATABASE), "per_user_per_minute": NO_LIMIT, "max_waiting": NO_LIMIT}
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benching.bot_child", discord.api_url, discord.gateway_url),
                cwd=SCRIPTS,
                env={**environment({**settings, **own}), "DISCORD_TOKEN": discord.token},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
            try:
                bot = BotUnderTest(discord, process, people)
                await _connected(discord, process, folder / "log")
                yield bot
            finally:
                process.stdin.close()
                try:
                    async with asyncio.timeout(END_S):
                        await process.wait()
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()


async def _connected(discord: Playground, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait for the bot. Raises: RuntimeError with the last it said, if it ends instead."""
    connected = asyncio.create_task(discord.bot_connected(timeout_s=START_S))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({connected, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            said = await asyncio.to_thread(log.read_text)
            raise RuntimeError(f"the bot ended before it was connected: {said[-2000:]}")
        await connected
    finally:
        connected.cancel()
        ended.cancel()


async def measure(
    folder: Path,
    model: Path,
    rates: list[int],
    seconds: float,
    repeat: int,
    results: Results,
    say: Callable[[str], None],
) -> None:
    """Send messages at each rate for so long, `repeat` times, to one bot with an echo instead of a model."""
    # Each question in a channel of its own: what is asked there while another question waits would join that.
    people = max(WARM_UP_MESSAGES, round(max(rates) * seconds))
    async with running(folder, people, {"engine": "echo", "model_dir": str(model)}) as bot:
        for number in range(WARM_UP_MESSAGES):
            await bot.ask(number, QUESTION)
        await bot.answered()
        for number in range(1, repeat + 1):
            for rate in rates:
                with _without_collections():
                    await _at_rate(bot, rate, seconds, results)
                say(f"{number} of {repeat}: {rate} messages a second")


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep this process's garbage collector, which holds up its Discord for 30 to 60 ms, out of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _at_rate(bot: BotUnderTest, rate: int, seconds: float, results: Results) -> None:
    bot.forget()
    before = await bot.report()
    began_s = time.perf_counter()
    for number in range(round(rate * seconds)):
        # Sent when due, however long answers take; a message that this process sends late counts from when it is sent.
        await asyncio.sleep(max(0.0, began_s + number / rate - time.perf_counter()))
        await bot.ask(number, QUESTION)
    await bot.answered()
    fared = await bot.report()
    first_ms = [1000 * (bot.first_s[question] - asked_s) for question, asked_s in bot.asked_s.items()]
    last_ms = [1000 * (bot.last_s[question] - asked_s) for question, asked_s in bot.asked_s.items()]
    values = {
        "overhead_p50_ms": percentile(first_ms, 50),
        "overhead_p99_ms": percentile(first_ms, 99),
        "last_edit_p99_ms": percentile(last_ms, 99),
        "messages_per_s": len(last_ms) / (max(bot.last_s.values()) - began_s),
        "cpu_ms_per_message": 1000 * (fared["cpu_s"] - before["cpu_s"]) / len(last_ms),
        "loop_lag_p99_ms": fared["loop_lag_p99_ms"],
        "rss_mb": fared["rss_mb"],
    }
    for measure, value in values.items():
        if value is not None:
            results.add(measure, value, engine="echo", users=rate)
