"""The temporary folder beside the output, and the one moment in which it becomes the output.

Whatever ends an export, the output is either what it was before or the new model, whole. What a killed export left is
removed by the next one. Its lock is held by the export and its children, so that nobody removes it under them.
"""

from __future__ import annotations

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
        """Make the new model the output. What was there before is gone afterwards, or back if the disk refuses."""
        old = self.folder / OLD
        had_one = self.output.exists()
        if had_one:
            self.output.rename(old)
        try:
            self.model.rename(self.output)
        except OSError:
            if had_one:
                old.rename(self.output)
            raise


@contextmanager
def workplace(output: Path) -> Iterator[Workplace]:
    """Make a temporary folder beside `output` and remove it at the end, and those that killed exports left first.

    Raises: ExportFailed, where another export to `output` runs or nothing can be written.
    """
    prefix = f".{output.name}.exporting-"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for left in output.parent.glob(f"{prefix}*"):
            _clear(left, output)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=output.parent))
        lock = (folder / LOCK).open("wb")
    except OSError as exc:
        raise ExportFailed(f"Nothing can be written in {output.parent}: {exc.strerror or exc}.") from exc
    try:
        with lock:
            _try_lock(lock)
            yield Workplace(output, folder, lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(left: Path, output: Path) -> None:
    """Remove what a killed export left, and give back the folder that it was about to replace."""
    lock = left / LOCK
    if lock.exists():
        with lock.open("ab") as file:
            if not _try_lock(file):
                raise ExportFailed(f"Another export to {output} is running; wait for it or stop it.")
    if (left / OLD).exists() and not output.exists():
        (left / OLD).rename(output)
    shutil.rmtree(left)


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
