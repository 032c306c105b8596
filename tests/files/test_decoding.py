"""From bytes to text, and from any text to a harmless one."""

import gzip
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.files.decoding import decode, harmless

WORDS = "Grüße aus Köln: 5 € für „alles“\n" * 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_a_text_is_read_in_the_encoding_it_has(encoding):
    assert decode(WORDS.encode(encoding)) == WORDS


def test_a_big_endian_byte_order_mark_counts_too():
    assert decode(b"\xfe\xff" + WORDS.encode("utf-16-be")) == WORDS


def test_one_wrong_byte_in_a_utf_8_text_does_not_make_it_unreadable():
    text = decode(("plain words, " * 50).encode() + b"\xff and more")
    assert text is not None
    assert text.startswith("plain words, ")


@pytest.mark.parametrize(
    "content",
    [
        b"text with a \0 in it",
        b"\xff\xfe\x00",
        random.Random(7).randbytes(5000),
        gzip.compress(random.Random(7).randbytes(600)),
        bytes(1000),
        b"\x01\x02\x03",
    ],
)
def test_what_is_no_text_is_none(content):
    assert decode(content) is None


def test_colours_controls_and_invisible_letters_go_and_line_ends_become_one_kind():
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    text = f"\x1b[31mred\x1b[0m\r\nbell\x07 and\x1b]0;title\x07 zero\u200bwidth{hidden}\rlast\x0bline\ud800"
    assert harmless(text) == "red\nbell and zerowidth\nlastline"


def test_code_that_would_read_other_than_it_runs_is_shown_as_it_runs():
    assert harmless("if admin \u202e\u2066// check\u2069\u2066") == "if admin // check"


def test_heaps_of_marks_are_cut_down_and_real_scripts_are_left_alone():
    heap = "H" + "\u0301\u0302\u0303\u0304\u0305\u0306" * 20
    assert harmless(heap) == "H\u0301\u0302\u0303"
    for text in (
        "Tiếng Việt",
        unicodedata.normalize("NFD", "ế ợ ữ"),
        "שָׁלוֹם",
        "नमस्ते क्षत्रिय",
        "👩‍👩‍👧 می‌خواهم",
        "e\u0301",
    ):
        assert harmless(text) == text


@given(st.text(alphabet=st.characters(), max_size=300))
def test_whatever_the_text_what_comes_out_can_be_sent_and_stays_as_it_is(text):
    once = harmless(text)
    assert once.encode().decode() == once
    assert not any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in once)
    assert harmless(once) == once


@given(st.binary(max_size=400))
def test_whatever_the_bytes_they_are_a_text_or_none(content):
    text = decode(content)
    assert text is None or "\0" not in text
