"""The history on real files: what is accepted, begun, finished, branched, forgotten, and what a prompt's path costs."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count, pairwise
from pathlib import Path

import pytest

from bot.core import _rows
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Question, Turn, TurnState, Usage

ANN = 11
BOB = 12
HALL = ConversationKey(channel_id=1, user_id=ANN, guild_id=7)
SHARED = ConversationKey(channel_id=2, user_id=None, guild_id=7)

_message_ids = count(1_400_000_000_000_000_000)


def asked(text: str = "hi", *, key: ConversationKey = HALL, user_id: int = ANN, message_id: int = 0) -> Question:
    return Question(key=key, user_id=user_id, message_id=message_id or next(_message_ids), text=text)


async def begin(history: History, turn: Turn, **changes: object) -> Turn | None:
    fields = {"question": turn.question, "question_ids": (1, 2), "tokenizer": "t1", "window_from": turn.window_from}
    return await history.begin(turn.id, **{"seed": None, **fields, **changes})  # type: ignore[arg-type]


async def finish(history: History, turn: Turn, state: TurnState = TurnState.DONE, **changes: object) -> Turn:
    fields = {"finish": Finish.STOP, "answer": "an answer", "answer_ids": (3, 4), "usage": Usage()}
    return await history.finish(turn.id, state=state, **{**fields, **changes})  # type: ignore[arg-type]


async def exchange(history: History, question: Question, *, parent_id: int | None = None) -> Turn:
    turn = (await history.accept(question, parent_id=parent_id)).turn
    assert await begin(history, turn)
    return await finish(history, turn)


def ids(turns: list[Turn]) -> list[int]:
    return [turn.id for turn in turns]


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    opened = await History.open(tmp_path / "bot.db", clock=lambda: 1000.0)
    yield opened
    await opened.aclose()


async def test_a_new_question_is_a_queued_turn_with_all_that_is_known_of_it(history: History) -> None:
    question = asked("what is your name?")
    accepted = await history.accept(question)
    assert accepted.outcome == "new"
    turn = accepted.turn
    assert turn == Turn(
        id=turn.id,
        conversation_id=turn.conversation_id,
        parent_id=None,
        user_id=ANN,
        question="what is your name?",
        state=TurnState.QUEUED,
        created_at=1000.0,
        question_message_ids=(question.message_id,),
        key=HALL,
        asked="what is your name?",
    )
    assert turn.key is not None
    assert turn.key.guild_id == 7
    assert await history.turn(turn.id) == turn
    assert await history.turn_of_message(question.message_id) == turn


async def test_every_field_of_a_finished_turn_comes_back_as_it_went_in(history: History, tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=5, completion_tokens=6, dropped_turns=7, first_token_s=0.25, total_s=1.5)
    turn = (await history.accept(asked())).turn
    begun = await begin(history, turn, question_ids=(0, 32_063, 2**32 - 1), tokenizer="abc", seed=2**31 - 1)
    assert begun is not None
    assert (begun.state, begun.attempts, begun.seed, begun.tokenizer) == (TurnState.GENERATING, 1, 2**31 - 1, "abc")
    done = await finish(history, turn, finish=Finish.LENGTH, answer="Phi", answer_ids=(9, 8), usage=usage)
    await history.add_answer_messages(turn.id, [50, 40])
    await history.aclose()

    again = await History.open(tmp_path / "bot.db")
    stored = await again.turn(turn.id)
    await again.aclose()
    assert stored is not None
    assert (stored.question_ids, stored.answer_ids) == ((0, 32_063, 2**32 - 1), (9, 8))
    assert (stored.answer, stored.finish, stored.usage) == ("Phi", Finish.LENGTH, usage)
    assert (stored.state, stored.tokenizer, stored.answer_message_ids) == (TurnState.DONE, "abc", (50, 40))
    assert (done.usage, done.finish) == (usage, Finish.LENGTH)


async def test_messages_sent_while_a_turn_waits_join_it_in_the_order_they_were_sent(history: History) -> None:
    first = await history.accept(asked("one", message_id=100))
    third = await history.accept(asked("three", message_id=300))
    second = await history.accept(asked("two", message_id=200))  # arrives late
    assert (first.outcome, second.outcome, third.outcome) == ("new", "joined", "joined")
    assert second.turn.id == third.turn.id == first.turn.id
    assert second.turn.question == "one\ntwo\nthree"
    assert second.turn.question_message_ids == (100, 200, 300)


async def test_a_message_sent_while_the_answer_is_generated_begins_the_next_turn(history: History) -> None:
    running = (await history.accept(asked("one"))).turn
    assert await begin(history, running)
    following = await history.accept(asked("two"))
    joining = await history.accept(asked("three"))
    assert following.outcome == "new"
    assert following.turn.parent_id == running.id
    assert joining.outcome == "joined"
    assert joining.turn.question == "two\nthree"
    stored = await history.turn(running.id)
    assert stored is not None
    assert stored.question == "one"


async def test_nothing_begins_when_a_message_joined_after_the_question_was_read(history: History) -> None:
    turn = (await history.accept(asked("one"))).turn
    joined = (await history.accept(asked("two"))).turn
    assert await begin(history, turn) is None
    begun = await begin(history, joined)
    assert begun is not None
    assert begun.question == "one\ntwo"


async def test_a_turn_begins_only_once_and_not_after_its_end(history: History) -> None:
    turn = (await history.accept(asked())).turn
    assert await begin(history, turn)
    assert await begin(history, turn) is None
    await finish(history, turn)
    assert await begin(history, turn) is None
    assert await history.begin(999, question="", question_ids=(), tokenizer="", window_from=None, seed=None) is None


async def test_a_message_that_comes_twice_is_recorded_once(history: History) -> None:
    question = asked("once")
    first = await history.accept(question)
    again = await history.accept(question)
    assert again.outcome == "duplicate"
    assert again.turn == first.turn
    await finish(history, first.turn)
    await history.reset(HALL)
    assert (await history.accept(question)).outcome == "duplicate"
    assert await history.recent(HALL, 10) == []


async def test_in_a_shared_conversation_nobody_joins_another_persons_turn(history: History) -> None:
    first = (await history.accept(asked("ann's", key=SHARED, user_id=ANN))).turn
    second = await history.accept(asked("bob's", key=SHARED, user_id=BOB))
    assert second.outcome == "new"
    assert second.turn.parent_id == first.id
    assert second.turn.conversation_id == first.conversation_id
    assert second.turn.key == SHARED


async def test_conversations_are_told_apart_by_channel_and_person_and_not_by_server(history: History) -> None:
    keys = [ConversationKey(1, ANN), ConversationKey(1, BOB), ConversationKey(2, ANN), ConversationKey(1, None)]
    turns = [(await history.accept(asked(key=key))).turn for key in keys]
    assert len({turn.conversation_id for turn in turns}) == 4
    same = await history.accept(asked(key=ConversationKey(1, ANN, guild_id=99)))
    assert same.turn.id == turns[0].id


async def test_a_branch_begins_at_the_turn_it_replies_to_and_becomes_the_conversation(history: History) -> None:
    turns = [await exchange(history, asked(text)) for text in ("one", "two", "three")]
    branch = (await history.accept(asked("four"), parent_id=turns[0].id)).turn
    assert ids(await history.path(branch.id)) == ids(turns[:1])
    await finish(history, branch)
    after = (await history.accept(asked("five"))).turn
    assert ids(await history.path(after.id)) == [turns[0].id, branch.id]
    assert ids(await history.path(turns[2].id)) == ids(turns[:2])  # the other branch is still there


async def test_a_branch_joins_the_waiting_head_only_where_that_itself_is_or_goes_on_from(history: History) -> None:
    root = await exchange(history, asked("one"))
    newest = await exchange(history, asked("two"))
    waiting = (await history.accept(asked("three"))).turn
    for parent_id in (newest.id, waiting.id):
        joined = await history.accept(asked("and"), parent_id=parent_id)
        assert (joined.outcome, joined.turn.id) == ("joined", waiting.id)
    branch = await history.accept(asked("four"), parent_id=root.id)
    assert branch.outcome == "new"
    assert branch.turn.id != waiting.id


async def test_a_parent_from_another_conversation_is_refused_and_nothing_is_recorded(history: History) -> None:
    foreign = await exchange(history, asked(key=ConversationKey(9, BOB), user_id=BOB))
    question = asked()
    for parent_id in (foreign.id, 10**6):
        with pytest.raises(ValueError, match="not in conversation"):
            await history.accept(question, parent_id=parent_id)
    assert await history.turn_of_message(question.message_id) is None
    assert (await history.accept(question)).outcome == "new"


async def test_a_path_starts_where_its_window_does_and_its_children_agree(history: History) -> None:
    turns = [await exchange(history, asked(str(number))) for number in range(5)]
    cutting = (await history.accept(asked("cut"))).turn
    begun = await begin(history, cutting, window_from=turns[3].id)
    assert begun is not None
    assert begun.window_from == turns[3].id
    assert ids(await history.path(cutting.id)) == ids(turns[3:])
    await finish(history, cutting)
    child = (await history.accept(asked("child"))).turn
    assert child.window_from == turns[3].id
    assert ids(await history.path(child.id)) == [*ids(turns[3:]), cutting.id]
    older_branch = (await history.accept(asked("branch"), parent_id=turns[1].id)).turn
    assert ids(await history.path(older_branch.id)) == ids(turns[:2])  # from before the cut: its own window


async def test_a_turn_whose_window_is_itself_has_no_history(history: History) -> None:
    await exchange(history, asked("long"))
    turn = (await history.accept(asked("longer"))).turn
    await begin(history, turn, window_from=turn.id)
    assert await history.path(turn.id) == []
    await finish(history, turn)
    child = (await history.accept(asked("next"))).turn
    assert ids(await history.path(child.id)) == [turn.id]


@pytest.mark.parametrize("cut_at_the_end", [False, True])
async def test_a_turn_that_waited_during_the_cut_follows_it(history: History, *, cut_at_the_end: bool) -> None:
    turns = [await exchange(history, asked(str(number))) for number in range(3)]
    cutting = (await history.accept(asked("cut"))).turn
    await begin(history, cutting, **({} if cut_at_the_end else {"window_from": turns[2].id}))
    waiting = (await history.accept(asked("waiting"))).turn
    if cut_at_the_end:
        assert (await finish(history, cutting, window_from=turns[2].id)).window_from == turns[2].id
    assert ids(await history.path(waiting.id)) == [turns[2].id, cutting.id]


async def test_finishing_keeps_the_window_unless_one_is_given(history: History) -> None:
    first = await exchange(history, asked("one"))
    turn = (await history.accept(asked("two"))).turn
    await begin(history, turn, window_from=first.id)
    assert (await finish(history, turn)).window_from == first.id
    other = (await history.accept(asked("three"))).turn
    assert (await finish(history, other, window_from=None)).window_from is None


async def test_a_partial_answer_is_kept_while_generating_and_only_then(history: History) -> None:
    turn = (await history.accept(asked())).turn
    await history.save_partial(turn.id, answer="too early", answer_ids=(1,))
    begun = await begin(history, turn)
    assert begun is not None
    assert begun.answer == ""
    await history.save_partial(turn.id, answer="half", answer_ids=(5, 6))
    partial = await history.turn(turn.id)
    assert partial is not None
    assert (partial.answer, partial.answer_ids) == ("half", (5, 6))
    await finish(history, turn, answer="whole", answer_ids=(5, 6, 7))
    await history.save_partial(turn.id, answer="late", answer_ids=(1,))
    done = await history.turn(turn.id)
    assert done is not None
    assert (done.answer, done.answer_ids) == ("whole", (5, 6, 7))


async def test_the_first_end_of_a_turn_counts(history: History) -> None:
    turn = (await history.accept(asked())).turn
    await begin(history, turn)
    await finish(history, turn, TurnState.STOPPED, finish=None, answer="so far")
    late = await finish(history, turn, TurnState.DONE, answer="whole", window_from=turn.id)
    assert (late.state, late.answer, late.finish, late.window_from) == (TurnState.STOPPED, "so far", None, None)
    with pytest.raises(LookupError):
        await history.finish(999, state=TurnState.DONE, finish=None, answer="", answer_ids=(), usage=Usage())


async def test_a_turn_stopped_while_it_waited_is_part_of_the_path(history: History) -> None:
    turn = (await history.accept(asked("one"))).turn
    stopped = await finish(history, turn, TurnState.STOPPED, finish=None, answer="", answer_ids=())
    assert stopped.state is TurnState.STOPPED
    following = await history.accept(asked("two"))
    assert following.outcome == "new"
    assert ids(await history.path(following.turn.id)) == [turn.id]


async def test_after_a_reset_the_next_turn_is_a_root_and_knows_nothing(history: History) -> None:
    assert not await history.reset(HALL)
    old = await exchange(history, asked("one"))
    assert await history.reset(HALL)
    assert not await history.reset(HALL)
    assert await history.recent(HALL, 10) == []
    new = (await history.accept(asked("two"))).turn
    assert (new.parent_id, new.window_from) == (None, None)
    assert new.conversation_id == old.conversation_id
    assert await history.path(new.id) == []


async def test_the_late_answer_of_a_turn_stays_with_the_root_that_was_reset(history: History) -> None:
    running = (await history.accept(asked("old"))).turn
    await begin(history, running)
    await history.reset(HALL)
    new = (await history.accept(asked("new"))).turn
    late = await finish(history, running, answer="late")
    assert late.answer == "late"
    assert new.parent_id is None
    assert await history.path(new.id) == []
    assert ids(await history.recent(HALL, 10)) == [new.id]
    branch = (await history.accept(asked("go on there"), parent_id=running.id)).turn
    assert ids(await history.path(branch.id)) == [running.id]


async def test_a_message_after_a_reset_does_not_join_the_turn_that_waited_before(history: History) -> None:
    waiting = (await history.accept(asked("old"))).turn
    await history.reset(HALL)
    assert (await history.accept(asked("new"))).turn.id != waiting.id


async def test_resetting_everywhere_leaves_others_and_shared_conversations_alone(history: History) -> None:
    await history.accept(asked(key=ConversationKey(1, ANN)))
    await history.accept(asked(key=ConversationKey(2, ANN)))
    bobs = (await history.accept(asked(key=ConversationKey(1, BOB), user_id=BOB))).turn
    shared = (await history.accept(asked(key=SHARED))).turn
    assert await history.reset_everywhere(ANN) == 2
    assert await history.reset_everywhere(ANN) == 0
    assert ids(await history.recent(ConversationKey(1, BOB), 5)) == [bobs.id]
    assert ids(await history.recent(SHARED, 5)) == [shared.id]


async def test_the_recent_turns_are_the_newest_of_the_current_path_oldest_first(history: History) -> None:
    turns = [await exchange(history, asked(str(number))) for number in range(4)]
    branch = await exchange(history, asked("branch"), parent_id=turns[1].id)
    assert ids(await history.recent(HALL, 2)) == [turns[1].id, branch.id]
    assert ids(await history.recent(HALL, 99)) == [*ids(turns[:2]), branch.id]
    assert await history.recent(ConversationKey(404, ANN), 5) == []
    assert await history.recent(HALL, 0) == []


async def test_what_lies_before_the_window_and_was_answered_is_forgotten(history: History) -> None:
    turns = [await exchange(history, asked(str(number))) for number in range(3)]
    failed = (await history.accept(asked("fails"))).turn
    await finish(history, failed, TurnState.FAILED, answer="", answer_ids=())
    newest = (await history.accept(asked("newest"))).turn
    assert await history.forgotten(newest.id) == 0
    for window_from, forgotten in ((turns[1].id, 1), (failed.id, 3), (newest.id, 3)):
        await finish(history, newest, window_from=window_from)
        assert await history.forgotten(newest.id) == forgotten
        newest = (await history.accept(asked("newer"))).turn
        assert await history.forgotten(newest.id) == forgotten


async def test_answer_messages_keep_their_order_and_may_be_told_again(history: History) -> None:
    turn = (await history.accept(asked())).turn
    await history.add_answer_messages(turn.id, [900])
    await history.add_answer_messages(turn.id, [900, 500])
    await history.add_answer_messages(turn.id, [700])
    await history.add_answer_messages(turn.id, [900, 500, 700])
    await history.add_answer_messages(turn.id, [])
    stored = await history.turn_of_message(500)
    assert stored is not None
    assert stored.answer_message_ids == (900, 500, 700)
    assert stored.question_message_ids == turn.question_message_ids


async def test_a_message_that_shows_a_regenerated_answer_belongs_to_the_new_turn(history: History) -> None:
    question = asked("one")
    old = await exchange(history, question)
    await history.add_answer_messages(old.id, [71, 72])
    sibling = (await history.accept(asked("one"))).turn
    await history.add_answer_messages(sibling.id, [72, question.message_id])
    shown = await history.turn_of_message(72)
    assert shown is not None
    assert shown.id == sibling.id
    asking = await history.turn_of_message(question.message_id)
    assert asking is not None
    assert asking.id == old.id  # a question never becomes an answer
    assert asking.answer_message_ids == (71,)
    assert await history.turn_of_message(404) is None


async def test_unfinished_turns_are_found_with_their_keys_oldest_first(history: History) -> None:
    done = await exchange(history, asked("done"))
    queued = (await history.accept(asked("queued"))).turn
    generating = (await history.accept(asked(key=SHARED))).turn
    await begin(history, generating)
    interrupted = (await history.accept(asked(key=ConversationKey(5, BOB), user_id=BOB))).turn
    await finish(history, interrupted, TurnState.INTERRUPTED, finish=None, answer="so f", answer_ids=(1,))
    found = await history.unfinished()
    assert ids(found) == [queued.id, generating.id, interrupted.id]
    assert [turn.key for turn in found] == [HALL, SHARED, ConversationKey(5, BOB)]
    assert [turn.state for turn in found] == [TurnState.QUEUED, TurnState.GENERATING, TurnState.INTERRUPTED]
    assert done.id not in ids(found)


async def test_an_interrupted_turn_is_taken_up_with_its_partial_ids_and_counts_the_attempt(history: History) -> None:
    turn = (await history.accept(asked())).turn
    await begin(history, turn)
    await finish(history, turn, TurnState.INTERRUPTED, finish=None, answer="so f", answer_ids=(1, 2))
    again = await begin(history, turn)
    assert again is not None
    assert (again.answer, again.answer_ids, again.attempts) == ("so f", (1, 2), 2)


async def test_with_another_model_the_texts_stay_and_the_ids_do_not(history: History, tmp_path: Path) -> None:
    old = await exchange(history, asked("one"))
    turn = (await history.accept(asked("two"))).turn
    await begin(history, turn)
    await finish(history, turn, TurnState.INTERRUPTED, finish=None, answer="so f", answer_ids=(1, 2))
    await history.aclose()

    again = await History.open(tmp_path / "bot.db")
    begun = await begin(again, turn, tokenizer="t2", question_ids=(77,))
    path = await again.path(turn.id)
    await again.aclose()
    assert begun is not None
    assert (begun.tokenizer, begun.question_ids, begun.answer_ids, begun.answer) == ("t2", (77,), (), "so f")
    assert [(turn.id, turn.tokenizer, turn.answer) for turn in path] == [(old.id, "t1", "an answer")]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("\ud800lone\udfff", "\ufffdlone\ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("before\0after", "before\0after"),
        ("'; DROP TABLE turns; --", "'; DROP TABLE turns; --"),
        ("", ""),
        ("\ufeffmark\r\n\x1b", "\ufeffmark\r\n\x1b"),
        ("x" * 1_000_000, "x" * 1_000_000),
    ],
    ids=["lone surrogates", "a split pair", "NUL", "SQL", "empty", "controls", "a million characters"],
)
async def test_any_text_can_be_stored(history: History, text: str, stored: str) -> None:
    turn = (await history.accept(asked(text))).turn
    assert turn.question == stored
    assert await begin(history, turn)
    await history.save_partial(turn.id, answer=text, answer_ids=())
    assert (await finish(history, turn, answer=text)).answer == stored
    await history.remember("text", text)
    assert await history.recall("text") == stored


async def test_snowflakes_fit_up_to_the_last_one(history: History) -> None:
    last = 2**63 - 1
    key = ConversationKey(last, last - 1, last - 2)
    await history.accept(asked("one", key=key, user_id=last, message_id=last))
    joined = (await history.accept(asked("two", key=key, user_id=last, message_id=last - 1))).turn
    assert joined.question_message_ids == (last - 1, last)
    assert joined.key == key


async def test_facts_are_remembered_and_replaced(history: History) -> None:
    assert await history.recall("load_s") is None
    await history.remember("load_s", "8.5")
    await history.remember("load_s", "9")
    assert await history.recall("load_s") == "9"


async def test_many_conversations_at_once_do_not_mix(history: History) -> None:
    async def talk(key: ConversationKey) -> None:
        for number in range(6):
            text = f"{key.channel_id}/{key.user_id}/{number}"
            turn = (await history.accept(asked(text, key=key, user_id=key.user_id or 0))).turn
            path = await history.path(turn.id)
            assert [old.question for old in path] == [f"{key.channel_id}/{key.user_id}/{n}" for n in range(number)]
            assert await begin(history, turn)
            await history.save_partial(turn.id, answer=text[:3], answer_ids=(number,))
            await finish(history, turn, answer=f"re {text}")

    keys = [ConversationKey(channel, user) for channel in range(1, 5) for user in range(1, 5)]
    await asyncio.gather(*(talk(key) for key in keys))
    for key in keys:
        turns = await history.recent(key, 100)
        assert [turn.answer for turn in turns] == [f"re {key.channel_id}/{key.user_id}/{n}" for n in range(6)]
        assert all(child.parent_id == parent.id for parent, child in pairwise(turns))


async def grow_path(history: History, length: int) -> list[int]:
    """Make one path of `length` turns, in one transaction for the speed of it; return their ids."""
    root = await exchange(history, asked("root"))
    async with history.transaction() as connection:
        await connection.execute(
            """
            WITH RECURSIVE more (id) AS (SELECT :root + 1 UNION ALL SELECT id + 1 FROM more LIMIT :count)
            INSERT INTO turns (id, parent_id, conversation_id, user_id, state, created_at, question, question_ids)
            SELECT id, id - 1, :conversation, 11, 'done', 0, 'q' || id, zeroblob(800) FROM more
            """,
            {"root": root.id, "count": length - 1, "conversation": root.conversation_id},
        )
        await connection.execute("UPDATE conversations SET head_id = ?", (root.id + length - 1,))
    return [root.id + offset for offset in range(length)]


async def test_on_a_path_of_ten_thousand_turns_a_window_of_ten_costs_ten(history: History, tmp_path: Path) -> None:
    path = await grow_path(history, 10_000)
    assert len(await history.path(path[-1])) == 9_999  # no window: all of it
    turn = (await history.accept(asked("and now?"))).turn
    assert await begin(history, turn, window_from=path[-10])
    assert ids(await history.path(turn.id)) == path[-10:]

    async with history.transaction() as connection:  # the reader's twin, with a meter on it
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        await connection.set_progress_handler(step, 1)
        rows = await connection.execute_fetchall(_rows.PATH, {"turn": turn.id})
        await connection.set_progress_handler(None, 0)  # type: ignore[arg-type]
    assert len(list(rows)) == 11  # and the turn itself
    assert steps < 2_000  # virtual machine instructions; the whole path would take a thousand times as many


@pytest.mark.parametrize(
    "name", ["TURN", "TURN_OF_MESSAGE", "PATH", "RECENT", "TURNS_UNFINISHED", "MOVE_WINDOW", "KEEP_BELOW"]
)
async def test_no_statement_reads_a_whole_table(history: History, name: str) -> None:
    parameters = {"turn": 1, "message": 1, "channel": 1, "user": 1, "limit": 5, "window": 1, "kept": "[]"}
    async with history.transaction() as connection:
        plan = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {getattr(_rows, name)}", parameters)
    steps = [row["detail"] for row in plan]
    assert steps
    # Scanning the recursion's own few rows, and the few ids that are kept, is what it is made of.
    assert [
        step
        for step in steps
        if step.startswith("SCAN") and step.split()[1] not in {"up", "prompted", "kept", "down", "CONSTANT"}
    ] == []


async def test_finding_what_is_left_to_do_and_interrupting_it_use_the_small_index(history: History) -> None:
    async with history.transaction() as connection:
        for sql in (_rows.TURNS_UNFINISHED, _rows.INTERRUPT_ALL):
            plan = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {sql}")
            assert any("turns_unfinished" in row["detail"] for row in plan)


async def test_deleting_a_turn_under_the_window_keeps_the_rest_of_the_path(history: History) -> None:
    """What forgetting an exchange will do: its children move up, and the window still means what it did."""
    turns = [await exchange(history, asked(str(number))) for number in range(4)]
    head = (await history.accept(asked("head"))).turn
    await begin(history, head, window_from=turns[1].id)
    async with history.transaction() as connection:
        await connection.execute("UPDATE turns SET parent_id = ? WHERE parent_id = ?", (turns[0].id, turns[1].id))
        await connection.execute("DELETE FROM turns WHERE id = ?", (turns[1].id,))
    assert ids(await history.path(head.id)) == ids(turns[2:])
    assert await history.turn_of_message(turns[1].question_message_ids[0]) is None
