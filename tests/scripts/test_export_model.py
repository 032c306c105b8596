"""scripts/export_model.py at work: the real optimum-cli on a tiny random Phi-3, the real hub client on loopback."""

import ast
import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

import export_model
from bot.engine.model_folder import find_model, read_model_record
from exporting import resources
from exporting.failure import ExportFailed
from exporting.workplace import workplace
from loopback_hub import LoopbackHub, Repository
from tiny_phi3 import make_tiny_phi3

SCRIPT = Path(export_model.__file__)
SHARED_TOKENIZER = SCRIPT.parents[2] / "shared" / "data" / "phi-3-mini-tokenizer"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SEED_EXAMPLE = [32006, 887, 526, 263, 8444, 319, 29902, 20255, 29889, 32007, 32010, 508, 366, 14944, 7535, 29973, 32007]


def export(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def sentence(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Return the last line said, which is the whole complaint."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


@contextlib.contextmanager
def exporting(source: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start an export and give it when optimum-cli is at work, half-way through."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, "--model", source, "--output", output], stderr=subprocess.PIPE
    ) as run:
        try:
            heard = b""
            while b"Loading weights" not in heard:
                chunk = run.stderr.read1()
                assert chunk, heard.decode()
                heard += chunk
            yield run
        finally:
            run.kill()


def hidden(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.name.startswith(".")]


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def change_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, **fields}), encoding="utf-8")


@pytest.fixture
def model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """Return a copy of the exported model that the test may spoil."""
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "models" / "tiny"))


@pytest.fixture
def source(tiny_source_dir: Path, tmp_path: Path) -> Path:
    """Return a copy of the model's source that the test may spoil."""
    return Path(shutil.copytree(tiny_source_dir, tmp_path / "spoilt"))


@pytest_asyncio.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoopbackHub]:
    hub = LoopbackHub()
    await hub.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield hub
    await hub.stop()


async def export_beside(*arguments: object, token: str = "") -> subprocess.CompletedProcess[str]:
    """Export while this process's hub serves."""
    return await asyncio.to_thread(export, *arguments, HF_TOKEN=token)


# --- What an export makes ---------------------------------------------------------------------------------------------


def test_an_exported_folder_has_all_that_both_libraries_need(tiny_model_dir: Path) -> None:
    names = {file.name for file in tiny_model_dir.iterdir()}

    assert names >= {
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "phibot-model.json"),
        *(f"openvino_{part}.{kind}" for part in ("model", "tokenizer", "detokenizer") for kind in ("xml", "bin")),
    }
    assert not hidden(tiny_model_dir.parent)


def test_the_record_tells_source_flags_versions_and_hashes(tiny_model_dir: Path, tiny_source_dir: Path) -> None:
    record = read_model_record(tiny_model_dir)

    assert record is not None
    assert (record.source, record.revision, record.context_tokens) == (tiny_source_dir.name, None, 4096)
    assert dict(record.flags) == {
        "task": "text-generation-with-past",
        "weight_format": "int4",
        "group_size": 128,
        "ratio": 0.6,
        "sym": True,
        "trust_remote_code": False,
    }
    assert record.sha256 == {k: v for k, v in hashes(tiny_model_dir).items() if k != "phibot-model.json"}
    assert {"openvino", "optimum-intel", "nncf", "transformers", "torch"} <= set(record.versions)
    assert record.created.endswith("+00:00")
    assert find_model(tiny_model_dir, may_use_demo=False).name == tiny_source_dir.name


def test_no_file_tells_where_it_was_made(tiny_model_dir: Path, tiny_source_dir: Path) -> None:
    places = [str(place).encode() for place in (tiny_source_dir, tiny_model_dir.parent, SCRIPT.parents[1], Path.home())]
    for file in tiny_model_dir.iterdir():
        content = file.read_bytes()
        for place in places:
            assert not re.search(re.escape(place) + b'[/"]', content), (file.name, place)


def test_the_seeds_flags_mix_int4_and_int8(tiny_model_dir: Path) -> None:
    graph = (tiny_model_dir / "openvino_model.xml").read_text()

    assert 'element_type="i4"' in graph
    assert 'element_type="u8"' in graph or 'element_type="i8"' in graph


def test_genai_and_optimum_both_generate_with_it(tiny_model_dir: Path) -> None:
    genai = """
import bot.engine  # before OpenVINO, which would tell its makers of itself
import numpy, openvino, openvino_genai, sys
pipeline = openvino_genai.ContinuousBatchingPipeline(sys.argv[1], openvino_genai.SchedulerConfig(), "CPU", F32)
config = openvino_genai.GenerationConfig(max_new_tokens=9)
handle = pipeline.add_request(0, openvino.Tensor(numpy.array([PROMPT])), config)
while pipeline.has_non_finished_requests():
    pipeline.step()
print(*handle.read_all()[0].generated_ids)
"""
    optimum = """
import bot.engine
import sys, torch
from optimum.intel.openvino import OVModelForCausalLM
model = OVModelForCausalLM.from_pretrained(sys.argv[1], device="CPU", ov_config=F32)
print(*model.generate(input_ids=torch.tensor([PROMPT]), max_new_tokens=9, do_sample=False)[0, len(PROMPT):].tolist())
"""
    head = 'PROMPT = list(range(300, 320)); F32 = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}'
    said = [
        subprocess.check_output([sys.executable, "-c", head + code, tiny_model_dir], stderr=subprocess.DEVNULL)
        for code in (genai, optimum)
    ]

    assert len(said[0].split()) == 9
    assert said[0] == said[1]


@pytest.mark.skipif(not SHARED_TOKENIZER.exists(), reason="the real tokenizer is not here")
def test_the_real_tokenizer_comes_through_with_the_same_ids(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    make_tiny_phi3(tmp_path / "source", vocab_from=SHARED_TOKENIZER)
    done = export("--model", tmp_path / "source", "--output", tmp_path / "out", "--weight-format", "int8")

    assert done.returncode == 0, done.stderr
    exported = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    prompt = "<|system|>\nYou are a helpful AI assistant.<|end|>\n<|user|>\ncan you introduce yourself?<|end|>\n"
    assert exported.encode(prompt).ids[:9] == SEED_EXAMPLE[:9]
    originally = Tokenizer.from_file(str(SHARED_TOKENIZER / "tokenizer.json"))
    assert (
        exported.encode(prompt + "Zoë 🤖  \n\t<0x0A></s>").ids
        == originally.encode(prompt + "Zoë 🤖  \n\t<0x0A></s>").ids
    )


# --- Again ------------------------------------------------------------------------------------------------------------


def test_exporting_again_does_nothing_and_is_no_failure(model: Path, tiny_source_dir: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in model.iterdir()}

    done = export("--model", tiny_source_dir, "--output", model)

    assert done.returncode == 0
    assert "already exported" in done.stdout
    assert {file.name: file.stat().st_mtime_ns for file in model.iterdir()} == before


def test_another_export_is_not_replaced_unless_told(model: Path, tiny_source_dir: Path) -> None:
    before = hashes(model)

    done = export("--model", tiny_source_dir, "--output", model, "--weight-format", "int8")

    assert "holds another export" in sentence(done)
    assert "--force" in sentence(done)
    assert hashes(model) == before


def test_the_same_name_with_other_weights_is_another_model(model: Path, source: Path) -> None:
    renamed = source.rename(source.parent / "tiny-phi3")
    (renamed / "generation_config.json").write_text("{}")

    assert "holds another export" in sentence(export("--model", renamed, "--output", model))


# --- Stopped in the middle --------------------------------------------------------------------------------------------


def test_a_killed_export_leaves_the_old_one_and_the_next_goes_through(model: Path, source: Path) -> None:
    os.truncate(model / "openvino_model.bin", 1000)  # so that it is exported anew
    damaged = hashes(model)
    with exporting(source, model) as run:
        (remains,) = hidden(model.parent)
        assert "is running" in sentence(export("--model", source, "--output", model))
        run.kill()
        run.wait()
    with (model.parent / remains / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # held by optimum-cli until it sees that its parent is gone
    assert hashes(model) == damaged

    done = export("--model", source, "--output", model, "--weight-format", "int8", "--no-sym")

    assert done.returncode == 0, done.stderr
    assert "is damaged" in done.stdout
    assert not hidden(model.parent)
    record = read_model_record(model)
    assert record is not None
    assert record.flags["weight_format"] == "int8"
    assert not {"ratio", "group_size"} & set(record.flags)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_export_says_so_and_leaves_nothing(number: signal.Signals, source: Path, tmp_path: Path) -> None:
    with exporting(source, tmp_path / "models" / "new") as run:
        run.send_signal(number)
        said = run.stderr.read().decode()

    assert run.returncode == 130
    assert said.strip().splitlines()[-1] == "Stopped; no model was changed."
    assert not list((tmp_path / "models").iterdir())


def test_running_out_of_memory_is_told_in_a_sentence(source: Path, tmp_path: Path) -> None:
    with exporting(source, tmp_path / "models" / "new") as run:
        psutil.Process(run.pid).children()[0].kill()  # as Linux does
        said = run.stderr.read().decode()

    assert run.returncode == 1
    assert said.strip().splitlines()[-1].startswith("Memory ran out while exporting")
    assert not list((tmp_path / "models").iterdir())


def test_an_export_killed_while_replacing_gives_the_old_model_back(model: Path, tiny_source_dir: Path) -> None:
    remains = model.parent / ".tiny.exporting-dead"
    remains.mkdir()
    (remains / "lock").touch()
    model.rename(remains / "old")

    done = export("--model", tiny_source_dir, "--output", model)

    assert "already exported" in done.stdout
    assert not hidden(model.parent)


def test_a_replacement_that_fails_gives_the_old_model_back(model: Path) -> None:
    before = hashes(model)

    with pytest.raises(FileNotFoundError), workplace(model) as place:
        place.put_in_place()  # there is no new model

    assert hashes(model) == before
    assert not hidden(model.parent)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a file system of 8 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_fills_up_is_told_and_left_as_it_was(source: Path, small_disk: Path) -> None:
    # Asked beforehand it has room enough: the figure has a reserve of 10 MB that this disk has not.
    starter = f"""
import runpy, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
from exporting import resources
resources.SMALL_FILES_BYTES = 0
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""
    command = [sys.executable, "-c", starter, "--model", source, "--output", small_disk / "new"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        heard = b""
        while b"Loading weights" not in heard:
            heard += run.stderr.read1()
        with contextlib.suppress(OSError), (small_disk / "others").open("wb", buffering=0) as others:
            while others.write(bytes(100_000)):
                pass
        said = run.stderr.read().decode()

    assert run.returncode == 1
    assert said.strip().splitlines()[-1].startswith("The disk is full")
    assert [file.name for file in small_disk.iterdir()] == ["others"]


def test_a_disk_too_small_is_told_before_anything_is_done(source: Path, small_disk: Path) -> None:
    done = export("--model", source, "--output", small_disk / "new")

    assert "disk" in sentence(done)
    assert "has 8 MB free" in sentence(done)
    assert "--output" in sentence(done)
    assert not list(small_disk.iterdir())


def test_too_little_memory_is_told_before_anything_is_done() -> None:
    with pytest.raises(ExportFailed, match=r"needs about 1000000.0 GB of memory and .* are free"):
        resources.check_memory(10**15, "buy some")

    assert not resources.check_memory(1, "")


def test_the_figures_for_phi_3_mini_are_those_measured() -> None:
    weights_bytes = 7_640_000_000

    assert resources.export_memory_bytes(weights_bytes) == pytest.approx(10.9e9, rel=0.02)
    unquantized = weights_bytes
    assert resources.export_disk_bytes(weights_bytes, "int4") - unquantized == pytest.approx(2.78e9, rel=0.05)


# --- Models that are none ---------------------------------------------------------------------------------------------


def test_a_model_of_another_type_is_named(source: Path, tmp_path: Path) -> None:
    change_config(source, model_type="llama")

    assert "type 'llama'" in sentence(export("--model", source, "--output", tmp_path / "new"))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_told_which(name: str, source: Path, tmp_path: Path) -> None:
    (source / name).unlink()

    done = export("--model", source, "--output", tmp_path / "new")

    assert name in sentence(done)
    assert not (tmp_path / "new").exists()


def test_a_missing_part_of_the_weights_is_named(source: Path, tmp_path: Path) -> None:
    shards = {"lm_head.weight": "model.safetensors", "norm.weight": "model-00002-of-00002.safetensors"}
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))

    assert "no model-00002-of-00002.safetensors" in sentence(export("--model", source, "--output", tmp_path / "new"))


def test_a_damaged_config_is_told(source: Path, tmp_path: Path) -> None:
    (source / "config.json").write_text("{")

    assert "config.json is damaged" in sentence(export("--model", source, "--output", tmp_path / "new"))


def test_damaged_weights_end_in_a_sentence(source: Path, tmp_path: Path) -> None:
    os.truncate(source / "model.safetensors", 100_000)

    assert sentence(export("--model", source, "--output", tmp_path / "new")).startswith("Exporting failed: ")
    assert not hidden(tmp_path)


def test_a_file_or_nothing_at_all_is_no_model(source: Path, tmp_path: Path) -> None:
    assert "is a file" in sentence(export("--model", source / "config.json"))
    assert "does not exist" in sentence(export("--model", tmp_path / "nowhere"))


# --- Outputs that are somebody's own ----------------------------------------------------------------------------------


def test_a_folder_of_other_things_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("dear")

    for force in ((), ("--force",)):
        assert "something else" in sentence(export("--model", source, "--output", tmp_path / "home", *force))
    assert (tmp_path / "home" / "diary.txt").read_text() == "dear"


def test_half_an_export_by_hand_is_replaced_only_when_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "openvino_model.xml").touch()

    assert "--force" in sentence(export("--model", source, "--output", tmp_path / "half"))


def test_an_output_that_is_a_file_or_the_model_itself_is_refused(source: Path) -> None:
    assert "is a file" in sentence(export("--model", source, "--output", source / "config.json"))
    assert "would replace the model" in sentence(export("--model", source, "--output", source.parent, "--force"))
    assert (source / "model.safetensors").exists()


# --- The hub ----------------------------------------------------------------------------------------------------------


async def test_a_model_from_the_hub_is_recorded_by_its_commit_and_kept_for_later(
    hub: LoopbackHub, source: Path, tmp_path: Path
) -> None:
    (source / "modeling_phi3.py").write_text("raise SystemExit('never run me')")
    hub.models["someone/tiny"] = Repository(source, COMMIT)

    done = await export_beside("--model", "someone/tiny", "--output", tmp_path / "first")

    assert done.returncode == 0, done.stderr
    record = read_model_record(tmp_path / "first")
    assert record is not None
    assert (record.source, record.revision, record.source_sha256) == ("someone/tiny", COMMIT, None)
    assert "modeling_phi3.py" not in hub.sent
    for file in (tmp_path / "first").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
    await hub.stop()
    again = await export_beside("--model", "someone/tiny", "--output", tmp_path / "first", "--revision", COMMIT)
    assert "already exported" in again.stdout
    other = await export_beside("--model", "someone/tiny", "--output", tmp_path / "first", "--weight-format", "fp16")
    assert "as it was downloaded before" in other.stdout
    assert "holds another export" in sentence(other)


async def test_a_ready_made_model_is_downloaded_tried_and_recorded(
    hub: LoopbackHub, model: Path, tmp_path: Path
) -> None:
    (model / "phibot-model.json").unlink()
    (model / "README.md").write_text("A model.")
    (model / "train.py").write_text("")
    hub.models[export_model.READY_MADE] = Repository(model, COMMIT)
    output = tmp_path / "ready"

    done = await export_beside("--ready-made", "--output", output)

    assert done.returncode == 0, done.stderr
    record = read_model_record(output)
    assert record is not None
    assert (record.source, record.revision, dict(record.flags)) == (
        export_model.READY_MADE,
        COMMIT,
        {"ready_made": True},
    )
    assert {file.name for file in output.iterdir()} == {
        *(file.name for file in model.iterdir() if file.name != "train.py"),
        "phibot-model.json",
    }
    assert not hidden(tmp_path)
    assert find_model(output, may_use_demo=False).name == export_model.READY_MADE
    await hub.stop()
    assert "already exported" in (await export_beside("--ready-made", "--output", output)).stdout


@pytest.mark.parametrize("fault", ["damaged", "incomplete", "broken off"])
async def test_a_ready_made_model_that_does_not_work_is_not_put_in_place(
    fault: str, hub: LoopbackHub, model: Path, tmp_path: Path
) -> None:
    hub.models["someone/ready"] = Repository(model, COMMIT)
    if fault == "damaged":
        os.truncate(model / "openvino_model.bin", 10_000)
    elif fault == "incomplete":
        (model / "openvino_detokenizer.bin").unlink()
    else:
        hub.models["someone/ready"].breaks_off_at = "openvino_model.bin"

    done = await export_beside("--ready-made", "someone/ready", "--output", tmp_path / "ready")

    told = {"damaged": "Trying the new model", "incomplete": "openvino_detokenizer.bin", "broken off": "hub cannot be"}
    assert told[fault] in sentence(done)
    assert not (tmp_path / "ready").exists()
    assert not hidden(tmp_path)


async def test_what_the_hub_refuses_is_told_in_a_sentence(hub: LoopbackHub, source: Path, tmp_path: Path) -> None:
    hub.models["someone/tiny"] = Repository(source, COMMIT)
    hub.models["someone/gated"] = Repository(source, COMMIT, gated=True)
    hub.models["someone/huge"] = Repository(source, COMMIT, says_bytes={"model.safetensors": 10**15})
    output = ("--output", tmp_path / "new")

    assert "no model someone/wrong" in sentence(await export_beside("--model", "someone/wrong", *output))
    wrong_token = await export_beside("--model", "someone/tiny", *output, token="wrong")
    assert "does not accept your token" in sentence(wrong_token)
    assert "is gated" in sentence(await export_beside("--model", "someone/gated", *output))
    assert "no revision v9" in sentence(await export_beside("--model", "someone/tiny", "--revision", "v9", *output))
    assert "neither a folder nor an id" in sentence(await export_beside("--model", "some one", *output))
    assert "GB of disk" in sentence(await export_beside("--model", "someone/huge", *output))
    assert not (tmp_path / "new").exists()
    assert "model.safetensors" not in hub.sent


def test_without_a_network_the_hub_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        arguments = ("--output", tmp_path / "new")

        done = export(*arguments, HF_ENDPOINT=nowhere, HF_HOME=str(tmp_path / "hf"))
        offline = export(*arguments, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hf"))

    assert "cannot be reached" in sentence(done)
    assert "cannot be reached" in sentence(offline)
    assert not (tmp_path / "new").exists()


# --- The command line -------------------------------------------------------------------------------------------------


def test_the_defaults_are_the_seeds_and_lead_where_the_bot_looks() -> None:
    from bot.settings import Settings

    arguments = export_model.parse([])

    assert arguments.model == "microsoft/Phi-3-mini-4k-instruct"
    assert (arguments.weight_format, arguments.group_size, arguments.ratio, arguments.sym) == ("int4", 128, 0.6, True)
    assert arguments.task == "text-generation-with-past"
    assert not arguments.trust_remote_code
    assert len(arguments.revision) == 40
    looked_at = SCRIPT.parents[1] / Settings.model_fields["model_dir"].default
    assert Path(arguments.output) == looked_at == Path(export_model.parse(["--ready-made"]).output)


@pytest.mark.parametrize(
    ("given", "output"),
    [
        (["--weight-format", "int8"], "Phi-3-mini-4k-instruct-int8-ov"),
        (["--model", "someone/other"], "other-int4-ov"),
        (["--ready-made", "OpenVINO/Phi-3-mini-4k-instruct-int8-ov"], "Phi-3-mini-4k-instruct-int8-ov"),
    ],
)
def test_other_models_and_formats_have_folders_of_their_own(given: list[str], output: str) -> None:
    assert Path(export_model.parse(given).output) == SCRIPT.parents[1] / "models" / output


@pytest.mark.parametrize(
    "given",
    [
        ["--weight-format", "int8", "--ratio", "0.5"],
        ["--weight-format", "fp16", "--sym"],
        ["--ratio", "1.5"],
        ["--group-size", "0"],
        ["--ready-made", "--weight-format", "int8"],
        ["--model", ".", "--revision", "main"],
    ],
)
def test_flags_that_do_not_fit_together_are_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        export_model.parse(given)

    assert ended.value.code == 2
    assert "--" in capsys.readouterr().err


def test_the_help_needs_nothing_but_python(tmp_path: Path) -> None:
    command = [sys.executable, "-S", SCRIPT, "--help"]  # -S: as if nothing were installed

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)

    assert "--ready-made" in done.stdout


def test_an_older_python_can_read_the_script_and_is_told_which_one_is_needed() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))
