"""EngineServer and bad requests: 4xx with a sentence, never a hang, and the engine lives on."""

import asyncio
import json

import aiohttp
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_over_http import COMPLETIONS, KEY, ask, ids_of, places, post, read

WINDOW_TOKENS = 64
CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def here():
    async with places() as opened:
        yield opened


@pytest.fixture
async def echo(here):
    """Return the address of a server that repeats the question."""
    return (await an_echo(here))[1]


# Bad requests ---------------------------------------------------------------------------------------------------------


def a_chat(**fields):
    return CHAT, {"messages": HI, **fields}


def a_text(**fields):
    return COMPLETIONS, {"prompt": "Hi", **fields}


def said(role, content):
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, b"", None),
        (CHAT, b"{", None),
        (CHAT, b'{"messages": NaN}', None),
        (CHAT, b"\xff\xfe", None),
        (CHAT, b'{"messages": [{"role": "user", "content": "\xff"}]}', None),
        (CHAT, b'{"messages": [{"role": "user", "content": "\\ud800"}]}', None),
        (CHAT, b"[" * 100_000, None),
        (CHAT, b'{"messages": ' + b'[{"a":' * 50_000, None),
        (CHAT, b"[]", None),
        (CHAT, b"null", None),
        (CHAT, {}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": "Hi"}, "messages"),
        (CHAT, {"messages": [said("wizard", "Hi")]}, "messages"),
        (CHAT, {"messages": [said("tool", "Hi")]}, "messages"),
        (CHAT, {"messages": [said("user", None)]}, "messages"),
        (CHAT, {"messages": [said("user", 5)]}, "messages"),
        (CHAT, {"messages": [said("user", [{"type": "image_url", "image_url": {"url": "x"}}])]}, "messages"),
        (CHAT, {"messages": [{**said("assistant", "x"), "tool_calls": [{}]}, *HI]}, "messages"),
        (CHAT, {"messages": [*HI, said("assistant", "Hi")]}, "messages"),
        (CHAT, {"messages": [*HI, said("system", "Be"), *HI]}, "messages"),
        (CHAT, {"messages": [said("system", "Be")]}, "messages"),
        (COMPLETIONS, {}, "prompt"),
        (COMPLETIONS, {"prompt": []}, "prompt"),
        (COMPLETIONS, {"prompt": ""}, "prompt"),
        (COMPLETIONS, {"prompt": [[]]}, "prompt"),
        (COMPLETIONS, {"prompt": ["a", "b"]}, "prompt"),
        (COMPLETIONS, {"prompt": [[1], [2]]}, "prompt"),
        (COMPLETIONS, {"prompt": [1, "a"]}, "prompt"),
        (COMPLETIONS, {"prompt": [True]}, "prompt"),
        (COMPLETIONS, {"prompt": [1.5]}, "prompt"),
        (COMPLETIONS, {"prompt": [-1]}, "prompt"),
        (COMPLETIONS, {"prompt": [1_000_000]}, "prompt"),
        (COMPLETIONS, {"prompt": [2**80]}, "prompt"),
        (COMPLETIONS, {"prompt": [[[[1]]]]}, "prompt"),
        (*a_chat(max_tokens=0), "max_tokens"),
        (*a_chat(max_tokens=-5), "max_tokens"),
        (*a_chat(max_tokens="5"), "max_tokens"),
        (*a_chat(max_completion_tokens=1.5), "max_completion_tokens"),
        (*a_chat(max_tokens=True), "max_tokens"),
        (*a_chat(temperature=-0.1), "temperature"),
        (*a_chat(temperature=2.1), "temperature"),
        (*a_chat(temperature="hot"), "temperature"),
        (*a_chat(top_p=0), "top_p"),
        (*a_chat(top_p=1.1), "top_p"),
        (*a_chat(seed=-1), "seed"),
        (*a_chat(seed=2**31), "seed"),
        (*a_chat(stop=[""]), "stop"),
        (*a_chat(stop=""), "stop"),
        (*a_chat(stop=5), "stop"),
        (*a_chat(stop=["a"] * 17), "stop"),
        (*a_chat(stop="a" * 257), "stop"),
        (*a_chat(stream="yes"), "stream"),
        (*a_chat(stream_options=[]), "stream_options"),
        (*a_chat(stop_token_ids=[-1]), "stop_token_ids"),
        (*a_chat(stream_interval_s=-1), "stream_interval_s"),
        (*a_chat(stream_interval_s=61), "stream_interval_s"),
        (*a_chat(stop_token_ids=[1_000_000]), "stop_token_ids"),
        (*a_chat(n=2), "n"),
        (*a_chat(logprobs=True), "logprobs"),
        (*a_chat(top_logprobs=3), "top_logprobs"),
        (*a_chat(tools=[{"type": "function"}]), "tools"),
        (*a_chat(tool_choice="required"), "tool_choice"),
        (*a_chat(response_format={"type": "json_object"}), "response_format"),
        (*a_chat(logit_bias={"5": 1}), "logit_bias"),
        (*a_chat(presence_penalty=0.5), "presence_penalty"),
        (*a_chat(frequency_penalty=-0.5), "frequency_penalty"),
        (*a_text(best_of=2), "best_of"),
        (*a_text(echo=True), "echo"),
        (*a_text(suffix="x"), "suffix"),
        (*a_text(logprobs=1), "logprobs"),
        (*a_text(top_k=40), "top_k"),
    ],
)
async def test_a_bad_request_gets_a_sentence_and_the_name_of_its_field(echo, path, body, param):
    status, answer, _ = await asyncio.wait_for(post(echo + path, body), 10)
    assert status == 400
    error = answer["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert len(error["message"]) > 10
    assert "pydantic" not in error["message"]


@pytest.mark.parametrize("prompt", [[5] * WINDOW_TOKENS, "word " * 100, "x" * 100_000, "a" * 3_000_000])
async def test_a_prompt_without_room_for_an_answer_has_openais_own_code(echo, prompt):
    bodies = [(COMPLETIONS, {"prompt": prompt})]
    if isinstance(prompt, str):
        bodies += [(CHAT, {"messages": [said("user", prompt)]}), (CHAT, {"messages": [said("system", prompt), *HI]})]
    for path, body in bodies:
        status, answer, _ = await asyncio.wait_for(post(echo + path, body), 10)
        assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("DELETE", COMPLETIONS, 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/models/gpt-4", 404),
        ("GET", "/", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/v1/%ff%00/../x", 404),
    ],
)
async def test_other_paths_and_methods_are_refused_in_the_same_form(echo, method, path, status):
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with session.request(method, echo + path, headers=headers) as response:
            assert response.status == status
            assert (await response.json())["error"]["type"] == "invalid_request_error"
            assert ("Allow" in response.headers) == (status == 405)


async def test_another_models_name_is_refused(echo):
    for path, body in (a_chat(model="gpt-4"), a_text(model="")):
        status, answer, _ = await post(echo + path, body)
        assert (status, answer["error"]["code"], answer["error"]["param"]) == (404, "model_not_found", "model")


async def test_a_body_that_is_too_large_is_refused_unread(echo):
    status, answer, _ = await asyncio.wait_for(post(echo + CHAT, b" " * (5 << 20)), 20)
    assert status == 413
    assert answer["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Encoding": "gzip"}, 400),
    ],
)
async def test_a_body_of_another_kind_is_refused(echo, headers, status):
    status_, answer, _ = await asyncio.wait_for(post(echo + CHAT, {"messages": HI}, headers=headers), 10)
    assert (status_, "error" in answer) == (status, True)


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY[:-1], "ключ", "\x80"])
@pytest.mark.parametrize("path", [CHAT, "/health", "/metrics", "/v1/models", "/nothing"])
async def test_without_the_key_nothing_is_told(echo, key, path):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.get(echo + path, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"]["code"] == "invalid_api_key"


async def test_openais_client_knows_these_errors(echo):
    async with openai.AsyncOpenAI(base_url=f"{echo}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
    async with openai.AsyncOpenAI(base_url=f"{echo}/v1", api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="not supported"):
            await client.chat.completions.create(model="Echo-1", messages=HI, n=2)
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="gpt-4", messages=HI)


async def test_without_a_key_only_this_machines_own_names_are_answered(here):
    _, url = await here.server(here.engine(), key=None)
    await here.remote(url, key=None).ready()
    for host, status in [("localhost", 200), ("127.0.0.1:80", 200), ("[::1]", 200), ("evil.example", 403)]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(url + "/v1/models", headers={"Host": host}) as answer,
        ):
            assert answer.status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["user", "text"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "tool_calls", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    "model", "prompt", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop",
    "stream", "stream_options", "stream_interval_s", "stop_token_ids", "ignore_eos", "return_token_ids", "n", "tools",
    "logprobs", "logit_bias", "echo",
]  # fmt: skip
RIGHT = {
    "prompt": st.text(max_size=30) | st.lists(st.integers(0, 1300), max_size=WINDOW_TOKENS + 2),
    "messages": st.lists(
        st.builds(said, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=30)), max_size=5
    ),
    "max_tokens": st.integers(-2, 2**70),
    "stop": st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=3),
    "stream": st.booleans(),
    "temperature": st.floats(-1, 3),
}
BODIES = st.fixed_dictionaries({}, optional={name: RIGHT.get(name, JSON) | JSON for name in FIELDS})


def test_no_json_at_all_gets_a_server_error_or_no_answer():
    with asyncio.Runner() as runner:
        opened = places()
        here = runner.run(opened.__aenter__())
        try:
            engine, url = runner.run(an_echo(here))
            session = runner.run(an_open_session())
            here.closing.push_async_callback(session.close)

            @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
            @given(st.sampled_from([COMPLETIONS, CHAT]), BODIES)
            def hold(path, body):
                status, text = runner.run(asyncio.wait_for(send(session, url + path, body), 10))
                assert status in (200, 400, 404)
                assert ("error" in json.loads(text)) if status != 200 else (b'"choices"' in text)
                assert b'"error"' not in text or status != 200

            hold()
            assert ids_of(runner.run(read(engine, ask(5, 6, 7, 8, 9)))) == (5, 6, 7)
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def an_echo(here):
    engine = here.engine()
    _, url = await here.server(engine)
    await here.remote(url).ready()
    return engine, url


async def an_open_session():
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})


async def send(session, url, body):
    async with session.post(url, data=json.dumps(body).encode()) as response:
        return response.status, await response.read()
