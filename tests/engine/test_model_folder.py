"""Which model folder is used, what it says of itself, and one clear sentence for each way it can be wrong."""

import dataclasses
import json
from pathlib import Path

import pytest

from bot.engine.model_folder import (
    DEMO_FOLDER,
    EXPORT,
    NEEDED,
    RECORD,
    ModelRecord,
    find_model,
    read_model_record,
)
from bot.errors import EX_CONFIG, ModelUnusable

CONFIG = {"model_type": "phi3", "max_position_embeddings": 4096, "vocab_size": 32064}
A_RECORD = ModelRecord(
    source="microsoft/Phi-3-mini-4k-instruct",
    revision="0" * 40,
    source_sha256=None,
    flags={"weight_format": "int4"},
    versions={"openvino": "2026.4.1"},
    sha256={},
    created="2026-01-01T00:00:00+00:00",
    context_tokens=4096,
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my-phi"
    folder.mkdir()
    for name in NEEDED:
        (folder / name).write_bytes(b"")
    configure(folder, CONFIG)
    return folder


def configure(folder, config):
    (folder / "config.json").write_text(json.dumps(config))


def refused(model_dir, *, may_use_demo=True):
    """Return the one line that says why."""
    with pytest.raises(ModelUnusable) as caught:
        find_model(model_dir, may_use_demo=may_use_demo)
    assert caught.value.exit_code == EX_CONFIG
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_folder_exported_by_hand_goes_by_its_own_name(folder):
    model = find_model(folder, may_use_demo=True)
    assert (model.folder, model.name, model.revision, model.is_demo) == (folder, "my-phi", None, False)
    assert (model.context_tokens, model.vocabulary_size) == (4096, 32064)


def test_the_folder_that_one_stands_in_has_its_name_too(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert find_model(Path("."), may_use_demo=False).name == "my-phi"


def test_what_the_export_recorded_names_the_model(folder):
    (folder / RECORD).write_text(json.dumps(dataclasses.asdict(A_RECORD)))
    assert read_model_record(folder) == A_RECORD
    model = find_model(folder, may_use_demo=False)
    assert (model.name, model.revision) == (A_RECORD.source, A_RECORD.revision)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"source": "x"}', b"\xff\xfe"])
def test_half_a_record_is_none(folder, content):
    (folder / RECORD).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_model_record(folder) is None
    assert find_model(folder, may_use_demo=False).name == "my-phi"


@pytest.mark.parametrize("field", ["flags", "versions", "sha256", "source"])
def test_a_record_with_a_field_of_another_kind_is_none(folder, field):
    (folder / RECORD).write_text(json.dumps({**dataclasses.asdict(A_RECORD), field: 5}))
    assert read_model_record(folder) is None


def test_without_a_folder_the_demo_model_answers_where_that_is_allowed(tmp_path):
    model = find_model(tmp_path / "missing", may_use_demo=True)
    assert (model.folder, model.is_demo, model.name) == (DEMO_FOLDER, True, "the demo model")


def test_without_a_folder_that_was_asked_for_the_start_ends_and_says_how_to_export_one(tmp_path):
    sentence = refused(tmp_path / "missing", may_use_demo=False)
    assert str(tmp_path / "missing") in sentence
    assert "PHIBOT_MODEL_DIR" in sentence
    assert EXPORT in sentence


def test_the_demo_model_is_known_by_whatever_path_it_is_asked_for(tmp_path):
    (tmp_path / "link").symlink_to(DEMO_FOLDER, target_is_directory=True)
    assert find_model(tmp_path / "link", may_use_demo=False).is_demo
    assert find_model(DEMO_FOLDER / ".." / DEMO_FOLDER.name, may_use_demo=False).is_demo


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_file_is_named_even_where_the_demo_model_would_be_allowed(folder, name):
    (folder / name).unlink()
    sentence = refused(folder)
    assert name in sentence
    assert EXPORT in sentence


def test_an_empty_folder_and_a_file_lack_everything(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for wrong in ("empty", "file"):
        sentence = refused(tmp_path / wrong)
        assert all(name in sentence for name in NEEDED)


def test_another_kind_of_model_is_refused_by_its_type(folder):
    configure(folder, {**CONFIG, "model_type": "llama"})
    assert "'llama'" in refused(folder)
    configure(folder, {"max_position_embeddings": 4096})
    assert "None" in refused(folder)


@pytest.mark.parametrize("window", [None, "4096", 0, -1, 4096.0, True])
def test_a_window_that_is_no_length_is_refused(folder, window):
    configure(folder, {**CONFIG, "max_position_embeddings": window})
    assert "max_position_embeddings" in refused(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"[" * 100_000])
def test_a_config_that_is_no_json_object_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    assert str(folder / "config.json") in refused(folder)


def test_a_path_that_the_system_refuses_is_a_sentence_too(tmp_path):
    assert "PHIBOT_MODEL_DIR" in refused(tmp_path / ("x" * 300))
