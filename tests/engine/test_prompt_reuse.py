"""Prompts from stored ids compute only what is new: real histories, real prompts, and the steps that a model takes.

The backend computes 32 tokens of a prompt in a step, so the steps before the first token are ceil(new tokens / 32).
"""

import itertools
import math

import pytest

from bot.core.choices import Choices, Scope
from bot.core.engine import GenerationRequest
from bot.core.history import History
from bot.core.messages import ConversationKey, Question, TurnState, Usage
from bot.core.personas import Personas
from bot.core.prompt import PromptBuilder
from bot.core.visitor import Visitor

STEP_TOKENS = 32
PERSONA = "You are a helpful AI assistant who lives by the sea and drinks 567 cups of tea with 12 zebras. " * 6
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def backend(load, tiny_f32_dir):
    backend = load("genai", tiny_f32_dir, step_tokens=STEP_TOKENS)
    yield backend
    backend.close()


@pytest.fixture
async def history(tmp_path):
    opened = await History.open(tmp_path / "phibot.sqlite3")
    yield opened
    await opened.aclose()


class Talk:
    """One person's conversation, answered by the real model."""

    def __init__(
        self,
        history,
        tokenizer,
        backend,
        *,
        user_id=1,
        user_name="Ada",
        system_prompt="Be kind.",
        context_tokens=4096,
        personas=None,
    ):
        self.history, self.tokenizer, self.backend = history, tokenizer, backend
        self.visitor = Visitor(user_id, 5, (10,), user_name=user_name)
        self.key = ConversationKey(channel_id=10, user_id=user_id, guild_id=5)
        self.prompts = PromptBuilder(
            history,
            tokenizer,
            system_prompt=system_prompt,
            context_tokens=lambda: context_tokens,
            max_new_tokens=40,
            personas=personas,
        )

    async def ask(self, text, parent_id=None):
        """Return the turn answered, the steps before its first token, and its prompt."""
        question = Question(self.key, self.key.user_id, next(numbers), text, visitor=self.visitor)
        turn = (await self.history.accept(question, parent_id=parent_id)).turn
        prompt = await self.prompts.build(turn)
        await self.history.begin(
            turn.id,
            question=turn.question,
            question_ids=prompt.question_ids,
            tokenizer=self.tokenizer.sha256,
            window_from=prompt.window_from,
            seed=None,
            persona=prompt.persona,
        )
        steps, ids, finish = self.generate(prompt.ids)
        turn = await self.history.finish(
            turn.id,
            state=TurnState.DONE,
            finish=finish,
            answer=self.tokenizer.decode(ids),
            answer_ids=ids,
            usage=Usage(),
        )
        return turn, steps, prompt

    def generate(self, prompt_ids):
        events, steps_before = [], 0
        self.backend.start(next(numbers), GenerationRequest(prompt_ids, 40, self.tokenizer.stop_ids))
        while not events or events[-1].finish is None:
            steps_before += not events
            self.backend.step(lambda event: events.append(event) is None)
        return steps_before, tuple(token for event in events for token in event.ids), events[-1].finish


@pytest.fixture
def talk(history, tiny_tokenizer, backend):
    """Return what begins a conversation."""
    return lambda **how: Talk(history, tiny_tokenizer, backend, **how)


def steps_for(tokens):
    return math.ceil(tokens / STEP_TOKENS)


def new_tokens(prompt_ids, *earlier):
    """Return how many ids of a prompt are in none of the earlier sequences' beginnings."""
    shared = [
        next((at for at, (a, b) in enumerate(zip(prompt_ids, one, strict=False)) if a != b), len(one))
        for one in earlier
    ]
    return len(prompt_ids) - max(shared)


def whole_blocks_new(prompt_ids, *earlier):
    """Return the same where the half-filled block is computed again."""
    new = new_tokens(prompt_ids, *earlier)
    return new + (len(prompt_ids) - new) % 32


def left_by(turn, prompt):
    """Return what a turn leaves in the cache: all but its last token."""
    return (*prompt.ids, *turn.answer_ids)[:-1]


async def test_a_follow_up_computes_only_what_is_new(talk):
    ada = talk(system_prompt=PERSONA + "Ada's.")
    turn, cold, prompt = await ada.ask("My name is Ada and I live by the sea; what is my name?")
    assert cold == steps_for(len(prompt.ids)) > 5
    for text in ("And where do I live?", "The quick brown fox jumps over the lazy dog.", "Why?"):
        before = left_by(turn, prompt)
        turn, steps, prompt = await ada.ask(text)
        assert steps == steps_for(new_tokens(prompt.ids, before)) <= 3


async def test_a_branch_and_a_regeneration_compute_only_what_is_new(talk):
    ada = talk(system_prompt=PERSONA + "Branches.")
    first, _, first_prompt = await ada.ask("Can you introduce yourself?")
    second, _, second_prompt = await ada.ask("What is my name?")
    _, steps, prompt = await ada.ask("Where do I live?", parent_id=first.id)
    seen = [left_by(first, first_prompt), left_by(second, second_prompt)]
    assert steps <= steps_for(whole_blocks_new(prompt.ids, *seen)) <= 3
    again, _, _ = ada.generate(second_prompt.ids)
    assert again == 1


async def test_a_second_person_with_the_same_persona_computes_only_the_question(talk):
    persona = PERSONA + "Shared."
    first, _, first_prompt = await talk(system_prompt=persona).ask("My name is Ada.")
    _, steps, prompt = await talk(user_id=2, system_prompt=persona).ask("Where do zebras live?")
    assert steps <= steps_for(whole_blocks_new(prompt.ids, left_by(first, first_prompt))) <= 3


async def test_the_turns_after_a_cut_compute_only_what_is_new(talk):
    ada = talk(system_prompt=PERSONA + "Cuts.", context_tokens=600)
    before, cuts, after_cut = (), 0, []
    for number in range(24):
        turn, steps, prompt = await ada.ask(f"The quick brown fox {number} jumps over the lazy dog; what is my name?")
        if prompt.dropped_turns:
            cuts += 1
        elif cuts:
            after_cut.append((steps, steps_for(whole_blocks_new(prompt.ids, before))))
        before = left_by(turn, prompt)
    assert cuts >= 2
    assert after_cut
    assert all(steps <= expected <= 3 for steps, expected in after_cut)


class Calendar:
    """A clock whose days a test turns."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
async def days():
    return Calendar()


@pytest.fixture
async def personas(history, days):
    choices = Choices(history)
    await choices.load()
    return Personas(choices, days)


async def test_a_follow_up_to_a_persona_with_date_and_name_computes_only_what_is_new_on_another_day_too(
    talk, personas, days
):
    await personas.set(Scope.PERSON, 1, "Today is {date} and you talk to {user}. It is {time}. " + PERSONA + "Dated.")
    ada = talk(personas=personas)
    turn, cold, prompt = await ada.ask("Where do I live?")
    assert cold == steps_for(len(prompt.ids)) > 5
    for text in ("And what is my name?", "Why?"):
        days.now += 86_400
        ada = talk(personas=personas, user_name="Countess")
        before = left_by(turn, prompt)
        turn, steps, prompt = await ada.ask(text)
        assert steps == steps_for(new_tokens(prompt.ids, before)) <= 3
        assert "Thursday, 1 January 1970 and you talk to Ada." in ada.tokenizer.decode(prompt.ids)


async def test_two_people_with_the_same_persona_of_their_server_share_its_prefix(talk, personas):
    await personas.set(Scope.SERVER, 5, "Of the server: " + PERSONA, guild_id=5)
    first, cold, first_prompt = await talk(personas=personas).ask("My name is Ada.")
    assert cold > 5
    _, steps, prompt = await talk(user_id=2, user_name="Ben", personas=personas).ask("Where do zebras live?")
    assert steps <= steps_for(whole_blocks_new(prompt.ids, left_by(first, first_prompt))) <= 3


async def test_another_persona_in_the_middle_costs_its_prompt_once(talk, personas):
    await personas.set(Scope.PERSON, 1, PERSONA + "Before.")
    ada = talk(personas=personas)
    turn, _, prompt = await ada.ask("My name is Ada.")
    await personas.set(Scope.PERSON, 1, "Quite another: " + PERSONA + "After.")
    turn, steps, prompt = await ada.ask("What is my name?")
    assert steps == steps_for(len(prompt.ids)) > 5
    before = left_by(turn, prompt)
    _, steps, prompt = await ada.ask("Why?")
    assert steps == steps_for(new_tokens(prompt.ids, before)) <= 3
