"""Rules that every file of the repository keeps, read from the files themselves."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT).as_posix() for folder in ("bot", "scripts") for path in ROOT.glob(f"{folder}/**/*.py")
)
VERBS = ["run", "test", "check", "update_constraints", "update_docs"]

LARGEST_BYTES = 1_000_000
SHIPPED_MODEL = "bot/demo_model/"
SHIPPED_MODEL_BYTES = 5_000_000

# What prints for a living: the command line and the terminal user.
PRINTERS = {"bot/cli.py", "bot/playground/terminal.py"}

# Written so that this file does not hold what it looks for.
REGISTRY_HOST = re.compile(
    r"py[p]i\.org|pythonh[o]sted|download\.py[t]orch|registry\.n[p]m|archive\.u[b]untu|d[e]b\.debian|pyp[i]\.python"
)
MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:w[o]rk|r[o]ot|t[m]p|h[o]me|[U]sers)/\w|\b[A-Z]:\\[U]sers\\")


def tracked_files():
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def tracked_texts():
    for name in tracked_files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode("utf-8")


def lines_with(pattern):
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_owns(module):
    docstring = ast.get_docstring(ast.parse((ROOT / module).read_text(encoding="utf-8")))
    assert docstring
    assert len(docstring.split()) >= 5


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("bot/")])
def test_a_module_of_the_bot_logs_instead_of_printing(module):
    calls = [
        node.func for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    printed = [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]
    assert not printed or module in PRINTERS


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_of_the_scripts_can_be_executed(verb):
    path = ROOT / "scripts" / verb
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
    assert os.access(path, os.X_OK)


def test_every_script_without_an_ending_is_a_known_verb():
    assert sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix) == sorted(
        VERBS
    )


def test_git_knows_which_files_are_executable():
    listed = subprocess.run(["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    executable = {line.partition("\t")[2] for line in listed.stdout.splitlines() if line.startswith("100755")}
    assert {".ci/run", *(f"scripts/{verb}" for verb in VERBS)} <= executable


def test_no_file_is_large_but_the_demo_model():
    sizes = {name: (ROOT / name).stat().st_size for name in tracked_files()}
    model = sum(size for name, size in sizes.items() if name.startswith(SHIPPED_MODEL))
    assert model < SHIPPED_MODEL_BYTES
    assert [n for n, size in sizes.items() if size > LARGEST_BYTES and not n.startswith(SHIPPED_MODEL)] == []


def test_no_file_names_a_package_registrys_host():
    assert lines_with(REGISTRY_HOST) == []


def test_no_file_holds_a_path_of_one_machine():
    assert lines_with(MACHINE_PATH) == []


def test_no_file_is_left_half_merged():
    assert lines_with(re.compile(r"^(<{7}|>{7}) ")) == []
