"""The text of a PDF, page by page, through pypdf.

Owns when to stop and what to say of a PDF without text. To be run where a bomb does no harm: in the child.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.files.decoding import harmless

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader


class PdfUnreadable(Exception):
    """There is no text to be had. `reason` is a key of the catalogue."""

    def __init__(self, reason: str) -> None:
        """Take the key."""
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class PdfText:
    """The text of the first pages, each behind its number, and how many pages there are."""

    text: str
    pages_read: int
    pages: int


def read_pdf(content: bytes, max_chars: int, patience_s: float) -> PdfText:
    """Return the text of as many pages as give `max_chars` or can be read within `patience_s`.

    A page that cannot be read says so in its place. Raises: PdfUnreadable; MemoryError and RecursionError, as hostile
    files may make pypdf run into either.
    """
    logging.getLogger("pypdf").setLevel(
        logging.CRITICAL + 1
    )  # pypdf tells each oddity of a file, of which real ones have many
    reader = _open(content)
    parts, chars, words, is_damaged, pages = [], 0, 0, False, len(reader.pages)
    until = time.monotonic() + patience_s
    for number, text in _texts(reader):
        parts.append(f"--- page {number} of {pages} ---\n{text if text is not None else '(cannot be read)'}")
        chars += len(parts[-1]) + 2
        words += len(text or "")
        is_damaged = is_damaged or text is None
        if chars >= max_chars or time.monotonic() > until:
            break
    if not words:
        raise PdfUnreadable("file.pdf_broken" if is_damaged else "file.pdf_scanned")
    return PdfText("\n\n".join(parts), len(parts), pages)


def _open(content: bytes) -> PdfReader:
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(content))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        pages = 0 if is_locked else len(reader.pages)
    except (MemoryError, RecursionError):
        raise
    except Exception as exc:  # besides its own errors pypdf lets KeyError, ValueError and others out of broken files
        is_locked = type(exc).__name__ == "DependencyError"  # AES needs a package that is not worth it here
        raise PdfUnreadable("file.pdf_locked" if is_locked else "file.pdf_broken") from exc
    if is_locked:
        raise PdfUnreadable("file.pdf_locked")
    if not pages:
        raise PdfUnreadable("file.pdf_broken")
    return reader


def _texts(reader: PdfReader) -> Iterator[tuple[int, str | None]]:
    for number in range(1, len(reader.pages) + 1):
        yield number, _text_of(reader.pages[number - 1])


def _text_of(page: PageObject) -> str | None:
    try:
        return harmless(page.extract_text()).strip()
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - see _open; the other pages may be sound
        return None
