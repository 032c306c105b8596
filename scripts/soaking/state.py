"""What both processes hold at one moment: work, tasks, threads, open files, memory. Most of it is told by /proc."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benching.machine import rss_mb
from bot.core.chat import Chat
from bot.core.history import History
from bot.engine.process import EngineProcess


@dataclass(frozen=True)
class State:
    """The bot's side (this process), and the engine's."""

    at_s: float  # since the soak began
    conversations: int  # opened so far
    answers: int  # running or waiting
    unfinished_turns: int  # in the store
    tasks: int
    threads: int
    files: int
    sockets: int
    rss_mb: float
    engine_pid: int
    engine_requests: int  # running or waiting
    engine_tasks: int
    engine_threads: int
    engine_files: int
    engine_sockets: int
    engine_rss_mb: float


async def look(chat: Chat, history: History, engine: EngineProcess, *, at_s: float, conversations: int) -> State:
    """Look at everything now. Raises: EngineDead, OSError when the engine's process is gone."""
    now = chat.status()
    metrics = _values(await engine.metrics())
    pid = engine.pid
    if pid is None:
        raise ProcessLookupError("the engine's process is gone")
    files, sockets = _descriptors("self")
    engine_files, engine_sockets = _descriptors(pid)
    return State(
        at_s=round(at_s, 1),
        conversations=conversations,
        answers=now.running + now.waiting,
        unfinished_turns=len(await history.unfinished()),
        tasks=len(asyncio.all_tasks()),
        threads=_threads("self"),
        files=files,
        sockets=sockets,
        rss_mb=round(rss_mb() or 0.0, 2),
        engine_pid=pid,
        engine_requests=round(metrics["phibot_requests_running"] + metrics["phibot_requests_waiting"]),
        engine_tasks=round(metrics["phibot_loop_tasks"]),
        engine_threads=_threads(pid),
        engine_files=engine_files,
        engine_sockets=engine_sockets,
        engine_rss_mb=round(rss_mb(pid) or 0.0, 2),
    )


def is_there(pid: int) -> bool:
    """Tell whether a process still runs."""
    return Path(f"/proc/{pid}").exists()


def _values(metrics: str) -> dict[str, float]:
    families = text_string_to_metric_families(metrics)
    return {one.name: one.value for family in families for one in family.samples if not one.labels}


def _threads(process: int | str) -> int:
    return len(os.listdir(f"/proc/{process}/task"))


def _descriptors(process: int | str) -> tuple[int, int]:
    """Return how many open files, pipes and the like a process has, and how many sockets."""
    kinds = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            kinds.append(str(descriptor.readlink()).startswith("socket:"))
        except OSError:  # closed meanwhile: the one that lists them is
            continue
    return kinds.count(False), kinds.count(True)
