"""Settings from environments and .env files of the tests' own, and the command that reads them."""

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import EX_CONFIG, SettingsInvalid
from bot.settings import OV_DEFAULTS, TOKEN, VARIABLES, Settings, load_settings

# Made of parts, so that no scanner of secrets takes it for one.
SECRET = ".".join(("MTk4NjIyNDgzNDcxOTI1MjQ4", "Cl2FMQ", "ZnCjm1XVW7vRze4b7Cq4se7kKWs"))

WRONG = {
    "PHIBOT_OWNER_IDS": ("12, ada", "ids of Discord, numbers with commas between them; 'ada' is none"),
    "PHIBOT_ALLOWED_GUILD_IDS": ("-5", "ids of Discord, numbers with commas between them; '-5' is none"),
    "PHIBOT_ALLOWED_CHANNEL_IDS": ("9" * 20, f"ids of Discord, numbers with commas between them; '{'9' * 20}' is none"),
    "PHIBOT_ALLOW_DMS": ("maybe", "true or false"),
    "PHIBOT_ENGINE": ("llama", "one of 'genai', 'optimum' or 'echo'"),
    "PHIBOT_ENGINE_PROCESS": ("perhaps", "true or false"),
    "PHIBOT_ENGINE_URL": ("gpu-box:8443", "an address, such as https://gpu-box:8443"),
    "PHIBOT_DEVICE_FALLBACK": ("GPU", "one of 'CPU' or 'none'"),
    "PHIBOT_OV_CONFIG": ("[1]", 'a JSON object of texts, numbers and booleans, such as {"CACHE_DIR": "data/ov_cache"}'),
    "PHIBOT_TRUST_REMOTE_CODE": ("2", "true or false"),
    "PHIBOT_MAX_ATTACHMENTS": ("11", "at most 10"),
    "PHIBOT_MAX_MESSAGES": ("0", "at least 1"),
    "PHIBOT_MAX_ATTACHMENT_MB": ("0", "at least 1"),
    "PHIBOT_TIME_ZONE": ("Mars/Olympus", "a time zone that this machine knows, such as Europe/Berlin"),
    "PHIBOT_MAX_NEW_TOKENS": ("0", "at least 1"),
    "PHIBOT_AUTO_SUMMARIZE": ("often", "true or false"),
    "PHIBOT_DO_SAMPLE": ("sure", "true or false"),
    "PHIBOT_GUARD": ("maybe", "true or false"),
    "PHIBOT_TEMPERATURE": ("0", "more than 0.0"),
    "PHIBOT_TOP_P": ("1.1", "at most 1.0"),
    "PHIBOT_SEED": ("2147483648", "less than 2147483648"),
    "PHIBOT_KV_CACHE_GB": ("1.5", "a whole number"),
    "PHIBOT_KV_CACHE_PRECISION": ("int3", "one of 'u8', 'f16', 'bf16' or 'f32'"),
    "PHIBOT_STEP_TARGET_MS": ("7", "at least 50"),
    "PHIBOT_MAX_WAITING": ("many", "a whole number"),
    "PHIBOT_MAX_WAIT_S": ("0", "more than 0.0"),
    "PHIBOT_PER_USER_PER_MINUTE": ("0", "at least 1"),
    "PHIBOT_COOLDOWN_S": ("3601", "at most 3600"),
    "PHIBOT_TOKENS_PER_DAY": ("0", "at least 1"),
    "PHIBOT_DRAIN_S": ("soon", "a number"),
    "PHIBOT_METRICS_PORT": ("0", "at least 1"),
    "PHIBOT_LOG_LEVEL": ("LOUD", "one of 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    "PHIBOT_LOG_FORMAT": ("xml", "one of 'auto', 'console' or 'json'"),
}
ANY_TEXT = {
    "DISCORD_TOKEN",
    "PHIBOT_DATABASE",
    "PHIBOT_DEVICE",
    "PHIBOT_ENGINE_CA_FILE",
    "PHIBOT_ENGINE_CERT_FILE",
    "PHIBOT_ENGINE_CERT_KEY_FILE",
    "PHIBOT_ENGINE_KEY",
    "PHIBOT_MODEL_DIR",
    "PHIBOT_MODELS_DIR",
    "PHIBOT_SYSTEM_PROMPT",
}


@pytest.fixture
def env_file(tmp_path):
    return tmp_path / ".env"


def read(environ=None, env_file=Path("there-is-no-such-file")):
    return load_settings(environ or {}, env_file)


def settings_of(**variables):
    """Return the settings for these PHIBOT_ variables."""
    settings, warnings = read({f"PHIBOT_{name}": text for name, text in variables.items()})
    assert warnings == []
    return settings


def faults_of(environ, env_file=Path("there-is-no-such-file")):
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(environ, env_file)
    head, *lines = str(refused.value).split("\n")
    assert head == "Settings that are wrong:"
    return [line.removeprefix("  ") for line in lines]


# Values


def test_without_any_variable_every_setting_has_its_default():
    settings, warnings = read()
    assert settings == Settings()
    assert warnings == []
    assert settings.discord_token is None
    assert settings.model_dir == Path("models/phi-3-mini-4k-instruct")
    assert settings.ov_config == {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}
    assert (settings.device, settings.fallback_device) == ("GPU.0", "CPU")
    assert (settings.max_new_tokens, settings.do_sample, settings.trust_remote_code) == (1024, False, False)
    assert settings.system_prompt == "You are a helpful AI assistant."


def test_the_default_of_every_setting_is_allowed():
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert Settings(**defaults) == Settings()


@pytest.mark.parametrize("text", ["11,22", "11 22", " 11 , 22,", "11,\t22 11"])
def test_ids_may_stand_between_commas_or_spaces(text):
    assert settings_of(OWNER_IDS=text).owner_ids == {11, 22}


def test_properties_go_over_the_defaults():
    config = settings_of(OV_CONFIG='{"NUM_STREAMS": 2, "CACHE_DIR": "c", "PERF_COUNT": true, "X": 0.5}').ov_config
    assert config == {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 2, "CACHE_DIR": "c", "PERF_COUNT": True, "X": 0.5}
    assert type(config["PERF_COUNT"]) is bool
    assert OV_DEFAULTS["NUM_STREAMS"] == "1"


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "3", "null", '{"A": null}', '{"A": [1]}', '{"A": {"B": 1}}'])
def test_properties_that_are_no_flat_object_are_refused(text):
    (fault,) = faults_of({"PHIBOT_OV_CONFIG": text})
    assert fault.startswith(f"PHIBOT_OV_CONFIG={text!r} should be a JSON object of texts, numbers and booleans")


def test_properties_nested_without_end_are_refused():
    (fault,) = faults_of({"PHIBOT_OV_CONFIG": "[" * 100_000})
    assert "should be a JSON object" in fault


def test_a_key_that_cannot_be_sent_is_refused_and_not_shown():
    assert faults_of({"PHIBOT_ENGINE_KEY": "two words"}) == [
        "PHIBOT_ENGINE_KEY=(not shown) should be one word of letters, digits and signs"
    ]


def test_choices_may_be_written_in_any_case():
    settings = settings_of(ENGINE="Optimum", DEVICE_FALLBACK="NONE", LOG_LEVEL="debug", LOG_FORMAT="JSON")
    assert (settings.engine, settings.fallback_device) == ("optimum", None)
    assert (settings.log_level, settings.log_lines) == ("DEBUG", "json")


def test_logs_are_json_where_no_terminal_reads_them(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert settings_of().log_lines == "console"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert settings_of().log_lines == "json"
    assert settings_of(LOG_FORMAT="console").log_lines == "console"


def test_paths_may_begin_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = settings_of(MODEL_DIR="~/phi", DATABASE="~/bot.sqlite3")
    assert (settings.model_dir, settings.database) == (tmp_path / "phi", tmp_path / "bot.sqlite3")


def test_a_path_at_the_home_of_nobody_is_a_fault():
    assert faults_of({"PHIBOT_DATABASE": "~nobody-at-all/x"}) == [
        "PHIBOT_DATABASE='~nobody-at-all/x' should be a path; there is no home folder of '~nobody-at-all'"
    ]


def test_a_path_with_a_nul_is_a_fault(env_file):
    env_file.write_bytes(b"PHIBOT_MODEL_DIR=a\0b\n")
    assert faults_of({}, env_file) == [r"PHIBOT_MODEL_DIR='a\x00b' should be a path, in which there can be no NUL"]


def test_an_empty_value_counts_as_not_set(env_file):
    env_file.write_text("PHIBOT_DEVICE=GPU.1\nPHIBOT_SEED=\n")
    settings, _ = read({"PHIBOT_DEVICE": "", "PHIBOT_KV_CACHE_GB": "", "DISCORD_TOKEN": " "}, env_file)
    assert (settings.device, settings.kv_cache_gb, settings.seed, settings.discord_token) == ("GPU.1", None, None, None)
    assert settings.model_fields_set == {"device"}


def test_the_environment_goes_before_the_file(env_file):
    env_file.write_text("PHIBOT_DEVICE=GPU.1\nPHIBOT_SEED=7\n")
    settings, _ = read({"PHIBOT_DEVICE": "CPU"}, env_file)
    assert (settings.device, settings.seed) == ("CPU", 7)


def test_settings_cannot_be_changed():
    settings = settings_of()
    with pytest.raises(ValueError, match="frozen"):
        settings.device = "CPU"


def test_settings_made_in_code_read_no_environment(monkeypatch):
    monkeypatch.setenv("PHIBOT_DEVICE", "GPU.7")
    assert Settings().device == "GPU.0"


def test_the_process_environment_is_read_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHIBOT_DEVICE", "GPU.7")
    (tmp_path / ".env").write_text("PHIBOT_SEED=9")
    settings, _ = load_settings()
    assert (settings.device, settings.seed) == ("GPU.7", 9)


# Faults


def test_every_fault_is_told_in_one_go_with_variable_value_and_what_would_be_right():
    faults = faults_of({variable: text for variable, (text, _) in WRONG.items()})
    assert sorted(faults) == sorted(
        f"{variable}={text!r} should be {right}" for variable, (text, right) in WRONG.items()
    )


def test_every_setting_that_can_be_wrong_was_tried():
    assert set(WRONG) | ANY_TEXT == set(VARIABLES.values())


@pytest.mark.parametrize("name", ["UTC", "utc", "Europe/Berlin", "Etc/GMT+12"])
def test_a_time_zone_is_one_that_this_machine_knows(name):
    settings, _ = read({"PHIBOT_TIME_ZONE": name})
    assert datetime.now(settings.zone).tzinfo is settings.zone


@pytest.mark.parametrize("name", ["Europe", "/etc/localtime", "../etc/passwd", "zone.tab", "a\0b", "Berlin" * 300])
def test_what_is_no_time_zone_is_refused_whatever_it_names(name):
    assert "a time zone that this machine knows" in faults_of({"PHIBOT_TIME_ZONE": name})[0]


def test_a_fault_ends_the_process_with_the_code_for_configuration():
    assert SettingsInvalid.exit_code == EX_CONFIG == 78


def test_faults_of_the_file_and_of_values_are_told_together(env_file):
    env_file.write_text("PHIBOT_SEED=x\nno value here\n")
    assert faults_of({"PHIBOT_ENGINE": "llama"}, env_file) == [
        f"{env_file}, line 2: should be NAME=value",
        "PHIBOT_ENGINE='llama' should be one of 'genai', 'optimum' or 'echo'",
        "PHIBOT_SEED='x' should be a whole number",
    ]


def test_a_long_wrong_value_is_shown_in_part():
    (fault,) = faults_of({"PHIBOT_SEED": "x" * 5000})
    assert len(fault) < 150


def test_an_unknown_name_is_warned_about_with_the_nearest_known_one(env_file):
    env_file.write_text("PHIBOT_DISCORD_TOKEN=a\nOTHER=b\n")
    environ = {
        "PHIBOT_DEVISE": "CPU",
        "phibot_max_waiting": "3",
        "PHIBOT_MAX_WAITING": "4",
        "HOME": "x",
        "PHIBO_DEVICE": "y",
    }
    settings, warnings = read(environ, env_file)
    assert settings.max_waiting == 4
    assert warnings == [
        "PHIBOT_DEVISE is no setting; did you mean PHIBOT_DEVICE?",
        "PHIBOT_DISCORD_TOKEN is no setting; did you mean DISCORD_TOKEN?",
        "phibot_max_waiting is no setting; did you mean PHIBOT_MAX_WAITING?",
    ]


def test_sampling_that_has_no_effect_is_warned_about():
    _, warnings = read({"PHIBOT_SEED": "1", "PHIBOT_TOP_P": "0.5"})
    assert warnings == [f"PHIBOT_{name} has no effect without PHIBOT_DO_SAMPLE=true." for name in ("TOP_P", "SEED")]
    assert read({"PHIBOT_SEED": "1", "PHIBOT_DO_SAMPLE": "true"})[1] == []


def test_models_beside_those_of_another_machine_are_warned_about():
    told = "PHIBOT_MODELS_DIR has no effect with PHIBOT_ENGINE_URL: that server has its model."
    assert read({"PHIBOT_MODELS_DIR": "models", "PHIBOT_ENGINE_URL": "http://gpu-box:1"})[1] == [told]
    assert read({"PHIBOT_MODELS_DIR": "models"})[1] == []


# The file


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_a_file_is_read_as_editors_write_it(env_file, newline, mark):
    lines = [
        *("PHIBOT_DEVICE=GPU.1", "", "# a comment", "export PHIBOT_SEED = 5  # why", "PHIBOT_DO_SAMPLE='true'"),
        *('PHIBOT_SYSTEM_PROMPT="Say \\"hi\\",\\nthen ${HOME} # and go"', 'PHIBOT_OV_CONFIG={"CACHE_DIR": "a b"}'),
    ]
    env_file.write_bytes(mark + newline.join(lines).encode())
    settings, warnings = read({}, env_file)
    assert warnings == []
    assert (settings.device, settings.seed, settings.do_sample) == ("GPU.1", 5, True)
    assert settings.system_prompt == 'Say "hi",\nthen ${HOME} # and go'
    assert settings.ov_config["CACHE_DIR"] == "a b"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_that_set_nothing_are_named_by_number(env_file, newline):
    lines = ["PHIBOT_SEED=1", "", "what is this", "PHIBOT_DEVICE", "", "", "=3", 'PHIBOT_DEVICE="open', "# fine", "{"]
    env_file.write_bytes(newline.join(lines).encode())
    assert faults_of({}, env_file) == [f"{env_file}, line {n}: should be NAME=value" for n in (3, 4, 7, 8, 10)]


def test_a_file_in_another_encoding_is_refused_with_the_line(env_file):
    env_file.write_bytes(b"PHIBOT_SEED=1\nPHIBOT_SYSTEM_PROMPT=Gr\xfc\xdf Gott\n")
    assert faults_of({}, env_file) == [f"{env_file}, line 2: is not UTF-8; save the file with that encoding"]


def test_a_file_that_cannot_be_read_is_a_fault(env_file):
    env_file.mkdir()  # what a container makes of a file that is not there
    assert faults_of({}, env_file) == [f"{env_file}: cannot be read (Is a directory)"]


@given(content=st.binary(max_size=200))
def test_no_file_whatever_ends_in_anything_but_settings_or_faults(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.env"
    file.write_bytes(content)
    with suppress(SettingsInvalid):
        load_settings({}, file)


# The token


@pytest.mark.parametrize("form", ["{}", " {}\n", '"{}"', "'{}'", "Bot {}", '"Bot {} "'])
def test_a_token_is_taken_however_it_was_pasted(form):
    assert read({TOKEN: form.format(SECRET)})[0].discord_token.get_secret_value() == SECRET


@pytest.mark.parametrize("text", [f"{SECRET} {SECRET}", f"tök.{SECRET}", f"{SECRET}\x07", '""', "Bot "])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(text):
    assert faults_of({TOKEN: text}) == [
        "DISCORD_TOKEN=(not shown) should be the token alone, as the portal shows it: "
        "one word of letters, digits, dots and dashes"
    ]


def test_settings_show_the_token_nowhere():
    settings, _ = read({TOKEN: SECRET})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.discord_token}"
    assert SECRET not in shown
    assert "**" in shown


def holds_secret(exc):
    """Tell whether anything that an error drags along holds the token: its text, its fields, its causes, its pickle."""
    dragged = [exc, exc.__cause__, exc.__context__]
    texts = [f"{one} {one!r} {vars(one) if one else None}" for one in dragged]
    return any(SECRET in text for text in texts) or SECRET.encode() in pickle.dumps(exc)


@pytest.mark.parametrize(
    "environ",
    [
        {TOKEN: SECRET, "PHIBOT_ENGINE": "llama"},
        {TOKEN: f"{SECRET} twice", "PHIBOT_ENGINE": "llama"},
        {TOKEN: SECRET, "PHIBOT_ENGINE": SECRET},
        {"PHIBOT_OWNER_IDS": SECRET},
        {"PHIBOT_OV_CONFIG": f'{{"A": "{SECRET}", "B": null}}'},
        {TOKEN: "shortish", "PHIBOT_LOG_LEVEL": "shortish"},
        {TOKEN: "shortish", "PHIBOT_OWNER_IDS": "1,shortish"},
        {TOKEN: "shortish", "PHIBOT_DATABASE": "~shortish/x"},
    ],
)
def test_no_fault_shows_the_token_not_even_one_that_strayed(environ, monkeypatch):
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(environ, Path("there-is-no-such-file"))
    assert not holds_secret(refused.value)
    assert refused.value.__context__ is None  # pydantic's own error keeps every value in errors()
    assert "shortish" not in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # noqa: S301 - our own


def test_a_broken_line_with_the_token_is_not_shown(env_file):
    env_file.write_text(f"DISCORD_TOKEN {SECRET}\n{SECRET}\nPHIBOT_{SECRET}\n")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings({}, env_file)
    assert not holds_secret(refused.value)


# The command


def run_bot(folder, **environ):
    """Run `phibot run` in a folder, without a terminal, as a service manager does."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PHIBOT_", "DISCORD_"))}
    return subprocess.run(
        [sys.executable, "-m", "bot", "run"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[1]), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_wrong_settings_end_the_command_with_every_fault_and_no_traceback(tmp_path):
    (tmp_path / ".env").write_text(f"DISCORD_TOKEN={SECRET}\nPHIBOT_ENGINE={SECRET}\nbroken\n")
    done = run_bot(tmp_path, PHIBOT_SEED="x")
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "phibot: Settings that are wrong:",
        "  .env, line 3: should be NAME=value",
        "  PHIBOT_ENGINE=(not shown) should be one of 'genai', 'optimum' or 'echo'",
        "  PHIBOT_SEED='x' should be a whole number",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env"]


def test_without_token_and_terminal_the_command_says_so_after_its_warnings(tmp_path):
    done = run_bot(tmp_path, PHIBOT_DEVISE="CPU", DISCORD_TOKEN="")
    assert done.returncode == 78
    warning, sentence, *_ = done.stderr.splitlines()
    assert warning == "warning: PHIBOT_DEVISE is no setting; did you mean PHIBOT_DEVICE?"
    assert sentence.startswith("phibot: DISCORD_TOKEN is not set.")
    assert "Traceback" not in done.stderr
