"""The text of PDFs, and what is said of those that have none."""

import pytest

from bot.files.extraction import extract
from bot.files.kinds import Kind
from bot.files.pdfs import PdfUnreadable, read_pdf
from pdf_by_hand import deflated, locked_pdf, pdf_of, pdf_of_streams


def test_each_page_of_a_pdf_is_behind_its_number():
    found = extract(pdf_of("Hello from one", "and from two"), "a.pdf", 1000)
    assert (found.kind, found.left_out_chars) == (Kind.PDF, 0)
    assert found.text == "--- page 1 of 2 ---\nHello from one\n\n--- page 2 of 2 ---\nand from two"


def test_a_packed_page_is_unpacked():
    packed = pdf_of_streams(deflated(b"BT /F1 12 Tf 50 700 Td (packed words) Tj ET"), packed=True)
    assert "packed words" in extract(packed, "a.pdf", 1000).text


def test_a_long_pdf_is_read_only_as_far_as_it_is_wanted():
    pdf = pdf_of(*[f"page about {number}" for number in range(300)])
    found = read_pdf(pdf, 200, patience_s=60)
    assert (found.pages_read, found.pages) == (6, 300)
    cut = extract(pdf, "a.pdf", 200)
    assert len(cut.text) <= 200
    assert 300 * 30 < cut.left_out_chars < 300 * 60


def test_patience_ends_with_the_page_that_took_too_long():
    assert read_pdf(pdf_of("one", "two", "three"), 1000, patience_s=-1).pages_read == 1


def test_a_page_without_text_is_empty_and_a_pdf_without_any_says_so():
    assert extract(pdf_of("", "words"), "a.pdf", 1000).text.startswith("--- page 1 of 2 ---\n\n\n--- page 2")
    assert extract(pdf_of("", ""), "scan.pdf", 1000).reason == "file.pdf_scanned"


def test_a_locked_pdf_says_so_and_one_with_an_empty_password_is_read():
    assert extract(locked_pdf("secret words", "1234"), "a.pdf", 1000).reason == "file.pdf_locked"
    assert "open words" in extract(locked_pdf("open words", ""), "a.pdf", 1000).text


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7",
        b"%PDF-1.7\n" + b"junk \xff\xfe" * 200,
        pdf_of("cut off")[:200],
        pdf_of(),
        pdf_of("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"),  # a tree of pages that holds itself
    ],
)
def test_a_damaged_pdf_says_so(content):
    assert extract(content, "a.pdf", 1000).reason in ("file.pdf_broken", "file.pdf_scanned")


def test_one_damaged_page_does_not_cost_the_others():
    whole = pdf_of_streams(b"not deflated at all", deflated(b"BT /F1 12 Tf (sound) Tj ET"), packed=True)
    text = extract(whole, "a.pdf", 1000).text
    assert text.startswith("--- page 1 of 2 ---\n")
    assert text.endswith("--- page 2 of 2 ---\nsound")


def test_what_a_pdf_hides_from_sight_is_taken_out_of_its_text():
    with pytest.raises(PdfUnreadable, match=r"file\.pdf_scanned"):
        read_pdf(pdf_of(r"\001\002\003"), 1000, patience_s=60)
