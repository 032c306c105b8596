"""The documents say what the code does: settings, their defaults, and the slash commands."""

import re
from pathlib import Path

import pytest

import settings_docs
from bot.frontends.discord.commands import LEAVES
from bot.settings import VARIABLES, Settings, load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

ASSIGNMENT = re.compile(r"^#?([A-Z_]+)=(.*)$", re.MULTILINE)


def test_env_example_is_what_update_docs_writes():
    assert settings_docs.env_example() == ENV_EXAMPLE


def test_the_readmes_table_is_what_update_docs_writes():
    assert settings_docs.END in README
    assert settings_docs.with_table(README) == README


def test_env_example_names_every_setting_once_and_in_order():
    assert [name for name, _ in ASSIGNMENT.findall(ENV_EXAMPLE)] == list(VARIABLES.values())


def test_env_example_as_it_stands_changes_nothing(tmp_path):
    (tmp_path / ".env").write_text(ENV_EXAMPLE, encoding="utf-8")
    assert load_settings({}, tmp_path / ".env") == (Settings(), [])


def test_the_defaults_that_env_example_shows_are_those_of_the_code(tmp_path):
    (tmp_path / ".env").write_text(ASSIGNMENT.sub(r"\1=\2", ENV_EXAMPLE), encoding="utf-8")
    settings, _ = load_settings({}, tmp_path / ".env")
    assert settings.model_dump() == Settings().model_dump()
    without_default = [name for name, field in Settings.model_fields.items() if field.default in (None, frozenset())]
    assert settings.model_fields_set >= Settings.model_fields.keys() - set(without_default)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_example_is_a_value_that_is_taken_and_no_default(tmp_path, name):
    example = settings_docs.example(name)
    (tmp_path / ".env").write_text(f"{VARIABLES[name]}={example}\n", encoding="utf-8")
    settings, _ = load_settings({}, tmp_path / ".env")
    assert getattr(settings, name) != Settings.model_fields[name].default


def test_every_row_of_the_table_has_three_cells():
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in settings_docs.table().splitlines())


def test_a_pipe_in_a_cell_does_not_end_it():
    assert settings_docs.cell("a|b") == r"a\|b"


def test_every_choice_is_named_in_its_meaning():
    assert "DEBUG, INFO, WARNING, ERROR, CRITICAL" in settings_docs.meaning("log_level")
    for name in ("engine", "log_format", "device_fallback"):
        for choice in re.findall(r"'(\w+)'", str(Settings.model_fields[name].annotation)):
            assert choice in settings_docs.meaning(name)


def test_a_text_without_markers_stays_as_it_is():
    assert settings_docs.with_table("# A readme\n") == "# A readme\n"


@pytest.mark.parametrize("name", VARIABLES)
def test_every_setting_is_described_in_sentences(name):
    assert re.fullmatch(r"\S.+\.", Settings.model_fields[name].description)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Let the documents stand in a folder of the test's own."""
    for name, content in (
        ("ENV_EXAMPLE", "old\n"),
        ("README", "a\n<!-- settings:begin -->\n<!-- settings:end -->\nb\n"),
    ):
        monkeypatch.setattr(settings_docs, name, tmp_path / name)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def test_update_docs_writes_what_changed_and_nothing_the_second_time(elsewhere):
    assert settings_docs.update() == [elsewhere / "ENV_EXAMPLE", elsewhere / "README"]
    assert (elsewhere / "ENV_EXAMPLE").read_text(encoding="utf-8") == ENV_EXAMPLE
    begin, end = settings_docs.BEGIN, settings_docs.END
    readme = (elsewhere / "README").read_text(encoding="utf-8")
    assert readme == f"a\n{begin}\n{settings_docs.table()}\n{end}\nb\n"
    assert settings_docs.update() == []


def test_the_readme_lists_the_commands_that_there_are():
    def written(command):
        words = [
            command.qualified_name,
            *(one.display_name if one.required else f"[{one.display_name}]" for one in command.parameters),
        ]
        return "/" + " ".join(words)

    rows = re.findall(r"^\| (`/[^|]+`) \|", README, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(/[^`]+)`", row)]
    assert sorted(listed) == sorted(map(written, LEAVES))


def test_every_setting_that_the_documents_name_exists():
    texts = [README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))]
    named = {name for text in texts for name in re.findall(r"\bPHIBOT_[A-Z_]+[A-Z]\b", text)}
    assert named <= set(VARIABLES.values())
