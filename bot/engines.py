"""Which engines this process has: the default model's, and those of the models that are loaded when they are needed.

From settings and model folders to what core's chat is given. Knows neither Discord nor what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from bot.core.engine import EngineInfo, OwnedEngine
from bot.core.history import History
from bot.core.models import Lineup, Offered
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.client import RemoteEngine
from bot.engine.device_memory import ask_device_memory
from bot.engine.executor import ThreadedEngine
from bot.engine.model_folder import ModelFolder, find_models
from bot.engine.on_demand import OnDemandEngine
from bot.engine.process import EngineProcess
from bot.engine.room import Room, need_bytes, shared_kv_cache_gb
from bot.errors import HistoryFailed, ModelUnusable, SettingsInvalid
from bot.serve import factory, provisional
from bot.settings import PREFIX, TOKEN, Settings

log = structlog.get_logger(__name__)

MOST_FAILED_LOADS = 3
"""A model on demand whose process died so often while it was loaded is given up, until somebody needs it again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that could answer, before it has an engine."""

    model: ModelFolder
    tokenizer: Phi3Tokenizer

    @property
    def name(self) -> str:
        """What it is chosen by: the folder's name, for several exports can be of the same source."""
        return self.model.folder.absolute().name


@dataclass(frozen=True, slots=True)
class Engines:
    """The default model's engine, not yet started, and what core is told of all models."""

    default: OwnedEngine
    tokenizer: Phi3Tokenizer
    lineup: Lineup
    on_demand: Sequence[OnDemandEngine] = field(default=())
    context_tokens: int = 0  # the largest window

    async def aclose(self) -> None:
        """End them all."""
        await asyncio.gather(*(engine.aclose() for engine in (*self.on_demand, self.default)))


def computes_here(settings: Settings) -> bool:
    """Tell whether a model is to run in this very process: neither in its own nor on another machine."""
    return settings.engine_url is None and not settings.engine_process and settings.engine != "echo"


async def open_engines(settings: Settings, model: ModelFolder, history: History) -> Engines:
    """Make the engines that the admin chose; nothing is loaded yet. Raises: StartError."""
    tokenizer = Phi3Tokenizer.load(model.folder)
    default = Candidate(model, tokenizer)
    _check_system_prompt(settings, default)
    others: list[Candidate] = []
    unusable: dict[str, str] = {}
    if settings.models_dir is not None and settings.engine_url is None:
        others, unusable = _find_others(settings, default, settings.models_dir)
    if not others:
        engine = _open(settings, model, tokenizer, await _last_load_s(history, provisional(settings, model)))
        lineup = Lineup(
            "" if settings.engine_url else default.name,
            None if settings.engine_url else _size_bytes(model.folder),
            unusable=unusable,
            is_elsewhere=settings.engine_url is not None,
        )
        return Engines(engine, tokenizer, lineup, context_tokens=model.context_tokens)
    return await _several(settings, default, others, unusable, history)


async def _several(
    settings: Settings,
    default: Candidate,
    others: Sequence[Candidate],
    unusable: Mapping[str, str],
    history: History,
) -> Engines:
    """Share the memory out: what the default model needs is taken for good, the others come and go."""
    folders = [one.model.folder for one in (default, *others)]
    limit: Callable[[], int | None] = lambda: None  # noqa: E731 - an echo needs no memory
    if settings.engine != "echo":
        limit = (await ask_device_memory(settings.device, settings.fallback_device, _own_environment())).free_bytes
    shared_gb = settings.kv_cache_gb or shared_kv_cache_gb(limit(), folders)
    room = Room(limit, taken_bytes=need_bytes(default.model.folder, shared_gb))
    log.info("models_found", models=[one.name for one in (default, *others)], kv_cache_gb=shared_gb)

    async def open_on_demand(one: Candidate) -> OnDemandEngine:
        own = settings.model_copy(update={"model_dir": one.model.folder.resolve(), "kv_cache_gb": shared_gb})
        known = provisional(own, one.model)
        by_name = replace(known, model=one.name)  # for several are of the same source

        async def remember(load_s: float) -> None:
            await remember_load_s(history, by_name, load_s)

        return OnDemandEngine(
            one.name,
            lambda: _open(own, one.model, one.tokenizer, is_default=False),
            known,
            room,
            need_bytes=need_bytes(one.model.folder, shared_gb),
            last_load_s=await _last_load_s(history, by_name),
            on_loaded=remember,
        )

    on_demand = [await open_on_demand(one) for one in others]
    own = settings.model_copy(update={"kv_cache_gb": shared_gb})
    engine = _open(own, default.model, default.tokenizer, await _last_load_s(history, provisional(own, default.model)))
    offered = [
        Offered(one.name, engine, one.tokenizer, _size_bytes(one.model.folder), engine.held)
        for one, engine in zip(others, on_demand, strict=True)
    ]
    lineup = Lineup(default.name, _size_bytes(default.model.folder), offered, unusable)
    context_tokens = max(one.model.context_tokens for one in (default, *others))
    return Engines(engine, default.tokenizer, lineup, on_demand, context_tokens)


def _find_others(settings: Settings, default: Candidate, models_dir: Path) -> tuple[list[Candidate], dict[str, str]]:
    """Return the models beside the default one, and by name why other folders are none: that is told, never fatal."""
    found, unusable = find_models(models_dir)
    others: list[Candidate] = []
    tokenizers = {default.tokenizer.sha256: default.tokenizer}  # most models have the same one, of tens of MB
    for model in found:
        if model.folder.resolve() == default.model.folder.resolve():
            continue
        try:
            one = Candidate(model, _tokenizer(model.folder, tokenizers))
            if one.name in {default.name, *(other.name for other in others)}:
                raise ModelUnusable("another model has the same name")
            _check_system_prompt(settings, one)
            others.append(one)
        except (ModelUnusable, SettingsInvalid) as exc:
            unusable[model.folder.name] = str(exc)
    for name, reason in unusable.items():
        log.warning("model_unusable", model=name, reason=reason)
    return others, {name: _without_paths(reason, models_dir / name) for name, reason in unusable.items()}


def _without_paths(reason: str, folder: Path) -> str:
    """Return a reason for Discord, where the machine's paths are nobody's business."""
    return reason.replace(str(folder), folder.name).replace(str(folder.parent), folder.parent.name)


def _tokenizer(folder: Path, known: dict[str, Phi3Tokenizer]) -> Phi3Tokenizer:
    try:
        sha256 = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    except OSError as exc:
        raise ModelUnusable(f"tokenizer.json cannot be read: {exc.strerror}") from exc
    if sha256 not in known:
        known[sha256] = Phi3Tokenizer.load(folder)
    return known[sha256]


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _check_system_prompt(settings: Settings, one: Candidate) -> None:
    """Refuse a system prompt that leaves too little room for people. Raises: SettingsInvalid."""
    tokens = one.tokenizer.system_tokens(one.tokenizer.encode(settings.system_prompt))
    most = one.model.context_tokens // 2
    if tokens > most:
        raise SettingsInvalid(
            f"PHIBOT_SYSTEM_PROMPT is {tokens} tokens long; at most {most} are half of this model's window."
        )


def _open(
    settings: Settings,
    model: ModelFolder,
    tokenizer: Phi3Tokenizer,
    last_load_s: float | None = None,
    *,
    is_default: bool = True,
) -> OwnedEngine:
    """Return an engine, not yet started: in a process of its own, on another machine, or here."""
    known = provisional(settings, model)
    if settings.engine_url is not None:
        key = settings.engine_key.get_secret_value() if settings.engine_key else None
        return RemoteEngine(
            settings.engine_url,
            key,
            known,
            ca_file=settings.engine_ca_file,
            tokenizer_sha256=tokenizer.sha256,
        )
    if settings.engine_process and settings.engine != "echo":
        return EngineProcess(
            [sys.executable, "-m", "bot", "serve", "--child"],
            known,
            environment=_environment(settings, is_default=is_default),
            last_load_s=last_load_s,
            most_failed_loads=None if is_default else MOST_FAILED_LOADS,
        )
    return ThreadedEngine(factory(settings, model, tokenizer), known, last_load_s=last_load_s)


def _environment(settings: Settings, *, is_default: bool) -> dict[str, str]:
    """Return the environment of an engine's process: this one's, with what is this engine's own."""
    own: dict[str, str] = {"PHIBOT_LOG_LEVEL": settings.log_level, "PHIBOT_LOG_FORMAT": settings.log_lines}
    if settings.kv_cache_gb is not None:
        own[f"{PREFIX}KV_CACHE_GB"] = str(settings.kv_cache_gb)
    if not is_default:
        own[f"{PREFIX}MODEL_DIR"] = str(settings.model_dir)
    return _own_environment() | own


def _own_environment() -> dict[str, str]:
    """Return this process's environment but for the token, which no other has a use for."""
    return {name: value for name, value in os.environ.items() if name.upper() != TOKEN}


def _load_fact(known: EngineInfo) -> str:
    """Return the name under which the store remembers how long such an engine took to load."""
    return f"load_s {known.engine} {known.device} {known.model}"


async def _last_load_s(history: History, known: EngineInfo) -> float | None:
    told = await history.recall(_load_fact(known))
    return float(told) if told else None


async def remember_load_s(history: History, known: EngineInfo, load_s: float) -> None:
    """Store how long an engine took to load, as it was known before; a failure costs the figure."""
    try:
        await history.remember(_load_fact(known), str(round(load_s, 1)))
    except HistoryFailed:
        log.exception("load_time_not_recorded")
