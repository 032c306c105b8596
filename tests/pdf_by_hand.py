"""PDFs as tests need them: with text, without, hostile. Built byte by byte, with pypdf only where it must encrypt."""

import io
import zlib

from pypdf import PdfReader, PdfWriter


def pdf_of(*pages: str) -> bytes:
    """Return a PDF with a page for each text; an empty one has a page without text."""
    return pdf_of_streams(*[f"BT /F1 12 Tf 50 700 Td ({page}) Tj ET".encode() if page else b"" for page in pages])


def pdf_of_streams(*streams: bytes, packed: bool = False) -> bytes:
    """Return a PDF whose pages are drawn by these content streams; `packed`: they are deflated already."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for stream in streams:
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {number + 1} 0 R"
        objects.append(f"{page} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        filters = b"/Filter /FlateDecode " if packed else b""
        objects.append(b"<< %s/Length %d >>\nstream\n%s\nendstream" % (filters, len(stream), stream))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    return _file_of(objects)


def _file_of(objects: list[bytes]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def locked_pdf(text: str, password: str) -> bytes:
    """Return a PDF that opens with the password only, which may be empty."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of(text))))
    writer.encrypt(password, owner_password="the owner's", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def deflated(content: bytes, times: int = 1) -> bytes:
    """Return content deflated so often."""
    for _ in range(times):
        content = zlib.compress(content, 9)
    return content
