"""Whether disk and memory suffice, asked before anything is downloaded.

Figures from a model of Phi-3-mini's size (bf16, 7.64 GB) exported to int4 with group size 128 and ratio 0.6: 2.78 GB,
and 10.9 GB of memory at the peak. Others are scaled by the size of their weights.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from exporting.failure import ExportFailed

GB = 1_000_000_000
EXPORTED_SHARE = {"int4": 0.37, "int8": 0.52, "fp16": 1.0, "fp32": 2.0}  # of the weights' size in the source
QUANTIZED = ("int4", "int8")  # written unquantized first
SMALL_FILES_BYTES = 10_000_000  # tokenizers and graphs
EXPORT_BASE_BYTES = 800_000_000  # torch, transformers, OpenVINO and NNCF themselves
EXPORT_PER_WEIGHT_BYTE = 1.32
TRIAL_BASE_BYTES = 500_000_000


@dataclass(frozen=True)
class DiskNeed:
    """How much will be written where."""

    folder: Path
    size_bytes: int
    remedy: str  # what to do if it does not fit, as the end of a sentence


def export_disk_bytes(weights_bytes: int, weight_format: str) -> int:
    """Return what an export writes at most, beside its source."""
    unquantized = weights_bytes if weight_format in QUANTIZED else 0
    return round(weights_bytes * EXPORTED_SHARE[weight_format]) + unquantized + SMALL_FILES_BYTES


def export_memory_bytes(weights_bytes: int) -> int:
    """Return the memory that an export takes at its peak."""
    return EXPORT_BASE_BYTES + round(EXPORT_PER_WEIGHT_BYTE * weights_bytes)


def trial_memory_bytes(exported_bytes: int) -> int:
    """Return the memory that the test generation takes."""
    return TRIAL_BASE_BYTES + exported_bytes


def check_disk(needs: Iterable[DiskNeed]) -> None:
    """Raise ExportFailed if a disk has not enough room for all that will be written there."""
    together: dict[int, list[DiskNeed]] = {}
    for need in needs:
        together.setdefault(os.stat(_existing(need.folder)).st_dev, []).append(need)
    for on_one_disk in together.values():
        wanted = sum(need.size_bytes for need in on_one_disk)
        largest = max(on_one_disk, key=lambda need: need.size_bytes)
        free = shutil.disk_usage(_existing(largest.folder)).free
        if wanted > free:
            raise ExportFailed(
                f"This needs about {in_words(wanted)} of disk and {largest.folder} has {in_words(free)} free; "
                f"make room or {largest.remedy}."
            )


def check_memory(wanted: int, remedy: str) -> str:
    """Return a warning or nothing. Raises: ExportFailed, if less memory than `wanted` is free."""
    free = free_memory_bytes()
    if free is None:
        return f"How much memory is free cannot be told here; this needs about {in_words(wanted)}."
    if wanted > free:
        raise ExportFailed(
            f"This needs about {in_words(wanted)} of memory and {in_words(free)} are free (swap included); {remedy}."
        )
    return ""


def free_memory_bytes() -> int | None:
    """Return the memory and swap that this process could still get, or None where that cannot be told."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return _asked_of_psutil()
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = sum(int(fields[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    limit = _container_limit_bytes()
    return free if limit is None else min(free, limit)


def _container_limit_bytes() -> int | None:
    """Return what a container's limit (cgroup v2) leaves. Its file cache counts as used there but can be had."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text())  # "max", where there is none
        used = int((folder / "memory.current").read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, limit - used + int(stat.get("inactive_file", 0)))


def _asked_of_psutil() -> int | None:
    try:
        import psutil  # comes with NNCF, so not for --ready-made
    except ImportError:
        return None
    return int(psutil.virtual_memory().available + psutil.swap_memory().free)


def in_words(size_bytes: int) -> str:
    """Return "2.8 GB" or "35 MB"."""
    return f"{size_bytes / GB:.1f} GB" if size_bytes >= GB / 10 else f"{max(1, round(size_bytes / 1_000_000))} MB"


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
