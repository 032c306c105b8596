#!/usr/bin/env python3
"""Let visitors open, stop, cancel, reset and drop conversations at random, and look for what is left of them.

Everything is real but Discord: the chat with its SQLite file in this process, the engine in a process of its own.
After every round nobody asks for a while, and slots, tasks, threads, open files, unfinished turns and the memory of
both processes are compared with what they were. Exit code 1 with the list of what leaked. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import bootstrap

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "bot" / "demo_model"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, metavar="N", help="(default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write everything that was seen there")
    add("--model", type=Path, default=DEMO, metavar="DIR", help="an exported model (default: the demo model)")
    add("--engine", default="genai", choices=("genai", "optimum", "echo"), help="(default: %(default)s)")
    add("--device", default="CPU", help="(default: %(default)s)")
    add(
        "--kv-cache-gb",
        type=int,
        default=1,
        metavar="N",
        help="memory for conversations; it fills before it is used again, and until then memory rises (%(default)s)",
    )
    add("--people", type=int, default=12, metavar="N", help="how many do something at once (%(default)s)")
    add("--seed", type=int, metavar="N", help="the same choices again; the machine's timing still differs")
    arguments = parser.parse_args(argv)
    if arguments.minutes <= 0 or arguments.people < 1:
        parser.error("--minutes and --people must be more than 0")
    return arguments


def say(sentence: str) -> None:
    """Tell how far it is, on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if something leaked."""
    from benching import machine
    from benching.engines import Choice
    from benching.logs import log_only
    from soaking.run import Found, Plan, soak

    arguments = parse(argv)
    if not Path("/proc/self/fd").exists():
        say("Only Linux tells what a soak has to know (/proc).")
        return 1
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    say(f"seed {seed}")
    log_only(logging.ERROR)  # each connection that is cut makes warnings
    choice = Choice(arguments.engine, arguments.model, arguments.device, arguments.kv_cache_gb)
    found, others = Found(Plan(60 * arguments.minutes, seed, choice, arguments.people)), machine.Others()
    with tempfile.TemporaryDirectory(prefix="phibot-soak-") as folder:
        try:
            asyncio.run(soak(found, Path(folder), say))
        except KeyboardInterrupt:
            found.is_interrupted = True
    report = {**found.report(), "machine": machine.describe(), "others_share": others.share()}
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    show(report)
    return 1 if found.leaked else 130 if found.is_interrupted else 0


def show(report: dict) -> None:
    """Print what came of it."""
    print(f"{report['conversations']} conversations in {report['seconds']:.0f} s, seed {report['seed']}")
    for heading in ("actions", "ends"):
        print(f"{heading}: " + ", ".join(f"{name} {count}" for name, count in report[heading].items()))
    for process, of in report["memory"].items():
        rise = "too short to judge" if of["rise_mb"] is None else f"rise {of['rise_mb']:.1f} MB"
        print(f"memory of the {process}: {of['start_mb']:.0f}, {of['middle_mb']:.0f}, {of['end_mb']:.0f} MB; {rise}")
    print(report["machine"])
    if report["others_share"] is not None:
        print(f"Other processes used {report['others_share']:.0%} of the processors meanwhile.")
    for what in report["leaked"]:
        print(f"LEAKED: {what}")
    if report["is_interrupted"]:
        print("Interrupted: what is left at the end was not looked at.")
    elif not report["leaked"]:
        print("Nothing leaked.")


if __name__ == "__main__":
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    bootstrap.reexec("optimum" if parse().engine == "optimum" else "")
    sys.exit(main())
