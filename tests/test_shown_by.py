"""Every test that the documents name as proof exists, ran, and was neither skipped nor failed."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
NAMED = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")


def named_tests():
    return sorted({name for document in DOCUMENTS for name in NAMED.findall(document.read_text(encoding="utf-8"))})


def exists(name):
    file, _, test = name.partition("::")
    return (ROOT / file).exists() and f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def run_alone(names, folder):
    """Run tests in a process of their own; return how each ended, as `outcomes` tells it."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "-o", "junit_family=xunit1", *names]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=900)
    ended = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - written by the line above
        name = f"{case.get('file')}::{case.get('name', '').partition('[')[0]}"
        kinds = {child.tag for child in case}
        outcome = "skipped" if "skipped" in kinds else "failed" if kinds & {"failure", "error"} else "passed"
        ended.setdefault(name, set()).add(outcome)
    return ended


@pytest.mark.timeout(900)
def test_each_test_that_a_document_names_ran_and_passed(outcomes, tmp_path):
    names = named_tests()
    assert names, "no document names a test"
    assert [name for name in names if not exists(name)] == []
    missing = [name for name in names if name not in outcomes]
    ended = outcomes | (run_alone(missing, tmp_path) if missing else {})
    assert {name: ended.get(name) for name in names if ended.get(name) != {"passed"}} == {}


def test_a_skipped_a_failed_and_a_missing_test_are_each_found(tmp_path):
    folder = tmp_path / "tests"
    folder.mkdir()
    file = folder / "test_example.py"
    file.write_text(
        "import pytest\n"
        "@pytest.mark.skip\ndef test_skipped(): pass\n"
        "def test_failed(): assert False\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_passed(n): pass\n"
    )
    ended = {name.rpartition("::")[2]: how for name, how in run_alone([str(file)], tmp_path).items()}
    assert ended == {"test_skipped": {"skipped"}, "test_failed": {"failed"}, "test_passed": {"passed"}}
    assert run_alone([f"{file}::test_missing"], tmp_path) == {}
