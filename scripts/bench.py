#!/usr/bin/env python3
"""Measure how fast Phibot is; one command a subject.

    engine    generating: first tokens, pace, several people at once, short beside long, stopping, a full cache
    server    the same through HTTP, as the bot speaks to an engine in another process
    bot       the whole bot on a loopback Discord, without a model (or, with --engine genai, with one)
    history   the store, from ten thousand turns to a million

docs/performance.md has the tables, and which machine they are from. scripts/make_full_size_model.py makes a model of
Phi-3-mini's size to measure on.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import bootstrap

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "bot" / "demo_model"
SUBJECTS = ("engine", "server", "bot", "history")
LEAST_REPEAT = 5


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("subject", choices=SUBJECTS)
    add("--model", type=Path, default=DEMO, metavar="DIR", help="an exported model (default: the demo model)")
    add("--repeat", type=int, default=LEAST_REPEAT, metavar="N", help="(default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the medians there")
    add("--plot", type=Path, metavar="FILE.png", help="draw them there; needs matplotlib")
    group = parser.add_argument_group("engine and server")
    group.add_argument("--engines", type=_words, default=["genai"], metavar="A,B", help="genai, optimum; side by side")
    group.add_argument("--users", type=_numbers, default=[1, 4, 8, 16], metavar="N,N", help="at once (1,4,8,16)")
    group.add_argument("--new-tokens", type=int, default=128, metavar="N", help="an answer's length (%(default)s)")
    group.add_argument("--only", type=_words, metavar="A,B", help="of the scenarios: " + ", ".join(scenario_names()))
    group.add_argument("--device", default="CPU", help="(default: %(default)s)")
    group.add_argument("--kv-cache-gb", type=int, metavar="N", help="memory for conversations (the bot's default)")
    group = parser.add_argument_group("bot")
    group.add_argument("--engine", default="echo", choices=("echo", "genai"), help="(default: %(default)s)")
    group.add_argument("--rates", type=_numbers, default=[20, 200], metavar="N,N", help="messages a second (20,200)")
    group.add_argument("--seconds", type=float, default=10.0, help="for each rate (%(default)s)")
    group = parser.add_argument_group("history and bot")
    group.add_argument(
        "--turns", type=_numbers, default=[10_000, 100_000, 1_000_000], metavar="N,N", help="in the store"
    )
    group.add_argument("--folder", type=Path, help="where the store is: its disk is measured (default: temporary)")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.only or ()) - set(scenario_names())
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if not set(arguments.engines) <= {"genai", "optimum", "echo"}:
        parser.error("--engines: genai, optimum")
    if arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    return arguments


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def scenario_names() -> list[str]:
    """Return the scenarios' names; written here too, for the help must not need what the scenarios need."""
    return ["alone", "long_alone", "followup", "together", "short_beside_long", "pause", "stop", "full_cache"]


def say(sentence: str) -> None:
    """Tell how far it is, on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; what was measured before a Ctrl-C is still shown."""
    from benching import machine, report, subjects
    from benching.measures import Results

    arguments = parse(argv)
    if arguments.repeat < LEAST_REPEAT:
        say(f"{arguments.repeat} repetitions are few: medians of less than {LEAST_REPEAT} say little.")
    results, others, code = Results(), machine.Others(), 0
    try:
        asyncio.run(subjects.SUBJECTS[arguments.subject](arguments, results, say))
    except KeyboardInterrupt:
        code = 130
    title = f"{arguments.subject}, {arguments.model.resolve().name}"
    report.show(results, title)
    print(machine.describe())
    share = others.share()
    if share is not None:
        print(f"Other processes used {share:.0%} of the processors meanwhile.")
    if arguments.json:
        report.write_json(results, arguments.json)
    if arguments.plot:
        try:
            report.plot(results, title, arguments.plot)
        except ImportError:
            say(report.NO_MATPLOTLIB)
            code = code or 1
    return code


if __name__ == "__main__":
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was measured is shown
    bootstrap.reexec("optimum" if "optimum" in parse().engines else "")
    sys.exit(main())
