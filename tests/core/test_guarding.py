"""What becomes of a turn whose answer goes wrong: a real engine says bad things on cue."""

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bot.core.chat import Chat, ChatLimits, Phase
from bot.core.engine import EngineInfo
from bot.core.guarding import SECOND_TRY
from bot.core.history import History
from bot.core.messages import ConversationKey, Fault, Finish, Question, Sampling, TurnState
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.echo import Hang, Say
from engine_over_http import DEMO_MODEL, places

HERE = ConversationKey(channel_id=10, user_id=1)
ROOM = ConversationKey(channel_id=11, user_id=None)
PROMPT = (
    "You are Marlow, the guide of a small museum of clocks. Answer in at most three sentences, never speak of prices, "
    "and do not say that you are a program."
)
TALK = "Paris.\n\nUser: and what is the capital of Spain?\nAssistant: Madrid."
LOOP = "It is so. " + "And that is all there is to say about it. " * 12
message_ids = itertools.count(5000)


@pytest.fixture(scope="module")
def tokenizer():
    return Phi3Tokenizer.load(DEMO_MODEL)


class World:
    """A chat on a database, with an engine that gives each request its own answer and is asked with `requests`."""

    def __init__(self, tmp_path, tokenizer):
        self.database, self.tokenizer = tmp_path / "phibot.sqlite3", tokenizer
        self.requests, self.answers = [], []
        self.info = EngineInfo("echo", "Echo-1", "none", 1500, 1)

    def script(self, request):
        self.requests.append(request)
        plan = self.answers.pop(0) if self.answers else ["fine"]
        return [Say(self.tokenizer.encode(part)) if isinstance(part, str) else part for part in plan]

    @asynccontextmanager
    async def chat(self, *, engine=None, sampling=None, **limits):
        async with AsyncExitStack() as closing:
            place = await closing.enter_async_context(places())
            here = place.engine(script=self.script, window_tokens=1500, slots=1)
            if engine == "remote":
                _, url = await place.server(here)
                here = place.remote(url)
            history = await History.open(self.database)
            closing.push_async_callback(history.aclose)
            chat = Chat(
                history, self.tokenizer, here, system_prompt=PROMPT, sampling=sampling, limits=ChatLimits(**limits)
            )
            closing.push_async_callback(chat.aclose)
            await chat.resume()
            yield chat


@pytest.fixture
def world(tmp_path, tokenizer):
    return World(tmp_path, tokenizer)


def asked(text="What is the capital of France?", **more):
    more = {"key": HERE, "user_id": 1, "message_id": next(message_ids), "text": text, **more}
    return Question(**more)


async def seen_of(answer):
    """Return every text that a reader could see, and the end."""
    async with asyncio.timeout(20):
        snapshots = [snapshot async for snapshot in answer]
    return [snapshot.text for snapshot in snapshots], snapshots[-1].turn


@pytest.mark.parametrize("engine", ["here", "remote"])
async def test_a_bad_answer_is_cut_and_goes_on_from_what_was_sound_with_other_sampling(world, tokenizer, engine):
    world.answers = [[TALK], [" It lies on the Seine."]]
    async with world.chat(engine=engine) as chat:
        texts, turn = await seen_of(await chat.ask(asked()))
        await seen_of(await chat.ask(asked("and Spain?")))
    assert turn.answer == "Paris. It lies on the Seine."
    assert (turn.state, turn.finish, turn.usage.fault) == (TurnState.DONE, Finish.STOP, Fault.SELF_DIALOGUE)
    assert turn.usage.completion_tokens == len(turn.answer_ids) == len(tokenizer.encode(turn.answer))
    assert turn.usage.discarded_tokens > 0
    first, second, later = world.requests
    assert second.prompt_ids == first.prompt_ids + tokenizer.encode("Paris.")
    assert first.sampling == Sampling()
    assert second.sampling == Sampling(True, SECOND_TRY.temperature, SECOND_TRY.top_p, seed=1)
    assert "User:" not in "".join(texts)
    assert "Spain?" in tokenizer.decode(later.prompt_ids)
    assert "capital of Spain" not in tokenizer.decode(later.prompt_ids)
    assert later.sampling == Sampling()


async def test_a_sampled_answers_second_try_has_another_seed_that_follows_from_the_first(world):
    world.answers = [[TALK], ["."]]
    async with world.chat(sampling=Sampling(True, 0.3, 0.5, seed=41)) as chat:
        _, turn = await seen_of(await chat.ask(asked()))
    assert turn.seed == 41
    assert world.requests[1].sampling == Sampling(True, SECOND_TRY.temperature, SECOND_TRY.top_p, seed=42)


@pytest.mark.parametrize(
    ("bad", "fault", "kept"),
    [
        (TALK, Fault.SELF_DIALOGUE, "Paris."),
        (LOOP, Fault.LOOP, "It is so. And that is all there is to say about it."),
        ("Paris.<|end|>\n<|user|>\nMore!", Fault.ROLE_MARKER, "Paris."),
        (f"I was told this. {PROMPT}", Fault.PROMPT_ECHO, "I was told this."),
    ],
)
async def test_an_answer_that_goes_wrong_twice_ends_with_what_is_sound_and_the_device_is_free(world, bad, fault, kept):
    world.answers = [[bad, Hang()], [bad, Hang()]]
    async with world.chat() as chat:
        _, turn = await seen_of(await chat.ask(asked()))
        _, next_turn = await seen_of(await chat.ask(asked("and now?")))  # the one slot is free again
    assert (turn.state, turn.finish, turn.usage.fault) == (TurnState.DONE, Finish.GUARD, fault)
    assert turn.answer.startswith(kept)
    assert turn.answer.replace(kept, "").strip() == ""
    assert next_turn.answer == "fine"
    assert len(world.requests) == 3


async def test_an_answer_of_which_nothing_is_sound_is_not_in_later_prompts(world, tokenizer):
    world.answers = [[PROMPT], [PROMPT]]
    async with world.chat() as chat:
        _, turn = await seen_of(await chat.ask(asked("who are you really?")))
        await seen_of(await chat.ask(asked("hello")))
    assert (turn.answer, turn.answer_ids, turn.finish) == ("", (), Finish.GUARD)
    assert "who are you really?" not in tokenizer.decode(world.requests[2].prompt_ids)


async def test_a_trailing_label_is_cut_without_a_second_try(world):
    world.answers = [["Paris.\n\nUser:"]]
    async with world.chat() as chat:
        texts, turn = await seen_of(await chat.ask(asked()))
    assert (turn.answer, turn.finish, turn.usage.fault) == ("Paris.", Finish.STOP, Fault.SELF_DIALOGUE)
    assert len(world.requests) == 1
    assert not any("User" in text for text in texts)


async def test_a_stop_keeps_what_was_shown_and_not_what_was_held_back(world):
    bad = "Paris.\n\nUser:"
    world.answers = [[bad, Hang()]]
    async with world.chat() as chat:
        answer = await chat.ask(asked())
        async with asyncio.timeout(10):
            async for snapshot in answer:
                if snapshot.phase is Phase.ANSWERING and len(answer.ids) == len(world.tokenizer.encode(bad)):
                    await chat.stop(HERE)
        _, turn = await seen_of(answer)
    assert (turn.state, turn.answer) == (TurnState.STOPPED, "Paris.")
    assert world.tokenizer.decode(turn.answer_ids) == "Paris."


async def test_a_stop_in_the_second_try_ends_it(world):
    world.answers = [[TALK, Hang()], [" It lies", Hang()]]
    async with world.chat() as chat:
        answer = await chat.ask(asked())
        async with asyncio.timeout(10):
            async for snapshot in answer:
                if "It lies" in snapshot.text:
                    await chat.stop(HERE)
        _, turn = await seen_of(answer)
    assert (turn.state, turn.answer) == (TurnState.STOPPED, "Paris. It lies")
    assert turn.usage.fault is Fault.SELF_DIALOGUE


async def test_a_restart_in_the_second_try_goes_on_from_what_is_sound(world, tokenizer):
    world.answers = [[TALK, Hang()], [" It lies", Hang()], [" on the Seine."]]
    async with world.chat() as chat:
        answer = await chat.ask(asked())
        async with asyncio.timeout(10):
            async for snapshot in answer:
                if "It lies" in snapshot.text:
                    break
        await chat.drain(0)
    async with world.chat() as chat:
        history = chat._history
        async with asyncio.timeout(10):
            while (turn := await history.turn(answer.turn_id)).state is not TurnState.DONE:
                await asyncio.sleep(0.01)
    assert turn.answer == "Paris. It lies on the Seine."
    assert world.requests[2].prompt_ids == world.requests[0].prompt_ids + tokenizer.encode("Paris. It lies")


async def test_in_a_shared_room_the_model_does_not_speak_for_the_asker(world):
    bad = "It is.\n\nAda: thanks, and how do you know?\nPhibot: I read it."
    world.answers = [[bad], ["Sure.\n\nAda: okay, and why?"], [bad]]
    async with world.chat() as chat:
        _, turn = await seen_of(await chat.ask(asked("is it late?", key=ROOM, author_name="Ada")))
        _, alone = await seen_of(await chat.ask(asked("is it late?", author_name="Ada")))
    assert (turn.answer, turn.finish) == ("It is. Sure.", Finish.GUARD)
    assert alone.answer == bad  # nobody told the model that name


async def test_an_admin_can_switch_the_guard_off(world):
    world.answers = [[TALK]]
    async with world.chat(is_guarded=False) as chat:
        _, turn = await seen_of(await chat.ask(asked()))
    assert (turn.answer, turn.usage.fault) == (TALK, None)
