"""The backend without a model: what tests and newcomers rely on it to say."""

import pytest

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Event
from bot.engine.echo import Die, EchoBackend, Fail, Hang, Say
from bot.errors import EngineDead, EngineFailed, PromptTooLong

INFO = EngineInfo("echo", "Echo-1", "none", 64, 4)
SYSTEM, USER, END, ASSISTANT = 1, 2, 3, 4
ROLES = frozenset({SYSTEM, USER, END, ASSISTANT})


def request(*prompt_ids, max_new_tokens=50):
    return GenerationRequest(prompt_ids, max_new_tokens, ROLES)


def play(backend, *requests):
    """Return the events of each request, by its id; ids count from 1. Ends when every one has ended."""
    heard = {number: [] for number in range(1, len(requests) + 1)}

    def emit(event: Event) -> bool:
        heard[event.id].append(event)
        return True

    for number, one in enumerate(requests, 1):
        backend.start(number, one)
    while not all(events and (events[-1].finish or events[-1].error) for events in heard.values()):
        backend.step(emit)
    return heard


def said(events):
    return tuple(token for event in events for token in event.ids)


def test_the_last_question_is_repeated_token_by_token():
    prompt = (SYSTEM, 50, END, USER, 60, 61, END, ASSISTANT, 70, END, USER, 80, 81, 82, END, ASSISTANT)
    [events] = play(EchoBackend(INFO), request(*prompt)).values()
    assert said(events) == (80, 81, 82)
    assert all(len(event.ids) <= 1 for event in events)
    assert events[-1].finish is Finish.STOP


def test_an_answer_ends_at_its_limit():
    [events] = play(EchoBackend(INFO), request(USER, 80, 81, 82, END, ASSISTANT, max_new_tokens=2)).values()
    assert said(events) == (80, 81)
    assert events[-1].finish is Finish.LENGTH


def test_an_answer_ends_where_the_window_does():
    backend = EchoBackend(INFO, lambda _request: [Say((9,) * 1000)])
    [events] = play(backend, request(*[7] * 63)).values()
    assert said(events) == (9,)
    assert events[-1].finish is Finish.LENGTH
    with pytest.raises(PromptTooLong):
        backend.start(2, request(*[7] * 64))


def test_a_script_can_fail_one_request_and_leave_the_others():
    def script(one):
        return [Say((5,)), Fail()] if one.prompt_ids == (8,) else [Say((5, 6))]

    heard = play(EchoBackend(INFO, script), request(8), request(9))
    assert isinstance(heard[1][-1].error, EngineFailed)
    assert said(heard[1]) == (5,)
    assert said(heard[2]) == (5, 6)


def test_a_script_can_end_the_whole_backend():
    with pytest.raises(EngineDead):
        play(EchoBackend(INFO, lambda _request: [Say((5,)), Die()]), request(8))


def test_a_script_can_hang_until_it_is_cancelled():
    backend, heard = EchoBackend(INFO, lambda _request: [Say((5,)), Hang(), Say((6,))]), []
    backend.start(1, request(8))
    for _ in range(10):
        backend.step(lambda event: heard.append(event) or True)
    backend.cancel(1)
    backend.cancel(1)
    backend.step(lambda event: heard.append(event) or True)
    assert said(heard) == (5,)
    assert [event for event in heard if event.finish or event.error] == []


def test_a_request_that_nobody_wants_ends_at_the_next_token():
    backend, heard = EchoBackend(INFO, lambda _request: [Say((5, 6, 7))]), []

    def emit(event):
        heard.extend(event.ids)
        return not event.ids

    backend.start(1, request(8))
    for _ in range(10):
        backend.step(emit)
    assert heard == [5]
