import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.core.chat import Answer, Phase, Snapshot
from bot.core.engine import Loading
from bot.core.messages import Finish, Turn, TurnState, Usage
from bot.errors import EngineFailed
from bot.frontends.discord.pace import Pace, Timing
from bot.frontends.discord.surface import KEEP, Gone, Refused, Unreachable
from bot.frontends.discord.writer import AnswerWriter
from bot.frontends.discord.writers import Writers
from bot.texts import RUNNING_MARK, text

TURN = Turn(7, 1, None, 3, "why?", TurnState.QUEUED, 0.0, question_message_ids=(50, 51))
AT_ONCE = Timing(
    first_text_s=0,
    edit_interval_s=0,
    slowest_interval_s=0,
    waiting_s=0,
    placeholder_interval_s=0,
    typing_after_s=0,
    typing_interval_s=0.01,
    final_retries_s=(0, 0),
)
NEVER = 3600.0


class Wall:
    """A surface in memory that keeps Discord's promises: one message for each nonce, no edits of what is not there."""

    def __init__(self):
        self.messages: dict[int, str] = {}
        self.edits: list[tuple[int, str]] = []
        self.files: dict[int, str | None] = {}
        self.most: int | None = None  # messages that it takes
        self.below: dict[int, list[str]] = {}  # what stands on the buttons below each message
        self.replies: list[int | None] = []
        self.typed = 0
        self.faults: list[tuple[str, Exception, bool]] = []  # method, error, whether the call takes effect
        self.changed = asyncio.Event()
        self._by_nonce: dict[int, int] = {}

    def _fault(self, method, after_effect):
        for fault in self.faults:
            if fault[0] == method and fault[2] == after_effect:
                self.faults.remove(fault)
                raise fault[1]

    def room(self):
        return None if self.most is None else self.most - len(self.messages)

    def closes_in_s(self):
        return None

    async def create(self, content, *, nonce, reply_to, view=None, file=None):
        self._fault("create", after_effect=False)
        if nonce not in self._by_nonce:
            self._by_nonce[nonce] = message_id = 100 + len(self._by_nonce)
            self.messages[message_id] = content
            self.below[message_id] = labels(view)
            self.files[message_id] = file
            self.replies.append(reply_to)
            self.changed.set()
        self._fault("create", after_effect=True)
        return self._by_nonce[nonce]

    async def edit(self, message_id, content, *, view=KEEP, file=KEEP):
        self._fault("edit", after_effect=False)
        if message_id not in self.messages:
            raise Gone
        self.edits.append((message_id, content))
        self.messages[message_id] = content
        if file is not KEEP:
            self.files[message_id] = file
        if view is not KEEP:
            self.below[message_id] = labels(view)
        self.changed.set()
        self._fault("edit", after_effect=True)

    async def delete(self, message_id):
        del self.messages[message_id], self.below[message_id]
        self.files.pop(message_id, None)
        self.changed.set()

    async def tell_alone(self, _content):
        return False

    async def type(self):
        self.typed += 1
        self.changed.set()
        self._fault("type", after_effect=False)

    async def until(self, seen):
        """Wait until the messages, or whatever `seen` looks at, are as it wants."""
        async with asyncio.timeout(20):
            while not seen():
                self.changed.clear()
                await self.changed.wait()

    @property
    def shown(self):
        return list(self.messages.values())

    @property
    def buttons(self):
        return list(self.below.values())


def labels(view):
    return [] if view is None else [item.item.label for item in view.children]


class Scene:
    def __init__(self, turn=TURN, timing=AT_ONCE):
        self.loading = None
        self.ahead = 0
        self.answer = Answer(turn, lambda a: Snapshot(a.phase, a.text, self.loading, self.ahead))
        self.wall = Wall()
        self.pace = Pace(timing)
        self.timing = timing
        self.recorded = []
        self.hidden = []
        self.writer = self.written_by()

    def written_by(self, **options):
        shown = options.pop("shown", self._record)
        return AnswerWriter(
            self.answer,
            self.wall,
            self.pace,
            shown=shown,
            hidden=self._hide,
            locale="en",
            timing=self.timing,
            **options,
        )

    async def _hide(self, message_ids):
        self.hidden += message_ids

    async def _record(self, turn_id, message_ids):
        self.recorded.append((turn_id, list(message_ids)))

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.writer.run())
        try:
            yield task
            async with asyncio.timeout(20):
                await task
        finally:
            task.cancel()

    def say(self, words):
        self.answer.text = words
        self.answer.move_to(Phase.ANSWERING)

    def wait(self, phase, *, ahead=0, loading=None):
        self.ahead, self.loading = ahead, loading
        self.answer.move_to(phase)

    def end(self, words, state=TurnState.DONE, finish=Finish.STOP, error=None, **usage):
        turn = replace(self.answer.turn, state=state, answer=words, finish=finish, usage=Usage(**usage))
        self.answer.end(turn, error)


async def test_an_answer_grows_in_one_message_and_loses_the_mark_at_the_end():
    scene = Scene()
    async with scene.running():
        for words in ("One", "One two", "One two three"):
            scene.say(words)
            await scene.wall.until(lambda words=words: scene.wall.shown == [words + RUNNING_MARK])
        scene.end("One two three.")
    assert scene.wall.shown == ["One two three."]
    assert scene.wall.replies == [51]  # the newest of the question's messages
    assert scene.recorded == [(7, [100])]


async def test_an_answer_that_is_there_at_once_takes_one_call():
    scene = Scene()
    scene.end("Short.")
    async with scene.running():
        pass
    assert scene.wall.shown == ["Short."]
    assert scene.wall.buttons == [[text("button.regenerate")]]
    assert scene.wall.edits == []


async def test_the_first_text_waits_for_enough_characters():
    scene = Scene(timing=replace(AT_ONCE, first_text_s=NEVER))
    async with scene.running():
        scene.say("x" * 59)
        await scene.wall.until(lambda: scene.wall.typed >= 2)
        assert scene.wall.shown == []
        scene.say("x" * 60)
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.end("x" * 60)


async def test_little_text_is_shown_after_a_while():
    scene = Scene(timing=replace(AT_ONCE, first_text_s=0.01))
    async with scene.running():
        scene.say("Hm")
        await scene.wall.until(lambda: scene.wall.shown == ["Hm" + RUNNING_MARK])
        scene.end("Hm")


async def test_between_edits_the_newest_text_wins_and_the_end_does_not_wait():
    scene = Scene(timing=replace(AT_ONCE, edit_interval_s=NEVER, slowest_interval_s=NEVER))
    async with scene.running():
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.say("One two")
        scene.say("One two three")
        scene.end("One two three four")
    assert scene.wall.edits == [(100, "One two three four")]


async def test_full_messages_are_sealed_and_only_the_newest_has_the_mark():
    words = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(20)).strip()
    scene = Scene()
    async with scene.running():
        for length in range(100, len(words), 150):
            scene.say(words[:length])
            seen = list(scene.wall.edits), len(scene.wall.messages)
            await scene.wall.until(lambda seen=seen: seen != (scene.wall.edits, len(scene.wall.messages)))
        scene.end(words)
    assert len(scene.wall.messages) == 4
    assert "".join("".join(scene.wall.shown).split()) == "".join(words.split())
    assert scene.recorded == [(7, [message_id]) for message_id in scene.wall.messages]
    edited = [message_id for message_id, _ in scene.wall.edits]
    assert edited == sorted(edited)  # never back to a message once the next one has begun
    assert not any(RUNNING_MARK in shown for shown in scene.wall.shown)


async def test_loading_is_told_with_its_stage_and_seconds_and_becomes_the_answer():
    scene = Scene()
    async with scene.running():
        scene.wait(Phase.LOADING, loading=Loading("loading.reading", 3.2, None))
        await scene.wall.until(lambda: scene.wall.shown != [])
        assert scene.wall.shown[0].endswith(RUNNING_MARK)
        assert text("loading.reading") in scene.wall.shown[0]
        scene.wait(Phase.LOADING, loading=Loading("loading.compiling", 8.4, 20.0))
        await scene.wall.until(lambda: "8 s so far; last time it took 20 s" in scene.wall.shown[0])
        scene.say("Here I am")
        await scene.wall.until(lambda: scene.wall.shown == ["Here I am" + RUNNING_MARK])
        scene.end("Here I am.")
    assert scene.wall.shown == ["Here I am."]


async def test_who_waits_is_told_his_place_until_it_is_his_turn():
    scene = Scene()
    async with scene.running():
        for ahead, told in ((3, "3 questions"), (1, "One question"), (0, "You're next")):
            scene.wait(Phase.WAITING, ahead=ahead)
            await scene.wall.until(lambda told=told: scene.wall.shown and told in scene.wall.shown[0])
        scene.end("Done.")
    assert scene.wall.shown == ["Done."]


async def test_who_is_next_at_once_sees_only_typing():
    scene = Scene()
    async with scene.running():
        scene.wait(Phase.WAITING)
        await scene.wall.until(lambda: scene.wall.typed >= 2)
        assert scene.wall.shown == []
        scene.end("Done.")


async def test_typing_ends_with_the_first_message():
    scene = Scene()
    async with scene.running():
        await scene.wall.until(lambda: scene.wall.typed >= 1)
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        typed = scene.wall.typed
        for number in range(5):
            scene.say(f"One {number}")
            await scene.wall.until(lambda number=number: scene.wall.shown == [f"One {number}" + RUNNING_MARK])
        assert scene.wall.typed <= typed + 1  # one call may have been on its way
        scene.end("One")


async def test_an_answer_that_comes_at_once_is_not_announced():
    scene = Scene(timing=replace(AT_ONCE, typing_after_s=NEVER))
    async with scene.running():
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.end("One")
    assert scene.wall.typed == 0


async def test_an_answer_is_shown_where_typing_is_forbidden():
    scene = Scene()
    scene.wall.faults.append(("type", Gone(), False))
    async with scene.running():
        await scene.wall.until(lambda: scene.wall.typed == 1)
        scene.end("Here.")
    assert scene.wall.shown == ["Here."]


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ({"words": "Half", "state": TurnState.STOPPED, "finish": None}, ["Half\n" + text("answer.stopped")]),
        ({"words": "", "state": TurnState.STOPPED, "finish": None}, [text("answer.stopped")]),
        ({"words": "", "state": TurnState.DONE}, [text("answer.empty")]),
        (
            {"words": "Long", "finish": Finish.LENGTH, "completion_tokens": 64},
            ["Long\n" + text("answer.length", tokens=64)],
        ),
        (
            {"words": "Half", "state": TurnState.FAILED, "finish": None, "error": EngineFailed("x")},
            ["Half\n" + text("error.engine")],
        ),
        ({"words": "", "state": TurnState.FAILED, "finish": None, "error": EngineFailed("x")}, [text("error.engine")]),
        ({"words": "", "state": TurnState.FAILED, "finish": None}, [text("error.engine")]),
        (
            {"words": "Half", "state": TurnState.INTERRUPTED, "finish": None},
            ["Half\n" + text("answer.interrupted")],
        ),
        ({"words": "Yes", "dropped_turns": 1}, ["Yes\n" + text("answer.dropped_one")]),
        ({"words": "Yes", "dropped_turns": 4}, ["Yes\n" + text("answer.dropped", count=4)]),
        ({"words": "```py\nx", "state": TurnState.STOPPED}, ["```py\nx\n```\n" + text("answer.stopped")]),
        ({"words": "x" * 1995, "state": TurnState.STOPPED}, ["x" * 1995, text("answer.stopped")]),
    ],
)
async def test_every_end_that_is_not_normal_is_said_below_the_text(end, shown):
    scene = Scene()
    scene.end(**end)
    async with scene.running():
        pass
    assert scene.wall.shown == shown


async def test_a_message_that_may_exist_already_is_not_doubled_and_gets_the_newer_text():
    scene = Scene(timing=replace(AT_ONCE, edit_interval_s=NEVER, slowest_interval_s=NEVER))
    scene.wall.faults.append(("create", Unreachable("connection lost"), True))
    async with scene.running():
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.faults == [])
        scene.end("One two")
    assert scene.wall.shown == ["One two"]
    assert scene.recorded == [(7, [100])]


async def test_a_failed_edit_slows_down_and_is_made_good_by_the_next():
    scene = Scene(timing=replace(AT_ONCE, edit_interval_s=0.01, slowest_interval_s=1))
    async with scene.running():
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.wall.faults.append(("edit", Unreachable("503"), False))
        scene.say("One two")
        await scene.wall.until(lambda: scene.wall.shown == ["One two" + RUNNING_MARK])
        assert scene.pace.interval_s > 0.01
        scene.end("One two")


async def test_the_end_is_tried_again():
    scene = Scene()
    scene.wall.faults += [("create", Unreachable("502"), False)] * 2
    scene.end("Done.")
    async with scene.running():
        pass
    assert scene.wall.shown == ["Done."]


async def test_the_end_is_given_up_in_the_end():
    scene = Scene()
    scene.wall.faults += [("create", Unreachable("502"), False)] * 3
    scene.end("Done.")
    async with scene.running():
        pass
    assert scene.wall.shown == []


async def test_a_deleted_answer_stops_its_generation():
    scene = Scene()
    async with scene.running() as task:
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.wall.messages.clear()
        scene.say("One two")
        await task
    assert scene.answer.ending is TurnState.STOPPED


async def test_text_that_discord_refuses_stops_the_generation_and_is_said():
    scene = Scene()
    scene.wall.faults.append(("edit", Refused("blocked"), False))
    async with scene.running() as task:
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.shown != [])
        scene.say("One two")
        await task
    assert scene.wall.shown[-1] == text("answer.refused")
    assert scene.answer.ending is TurnState.STOPPED


async def test_an_answer_of_an_earlier_process_goes_on_in_its_messages():
    scene = Scene(replace(TURN, answer_message_ids=(80, 81)))
    scene.wall.messages, scene.wall.below = {80: "x", 81: "y"}, {80: [], 81: ["Old"]}
    async with scene.running():
        scene.say("Again")
        await scene.wall.until(lambda: scene.wall.shown == ["Again" + RUNNING_MARK])  # one message is enough now
        scene.end("Again.")
    assert scene.wall.messages == {80: "Again."}
    assert scene.wall.below == {80: [text("button.regenerate")]}
    assert scene.hidden == [81]


async def test_what_an_earlier_process_had_shown_stays_until_there_is_more(scene_of_restart):
    scene = scene_of_restart
    async with scene.running():
        scene.wait(Phase.LOADING, loading=Loading("loading.reading", 1, None))
        await scene.wall.until(lambda: scene.wall.typed >= 3)
        assert scene.wall.messages == {80: "Half"}
        scene.say("Half an")
        await scene.wall.until(lambda: scene.wall.shown == ["Half an" + RUNNING_MARK])
        scene.end("Half an hour.")
    assert scene.wall.messages == {80: "Half an hour."}


@pytest.fixture
def scene_of_restart():
    scene = Scene(replace(TURN, answer="Half", answer_message_ids=(80,)))
    scene.wall.messages = {80: "Half"}
    return scene


async def test_an_answer_is_shown_even_where_its_message_cannot_be_recorded():
    scene = Scene()

    async def broken(_turn_id, _message_ids):
        raise EngineFailed("no matter which")

    scene.writer = scene.written_by(shown=broken)
    scene.end("Here.")
    async with scene.running():
        pass
    assert scene.wall.shown == ["Here."]


async def test_half_a_fence_line_is_not_shown():
    scene = Scene()
    async with scene.running():
        scene.say("Look:\n```py")
        await scene.wall.until(lambda: scene.wall.shown == ["Look:" + RUNNING_MARK])
        scene.say("Look:\n```py\nx = 1")
        await scene.wall.until(lambda: scene.wall.shown == ["Look:\n```py\nx = 1\n```" + RUNNING_MARK])
        scene.end("Look:\n```py\nx = 1\n```")


async def test_finishing_waits_for_the_end_and_then_no_longer():
    ends, hangs = Scene(), Scene(replace(TURN, question_message_ids=(60,)))
    writers = Writers(ends._record, ends._hide, AT_ONCE)
    writers.start(ends.answer, ends.wall, 1, "en")
    writers.start(hangs.answer, hangs.wall, 1, "en")
    ends.end("Done.")
    await writers.finish(0.05)
    assert ends.wall.shown == ["Done."]
    assert hangs.wall.shown == []
    await writers.finish(0)  # nothing is left


async def test_answers_in_one_channel_share_its_pace():
    timing = replace(AT_ONCE, edit_interval_s=1.0, slowest_interval_s=5.0)
    pace = Pace(timing)
    with pace.streaming(), pace.streaming():
        assert pace.interval_s == 2.0
    assert pace.interval_s == 1.0


def test_the_pace_slows_at_once_and_recovers_slowly():
    pace = Pace(Timing())
    for _ in range(10):
        pace.took(2.5)
    assert pace.interval_s == 5.0
    pace.took(0.1)
    assert 4 < pace.interval_s < 5
    for _ in range(50):
        pace.took(0.1)
    assert pace.interval_s == 1.2


async def test_the_controls_sit_below_the_last_message_and_move_with_it():
    scene = Scene()
    stop, regenerate = text("button.stop"), text("button.regenerate")
    async with scene.running():
        scene.wait(Phase.WAITING, ahead=2)
        await scene.wall.until(lambda: scene.wall.buttons == [[text("button.leave")]])
        scene.say("One")
        await scene.wall.until(lambda: scene.wall.buttons == [[stop]])
        scene.say("word " * 500)
        await scene.wall.until(lambda: scene.wall.buttons == [[], [stop]])
        scene.end("word " * 500)
    assert scene.wall.buttons == [[], [regenerate]]


async def test_the_controls_cost_no_call_of_their_own():
    scene = Scene()
    async with scene.running():
        for words in ("One", "One two", "One two three"):
            scene.say(words)
            await scene.wall.until(lambda words=words: scene.wall.shown == [words + RUNNING_MARK])
        scene.end("One two three.")
    assert len(scene.wall.edits) == 3


@pytest.mark.parametrize(
    ("turn", "shown"),
    [
        ({}, ["Regenerate"]),
        ({"version": 1, "versions": 2}, ["Regenerate", "◀", "1/2", "▶"]),
        ({"version": 3, "versions": 3, "finish": Finish.LENGTH}, ["Regenerate", "◀", "3/3", "▶", "Continue"]),
        ({"state": TurnState.STOPPED}, ["Regenerate"]),
        ({"state": TurnState.FAILED}, ["Regenerate"]),
        ({"state": TurnState.STOPPED, "finish": Finish.LENGTH}, ["Regenerate"]),
        ({"state": TurnState.INTERRUPTED}, []),
    ],
)
async def test_below_an_answer_that_has_ended_stands_what_can_be_done_about_it(turn, shown):
    scene = Scene()
    scene.answer.end(replace(scene.answer.turn, **({"state": TurnState.DONE, "answer": "Yes"} | turn)), None)
    async with scene.running():
        pass
    assert scene.wall.buttons == [shown]


async def test_what_is_seldom_edited_shows_only_the_end():
    scene = Scene(replace(TURN, answer_message_ids=(80,)))
    scene.wall.messages, scene.wall.below = {80: "Old"}, {80: []}
    scene.writer = scene.written_by(grows=False)
    async with scene.running():
        scene.say("New")
        await scene.wall.until(lambda: scene.wall.typed >= 3)
        assert scene.wall.shown == ["Old"]
        scene.end("New.")
    assert scene.wall.edits == [(80, "New.")]


async def test_two_writers_of_the_same_messages_write_one_after_the_other():
    first, second = Scene(), Scene(replace(TURN, id=8))
    second.wall = first.wall
    writers = Writers(first._record, first._hide, AT_ONCE)
    writers.start(first.answer, first.wall, 1, "en")
    first.say("word " * 500)
    await first.wall.until(lambda: len(first.wall.shown) == 2)
    writers.start(second.answer, first.wall, 1, "en", salt=1)
    second.end("Short.")
    first.end("word " * 500)
    await writers.finish(5)
    assert first.wall.shown == ["Short."]
    assert first.hidden == [101]


async def test_writers_of_the_same_messages_that_the_end_cancels_together_leave_nothing_behind():
    first, second = Scene(), Scene(replace(TURN, id=8))
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    writers = Writers(first._record, first._hide, AT_ONCE)
    for scene in (first, second):
        writers.start(scene.answer, first.wall, 1, "en")
    await writers.finish(0)
    await asyncio.sleep(0)
    assert failures == []
    assert not writers.is_writing(TURN)


async def test_a_version_shown_again_gets_new_messages_where_it_needs_more():
    scene = Scene(replace(TURN, answer_message_ids=(80,)))
    scene.wall.messages, scene.wall.below = {80: "Short."}, {80: []}
    longer = "word " * 500
    for salt in (1, 2):
        scene.writer = scene.written_by(salt=salt)
        scene.end(longer)
        async with scene.running():
            pass
        assert len(scene.wall.messages) == 2
        newest = max(scene.wall.messages)
        await scene.wall.delete(newest)
    assert newest == 101  # not the deleted one's id, as the same nonce would have given


@pytest.mark.parametrize("phase", [Phase.LOADING, Phase.ANSWERING])
async def test_while_nothing_can_be_written_others_have_their_turn(phase):
    scene = Scene(timing=replace(AT_ONCE, edit_interval_s=0.01, slowest_interval_s=0.01))
    scene.wall.faults = [("create", Unreachable("not connected"), False)] * 1000  # raised before anything is awaited
    scene.wait(phase, loading=Loading("loading.reading", 1.0, None))
    scene.writer = scene.written_by(is_streamed=False)
    async with scene.running():
        await asyncio.sleep(0.05)
        assert 900 < len(scene.wall.faults) < 1000
        scene.wall.faults.clear()
        scene.end("Hello")
    assert scene.wall.shown == ["Hello"]
