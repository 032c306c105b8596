"""The catalogue against the code that says its sentences, and every locale against English."""

import ast
import inspect
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot
from bot import errors, texts, texts_german
from bot.errors import BotError
from bot.frontends.discord.triggers import Extra
from bot.texts import CATALOGUE, DEFAULT_LOCALE, ENGLISH, text

SOURCES = sorted(set(Path(bot.__file__).parent.rglob("*.py")) - {Path(texts.__file__), Path(texts_german.__file__)})
NODES = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
SECTIONS = {key.split(".")[0] for key in ENGLISH}
LIMIT_CHARS = 2000  # of a message
DESCRIPTION_CHARS = 100  # of a command or an option


def is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))


def calls_of_text() -> Iterator[ast.Call]:
    return (node for node in NODES if is_call_of(node, "text") and node.args)


def named_keys() -> set[str]:
    """Return every constant of the code that is a key, or looks like one."""
    constants = {node.value for node in NODES if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    looks = re.compile(rf"({'|'.join(sorted(SECTIONS - {'help'}))})\.[a-z_.]+")
    return {value for value in constants if value in ENGLISH or looks.fullmatch(value)}


def made_keys() -> set[str]:
    """Return the keys that the code makes from parts: f"empty.{extra}", or any f-string that is given to `text`."""
    given = [call.args[0] for call in calls_of_text()]
    patterns = [
        "".join(re.escape(part.value) if isinstance(part, ast.Constant) else r"[\w.]+" for part in node.values)
        for node in NODES
        if isinstance(node, ast.JoinedStr)
        and (node in given or getattr(node.values[0], "value", None) in {f"{section}." for section in SECTIONS})
    ]
    return {key for key in ENGLISH for pattern in patterns if re.fullmatch(pattern, key)}


def fields_of(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def every_error() -> list[type[BotError]]:
    return [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, BotError)]


def made(error: type[BotError]) -> BotError:
    """Return such an error, with 7 for each of its numbers."""
    wanted = inspect.signature(error.__init__).parameters.values()
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return error(*(7 for it in wanted if it.name != "self" and it.default is it.empty and it.kind not in kinds))


def test_every_key_that_the_code_names_is_in_the_catalogue() -> None:
    assert named_keys() - set(ENGLISH) == set()
    literal = {call.args[0].value for call in calls_of_text() if isinstance(call.args[0], ast.Constant)}
    assert len(literal) > 30
    assert literal - set(ENGLISH) == set()
    assert {error.key for error in every_error()} - set(ENGLISH) == set()
    assert {f"empty.{extra}" for extra in Extra} - set(ENGLISH) == set()
    assert {f"{key}_s" for key in ("answer.next", "answer.waiting_one", "answer.waiting")} - set(ENGLISH) == set()


def test_no_sentence_is_there_for_nobody() -> None:
    assert set(ENGLISH) - named_keys() - made_keys() == set()


def test_every_sentence_gets_just_the_fields_it_has() -> None:
    seen = 0
    for call in calls_of_text():
        key, given = call.args[0], {keyword.arg for keyword in call.keywords}
        either = [key.body, key.orelse] if isinstance(key, ast.IfExp) else [key]
        keys = [one.value for one in either if isinstance(one, ast.Constant)]
        if keys and None not in given:  # no **fields
            assert set().union(*(fields_of(ENGLISH[one]) for one in keys)) == given, keys
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
@pytest.mark.parametrize("locale", CATALOGUE)
def test_every_error_has_a_sentence_with_its_fields_filled(error: type[BotError], locale: str) -> None:
    assert set(made(error).fields) == fields_of(ENGLISH[error.key])
    sentence = made(error).user_message(locale)
    assert sentence
    assert not set("{}") & set(sentence)


@pytest.mark.parametrize("locale", CATALOGUE)
def test_every_sentence_of_a_locale_has_the_same_fields_as_in_english(locale: str) -> None:
    assert set(CATALOGUE[locale]) <= set(ENGLISH)
    for key, template in CATALOGUE[locale].items():
        assert fields_of(template) == fields_of(ENGLISH[key]), key
        assert all(re.fullmatch(r"[a-z_]+", field) for field in fields_of(template)), key


@pytest.mark.parametrize("locale", CATALOGUE)
def test_every_sentence_fits_into_one_message(locale: str) -> None:
    for key, template in CATALOGUE[locale].items():
        sentence = template.format(**dict.fromkeys(fields_of(template), "9" * 60))
        assert 0 < len(sentence.strip()) <= LIMIT_CHARS, key


@pytest.mark.parametrize("locale", CATALOGUE)
def test_what_discords_menu_shows_fits_there(locale: str) -> None:
    shown = [
        keyword.value.args[0].value
        for node in NODES
        if is_call_of(node, "command") or is_call_of(node, "describe")
        for keyword in node.keywords
        if is_call_of(keyword.value, "text")
    ]
    assert len(shown) >= 8
    for key in shown:
        assert 0 < len(text(key, locale)) <= DESCRIPTION_CHARS, key


def test_a_sentence_is_looked_for_in_the_locale_then_its_language_then_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "de", {"stop.done": "Angehalten.", "status.queue": "{waiting} warten"})  # type: ignore[arg-type]
    monkeypatch.setitem(CATALOGUE, "de-CH", {"stop.done": "Aaghalte."})  # type: ignore[arg-type]
    assert text("stop.done", "de-CH") == "Aaghalte."
    assert text("stop.done", "de-AT") == text("stop.done", "de") == "Angehalten."
    assert text("status.queue", "de-CH", running=1, waiting=2) == "2 warten"
    assert text("stop.nothing", "de-CH") == text("stop.nothing", "fr") == ENGLISH["stop.nothing"]
    assert text("stop.done") == text("stop.done", "en-GB") == text("stop.done", DEFAULT_LOCALE)
    with pytest.raises(KeyError):
        text("no.such.key", "de")
    with pytest.raises(KeyError):
        text("status.queue", "en")
