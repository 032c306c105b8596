"""Questions whose files come after them: on disk first, answered with what was brought, whatever happens meanwhile."""

import asyncio
import subprocess
import sys
from dataclasses import replace

from bot.core.chat import Phase, Taken
from bot.core.messages import Brought, Excerpt, ExcerptKind, TurnState
from bot.engine.echo import Hang
from bot.errors import FilesUnreadable, HistoryFailed
from chat_on_disk import BEN, HERE, INFO, THERE, asked, end_of, until

UNREAD = (Excerpt(ExcerptKind.FILE, "a.txt", ""),)
READ = Brought((Excerpt(ExcerptKind.FILE, "a.txt", "the code is 42"),))


class Files:
    """Brings what it is told to, as soon as it is told to."""

    def __init__(self):
        self.brought = asyncio.get_running_loop().create_future()
        self.began = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self):
        self.began.set()
        try:
            return await self.brought
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


def with_file(text="what is it?", **where):
    return replace(asked(text, **where), excerpts=UNREAD)


async def test_a_question_is_on_disk_before_its_files_and_answered_once_they_are_there(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(message_id=5), bring=files)
    stored = await world.history.turn_of_message(5)
    assert (stored.state, stored.asked, stored.excerpts) == (TurnState.QUEUED, "what is it?", UNREAD)
    await files.began.wait()
    assert (world.prompts, answer.phase) == ([], Phase.WAITING)
    files.brought.set_result(READ)
    ended = await end_of(answer)
    assert (ended.turn.state, ended.turn.excerpts) == (TurnState.DONE, READ.excerpts)
    assert "code is 42" in world.prompt()


async def test_while_a_file_is_on_its_way_the_only_slot_is_somebody_elses(world):
    chat, files = await world.start(info=replace(INFO, slots=1)), Files()
    slow = await chat.ask(with_file(), bring=files)
    quick = await end_of(await chat.ask(asked("hello", THERE, BEN)))
    assert (quick.text, slow.phase) == ("fine", Phase.WAITING)
    files.brought.set_result(READ)
    assert (await end_of(slow)).text == "fine"


async def test_files_that_fail_or_are_not_to_be_had_cost_no_answer(world):
    chat = await world.start()
    for number, failure in enumerate([RuntimeError("broken"), HistoryFailed("broken")]):
        files = Files()
        answer = await chat.ask(with_file(), bring=files)
        files.brought.set_exception(failure)
        ended = await end_of(answer)
        assert (ended.turn.state, ended.turn.excerpts) == (TurnState.DONE, UNREAD)
        assert "(nothing of it can be read)" in world.prompt(number)


async def test_a_message_with_a_file_that_joins_a_waiting_question_is_waited_for_too(world):
    chat, files, more = await world.start(), Files(), Files()
    answer = await chat.ask(with_file("compare", message_id=5), bring=files)
    assert await chat.ask(with_file("with this", message_id=6), bring=more) is Taken.JOINED
    files.brought.set_result(READ)
    await until_there(world, 5)
    assert world.prompts == []
    more.brought.set_result(Brought((Excerpt(ExcerptKind.FILE, "a.txt", "the code is 43"),)))
    assert (await end_of(answer)).turn.asked == "compare\nwith this"
    assert "is 42" in world.prompt()
    assert "is 43" in world.prompt()


async def until_there(world, message_id):
    async with asyncio.timeout(10):
        while (await world.history.turn_of_message(message_id)).excerpts[0] == UNREAD[0]:
            await asyncio.sleep(0)


async def test_a_message_edited_while_its_files_come_is_asked_in_its_new_words_with_them(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file("the old words", message_id=5), bring=files)
    await files.began.wait()
    assert await chat.edit(asked("other words", message_id=5)) is Taken.JOINED
    files.brought.set_result(READ)
    ended = await end_of(answer)
    assert (ended.turn.asked, ended.turn.excerpts) == ("other words", READ.excerpts)
    assert len(world.prompts) == 1


async def test_a_message_deleted_while_its_files_come_is_gone_with_them(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(message_id=5), bring=files)
    await files.began.wait()
    await chat.forget_messages([5])
    assert (await end_of(answer)).turn.state is TurnState.FORGOTTEN
    assert (files.was_cancelled, world.prompts) == (True, [])
    assert await chat.turn_of_message(5) is None


async def test_one_of_two_messages_deleted_while_its_file_comes_leaves_the_other(world):
    chat, files = await world.start(), Files()
    other = Files()
    answer = await chat.ask(with_file("one", message_id=5), bring=other)
    assert await chat.ask(with_file("two", message_id=6), bring=files) is Taken.JOINED
    await files.began.wait()
    await chat.forget_messages([6])
    other.brought.set_result(READ)
    ended = await end_of(answer)
    assert (ended.turn.asked, ended.turn.excerpts, files.was_cancelled) == ("one", READ.excerpts, True)


async def test_who_leaves_while_a_file_comes_waits_for_it_no_longer(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(), bring=files)
    await files.began.wait()
    assert await chat.stop_turn(answer.turn_id)
    assert (await end_of(answer)).turn.state is TurnState.STOPPED
    assert (await end_of(await chat.ask(asked("hello")))).text == "fine"
    assert files.was_cancelled


async def test_a_message_delivered_again_while_its_files_come_is_taken_once(world):
    chat, files, again = await world.start(), Files(), Files()
    question = with_file(message_id=5)
    answer = await chat.ask(question, bring=files)
    assert await chat.ask(question, bring=again) is Taken.BEFORE
    files.brought.set_result(READ)
    await end_of(answer)
    assert await chat.ask(question, bring=again) is Taken.BEFORE
    assert not again.began.is_set()


async def test_words_that_came_as_a_file_are_the_question_unless_it_has_words_by_then(world):
    chat = await world.start()
    brought = replace(READ, words="the code is 42")
    files = Files()
    answer = await chat.ask(with_file(""), bring=files)
    files.brought.set_result(brought)
    ended = await end_of(answer)
    assert (ended.turn.asked, ended.turn.excerpts) == ("the code is 42", ())
    files = Files()
    answer = await chat.ask(with_file("", message_id=5), bring=files)
    await files.began.wait()
    await chat.edit(asked("is that so?", message_id=5))
    files.brought.set_result(brought)
    ended = await end_of(answer)
    assert (ended.turn.asked, ended.turn.excerpts) == ("is that so?", READ.excerpts)


async def test_an_edited_message_keeps_what_was_read_of_the_files_that_it_still_has(world):
    chat = await world.start()
    two = (*UNREAD, Excerpt(ExcerptKind.FILE, "b.txt", ""))
    files = Files()
    files.brought.set_result(Brought((*READ.excerpts, Excerpt(ExcerptKind.FILE, "b.txt", "and 43"))))
    await end_of(await chat.ask(replace(with_file(message_id=5), excerpts=two), bring=files))
    again = await chat.edit(replace(asked("and this?", message_id=5), excerpts=UNREAD))
    assert (await end_of(again)).turn.excerpts == READ.excerpts


async def test_an_edit_that_adds_words_to_a_pasted_text_asks_them_about_it(world):
    chat, files = await world.start(), Files()
    files.brought.set_result(replace(READ, words="the code is 42"))
    await end_of(await chat.ask(with_file("", message_id=5), bring=files))
    assert await chat.edit(with_file("", message_id=5)) is Taken.BEFORE
    again = await end_of(await chat.edit(with_file("is that so?", message_id=5)))
    assert (again.turn.asked, again.turn.excerpts) == ("is that so?", READ.excerpts)


async def test_words_that_came_as_a_file_and_do_not_fit_are_read_as_far_as_they_do(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(""), bring=files)
    long = "word " * 500
    files.brought.set_result(Brought((Excerpt(ExcerptKind.FILE, "a.txt", long),), words=long))
    ended = await end_of(answer)
    [excerpt] = ended.turn.excerpts
    assert (ended.turn.state, ended.turn.asked) == (TurnState.DONE, "")
    assert excerpt.left_out_chars > 0
    assert len(excerpt.text) + excerpt.left_out_chars == len(long)


async def test_files_of_joined_messages_share_the_room_that_their_words_leave(world):
    chat, files, more = await world.start(), Files(), Files()
    answer = await chat.ask(with_file("compare"), bring=files)
    assert await chat.ask(with_file("with this"), bring=more) is Taken.JOINED
    for one in (files, more):
        one.brought.set_result(Brought((Excerpt(ExcerptKind.FILE, "a.txt", "word " * 500),)))
    ended = await end_of(answer)
    assert ended.turn.state is TurnState.DONE
    assert all(excerpt.text and excerpt.left_out_chars for excerpt in ended.turn.excerpts)


async def test_files_of_which_none_can_be_read_are_no_question(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(""), bring=files)
    files.brought.set_result(Brought(UNREAD))
    ended = await end_of(answer)
    assert ended.turn.state is TurnState.FAILED
    assert isinstance(ended.error, FilesUnreadable)
    assert world.prompts == []


async def test_a_drain_lets_files_come_and_the_next_process_answers_with_them(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(message_id=5), bring=files)
    await files.began.wait()
    draining = asyncio.create_task(chat.drain(30))
    assert (await end_of(answer)).turn.state is TurnState.INTERRUPTED
    files.brought.set_result(READ)
    await draining
    await world.stop()
    [left] = await (await world.start()).resume()
    assert (await end_of(left)).turn.excerpts == READ.excerpts


async def test_a_drain_does_not_wait_for_files_beyond_its_deadline(world):
    chat, files = await world.start(), Files()
    answer = await chat.ask(with_file(), bring=files)
    await files.began.wait()
    await chat.drain(0)
    assert (await end_of(answer)).turn.state is TurnState.INTERRUPTED
    assert files.was_cancelled


async def test_a_later_question_of_the_conversation_is_asked_after_the_one_with_the_file(world):
    chat, files = await world.start(), Files()
    before = (await end_of(await chat.ask(asked("at first")))).turn
    world.say("so far", Hang())
    running = await chat.ask(asked("then"))
    await until(running, lambda s: s.text == "so far")
    world.script = None
    first = await chat.ask(with_file("read this"), bring=files)
    branch = await chat.ask(asked("meanwhile"), parent_id=before.id)
    await chat.stop_turn(running.turn_id)
    files.brought.set_result(READ)
    await asyncio.gather(end_of(first), end_of(branch))
    assert "read this" in world.prompt(2)
    assert "meanwhile" in world.prompt(3)


ASK = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from chat_on_disk import DEMO, World, asked
from contextlib import AsyncExitStack
from bot.core.messages import Excerpt, ExcerptKind
from bot.core.phi3 import Phi3Tokenizer

async def bring():
    print("asked", file=sys.stderr, flush=True)
    await asyncio.Event().wait()

async def main():
    async with AsyncExitStack() as closing:
        chat = await World(Path(sys.argv[1]), Phi3Tokenizer.load(DEMO), closing).start()
        question = replace(asked("what is it?", message_id=5), excerpts=(Excerpt(ExcerptKind.FILE, "a.txt", ""),))
        await chat.ask(question, bring=bring)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_question_whose_files_were_coming_at_a_kill_9_is_answered_by_the_next_process(world):
    command = [sys.executable, "-c", ASK, str(world.database)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd="tests") as asking:
        try:
            assert asking.stderr.readline() == "asked\n"
        finally:
            asking.kill()
    chat = await world.start()
    [left] = await chat.resume()
    ended = await end_of(left)
    assert (ended.turn.state, ended.turn.question_message_ids) == (TurnState.DONE, (5,))
    assert (ended.turn.key, ended.turn.excerpts) == (HERE, UNREAD)  # which the person is told: it was not read
    assert "what is it?" in world.prompt()
