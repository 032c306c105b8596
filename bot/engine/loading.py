"""From an engine's name to what loads it: picks the device and the Backend, inside the engine's own thread.

Importing this module loads none of the libraries that run models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from bot.core.engine import EngineInfo
from bot.engine.backend import Backend, BackendFactory, ReportStage
from bot.engine.device import DeviceChoice, choose_device, list_devices
from bot.engine.echo import EchoBackend
from bot.engine.model_folder import ModelFolder
from bot.errors import ModelUnusable

log = structlog.get_logger(__name__)

EngineName = Literal["genai", "optimum", "echo"]

GENAI_SLOTS = 8
"""Generations side by side; on what was measured tokens a second still grow up to here (docs/decisions.md)."""

ECHO_SLOTS = 64


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the admin chose."""

    engine: EngineName
    device: str
    device_fallback: str | None
    properties: Mapping[str, object]  # OpenVINO's, for the device
    kv_cache_gb: int
    trust_remote_code: bool


def provisional_info(options: EngineOptions, model: ModelFolder) -> EngineInfo:
    """Return what is known of the engine before it is loaded: all but the device it will really run on."""
    slots = {"genai": GENAI_SLOTS, "optimum": 1, "echo": ECHO_SLOTS}[options.engine]
    return EngineInfo(options.engine, model.name, options.device, model.context_tokens, slots)


def make_factory(options: EngineOptions, model: ModelFolder, warm_up_ids: tuple[int, ...]) -> BackendFactory:
    """Return what loads the engine; it raises DeviceUnavailable or ModelUnusable where it runs."""

    def load(report: ReportStage) -> Backend:
        try:
            return load_backend(report)
        except ImportError as exc:
            raise ModelUnusable(f"The libraries of PHIBOT_ENGINE={options.engine} cannot be loaded: {exc}") from exc

    def load_backend(report: ReportStage) -> Backend:
        info = provisional_info(options, model)
        if options.engine == "echo":
            return EchoBackend(replace(info, device="none"))
        report("loading.reading")
        choice = choose_device(options.device, options.device_fallback, list_devices())
        _tell(choice)
        info = replace(info, device=str(choice))
        if options.engine == "optimum":
            from bot.engine.optimum import OptimumBackend

            return OptimumBackend(
                model.folder,
                info,
                choice.name,
                options.properties,
                trust_remote_code=options.trust_remote_code,
                warm_up_ids=warm_up_ids,
                report=report,
            )
        from bot.engine.genai import GenaiBackend

        return GenaiBackend(
            model.folder,
            info,
            choice.name,
            options.properties,
            kv_cache_gb=options.kv_cache_gb,
            warm_up_ids=warm_up_ids,
            report=report,
        )

    return load


def _tell(choice: DeviceChoice) -> None:
    if choice.warning:
        log.warning("device_fallback", advice=choice.warning)
    if choice.note:
        log.info("device_chosen", advice=choice.note)
