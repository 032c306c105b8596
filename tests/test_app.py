"""The composition root: what is built in which order, and what it refuses."""

import asyncio
import subprocess
import sys

import pytest

from bot import app
from bot.core.messages import ConversationKey, Question, Usage
from bot.engine.model_folder import DEMO_FOLDER, find_model
from bot.errors import SettingsInvalid
from bot.settings import Settings

HERE = ConversationKey(channel_id=10, user_id=1)
DISCORD = app.Discord("no-token")


@pytest.fixture
def settings(tmp_path):
    return Settings(engine="echo", database=tmp_path / "phibot.sqlite3")


@pytest.fixture
def model():
    return find_model(DEMO_FOLDER, may_use_demo=False)


async def ended(answer):
    async with asyncio.timeout(10):
        return [snapshot async for snapshot in answer][-1]


async def test_what_an_earlier_process_left_comes_before_the_first_new_question(settings, model):
    async with app.build(DISCORD, settings, model, asyncio.Event()) as parts:
        left = await parts.history.accept(Question(HERE, 1, 100, "my name is Ada"))
        begun = {"question_ids": (), "tokenizer": "", "window_from": None, "seed": None}
        await parts.history.begin(left.turn.id, question="my name is Ada", **begun)
    async with app.build(DISCORD, settings, model, asyncio.Event()) as parts:
        new = await parts.chat.ask(Question(HERE, 1, 101, "what is my name?"))
        turn = (await ended(new)).turn
        assert turn.parent_id == left.turn.id
        before = await parts.history.turn(left.turn.id)
        assert before.answer == "my name is Ada"
        assert turn.usage.prompt_tokens > before.usage.prompt_tokens + before.usage.completion_tokens


async def test_a_system_prompt_of_half_the_window_is_refused_at_the_start(settings, model):
    long = settings.model_copy(update={"system_prompt": "be kind " * 400})
    with pytest.raises(SettingsInvalid, match="PHIBOT_SYSTEM_PROMPT is"):
        async with app.build(DISCORD, long, model, asyncio.Event()):
            pass


async def test_owners_and_limits_reach_the_chat(settings, model):
    limited = settings.model_copy(update={"per_user_per_minute": 1, "owner_ids": frozenset({1})})
    async with app.build(DISCORD, limited, model, asyncio.Event()) as parts:
        for number in range(3):
            assert (await ended(await parts.chat.ask(Question(HERE, 1, 200 + number, "hi")))).error is None
        assert parts.chat.status().info.engine == "echo"
        assert (await parts.history.recent(HERE, 1))[0].usage != Usage()


def test_the_bots_process_loads_none_of_the_libraries_that_run_models():
    code = "import bot.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "bot.engine.process" in loaded
    assert not loaded & {"openvino", "openvino_genai", "optimum", "torch", "transformers"}
