"""What a file is, by its content."""

import gzip
import io
import struct
import tarfile
import zipfile

import pytest

from bot.files.decoding import decode
from bot.files.extraction import extract
from bot.files.kinds import Kind, binary_kind, is_pdf
from pdf_by_hand import pdf_of


def zipped(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return out.getvalue()


def tarred():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return out.getvalue()


BINARIES = {
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind.PICTURE),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", Kind.PICTURE),
    "gif": (b"GIF89a\1\0\1\0\x80\0\0", Kind.PICTURE),
    "webp": (b"RIFF\x24\0\0\0WEBPVP8 ", Kind.PICTURE),
    "bmp": (b"BM" + struct.pack("<IHHI", 70, 0, 0, 54), Kind.PICTURE),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", Kind.PICTURE),
    "ogg": (b"OggS\0\2" + bytes(20), Kind.SOUND),
    "mp3 with a tag": (b"ID3\4\0\0\0\0\0\0", Kind.SOUND),
    "mp3 without": (b"\xff\xfb\x90\x64" + bytes(20), Kind.SOUND),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", Kind.SOUND),
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0", Kind.SOUND),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0", Kind.VIDEO),
    "webm": (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1f", Kind.VIDEO),
    "zip": (zipped("a.txt"), Kind.ARCHIVE),
    "gzip": (gzip.compress(b"text"), Kind.ARCHIVE),
    "tar": (tarred(), Kind.ARCHIVE),
    "docx": (zipped("[Content_Types].xml", "word/document.xml"), Kind.DOCUMENT),
    "odt": (zipped("mimetypeapplication/vnd.oasis.opendocument.text"), Kind.DOCUMENT),
    "doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), Kind.DOCUMENT),
    "program": (b"\x7fELF\2\1\1" + bytes(40), Kind.BINARY),
    "riff of some other kind": (b"RIFF\x24\0\0\0SFBKLIST", Kind.BINARY),
}


@pytest.mark.parametrize(("content", "kind"), BINARIES.values(), ids=BINARIES)
def test_a_file_is_what_its_first_bytes_say_whatever_its_name(content, kind):
    assert decode(content) is None
    assert binary_kind(content) is kind
    found = extract(content, "harmless.txt", 1000)
    assert (found.kind, found.reason, found.text) == (kind, f"file.{kind}", "")


@pytest.mark.parametrize(
    "text", ["BMW is a car", "MZ is short", "GIF8 is no format", "ID3 tags", "PK zip", "OggS", "II*"]
)
def test_a_text_that_begins_like_a_binary_is_a_text(text):
    found = extract(text.encode(), "picture.png", 1000)
    assert (found.kind, found.text) == (Kind.TEXT, text)


def test_a_pdf_is_one_by_its_header_even_behind_a_little_junk_but_not_because_a_text_talks_of_it():
    pdf = pdf_of("hello")
    assert is_pdf(pdf)
    assert is_pdf(b"\xef\xbb\xbf" + pdf)
    assert is_pdf(b"HTTP/1.1 200 OK\n\n" + pdf)
    assert extract(pdf, "notes.txt", 1000).kind is Kind.PDF
    assert not is_pdf(b"A PDF begins with %PDF-1.7.")
    assert not is_pdf(b"text " * 300 + pdf)


def test_rich_text_is_a_document_although_all_of_it_is_ascii():
    assert extract(rb"{\rtf1\ansi Hello}", "a.txt", 1000).reason == "file.document"


@pytest.mark.parametrize("content", [b"", b"  \n\t\n", b"\xef\xbb\xbf", "\u200b\u200b".encode()])
def test_nothing_but_blanks_is_empty(content):
    assert extract(content, "a.txt", 1000).reason == "file.empty"
