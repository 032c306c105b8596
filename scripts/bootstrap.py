"""Make `.venv` and keep it true to pyproject.toml and constraints.txt, with Python's standard library alone.

Every verb of scripts/ starts here. Owns `.venv`, its stamp (what was installed) and its lock; knows nothing of the bot.
Progress goes to stderr and stdin is never read: both ends of a pipe belong to what is started afterwards.
Runs on Python 3.6 and newer, so that an older Python ends in a sentence or in a newer one found on the PATH.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
WINDOWS = os.name == "nt"
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if WINDOWS else "bin")
PYTHON = os.path.join(BIN, "python.exe" if WINDOWS else "python")

STAMP = os.path.join(VENV, "phibot-installed.json")
# There from before the first change to .venv until it is whole again; found at a start, .venv is half-made.
HALF_MADE = os.path.join(VENV, "phibot-half-made")
LOG = os.path.join(VENV, "phibot-install.log")
LOCK = os.path.join(ROOT, ".venv.lock")
CONSTRAINTS = os.path.join(ROOT, "constraints.txt")

OLDEST, NEWEST = (3, 11), (3, 13)

# Megabytes to download and on disk, measured on Linux x86_64 with Python 3.11 and torch's CPU build.
SIZES_MB = {"": (100, 390), "dev": (32, 150), "optimum": (250, 1190)}

EX_UNAVAILABLE, EX_IOERR, EX_CONFIG = 69, 74, 78  # sysexits.h, as the bot's own exit codes

NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|connection broken by"
    "|Failed to establish a new connection|Temporary failure in name resolution|Network is unreachable"
    "|getaddrinfo failed"
)
DISK_FULL = re.compile(r"No space left on device|\[Errno 28\]|not enough space on the disk|Disk quota exceeded")


def ensure(extras: str = "") -> str:
    """Return the path of .venv's Python, with the project and `extras` ("optimum,dev") installed.

    Nothing is written and no network is needed when they are already. More extras than asked for do no harm. Two
    processes may call this at once: one installs, the other waits. Raises: SystemExit after one sentence on stderr.
    """
    wanted = {extra for extra in extras.split(",") if extra}
    if _satisfied(wanted):
        return PYTHON
    try:
        with _locked() as lock:
            if not _satisfied(wanted):
                _install(wanted, lock)
    except KeyboardInterrupt:
        raise _failure("Interrupted. The next start begins the installation anew.", 130) from None
    except OSError as error:
        raise _failure(_explain(str(error)) or f"Cannot install into {VENV}: {error}.", EX_IOERR) from None
    return PYTHON


def reexec(extras: str = "") -> None:
    """Go on in .venv's Python with `extras` installed: return if this is it already, else start the script again there.

    Call it first in a script: what was done before is done twice. Raises: SystemExit as `ensure` does.
    """
    wanted = {extra for extra in extras.split(",") if extra}
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV) and _satisfied(wanted):
        return
    replace([ensure(extras), os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def replace(argv: list) -> None:
    """Let the program `argv` take this process's place, with its stdin, signals and exit code. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execv(argv[0], argv)  # noqa: S606
    # Windows' exec returns to the shell at once and leaves the program in the background. Ctrl-C reaches the program
    # by itself, as part of the console's group; this process only waits for what it makes of it.
    for name in ("SIGINT", "SIGBREAK"):
        signal.signal(getattr(signal, name), lambda *_: None)
    sys.exit(subprocess.call(argv))


def say(sentence: str) -> None:
    """Tell the person at the terminal, on stderr."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _failure(sentence: str, code: int) -> SystemExit:
    say(sentence)
    return SystemExit(code)


def _satisfied(wanted: set) -> bool:
    stamp = _read_stamp()
    return (
        stamp is not None
        and not os.path.exists(HALF_MADE)
        and stamp["inputs"] == _inputs()
        and wanted <= set(stamp["extras"])
        and _intact(stamp)
    )


def _intact(stamp: dict) -> bool:
    """Tell whether .venv still works where it stands: a moved folder or an upgraded system's Python breaks it."""
    return stamp["root"] == ROOT and _version_of(PYTHON) == tuple(stamp["python"])


def _reusable(stamp: dict) -> bool:
    """Tell whether pip can go on in this .venv, which may have been made by hand: then there is no stamp."""
    if os.path.exists(HALF_MADE):
        return False
    if stamp is not None:
        return _intact(stamp)
    return _supported(_version_of(PYTHON)) and _runs([PYTHON, "-m", "pip", "--version"])


def _read_stamp() -> dict:
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if {"root", "inputs", "extras", "python"} <= set(stamp) else None
    except (OSError, ValueError, TypeError):
        return None


def _write_stamp(extras: set, inputs: str) -> None:
    stamp = {"root": ROOT, "inputs": inputs, "extras": sorted(extras), "python": _version_of(PYTHON)}
    with open(STAMP + ".new", "w", encoding="utf-8") as file:
        json.dump(stamp, file)
    os.replace(STAMP + ".new", STAMP)
    os.remove(HALF_MADE)


def _inputs() -> str:
    """Hash what decides which packages belong into .venv: the tables on build and project, and the constraints."""
    digest = hashlib.sha256()
    table = ""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        for line in file:
            text = line.strip()
            table = text if text.startswith("[") and text.endswith("]") else table
            if text and not text.startswith("#") and re.match(r"\[(build-system|project[].])", table):
                digest.update(text.encode() + b"\n")
    with open(CONSTRAINTS, "rb") as file:
        digest.update(file.read().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _install(wanted: set, lock: object) -> None:
    inputs = _inputs()
    stamp = _read_stamp()
    reusable = _reusable(stamp)
    base = None if reusable else _base_python()
    there = set(stamp["extras"]) | {""} if reusable and stamp else set()
    extras = wanted | (there - {""})
    _announce((extras | {""}) - there)
    os.makedirs(VENV, exist_ok=True)
    if not reusable:
        if os.listdir(VENV):
            say("The .venv that is there is incomplete or belongs to another Python: making it anew.")
        shutil.rmtree(VENV)
        os.makedirs(VENV)
    with open(HALF_MADE, "w"):
        pass
    if base:
        _make_venv(base)
    _pip_install(extras, lock)
    _write_stamp(extras, inputs)
    say("Installed.")


def _announce(new: set) -> None:
    download_mb, disk_mb = (sum(SIZES_MB.get(extra, (0, 0))[column] for extra in new) for column in (0, 1))
    free_mb = _free_mb()
    if free_mb < disk_mb:
        sentence = "Installing needs about {} MB of disk, and {} has {} MB free. Make room and start again."
        raise _failure(sentence.format(disk_mb, ROOT, free_mb), EX_IOERR)
    what = ", ".join({"": "what running needs", "dev": "tests and linters"}.get(e, "[" + e + "]") for e in sorted(new))
    if not new:
        say("The dependencies have changed: bringing .venv up to date.")
        return
    say(f"Installing into .venv: {what} (about {download_mb} MB to download, {disk_mb} MB on disk).")
    if "optimum" in new and sys.platform == "linux" and not _torch_is_there():
        say(
            "  torch: unless your pip is set up otherwise, Linux gets the CUDA build, some 5 GB more that nothing here "
            "uses.\n  For the CPU build stop this (Ctrl-C), run\n"
            "    python3 -m venv --clear .venv && .venv/bin/pip install uv &&\n"
            "    .venv/bin/uv pip install --python .venv --torch-backend cpu {}\n"
            "  (or, with .venv/bin/pip, the command that PyTorch's site gives under Start Locally, CPU) and start "
            "again.".format(_pinned("torch"))
        )


def _free_mb() -> int:
    return shutil.disk_usage(ROOT).free // 1_000_000


def _torch_is_there() -> bool:
    library = os.path.join(VENV, "lib")
    names = os.listdir(library) if os.path.isdir(library) else []
    return any(os.path.isdir(os.path.join(library, name, "site-packages", "torch")) for name in names)


def _pinned(name: str) -> str:
    with open(CONSTRAINTS, encoding="utf-8") as file:
        return next((line.split(";")[0].strip() for line in file if line.startswith(name + "==")), name)


def _base_python() -> str:
    """Return a supported Python outside .venv that can make one: this one, or else one found on the PATH."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    found = [own] + [shutil.which(f"python{3}.{minor}") for minor in range(OLDEST[1], NEWEST[1] + 1)]
    base = next((python for python in found if python and _supported(_version_of(python))), None)
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
    if base is None:
        raise _failure(
            "Phibot needs Python {} to {}; this is {}. Install one of them (Debian and Ubuntu: sudo apt install "
            "python3.12 python3.12-venv; Windows: from Python's site) and start again: it will be found.".format(
                oldest, newest, ".".join(map(str, sys.version_info[:3]))
            ),
            EX_CONFIG,
        )
    if not _runs([base, "-c", "import ensurepip, venv"]):
        raise _failure(
            "This Python cannot make virtual environments. On Debian and Ubuntu run: sudo apt install python3-venv "
            "(or python{}.{}-venv if {} is not the system's own), and start again.".format(*_version_of(base), base),
            EX_CONFIG,
        )
    if base != own:
        say("This Python is {}; using {}.".format(".".join(map(str, sys.version_info[:3])), base))
    return base


def _supported(version: tuple) -> bool:
    return version is not None and OLDEST <= version <= NEWEST


def _version_of(python: str) -> tuple:
    """Return (3, 12), or None if that Python is not there or does not run."""
    try:
        out = subprocess.check_output(
            # -S: without site-packages, which is half the time and all we need.
            [python, "-I", "-S", "-c", "import encodings, sys; print(*sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        major, minor = out.split()
        return int(major), int(minor)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def _runs(argv: list) -> bool:
    try:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.call(argv, **quiet) == 0
    except OSError:
        return False


def _make_venv(base: str) -> None:
    done = subprocess.run(
        [base, "-m", "venv", VENV],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stdout.strip()
        raise _failure(_explain(said) or "Making .venv failed:\n" + said, EX_IOERR)


def _pip_install(extras: set, lock: object) -> None:
    project = ".[{}]".format(",".join(sorted(extras))) if extras else "."
    argv = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    argv += ["-c", CONSTRAINTS, "-e", project]
    # pip inherits the lock: should this process be killed, nobody starts over before pip has ended.
    inherit = {} if WINDOWS else {"pass_fds": (lock.fileno(),)}
    with open(LOG, "w", encoding="utf-8") as log:
        pip = subprocess.Popen(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=dict(os.environ, PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", PIP_USER="0"),
            **inherit,
        )
        try:
            for line in pip.stdout:
                log.write(line)
                _show_progress(line)
        finally:
            code = pip.wait()
    if code:
        _give_up()


def _show_progress(line: str) -> None:
    text = line.strip()
    if text.startswith("Downloading ") and ".metadata" not in text:
        say("  " + text)
    elif text.startswith("Installing collected packages"):
        say("  Unpacking ...")


def _give_up() -> None:
    with open(LOG, encoding="utf-8", errors="replace") as log:
        said = log.read()
    if "Installing collected packages" not in said:
        os.remove(HALF_MADE)  # pip failed before it changed anything
    tail = "\n".join(said.strip().splitlines()[-15:])
    network = NO_NETWORK.search(said) is not None
    raise _failure(
        _explain(said) or f"pip could not install what is needed:\n{tail}\nAll it said is in {LOG}.",
        EX_UNAVAILABLE if network else EX_IOERR,
    )


def _explain(said: str) -> str:
    """Return the sentence for a fault that people can mend, or "" for any other."""
    # venv does not pass on what pip, which it starts, says of a full disk.
    if DISK_FULL.search(said) or _free_mb() < 10:
        return f"The disk is full: installing into {VENV} failed. Make room and start again."
    if NO_NETWORK.search(said):
        return (
            "The package index cannot be reached, and what is needed is not installed yet: check the network (or pip's "
            "proxy and index settings) and start again. Once installed, Phibot starts without any network."
        )
    return ""


@contextlib.contextmanager
def _locked() -> object:
    """Hold the lock on .venv, waiting for whoever has it. The system frees it when its last holder ends, however."""
    with open(LOCK, "a+") as file:
        if not _try_lock(file, wait=False):
            say("Another start is installing; waiting for it.")
            while not _try_lock(file, wait=True):
                pass
        yield file


def _try_lock(file: object, wait: bool) -> bool:
    try:
        if WINDOWS:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # LK_LOCK gives up after 10 s
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if WINDOWS:
            return False
        raise
    return True
