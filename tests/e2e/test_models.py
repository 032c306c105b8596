"""Several exported models, with the bot and each engine as real processes: chosen, loaded, broken, and gone on with."""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

import bot as package
from bot.playground.permissions import Permission
from bot.texts import text

DEMO = Path(package.__file__).parent / "demo_model"
MANY_GB = 10_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def models_dir(tmp_path, tiny_model_dir):
    """Return a folder with two models, one whose weights are cut off, one that is far too large, and half of one."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "tiny").symlink_to(tiny_model_dir)
    shutil.copytree(DEMO, folder / "twin")
    tokenizer = folder / "twin" / "tokenizer.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_bytes()), indent=1))  # counts as another one: its sha256
    for name in ("cut", "huge"):
        shutil.copytree(tiny_model_dir, folder / name)
    (folder / "cut" / "openvino_model.xml").write_text("<net")
    with (folder / "huge" / "openvino_model.bin").open("r+b") as file:
        file.truncate(MANY_GB * 2**30)  # a hole: it takes no room on the disk
    (folder / "half").mkdir()
    return folder


@pytest.fixture
def admin(discord, home, ada):
    role = discord.state.add_role(home, "admins", Permission.MANAGE_GUILD)
    home.members[ada.user.id].role_ids.add(role.id)
    return ada


@pytest.fixture
def choose(discord, channel, admin):
    """Choose a model as an admin; return the last that was said of it."""

    async def choose(name, expected):
        used = await admin.slash(channel, "model set", model=name)
        await shows(discord, used, expected)

    return choose


async def shows(discord, used, words, timeout_s=60):
    await discord.until(lambda: used.original is not None and words in used.original.content, timeout_s=timeout_s)


def turns(bot):
    with sqlite3.connect(bot.folder / "data" / "phibot.sqlite3") as connection:
        rows = connection.execute("SELECT model, tokenizer, receipt FROM turns ORDER BY id").fetchall()
    return [(model, tokenizer, json.loads(receipt)["model"]) for model, tokenizer, receipt in rows]


def engines_of(pid):
    """Return the engines among the children of a process; one that is not yet what it will be is none."""
    children = {int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()}
    return {child for child in children if b"serve" in Path(f"/proc/{child}/cmdline").read_bytes()}


async def new_engine_of(pid, before):
    async with asyncio.timeout(30):
        while not (new := engines_of(pid) - before):
            await asyncio.sleep(0.02)
    return new.pop()


async def test_a_conversation_goes_on_with_other_models_and_over_a_restart(
    discord, bot, channel, ask, choose, admin, models_dir
):
    await bot.start(models_dir=models_dir, max_new_tokens=20, log_format="console")
    await ask("my name is Quorvex")
    await choose("twin", text("model.set_for_channel", model="twin"))
    assert "Quorvex" in (await ask("what is my name?"))[0]
    await choose("tiny", text("model.set_for_channel", model="tiny"))
    await ask("talk to me")
    await choose("twin", text("model.set_for_channel", model="twin"))
    assert await bot.end() == 0
    await bot.start()
    assert "model_loaded" not in bot.log
    await ask("my name is Zorblax")  # loads it
    assert "model_loaded" in bot.log
    cleared = await discord.answer(await admin.slash(channel, "model clear"), timeout_s=20)
    assert cleared[0].content == text("model.cleared", model="demo_model")
    assert "Zorblax" in (await ask("what is my name?"))[0]
    used = turns(bot)
    assert [model for model, _, _ in used] == ["demo_model", "twin", "tiny", "twin", "demo_model"]
    assert len({tokenizer for _, tokenizer, _ in used}) == 3
    assert [receipt for _, _, receipt in used][1:] == [
        "phibot-demo (twin)",
        "tiny-phi3 (tiny)",
        "phibot-demo (twin)",
        "the demo model (demo_model)",
    ]
    assert await bot.end() == 0


async def test_the_old_model_answers_while_the_process_of_the_new_one_loads(
    discord, bot, channel, ask, admin, models_dir
):
    await bot.start(models_dir=models_dir, max_new_tokens=300, log_format="console")
    await ask("my name is Quorvex")
    before = engines_of(bot.process.pid)
    used = await admin.slash(channel, "model set", model="tiny")
    child = await new_engine_of(bot.process.pid, before)
    os.kill(child, signal.SIGSTOP)  # it loads, and takes its time
    try:
        await shows(discord, used, text("model.set_loading", model="tiny", old="demo_model"))
        assert "Quorvex" in (await ask("what is my name?"))[0]
    finally:
        os.kill(child, signal.SIGCONT)
    await shows(discord, used, text("model.set_for_channel", model="tiny"))
    await ask("and now?")
    assert [model for model, _, _ in turns(bot)] == ["demo_model", "demo_model", "tiny"]
    [shown] = await discord.answer(await admin.slash(channel, "model show"), timeout_s=20)
    assert re.search(r"\*\*tiny\*\*: .* [\d.]+ tokens a second here, loaded", shown.content)
    await bot.end()
    assert not Path(f"/proc/{child}").exists()


async def test_a_broken_model_and_one_too_large_leave_the_old_one_and_half_a_one_is_named(
    discord, bot, channel, ask, choose, admin, models_dir
):
    await bot.start(models_dir=models_dir, max_new_tokens=20, log_format="console")
    assert "lacks openvino_model.xml" in bot.log
    await ask("my name is Quorvex")
    reason = text("error.model_not_loaded", model="cut")
    await choose("cut", text("model.not_set", reason=reason, old="demo_model"))
    await choose("huge", "There is no room for the model huge right now: it needs")
    assert "Quorvex" in (await ask("what is my name?"))[0]
    [shown] = await discord.answer(await admin.slash(channel, "model show"), timeout_s=20)
    lines = shown.content.splitlines()
    assert lines[0] == "**In use here:** demo_model"
    assert [line.split("**")[1] for line in lines if line.startswith("• ")] == [
        "demo_model",
        "cut",
        "huge",
        "tiny",
        "twin",
    ]
    [half] = [line for line in lines if "half" in line]
    assert str(models_dir) not in half
    assert "lacks openvino_model.xml" in half
    assert await bot.end() == 0
