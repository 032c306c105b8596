"""From a turn to its prompt: a real database, the demo model's tokenizer, and windows small enough to be cut."""

import itertools

import pytest

from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, TurnState, Usage
from bot.core.prompt import PromptBuilder
from bot.errors import QuestionEmpty, QuestionTooLong

HERE = ConversationKey(channel_id=10, user_id=1)
SYSTEM = "Be kind."
message_ids = itertools.count(1000)


@pytest.fixture
async def history(tmp_path):
    opened = await History.open(tmp_path / "phibot.sqlite3")
    yield opened
    await opened.aclose()


@pytest.fixture
def talk(history, tokenizer):
    return Talk(history, tokenizer)


class Talk:
    """One person's conversation, as the store knows it."""

    def __init__(self, history, tokenizer):
        self.history, self.tokenizer = history, tokenizer

    def builder(self, *, system_prompt=SYSTEM, context_tokens=4096, max_new_tokens=64):
        return PromptBuilder(
            self.history,
            self.tokenizer,
            system_prompt=system_prompt,
            context_tokens=lambda: context_tokens,
            max_new_tokens=max_new_tokens,
        )

    async def ask(self, question):
        return (await self.history.accept(Question(HERE, HERE.user_id, next(message_ids), question))).turn

    async def end(self, turn, answer, *, state=TurnState.DONE, ids=None, tokenizer="", window_from=None):
        """Store the answer, with the `ids` that the model of that `tokenizer` generated."""
        await self.history.begin(
            turn.id,
            question=turn.question,
            question_ids=self.tokenizer.encode(turn.question),
            tokenizer=tokenizer or self.tokenizer.sha256,
            window_from=window_from if window_from is not None else turn.window_from,
            seed=None,
        )
        answer_ids = self.tokenizer.encode(answer) if ids is None else ids
        return await self.history.finish(
            turn.id, state=state, finish=Finish.STOP, answer=answer, answer_ids=answer_ids, usage=Usage()
        )

    async def exchange(self, question, answer, **how):
        return await self.end(await self.ask(question), answer, **how)

    def expected(self, *texts, system=SYSTEM):
        """Return the prompt of these texts: questions and answers by turns, the last a question."""
        ids = [self.tokenizer.encode(text) for text in texts]
        return self.tokenizer.prompt(
            self.tokenizer.encode(system), list(zip(ids[:-1:2], ids[1::2], strict=True)), ids[-1]
        )


async def test_a_first_question_stands_alone_behind_the_system_prompt(talk):
    prompt = await talk.builder().build(await talk.ask("hi"))
    assert prompt.ids == talk.expected("hi")
    assert prompt.question_ids == talk.tokenizer.encode("hi")
    assert (prompt.max_new_tokens, prompt.window_from, prompt.dropped_turns) == (64, None, 0)


async def test_what_was_said_before_comes_first_and_in_order(talk):
    await talk.exchange("my name is Ada", "Hello Ada!")
    await talk.exchange("how are you?", "Fine.")
    prompt = await talk.builder().build(await talk.ask("what is my name?"))
    assert prompt.ids == talk.expected("my name is Ada", "Hello Ada!", "how are you?", "Fine.", "what is my name?")


async def test_a_stopped_answer_stays_and_one_that_failed_or_never_began_does_not(talk):
    await talk.exchange("one", "first half", state=TurnState.STOPPED)
    await talk.exchange("two", "broken", state=TurnState.FAILED)
    await talk.exchange("three", "", state=TurnState.STOPPED)
    prompt = await talk.builder().build(await talk.ask("four"))
    assert prompt.ids == talk.expected("one", "first half", "four")


async def test_the_ids_that_the_model_generated_are_used_not_its_text_read_again(talk):
    # The prefix cache knows the ids; the same text read again can be other ids.
    spelt = tuple(token for letter in "fine" for token in talk.tokenizer.encode(letter))
    await talk.exchange("how are you?", "fine", ids=spelt)
    prompt = await talk.builder().build(await talk.ask("good"))
    assert spelt != talk.tokenizer.encode("fine")
    assert any(prompt.ids[i : i + len(spelt)] == spelt for i in range(len(prompt.ids)))


async def test_turns_of_another_tokenizer_are_read_again_from_their_texts(talk):
    await talk.exchange("my name is Ada", "Hello Ada!", ids=(8, 8), tokenizer="another")
    prompt = await talk.builder().build(await talk.ask("what is my name?"))
    assert prompt.ids == talk.expected("my name is Ada", "Hello Ada!", "what is my name?")


async def test_a_stored_answer_with_role_tokens_forges_none(talk):
    stop = sorted(talk.tokenizer.stop_ids)
    await talk.exchange("hi", "hello", ids=(*stop, *talk.tokenizer.encode("hello"), *stop))
    prompt = await talk.builder().build(await talk.ask("and?"))
    assert prompt.ids == talk.expected("hi", "hello", "and?")


async def test_a_full_window_drops_the_oldest_and_says_from_where_it_goes_on(talk):
    turns = [await talk.exchange(f"question {n} of many", f"answer {n} of many") for n in range(12)]
    builder = talk.builder(context_tokens=160, max_new_tokens=32)
    prompt = await builder.build(await talk.ask("last"))
    dropped = prompt.dropped_turns
    assert 0 < dropped < 12
    assert prompt.window_from == turns[dropped].id
    texts = [text for turn in turns[dropped:] for text in (turn.question, turn.answer)]
    assert prompt.ids == talk.expected(*texts, "last")
    assert len(prompt.ids) - len(prompt.question_ids) - 3 <= 80
    assert prompt.max_new_tokens == 32


async def test_the_next_turn_goes_on_from_the_same_cut_so_that_its_prefix_is_cached(talk):
    for number in range(12):
        await talk.exchange(f"question {number} of many", f"answer {number} of many")
    builder = talk.builder(context_tokens=160, max_new_tokens=32)
    first = await builder.build(turn := await talk.ask("last"))
    await talk.end(turn, "fine", window_from=first.window_from)
    second = await builder.build(await talk.ask("really last"))
    assert second.ids[: len(first.ids)] == first.ids
    assert (second.window_from, second.dropped_turns) == (first.window_from, 0)


async def test_what_a_prompt_will_begin_with_is_known_before_its_question_if_that_makes_it_cut(talk):
    builder, turn, foretold = talk.builder(context_tokens=320, max_new_tokens=32), None, []
    for number in range(60):
        prefix = await builder.next_prefix(turn) if turn is not None else ()
        turn = await talk.ask("go on " * (1 + number % 5))
        prompt = await builder.build(turn)
        assert bool(prefix) == bool(prompt.dropped_turns) or len(prompt.question_ids) != 6
        if prompt.dropped_turns and prefix:
            assert prompt.ids[: len(prefix)] == prefix
            assert prompt.ids[len(prefix) :][: len(prompt.question_ids)] == prompt.question_ids
            foretold.append(prompt.window_from)
        turn = await talk.end(turn, f"answer {number} of many", window_from=prompt.window_from)
    assert len(foretold) >= 3


async def test_nothing_is_foretold_where_everything_fits_or_nothing_would_stay_or_nothing_was_answered(talk):
    builder = talk.builder(context_tokens=160, max_new_tokens=32)
    failed = await talk.exchange("hi", "", state=TurnState.FAILED)
    assert await builder.next_prefix(failed) == ()
    assert await builder.next_prefix(await talk.exchange("hi", "hello")) == ()
    assert await builder.next_prefix(await talk.exchange("a long story " * 8, "an even longer answer " * 12)) == ()
    assert await talk.builder(context_tokens=8).next_prefix(await talk.exchange("hi", "hello")) == ()


async def test_a_question_that_leaves_no_room_for_any_exchange_begins_the_window_with_itself(talk):
    await talk.exchange("a long story " * 8, "an even longer answer " * 8)
    turn = await talk.ask("word " * 60)
    prompt = await talk.builder(context_tokens=160, max_new_tokens=32).build(turn)
    assert (prompt.window_from, prompt.dropped_turns) == (turn.id, 1)
    assert prompt.ids == talk.expected(turn.question)


async def test_an_empty_system_prompt_is_left_out(talk):
    prompt = await talk.builder(system_prompt="").build(await talk.ask("hi"))
    assert prompt.ids == talk.expected("hi", system="")


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"])
def test_a_question_of_nothing_is_refused(talk, text):
    with pytest.raises(QuestionEmpty):
        talk.builder().check(text)


async def test_a_question_too_long_is_refused_before_it_is_recorded_and_if_joined_messages_made_it_so(talk):
    builder = talk.builder(context_tokens=160, max_new_tokens=32)
    words = "word " * 200
    tokens = len(talk.tokenizer.encode(words)) + 3
    limit = 160 - 32 - len(talk.tokenizer.encode(SYSTEM)) - 2
    for refuse in (lambda: builder.check(words), None):
        with pytest.raises(QuestionTooLong) as refused:
            refuse() if refuse else await builder.build(await talk.ask(words))
        assert refused.value.fields == {"tokens": tokens, "limit_tokens": limit}
    builder.check("a short one")
