"""The messages of an answer show what the whole answer would, whatever Markdown it is made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.frontends.discord.split import LIMIT_CHARS, Splitter, sayable, split
from discord_markdown import longest_span_chars, seen

SPAN_CHARS = 220
"""A longer emphasis, spoiler or inline code may be cut, and loses its marks then. It is what the shortest messages here
can hold beside the fifth that each must have; of Discord's 2000 characters it is 1,500."""

PLAIN = (
    *(
        "word",
        "another",
        "a",
        "longer-than-most-words",
        "sentence.",
        "Why?",
        "one,",
        "。",
        "한국어",
        "\u1112\u1161\u11ab",
    ),
    *(
        "👩‍👩‍👧‍👦",
        "🇩🇪🇫🇷",
        "👍🏽",
        "❤️",
        "Z̷̢̛a̸͎̾l̵̠͝g̶̣̈́o",
        "e\u0301",
        "\u200fעברית\u200e",
        "مرحبا",
        "\u2067rtl\u2069",
        "\x00",
        "\ud800",
        "snake_case",
    ),
)
MARKUP_LIKE = ("#", "##", "-", "-#", "*", "+", ">", "1.", "12)", "|", "2*3", "~", "a_b", "\\", "[x]", "<", ":")
STRAY_MARKS = (
    "*open",
    "**open",
    "__open",
    "_open",
    "~~open",
    "||open",
    "`",
    "``open",
    "shut*",
    "shut**",
    "shut__",
    "**",
)
TOKENS = (
    *("<@123456789012345678>", "<@&9>", "<#123>", "<:smile:123456789>", "<a:dance:42>", "<t:1700000000:R>"),
    *("https://example.org/a/b?c=d#e", "[a link](https://example.org/x)", "\\*", "\\`", "\\_", "\\|"),
)
plain = st.sampled_from(PLAIN)
phrases = st.lists(st.sampled_from(PLAIN[:6]), min_size=1, max_size=5).map(" ".join)
marks = st.sampled_from(["**", "__", "~~", "||", "*", "_"])
emphasised = st.builds(lambda mark, words: f"{mark}{words}{mark}", marks, phrases)
nested = st.builds("**{} {} {}**".format, phrases, st.sampled_from(["||secret||", "`x = 1`", "*more*"]), phrases)
code = st.builds(lambda ticks, words: f"{ticks}{words}{ticks}", st.sampled_from(["`", "``"]), phrases)
words = st.one_of(plain, plain, plain, st.sampled_from(TOKENS), emphasised, nested, code)
lines = st.lists(st.one_of(words, words, words, st.sampled_from(MARKUP_LIKE)), min_size=1, max_size=60).map(" ".join)
tame_lines = st.lists(words, min_size=1, max_size=12).map(" ".join)
stray_lines = st.lists(st.one_of(words, words, words, st.sampled_from(STRAY_MARKS)), min_size=1, max_size=25).map(
    " ".join
)
verses = st.builds(
    lambda mark, verses_: mark + "\n".join(verses_) + mark, marks, st.lists(phrases, min_size=2, max_size=4)
).filter(lambda found: len(found) <= SPAN_CHARS)
code_lines = st.one_of(
    st.sampled_from(
        ["x = 1", "    y = 2", "", "```py", "```", "`", "# no heading", "> no quote", "**no bold**", "\tz"]
    ),
    st.integers(50, 300).map("x".__mul__),
    st.integers(10, 90).map("a b ".__mul__),
)


@st.composite
def fenced(draw, indent="", quote=""):
    body = draw(st.lists(code_lines, max_size=25))
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    marker = draw(st.sampled_from(["`" * max(3, longest + 1), "~~~", "~~~~~"]))
    lines_ = [marker + draw(st.sampled_from(["", "py", "c++"])), *body, marker]
    return "\n".join(quote + indent + line for line in lines_)


def each(prefix, some):
    return some.map(lambda found: "\n".join(prefix + line for line in found))


blocks = st.one_of(
    lines,
    tame_lines,
    stray_lines,
    verses,
    each("> ", st.lists(stray_lines, min_size=1, max_size=3)),
    each("- ", st.lists(stray_lines, min_size=1, max_size=3)),
    st.builds(lambda level, words_: f"{'#' * level} {words_}", st.integers(1, 4), tame_lines),
    each("> ", st.lists(lines, min_size=1, max_size=4)),
    each("- ", st.lists(lines, min_size=1, max_size=4)),
    each("  * ", st.lists(tame_lines, min_size=1, max_size=3)),
    each("1. ", st.lists(tame_lines, min_size=1, max_size=4)),
    tame_lines.map("-# {}".format),
    each("| ", st.lists(tame_lines.map("{} | 1 |".format), min_size=2, max_size=4)),
    fenced(),
    fenced(indent="  "),
    fenced(quote="> "),
    st.just("```py\nnever closed"),
)
documents = st.builds(
    lambda found: "".join(block + gap for block, gap in found),
    st.lists(st.tuples(blocks, st.sampled_from(["\n", "\n\n", "\n\n\n"])), min_size=1, max_size=8),
).filter(lambda text: longest_span_chars(sayable(text)) <= SPAN_CHARS)
limits = st.integers(300, 500)


@given(documents, limits)
def test_the_messages_show_what_the_whole_would(text, limit):
    assert [shown for chunk in split(text, limit) for shown in seen(chunk)] == seen(sayable(text))


@given(documents, limits)
def test_each_message_fits_as_discord_counts_and_is_sayable(text, limit):
    for chunk in split(text, limit):
        assert 0 < len(chunk.strip()) <= len(chunk) <= limit
        assert chunk.encode() == sayable(chunk).encode()


@given(documents, limits, st.data())
def test_a_full_message_never_changes_while_the_text_grows(text, limit, data):
    at = data.draw(st.integers(0, len(text)))
    sealed = split(text[:at], limit)[:-1]
    assert split(text, limit)[: len(sealed)] == sealed


@given(documents, limits, st.lists(st.floats(0, 1), max_size=6))
def test_a_text_that_grows_and_shrinks_is_cut_as_if_it_had_always_been_so(text, limit, shares):
    splitter = Splitter(limit)
    splitter.chunks(text)
    for share in shares:
        part = text[: round(len(text) * share)]
        assert [str(chunk) for chunk in splitter.chunks(part)] == split(part, limit)


def test_a_text_that_shrinks_to_less_than_a_message_is_one_message_again():
    splitter = Splitter(100)
    text = "a" * 60 + "\n\n" + "b" * 60
    assert len(splitter.chunks(text)) == 2
    assert [str(chunk) for chunk in splitter.chunks(text[:90])] == [text[:90]]


@pytest.mark.parametrize(
    "text",
    [
        "word " * 45 + "2*3 **" + "bold " * 25 + "words** " + "word " * 40,
        "word " * 60 + "**" + "bold " * 80 + "words** " + "word " * 40,
        "word " * 50 + "\n*one line\nanother line\nand another\nthe last line of a verse* " + "word " * 40,
        "word " * 30 + "*" + "word\nword " * 30 + "end* " + "word " * 20,
        "a stray ` here " + "word " * 40 + "**" + "bold " * 25 + "words** " + "word " * 50,
        "word " * 5 + "_open " + "word " * 40 + "**" + "bold " * 25 + "words** " + "word " * 50,
    ],
    ids=["a stray star", "long", "a verse", "a long verse", "a stray backtick", "a stray underscore"],
)
def test_marks_work_however_long_and_beside_stray_ones(text):
    for limit in range(max(300, 10 * longest_span_chars(text) // 7), 800, 3):
        assert [shown for chunk in split(text, limit) for shown in seen(chunk)] == seen(text)


# What is not promised -------------------------------------------------------------------------------------------------


def test_an_emphasis_longer_than_a_message_is_cut_between_words_and_shows_its_marks():
    first, *_, last = found = split("**" + "word " * 1000 + "end**")
    assert first.startswith("**word")
    assert last.endswith("end**")
    assert_is_whole(found, "**" + "word " * 1000 + "end**")
    assert {thing for thing, _, emphasis in seen(first) if emphasis} == set()


def test_a_quote_to_the_end_of_the_message_ends_with_its_message():
    text = ">>> " + "word " * 1000
    first, second, *_ = found = split(text)
    assert first.startswith(">>> word")
    assert second.lstrip().startswith("word")
    assert_is_whole(found, text)


def test_a_nested_item_goes_on_without_its_bullet_and_indentation():
    text = "- an item\n  - " + "word " * 500
    first, second = found = split(text)
    assert first.startswith("- an item\n  - word")
    assert second.lstrip().startswith("word")
    assert_is_whole(found, text)


def test_a_line_that_only_looks_like_the_beginning_of_code_makes_the_rest_code():
    text = "word\n```\n" + "word " * 500
    first, second = found = split(text)
    assert first.endswith("\n```")
    assert second.startswith("```\n word")
    assert_is_whole([chunk.replace("```", "") for chunk in found], text.replace("```", ""))


def assert_is_whole(messages, text):
    assert all(len(message) <= LIMIT_CHARS for message in messages)
    assert " ".join(messages).split() == text.split()
