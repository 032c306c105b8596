"""The composition root: builds store, engine, chat and frontend, runs them until told to end, closes them in reverse.

The one place that knows settings and every part. What is heavy loads inside the engine's own thread.
"""

from __future__ import annotations

import asyncio
import gc
import os
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
from bot.core.engine import OwnedEngine
from bot.core.excerpts import CHARS_PER_TOKEN
from bot.core.history import History
from bot.core.messages import Sampling
from bot.core.prompt import EXCERPTS_SHARE
from bot.engine.model_folder import ModelFolder, find_model
from bot.engines import Engines, computes_here, open_engines, remember_load_s
from bot.errors import SettingsInvalid, TokenMissing
from bot.files.reader import FileReader, ReadLimits
from bot.frontends.discord.attachments import AttachmentLimits
from bot.frontends.discord.client import Endpoints
from bot.frontends.discord.frontend import DiscordFrontend
from bot.frontends.discord.pace import DEFAULT_TIMING, Timing
from bot.ops import event_loop
from bot.ops.banner import TOKEN_STEPS, banner
from bot.ops.bot_metrics import BotMetrics
from bot.ops.logging import configure_logging
from bot.ops.loopback import LOOPBACK
from bot.ops.metrics_server import MetricsServer
from bot.ops.platform import install_signal_handlers, stdin_is_terminal
from bot.ops.processor import on_one_processor
from bot.playground.server import Playground
from bot.playground.terminal import run_console
from bot.settings import Settings
from bot.texts import RUNNING_MARK

log = structlog.get_logger(__name__)

MEGABYTE_BYTES = 2**20

FINISH_WRITERS_S = 10.0
"""How long the last edits may take once every answer has ended."""


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
    engine: OwnedEngine
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
    if mode is Mode.CONSOLE and "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "WARNING"})  # a conversation, not a log
    configure_logging(settings.log_level, settings.log_lines, secrets=_secrets(settings))
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
    return event_loop.run(serve(Discord(token), settings, model, force_sync=force_sync))


def _secrets(settings: Settings) -> list[str]:
    return [secret.get_secret_value() for secret in (settings.discord_token, settings.engine_key) if secret is not None]


async def serve_console(settings: Settings, model: ModelFolder) -> int:
    """Serve a Discord of this process's own and let a person talk to the bot there; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="phibot-") as folder:
        own: dict[str, Any] = {
            "database": Path(folder) / "console.sqlite3",
            "allow_dms": True,
            "allowed_guild_ids": frozenset(),
        }
        async with Playground(rate_limits=False, running_mark=RUNNING_MARK) as playground:
            person = playground.person("you", playground.add_guild("Home"))
            own["owner_ids"] = frozenset({person.user.id})  # no quota: a pipe sends as fast as it is answered
            return await serve(
                Discord(
                    playground.token, Endpoints(playground.api_url, playground.gateway_url, playground.files_origin)
                ),
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
        async with build(discord, settings, model, force, force_sync=force_sync) as parts:
            _leave_out_of_collections()
            connection = asyncio.create_task(parts.frontend.run_until_closed(discord.token), name="discord")
            try:
                return await _until_told(parts, connection, stop, until)
            finally:
                await _drain(parts, settings.drain_s, force)
                await parts.frontend.close()
                await asyncio.wait([connection])
    finally:
        undo()


def _leave_out_of_collections() -> None:
    """Take what is there by now, and stays, out of the garbage collector's sight.

    Otherwise each full collection looks through all of it, and nothing else runs meanwhile: 23 to 40 ms.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def build(
    discord: Discord, settings: Settings, model: ModelFolder, force: asyncio.Event, *, force_sync: bool = False
) -> AsyncIterator[Parts]:
    """Build the parts and begin to load the engine; at the end close them in reverse, at once if `force` is set.

    Raises: StartError.
    """
    async with AsyncExitStack() as closing:
        if not computes_here(settings):
            await closing.enter_async_context(on_one_processor())
        metrics = BotMetrics()
        if settings.metrics_port is not None:
            await _serve_metrics(metrics, settings.metrics_port, closing)
        history = await History.open(settings.database)
        closing.push_async_callback(history.aclose)
        engines = await open_engines(settings, model, history)
        closing.push_async_callback(_close_engines, engines, history, force)
        engines.default.start()
        chat = Chat(
            history,
            engines.tokenizer,
            engines.default,
            system_prompt=settings.system_prompt,
            sampling=Sampling(settings.do_sample, settings.temperature, settings.top_p, settings.seed),
            limits=ChatLimits(
                max_new_tokens=settings.max_new_tokens,
                max_waiting=settings.max_waiting,
                max_wait_s=settings.max_wait_s,
                per_user_per_minute=settings.per_user_per_minute,
                cooldown_s=settings.cooldown_s,
                tokens_per_day=settings.tokens_per_day,
                auto_summarize=settings.auto_summarize,
                unlimited_user_ids=settings.owner_ids,
                is_guarded=settings.guard,
            ),
            lineup=engines.lineup,
            observer=metrics,
            zone=settings.zone,
        )
        metrics.watch(lambda: chat.status().running, lambda: chat.status().waiting)
        closing.push_async_callback(chat.aclose)
        reader = FileReader(
            ReadLimits(max_chars=CHARS_PER_TOKEN * engines.context_tokens // EXCERPTS_SHARE)  # core keeps no more
        )
        closing.push_async_callback(reader.aclose)
        frontend = DiscordFrontend(
            chat,
            reader=reader,
            recall=history.recall,
            remember=history.remember,
            allowed_guild_ids=settings.allowed_guild_ids,
            free_channel_ids=settings.allowed_channel_ids,
            allow_dms=settings.allow_dms,
            owner_ids=settings.owner_ids,
            force_sync=force_sync,
            left_over=await chat.resume(),
            max_messages=settings.max_messages,
            attachment_limits=AttachmentLimits(settings.max_attachments, settings.max_attachment_mb * MEGABYTE_BYTES),
            endpoints=discord.endpoints,
            timing=discord.timing,
            observer=metrics,
        )
        yield Parts(history, engines.default, chat, frontend)


async def _serve_metrics(metrics: BotMetrics, port: int, closing: AsyncExitStack) -> None:
    """Serve and measure until `closing`. Raises: SettingsInvalid, when the port is taken."""
    server = MetricsServer(metrics, port)
    closing.push_async_callback(server.aclose)
    try:
        await server.start()
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        raise SettingsInvalid(f"PHIBOT_METRICS_PORT: cannot listen on {LOOPBACK}:{port}: {reason}.") from exc
    metrics.loop_lag.start()
    closing.callback(metrics.loop_lag.stop)


async def _close_engines(engines: Engines, history: History, force: asyncio.Event) -> None:
    """Close the engines. A stage of loading, or a step, cannot be interrupted: if forced, it is not waited for."""
    closing, forced = asyncio.create_task(engines.aclose()), asyncio.create_task(force.wait())
    await asyncio.wait([closing, forced], return_when=asyncio.FIRST_COMPLETED)
    forced.cancel()
    await asyncio.wait([forced])
    if not closing.done():
        log.warning("engine_left_behind")
        await history.aclose()
        sys.stderr.flush()
        os._exit(0)


async def _watch(parts: Parts) -> NoReturn:
    """Remember how long loading took, then wait for the engine's death. Raises: StartError, EngineDead."""
    known = parts.engine.info
    await parts.engine.ready()
    if parts.engine.load_s is not None:
        await remember_load_s(parts.history, known, parts.engine.load_s)
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
