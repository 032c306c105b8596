"""The use cases, on a real database and a real tokenizer, with an engine that plays scripts."""

import asyncio
import itertools
import threading
from dataclasses import replace

import pytest

from bot.core.chat import Phase, Remembered, Taken
from bot.core.engine import EngineInfo
from bot.core.generation import STREAM_INTERVAL_S
from bot.core.history import History
from bot.core.messages import ConversationKey, Finish, Sampling, TurnState
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.echo import Die, EchoBackend, Fail, Hang, Say
from bot.errors import (
    EngineDead,
    EngineFailed,
    QuestionEmpty,
    QuestionTooLong,
    QueueFull,
    RestartedTooLate,
    ShuttingDown,
    TooManyQuestions,
    WaitedTooLong,
)
from chat_on_disk import ADA, BEN, DEMO, HERE, INFO, THERE, asked, end_of, until


async def test_an_answer_is_recorded_and_the_next_prompt_contains_it_as_the_same_ids(world, tokenizer):
    chat = await world.start()
    world.say("I am fine")
    first = await end_of(await chat.ask(asked("how are you?")))
    assert (first.text, first.turn.state, first.turn.finish) == ("I am fine", TurnState.DONE, Finish.STOP)
    assert first.turn.usage.completion_tokens == len(tokenizer.encode("I am fine"))
    await end_of(await chat.ask(asked("and now?")))
    e = tokenizer.encode
    assert world.prompts[1].prompt_ids == tokenizer.prompt(
        e("Be kind."), [(e("how are you?"), e("I am fine"))], e("and now?")
    )
    assert [turn.answer for turn in (await chat.history(HERE, 10)).turns] == ["I am fine", "I am fine"]


async def test_the_history_tells_just_what_the_next_prompt_contains_and_how_much_it_does_not(world):
    chat = await world.start(max_new_tokens=20)
    world.say(Fail())
    await end_of(await chat.ask(asked("this fails")))
    world.say("fine")
    for number in range(12):
        await end_of(await chat.ask(asked(f"question {number} " + "and so on " * 8)))
    remembered = await chat.history(HERE, 2)
    everything = await chat.history(HERE, 99)
    assert remembered.turns == everything.turns[-2:]
    assert remembered.earlier == len(everything.turns) - 2 > 0
    assert remembered.forgotten == everything.forgotten == 12 - len(everything.turns) > 0
    await end_of(await chat.ask(asked("now?")))
    for turn in everything.turns:
        assert turn.question in world.prompt()
    assert "this fails" not in world.prompt()
    assert world.prompt().count("question ") == len(everything.turns)


async def test_conversations_know_nothing_of_each_other(world):
    chat = await world.start()
    await end_of(await chat.ask(asked("my name is Ada")))
    await end_of(await chat.ask(asked("who am i?", THERE)))
    await end_of(await chat.ask(asked("who am i?", ConversationKey(10, BEN), BEN)))
    assert "Ada" not in world.prompt(1) + world.prompt(2)


async def test_messages_sent_while_one_is_answered_join_the_next_turn(world):
    chat = await world.start()
    world.say("a", Hang())
    first = await chat.ask(asked("one"))
    await until(first, lambda s: s.phase is Phase.ANSWERING)
    second = await chat.ask(asked("two"))
    assert await chat.ask(asked("three")) is Taken.JOINED
    assert len(second.question_message_ids) == 2
    assert (chat.status().running, chat.status().waiting) == (1, 1)
    world.say("b")
    first.stop()
    ended = await end_of(second)
    assert ended.turn.question == "two\nthree"
    assert world.prompt().endswith("two\nthree")
    assert len(world.prompts) == 2


async def test_a_message_seen_twice_is_answered_once(world):
    chat = await world.start()
    question = asked("hello")
    await end_of(await chat.ask(question))
    assert await chat.ask(question) is Taken.BEFORE
    assert len(world.prompts) == 1


async def test_stop_keeps_the_text_so_far_and_later_prompts_contain_it(world):
    chat = await world.start()
    world.say("half of", Hang())
    answer = await chat.ask(asked("tell me"))
    await until(answer, lambda s: s.text == "half of")
    assert await chat.stop(HERE) == 1
    ended = await end_of(answer)
    assert (ended.turn.state, ended.text) == (TurnState.STOPPED, "half of")
    assert await chat.stop(HERE) == 0
    world.say("ok")
    await end_of(await chat.ask(asked("go on")))
    assert "half of" in world.prompt()


async def test_a_waiting_question_can_be_stopped_before_it_begins(world):
    chat = await world.start()
    world.say("a", Hang())
    first = await chat.ask(asked("one"))
    await until(first, lambda s: s.phase is Phase.ANSWERING)
    second = await chat.ask(asked("two"))
    assert await chat.stop(HERE) == 2
    assert (await end_of(first)).turn.state is TurnState.STOPPED
    ended = await end_of(second)
    assert (ended.turn.state, ended.text) == (TurnState.STOPPED, "")
    assert len(world.prompts) == 1


async def test_a_reset_while_generating_stops_it_and_its_late_answer_stays_with_the_old_root(world):
    chat = await world.start()
    world.say("secret", Hang())
    answer = await chat.ask(asked("one"))
    await until(answer, lambda s: s.text == "secret")
    assert await chat.reset(HERE)
    assert (await end_of(answer)).turn.state is TurnState.STOPPED
    world.say("ok")
    new = (await end_of(await chat.ask(asked("two")))).turn
    assert new.parent_id is None
    assert "secret" not in world.prompt()
    assert [turn.question for turn in (await chat.history(HERE, 10)).turns] == ["two"]
    assert not await chat.reset(THERE)


async def test_reset_everywhere_forgets_one_persons_conversations_and_nobody_elses(world):
    chat = await world.start()
    bens = ConversationKey(10, BEN)
    for question in (asked("a"), asked("b", THERE), asked("c", bens, BEN)):
        await end_of(await chat.ask(question))
    assert await chat.reset_everywhere(ADA) == 2
    assert await chat.history(HERE, 5) == Remembered([])
    assert len((await chat.history(bens, 5)).turns) == 1


async def test_refused_questions_leave_nothing_behind(world):
    chat = await world.start(per_user_per_minute=2)
    for nothing in ("", " \n\u3000"):
        with pytest.raises(QuestionEmpty):
            await chat.ask(asked(nothing))
    with pytest.raises(QuestionTooLong) as refused:
        await chat.ask(asked("word " * 400))
    assert refused.value.fields["tokens"] > refused.value.fields["limit_tokens"] > 200
    await end_of(await chat.ask(asked("one")))
    await end_of(await chat.ask(asked("two")))
    with pytest.raises(TooManyQuestions):
        await chat.ask(asked("three"))
    assert [turn.question for turn in (await chat.history(HERE, 9)).turns] == ["one", "two"]


async def test_an_owner_may_ask_as_fast_as_he_likes(world):
    chat = await world.start(per_user_per_minute=1, unlimited_user_ids=frozenset({ADA}))
    for text in ("one", "two", "three"):
        assert (await end_of(await chat.ask(asked(text)))).error is None


async def test_when_too_many_wait_the_next_is_refused(world):
    chat = await world.start(max_waiting=1)
    world.say("a", Hang())
    await until(await chat.ask(asked("one")), lambda s: s.phase is Phase.ANSWERING)
    await chat.ask(asked("two"))
    with pytest.raises(QueueFull):
        await chat.ask(asked("x", ConversationKey(10, BEN), BEN))


async def test_a_message_that_would_make_the_waiting_question_too_long_is_a_question_of_its_own(world):
    chat = await world.start()
    world.say("a", Hang())
    first = await chat.ask(asked("one"))
    await until(first, lambda s: s.phase is Phase.ANSWERING)
    second = await chat.ask(asked("word " * 150))
    third = await chat.ask(asked("word " * 150))
    assert third.turn.parent_id == second.turn_id
    world.say("fine")
    first.stop()
    assert [(await end_of(answer)).text for answer in (second, third)] == ["fine", "fine"]


async def test_a_failed_generation_ends_in_its_error_and_the_next_question_is_answered(world):
    chat = await world.start()
    world.say("so far", Fail())
    ended = await end_of(await chat.ask(asked("one")))
    assert (ended.turn.state, type(ended.error)) == (TurnState.FAILED, EngineFailed)
    world.say("ok")
    assert (await end_of(await chat.ask(asked("two")))).text == "ok"


async def test_a_dead_engine_answers_everybody_with_an_error(world):
    chat = await world.start()
    world.say(Die())
    answers = [await chat.ask(asked("a")), await chat.ask(asked("b", THERE))]
    assert {type((await end_of(answer)).error) for answer in answers} == {EngineDead}
    assert isinstance((await end_of(await chat.ask(asked("c")))).error, EngineDead)


async def test_a_question_asked_while_the_engine_loads_is_told_so_and_answered_afterwards(world):
    go_on = threading.Event()

    def load(report):
        report("loading.compiling")
        assert go_on.wait(10)
        return EchoBackend(INFO)

    chat = await world.start(factory=load)
    answer = await chat.ask(asked("hello"))
    told = await until(answer, lambda s: s.loading is not None and s.loading.stage == "loading.compiling")
    assert told.phase is Phase.LOADING
    assert told.loading.last_time_s == 7.0
    assert chat.status().loading is not None
    go_on.set()
    assert (await end_of(answer)).text == "hello"
    assert chat.status().loading is None


async def test_a_load_that_fails_ends_every_waiting_question(world):
    def load(_report):
        raise EngineDead("no memory")

    chat = await world.start(factory=load)
    assert isinstance((await end_of(await chat.ask(asked("hello")))).error, EngineDead)


async def test_a_drain_lets_running_answers_finish_and_refuses_new_questions(world):
    chat = await world.start()
    going_on = threading.Event()

    def slowly(_request):
        yield Say(world.tokenizer.encode("first"))
        assert going_on.wait(10)
        yield Say(world.tokenizer.encode(" second"))

    world.script = slowly
    answer = await chat.ask(asked("one"))
    await until(answer, lambda s: s.text == "first")
    waiting = await chat.ask(asked("two"))
    draining = asyncio.create_task(chat.drain(10))
    assert (await end_of(waiting)).turn.state is TurnState.INTERRUPTED
    with pytest.raises(ShuttingDown):
        await chat.ask(asked("three"))
    going_on.set()
    await draining
    assert (await end_of(answer)).turn.state is TurnState.DONE


async def test_a_question_that_is_being_written_down_when_the_end_comes_is_interrupted_too(world):
    chat = await world.start()
    async with world.history.transaction():  # the question has to wait for this
        asking = asyncio.create_task(chat.ask(asked("hello")))
        await asyncio.sleep(0)
        draining = asyncio.create_task(chat.drain(10))
        await asyncio.wait([draining], timeout=0.05)
    answer = await asking
    assert (await end_of(answer)).turn.state is TurnState.INTERRUPTED
    await draining
    assert [turn.id for turn in await world.history.unfinished()] == [answer.turn_id]


async def test_what_a_drain_interrupts_the_next_process_takes_up_from_the_very_token(world):
    chat = await world.start()
    world.say("half of", Hang())
    answer = await chat.ask(asked("tell me"))
    await until(answer, lambda s: s.text == "half of")
    waiting = await chat.ask(asked("and then?"))
    await chat.drain(0)
    assert (await end_of(answer)).turn.state is TurnState.INTERRUPTED
    await end_of(waiting)
    await world.stop()

    world.say(" the answer")
    chat = await world.start()
    taken_up, next_one = await chat.resume()
    assert taken_up.text == "half of"
    ended = await end_of(taken_up)
    assert ended.text == "half of the answer"
    assert world.prompts[1].prompt_ids == world.prompts[0].prompt_ids + world.tokenizer.encode("half of")
    assert (await end_of(next_one)).turn.parent_id == ended.turn.id
    assert await chat.resume() == []


async def test_a_partial_answer_is_on_disk_a_second_after_it_began(world):
    chat = await world.start()
    world.say("one", Hang())

    def ticking():
        world.monotonic += 0.6
        return world.monotonic

    chat._generator._clock = ticking  # each look at the clock is 0.6 s later
    answer = await chat.ask(asked("tell me"))
    await until(answer, lambda s: s.text == "one")
    async with asyncio.timeout(20):
        while not (await world.history.turn(answer.turn_id)).answer:
            await asyncio.sleep(0.01)


async def test_an_old_question_or_one_that_ends_the_process_each_time_is_given_up_with_a_sentence(world):
    chat = await world.start()
    world.say(Hang())
    old = await chat.ask(asked("old"))
    await until(old, lambda s: s.phase is Phase.ANSWERING)
    await world.stop()
    world.now += 3601
    chat = await world.start()
    [answer] = await chat.resume()
    assert isinstance((await end_of(answer)).error, RestartedTooLate)

    fatal = await chat.ask(asked("fatal"))
    for attempt in range(3):
        await until(fatal, lambda s: s.phase is Phase.ANSWERING)
        await world.stop()
        chat = await world.start()
        [fatal] = await chat.resume()
        assert fatal.turn.attempts == attempt + 1
    assert isinstance((await end_of(fatal)).error, RestartedTooLate)


async def test_with_another_model_ids_are_rebuilt_from_the_texts(world, tmp_path, tokenizer):
    chat = await world.start()
    await end_of(await chat.ask(asked("my name is Ada")))
    await world.stop()
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    definition = (DEMO / "tokenizer.json").read_text().rstrip() + "\n\n"  # the same ids, another file
    (other_folder / "tokenizer.json").write_text(definition)
    other = Phi3Tokenizer.load(other_folder)
    assert other.sha256 != tokenizer.sha256
    await _replace_ids(world.database)
    chat = await world.start(tokenizer=other)
    await end_of(await chat.ask(asked("who am i?")))
    assert "my name is Ada" in world.prompt()


async def _replace_ids(database):
    """Make the stored ids worthless, as another tokenizer's are."""
    history = await History.open(database)
    async with history.transaction() as connection:
        await connection.execute("UPDATE turns SET question_ids = x'01000000', answer_ids = x'01000000'")
    await history.aclose()


async def test_a_full_window_drops_the_oldest_exchanges_once_and_then_keeps_the_prefix(world):
    chat = await world.start(max_new_tokens=20, per_user_per_minute=100)
    dropped, prompts = [], []
    for number in range(60):
        ended = await end_of(await chat.ask(asked(f"this is question number {number} and it is rather long")))
        dropped.append(ended.turn.usage.dropped_turns)
        prompts.append(world.prompt())
    cuts = [index for index, count in enumerate(dropped) if count]
    assert cuts
    assert all(later - earlier > 2 for earlier, later in itertools.pairwise(cuts))
    assert max(len(request.prompt_ids) for request in world.prompts) + 20 <= INFO.context_tokens
    for index in range(cuts[0] + 1, cuts[1]):
        assert prompts[index].startswith(prompts[index - 1])


async def test_a_seed_is_drawn_recorded_and_given_to_the_engine_when_sampling(world):
    chat = await world.start(sampling=Sampling(do_sample=True, temperature=0.7))
    first = (await end_of(await chat.ask(asked("one")))).turn
    second = (await end_of(await chat.ask(asked("two")))).turn
    assert first.seed is not None
    assert first.seed != second.seed
    assert world.prompts[0].sampling == Sampling(do_sample=True, temperature=0.7, seed=first.seed)


async def test_the_engine_is_asked_to_gather_tokens_between_two_looks_at_an_answer(world):
    chat = await world.start()
    await end_of(await chat.ask(asked("one")))
    assert world.prompts[0].stream_interval_s == STREAM_INTERVAL_S


async def test_the_person_gets_the_answer_even_when_the_disk_is_full(world):
    chat = await world.start()
    world.say("the text", Hang())
    answer = await chat.ask(asked("one"))
    await until(answer, lambda s: s.text == "the text")
    world.script = None
    async with world.history.transaction() as connection:
        [[pages]] = await connection.execute_fetchall("PRAGMA page_count")
    await world.history._database._writer.execute(f"PRAGMA max_page_count = {pages}")
    long = "word " * 2000
    answer.text = long  # more than the last page holds
    answer.stop()
    ended = await end_of(answer)
    assert (ended.text, ended.turn.state) == (long, TurnState.STOPPED)


async def test_an_edited_question_whose_answer_could_not_be_recorded_is_answered(world):
    chat = await world.start()
    await forbid(world, "NEW.state = 'done'")
    question = asked("one")
    await end_of(await chat.ask(question))
    async with world.history.transaction() as connection:
        await connection.execute("DROP TRIGGER no")
    ended = await end_of(await chat.edit(replace(question, text="two")))
    assert (ended.turn.question, ended.turn.state, ended.text) == ("two", TurnState.DONE, "fine")
    assert await world.history.unfinished() == []


async def test_a_question_that_is_cancelled_while_it_is_written_down_is_answered_all_the_same(world):
    chat = await world.start(per_user_per_minute=100)
    for steps in range(12):
        asking = asyncio.create_task(chat.ask(asked("one", ConversationKey(100 + steps, ADA))))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
    async with asyncio.timeout(10):
        while (status := chat.status()).running or status.waiting:
            await asyncio.sleep(0.01)
    assert await world.history.unfinished() == []
    assert world.prompts


async def test_a_reader_that_comes_late_sees_the_end_only(world):
    chat = await world.start()
    answer = await chat.ask(asked("one"))
    await end_of(answer)
    snapshots = [snapshot async for snapshot in answer]
    assert [s.phase for s in snapshots] == [Phase.ENDED]


async def test_a_question_in_line_is_told_its_place_and_given_up_when_its_turn_does_not_come(world):
    chat = await world.start(info=EngineInfo("echo", "Echo", "none", 400, 1), max_wait_s=0.3)
    world.say("a", Hang())
    running = await chat.ask(asked("one"))
    await until(running, lambda s: s.phase is Phase.ANSWERING)
    waiting = await chat.ask(asked("x", ConversationKey(10, BEN), BEN))
    told = await until(waiting, lambda s: s.phase is Phase.WAITING)
    assert (told.ahead, told.wait_s) == (0, None)
    assert isinstance((await end_of(waiting)).error, WaitedTooLong)
    assert running.phase is Phase.ANSWERING


async def test_five_people_with_one_question_are_answered_before_twenty_of_one_person_are_half_done(world):
    chat = await world.start(info=EngineInfo("echo", "Echo", "none", 400, 4), per_user_per_minute=100)
    all_asked = threading.Event()

    def once_all_asked(_request):
        assert all_asked.wait(10)
        return [Say(world.tokenizer.encode("a short answer"))]

    world.script = once_all_asked
    greedy = [await chat.ask(asked("many", ConversationKey(100 + n, ADA))) for n in range(20)]
    others = [await chat.ask(asked("one", ConversationKey(10, 50 + n), 50 + n)) for n in range(5)]
    all_asked.set()
    ended = []

    async def wait_for(answer):
        await end_of(answer)
        ended.append(answer)

    async with asyncio.TaskGroup() as tasks:
        for answer in greedy + others:
            tasks.create_task(wait_for(answer))
    last_of_the_five = max(ended.index(answer) for answer in others)
    assert sum(ended.index(answer) < last_of_the_five for answer in greedy) < 10


async def test_stopping_everything_at_once_ends_everything_as_stopped(world):
    chat = await world.start(info=EngineInfo("echo", "Echo", "none", 400, 1))
    world.say("half", Hang())
    running = await chat.ask(asked("one"))
    await until(running, lambda s: s.text == "half")
    waiting = await chat.ask(asked("two", THERE))
    await until(waiting, lambda s: s.phase is Phase.WAITING)
    assert await chat.reset_everywhere(ADA) == 2
    assert {(await end_of(answer)).turn.state for answer in (running, waiting)} == {TurnState.STOPPED}


async def test_a_burst_does_not_get_past_the_bound_on_waiting_questions(world):
    chat = await world.start(max_waiting=3, per_user_per_minute=100)
    world.say(Hang())
    asking = [chat.ask(asked("x", ConversationKey(100 + n, ADA))) for n in range(20)]
    done = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(result, QueueFull) for result in done) == 17


async def forbid(world, when):
    """Let the database refuse an update of a turn, as a full disk would."""
    async with world.history.transaction() as connection:
        await connection.execute(
            f"CREATE TRIGGER no BEFORE UPDATE OF answer ON turns WHEN {when} BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


async def test_a_partial_answer_that_cannot_be_saved_does_not_cost_the_answer(world):
    chat = await world.start()
    await forbid(world, "NEW.state = 'generating'")
    going_on = threading.Event()

    def slowly(_request):
        yield Say(world.tokenizer.encode("first"))
        assert going_on.wait(10)
        yield Say(world.tokenizer.encode(" second"))

    world.script = slowly
    answer = await chat.ask(asked("one"))
    await until(answer, lambda s: s.text == "first")
    world.monotonic += 10
    going_on.set()
    ended = await end_of(answer)
    assert (ended.text, ended.turn.state) == ("first second", TurnState.DONE)


async def test_one_old_question_that_cannot_be_given_up_costs_nobody_elses_answer(world):
    chat = await world.start()
    world.say(Hang())
    await chat.ask(asked("old"))
    world.now += 3601
    young = await chat.ask(asked("young", THERE))
    await until(young, lambda s: s.phase is Phase.ANSWERING)
    await world.stop()
    world.say("fine")
    chat = await world.start()
    await forbid(world, "NEW.state = 'failed'")
    answers = {answer.turn.question: await end_of(answer) for answer in await chat.resume()}
    assert answers["young"].text == "fine"
    assert isinstance(answers["old"].error, RestartedTooLate)
