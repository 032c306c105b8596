"""The temporary folder beside the output, and the one moment in which it becomes the output.

Whatever ends an export, the output is either what it was before or the new model, whole. What a killed export left is
removed by the next one. Its lock is held by the export and its children, so that nobody removes it under them.
"""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from exporting.failure import ExportFailed

LOCK, MODEL, OLD = "lock", "model", "old"


@dataclass(frozen=True)
class Workplace:
    """A temporary folder on the output's own disk."""

    output: Path
    folder: Path
    lock: IO[bytes]

    @property
    def model(self) -> Path:
        """Where the new model is made."""
        return self.folder / MODEL

    def put_in_place(self) -> None:
        """Make the new model the output. What was there before waits in OLD: gone at the end, or back if this fails."""
        if self.output.exists():
            self.output.rename(self.folder / OLD)
        self.model.rename(self.output)


@contextmanager
def workplace(output: Path) -> Iterator[Workplace]:
    """Make a temporary folder beside `output` and remove it at the end. Raises: ExportFailed, if it cannot be made."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_prefix(output), dir=output.parent))
        lock = (folder / LOCK).open("wb")
    except OSError as exc:
        raise ExportFailed(f"Nothing can be written in {output.parent}: {exc.strerror or exc}.") from exc
    try:
        with lock:
            _try_lock(lock)
            yield Workplace(output, folder, lock)
    finally:
        _give_back(folder, output)
        shutil.rmtree(folder, ignore_errors=True)


def clear_remains(output: Path) -> None:
    """Remove what killed exports to `output` left, and give back the folder that one was about to replace.

    Raises: ExportFailed, where another export to `output` is at work.
    """
    for left in output.parent.glob(f"{glob.escape(_prefix(output))}*"):
        lock = left / LOCK
        if lock.exists():
            with lock.open("ab") as file:
                if not _try_lock(file):
                    raise ExportFailed(f"Another export to {output} is running; wait for it or stop it.")
        _give_back(left, output)
        shutil.rmtree(left)


def _give_back(folder: Path, output: Path) -> None:
    if (folder / OLD).exists() and not output.exists():
        (folder / OLD).rename(output)


def _prefix(output: Path) -> str:
    return f".{output.name}.exporting-"


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def only_files_of_a_model(folder: Path) -> bool:
    """Tell whether `folder` holds an OpenVINO model and nothing that could be somebody's own."""
    known = (".json", ".jinja", ".xml", ".bin", ".model", ".md", ".txt", ".py")
    entries = list(os.scandir(folder))
    names = {entry.name for entry in entries}
    files_only = all(entry.is_file(follow_symlinks=False) for entry in entries)
    return files_only and any(name.startswith("openvino_") for name in names) and all(n.endswith(known) for n in names)
