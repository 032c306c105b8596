"""What tests of core share: a real tokenizer, and chats with it on a real database."""

from contextlib import AsyncExitStack

import pytest

from bot.core.phi3 import Phi3Tokenizer
from chat_on_disk import DEMO, World


@pytest.fixture(scope="module")
def tokenizer():
    return Phi3Tokenizer.load(DEMO)


@pytest.fixture
async def world(tmp_path, tokenizer):
    async with AsyncExitStack() as closing:
        yield World(tmp_path / "phibot.sqlite3", tokenizer, closing)
