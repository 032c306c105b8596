"""The benchmark on models small enough for a test: every measure is there once, in form, and agrees with the others."""

import builtins
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench
from benching import generating, machine, report
from benching.asking import Asked, Prompts, asking
from benching.generating import Bench, Sizes
from benching.machine import Others
from benching.measures import UNITS, Results, percentile
from bot.core.engine import EngineInfo
from bot.engine.echo import EchoBackend, Say
from bot.engine.executor import ThreadedEngine

FIELDS = ["measure", "engine", "users", "prompt_tokens", "value", "unit"]
OF_ENGINES = {
    "first_token_s",
    "followup_first_token_s",
    "short_beside_long_first_token_s",
    "long_beside_short_first_token_s",
    "longest_pause_s",
    "decode_tok_per_s",
    "total_tok_per_s",
    "stop_steps",
}
OF_BOT = {"overhead_p99_ms", "messages_per_s", "loop_lag_p99_ms", "rss_mb"}
OF_HISTORY = {"load_p99_ms", "append_p99_ms"}


def measured(tmp_path: Path, *arguments: str) -> list[dict]:
    """Run a subject once and return its rows."""
    file = tmp_path / "rows.json"
    assert bench.main([*arguments, "--repeat", "1", "--json", str(file)]) == 0
    rows = json.loads(file.read_bytes())
    for row in rows:
        assert list(row) == FIELDS
        assert row["unit"] == UNITS[row["measure"]]
        assert row["value"] >= 0
    keys = [tuple(row[field] for field in FIELDS[:4]) for row in rows]
    assert len(set(keys)) == len(keys)
    return rows


def values(rows: list[dict], measure: str, **wanted: object) -> list[float]:
    return [row["value"] for row in rows if row["measure"] == measure and wanted.items() <= row.items()]


@pytest.fixture
async def echo():
    """Return what opens an echo with so many slots, which takes `delay_s` for each token."""
    opened = []

    async def open_echo(slots: int, delay_s: float = 0.002) -> ThreadedEngine:
        info = EngineInfo("echo", "Echo-1", "none", 4096, slots)
        engine = ThreadedEngine(lambda _: EchoBackend(info, lambda r: [Say(r.prompt_ids * 200, delay_s)]), info)
        engine.start()
        await engine.ready()
        opened.append(engine)
        return engine

    yield open_echo
    for engine in opened:
        await engine.aclose()


def bench_of(engine: ThreadedEngine, **sizes: int) -> Bench:
    small = Sizes(**{"prompt": 40, "history": 60, "followup": 10, "long": 80, "short": 5, "new": 8, **sizes})
    return Bench("echo", engine, Prompts(bench.DEMO, 1), small, (1, 3), Results())


# Subjects ------------------------------------------------------------------------------------------------------------


def test_the_engine_subject_measures_both_engines_side_by_side(tmp_path: Path) -> None:
    rows = measured(
        tmp_path, "engine", "--engines", "optimum,genai", "--new-tokens", "8", "--users", "1,3", "--kv-cache-gb", "1",
        "--only", "alone,long_alone,followup,together,short_beside_long,pause,stop",
    )  # fmt: skip
    for engine in ("optimum", "genai"):
        assert {row["measure"] for row in rows if row["engine"] == engine} == OF_ENGINES
        assert {row["users"] for row in rows if row["measure"] == "total_tok_per_s"} == {1, 3}


def test_the_server_subject_measures_the_same_through_http(tmp_path: Path) -> None:
    rows = measured(tmp_path, "server", "--new-tokens", "8", "--users", "2", "--only", "alone,together")
    assert {row["measure"] for row in rows} == {"first_token_s", "decode_tok_per_s", "total_tok_per_s"}


def test_the_bot_subject_measures_a_bot_in_a_process_of_its_own(tmp_path: Path) -> None:
    rows = measured(tmp_path, "bot", "--rates", "10", "--seconds", "1")
    assert {row["measure"] for row in rows} == OF_BOT
    [rss_mb], [rate] = values(rows, "rss_mb"), values(rows, "messages_per_s")
    assert rss_mb > 20
    assert rate <= 12  # more than were sent cannot have been answered


WHOLE = "genai, whole bot"


def test_the_bot_subject_measures_a_model_through_the_bot_and_without_it(tmp_path: Path) -> None:
    rows = measured(tmp_path, "bot", "--engine", "genai", "--new-tokens", "16")
    rates = {(f"{which}_tok_per_s", engine) for which in ("decode", "total") for engine in ("bare pipeline", WHOLE)}
    assert {(row["measure"], row["engine"]) for row in rows} == rates | {
        (m, WHOLE) for m in ("loop_lag_p99_ms", "rss_mb")
    }


def test_the_history_subject_measures_each_size_and_one_long_path(tmp_path: Path) -> None:
    rows = measured(tmp_path, "history", "--turns", "2000,3000", "--folder", str(tmp_path))
    assert {row["measure"] for row in rows} == OF_HISTORY
    for turns, path in ((2000, 1000), (3000, 1500)):
        assert len(values(rows, "load_p99_ms", users=turns, engine="sqlite")) == 1
        assert len(values(rows, "load_p99_ms", users=turns, engine=f"sqlite, one path of {path} turns")) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["rows.json"]


# Scenarios -----------------------------------------------------------------------------------------------------------


async def test_first_token_and_pace_are_those_that_the_engine_has(echo) -> None:
    measured_by = bench_of(await echo(1, 0.02), new=10)
    await generating.alone(measured_by)
    found = {result.of.measure: result.median for result in measured_by.results}
    assert found["first_token_s"] >= 0.02
    assert 15 < found["decode_tok_per_s"] <= 50


async def test_people_who_are_answered_side_by_side_get_more_tokens_a_second_together(echo) -> None:
    measured_by = bench_of(await echo(3, 0.001), new=30)
    await generating.together(measured_by)
    assert {result.of.users for result in measured_by.results} == {1, 3}


async def test_a_stop_is_counted_in_the_steps_of_another_answer(echo) -> None:
    measured_by = bench_of(await echo(3, 0.003))
    await generating.stop(measured_by)
    [result] = measured_by.results
    assert result.of.measure == "stop_steps"
    assert result.median <= 3


async def test_a_pause_is_found_where_the_engine_makes_one(echo) -> None:
    engine = await echo(1)
    asked = Asked(engine, (300,), 3)
    async with asking(asked):
        await asked.done()
    asked.marks = [(1.0, 1), (1.1, 1), (3.0, 1), (3.1, 1), (9.0, 1)]
    assert asked.longest_pause_s(1.05, 3.05) == pytest.approx(1.9)
    assert asked.tokens_between(1.0, 3.1) == 2


async def test_what_is_left_running_is_stopped(echo) -> None:
    asked = Asked(await echo(1), (300,), 4000)
    async with asking(asked):
        await asked.until(2)
    assert asked.task.done()
    assert len(asked.ids) < 4000


async def test_a_request_that_the_loop_sends_late_has_waited_since_it_was_due(echo) -> None:
    engine = await echo(1)
    asked = Asked(engine, (300,), 1, due_s=time.perf_counter() - 5)
    await asked.done()
    assert asked.first_token_s > 5


def test_prompts_are_words_and_never_the_same_twice() -> None:
    prompts = Prompts(bench.DEMO, 1)
    first, second = prompts.ids(50), prompts.ids(50)
    assert first != second
    assert min(first + second) > 258  # neither control tokens nor bytes


@pytest.mark.parametrize("window", [768, 2048, 4096])
def test_all_prompts_fit_in_the_window(window: int) -> None:
    sizes = Sizes.fitting(window, 48)
    assert max(sizes.prompt, sizes.history + sizes.followup, sizes.long) + 48 < window


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what all processes use")
def test_what_this_process_uses_does_not_count_as_others() -> None:
    others, began_s = Others(), time.monotonic()
    spent_s = time.process_time() + 1
    while time.process_time() < spent_s:
        pass
    share = others.share()
    all_s = (os.cpu_count() or 1) * (time.monotonic() - began_s)
    assert share is not None
    assert 0 <= share <= 1.1 - 1 / all_s  # at most what our second left of all; clock ticks are coarse


def test_the_machine_is_named() -> None:
    assert f"{os.cpu_count()} cores" in machine.describe()


# Results -------------------------------------------------------------------------------------------------------------


def test_the_json_file_holds_medians_and_only_the_measures_that_others_compare(tmp_path: Path) -> None:
    results = Results()
    for value in (3.0, 1.0, 2.0):
        results.add("first_token_s", value, engine="genai", prompt_tokens=512)
    results.add("cut_p99_ms", 1, engine="sqlite")
    report.write_json(results, tmp_path / "new" / "rows.json")
    row = {"measure": "first_token_s", "engine": "genai", "users": 1, "prompt_tokens": 512, "value": 2.0, "unit": "s"}
    assert json.loads((tmp_path / "new" / "rows.json").read_bytes()) == [row]


def test_a_measure_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        Results().add("speed", 1, engine="genai")


@pytest.mark.parametrize(("percent", "wanted"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_percentiles_are_the_nearest_rank(percent: float, wanted: float) -> None:
    assert percentile(list(range(1, 101)), percent) == wanted
    assert percentile([7.0], percent) == 7.0


def test_a_plot_without_matplotlib_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: object, **options: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    wanted = [
        "history",
        "--turns",
        "1000",
        "--repeat",
        "1",
        "--folder",
        str(tmp_path),
        "--plot",
        str(tmp_path / "x.png"),
    ]
    assert bench.main(wanted) == 1
    said = capsys.readouterr()
    assert "matplotlib" in said.err
    assert "load_p99_ms" in said.out  # the table is there all the same


@pytest.mark.parametrize("wrong", [["--only", "sleep"], ["--engines", "llama"], ["--repeat", "0"], ["--users", "x"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.parse(["engine", *wrong])
    assert ended.value.code == 2


def test_every_scenario_can_be_asked_for_by_name() -> None:
    assert bench.scenario_names() == list(generating.SCENARIOS)


def test_what_was_measured_before_an_interruption_is_shown(tmp_path: Path) -> None:
    command = [sys.executable, bench.__file__, "history", "--turns", "1000", "--repeat", "100000", "--folder", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert any("2 of" in line for line in running.stderr)
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "load_p99_ms" in said
    assert not list(tmp_path.iterdir())
