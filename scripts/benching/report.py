"""How results are shown: a table on the terminal, a JSON file, a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benching.measures import Result, Results

NO_MATPLOTLIB = "--plot needs matplotlib, which Phibot does not install: .venv/bin/pip install matplotlib"


def show(results: Results, title: str, console: Console | None = None) -> None:
    """Print medians and spreads, engines of one measure below each other."""
    table = Table(title=title, title_justify="left")
    for heading in ("measure", "engine"):
        table.add_column(heading, overflow="fold")
    for heading in ("users", "prompt", "median", "least", "most", "n"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for _, group in groupby(sorted(results, key=lambda result: result.of), key=lambda result: result.of.measure):
        for result in group:
            of = result.of
            numbers = (_short(result.median), _short(result.least), _short(result.most), str(len(result.values)))
            table.add_row(of.measure, of.engine, str(of.users), str(of.prompt_tokens or "-"), *numbers, of.unit)
        table.add_section()
    (console or _console()).print(table)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=120)  # a file or a pipe has no width of its own


def write_json(results: Results, file: Path) -> None:
    """Write the medians of the measures that others compare."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results.rows(), indent=2) + "\n", encoding="utf-8")


def plot(results: Results, title: str, file: Path) -> None:
    """Draw one panel a unit, a bar with its spread for each result. Raises: ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    units = {result.of.unit: [one for one in results if one.of.unit == result.of.unit] for result in results}
    heights = [len(of_unit) + 1 for of_unit in units.values()]
    figure, panels = pyplot.subplots(
        len(units), 1, figsize=(9, 0.35 * sum(heights) + 1), squeeze=False, height_ratios=heights
    )
    for panel, (unit, of_unit) in zip(panels[:, 0], units.items(), strict=True):
        _bars(panel, unit, of_unit)
    figure.suptitle(title)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _bars(panel: object, unit: str, results: Iterable[Result]) -> None:
    of_unit = list(results)
    names = [f"{r.of.measure} · {r.of.engine} · {r.of.users} · {r.of.prompt_tokens or '-'}" for r in of_unit]
    spread = [[r.median - r.least for r in of_unit], [r.most - r.median for r in of_unit]]
    panel.barh(names, [r.median for r in of_unit], xerr=spread, capsize=2)
    panel.invert_yaxis()
    panel.set_xlabel(unit)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
