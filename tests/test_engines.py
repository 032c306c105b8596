"""Which models a process has: found in folders, named, and refused with a reason that is fit to be shown."""

import asyncio
import json
import shutil

import pytest

from bot import app
from bot.core.choices import Scope
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.core.visitor import Visitor
from bot.engine.model_folder import DEMO_FOLDER, find_model
from bot.engines import open_engines
from bot.settings import Settings

HERE = ConversationKey(channel_id=10, user_id=1)
ADMIN = Visitor(1, None, (10,), is_admin=True)


@pytest.fixture
def models_dir(tmp_path):
    """Return a folder of models: two good ones, and one for each way to be none."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("a-copy", "b-copy", "no-phi", "torn", "small"):
        shutil.copytree(DEMO_FOLDER, folder / name)
    (folder / "torn" / "tokenizer.json").write_text("{")
    change(folder / "no-phi" / "config.json", model_type="llama")
    change(folder / "small" / "config.json", max_position_embeddings=8)
    (folder / "demo_model").symlink_to(folder / "b-copy")
    (folder / "the-default").symlink_to(DEMO_FOLDER)
    (folder / "empty").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "readme.txt").write_text("no folder")
    return folder


def change(file, **fields):
    file.write_text(json.dumps(json.loads(file.read_bytes()) | fields))


@pytest.fixture
async def history(tmp_path):
    opened = await History.open(tmp_path / "phibot.sqlite3")
    yield opened
    await opened.aclose()


async def lineup_of(history, **settings):
    engines = await open_engines(
        Settings(engine="echo", **settings), find_model(DEMO_FOLDER, may_use_demo=False), history
    )
    await engines.aclose()
    return engines.lineup


async def test_folders_are_models_by_their_names_and_what_is_none_is_named_with_the_reason(history, models_dir):
    lineup = await lineup_of(history, models_dir=models_dir)
    assert (lineup.default_name, [one.name for one in lineup.others]) == ("demo_model", ["a-copy", "b-copy"])
    assert all(3e6 < one.size_bytes < 4e6 for one in lineup.others)
    assert lineup.others[0].tokenizer is lineup.others[1].tokenizer  # of the same content: once in memory
    reasons = {
        "demo_model": "another model has the same name",
        "empty": "lacks openvino_model.xml",
        "no-phi": "'llama'",
        "small": "PHIBOT_SYSTEM_PROMPT is",
        "torn": "torn/tokenizer.json is not the tokenizer",
    }
    assert sorted(lineup.unusable) == sorted(reasons)
    for name, reason in reasons.items():
        assert reason in lineup.unusable[name]
        assert str(models_dir) not in lineup.unusable[name]


async def test_a_models_folder_that_is_not_there_is_told_and_not_fatal(history, tmp_path):
    lineup = await lineup_of(history, models_dir=tmp_path / "nowhere")
    assert lineup.others == ()
    assert lineup.unusable == {"nowhere": "cannot be read: No such file or directory"}


async def test_another_machines_engine_has_no_models_beside_it(history, models_dir):
    lineup = await lineup_of(history, models_dir=models_dir, engine_url="http://127.0.0.1:1")
    assert (lineup.is_elsewhere, lineup.others, lineup.default_name) == (True, (), "")


async def test_a_model_of_the_folder_answers_once_chosen_and_how_long_it_took_to_load_is_remembered(
    tmp_path, models_dir
):
    settings = Settings(engine="echo", database=tmp_path / "phibot.sqlite3", models_dir=models_dir)
    model = find_model(DEMO_FOLDER, may_use_demo=False)
    async with app.build(app.Discord("no-token"), settings, model, asyncio.Event()) as parts:
        assert await parts.chat.models.choose(ADMIN, Scope.CHANNEL, "a-copy")
        answer = await parts.chat.ask(Question(HERE, 1, 100, "hi"))
        async with asyncio.timeout(10):
            ended = [snapshot async for snapshot in answer][-1]
        assert (ended.text, ended.turn.model) == ("hi", "a-copy")
    async with app.build(app.Discord("no-token"), settings, model, asyncio.Event()) as parts:
        chosen = parts.chat.models.at(ADMIN)
        assert (chosen.name, chosen.engine.loading.last_time_s is None) == ("a-copy", False)
