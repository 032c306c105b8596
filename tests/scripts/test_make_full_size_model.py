"""A model of random weights, made for real: with one layer and a small width it takes seconds."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import make_full_size_model
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.model_folder import find_model, read_model_record
from make_full_size_model import TOKENIZER, VOCABULARY, Shape, padded

SMALL = ("--layers", "1", "--hidden", "384")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model's folder, made by the command."""
    output = tmp_path_factory.mktemp("made") / "model"
    assert make_full_size_model.main(["--output", str(output), *SMALL]) == 0
    return output


@pytest.fixture(scope="module")
def definition() -> dict:
    return padded(json.loads((TOKENIZER / "tokenizer.json").read_bytes()), VOCABULARY)


def test_the_bot_takes_the_model_with_phi_3s_window_and_the_seeds_flags(made: Path) -> None:
    model = find_model(made, may_use_demo=False)
    record = read_model_record(made)
    assert (model.name, model.context_tokens) == ("random-phi-3-mini", 4096)
    assert record is not None
    wanted = {
        "task": "text-generation-with-past",
        "weight_format": "int4",
        "group_size": 128,
        "ratio": 0.6,
        "sym": True,
    }
    assert wanted.items() <= record.flags.items()
    assert json.loads((made / "config.json").read_bytes())["sliding_window"] == 2047


def test_nothing_but_the_model_is_left(made: Path) -> None:
    assert [path.name for path in made.parent.iterdir()] == ["model"]


def test_a_model_that_is_there_is_not_replaced_unasked(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made / "openvino_model.bin").stat().st_mtime_ns
    assert make_full_size_model.main(["--output", str(made), *SMALL]) == 1
    assert "exists already" in capsys.readouterr().err
    assert (made / "openvino_model.bin").stat().st_mtime_ns == before


def test_too_little_memory_is_told_before_anything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_full_size_model.main(["--output", str(tmp_path / "model"), "--layers", "100000"]) == 1
    assert "This needs about" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_true_size_is_phi_3_minis() -> None:
    assert Shape().weights_bytes == 2 * 3_821_079_552  # the parameters that microsoft/Phi-3-mini-4k-instruct has


def test_the_tokenizer_has_phi_3s_number_of_entries_and_encodes_as_the_demos(definition: dict) -> None:
    text = "What's my name? Zoë, 名前 🤖 word2000 ▁word3000"
    ours, demos = Tokenizer.from_str(json.dumps(definition)), Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))
    assert ours.get_vocab_size() == VOCABULARY
    assert sorted(ours.get_vocab().values()) == list(range(VOCABULARY))
    assert ours.encode(text, add_special_tokens=False).ids == demos.encode(text, add_special_tokens=False).ids


def test_every_id_that_can_be_generated_decodes_to_something(made: Path) -> None:
    tokenizer = Phi3Tokenizer.load(made)
    assert max(tokenizer.stop_ids) == VOCABULARY - 1
    words = [token for token in range(259, VOCABULARY) if token not in tokenizer.stop_ids]
    assert all(tokenizer.decode([token, token]) for token in words)


@pytest.mark.parametrize("wrong", [["--layers", "0"], ["--hidden", "500"], ["--hidden", "0"]])
def test_a_shape_that_cannot_be_exported_is_refused(wrong: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        make_full_size_model.parse(["--output", str(tmp_path / "model"), *wrong])
    assert ended.value.code == 2
