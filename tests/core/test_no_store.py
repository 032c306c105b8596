"""No-store mode: what nobody wants kept is on the disk only while it is answered. With a real database."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import replace

import pytest

from bot.core.chat import Phase, Taken
from bot.core.messages import ConversationKey, Excerpt, ExcerptKind, Question, TurnState
from bot.core.preferences import Preference
from bot.engine.echo import Fail, Hang
from bot.errors import RestartedTooLate, TurnGone, WordFiltered
from chat_on_disk import ADA, HERE, INFO, World, asked, end_of, message_ids, until

SECRETS = ("Zorblax", "marmalade", "umbrella")


@pytest.fixture
async def world(tmp_path, tokenizer):
    async with AsyncExitStack() as closing_all:
        yield World(tmp_path / "phibot.sqlite3", tokenizer, closing_all)


async def started(world, **options):
    """Start a chat in which Ada wants nothing kept."""
    chat = await world.start(**options)
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    return chat


def on_disk(world) -> str:
    """Return all that stands in the database's files, as text."""
    files = world.database.parent.glob(world.database.name + "*")
    return b"".join(path.read_bytes() for path in files).decode(errors="replace")


def rows(world) -> dict[str, int]:
    """Return how many rows each table has that could tell of somebody, but for the choices themselves."""
    with closing(sqlite3.connect(world.database)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = {name for (name,) in found} - {"migrations", "choices", "sqlite_sequence", "facts", "spending"}
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608


def assert_nothing_is_left(world) -> None:
    assert [secret for secret in SECRETS if secret in on_disk(world)] == []
    assert set(rows(world).values()) == {0}


def secret(text="I am Zorblax") -> Question:
    return Question(HERE, ADA, next(message_ids), text, excerpts=(Excerpt(ExcerptKind.FILE, "marmalade.txt", "jam"),))


async def test_the_question_is_on_the_disk_while_it_is_answered_and_nothing_of_it_afterwards(world):
    chat = await started(world)
    world.say("hello umbrella", Hang())
    answer = await chat.ask(secret())
    await until(answer, lambda now: "umbrella" in now.text)
    assert "Zorblax" in on_disk(world)
    assert await chat.stop_turn(answer.turn_id)
    end = await end_of(answer)
    assert (end.text, end.turn.state, end.turn.no_store) == ("hello umbrella", TurnState.STOPPED, True)
    assert_nothing_is_left(world)


@pytest.mark.parametrize("script", [("hello umbrella",), ("hello umbrella", Fail())])
async def test_nothing_is_left_however_the_answer_ends_and_the_reader_still_gets_all_of_it(world, script):
    chat = await started(world)
    world.say(*script)
    end = await end_of(await chat.ask(secret()))
    assert end.text == "hello umbrella"
    assert end.turn.state is (TurnState.DONE if len(script) == 1 else TurnState.FAILED)
    assert await chat.turn(end.turn.id) is None
    assert_nothing_is_left(world)


async def test_each_question_stands_alone_and_what_was_kept_before_goes_on_without_it(world):
    chat = await world.start()
    await end_of(await chat.ask(asked("my name is Ada")))
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    for _ in range(2):
        await end_of(await chat.ask(secret()))
        assert [said for said in ("Ada", "fine") if said in world.prompt()] == []
    await chat.preferences.choose(ADA, Preference.NO_STORE, False)
    await end_of(await chat.ask(asked("what is my name?")))
    assert "my name is Ada" in world.prompt()
    assert "Zorblax" not in world.prompt()
    assert [turn.asked for turn in (await chat.history(HERE, 9)).turns] == ["my name is Ada", "what is my name?"]


async def test_nothing_joins_a_question_that_is_not_kept_and_it_joins_none(world):
    chat = await world.start()
    world.say("so", Hang())
    kept = await chat.ask(asked("kept one"))
    await until(kept, lambda now: now.phase is Phase.ANSWERING)
    waiting = await chat.ask(asked("kept two"))
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    alone = await chat.ask(secret())
    assert alone.turn.parent_id is None
    await chat.preferences.choose(ADA, Preference.NO_STORE, None)
    assert await chat.ask(asked("kept three")) is Taken.JOINED
    world.say("fine")
    for answer in (kept, waiting, alone):
        await chat.stop_turn(answer.turn_id)
        await end_of(answer)
    assert (await chat.turn(waiting.turn_id)).asked == "kept two\nkept three"
    assert (await chat.turn(waiting.turn_id)).parent_id == kept.turn_id
    assert [each for each in SECRETS if each in on_disk(world)] == []


async def test_nothing_follows_it_even_by_a_reply(world):
    chat = await started(world)
    world.say("so", Hang())
    alone = await chat.ask(secret())
    await until(alone, lambda now: now.phase is Phase.ANSWERING)
    await chat.preferences.choose(ADA, Preference.NO_STORE, None)
    with pytest.raises(TurnGone):
        await chat.ask(asked("and then?"), parent_id=alone.turn_id)


async def test_a_question_that_is_not_kept_survives_the_end_of_the_process_and_is_forgotten_then(world):
    chat = await started(world)
    world.say("hello", Hang())
    answer = await chat.ask(secret())
    await until(answer, lambda now: now.text == "hello")
    await world.stop()
    assert "Zorblax" in on_disk(world)
    world.say(" umbrella")
    chat = await world.start()
    [resumed] = await chat.resume()
    await chat.preferences.choose(ADA, Preference.NO_STORE, None)  # too late for what was asked before
    assert (await end_of(resumed)).text == "hello umbrella"
    assert_nothing_is_left(world)


async def test_one_that_is_too_old_after_a_restart_is_forgotten_with_the_sentence_that_says_so(world):
    chat = await started(world)
    world.say("hello", Hang())
    await until(await chat.ask(secret()), lambda now: now.text == "hello")
    await world.stop()
    world.now += 7200
    chat = await world.start()
    [given_up] = await chat.resume()
    assert isinstance((await end_of(given_up)).error, RestartedTooLate)
    assert_nothing_is_left(world)


async def test_an_edit_while_it_is_answered_asks_anew_and_one_afterwards_finds_no_question(world):
    chat = await started(world)
    world.say("so", Hang())
    question = secret()
    answer = await chat.ask(question)
    await until(answer, lambda now: now.text == "so")
    world.say("hello umbrella")
    changed = Question(HERE, ADA, question.message_id, "I am Zorblax the second")
    assert await chat.edit(changed) is Taken.JOINED
    end = await end_of(answer)
    assert (end.text, end.turn.edits) == ("hello umbrella", 1)
    assert "the second" in world.prompt()
    assert_nothing_is_left(world)
    assert await chat.edit(changed) is None
    assert_nothing_is_left(world)


async def kept_before(world):
    """Start a chat with two kept exchanges and a question about a secret between them; return it with that."""
    chat = await world.start()
    questions = [asked("one"), secret(), asked("three")]
    for question in questions:
        await end_of(await chat.ask(question))
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    return chat, questions[1]


async def test_an_edit_of_what_was_kept_forgets_that_and_is_asked_outside_of_the_conversation(world):
    chat, question = await kept_before(world)
    answer = await chat.edit(replace(question, text="marmalade or umbrella?"))
    end = await end_of(answer)
    assert (end.text, end.turn.no_store, end.turn.edits) == ("fine", True, 1)
    assert [said for said in ("one", "three", "Zorblax") if said in world.prompt()] == []
    assert [turn.asked for turn in (await chat.history(HERE, 9)).turns] == ["one", "three"]
    assert [each for each in SECRETS if each in on_disk(world)] == []
    assert await chat.turn_of_message(question.message_id) is None
    await chat.preferences.choose(ADA, Preference.NO_STORE, None)
    await end_of(await chat.ask(asked("four")))
    assert [said in world.prompt() for said in ("one", "three", "umbrella")] == [True, True, False]


async def test_an_edit_of_the_newest_and_only_exchange_leaves_nothing_at_all(world):
    chat = await world.start()
    question = secret()
    first = (await end_of(await chat.ask(question))).turn
    await end_of(await chat.regenerate(first.id))
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    assert (await end_of(await chat.edit(replace(question, text="marmalade?")))).text == "fine"
    assert_nothing_is_left(world)


@pytest.mark.parametrize("waits", [False, True])
async def test_an_edit_of_a_kept_question_on_its_way_keeps_nothing_of_any_of_its_lines(world, waits):
    chat = await world.start(info=replace(INFO, slots=1))
    world.say("so", Hang())
    if waits:
        other = await chat.ask(asked("busy", ConversationKey(77, 2), 2))
        await until(other, lambda now: now.text == "so")
    line, question = secret("umbrella"), secret()
    answer = await chat.ask(line)
    if waits:
        assert await chat.ask(question) is Taken.JOINED
    else:
        await until(answer, lambda now: now.text == "so")
        question = line
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    world.say("hello marmalade")
    assert await chat.edit(replace(question, text="I am Zorblax the second")) is Taken.JOINED
    assert (await chat.history(HERE, 9)).turns == []
    if waits:
        await chat.stop_turn(other.turn_id)
        await end_of(other)
        await chat.forget_turn(other.turn_id)
    end = await end_of(answer)
    assert (end.text, end.turn.no_store) == ("hello marmalade", True)
    assert "the second" in world.prompt()
    assert [each for each in SECRETS if each in on_disk(world)] == []
    assert rows(world)["turns"] == 0


async def test_an_edit_that_is_refused_or_changes_nothing_leaves_what_was_kept(world):
    chat, question = await kept_before(world)
    assert await chat.edit(question) is Taken.BEFORE
    await chat.words.add(None, ["marmalade"])
    with pytest.raises(WordFiltered):
        await chat.edit(replace(question, text="marmalade?", excerpts=()), is_whole=True)
    assert [turn.asked for turn in (await chat.history(HERE, 9)).turns] == ["one", "I am Zorblax", "three"]


async def test_a_deleted_question_is_cancelled_and_forgotten_as_any(world):
    chat = await started(world)
    world.say("hello umbrella", Hang())
    question = secret()
    answer = await chat.ask(question)
    await until(answer, lambda now: "umbrella" in now.text)
    await chat.forget_messages([question.message_id])
    assert (await end_of(answer)).turn.state is TurnState.FORGOTTEN
    assert [each for each in SECRETS if each in on_disk(world)] == []


async def test_where_it_may_not_be_chosen_and_in_a_shared_room_everything_is_kept(world):
    chat = await started(world)
    await chat.preferences.bound(5, may_keep_nothing=False)
    for key in (ConversationKey(10, ADA, 5), ConversationKey(12, None, None)):
        end = await end_of(await chat.ask(asked("one", key)))
        assert not end.turn.no_store
        assert await chat.turn(end.turn.id) is not None


async def test_nothing_is_summed_up_and_nobodys_later_prompt_is_prepared_for_it(world):
    chat = await started(world, auto_summarize=True, info=replace(INFO, context_tokens=200, caches_prefixes=True))
    world.say(" ".join(f"{number} apples" for number in range(20)))
    await end_of(await chat.ask(asked(" ".join(f"{number} pears" for number in range(20)))))
    async with asyncio.timeout(5):
        while chat.status().running or chat.status().waiting:
            await asyncio.sleep(0)
    assert len(world.prompts) == 1
    assert_nothing_is_left(world)
