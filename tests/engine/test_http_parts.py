"""The small parts of the engine's HTTP interface: stop strings, server-sent events, errors there and back."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.engine.http import sse
from bot.engine.http.errors import of_engine, to_engine_error
from bot.engine.http.health import Health
from bot.engine.http.stops import StopStrings
from bot.errors import DeviceUnavailable, EngineBusy, EngineDead, EngineFailed, PromptTooLong

# Few letters, so that stop strings are found, overlap and begin again within themselves.
TEXT = st.text("ab ", max_size=40)
STOPS = st.lists(st.text("ab ", min_size=1, max_size=5), max_size=4)


def cut(text, at):
    edges = [0, *sorted(edge % (len(text) + 1) for edge in at), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def shown_of(pieces, stops):
    """Return what is shown after each piece, and whether a stop string was found."""
    watch, shown = StopStrings(stops), [""]
    for piece in pieces:
        more, was_found = watch.push(piece)
        shown.append(shown[-1] + more)
        if was_found:
            return shown, True
    return [*shown, shown[-1] + watch.flush()], False


@given(TEXT, STOPS, st.lists(st.integers(0, 40), max_size=10))
@example("ab", ["a", "b"], [])
@example("a bab", ["bab", "ab"], [3, 4])
def test_however_a_text_is_cut_it_ends_before_the_stop_string_that_is_complete_first(text, stops, at):
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    expected = text[: min(ends)[1]] if ends else text
    shown, was_found = shown_of(cut(text, at), stops)
    assert (shown[-1], was_found) == (expected, bool(ends))
    assert all(expected.startswith(one) for one in shown)


@given(TEXT, STOPS)
def test_no_more_is_held_back_than_might_become_a_stop_string(text, stops):
    watch = StopStrings(stops)
    shown, was_found = watch.push(text)
    if not was_found:
        held = text[len(shown) :]
        assert held == "" or any(stop.startswith(held) for stop in stops)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=6), st.data())
async def test_events_are_read_as_they_were_written_however_the_bytes_are_cut(contents, data):
    written = b"".join(part for content in contents for part in (sse.event(content), sse.HEARTBEAT)) + sse.DONE
    edges = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8)))

    async def pieces():
        for start, end in zip([0, *edges], [*edges, len(written)], strict=True):
            yield written[start:end]

    events = [event async for event in sse.read_events(pieces())]
    assert events[-1] == "[DONE]"
    assert [json.loads(event) for event in events[:-1]] == contents


async def test_an_event_of_several_lines_is_one_and_an_unfinished_one_is_none():
    async def pieces():
        yield b"event: x\ndata: one\ndata:two\nid: 3\n\ndata: three\n"

    assert [event async for event in sse.read_events(pieces())] == ["one\ntwo"]


@pytest.mark.parametrize("error", [PromptTooLong(64, 63), EngineBusy("m"), EngineFailed("m"), EngineDead("m")])
def test_an_engines_error_comes_out_at_the_client_as_it_went_in(error):
    sent = of_engine(error)
    back = to_engine_error(sent.status, sent.body(), prompt_tokens=64, context_tokens=64)
    assert type(back) is type(error)
    assert back.fields == error.fields


def test_an_engine_that_could_not_start_is_dead_to_the_client():
    sent = of_engine(DeviceUnavailable("there is no GPU.7"))
    back = to_engine_error(sent.status, sent.body(), prompt_tokens=1, context_tokens=64)
    assert type(back) is EngineDead
    assert "GPU.7" in str(back)


@pytest.mark.parametrize("stage", ["loading.compiling", "loading.of_a_newer_server", "error.engine", "", "x" * 1000])
def test_a_stage_is_always_a_key_of_our_own_catalogue(stage):
    body = (
        '{"state": "loading", "engine": "e", "model": "m", "device": "d", "context_tokens": 8, "slots": 1,'
        f'"loading": {{"stage": "{stage}", "elapsed_s": 1, "last_time_s": null}}}}'
    )
    expected = stage if stage == "loading.compiling" else "loading.starting"
    assert Health.read(body.encode()).stage == expected
