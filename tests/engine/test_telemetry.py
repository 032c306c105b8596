"""Loading the libraries of the engines sends nothing to anybody and leaves no trace in the home folder."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def traces_in_a_home(home: Path, code: str) -> list[str]:
    """Run `code` as on a person's machine: openvino_telemetry writes a client id before it sends the first event."""
    machine = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**machine, "HOME": str(home), "USERPROFILE": str(home), "HTTPS_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return sorted(path.name for path in home.iterdir() if "intel" in path.name.lower())


def installed(distribution: str) -> bool:
    return any(importlib.metadata.distributions(name=distribution))


@pytest.mark.parametrize(
    "libraries", ["bot.engine.genai, openvino_tokenizers", "bot.engine.optimum, optimum.intel.openvino, nncf"]
)
def test_the_libraries_of_an_engine_send_nothing(libraries: str, tmp_path: Path) -> None:
    if "optimum" in libraries and not installed("nncf"):
        pytest.skip("the extra optimum is not installed")

    assert traces_in_a_home(tmp_path, f"import {libraries}") == []


def test_the_libraries_would_send_if_nobody_stopped_them(tmp_path: Path) -> None:
    """Hold that the test above can fail: once OpenVINO asks first, all of this may go."""
    if not installed("openvino-telemetry"):
        pytest.skip("without it nothing can be sent")
    nobody_listens = "import openvino_telemetry.utils.sender as s; s.TelemetrySender.send = lambda *_: None; "

    assert traces_in_a_home(tmp_path, nobody_listens + "import openvino") != []


TELLING = re.compile("openvino|optimum|nncf")


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def unguarded(code: ast.Module) -> list[int]:
    """Return the lines that import a library that tells before the module imports `bot.engine`, which silences them."""
    guards = [node.lineno for node in code.body for name in imported(node) if f"{name}.".startswith("bot.engine.")]
    telling = [node for node in ast.walk(code) if any(TELLING.match(name) for name in imported(node))]
    return [node.lineno for node in telling if not guards or (node in code.body and node.lineno < min(guards))]


def codes(source: str) -> Iterator[ast.Module]:
    """Yield a file's code, and that in its strings, which `python -c` may be given."""
    yield (code := ast.parse(source))
    for node in ast.walk(code):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and TELLING.search(node.value):
            with suppress(SyntaxError):  # it is prose
                yield ast.parse(node.value)


def test_whoever_imports_such_a_library_silences_it_first() -> None:
    exempt = [ROOT / "bot" / "engine", Path(__file__).resolve()]  # within the package itself comes first
    files = [path for folder in ("bot", "scripts", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    files = [path for path in files if not any(path.is_relative_to(one) for one in exempt)]
    assert [
        f"{path.relative_to(ROOT)}, in code from its line {line}"
        for path in files
        for code in codes(path.read_text())
        for line in unguarded(code)
    ] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import openvino", [1]),
        ("def load():\n    from optimum.intel import openvino", [2]),
        ("import openvino_genai\nimport bot.engine", [1]),
        ("code = 'import nncf'", [1]),
        ("import bot.engine.genai\nimport openvino", []),
        ("from bot.engine import kv\ndef load():\n    import openvino", []),
        ("code = 'import bot.engine; import nncf'", []),
    ],
)
def test_an_import_that_nobody_silenced_is_found(source: str, lines: list[int]) -> None:
    assert [line for code in codes(source) for line in unguarded(code)] == lines
