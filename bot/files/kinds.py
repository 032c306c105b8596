"""What a file is, by its first bytes; the name is asked only whether a text may be a table.

Owns the signatures. Decodes and parses nothing.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import Final


class Kind(StrEnum):
    """What a file is. The second group cannot be read; each is a key of the catalogue, as `file.<kind>`."""

    TEXT = "text"
    TABLE = "table"
    JSON = "json"
    NOTEBOOK = "notebook"
    PDF = "pdf"

    EMPTY = "empty"
    PICTURE = "picture"
    SOUND = "sound"
    VIDEO = "video"
    ARCHIVE = "archive"
    DOCUMENT = "document"
    BINARY = "binary"


READABLE: Final = frozenset({Kind.TEXT, Kind.TABLE, Kind.JSON, Kind.NOTEBOOK, Kind.PDF})

PDF_HEADER: Final = b"%PDF-"
PDF_HEADER_WITHIN_BYTES: Final = 1024
"""Where Acrobat looks for the header. Source: implementation note 13 in the PDF Reference 1.7, appendix H."""

_SIGNATURES: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"\x89PNG\r\n\x1a\n", Kind.PICTURE),
    (b"\xff\xd8\xff", Kind.PICTURE),  # JPEG
    (b"GIF8", Kind.PICTURE),
    (b"BM", Kind.PICTURE),
    (b"II*\0", Kind.PICTURE),  # TIFF, both byte orders
    (b"MM\0*", Kind.PICTURE),
    (b"8BPS", Kind.PICTURE),
    (b"\0\0\1\0", Kind.PICTURE),  # icon
    (b"\xff\x0a", Kind.PICTURE),  # JPEG XL, bare and boxed
    (b"\0\0\0\x0cJXL ", Kind.PICTURE),
    (b"OggS", Kind.SOUND),
    (b"ID3", Kind.SOUND),
    (b"\xff\xfb", Kind.SOUND),  # MPEG layer 3 without a tag
    (b"\xff\xf3", Kind.SOUND),
    (b"\xff\xf1", Kind.SOUND),  # AAC
    (b"fLaC", Kind.SOUND),
    (b"MThd", Kind.SOUND),
    (b"\x1aE\xdf\xa3", Kind.VIDEO),  # Matroska, WebM
    (b"\0\0\1\xba", Kind.VIDEO),
    (b"FLV\1", Kind.VIDEO),
    (b"PK\x03\x04", Kind.ARCHIVE),
    (b"PK\x05\x06", Kind.ARCHIVE),
    (b"\x1f\x8b", Kind.ARCHIVE),
    (b"BZh", Kind.ARCHIVE),
    (b"\xfd7zXZ\0", Kind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Kind.ARCHIVE),
    (b"Rar!\x1a\x07", Kind.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", Kind.ARCHIVE),  # zstd
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.DOCUMENT),  # Word, Excel and PowerPoint up to 2003
)
_RIFF: Final = {b"WEBP": Kind.PICTURE, b"WAVE": Kind.SOUND, b"AVI ": Kind.VIDEO}
_PICTURE_BRANDS: Final = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif", b"avis")
_SOUND_BRANDS: Final = (b"M4A ", b"M4B ")
_TAR: Final = slice(257, 262)
_OFFICE_PARTS: Final = (b"word/", b"xl/", b"ppt/", b"[Content_Types].xml", b"mimetypeapplication/")
_OFFICE_WITHIN_BYTES: Final = 4096

_TABLE_ENDINGS: Final = (".csv", ".tsv", ".tab")
_PLAIN_ENDINGS: Final = ("", ".txt", ".dat", ".text")


def is_pdf(content: bytes) -> bool:
    """Tell whether this is a PDF: its header at the start, or behind a little that is no text."""
    found = content.find(PDF_HEADER, 0, PDF_HEADER_WITHIN_BYTES)
    if found <= 0:
        return found == 0
    return not content[:found].isascii() or b"\0" in content[:found] or b"\nstartxref" in content


def binary_kind(content: bytes) -> Kind:
    """Return what this is, given that it is no text: by its signature, else simply binary."""
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12], Kind.BINARY)
    if content[4:8] == b"ftyp":  # the ISO base media format: its brand tells
        brand = content[8:12]
        if brand in _PICTURE_BRANDS:
            return Kind.PICTURE
        return Kind.SOUND if brand in _SOUND_BRANDS else Kind.VIDEO
    if content[_TAR] == b"ustar":
        return Kind.ARCHIVE
    kind = next((kind for signature, kind in _SIGNATURES if content.startswith(signature)), Kind.BINARY)
    if kind is Kind.ARCHIVE and any(part in content[:_OFFICE_WITHIN_BYTES] for part in _OFFICE_PARTS):
        return Kind.DOCUMENT
    return kind


def may_be_table(name: str) -> bool | None:
    """Tell what the name of a text hints: it is a table (True), it is something else (False), nothing (None)."""
    ending = PurePath(name).suffix.lower()
    if ending in _TABLE_ENDINGS:
        return True
    return None if ending in _PLAIN_ENDINGS else False
