"""What tests of every part share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tiny_phi3 import make_tiny_phi3

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="session")
def tiny_source_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Hugging Face folder of a tiny random Phi-3."""
    folder = tmp_path_factory.mktemp("source") / "tiny-phi3"
    make_tiny_phi3(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model_dir(tiny_source_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same model, exported with the flags that Phi-3-mini is exported with."""
    folder = tmp_path_factory.mktemp("exported") / "tiny-phi3"
    command = [sys.executable, SCRIPTS / "export_model.py", "--model", tiny_source_dir, "--output", folder]
    subprocess.run(command, check=True, timeout=100)
    return folder
