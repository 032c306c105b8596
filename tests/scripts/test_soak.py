"""The soak itself: a short one finds nothing, and what is leaked on purpose is found."""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import soak
from benching.engines import Choice
from bot.core.engine import GenerationRequest
from soaking import verdict
from soaking.run import Found, Plan
from soaking.run import soak as run_soak
from soaking.state import State
from soaking.visitors import close, cut, reset, stop, talk, walk_away

REST = State(
    at_s=1.0, conversations=5, answers=0, unfinished_turns=0, tasks=8, threads=5, files=11, sockets=4, rss_mb=70.0,
    engine_pid=7, engine_requests=0, engine_tasks=7, engine_threads=13, engine_files=7, engine_sockets=4,
    engine_rss_mb=200.0,
)  # fmt: skip


def test_a_short_soak_of_the_real_engine_finds_nothing_and_says_what_it_did(tmp_path: Path, capsys) -> None:
    file = tmp_path / "soak.json"
    code = soak.main(["--minutes", "0.08", "--seed", "3", "--people", "6", "--json", str(file)])
    said = capsys.readouterr()
    report = json.loads(file.read_bytes())
    assert (code, report["leaked"]) == (0, []), said.out
    assert "seed 3" in said.err
    assert "Nothing leaked." in said.out
    assert report["conversations"] >= 3, said.out
    assert report["ends"]["done"] >= 3
    assert report["seed"] == 3
    for process in ("bot", "engine"):
        assert report["memory"][process]["end_mb"] > 20
    assert report["rests"]
    assert all(rest["unfinished_turns"] == rest["engine_requests"] == rest["answers"] == 0 for rest in report["rests"])


async def soaked(
    tmp_path: Path, *actions, engine: str = "echo", seconds: float = 2.0, rest_s: float = 1.0, people: int = 3
):
    choice = Choice(engine, soak.DEMO, "CPU")
    plan = Plan(seconds, 1, choice, people=people, actions=dict.fromkeys(actions, 1), rest_s=rest_s)
    async with asyncio.timeout(60):
        await run_soak(found := Found(plan), tmp_path, lambda _: None)
    return found


async def test_answers_that_nobody_reads_may_keep_a_connection_for_each_slot(tmp_path: Path) -> None:
    found = await soaked(tmp_path, walk_away, engine="genai", seconds=1.0, rest_s=10, people=1)
    assert found.leaked == []


async def test_what_visitors_do_on_purpose_leaks_nothing(tmp_path: Path) -> None:
    found = await soaked(tmp_path, talk, stop, reset, walk_away, close, cut, rest_s=30)
    assert found.leaked == []
    tally = found.world.tally
    assert {"talk", "stop", "reset", "walk_away", "close", "cut", "connections cut"} <= set(tally.actions)


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_generation_that_is_never_closed_is_found_and_one_that_is_closed_is_none(
    tmp_path: Path, is_closed: bool
) -> None:
    kept = []

    async def begin(visitor) -> None:
        """Begin to read an answer of which the rest takes a while, and then close it, or do not."""
        tokenizer = visitor.world.tokenizer
        prompt_ids = tokenizer.prompt((), [], tokenizer.encode("my name is Ada"))
        generator = visitor.world.engine.generate(GenerationRequest(prompt_ids, 700, frozenset()))
        await anext(generator)
        if is_closed:
            await generator.aclose()
        else:
            kept.append(generator)

    # What is not closed ends by itself within half a second on a fast machine, so it is looked for at once.
    found = await soaked(tmp_path, begin, engine="genai", seconds=1.0, rest_s=30 if is_closed else 0)
    for generator in kept:
        await generator.aclose()
    still_taken = [what for what in found.leaked if "slots or places in line are still taken" in what]
    assert bool(still_taken) is not is_closed, found.leaked
    if is_closed:
        assert found.leaked == []


async def test_a_task_that_nobody_ends_is_found(tmp_path: Path) -> None:
    forgotten = []

    async def forget_a_task(visitor) -> None:
        """Leave a task behind."""
        forgotten.append(asyncio.create_task(asyncio.Event().wait()))
        await talk(visitor)

    found = await soaked(tmp_path, forget_a_task)
    for task in forgotten:
        task.cancel()
    assert f"{len(forgotten)} tasks are left in the bot's event loop (0 allowed)" in found.leaked
    assert f"{len(forgotten)} tasks are left after everything was closed" in found.leaked


@pytest.mark.parametrize(
    ("field", "more", "word"),
    [("answers", 1, "answers"), ("unfinished_turns", 1, "turns"), ("engine_requests", 1, "slots"),
     ("tasks", 1, "tasks"), ("engine_tasks", 2, "tasks"), ("threads", 1, "threads"), ("engine_threads", 1, "threads"),
     ("files", 1, "files"), ("engine_files", 1, "files"), ("sockets", 9, "sockets"), ("engine_sockets", 9, "sockets"),
     ("engine_pid", 1, "gone")],
)  # fmt: skip
def test_each_thing_that_is_left_is_named(field: str, more: int, word: str) -> None:
    assert verdict.leaked(REST, REST, REST, connections=8) == []
    now = replace(REST, **{field: asdict(REST)[field] + more})
    [what] = verdict.leaked(REST, REST, now, connections=8)
    assert word in what


def samples(*mb: float, every_s: float = 15.0) -> list[State]:
    return [replace(REST, at_s=number * every_s, rss_mb=value) for number, value in enumerate(mb)]


def test_memory_that_climbs_at_first_and_jumps_later_is_flat() -> None:
    told = verdict.memory(samples(*range(60, 80, 2), *[80, 82, 79, 81] * 8))
    assert verdict.memory_leaked(told) == []
    assert abs(told["bot"]["rise_mb"]) < 2


def test_memory_that_goes_on_climbing_is_not() -> None:
    told = verdict.memory(samples(*[70 + 0.5 * number for number in range(42)]))
    [what] = verdict.memory_leaked(told)
    assert what.startswith("the bot's memory rises by 13.5 MB")
    assert told["bot"]["start_mb"] == 70.0


def test_of_a_few_seconds_no_memory_is_judged() -> None:
    told = verdict.memory(samples(70, 90, 110, 130, every_s=1))
    assert told["bot"]["rise_mb"] is None
    assert verdict.memory_leaked(told) == []


def test_a_soak_without_end_or_people_is_refused(capsys) -> None:
    for wrong in (["--minutes", "0"], ["--people", "0"]):
        with pytest.raises(SystemExit):
            soak.parse(wrong)
    assert "more than 0" in capsys.readouterr().err
