"""Comma-separated and like values, as lines that cost few tokens.

Owns how a table is recognised and rendered. Takes text and gives text.
"""

from __future__ import annotations

import csv
from collections import Counter
from typing import Final

_SEPARATORS: Final = ",;\t|"
_SAMPLE_LINES: Final = 50
_FEWEST_ROWS: Final = 2
_FEWEST_ROWS_UNHINTED: Final = 5
_FEWEST_COLUMNS_UNHINTED: Final = 3  # prose has a comma in many a line
_ALIKE_SHARE: Final = 0.8
_CELL_CHARS: Final = 300
_CLIPPED: Final = "…"


def render_table(text: str, hint: bool | None) -> str | None:
    """Return the table with its size in front, or None: this is none. `hint`: what the file's name says, if anything.

    Cells are stripped and clipped, empty rows left out; quotes stay where a cell needs them.
    """
    if hint is False:
        return None
    separator = _separator(text, is_hinted=bool(hint))
    if separator is None:
        return None
    try:
        rows = [
            [_cell(cell, separator) for cell in row]
            for row in csv.reader(text.splitlines(keepends=True), delimiter=separator, skipinitialspace=True)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error:  # a cell beyond all measure: the plain text shows as much
        return None
    head = f"({len(rows)} rows, {max(map(len, rows))} columns)"
    joint = separator if separator == "\t" else f"{separator} "
    return "\n".join([head, *(joint.join(row) for row in rows)])


def _separator(text: str, *, is_hinted: bool) -> str | None:
    """Return the sign between the cells: the one that cuts most rows into the same number of them."""
    lines = [line for line in text[: _SAMPLE_LINES * 1000].splitlines() if line.strip()][:_SAMPLE_LINES]
    if len(lines) < (_FEWEST_ROWS if is_hinted else _FEWEST_ROWS_UNHINTED):
        return None
    best: tuple[float, int, str] | None = None
    for separator in _SEPARATORS:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if row)
        except csv.Error:
            continue
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        share = count / max(1, widths.total())
        is_table = share >= _ALIKE_SHARE if is_hinted else share == 1 and width >= _FEWEST_COLUMNS_UNHINTED
        if width > 1 and is_table and (best is None or (share, width) > best[:2]):
            best = (share, width, separator)
    return best[2] if best else None


def _cell(cell: str, separator: str) -> str:
    cell = " ".join(cell.split())
    if len(cell) > _CELL_CHARS:
        cell = cell[:_CELL_CHARS] + _CLIPPED
    if separator in cell or '"' in cell:
        cell = '"' + cell.replace('"', '""') + '"'
    return cell
