"""Tables, JSON and notebooks: what a model gets of them."""

import json

import pytest

from bot.files.extraction import extract
from bot.files.kinds import Kind
from bot.files.tables import render_table


def test_a_table_gets_its_size_in_front_and_loses_its_padding_and_quotes():
    rows = '"name" ; "city"\r\n\r\n"Ada"   ;"London; UK"\r\n"Bob \n Ross";"says ""hi"""\r\n;\r\n'
    found = extract(rows.encode("cp1252"), "people.CSV", 1000)
    assert found.kind is Kind.TABLE
    assert found.text == '(3 rows, 2 columns)\nname; city\nAda; "London; UK"\nBob Ross; "says ""hi"""'


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_sign_between_the_cells_is_found_by_content(separator):
    text = "\n".join(separator.join((str(row), "a b", "1.5", "x")) for row in range(8))
    assert render_table(text, None).startswith("(8 rows, 4 columns)\n0")


@pytest.mark.parametrize(
    "text",
    [
        "Dear all, hello,\nthis is prose, with commas,\nin each line, two,\nas it happens, so,\nit goes, on,\n",
        "one line, of words, only",
        "a, b\nc\nd, e, f\n\ng\nh",
        "",
    ],
)
def test_prose_is_no_table_unless_its_name_says_so_and_not_even_then_if_it_is_none(text):
    assert render_table(text, False) is None
    if text.count("\n") != 5:
        assert render_table(text, None) is None
        assert render_table(text, True) is None


def test_code_is_no_table_however_regular():
    code = "\n".join("f(a, b, c)" for _ in range(9))
    assert extract(code.encode(), "calls.py", 1000).kind is Kind.TEXT


def test_long_cells_are_clipped_and_a_cell_beyond_all_measure_makes_it_a_text():
    assert "x" * 300 + "…" in render_table(f"a,b\n{'x' * 5000},2\n", True)
    huge = f"a,b\n{'x' * 200_000},2\n"
    assert extract(huge.encode(), "huge.csv", 1000).kind is Kind.TEXT


def test_a_long_table_is_cut_at_the_end_of_a_row():
    rows = "\n".join(f"{number},name {number},{number**3}" for number in range(5000))
    found = extract(rows.encode(), "numbers.csv", 2000)
    head, *kept = found.text.splitlines()
    assert head == "(5000 rows, 3 columns)"
    assert kept == [f"{number}, name {number}, {number**3}" for number in range(len(kept))]
    assert 1800 <= len(found.text) <= 2000
    assert found.left_out_chars > 80_000


def test_a_text_without_line_ends_is_cut_where_it_is_full():
    found = extract(b"x" * 5000, "x.log", 1000)
    assert (len(found.text), found.left_out_chars) == (1000, 4000)


def test_json_is_shown_as_it_was_written():
    written = '{\n  "b": [1, 2],\n  "a": null\n}'
    found = extract(written.encode(), "config", 1000)
    assert (found.kind, found.text) == (Kind.JSON, written)


@pytest.mark.parametrize(
    "text", ['{"a": 1,}', "[" * 100_000, "[1" + "1" * 10_000 + "]", '{"a": NaN', "{{ template }}", "[section]\nkey=1"]
)
def test_what_only_looks_like_json_is_a_text(text):
    assert extract(text.encode(), "a.json", 200_000).kind is Kind.TEXT


def notebook(*cells, **metadata):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "execution_count": 1, "metadata": {}}


def test_a_notebook_is_its_sources_and_what_they_printed_without_pictures():
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 500, "text/plain": "<Figure>"}}
    printed = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
    result = {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}}
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31mlong\x1b[0m"]}
    data = notebook(
        {"cell_type": "markdown", "source": ["# Title\n", "words"]},
        code(["x = 1\n", "x"], printed, result, picture),
        code("raise ValueError", error),
        code(""),
        language_info={"name": "python"},
    )
    found = extract(json.dumps(data).encode(), "notes.txt", 10_000)
    assert found.kind is Kind.NOTEBOOK
    assert found.text == (
        "# Title\nwords\n\n[2]\n```python\nx = 1\nx\n```\n\nOutput:\n```\none\ntwo\n42\n(a picture)\n```\n\n"
        "[3]\n```python\nraise ValueError\n```\n\nOutput:\n```\nValueError: no\n```\n\n[4]\n```python\n\n```"
    )


def test_a_notebook_of_the_older_format_is_read_too():
    cell = {"cell_type": "code", "input": ["1+1"], "outputs": [{"output_type": "pyout", "text": ["2"]}]}
    drawn = {"cell_type": "code", "input": "plot()", "outputs": [{"output_type": "display_data", "png": "iVBO"}]}
    data = {"nbformat": 3, "metadata": {}, "worksheets": [{"cells": [cell]}, {"cells": [drawn]}]}
    text = extract(json.dumps(data).encode(), "old.ipynb", 1000).text
    assert "1+1" in text
    assert "```\n2\n```" in text
    assert "(a picture)" in text
    assert "iVBO" not in text


def test_long_outputs_are_clipped_and_escaped_controls_are_harmless():
    long = {"output_type": "stream", "text": "y" * 50_000}
    found = extract(json.dumps(notebook(code("go\u202e()\ud800", long))).encode(), "a.ipynb", 100_000)
    assert "y" * 1000 + "\n[…]" in found.text
    assert "y" * 1001 not in found.text
    assert "go()" in found.text


@pytest.mark.parametrize(
    "cells",
    [
        [None, 1, "x", []],
        [{"cell_type": "code", "source": {"a": 1}, "outputs": "none"}],
        [{"cell_type": ["code"], "source": [1, None, "fine"]}],
        [code("a", None, 3, {"output_type": "stream"}, {"data": [], "text": 5}, {"output_type": "error", "ename": 1})],
    ],
)
def test_a_notebook_with_any_part_wrong_is_read_as_far_as_it_goes(cells):
    whole = [*cells, code("still here")]
    for metadata in ({}, {"language_info": 3}, {"kernelspec": {"name": "```\nevil"}}):
        assert "still here" in extract(json.dumps(notebook(*whole, **metadata)).encode(), "a.ipynb", 10_000).text


def test_a_notebook_without_anything_in_it_is_empty():
    assert extract(json.dumps(notebook()).encode(), "a.ipynb", 1000).reason == "file.empty"
