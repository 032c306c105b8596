"""What fills the window: pins that no cut drops, and counts that are those of the prompt, on a real database."""

import asyncio
import itertools
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import bot
from bot.core import _rows
from bot.core.context import fit
from bot.core.history import History
from bot.core.messages import ConversationKey, Excerpt, ExcerptKind, Finish, Question, TurnState, Usage
from bot.core.phi3 import Phi3Tokenizer
from bot.core.pins import pin
from bot.core.prompt import PromptBuilder
from bot.errors import NothingToPin, PinsFull, TurnGone

DEMO = Path(bot.__file__).parent / "demo_model"
HERE = ConversationKey(channel_id=10, user_id=1)
TOKENIZER = Phi3Tokenizer.load(DEMO)
SYSTEM = "Be kind."
message_ids = itertools.count(1000)


class Talk:
    """One person's conversation, with a window of its own size."""

    def __init__(self, history, context_tokens=240):
        self.history = history
        self.prompts = PromptBuilder(
            history, TOKENIZER, system_prompt=SYSTEM, context_tokens=lambda: context_tokens, max_new_tokens=32
        )

    async def ask(self, words, *excerpts, parent_id=None):
        question = Question(HERE, HERE.user_id, next(message_ids), words, excerpts=excerpts)
        return (await self.history.accept(self.prompts.admit(question), parent_id=parent_id)).turn

    async def begin(self, turn):
        prompt = await self.prompts.build(turn)
        begun = await self.history.begin(
            turn.id,
            question=turn.question,
            question_ids=prompt.question_ids,
            tokenizer=TOKENIZER.sha256,
            window_from=prompt.window_from,
            kept=prompt.kept,
            seed=None,
        )
        return begun, prompt

    async def end(self, turn, answer="fine"):
        ids = TOKENIZER.encode(answer)
        return await self.history.finish(
            turn.id, state=TurnState.DONE, finish=Finish.STOP, answer=answer, answer_ids=ids, usage=Usage()
        )

    async def exchange(self, words, answer="fine", **how):
        return await self.end((await self.begin(await self.ask(words, **how)))[0], answer)

    async def pin(self, turn, *, pinned=True):
        return await pin(self.history, lambda _turn: self.prompts, turn.id, pinned=pinned)

    async def map(self, head=None):
        head = head or (await self.history.recent(HERE, 1))[0]
        path = [*await self.history.path(head.id), head]
        return self.prompts.map(path, dropped_turns=await self.history.forgotten(head.id))

    async def text(self):
        """Return the prompt of a question that is asked now, and take it back."""
        turn = await self.ask("next?")
        text = TOKENIZER.decode((await self.prompts.build(turn)).ids)
        await self.history.finish(turn.id, state=TurnState.FAILED, finish=None, answer="", answer_ids=(), usage=Usage())
        return text


@pytest.fixture
async def talk(tmp_path):
    history = await History.open(tmp_path / "phibot.sqlite3")
    yield Talk(history)
    await history.aclose()


async def fill(talk, count=20):
    return [
        await talk.exchange(f"question {number} of many words in it", f"answer {number}") for number in range(count)
    ]


async def test_a_pinned_turn_stays_when_others_around_it_are_dropped_and_stands_in_its_order(talk):
    await talk.exchange("the first thing I said")
    await talk.pin(await talk.exchange("my name is Ada"))
    await fill(talk)
    text = await talk.text()
    assert text.startswith("Be kind. my name is Ada fine question")
    assert "the first thing" not in text
    counted = await talk.map()
    assert [turn.turn.pinned for turn in counted.turns[:2]] == [True, False]
    assert counted.pinned_tokens == counted.turns[0].tokens
    assert counted.dropped_turns == 22 - len(counted.turns)


async def test_once_it_is_unpinned_it_is_gone_from_prompts_as_the_others_of_its_time_are(talk):
    pinned = await talk.pin(await talk.exchange("my name is Ada"))
    assert pinned.pinned
    await fill(talk)
    before = await talk.map()
    assert not (await talk.pin(pinned, pinned=False)).pinned
    assert "Ada" not in await talk.text()
    assert (await talk.map()).dropped_turns == before.dropped_turns + 1


async def test_a_turn_that_was_dropped_comes_back_when_it_is_pinned_on_every_branch_below_it(talk):
    dropped = await talk.exchange("my name is Ada")
    turns = await fill(talk)
    other = await talk.exchange("another way", parent_id=turns[-3].id)
    await talk.exchange("and on", parent_id=turns[-1].id)
    assert "Ada" not in await talk.text()
    await talk.pin(dropped)
    assert "Ada" in await talk.text()
    assert dropped.id in {turn.id for turn in await talk.history.path(other.id)}
    await talk.pin(dropped, pinned=False)
    await talk.pin(dropped)
    path = [turn.id for turn in await talk.history.path(other.id)]
    assert path.count(dropped.id) == 1


async def test_pins_have_a_quarter_of_the_window_and_one_more_is_refused_with_the_numbers(talk):
    turns = await fill(talk, 6)
    fitting = max(count for count in range(6) if talk.prompts.tokens_of_turns(turns[:count]) <= 60)
    for turn in turns[:fitting]:
        await talk.pin(turn)
    with pytest.raises(PinsFull) as refused:
        await talk.pin(turns[fitting])
    tokens = talk.prompts.tokens_of_turns(turns[: fitting + 1])
    assert refused.value.fields == {"tokens": tokens, "limit_tokens": 60}
    assert not (await talk.history.turn(turns[fitting].id)).pinned
    await talk.pin(turns[0])  # it is pinned already
    await talk.pin(turns[0], pinned=False)
    assert (await talk.pin(turns[fitting])).pinned


async def test_what_was_dropped_counts_when_it_was_pinned_before(talk):
    turns = await fill(talk, 6)
    tokens = talk.prompts.tokens_of_turns(turns[:1])
    for turn in turns[: 60 // tokens]:
        await talk.pin(turn)
    with pytest.raises(PinsFull):
        await talk.pin((await fill(talk))[-1])


async def test_a_turn_without_an_answer_cannot_be_pinned(talk):
    with pytest.raises(NothingToPin):
        await talk.pin(await talk.ask("hi"))
    with pytest.raises(TurnGone):
        await pin(talk.history, talk.prompts, 404, pinned=True)


async def test_a_question_that_fits_only_without_a_pin_goes_first_and_the_pin_is_back_after_it(talk):
    pinned = await talk.exchange("remember " * 10, "ok")
    await talk.pin(pinned)
    await fill(talk)
    long, prompt = await talk.begin(await talk.ask("word " * 195))
    assert prompt.turns_used == 0
    assert pinned.id in prompt.kept
    assert "remember" not in TOKENIZER.decode(prompt.ids)
    await talk.end(long)
    assert "remember" in await talk.text()


async def test_a_pin_costs_one_search_by_key_on_a_path_of_ten_thousand_turns(talk):
    history, pinned = talk.history, await talk.exchange("my name is Ada")
    await talk.pin(pinned)
    async with history.transaction() as connection:
        await connection.execute(
            """
            WITH RECURSIVE more (id) AS (SELECT :root + 1 UNION ALL SELECT id + 1 FROM more LIMIT 10000)
            INSERT INTO turns (id, parent_id, conversation_id, user_id, state, created_at, question, answer_ids,
                               window_from, kept)
            SELECT id, id - 1, :conversation, 1, 'done', 0, 'q' || id, zeroblob(800),
                   max(:root, id - 9), json_array(:root) FROM more
            """,
            {"root": pinned.id, "conversation": pinned.conversation_id},
        )
        await connection.execute("UPDATE conversations SET head_id = ?", (pinned.id + 10_000,))
    turn = await talk.ask("and now?")
    async with history.transaction() as connection:
        steps = 0

        def step():
            nonlocal steps
            steps += 1

        await connection.set_progress_handler(step, 1)
        rows = await connection.execute_fetchall(_rows.PATH, {"turn": turn.id})
        await connection.set_progress_handler(None, 0)
    path = [pinned.id, *range(pinned.id + 9_991, pinned.id + 10_001)]
    assert [row["id"] for row in rows] == [*path, turn.id]
    assert steps < 2_500


EXCHANGE = st.tuples(
    st.integers(1, 40),  # words asked
    st.integers(0, 60),  # words quoted
    st.integers(1, 40),  # words answered
    st.booleans(),  # to be pinned
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([(1, 0, 13, True), (6, 29, 1, False), (1, 0, 1, False)], 244)  # a question that needs the pin's room
@given(st.lists(EXCHANGE, min_size=1, max_size=14), st.integers(220, 600))
def test_the_counts_are_those_of_the_prompt_through_every_cut_with_every_pin(exchanges, context_tokens):
    async def play(path):
        history = await History.open(path)
        try:
            await converse(Talk(history, context_tokens))
        finally:
            await history.aclose()

    async def converse(talk):
        before = talk.prompts.map([], dropped_turns=0)
        for number, (asked, quoted, answered, pinned) in enumerate(exchanges, start=1):
            excerpts = [Excerpt(ExcerptKind.QUOTE, "Ben", "quoted " * quoted)] if quoted else []
            turn, prompt = await talk.begin(await talk.ask("asked " * asked, *excerpts))
            own_tokens = TOKENIZER.question_tokens(prompt.question_ids)
            after = talk.prompts.map(await talk.history.path(turn.id), dropped_turns=0)
            without_room = [count for count in after.turns if count.turn.id not in {old.id for old in prompt.turns}]
            assert all(count.turn.pinned for count in without_room)  # only beside a long question; later they are back
            assert len(prompt.ids) == after.used_tokens + own_tokens - sum(count.tokens for count in without_room)
            if not prompt.dropped_turns and not without_room:
                assert len(prompt.ids) == before.used_tokens + own_tokens
            done = await talk.end(turn, "answered " * answered)
            if pinned:
                with suppress(PinsFull):
                    await talk.pin(done)
            before = await talk.map()
            assert before.pinned_tokens <= before.pin_limit_tokens
            parts = before.system_tokens + before.summary_tokens + sum(turn.tokens for turn in before.turns)
            assert parts + before.room_tokens + before.free_tokens == max(context_tokens, parts)
            last = before.turns[-1]
            assert (last.turn.id, last.answer_tokens) == (done.id, len(done.answer_ids) + 2)
            assert (last.excerpt_tokens > 0) is bool(quoted)
            assert len(before.turns) + before.dropped_turns == number

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "bot.db"))


@given(
    st.lists(st.integers(4, 300), max_size=20),
    st.sets(st.integers(0, 19)),
    st.integers(3, 700),
    st.integers(1, 400),
)
def test_what_is_to_be_kept_is_kept_unless_the_question_needs_its_room(exchanges, keep, question_tokens, room):
    keep = {index for index in keep if index < len(exchanges)}
    sizes = {"system_tokens": 10, "question_tokens": question_tokens, "context_tokens": 1000, "max_new_tokens": room}
    window = fit(exchange_tokens=exchanges, keep=keep, **sizes)
    stays = [*window.kept, *range(window.first, len(exchanges))]
    assert window.prompt_tokens == 10 + question_tokens + sum(exchanges[index] for index in stays)
    assert window.prompt_tokens + min(room, 250) <= 1000
    lost = keep - set(stays)
    if lost:  # with it, the question would not have had its room, even alone with the younger kept ones
        needed = sum(exchanges[index] for index in window.kept) + exchanges[max(lost)]
        assert 10 + question_tokens + needed + min(room, 250) > 1000
    if not keep:
        assert window == fit(exchange_tokens=exchanges, **sizes)
