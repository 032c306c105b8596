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
from bot.engine.kv import GB, default_kv_cache_gb, free_memory_bytes, weights_bytes
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
    kv_cache_gb: int | None  # None: what fits
    trust_remote_code: bool
    kv_cache_precision: str | None = None  # None: the device's own choice
    step_target_s: float = 1.0  # how long others pause for a piece of a long prompt

    @property
    def device_properties(self) -> Mapping[str, object]:
        """OpenVINO's properties for the device, all of them."""
        if self.kv_cache_precision is None:
            return self.properties
        return {**self.properties, "KV_CACHE_PRECISION": self.kv_cache_precision}


def provisional_info(options: EngineOptions, model: ModelFolder) -> EngineInfo:
    """Return what is known of the engine before it is loaded: all but the device it will really run on."""
    slots = {"genai": GENAI_SLOTS, "optimum": 1, "echo": ECHO_SLOTS}[options.engine]
    caches_prefixes = options.engine == "genai"
    return EngineInfo(
        options.engine, model.name, options.device, model.context_tokens, slots, caches_prefixes, model.revision
    )


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
                options.device_properties,
                trust_remote_code=options.trust_remote_code,
                warm_up_ids=warm_up_ids,
                report=report,
            )
        from bot.engine.dynamic_quantization import with_larger_groups
        from bot.engine.genai import GenaiBackend

        return GenaiBackend(
            model.folder,
            info,
            choice.name,
            with_larger_groups(options.device_properties, model.folder, choice.name),
            kv_cache_gb=options.kv_cache_gb or _fitting_kv_cache_gb(choice.name, model),
            step_target_s=options.step_target_s,
            warm_up_ids=warm_up_ids,
            report=report,
        )

    return load


def _fitting_kv_cache_gb(device: str, model: ModelFolder) -> int:
    free_bytes = free_memory_bytes(device)
    chosen_gb = default_kv_cache_gb(free_bytes, weights_bytes(model.folder))
    free_gb = None if free_bytes is None else round(free_bytes / GB, 1)
    log.info("kv_cache_chosen", kv_cache_gb=chosen_gb, free_gb=free_gb)
    return chosen_gb


def _tell(choice: DeviceChoice) -> None:
    if choice.warning:
        log.warning("device_fallback", advice=choice.warning)
    if choice.note:
        log.info("device_chosen", advice=choice.note)
