"""Jupyter notebooks as text: each cell's source and what it printed, no pictures.

Owns the format (nbformat 3 and 4), of which any part may be wrong. Takes parsed JSON and gives text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_OUTPUT_CHARS: Final = 1000
_CLIPPED: Final = "\n[…]"


def is_notebook(data: Any) -> bool:  # noqa: ANN401 - parsed JSON
    """Tell whether parsed JSON is a notebook."""
    return isinstance(data, dict) and isinstance(data.get("nbformat"), int) and bool(_sheets(data))


def render_notebook(data: dict[str, Any]) -> str:
    """Return the cells in order: prose as it is, code in fences, outputs clipped, pictures named only."""
    language = _language(data)
    parts = []
    for number, cell in enumerate((cell for sheet in _sheets(data) for cell in sheet if isinstance(cell, dict)), 1):
        source = _joined(cell.get("source", cell.get("input")))
        if cell.get("cell_type") != "code":
            parts.append(source)
            continue
        outputs = "\n".join(filter(None, map(_output, _dicts(cell.get("outputs")))))
        parts.append(f"[{number}]\n```{language}\n{source}\n```")
        if outputs:
            parts.append(f"Output:\n```\n{outputs}\n```")
    return "\n\n".join(part for part in parts if part.strip())


def _sheets(data: dict[str, Any]) -> list[list[Any]]:
    """Return the lists of cells: one, or in nbformat 3 one for each worksheet."""
    holders = [data, *_dicts(data.get("worksheets"))]
    return [holder["cells"] for holder in holders if isinstance(holder.get("cells"), list)]


def _language(data: dict[str, Any]) -> str:
    metadata = data.get("metadata")
    found = metadata.get("language_info", metadata.get("kernelspec")) if isinstance(metadata, dict) else None
    name = found.get("name", "") if isinstance(found, dict) else ""
    return name if isinstance(name, str) and name.isalnum() else ""


def _output(output: dict[str, Any]) -> str:
    if output.get("output_type") in ("error", "pyerr"):
        return _clipped(f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}")
    held = output.get("data")
    data = held if isinstance(held, dict) else output  # nbformat 3 holds the data beside the type
    words = _joined(output.get("text") or data.get("text/plain"))
    pictures = any(str(name).startswith("image/") or name in ("png", "jpeg", "svg") for name in data)
    return "(a picture)" if pictures else _clipped(words)


def _joined(value: object) -> str:
    """Return a multi-line string, which may be stored as a list of its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str)).rstrip("\n")
    return value.rstrip("\n") if isinstance(value, str) else ""


def _clipped(words: str) -> str:
    return words if len(words) <= _OUTPUT_CHARS else words[:_OUTPUT_CHARS] + _CLIPPED


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()
