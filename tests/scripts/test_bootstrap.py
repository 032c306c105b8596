"""scripts/bootstrap.py at work on small projects of its own: real environments, pip and processes, no network."""

import ast
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "house"
version = "1"

[tool.something]
answer = 42
"""
# Builds the editable wheel without any other package. Told to (by two named pipes), it stands still in the middle.
BACKEND = """
import os, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    if os.path.exists("building"):
        with open("building", "w"), open("go-on"):
            pass
    info = "house-1.dist-info/"
    metadata = "Metadata-Version: 2.1\\nName: house\\nVersion: 1\\n"
    for extra in ("dev", "optimum"):
        metadata += f"Provides-Extra: {extra}\\nRequires-Dist: wall-{extra}; extra == '{extra}'\\n"
    with zipfile.ZipFile(os.path.join(folder, "house-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("house.pth", os.getcwd())
        wheel.writestr(info + "METADATA", metadata)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "house-1-py3-none-any.whl"
"""
# A script as they stand in scripts/: says which Python runs it, its arguments and what it reads.
ECHO = """
import sys
import bootstrap
bootstrap.reexec(sys.argv[1])
sys.stdout.write(repr([sys.prefix, sys.argv[2:], sys.stdin.read()]))
sys.exit(7)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, named pipes and signals of POSIX")


def make_wheel(folder, name):
    info = f"{name}-1.dist-info/"
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")


class House:
    """A project that bootstrap.py takes for its own."""

    def __init__(self, root):
        self.root = root
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.log = self.venv / "phibot-install.log"
        (root / "scripts").mkdir(parents=True)
        (root / "wheels").mkdir()
        shutil.copy(SCRIPTS / "bootstrap.py", root / "scripts")
        (root / "scripts" / "echo.py").write_text(ECHO)
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "backend.py").write_text(BACKEND)
        (root / "constraints.txt").write_text("torch==2.13.0 ; python_version > '3'\n")
        for extra in ("dev", "optimum"):
            make_wheel(root / "wheels", f"wall_{extra}")

    def environment(self, **more):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
        offline = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": (self.root / "wheels").as_uri(),
        }
        return {**clean, **offline, **more}

    def command(self, extras="", first="pass"):
        code = (
            f"import sys; sys.path.insert(0, 'scripts'); import bootstrap; {first}; print(bootstrap.ensure({extras!r}))"
        )
        return ["-c", code]

    def ensure(self, extras="", first="pass", python=BASE_PYTHON, **env):
        return subprocess.run(
            [python, *self.command(extras, first)],
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            timeout=100,
        )

    def installed(self):
        done = subprocess.run([self.python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True)
        return {package["name"] for package in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house") / "a house")
    done = house.ensure()
    assert done.returncode == 0, done.stderr
    return house


@pytest.fixture
def new_house(tmp_path):
    return House(tmp_path / "new")


def test_an_older_python_can_parse_every_verb():
    for name in ("bootstrap.py", "check", "run", "test", "update_constraints"):
        ast.parse((SCRIPTS / name).read_text(encoding="utf-8"), name, feature_version=(3, 6))


def test_a_second_start_needs_no_network_and_writes_nothing(house):
    before = {path: path.stat().st_mtime_ns for path in house.venv.iterdir()}
    done = house.ensure(PIP_FIND_LINKS="", PATH="")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(house.python), "")
    assert {path: path.stat().st_mtime_ns for path in house.venv.iterdir()} == before


def test_an_extra_is_added_and_more_than_asked_for_satisfies(house):
    assert house.ensure("dev").returncode == 0
    assert "wall-dev" in house.installed() or "wall_dev" in house.installed()
    done = house.ensure(PIP_FIND_LINKS="")
    assert (done.returncode, done.stderr) == (0, "")
    done = house.ensure("dev", PIP_FIND_LINKS="")
    assert (done.returncode, done.stderr) == (0, "")


def test_changed_constraints_bring_everything_up_to_date(house):
    with (house.root / "constraints.txt").open("a") as constraints:
        constraints.write("other==1\n")
    extras_before = json.loads((house.venv / "phibot-installed.json").read_text())["extras"]
    done = house.ensure()
    assert done.returncode == 0
    assert "up to date" in done.stderr
    assert json.loads((house.venv / "phibot-installed.json").read_text())["extras"] == extras_before
    assert house.ensure().stderr == ""


def test_other_tables_of_pyproject_change_nothing(house):
    (house.root / "pyproject.toml").write_text(PYPROJECT.replace("42", "43") + "\n# a comment\n")
    assert house.ensure(PIP_FIND_LINKS="").stderr == ""


def test_the_installation_names_its_size_and_the_way_to_a_cpu_build_of_torch(house):
    done = house.ensure("optimum")
    assert done.returncode == 0
    assert "MB to download" in done.stderr
    assert "--torch-backend cpu torch==2.13.0\n" in done.stderr


def test_a_script_goes_on_in_the_environment_with_its_arguments_input_and_exit_code(new_house):
    done = subprocess.run(
        [BASE_PYTHON, new_house.root / "scripts" / "echo.py", "dev", "--console", "two words"],
        input="hello\nworld\n",
        env=new_house.environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 7, done.stderr
    assert ast.literal_eval(done.stdout) == [str(new_house.venv), ["--console", "two words"], "hello\nworld\n"]


def test_an_environment_that_broke_or_moved_is_made_anew(new_house):
    assert new_house.ensure().returncode == 0

    (new_house.venv / "phibot-half-made").touch()
    (new_house.venv / "left-over").touch()
    assert new_house.ensure().returncode == 0
    assert not (new_house.venv / "left-over").exists()

    for python in new_house.python.parent.glob("python*"):  # the system's Python went away
        python.unlink()
        python.symlink_to("/nowhere/python3")
    assert "making it anew" in new_house.ensure().stderr
    assert new_house.ensure().stderr == ""

    moved = new_house.root.with_name("moved")
    new_house.root.rename(moved)
    done = subprocess.run(
        [BASE_PYTHON, *new_house.command()],
        cwd=moved,
        env=new_house.environment(PIP_FIND_LINKS=str(moved / "wheels")),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(moved / ".venv/bin/python"))


def test_an_environment_made_by_hand_is_kept(new_house):
    subprocess.run([BASE_PYTHON, "-m", "venv", new_house.venv], check=True)
    (new_house.venv / "mine").touch()
    assert new_house.ensure().returncode == 0
    assert (new_house.venv / "mine").exists()
    assert "house" in new_house.installed()


@pytest.fixture
def start(new_house):
    """Return what starts `ensure` in the background, its pip standing still in the middle of the work until told."""
    started = []

    def start():
        process = subprocess.Popen(
            [BASE_PYTHON, *new_house.command()],
            cwd=new_house.root,
            env=new_house.environment(),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    os.mkfifo(new_house.root / "building")
    os.mkfifo(new_house.root / "go-on")
    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


def test_two_starts_at_once_install_once(new_house, start):
    first = start()
    with (new_house.root / "building").open():  # returns when pip builds
        second = start()
        assert "waiting" in second.stderr.readline()
    with (new_house.root / "go-on").open("w"):
        pass
    told = first.communicate(timeout=60)[1], second.communicate(timeout=60)[1]
    assert (first.returncode, second.returncode) == (0, 0), told
    assert "Installed" in told[0]
    assert "Install" not in told[1]


def test_a_start_killed_while_installing_is_made_good_by_the_next(new_house, start):
    killed = start()
    with (new_house.root / "building").open():
        killed.kill()
        killed.communicate()
        following = start()
        assert "waiting" in following.stderr.readline()  # for the pip that the killed one left behind
    (new_house.root / "building").unlink()
    with (new_house.root / "go-on").open("w"):
        pass
    told = following.communicate(timeout=60)[1]
    assert following.returncode == 0, told
    assert "making it anew" in told
    assert "house" in new_house.installed()


def test_without_network_the_first_start_says_so_and_the_next_goes_on(new_house):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        index = f"http://127.0.0.1:{nobody.getsockname()[1]}/simple"
        unreachable = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": index, "PIP_RETRIES": "1"}
        done = new_house.ensure("dev", **unreachable, no_proxy="*")
    assert done.returncode == 69
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    again = new_house.ensure("dev")
    assert again.returncode == 0
    assert "making it anew" not in again.stderr  # what was there was sound


def test_what_pip_says_of_another_fault_is_shown(new_house):
    done = new_house.ensure("dev", PIP_FIND_LINKS="")
    assert done.returncode == 74
    assert "No matching distribution found" in done.stderr
    assert str(new_house.log) in done.stderr


def test_without_ensurepip_the_package_to_install_is_named(new_house, tmp_path):
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    done = new_house.ensure(PYTHONPATH=str(tmp_path))
    assert done.returncode == 78
    assert "sudo apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not new_house.venv.exists()


def test_a_disk_too_small_is_said_before_anything_is_downloaded(new_house):
    done = new_house.ensure(first="bootstrap.SIZES_MB[''] = (1, 10**9)")
    assert done.returncode == 74
    assert "Make room" in done.stderr
    assert not new_house.venv.exists()


def test_a_disk_that_fills_up_ends_in_a_sentence(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=3m small {small} && cp -r {tmp_path}/house {small} && cd {small}/house && "
    if os.geteuid() or subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs x {small}"]).returncode:
        pytest.skip("needs the right to mount a small file system of its own")
    house = House(tmp_path / "house")
    python, option, code = [BASE_PYTHON, *house.command(first="bootstrap.SIZES_MB.clear()")]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount + 'exec "$0" "$@"', python, option, code],
        env=house.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 74, done.stderr
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def older_pythons():
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    found += [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python")]
    for python in filter(None, found):
        asked = [python, "-c", "import sys; print(sys.version_info < (3, 11), '%d.%d.%d' % sys.version_info[:3])"]
        older, _, version = subprocess.run(asked, capture_output=True, text=True).stdout.strip().partition(" ")
        if older == "True":
            yield python, version


def test_an_older_python_ends_in_a_sentence_or_in_a_newer_one_that_it_finds(new_house, tmp_path):
    older = dict(older_pythons())
    if not older:
        pytest.skip("no older Python on this machine")
    for python, version in older.items():
        done = new_house.ensure(python=python, PATH="/nowhere")
        assert done.returncode == 78, done.stderr
        assert f"Phibot needs Python 3.11 to 3.13; this is {version}. Install one" in done.stderr
        assert "Traceback" not in done.stderr
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.12").symlink_to(BASE_PYTHON)
    done = new_house.ensure(python=python, PATH=str(tmp_path / "bin"))
    assert (done.returncode, done.stdout.strip()) == (0, str(new_house.python)), done.stderr
    for python in older:
        assert new_house.ensure(python=python, PATH="/nowhere").stderr == ""


def test_a_python_too_new_ends_in_the_same_sentence(new_house):
    done = new_house.ensure(first="bootstrap.OLDEST, bootstrap.NEWEST = (3, 2), (3, 3)", PATH="/nowhere")
    assert done.returncode == 78
    assert "Phibot needs Python 3.2 to 3.3; this is 3." in done.stderr
