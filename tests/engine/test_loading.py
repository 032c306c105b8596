"""From the admin's choice to a loaded engine, on this machine's own devices."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bot.core.engine import GenerationRequest
from bot.engine.executor import ThreadedEngine
from bot.engine.loading import EngineOptions, make_factory, provisional_info
from bot.engine.model_folder import find_model
from bot.errors import DeviceUnavailable, ModelUnusable

OPTIONS = EngineOptions(
    engine="genai",
    device="CPU",
    device_fallback=None,
    properties={"CACHE_DIR": ""},
    kv_cache_gb=1,
    trust_remote_code=False,
)
WARM_UP_IDS = (20, 21, 22)


@pytest.fixture
def tiny(tiny_f32_dir):
    return find_model(tiny_f32_dir, may_use_demo=False)


@pytest.mark.parametrize(("engine", "slots"), [("genai", 8), ("optimum", 1), ("echo", 64)])
def test_what_is_known_before_loading_names_the_device_that_was_asked_for(engine, slots, tiny):
    info = provisional_info(replace(OPTIONS, engine=engine, device="GPU.0"), tiny)
    assert (info.engine, info.device, info.slots, info.context_tokens) == (engine, "GPU.0", slots, 4096)


async def test_the_engine_of_a_missing_gpu_runs_on_the_fallback_after_one_loud_line(tiny):
    options = replace(OPTIONS, device="GPU.0", device_fallback="CPU")
    engine = ThreadedEngine(make_factory(options, tiny, WARM_UP_IDS), provisional_info(options, tiny))
    with capture_logs() as logs:
        engine.start()
        await engine.ready()
    loud = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["event"] for entry in loud] == ["device_fallback"]
    assert "intel-opencl-icd" in loud[0]["advice"]
    assert [entry["stage"] for entry in logs if entry["event"] == "engine_loading"] == [
        "loading.reading",
        "loading.compiling",
        "loading.warming",
    ]
    assert engine.info.device.startswith("CPU (")
    chunks = [chunk async for chunk in engine.generate(GenerationRequest((20, 21), 5, frozenset()))]
    assert sum(len(chunk.ids) for chunk in chunks) == 5
    await engine.aclose()


def test_without_a_fallback_nothing_is_loaded(tiny):
    stages = []
    with pytest.raises(DeviceUnavailable, match=r"GPU\.0"):
        make_factory(replace(OPTIONS, device="GPU.0"), tiny, WARM_UP_IDS)(stages.append)
    assert stages == ["loading.reading"]


def test_echo_needs_no_device_and_says_so(tiny):
    backend = make_factory(replace(OPTIONS, engine="echo", device="GPU.9"), tiny, WARM_UP_IDS)(lambda _stage: None)
    assert (backend.info.engine, backend.info.device) == ("echo", "none")


def test_a_library_that_cannot_be_imported_is_one_sentence(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino_genai", None)
    monkeypatch.delitem(sys.modules, "bot.engine.genai", raising=False)
    with pytest.raises(ModelUnusable, match="PHIBOT_ENGINE=genai"):
        make_factory(OPTIONS, tiny, WARM_UP_IDS)(lambda _stage: None)


async def test_a_cache_of_unsaid_size_fits_in_the_free_memory_and_has_the_precision_asked_for(tiny):
    properties = {**OPTIONS.properties, "INFERENCE_PRECISION_HINT": "f32"}
    options = replace(OPTIONS, properties=properties, kv_cache_gb=None, kv_cache_precision="f32")
    with capture_logs() as logs:
        exact = make_factory(options, tiny, WARM_UP_IDS)(lambda _stage: None)
        small = make_factory(replace(options, kv_cache_precision="u8"), tiny, WARM_UP_IDS)(lambda _stage: None)
    chosen = [entry["kv_cache_gb"] for entry in logs if entry["event"] == "kv_cache_chosen"]
    assert all(1 <= gb <= 8 for gb in chosen)
    tokens = [entry["kv_cache_tokens"] for entry in logs if entry["event"] == "pipeline_ready"]
    assert tokens[1] / chosen[1] > 2 * tokens[0] / chosen[0]
    exact.close()
    small.close()


def test_a_compressed_model_is_loaded_with_larger_groups_of_activations(tiny_model_dir):
    model = find_model(tiny_model_dir, may_use_demo=False)
    with capture_logs() as logs:
        make_factory(OPTIONS, model, WARM_UP_IDS)(lambda _stage: None).close()
    [ready] = [entry for entry in logs if entry["event"] == "pipeline_ready"]
    assert ready["properties"] == {**OPTIONS.properties, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "64"}


PROGRAM = """
import json, sys
from pathlib import Path
from bot.engine.executor import ThreadedEngine
from bot.engine.loading import EngineOptions, make_factory
from bot.engine.model_folder import find_model

heavy = {"torch", "transformers", "optimum", "openvino", "openvino_genai", "numpy"}
before = sorted(heavy & set(sys.modules))
options = EngineOptions("genai", "CPU", None, {}, 1, False)
make_factory(options, find_model(Path(sys.argv[1]), may_use_demo=False), (20, 21))(lambda stage: None).close()
print(json.dumps([before, sorted(heavy & set(sys.modules))]))
"""


def test_only_loading_imports_what_is_heavy_and_genai_needs_neither_torch_nor_transformers(tiny):
    done = subprocess.run([sys.executable, "-c", PROGRAM, tiny.folder], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert before == []
    assert after == ["numpy", "openvino", "openvino_genai"]
