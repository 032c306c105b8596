"""The conversations that are drawn: people on a loopback Discord play each with the real bot and its demo model.

A scene furnishes nothing: it gets a server with a channel, two people and the bot online. What it returns is drawn.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bot import app
from bot.engine.model_folder import find_model
from bot.frontends.discord.client import Endpoints
from bot.ops.logging import configure_logging
from bot.playground import Playground
from bot.playground.model import Channel, Interaction, Message
from bot.playground.permissions import Permission
from bot.playground.user import Person
from bot.settings import load_settings
from bot.texts import RUNNING_MARK
from picturing.drawing import page

PERMISSIONS = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.READ_MESSAGE_HISTORY
)
ANSWER_S, ONLINE_S = 60.0, 120.0


@dataclass(frozen=True)
class Stage:
    """Where a scene is played."""

    discord: Playground
    channel: Channel
    ada: Person
    ben: Person

    async def ask(self, person: Person, words: str, **how: Any) -> Message:
        """Have somebody ask the bot, and wait for the answer's end; return its last message."""
        return (await self.discord.answer(await person.say(self.channel, words, **how), timeout_s=ANSWER_S))[-1]

    async def done(self, interaction: Interaction) -> Interaction:
        """Wait until an interaction is answered."""
        await self.discord.until(lambda: self.discord.is_finished(interaction), timeout_s=ANSWER_S)
        return interaction

    def seen_by(self, person: Person, channel: Channel | None = None) -> list[Message]:
        """Return what a person sees in a channel, oldest first."""
        everything = self.discord.history(channel or self.channel)
        return [message for message in everything if not message.deleted and person.sees(message)]


Scene: TypeAlias = Callable[[Stage], Coroutine[Any, Any, Sequence[Message]]]


async def conversation(stage: Stage) -> Sequence[Message]:
    """Let two people talk to the bot in one channel; each has a conversation of their own."""
    await stage.ask(stage.ada, "<@bot> hi, I am Ada and my favourite colour is teal")
    await stage.ask(stage.ben, "<@bot> what is my name?")
    await stage.ask(stage.ada, "<@bot> what is my name?")
    return stage.seen_by(stage.ada)


async def branch(stage: Stage) -> Sequence[Message]:
    """Reply to an older answer: what came later is not known on that branch."""
    older = await stage.ask(stage.ada, "<@bot> hi, I am Ada")
    await stage.ask(stage.ada, "<@bot> my favourite colour is teal")
    await stage.ask(stage.ada, "which colour do I like?", reply_to=older)
    return stage.seen_by(stage.ada)


async def edit(stage: Stage) -> Sequence[Message]:
    """Edit a question: it is answered anew, in the same message."""
    question = await stage.ada.say(stage.channel, "<@bot> my name is Adda")
    [answer] = await stage.discord.answer(question, timeout_s=ANSWER_S)
    first = answer.content
    await stage.ada.edit(question, "<@bot> my name is Ada")
    await stage.discord.until(lambda: answer.content != first and not stage.discord.is_running(answer))
    await stage.ask(stage.ada, "<@bot> what is my name?")
    return stage.seen_by(stage.ada)


async def versions(stage: Stage) -> Sequence[Message]:
    """Press Regenerate: the answer has a second version."""
    answer = await stage.ask(stage.ada, "<@bot> hi, I am Ada and my favourite colour is teal")
    await stage.ada.press(answer, "Regenerate")
    await stage.discord.until(lambda: "2/2" in _labels(answer), timeout_s=ANSWER_S)
    return stage.seen_by(stage.ada)


async def files(stage: Stage) -> Sequence[Message]:
    """Send a text file, which is read, and a picture, which is not."""
    attachments = {"about-me.txt": b"my name is Zorblax", "holiday.png": b"\x89PNG\r\n\x1a\n" + bytes(40)}
    await stage.ask(stage.ada, "<@bot>", attachments=attachments)
    return stage.seen_by(stage.ada)


async def details(stage: Stage) -> Sequence[Message]:
    """Look at how an answer was made."""
    answer = await stage.ask(stage.ada, "<@bot> hi, I am Ada and my favourite colour is teal")
    await stage.done(await stage.ada.menu(answer, "Answer details"))
    return stage.seen_by(stage.ada)


async def context(stage: Stage) -> Sequence[Message]:
    """Look at what fills the window, with an exchange that is pinned."""
    await stage.ask(stage.ada, "<@bot> hi, I am Ada and my favourite colour is teal")
    await stage.done(await stage.ada.slash(stage.channel, "pin"))
    await stage.ask(stage.ada, "<@bot> which colour do I like?")
    shown = await stage.done(await stage.ada.slash(stage.channel, "context"))
    return shown.responses


async def persona(stage: Stage) -> Sequence[Message]:
    """Say what the bot is to be, by the form; look at what holds."""
    opened = await stage.ada.slash(stage.channel, "persona set")
    await stage.discord.until(lambda: opened.modal is not None, timeout_s=ANSWER_S)
    words = "You are a friendly guide to the stars. You talk to {user} of {server}, and today is {date}."
    await stage.done(await stage.ada.submit(opened, text=words))
    await stage.done(await stage.ada.slash(stage.channel, "persona save", name="stars"))
    await stage.done(await stage.ada.slash(stage.channel, "persona show"))
    return stage.seen_by(stage.ada)


async def settings(stage: Stage) -> Sequence[Message]:
    """Choose how to be answered."""
    shown = await stage.done(await stage.ada.slash(stage.channel, "settings"))
    [panel] = shown.responses
    for select, value in (("settings:temperature", "0.7"), ("settings:max_new_tokens", "128")):
        before = panel.content
        await stage.ada.select(panel, select, value)
        await stage.discord.until(lambda before=before: panel.content != before, timeout_s=ANSWER_S)
    return [panel]


async def thread(stage: Stage) -> Sequence[Message]:
    """Go on in a thread of the bot's own, where nobody has to be mentioned."""
    await stage.ask(stage.ada, "<@bot> hi, I am Ada")
    await stage.done(await stage.ada.slash(stage.channel, "thread"))
    [opened] = [channel for channel in stage.discord.state.channels.values() if channel.is_thread]
    question = await stage.ada.say(opened, "what is my name?")
    await stage.discord.answer(question, timeout_s=ANSWER_S)
    return stage.seen_by(stage.ada, opened)


def _labels(message: Message) -> list[str]:
    return [str(button.get("label")) for row in message.components for button in row.get("components", [])]


SCENES: Mapping[str, Scene] = {
    scene.__name__: scene
    for scene in (conversation, branch, edit, versions, details, files, context, persona, settings, thread)
}


async def play(name: str) -> str:
    """Play a scene and return its page as HTML. Raises: TimeoutError, KeyError."""
    drawn: list[str] = []
    async with Playground(rate_limits=False, running_mark=RUNNING_MARK) as discord:
        home = discord.add_guild("Home", bot_permissions=PERMISSIONS)
        people = [discord.person(who, home) for who in ("Ada", "Ben")]
        stage = Stage(discord, discord.add_channel(home, "general"), *people)

        def until(parts: app.Parts) -> Coroutine[Any, Any, int]:
            async def act() -> int:
                async with asyncio.timeout(ONLINE_S):
                    await parts.frontend.ready.wait()
                    await parts.engine.ready()
                messages = await SCENES[name](stage)
                names = {user.id: user.name for user in discord.state.users.values()}
                drawn.append(page(messages, names))
                return 0

            return act()

        with tempfile.TemporaryDirectory(prefix="phibot-scene-") as folder:
            await _serve(discord, Path(folder), until)
    return drawn[0]


async def _serve(discord: Playground, folder: Path, until: Callable[[app.Parts], Coroutine[Any, Any, int]]) -> None:
    settings, _ = load_settings(env_file=folder / "there-is-none")
    own = {"database": folder / "phibot.sqlite3", "per_user_per_minute": 1000, "log_level": "ERROR"}
    settings = settings.model_copy(update=own)
    configure_logging("ERROR", "console", secrets=[])
    where = app.Discord(discord.token, Endpoints(discord.api_url, discord.gateway_url, discord.files_origin))
    await app.serve(where, settings, find_model(settings.model_dir, may_use_demo=True), until=until)
