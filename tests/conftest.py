"""What tests of every part share."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tiny_phi3 import make_tiny_phi3

SCRIPTS = Path(__file__).parents[1] / "scripts"

# A shell lets what it starts in the background ignore Ctrl-C, and that passes on to the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A run must not turn red by luck, nor for want of speed: the same examples each time, however long they take.
settings.register_profile(
    "same", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# To look for what those examples miss: others each time, and more of them.
settings.register_profile("wide", settings.get_profile("same"), derandomize=False, max_examples=1000)
settings.load_profile("same")


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


# What the documents say is shown ------------------------------------------------------------------------------------

OUTCOMES: dict[str, set[str]] = {}
"""By test, without parameters: "passed", "failed", "skipped", of what has run in this process so far."""

LAST = "tests/test_shown_by.py"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how each test ended."""
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES.setdefault(report.nodeid.partition("[")[0], set()).add(report.outcome)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that ask how others ended come last."""
    items.sort(key=lambda item: item.nodeid.startswith(LAST))


@pytest.fixture(scope="session")
def outcomes() -> dict[str, set[str]]:
    """Return how the tests that have run so far ended."""
    return OUTCOMES
