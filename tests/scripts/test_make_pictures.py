"""The pictures of docs/commands.md: each has its scene, and a scene is a conversation that really takes place."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from picturing.scenes import SCENES, play

ROOT = Path(__file__).parents[2]
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_each_scene_has_its_picture_and_the_guide_shows_it():
    assert sorted(SCENES) == sorted(path.stem for path in (ROOT / "docs" / "pictures").glob("*.png"))
    assert sorted(SCENES) == sorted(re.findall(r"!\[[^\]]+\]\(pictures/(\w+)\.png\)", COMMANDS))


@pytest.mark.parametrize(
    ("scene", "drawn"),
    [
        ("edit", ["Ada", "edited", "Your name is Ada."]),
        ("versions", ["Regenerate", "2/2"]),
        ("context", ["Only you can see this", "pinned"]),
    ],
)
def test_a_scene_is_played_by_the_real_bot(scene, drawn):
    page = asyncio.run(play(scene))
    assert [words for words in drawn if words not in page] == []


def test_without_a_browser_the_script_says_what_is_missing():
    environment = {name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": "/nonexistent"}
    command = [sys.executable, ROOT / "scripts" / "make_pictures.py", "conversation"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no chromium" in done.stderr
