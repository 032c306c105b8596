"""The composition root: builds store, engine, chat and frontend, runs them until told to end, closes them in reverse.

The one place that knows settings and every part. What is heavy loads inside the engine's own thread.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, NoReturn

import structlog

import bot
from bot.core.chat import Chat, ChatLimits
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import Sampling
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.executor import ThreadedEngine
from bot.engine.loading import EngineOptions, make_factory, provisional_info
from bot.engine.model_folder import ModelFolder, find_model
from bot.errors import TokenMissing
from bot.frontends.discord.client import Endpoints
from bot.frontends.discord.frontend import DiscordFrontend
from bot.frontends.discord.pace import DEFAULT_TIMING, Timing
from bot.ops.banner import TOKEN_STEPS, banner
from bot.ops.logging import configure_logging
from bot.ops.platform import install_signal_handlers, stdin_is_terminal
from bot.playground.server import Playground
from bot.playground.terminal import run_console
from bot.settings import Settings
from bot.texts import RUNNING_MARK

log = structlog.get_logger(__name__)

FINISH_WRITERS_S = 10.0
"""How long the last edits may take once every answer has ended."""

WARM_UP_TEXT = "Hello!"


class Mode(Enum):
    """Where the bot runs."""

    DISCORD = auto()
    CONSOLE = auto()


@dataclass(frozen=True, slots=True)
class Discord:
    """The Discord to connect to, the token for it, and how fast to write there."""

    token: str
    endpoints: Endpoints | None = None  # None: the real one
    timing: Timing = DEFAULT_TIMING


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs, in the order it was built."""

    history: History
    engine: ThreadedEngine
    chat: Chat
    frontend: DiscordFrontend


def choose_mode(settings: Settings, *, console: bool) -> Mode:
    """Choose Discord where there is a token, else the terminal if there is one. Raises: TokenMissing."""
    if console or (settings.discord_token is None and stdin_is_terminal()):
        return Mode.CONSOLE
    if settings.discord_token is None:
        steps = "\n".join(TOKEN_STEPS)
        raise TokenMissing(f"DISCORD_TOKEN is not set. (Without one, --console tries the bot in a terminal.)\n{steps}")
    return Mode.DISCORD


def run(settings: Settings, *, console: bool = False, force_sync: bool = False) -> int:
    """Run the bot until a signal or the console's end; return the exit code. Raises: StartError."""
    mode = choose_mode(settings, console=console)
    token = settings.discord_token.get_secret_value() if settings.discord_token else ""
    quiet = mode is Mode.CONSOLE and "log_level" not in settings.model_fields_set  # a conversation, not a log
    configure_logging("WARNING" if quiet else settings.log_level, settings.log_lines, secrets=[token] if token else [])
    model = find_model(settings.model_dir, may_use_demo="model_dir" not in settings.model_fields_set)
    facts = banner(
        version=bot.__version__,
        model=model.name,
        is_demo=model.is_demo,
        engine=settings.engine,
        device=settings.device,
        console=mode is Mode.CONSOLE,
    )
    sys.stderr.write(facts + "\n")
    if mode is Mode.CONSOLE:
        return asyncio.run(serve_console(settings, model))
    return asyncio.run(serve(Discord(token), settings, model, force_sync=force_sync))


async def serve_console(settings: Settings, model: ModelFolder) -> int:
    """Serve a Discord of this process's own and let a person talk to the bot there; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="phibot-") as folder:
        own = {"database": Path(folder) / "console.sqlite3", "allow_dms": True, "allowed_guild_ids": frozenset()}
        async with Playground(rate_limits=False, running_mark=RUNNING_MARK) as playground:
            person = playground.person("you", playground.add_guild("Home"))
            return await serve(
                Discord(playground.token, Endpoints(playground.api_url, playground.gateway_url)),
                settings.model_copy(update=own),
                model,
                until=lambda parts: run_console(playground, person.dm(), person, parts.frontend.ready.wait()),
            )


async def serve(
    discord: Discord,
    settings: Settings,
    model: ModelFolder,
    *,
    force_sync: bool = False,
    until: Callable[[Parts], Coroutine[Any, Any, int]] | None = None,
) -> int:
    """Serve `discord` until a signal, a fatal error or the end of `until`; return that one's exit code, else 0.

    The first SIGTERM or Ctrl-C lets running answers finish within PHIBOT_DRAIN_S, the second does not.
    Raises: StartError, and EngineDead when the engine died.
    """
    stop, force = asyncio.Event(), asyncio.Event()

    def on_signal(number: int) -> None:
        log.info("signal", number=int(number), is_second=stop.is_set())
        (force if stop.is_set() else stop).set()

    undo = install_signal_handlers(asyncio.get_running_loop(), on_signal)
    try:
        async with build(discord, settings, model, force_sync=force_sync) as parts:
            connection = asyncio.create_task(parts.frontend.run_until_closed(discord.token), name="discord")
            try:
                return await _until_told(parts, connection, stop, until)
            finally:
                await _drain(parts, settings.drain_s, force)
                await parts.frontend.close()
                await asyncio.wait([connection])
    finally:
        undo()


@asynccontextmanager
async def build(
    discord: Discord, settings: Settings, model: ModelFolder, *, force_sync: bool = False
) -> AsyncIterator[Parts]:
    """Build the parts and begin to load the engine; at the end close them in reverse. Raises: StartError."""
    tokenizer = Phi3Tokenizer.load(model.folder)
    async with AsyncExitStack() as closing:
        history = await History.open(settings.database)
        closing.push_async_callback(history.aclose)
        engine = await _engine(settings, model, tokenizer, history)
        closing.push_async_callback(engine.aclose)
        chat = Chat(
            history,
            tokenizer,
            engine,
            system_prompt=settings.system_prompt,
            sampling=Sampling(settings.do_sample, settings.temperature, settings.top_p, settings.seed),
            limits=ChatLimits(
                max_new_tokens=settings.max_new_tokens,
                max_waiting=settings.max_waiting,
                max_wait_s=settings.max_wait_s,
                per_user_per_minute=settings.per_user_per_minute,
                unlimited_user_ids=settings.owner_ids,
            ),
        )
        closing.push_async_callback(chat.aclose)
        frontend = DiscordFrontend(
            chat,
            recall=history.recall,
            remember=history.remember,
            allowed_guild_ids=settings.allowed_guild_ids,
            free_channel_ids=settings.allowed_channel_ids,
            allow_dms=settings.allow_dms,
            force_sync=force_sync,
            endpoints=discord.endpoints,
            timing=discord.timing,
        )
        yield Parts(history, engine, chat, frontend)


async def _engine(settings: Settings, model: ModelFolder, tokenizer: Phi3Tokenizer, history: History) -> ThreadedEngine:
    options = EngineOptions(
        engine=settings.engine,
        device=settings.device,
        device_fallback=settings.fallback_device,
        properties=settings.ov_config,
        kv_cache_gb=settings.kv_cache_gb,
        trust_remote_code=settings.trust_remote_code,
    )
    provisional = provisional_info(options, model)
    last_load_s = await history.recall(_load_fact(provisional))
    engine = ThreadedEngine(
        make_factory(options, model, warm_up_ids=tokenizer.prompt((), [], tokenizer.encode(WARM_UP_TEXT))),
        provisional,
        last_load_s=float(last_load_s) if last_load_s else None,
    )
    engine.start()
    return engine


def _load_fact(provisional: EngineInfo) -> str:
    """Return the name under which the store remembers how long such an engine took to load."""
    return f"load_s {provisional.engine} {provisional.device} {provisional.model}"


async def _watch(parts: Parts) -> NoReturn:
    """Remember how long loading took, then wait for the engine's death. Raises: StartError, EngineDead."""
    provisional = parts.engine.info
    await parts.engine.ready()
    await parts.history.remember(_load_fact(provisional), str(round(parts.engine.load_s or 0, 1)))
    await parts.engine.died()


async def _until_told(
    parts: Parts,
    connection: asyncio.Task[None],
    stop: asyncio.Event,
    until: Callable[[Parts], Coroutine[Any, Any, int]] | None,
) -> int:
    """Wait for whatever ends the process first. Raises what that raised."""
    own: list[asyncio.Task[Any]] = [
        asyncio.create_task(stop.wait(), name="signal"),
        asyncio.create_task(_watch(parts), name="engine watch"),
    ]
    console = asyncio.create_task(until(parts), name="console") if until is not None else None
    own += [console] if console is not None else []
    try:
        await asyncio.wait([connection, *own], return_when=asyncio.FIRST_COMPLETED)
        for task in (connection, *own):
            if task.done():
                task.result()
        return console.result() if console is not None and console.done() else 0
    finally:
        for task in own:
            task.cancel()
        await asyncio.wait(own)


async def _drain(parts: Parts, drain_s: float, force: asyncio.Event) -> None:
    """Stop intake, let answers end and be shown; a second signal skips the waiting."""

    async def gracefully() -> None:
        await parts.chat.drain(drain_s)
        await parts.frontend.finish_writers(FINISH_WRITERS_S)

    parts.frontend.begin_closing()
    drain, forced = asyncio.create_task(gracefully()), asyncio.create_task(force.wait())
    await asyncio.wait([drain, forced], return_when=asyncio.FIRST_COMPLETED)
    for task in (drain, forced):
        task.cancel()
    await asyncio.wait([drain, forced])
