"""The machine that was measured on, and how much of it others used meanwhile: figures without this say little."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("openvino", "openvino-genai", "optimum-intel", "discord.py", "aiosqlite")


def describe() -> str:
    """Return one line on the machine and the libraries."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; "
        + ", ".join(versions)
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def rss_mb(pid: int | None = None) -> float | None:
    """Return the memory that a process (None: this one) has in use, None where the system does not say.

    Only Linux does without a library. Raises: OSError when there is no such process.
    """
    if not Path("/proc/self/statm").exists():
        return None
    statm = Path(f"/proc/{pid or 'self'}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Others:
    """How much of the processors' time other processes use. Linux only; elsewhere it knows nothing."""

    def __init__(self) -> None:
        """Begin to count."""
        self._began = _busy_and_all_s()
        self._own_s = _own_s()

    def share(self) -> float | None:
        """Return their share since the beginning, 0 to 1, once this process's children have ended; None: unknown."""
        now = _busy_and_all_s()
        if now is None or self._began is None:
            return None
        busy_s, all_s = now[0] - self._began[0], now[1] - self._began[1]
        return min(1.0, max(0.0, (busy_s - (_own_s() - self._own_s)) / all_s)) if all_s else None


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_and_all_s() -> tuple[float, float] | None:
    """Return the seconds that all processors together were busy, and all their seconds (proc_stat(5))."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    ticks = [int(field) for field in stat.read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), sum(ticks) / os.sysconf("SC_CLK_TCK")
