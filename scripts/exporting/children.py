"""Child processes of an export: shown live, remembered for the sentence if they fail, gone when the export is."""

from __future__ import annotations

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exporting.failure import ExportFailed
from exporting.workplace import Workplace

SCRIPTS = Path(__file__).resolve().parents[1]
REMEMBERED_LINES = 200
NOTHING_FREE_BYTES = 1_000_000

DISK_FULL = re.compile(r"No space left|Errno 28\b|not enough space on the disk|Disk quota exceeded|File too large")
MEMORY_FULL = re.compile(r"MemoryError|bad_alloc|can't allocate memory|not enough memory|Cannot allocate memory")
LAST_ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)
NO_TRACE = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, negative for a signal, and the last it said."""

    code: int
    said: str


def run_child(module: str, arguments: list[str], place: Workplace, *, show: bool, timeout_s: float | None) -> Ended:
    """Run `python -m module` until it ends, passing on what it says, up to a traceback, if `show`.

    It holds the workplace's lock. It ends when this process ends, however that happens, and is killed when this is left
    by an exception (Ctrl-C).
    """
    inherit = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else {}
    if sys.platform != "win32":
        # A group of its own: Ctrl-C is for this process, which knows what to say.
        inherit = {"pass_fds": (place.lock.fileno(),), "start_new_session": True}
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=SCRIPTS,
        env=_environment(place.folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **inherit,
    )
    timer = threading.Timer(timeout_s, child.kill) if timeout_s else None
    try:
        if timer:
            timer.start()
        said = _listen(child.stdout, show=show)
        return Ended(child.wait(), said)
    finally:
        if timer:
            timer.cancel()
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            pipe.close()


def end_with_parent() -> None:
    """End this process, a child, when its parent ends: the parent holds the other end of stdin and writes nothing."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin: its lock, held here, would abort the interpreter at its end
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def why_it_failed(ended: Ended, what: str, place: Workplace) -> ExportFailed:
    """Return the sentence for a child that failed."""
    disk_is_full = shutil.disk_usage(place.folder).free < NOTHING_FREE_BYTES
    if disk_is_full or DISK_FULL.search(ended.said) or ended.code == -getattr(signal, "SIGXFSZ", 0):
        return ExportFailed(f"The disk is full: {place.output.parent} had no room left while {what}; make room there.")
    if ended.code == -getattr(signal, "SIGKILL", 9) or MEMORY_FULL.search(ended.said):
        return ExportFailed(
            f"Memory ran out while {what}, or the system killed it: close other programs, add swap, or take "
            "--ready-made, which needs less."
        )
    if ended.code < 0:
        return ExportFailed(f"{what.capitalize()} was ended by {signal.Signals(-ended.code).name}.")
    errors = LAST_ERROR.findall(ended.said)
    lines = [line.strip() for line in ended.said.splitlines() if line.strip()]
    reason = (errors or lines or [f"exit code {ended.code}"])[-1]
    return ExportFailed(f"{what.capitalize()} failed: {reason}")


def _environment(scratch: Path) -> dict[str, str]:
    quiet = {
        "PYTHONWARNINGS": "ignore",  # torch's tracer has hundreds, none of them ours
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",  # all it needs is on this disk by now
        "CI": "true",  # openvino_telemetry sends nothing then, in processes that a child starts neither
    }
    if sys.stderr.isatty():
        quiet["TTY_COMPATIBLE"] = "1"  # NNCF's progress bars (rich) move in spite of the pipe
    # The unquantized model goes through the temporary folder: on the output's disk, not in /tmp, which may be memory.
    return {**os.environ, **quiet, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))}


def _listen(pipe: IO[bytes], *, show: bool) -> str:
    remembered: collections.deque[bytes] = collections.deque(maxlen=REMEMBERED_LINES)
    line = b""
    while chunk := pipe.read1(65536):
        *lines, line = re.split(rb"(?<=[\r\n])", line + chunk)
        for whole in lines:
            show = show and NO_TRACE.encode() not in whole
            remembered.append(whole)
            if show:
                sys.stderr.buffer.write(whole)
                sys.stderr.buffer.flush()
    remembered.append(line)
    return b"".join(remembered).decode(errors="replace").replace("\r", "\n")
