import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.frontends.discord.graphemes import is_inside_grapheme
from bot.frontends.discord.split import LIMIT_CHARS, chunks, sayable, split

pieces = st.sampled_from(
    [
        *("word", " ", " ", "\n", "\n", "\n\n", "\r\n", "A sentence. ", "。", "-# small", "> quote\n", "- item\n"),
        *("```", "```py\n", "\n```\n", "````md\n", "````\n", "~~~\n", "~~~~ \n", "    code = 1\n"),
        *("`inline code`", "``a ` b``", "<@123456789012345678>", "<#123>", "<@&9>", "<:smile:123456789>"),
        *("<t:1700000000:R>", "https://example.org/a/b?c=d#e", "[a link](https://example.org/x)", "\\*"),
        *("👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "한국어", "\u1112\u1161\u11ab", "👍🏽", "\x00", "\ud800"),
    ]
)
WHOLE = ("<@123456789012345678>", "<:smile:123456789>", "<t:1700000000:R>", "👩‍👩‍👧‍👦", "👍🏽", "\u1112\u1161\u11ab")
texts = st.one_of(st.text(max_size=600), st.lists(pieces, max_size=150).map("".join))
limits = st.integers(100, 300)
QUOTED_NOTHING = re.compile(r"^[ \t]*> [^\S\n]*$", re.MULTILINE)


def fence_open_at_end(text: str) -> bool:
    """Whether a code block is open after `text`: CommonMark's rule, written anew."""
    marker = ""
    for line in text.split("\n"):
        bare = line.strip()
        if marker:
            if len(bare) >= len(marker) and set(bare) == {marker[0]}:
                marker = ""
            continue
        opening = re.match(r"(`{3,20}(?!`)|~{3,20}(?!~))([^\n]*)", line.lstrip(" \t"))
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            marker = opening[1]
    return bool(marker)


@given(texts, limits)
def test_every_chunk_fits_and_none_is_blank(text, limit):
    for chunk in split(text, limit):
        assert len(chunk) <= limit
        assert chunk.strip()


@given(texts, limits)
def test_nothing_is_lost_but_white_space_and_fences_at_the_cuts(text, limit):
    def solid(value: str) -> str:
        return re.sub(r"[\s`~]", "", QUOTED_NOTHING.sub("", value))

    found = chunks(text, limit)
    assert "".join(solid(chunk.body) for chunk in found) == solid(sayable(text))
    for chunk in found:
        assert re.fullmatch(r"(?:(`{3,}|~{3,})[^\n]*\n)?", chunk.opening)
        assert re.fullmatch(r"\n?(?:`{3,}|~{3,})|", chunk.closing)


@given(st.text(alphabet=st.characters(exclude_characters="`~", exclude_categories=["Cs"]), max_size=900), limits)
def test_text_without_code_blocks_gets_nothing_added(text, limit):
    def solid(value: str) -> str:
        return re.sub(r"\s", "", QUOTED_NOTHING.sub("", value))

    assert "".join(map(solid, split(text, limit))) == solid(sayable(text))


@given(texts, limits, st.data())
def test_while_a_text_grows_only_its_last_chunk_changes(text, limit, data):
    shorter = data.draw(st.integers(0, len(text)).map(lambda length: text[:length]))
    sealed = split(shorter, limit)[:-1]
    assert split(text, limit)[: len(sealed)] == sealed


@given(texts, limits)
def test_code_blocks_are_closed_in_every_chunk(text, limit):
    for chunk in split(text, limit):
        assert not fence_open_at_end(chunk)


@given(st.lists(pieces, max_size=150).map("".join), limits)
def test_what_must_stay_whole_is_not_cut(text, limit):
    joined = "\x00".join(split(text, limit))  # a cut leaves a mark
    for whole in WHOLE:
        torn = [whole[:at] + "\x00" + whole[at:] for at in range(1, len(whole))]
        assert not any(part in joined for part in torn)


def test_a_short_text_is_one_chunk_as_it_is():
    assert split("Hello\n\n  there ") == ["Hello\n\n  there"]


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t ", "\x00", "\ud800"])
def test_blank_text_is_no_chunk(blank):
    assert split(blank) == []


def test_the_end_of_a_paragraph_is_preferred_to_a_later_line_sentence_or_space():
    text = "a" * 60 + "\n\n" + "b" * 20 + "\n" + "c. d e " * 10
    assert split(text, 100)[0] == "a" * 60


def test_the_end_of_a_line_is_preferred_to_a_later_sentence():
    text = "a" * 60 + "\n" + "Word. " * 20
    assert split(text, 100)[0] == "a" * 60


def test_the_end_of_a_sentence_is_preferred_to_a_later_space():
    text = "a" * 60 + ". " + "word " * 20
    assert split(text, 100)[0] == "a" * 60 + "."


def test_a_code_block_is_closed_and_opened_again_with_its_language():
    code = "".join(f"line_{number} = {number}\n" for number in range(40))
    first, second, *_ = split(f"```python\n{code}```", 200)
    assert first.startswith("```python\n")
    assert first.endswith("\n```")
    assert second.startswith("```python\nline_")


def test_a_wall_of_code_fits_with_its_fences():
    found = split("```python\n" + "x" * 5000 + "\n```")
    assert all(len(chunk) <= LIMIT_CHARS and chunk.endswith("```") for chunk in found)
    assert sum(chunk.count("x") for chunk in found) == 5000


def test_a_longer_fence_is_closed_with_as_many_marks():
    first, second, *_ = split("````md\n" + "```\nx\n```\n" * 30 + "````", 120)
    assert first.endswith("\n````")
    assert second.startswith("````md\n")


def test_a_block_that_begins_late_moves_to_the_next_chunk():
    text = "word " * 14 + "\n```py\n" + "x = 1\n" * 20 + "```"
    first, second, *_ = split(text, 100)
    assert "```" not in first
    assert second.startswith("```py\nx = 1")


def test_a_block_that_ends_at_the_limit_leaves_no_empty_block_behind():
    for size in range(60, 110):
        text = "```py\n" + "x" * size + "\n```\nafter it " + "y" * 60
        assert not any(re.search(r"```py\n\s*```", chunk) for chunk in split(text, 100))


def test_an_indentation_after_a_cut_is_kept():
    text = "- a\n" * 20 + "  - nested\n" * 20
    assert any(chunk.startswith("  - nested") for chunk in split(text, 100)[1:])


@pytest.mark.parametrize(
    "whole",
    [
        "https://example.org/" + "x" * 50,
        "[some text here](https://example.org/" + "x" * 30 + ")",
        "`code that must stay together`",
        "<@123456789012345678>",
        "**bold**\\*",
    ],
)
@pytest.mark.parametrize("before", range(30, 100, 7))
def test_a_span_moves_to_the_next_chunk_as_one(whole, before):
    assert any(whole in chunk for chunk in split("a" * before + " " + whole + " " + "b" * 100, 100))


def test_a_wall_of_characters_is_cut_at_the_limit():
    assert [len(chunk) for chunk in split("x" * 5000)] == [LIMIT_CHARS, LIMIT_CHARS, 1000]


def test_a_character_of_endless_marks_is_cut_all_the_same():
    found = split("a" + "\u0301" * 5000)
    assert sum(map(len, found)) == 5001
    assert max(map(len, found)) <= LIMIT_CHARS


def test_flags_are_pairs_counted_from_the_left():
    flags = "🇩🇪🇫🇷"
    assert [is_inside_grapheme(flags, at) for at in range(5)] == [False, True, False, True, False]


@pytest.mark.parametrize("end", ["> ", "> \n", "> \x00\n", "> \n>  \n\n> "])
def test_quoted_lines_of_nothing_at_the_end_leave_no_mark(end):
    assert split(f"word\n{end}", 300) == ["word"]
    assert split("word\n>", 300) == ["word\n>"]
