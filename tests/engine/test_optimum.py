"""The seed's own path: one generation at a time, a token an event."""

import json
import shutil
import sys
import time

import pytest

from bot.core.engine import GenerationRequest
from bot.core.messages import Finish
from bot.errors import ModelUnusable


def talk(*prompt_ids, max_new_tokens=10):
    return GenerationRequest(prompt_ids, max_new_tokens, frozenset({3}))


def test_a_step_is_one_whole_generation_token_by_token_without_the_prompt(backends):
    backend, heard = backends["optimum"], []
    backend.start(20_001, talk(20, 21, 22))
    backend.start(20_002, talk(30, 31))
    backend.step(lambda event: heard.append(event) or True)
    assert {event.id for event in heard} == {20_001}
    assert [len(event.ids) for event in heard] == [1] * 10 + [0]
    assert heard[-1].finish is Finish.LENGTH
    backend.step(lambda event: heard.append(event) or True)
    assert {event.id for event in heard[11:]} == {20_002}
    backend.step(lambda event: heard.append(event) or True)
    assert len(heard) == 22


def test_it_ends_at_the_next_token_once_nobody_wants_it(backends):
    backend, heard = backends["optimum"], []

    def emit(event):
        heard.append(event)
        return event.id != 20_003 or len(heard) < 3

    backend.start(20_003, talk(20, 21, 22, max_new_tokens=3000))
    backend.start(20_004, talk(20, 21, 22, max_new_tokens=300))
    began_s = time.perf_counter()
    backend.step(emit)
    unwanted_s = time.perf_counter() - began_s
    assert [len(event.ids) for event in heard] == [1, 1, 1]
    backend.step(emit)
    assert unwanted_s < time.perf_counter() - began_s - unwanted_s  # 3 tokens, not 3000, against 300


def test_what_the_folder_itself_says_of_sampling_does_not_touch_greedy_answers(
    load, tiny_f32_dir, tmp_path, backends, answer, caplog
):
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_f32_dir, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(
        json.dumps({**config, "do_sample": True, "temperature": 3.0, "top_p": 0.5, "top_k": 7})
    )
    backend = load("optimum", folder)
    assert answer(backend, talk(20, 21, 22)) == answer(backends["optimum"], talk(20, 21, 22))
    assert caplog.records == []
    backend.close()


def test_the_code_of_a_model_folder_runs_only_where_the_admin_allows_it(load, tiny_f32_dir, tmp_path, answer):
    folder = tmp_path / "hostile"
    shutil.copytree(tiny_f32_dir, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "hostile.HostileConfig"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "hostile.py").write_text(
        "from pathlib import Path\nfrom transformers import Phi3Config\n\n"
        f"Path({str(tmp_path / 'was-here')!r}).touch()\n\n\nclass HostileConfig(Phi3Config):\n    pass\n"
    )
    backend = load("optimum", folder)
    assert answer(backend, talk(20))[0].finish is Finish.LENGTH
    assert not (tmp_path / "was-here").exists()
    backend.close()


def test_without_its_packages_it_says_how_to_install_them(load, tiny_f32_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    from bot.core.engine import EngineInfo
    from bot.engine.optimum import OptimumBackend

    info = EngineInfo("optimum", "tiny", "CPU", 64, 1)
    with pytest.raises(ModelUnusable) as caught:
        OptimumBackend(
            tiny_f32_dir, info, "CPU", {}, trust_remote_code=False, warm_up_ids=(20,), report=lambda _stage: None
        )
    assert "./scripts/test" in str(caught.value)
    assert "[optimum]" in str(caught.value)
