"""Warming with the real model, counted in steps: what the turn that cuts costs, and what a question waits for it.

The backend computes 32 tokens of a prompt in a step, so the steps before the first token are ceil(new tokens / 32).
"""

import asyncio
import itertools
import math
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import pytest

from bot.core.chat import Chat, ChatLimits
from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.history import History
from bot.core.messages import ConversationKey, Question
from bot.core.prompt import PromptBuilder
from bot.engine.executor import ThreadedEngine

STEP_TOKENS = 32
WINDOW_TOKENS = 1024
ADA = ConversationKey(channel_id=10, user_id=1)
BEN = ConversationKey(channel_id=10, user_id=2)
QUESTION = "The quick brown fox jumps over the lazy dog; what is my name, and where do zebras live?"
LONG_QUESTION = QUESTION + " And who drinks all of that tea by the sea?"
OTHER_QUESTION = "Nobody has asked this before: " + "how many cups of tea can 12 zebras drink in 567 days? " * 2
message_ids = itertools.count(1)


@dataclass
class Asked:
    """One request, and the steps of the backend when it came, at its first token and at its end."""

    request: GenerationRequest
    began: int
    first: int = 0
    ended: int = 0


@dataclass
class Counted:
    """A backend whose steps are counted, and can be held up in the middle of a prefill."""

    backend: object
    warms: bool
    news: object  # called in the backend's thread whenever there is something to see
    steps: int = 0  # those in which there was something to do
    live: set[int] = field(default_factory=set)
    asked: dict[int, Asked] = field(default_factory=dict)
    hold_at: int | None = None  # the step of a warming that waits for `go_on`
    is_held: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self):
        return replace(self.backend.info, caches_prefixes=self.warms)

    @property
    def warmings(self):
        return [asked for asked in self.asked.values() if asked.request.max_new_tokens == 1]

    def start(self, number, request):
        self.asked[number] = Asked(request, self.steps)
        self.live.add(number)
        self.backend.start(number, request)

    def cancel(self, number):
        self.live.discard(number)
        self.backend.cancel(number)

    def step(self, emit):
        if self.hold_at and self.warmings and self.steps - self.warmings[-1].began == self.hold_at:
            self.is_held, self.hold_at = True, None
            self.news()
            assert self.go_on.wait(30)
        self.steps += bool(self.live)

        def count(event):
            asked = self.asked[event.id]
            asked.first = asked.first or self.steps
            if event.finish is not None:
                asked.ended = self.steps
                self.live.discard(event.id)
            self.news()
            return emit(event)

        self.backend.step(count)

    def close(self):
        self.go_on.set()
        self.backend.close()


class Talk:
    """A chat with the tiny model, one step of which computes 32 tokens of a prompt."""

    def __init__(self, history, tokenizer, load, *, warms=True):
        loop, self.changed = asyncio.get_running_loop(), asyncio.Event()
        info = EngineInfo("genai", "tiny", "CPU", WINDOW_TOKENS, 8, caches_prefixes=warms)

        def factory(_report):
            backend = load("genai", step_tokens=STEP_TOKENS, window_tokens=WINDOW_TOKENS)
            self.backend = Counted(backend, warms, lambda: loop.call_soon_threadsafe(self.changed.set))
            return self.backend

        limits = {"max_new_tokens": 60}
        self.history = history
        self.engine = ThreadedEngine(factory, info)
        self.chat = Chat(
            history,
            tokenizer,
            self.engine,
            system_prompt="Be kind.",
            limits=ChatLimits(per_user_per_minute=1000, **limits),
        )
        self.prompts = PromptBuilder(
            history, tokenizer, system_prompt="Be kind.", context_tokens=lambda: WINDOW_TOKENS, **limits
        )
        self.engine.start()

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def ask(self, text=QUESTION, key=ADA):
        answer = await self.chat.ask(Question(key, key.user_id, next(message_ids), text))
        return [snapshot async for snapshot in answer][-1].turn

    async def fill(self):
        """Talk until the next question will cut; return what its prompt will begin with."""
        while True:
            prefix = await self.prompts.next_prefix(await self.ask())
            if prefix:
                return prefix

    def last(self):
        """Return the question that was asked last, the steps before its first token, and its prompt."""
        asked = [asked for asked in self.backend.asked.values() if asked not in self.backend.warmings][-1]
        return asked.first - asked.began, asked.request.prompt_ids


@pytest.fixture
async def talk(tmp_path, tiny_tokenizer, tiny_f32_dir, load):
    async with AsyncExitStack() as closing:
        history = await History.open(tmp_path / "phibot.sqlite3")
        closing.push_async_callback(history.aclose)

        def talk(**how):
            def load_tiny(name, **more):
                return load(name, tiny_f32_dir, **more)

            talk = Talk(history, tiny_tokenizer, load_tiny, **how)
            closing.push_async_callback(talk.engine.aclose)
            closing.push_async_callback(talk.chat.aclose)
            return talk

        yield talk


def steps_for(tokens):
    return math.ceil(tokens / STEP_TOKENS)


@pytest.mark.parametrize(
    ("question", "more_steps"),
    # Where the prefix ends within a block, a question of more than one piece takes a step more (bot.engine.prefill).
    [(QUESTION, 0), (LONG_QUESTION, 1)],
    ids=["a short question", "a long one"],
)
async def test_after_idle_time_the_turn_that_cuts_computes_only_its_question(talk, question, more_steps):
    ada = talk()
    for times in (1, 2, 3):
        prefix = await ada.fill()
        await ada.until(lambda times=times: sum(bool(warming.ended) for warming in ada.backend.warmings) == times)
        turn = await ada.ask(question)
        steps, prompt_ids = ada.last()
        assert turn.usage.dropped_turns > 0
        assert prompt_ids[: len(prefix)] == prefix
        assert steps <= steps_for(len(prompt_ids) - len(prefix)) + more_steps <= 3


async def test_without_warming_it_computes_all_that_it_kept(talk):
    ada = talk(warms=False)
    prefix = await ada.fill()
    await ada.ask()
    steps, prompt_ids = ada.last()
    assert prompt_ids[: len(prefix)] == prefix
    assert steps >= steps_for(len(prefix)) - 1 >= 10


async def test_a_question_during_the_warming_waits_for_the_step_under_way_and_no_more(talk):
    ada = talk()
    await ada.engine.ready()
    ada.backend.hold_at = 4
    prefix = await ada.fill()
    await ada.until(lambda: ada.backend.is_held)
    asked = await ada.chat.ask(Question(BEN, 2, next(message_ids), OTHER_QUESTION))
    held_at = ada.backend.steps
    ada.backend.go_on.set()
    turn = [snapshot async for snapshot in asked][-1].turn
    assert turn.answer_ids
    [question] = [one for one in ada.backend.asked.values() if one.began >= held_at and one.first]
    alone = steps_for(len(question.request.prompt_ids))
    assert question.first - question.began == alone >= 3
    assert question.first - held_at <= 1 + alone
    [broken_off, *_] = ada.backend.warmings
    assert not broken_off.ended
    await ada.until(lambda: any(warming.ended for warming in ada.backend.warmings))
    taken_up = ada.backend.warmings[-1]
    assert taken_up.request.prompt_ids == prefix
    assert taken_up.ended - taken_up.began <= steps_for(len(prefix)) - 4  # what was computed before is kept
