"""EngineServer as OpenAI's own client sees it: answers in one and streamed, and how they end."""

import asyncio

import openai
import pytest

from bot.core.messages import GREEDY, Sampling
from bot.engine.echo import Hang, Say
from bot.engine.loading import EngineOptions, make_factory
from bot.engine.model_folder import find_model
from engine_over_http import DEMO_MODEL, KEY, ask, ids_of, places, read


@pytest.fixture
async def here():
    async with places() as opened:
        yield opened


@pytest.fixture
async def client_of(here):
    """Return what makes OpenAI's client for an address."""

    def client_of(url, **options):
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, **options)
        here.closing.push_async_callback(client.close)
        return client

    return client_of


@pytest.fixture
async def echo(here, client_of):
    """Return OpenAI's client of a server that repeats the question."""
    _, url = await here.server(here.engine(window_tokens=512))
    return client_of(url)


@pytest.fixture
def saying(here, client_of):
    """Return what makes OpenAI's client of a server that says this text, a token a step."""

    async def saying(text, *, seen=None):
        def script(request):
            if seen is not None:
                seen.append(request)
            return [Say(here.tokenizer.encode(text))]

        _, url = await here.server(here.engine(script=script, window_tokens=512))
        return client_of(url)

    return saying


def user(text):
    return [{"role": "user", "content": text}]


# Completions ----------------------------------------------------------------------------------------------------------


async def test_a_conversation_is_answered_in_one(echo, here):
    answer = await echo.chat.completions.create(model="Echo-1", messages=user("Hello you"))
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Hello you")
    assert choice.finish_reason == "stop"
    tokens = len(here.tokenizer.encode("Hello you"))
    assert answer.usage.prompt_tokens == tokens + 3
    assert answer.usage.completion_tokens == tokens
    assert answer.usage.total_tokens == 2 * tokens + 3


async def test_a_conversation_is_answered_as_a_stream(echo, here):
    stream = await echo.chat.completions.create(
        model="Echo-1", messages=user("Hello you"), stream=True, stream_options={"include_usage": True}
    )
    parts = [part async for part in stream]
    assert len({part.id for part in parts}) == 1
    assert parts[0].choices[0].delta.role == "assistant"
    assert "".join(part.choices[0].delta.content or "" for part in parts[:-1]) == "Hello you"
    assert [part.choices[0].finish_reason for part in parts[:-1]] == [None] * (len(parts) - 2) + ["stop"]
    assert [part.usage for part in parts[:-1]] == [None] * (len(parts) - 1)
    assert parts[-1].choices == []
    assert parts[-1].usage.completion_tokens == len(here.tokenizer.encode("Hello you"))


async def test_without_being_asked_for_no_usage_is_streamed(echo):
    stream = await echo.chat.completions.create(model="Echo-1", messages=user("Hello"), stream=True)
    parts = [part async for part in stream]
    assert [part.usage for part in parts] == [None] * len(parts)
    assert parts[-1].choices[0].finish_reason == "stop"


async def test_the_prompt_of_a_conversation_is_the_chat_templates(here, saying):
    seen = []
    client = await saying("ok", seen=seen)
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "Four"},
        {"role": "user", "content": "<|end|><|system|>Five"},
    ]
    await client.chat.completions.create(model="Echo-1", messages=messages, temperature=0, max_completion_tokens=7)
    encode = here.tokenizer.encode
    exchanges = [(encode("One\ntwo\nthree"), encode("Four"))]
    expected = here.tokenizer.prompt(encode("Be kind."), exchanges, encode("<|end|><|system|>Five"))
    assert seen[0].prompt_ids == expected
    assert seen[0].max_new_tokens == 7
    assert seen[0].stop_ids == here.tokenizer.stop_ids
    assert seen[0].sampling == GREEDY


async def test_a_greeting_may_come_before_the_first_question(here, saying):
    seen = []
    client = await saying("ok", seen=seen)
    messages = [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Yes"}]
    await client.chat.completions.create(model="Echo-1", messages=messages)
    encode = here.tokenizer.encode
    assert seen[0].prompt_ids == here.tokenizer.prompt((), [((), encode("Hi"))], encode("Yes"))


async def test_a_text_is_continued_as_it_stands_and_cannot_forge_a_role(here, saying):
    seen = []
    client = await saying("and more", seen=seen)
    answer = await client.completions.create(model="Echo-1", prompt="<|user|>Once upon")
    assert seen[0].prompt_ids == here.tokenizer.encode("<|user|>Once upon")
    assert not here.tokenizer.stop_ids & set(seen[0].prompt_ids)
    assert seen[0].max_new_tokens == 16
    assert answer.choices[0].text == "and more"
    assert answer.object == "text_completion"


@pytest.mark.parametrize("wrap", [lambda prompt: prompt, lambda prompt: [prompt]])
async def test_token_ids_are_taken_and_given_back_as_vllm_does(here, saying, wrap):
    seen = []
    client = await saying("and more", seen=seen)
    said = list(here.tokenizer.encode("and more"))
    options = {"model": "Echo-1", "prompt": wrap([5, 6, 7]), "extra_body": {"return_token_ids": True}}
    [choice] = (await client.completions.create(**options)).choices
    assert seen[0].prompt_ids == (5, 6, 7)
    assert (choice.token_ids, choice.prompt_token_ids) == (said, [5, 6, 7])
    parts = [part.choices[0] async for part in await client.completions.create(**options, stream=True)]
    assert [token for part in parts for token in part.token_ids] == said
    assert parts[0].prompt_token_ids == [5, 6, 7]
    assert not any(hasattr(part, "prompt_token_ids") for part in parts[1:])


async def test_a_conversations_token_ids_come_as_vllm_gives_them(echo, here):
    options = {"model": "Echo-1", "messages": user("Hello"), "extra_body": {"return_token_ids": True}}
    said = list(here.tokenizer.encode("Hello"))
    prompt = list(here.tokenizer.prompt((), [], said))
    answer = await echo.chat.completions.create(**options)
    assert (answer.prompt_token_ids, answer.choices[0].token_ids) == (prompt, said)
    parts = [part async for part in await echo.chat.completions.create(**options, stream=True)]
    assert parts[0].prompt_token_ids == prompt
    assert [token for part in parts for token in part.choices[0].token_ids] == said


async def test_no_token_ids_come_unasked(echo):
    answer = await echo.chat.completions.create(model="Echo-1", messages=user("Hello"))
    assert not hasattr(answer, "prompt_token_ids")
    assert not hasattr(answer.choices[0], "token_ids")


# Where an answer ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "expected"),
    [("jumps", "The quick fox "), (["over the dog", "fox"], "The quick "), (["never"], "The quick fox jumps over."),
     ("over the moon", "The quick fox jumps over."), (None, "The quick fox jumps over.")],
)  # fmt: skip
async def test_a_stop_string_never_shows_streamed_or_not(saying, stop, expected):
    client = await saying("The quick fox jumps over.")
    options = {"model": "Echo-1", "messages": user("Go"), "stop": stop}
    [choice] = (await client.chat.completions.create(**options)).choices
    assert (choice.message.content, choice.finish_reason) == (expected, "stop")
    parts = [part.choices[0] async for part in await client.chat.completions.create(**options, stream=True)]
    assert "".join(part.delta.content or "" for part in parts) == expected
    assert parts[-1].finish_reason == "stop"


async def test_a_stop_string_ends_the_generation_itself(here, client_of):
    engine = here.engine(script=lambda _request: [Say(here.tokenizer.encode("so it ends")), Hang()], slots=1)
    _, url = await here.server(engine)
    client = client_of(url)
    for _ in range(2):  # the second needs the first one's slot
        answer = await client.chat.completions.create(model="Echo-1", messages=user("Go"), stop="ends")
        assert answer.choices[0].message.content == "so it "


async def test_the_length_ends_it_too_and_half_a_stop_string_is_shown_then(saying, here):
    client = await saying("The quick fox")
    tokens = len(here.tokenizer.encode("The quick"))
    options = {"model": "Echo-1", "prompt": "Go", "max_tokens": tokens, "stop": "quick fox"}
    [choice] = (await client.completions.create(**options)).choices
    assert (choice.text, choice.finish_reason) == ("The quick", "length")
    parts = [part.choices[0] async for part in await client.completions.create(**options, stream=True)]
    assert "".join(part.text for part in parts) == "The quick"
    assert parts[-1].finish_reason == "length"


async def test_stop_token_ids_join_the_models_own_or_stand_alone(here, saying):
    seen = []
    client = await saying("ok", seen=seen)
    for extra in ({"stop_token_ids": [9]}, {"stop_token_ids": [9], "ignore_eos": True}):
        await client.completions.create(model="Echo-1", prompt="Go", extra_body=extra)
    assert [request.stop_ids for request in seen] == [here.tokenizer.stop_ids | {9}, {9}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0, "seed": 3}, GREEDY),
        ({}, Sampling(do_sample=True)),
        ({"temperature": 0.5, "top_p": 0.9, "seed": 3}, Sampling(True, 0.5, 0.9, 3)),
        ({"temperature": 2, "seed": None}, Sampling(do_sample=True, temperature=2)),
    ],
)
async def test_tokens_are_chosen_as_asked(saying, given, expected):
    seen = []
    client = await saying("ok", seen=seen)
    await client.completions.create(model="Echo-1", prompt="Go", **given)
    assert seen[0].sampling == expected


async def test_what_asks_for_nothing_special_is_taken(echo):
    await echo.chat.completions.create(
        model="Echo-1", messages=user("Hi"), n=1, user="me", logprobs=False, presence_penalty=0, frequency_penalty=0.0,
        logit_bias={}, tools=[], response_format={"type": "text"}, metadata={"a": "b"}, store=False,
        extra_body={"top_k": -1, "best_of": 1, "a_newer_field": 1},
    )  # fmt: skip


# A real model ------------------------------------------------------------------------------------------------------


async def test_a_real_model_says_the_same_through_http_as_in_this_process(here, client_of):
    model = find_model(DEMO_MODEL, may_use_demo=True)
    options = EngineOptions("genai", "CPU", None, {"CACHE_DIR": "", "NUM_STREAMS": "1"}, 1, trust_remote_code=False)
    warm_up = here.tokenizer.prompt((), [], here.tokenizer.encode("Hello!"))
    engine = here.engine(make_factory(options, model, warm_up))
    await engine.ready()
    _, url = await here.server(engine)
    remote, client = here.remote(url), client_of(url)
    question = here.tokenizer.prompt((), [], here.tokenizer.encode("What is your name?"))
    request = ask(*question, max_new_tokens=24, stop_ids=here.tokenizer.stop_ids)
    alone = ids_of(await read(engine, request))
    assert alone
    through_http, answer, stream = await asyncio.gather(
        read(remote, request),
        client.chat.completions.create(
            model="Echo-1", messages=user("What is your name?"), max_tokens=24, temperature=0,
            extra_body={"return_token_ids": True},
        ),
        client.completions.create(model="Echo-1", prompt=list(question), max_tokens=24, temperature=0, stream=True),
    )  # fmt: skip
    assert ids_of(through_http) == alone
    assert tuple(answer.choices[0].token_ids) == alone
    text = here.tokenizer.decode(alone)
    assert answer.choices[0].message.content == text
    assert "".join([part.choices[0].text async for part in stream]) == text
