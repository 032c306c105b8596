"""Filtered words: found however they are written, and masked in a growing text that never shows one for a moment."""

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core.wordfilter import MASK, Mask, WordFilter, entry_of


def filter_of(*words):
    return WordFilter(map(entry_of, words))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bad", "Bad"),
        ("bad", "it is (BAD)!"),
        ("bad", "ｂａｄ"),
        ("bad", "b\u200ba\u00add"),
        ("bad", "b\u0301a\u0308d\u20e3"),
        ("naïve", "NAIVE"),
        ("naive", "nai\u0308ve"),
        ("straße", "STRASSE"),
        ("ﬁg", "fig"),
        ("very bad", "very\n\t BAD"),
        ("very bad", "very\u00a0bad"),
        ("foo*", "foobar"),
        ("foo*", "foo"),
        ("c++", "c++ or C++"),
        ("坏", "这坏人"),
        ("ばか", "このばかもの"),
        ("하나", "하나!"),
        ("bad", "坏bad坏"),
        ("bad", "it is _bad_, **bad**, ~~bad~~"),
        ("bad", "b**a**d"),
        ("bad", "so ***b***_a_~~d~~, they say"),
        ("bad", "||b||||a||`d`"),
        ("bad", r"b\*a\*d"),
        ("bad", "b＊a＿d"),
        ("bad", "b*\u200b*a\u0301__d"),
        ("bad", "bad_thing"),
        ("bad", "a_b_a_d_thing"),
        ("坏人", "这坏**人**"),
        ("very bad", "ver**y** _b_ad"),
        ("foo*", "f_o_o-"),
        ("f**k", "f**k"),
        ("b_ad", "bad"),
    ],
)
def test_a_word_is_found_however_it_is_written(word, text):
    assert filter_of(word).is_in(text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bad", "badge"),
        ("bad", "forbad"),
        ("bad", "bád1"),
        ("foo*", "barfoo"),
        ("very bad", "very, bad"),
        ("very bad", "every bad"),
        ("하", "한"),
        ("か", "が"),
        ("bad", ""),
        ("bad", "b*a*dge"),
        ("bad", "forb**ad**"),
        ("bad", "b" + "*" * 30 + "ad"),
        ("bad", "b a * d"),
    ],
)
def test_no_other_word_is(word, text):
    assert not filter_of(word).is_in(text)
    assert filter_of(word).masked(text) == text


@pytest.mark.parametrize("nothing", ["", " ", "*", "**", "_ `", "…", "\u200b", "!?", "\x00", MASK, f"a {MASK}"])
def test_what_has_neither_letter_nor_digit_or_has_a_mask_is_no_word(nothing):
    assert entry_of(nothing) == ""
    assert not filter_of(nothing)


def test_each_character_is_masked_and_white_space_stays():
    words = filter_of("very bad", "word up", "bad word")
    assert words.masked("A very\nbad word up!") == "A ■■■■\n■■■ ■■■■ ■■!"
    assert filter_of("e*").masked("b\u0301e\u0301g e\u0301g\u0301s.") == "b\u0301e\u0301g ■■■■■."


def test_what_emphasizes_within_a_word_stays_and_ends_no_emphasis_of_others():
    assert filter_of("bad").masked("**so b**_a_||d||, _bad_") == "**so ■**_■_||■||, _■■■_"
    assert filter_of("foo*").masked("f**oo**ls") == "■**■■**ls"


@pytest.mark.parametrize(("entry", "kept"), [("**bad**", "bad*"), ("_bad_", "bad"), ("b\\ad ", "bad"), ("c++", "c++")])
def test_a_word_is_kept_without_what_emphasizes_it(entry, kept):
    assert entry_of(entry) == kept


def growing(words, pieces):
    """Return what is shown after each piece, and at last after the end."""
    mask, shown = Mask(words), ""
    for piece in pieces:
        shown += mask.feed(piece)
        yield shown
    yield shown + mask.finish()


def test_what_may_become_a_word_is_held_back_until_it_is_known():
    shown = list(growing(filter_of("bad apple"), ["a b", "ad", " ", "app", "lic", "ation"]))
    assert shown == ["a ", "a ", "a ", "a ", "a bad applic", "a bad application", "a bad application"]
    assert list(growing(filter_of("bad"), ["so b", "ad", "!"])) == ["so ", "so ", "so ■■■!", "so ■■■!"]
    assert list(growing(filter_of("bad"), ["so b*", "*a", "d*", "*"])) == [
        "so ",
        "so ",
        "so ■**■■*",
        "so ■**■■**",
        "so ■**■■**",
    ]
    assert list(growing(filter_of("bad"), ["so b", "ad"])) == ["so ", "so ", "so ■■■"]
    assert list(growing(filter_of("ba*"), ["so b", "ad", "ly", " "])) == [
        "so ",
        "so ■■■",
        "so ■■■■■",
        "so ■■■■■ ",
        "so ■■■■■ ",
    ]


ALPHABET = "bad of**_|\n\u0301\u200bßé坏か\u3099+_한하ｂBİ½¨ﬁ" + MASK
WORDS = st.lists(
    st.builds(str.__add__, st.text(ALPHABET, min_size=1, max_size=5), st.sampled_from(["", "*"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(WORDS, st.lists(st.text(ALPHABET, max_size=5), max_size=12))
@example(["坏*", "roか*"], ["坏r", "B", "B", "\u0301r"])
@example(["a*", "ß"], ["a", "½ß"])
@example(["坏"], ["坏", "\u0301b"])
@example(["bad of", "of a"], ["bad of", " ", "b"])
@example(["o ■"], ["o¨", "o ■"])
def test_a_growing_text_never_shows_a_filtered_word_and_never_takes_back_what_it_showed(entries, pieces):
    words, text = filter_of(*entries), "".join(pieces)
    states = list(growing(words, pieces))
    for before, after in itertools.pairwise(states):
        assert after.startswith(before)
    assert not any(words.is_in(shown) for shown in states)
    whole = states[-1]
    assert whole == words.masked(text)
    assert len(whole) == len(text)
    assert (whole == text) is not words.is_in(text)
    assert all(new in (old, MASK) for new, old in zip(whole, text, strict=True))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30), st.text(max_size=60))
def test_any_text_can_be_a_word_and_be_masked(word, text):
    words = filter_of(word)
    masked = words.masked(f"{text} {word} {text}")
    assert len(masked) == 2 * len(text) + len(word) + 2
    assert "".join(growing(words, text)).endswith(words.masked(text))


def test_a_full_list_masks_a_long_answer_in_a_small_part_of_a_tokens_time():
    words = filter_of(*(f"{a}{b}word{c}" for a, b, c in itertools.product("aeiou", "bcdfghkl", "klmnp")))
    assert len(words.entries) == 200
    pieces = ["some ", "bad", "ger ", "answers", ", and ", "so", " on.\n"] * 300
    started = time.process_time()
    shown = list(growing(words, pieces))[-1]
    assert shown == "".join(pieces)
    assert (time.process_time() - started) / len(pieces) < 0.001


def test_a_line_to_be_filled_in_is_shown_and_takes_no_longer_the_longer_it_gets():
    started = time.process_time()
    shown = list(growing(filter_of("ab"), ["a"] + ["____"] * 2000))
    assert shown[-2] == "a" + "_" * 8000
    assert time.process_time() - started < 2


def test_a_word_without_an_end_takes_no_longer_the_longer_it_gets():
    started = time.process_time()
    assert list(growing(filter_of("ab*"), ["abcd"] * 2000))[-1] == MASK * 8000
    assert time.process_time() - started < 2
