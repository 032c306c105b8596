"""Real models for the engines: a tiny random Phi-3 with its weights as they are, on this machine's processor."""

import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.backend import Backend, Event
from bot.errors import EngineError

DEFAULTS = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}
F32 = {**DEFAULTS, "INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
WINDOW_TOKENS = 4096
SLOTS = {"genai": 8, "optimum": 1}


@pytest.fixture(scope="session")
def tiny_f32_dir(tiny_source_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny Phi-3 exported with every weight as it is, so that what differs is the engines' doing."""
    folder = tmp_path_factory.mktemp("exported") / "tiny-phi3-f32"
    flags = ["--task", "text-generation-with-past", "--weight-format", "fp32"]
    command = [sys.executable, "-m", "optimum.commands.optimum_cli", "export", "openvino"]
    subprocess.run([*command, "--model", tiny_source_dir, *flags, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_f32_dir: Path) -> Phi3Tokenizer:
    return Phi3Tokenizer.load(tiny_f32_dir)


@pytest.fixture(scope="session")
def load():
    """Return what loads a backend by its name."""

    def load(
        name, folder, *, device="CPU", properties=F32, window_tokens=WINDOW_TOKENS, report=lambda _stage: None, **more
    ) -> Backend:
        tokenizer = Phi3Tokenizer.load(folder)
        warm_up_ids = tokenizer.prompt((), [], tokenizer.encode("Hello!"))
        info = EngineInfo(name, folder.name, device, window_tokens, SLOTS[name], caches_prefixes=name == "genai")
        if name == "genai":
            from bot.engine.genai import GenaiBackend

            more = {"kv_cache_gb": 1, **more}
            return GenaiBackend(folder, info, device, properties, warm_up_ids=warm_up_ids, report=report, **more)
        with warnings.catch_warnings():  # what these packages think of each other while they are imported
            warnings.simplefilter("ignore")
            import optimum.intel.openvino  # noqa: F401
        from bot.engine.optimum import OptimumBackend

        more = {"trust_remote_code": False, **more}
        return OptimumBackend(folder, info, device, properties, warm_up_ids=warm_up_ids, report=report, **more)

    return load


@pytest.fixture(scope="session")
def backends(load, tiny_f32_dir):
    """Return both, by name, on the tiny model at f32."""
    both = {name: load(name, tiny_f32_dir) for name in SLOTS}
    yield both
    for backend in both.values():
        backend.close()


@dataclass
class Heard:
    """What came of one request."""

    ids: tuple[int, ...] = ()
    finish: Finish | None = None
    error: EngineError | None = None

    @property
    def has_ended(self) -> bool:
        return self.finish is not None or self.error is not None


@pytest.fixture(scope="session")
def answer():
    """Return what lets a backend answer requests side by side, stepping it until all have ended."""
    heard: dict[int, Heard] = {}

    def answer(backend: Backend, *requests: GenerationRequest) -> list[Heard]:

        def emit(event: Event) -> bool:
            one = heard[event.id]
            assert not one.has_ended
            one.ids, one.finish, one.error = one.ids + event.ids, event.finish, event.error
            return True

        ids = range(len(heard) + 1, len(heard) + len(requests) + 1)
        heard.update((number, Heard()) for number in ids)
        for number, request in zip(ids, requests, strict=True):
            backend.start(number, request)
        while not all(heard[number].has_ended for number in ids):
            backend.step(emit)
        return [heard[number] for number in ids]

    return answer
