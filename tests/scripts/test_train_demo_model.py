"""The demo model can be trained anew, and the shipped one does what it should."""

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import demo_check
import demo_samples
import train_demo_model
from demo_dialogues import dialogue, system_prompt
from demo_spelling import Spelling
from demo_tokenizer import PromptEncoder

SHIPPED = train_demo_model.SHIPPED
TINY = train_demo_model.Plan(
    steps=3,
    batch_tokens=256,
    window_tokens=96,
    pieces=500,
    layers=1,
    hidden=32,
    heads=2,
    inner=32,
    conversations=60,
    save_every=2,
    report_every=1,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_demo_model.train(TINY, folder)
    return folder


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def conversations(count: int) -> list[list[dict[str, str]]]:
    rng = random.Random(5)
    spelling = Spelling(rng)
    drawn = []
    for _ in range(count):
        system = system_prompt(rng, spelling)
        messages = [{"role": "system", "content": system}] if system else []
        for exchange in itertools.islice(dialogue(rng, spelling), 4):
            messages += [{"role": "user", "content": exchange.user}, {"role": "assistant", "content": exchange.answer}]
        drawn.append(messages[:-1])
    return drawn


def test_training_writes_a_folder_that_transformers_opens(trained: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(trained)

    assert type(model).__name__ == "Phi3ForCausalLM"
    assert model.config.max_position_embeddings == TINY.window_tokens
    ended_by = Tokenizer.from_file(str(trained / "tokenizer.json"))
    stops = [ended_by.token_to_id(token) for token in ("<|endoftext|>", "<|assistant|>", "<|end|>")]
    assert model.generation_config.eos_token_id == stops


def test_training_with_the_same_seed_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    train_demo_model.train(TINY, tmp_path)

    assert weights(tmp_path) == weights(trained)


def test_training_continues_from_an_earlier_folder(trained: Path, tmp_path: Path) -> None:
    train_demo_model.train(TINY, tmp_path, start_from=trained)

    assert weights(tmp_path) != weights(trained)
    assert (tmp_path / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()


def test_only_the_answers_and_their_end_are_learnt(trained: Path) -> None:
    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    encoder = PromptEncoder(tokenizer)
    row = demo_samples.Sampler(tokenizer, 1, 400, 400).conversation(400, focus=0.6)
    answering = False
    for token, wanted in zip(row.ids, row.wanted, strict=True):
        assert wanted == answering
        answering = token == encoder.role("assistant") or (answering and token != encoder.role("end"))


def test_rows_fill_the_whole_window_towards_the_end_of_the_training(trained: Path) -> None:
    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    sampler = demo_samples.Sampler(tokenizer, 1, 768, 1536)

    lengths = [len(row.ids) for _ in range(60) for row in sampler.batch(0.9)]

    assert max(lengths) > 700
    assert max(lengths) <= 768


@pytest.mark.parametrize("folder", ["trained", "shipped"])
def test_prompt_ids_equal_those_of_the_chat_template(folder: str, trained: Path) -> None:
    from transformers import AutoTokenizer

    path = trained if folder == "trained" else SHIPPED
    theirs = AutoTokenizer.from_pretrained(path)
    ours = PromptEncoder(Tokenizer.from_file(str(path / "tokenizer.json")))
    for messages in conversations(60):
        ids = [i for message in messages for i in ours.segment(message["role"], message["content"])]
        wanted = theirs.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        assert [*ids, ours.role("assistant")] == wanted


@pytest.mark.parametrize("text", ["Zoë's ŻÓŁĆ 名前 🤖", "a\nb\tc", "<|user|> <0x41> </s>", "  two  spaces "])
def test_any_text_survives_the_tokenizer_and_none_forges_a_role(text: str, trained: Path) -> None:
    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    encoder = PromptEncoder(tokenizer)

    ids = encoder.text(text)

    assert not set(ids) & set(encoder.added_ids)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


class Parrot:
    """Says one sentence, whatever it is asked."""

    def talk(self, trials: Sequence[demo_check.Trial]) -> list[list[str]]:
        return [["I don't know."] * len(trial.turns) for trial in trials]


def test_the_check_fails_a_model_that_knows_nothing() -> None:
    assert not train_demo_model.passes(Parrot(), seed=1, trials=2)


def test_the_check_asks_for_new_names_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        train_demo_model.passes(Parrot(), seed=None, trials=3, verbose=True)
    first, second = (part for part in capsys.readouterr().out.split("seed ")[:2])

    assert first != second


def test_the_shipped_model_does_each_of_its_tasks_nine_times_out_of_ten() -> None:
    assert train_demo_model.main(["--check", "--seed", "20240423", "--trials", "100", "--verbose"]) == 0


def test_the_shipped_folder_is_small_and_tells_nothing_of_where_it_was_made() -> None:
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    checkout = str(train_demo_model.SCRIPTS.parent).encode()

    assert sum(path.stat().st_size for path in files) < 5_000_000
    for path in files:
        content = path.read_bytes()
        for place in (checkout, b"/tmp/", b"/home/", b"/root/"):
            assert place not in content, path.name


def test_the_shipped_model_declares_the_window_it_was_trained_for() -> None:
    config = json.loads((SHIPPED / "config.json").read_text(encoding="utf-8"))

    assert config["max_position_embeddings"] == train_demo_model.Plan.window_tokens
    assert config["architectures"] == ["Phi3ForCausalLM"]
