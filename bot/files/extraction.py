"""From a file's bytes to what a model can read of them: the steps in order, in one plain call.

Runs in the child process, and in tests. Owns what is tried when; each format has its own module.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from bot.files.decoding import decode, harmless
from bot.files.kinds import Kind, binary_kind, is_pdf, may_be_table
from bot.files.notebooks import is_notebook, render_notebook
from bot.files.pdfs import PdfUnreadable, read_pdf
from bot.files.tables import render_table

PDF_PATIENCE_S: Final = 6.0

_RICH_TEXT: Final = b"{\\rtf"


@dataclass(frozen=True, slots=True)
class FileText:
    """What a file says: `text`, or the catalogue's key of the `reason` why there is none.

    `left_out_chars` is how much of the text came behind `text`; of a PDF whose last pages were not looked at, about.
    """

    kind: Kind
    text: str = ""
    reason: str | None = None
    left_out_chars: int = 0


def extract(content: bytes, name: str, max_chars: int) -> FileText:
    """Return what the file says, at most `max_chars` of it, cut at the end of a line where there is one near.

    The name is a hint among texts only. Raises: MemoryError and RecursionError, as hostile files may need.
    """
    if is_pdf(content):
        return _pdf(content, max_chars)
    if content.startswith(_RICH_TEXT):
        return FileText(Kind.DOCUMENT, reason="file.document")
    text = decode(content)
    if text is None:
        kind = binary_kind(content)
        return FileText(kind, reason=f"file.{kind}")
    text = harmless(text).strip("\n")
    if not text.strip():
        return FileText(Kind.EMPTY, reason="file.empty")
    kind, text = _kind_of_text(text, name)
    if not text:  # a notebook's, whose cells are all empty
        return FileText(Kind.EMPTY, reason="file.empty")
    kept, left_out_chars = _cut(text, max_chars)
    return FileText(kind, kept, left_out_chars=left_out_chars)


def _pdf(content: bytes, max_chars: int) -> FileText:
    try:
        found = read_pdf(content, max_chars, PDF_PATIENCE_S)
    except PdfUnreadable as exc:
        return FileText(Kind.PDF, reason=exc.reason)
    kept, left_out_chars = _cut(found.text, max_chars)
    left_out_chars += len(found.text) * (found.pages - found.pages_read) // found.pages_read
    return FileText(Kind.PDF, kept, left_out_chars=left_out_chars)


def _kind_of_text(text: str, name: str) -> tuple[Kind, str]:
    """Return the kind of a text, and the text as a model should get it."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError, MemoryError):
            pass  # no JSON, or none that anybody wrote by hand: the plain text is all that can be shown
        else:
            if is_notebook(data):
                return Kind.NOTEBOOK, harmless(render_notebook(data))
            return Kind.JSON, text
    table = render_table(text, may_be_table(name))
    if table is not None:
        return Kind.TABLE, table
    return Kind.TEXT, text


def _cut(text: str, max_chars: int) -> tuple[str, int]:
    """Return the beginning and how many characters are left out: at a line's end, if that costs a tenth at most."""
    if len(text) <= max_chars:
        return text, 0
    end = text.rfind("\n", max_chars * 9 // 10, max_chars)
    kept = text[: end if end > 0 else max_chars]
    return kept, len(text) - len(kept)
