"""The composition root of the engine's process: builds one engine and serves it over HTTP until told to end.

`phibot run` starts it as a child, which ends with its parent; an admin may start it alone, on this machine or another.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import threading
from contextlib import AsyncExitStack, suppress

import structlog

from bot.core.engine import EngineInfo
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.backend import BackendFactory
from bot.engine.executor import ThreadedEngine
from bot.engine.loading import EngineOptions, make_factory, provisional_info
from bot.engine.model_folder import ModelFolder, find_model
from bot.engine.server import EngineServer
from bot.errors import SettingsInvalid, StartError
from bot.ops.logging import configure_logging
from bot.ops.loopback import is_loopback
from bot.ops.platform import install_signal_handlers
from bot.settings import Settings

log = structlog.get_logger(__name__)

WARM_UP_TEXT = "Hello!"

SWITCH_INTERVAL_S = 0.1
"""How long the event loop waits for the GIL before it asks for it. A step holds it throughout: asking every 5 ms, as
Python does by itself, only takes processor time from the step, and breaks in before the step's news are handed over."""

LAST_RESORT_S = 3.0
"""After the parent's end: what is still running then is in a step that nothing interrupts."""


def run(settings: Settings, *, host: str, port: int, as_child: bool) -> int:
    """Serve until a signal, or the end of stdin for a child; return the exit code.

    A child says on stdout, a JSON object a line, on which `port` it listens or which `error` keeps it from serving.
    Raises: StartError, EngineDead.
    """
    key = settings.engine_key.get_secret_value() if settings.engine_key else None
    if key is None and not is_loopback(host):
        raise SettingsInvalid(f"Others than this machine are served with a key only: set PHIBOT_ENGINE_KEY for {host}.")
    configure_logging(settings.log_level, settings.log_lines, secrets=[key] if key else [])
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        return asyncio.run(_serve(settings, key, host, port, as_child))
    except StartError as exc:
        if not as_child:
            raise
        _say({"error": str(exc)})
        return exc.exit_code


def provisional(settings: Settings, model: ModelFolder) -> EngineInfo:
    """Return what is known of the engine before it is loaded."""
    return provisional_info(_options(settings), model)


def factory(settings: Settings, model: ModelFolder, tokenizer: Phi3Tokenizer) -> BackendFactory:
    """Return what loads the engine that the admin chose."""
    return make_factory(_options(settings), model, tokenizer.prompt((), [], tokenizer.encode(WARM_UP_TEXT)))


def _options(settings: Settings) -> EngineOptions:
    return EngineOptions(
        engine=settings.engine,
        device=settings.device,
        device_fallback=settings.fallback_device,
        properties=settings.ov_config,
        kv_cache_gb=settings.kv_cache_gb,
        kv_cache_precision=settings.kv_cache_precision,
        step_target_s=settings.step_target_ms / 1000,
        trust_remote_code=settings.trust_remote_code,
    )


async def _serve(settings: Settings, key: str | None, host: str, port: int, as_child: bool) -> int:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as closing:
        closing.callback(install_signal_handlers(loop, lambda _number: ending.set()))
        if as_child:
            _end_with_parent(loop, ending)
        model = find_model(settings.model_dir, may_use_demo="model_dir" not in settings.model_fields_set)
        tokenizer = Phi3Tokenizer.load(model.folder)
        engine = ThreadedEngine(factory(settings, model, tokenizer), provisional(settings, model))
        closing.push_async_callback(engine.aclose)
        engine.start()
        server = EngineServer(
            engine,
            tokenizer,
            model_name=model.name,
            key=key,
            host=host,
            port=port,
            tls=_tls(settings),
            vocabulary_size=model.vocabulary_size,
        )
        closing.push_async_callback(server.aclose)
        listening_on = await _listen(server, host, port)
        if as_child:
            _say({"port": listening_on})
        await _until_told(engine, ending)
    return 0


async def _listen(server: EngineServer, host: str, port: int) -> int:
    try:
        return await server.start()
    except OSError as exc:
        raise SettingsInvalid(f"Cannot listen on {host}:{port}: {exc.strerror}.") from exc


async def _until_told(engine: ThreadedEngine, ending: asyncio.Event) -> None:
    """Wait for a signal, the parent's end, or the engine's death. Raises what the engine died of."""
    told, died = asyncio.create_task(ending.wait()), asyncio.create_task(engine.died())
    await asyncio.wait([told, died], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    died.cancel()
    await asyncio.wait([told, died])
    if not died.cancelled():
        died.result()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.engine_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.engine_cert_file, settings.engine_cert_key_file)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsInvalid(f"PHIBOT_ENGINE_CERT_FILE cannot be used: {exc}") from exc
    return context


def _end_with_parent(loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    """End when stdin does: its other end is the parent's, and closes with it however that ends."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        with suppress(RuntimeError):  # the loop is closed: this process is ending already
            loop.call_soon_threadsafe(ending.set)
        threading.Event().wait(LAST_RESORT_S)
        os._exit(0)

    threading.Thread(target=wait, name="parent watch", daemon=True).start()


def _say(word: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()
