"""Real log lines, of structlog and of the standard library, read back from the stream they went to."""

import base64
import io
import json
import logging
import subprocess
import sys
import warnings

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.ops.logging import REDACTED, configure_logging


def looks_like_a_token(user_id=123456789012345678):
    head = base64.urlsafe_b64encode(str(user_id).encode()).decode().rstrip("=")
    return f"{head}.GaBcDe.{'x-Y_9' * 6}abcdefgh"


@pytest.fixture(autouse=True)
def root_logger_as_before():
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("aiohttp.access").level
    yield
    root.handlers[:], level, access_level = before
    root.setLevel(level)
    logging.getLogger("aiohttp.access").setLevel(access_level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def logged(level="INFO", format="console", secrets=()):  # noqa: A002
    stream = io.StringIO()
    configure_logging(level, format, stream, secrets)
    return stream


def test_an_event_and_its_fields_stand_on_one_console_line():
    stream = logged()
    structlog.get_logger("bot.x").info("turn accepted", turn=7, channel="general")
    [line] = stream.getvalue().splitlines()
    assert "turn accepted" in line
    assert "turn=7" in line
    assert "bot.x" in line
    assert "\x1b" not in line


def test_json_lines_carry_level_logger_time_and_fields():
    stream = logged(format="json")
    structlog.get_logger("bot.x").warning("slow", took_s=2.5)
    event = json.loads(stream.getvalue())
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "slow", "level": "warning", "logger": "bot.x", "took_s": 2.5}


@pytest.mark.parametrize("format", ["console", "json"])
def test_the_standard_library_goes_through_the_same_renderer(format):  # noqa: A002
    stream = logged(format=format)
    logging.getLogger("discord.gateway").info("Shard ID %s has connected", 0)
    [line] = stream.getvalue().splitlines()
    assert "Shard ID 0 has connected" in line
    assert "discord.gateway" in line
    if format == "json":
        assert json.loads(line)["level"] == "info"


def test_events_below_the_level_are_not_written():
    stream = logged("warning")
    structlog.get_logger("bot.x").info("no")
    logging.getLogger("discord").info("no")
    structlog.get_logger("bot.x").warning("yes")
    assert "no" not in stream.getvalue()
    assert "yes" in stream.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize("secret", [looks_like_a_token(), 'odd "secret" \\ of ours', "loopback-token"])
def test_a_token_is_in_no_field_message_or_traceback(format, secret):  # noqa: A002
    stream = logged("debug", format, secrets=() if "." in secret else (secret,))
    log = structlog.get_logger("bot.x")
    log.info(f"got {secret}")
    log.info("x", token=secret, nested={"headers": [f"Bot {secret}"]})
    logging.getLogger("discord.http").debug("header %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed")
        logging.getLogger("asyncio").exception("failed too")
    assert secret not in stream.getvalue()
    assert json.dumps(secret)[1:-1] not in stream.getvalue()
    assert stream.getvalue().count(REDACTED) >= 6


@given(st.integers(10**16, 10**19), st.text("abcXYZ019-_", min_size=27, max_size=40))
def test_whatever_has_a_tokens_form_is_redacted(user_id, signature):
    token = f"{looks_like_a_token(user_id).rpartition('.')[0]}.{signature}"
    stream = logged()
    structlog.get_logger("bot.x").info("login", header=f"Bot {token}")
    assert signature not in stream.getvalue()


def test_an_interactions_token_in_an_address_is_redacted():
    stream = logged("debug")
    token = base64.b64encode(b"interaction:1234567890:abcdefg").decode()
    logging.getLogger("discord.webhook").debug("POST /webhooks/1/%s/messages", token)
    assert token not in stream.getvalue()
    assert "/webhooks/1/" in stream.getvalue()


@pytest.mark.parametrize("field", ["content", "prompt", "text"])
def test_what_people_wrote_is_logged_at_debug_alone(field):
    stream = logged("debug", "json")
    log = structlog.get_logger("bot.x")
    log.info("asked", **{field: "private words"}, message={field: "private words", "id": 1}, parts=[{field: "private"}])
    assert "private" not in stream.getvalue()
    assert json.loads(stream.getvalue())["message"] == {"id": 1}
    log.debug("asked", **{field: "private words"})
    assert "private words" in stream.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
def test_an_exception_is_rendered_once(format):  # noqa: A002
    stream = logged(format=format)
    try:
        raise RuntimeError("only once")
    except RuntimeError:
        structlog.get_logger("bot.x").exception("ours")
    assert stream.getvalue().count("RuntimeError: only once") == 1
    try:
        raise RuntimeError("theirs once")
    except RuntimeError:
        logging.getLogger("discord").exception("theirs")
    assert stream.getvalue().count("RuntimeError: theirs once") == 1


def test_a_strangers_name_cannot_forge_a_line_or_steer_the_terminal():
    stream = logged()
    structlog.get_logger("bot.x").info("asked by \x1b[2J\nroot", author="\x1b[31mred\nINFO forged", name="\x1b[2J")
    logging.getLogger("discord").info("hello %s", "a\nINFO forged")
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 2


def test_a_second_call_replaces_the_first():
    first, second = logged(), logged()
    structlog.get_logger("bot.x").info("hello")
    assert first.getvalue() == ""
    assert second.getvalue().count("hello") == 1


def test_warnings_become_log_lines():
    stream = logged()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "old thing" in stream.getvalue()


def test_an_unknown_level_or_format_is_refused():
    with pytest.raises(ValueError, match="DEBUG, INFO"):
        configure_logging("loud")
    with pytest.raises(ValueError, match="console or json"):
        configure_logging("INFO", "xml")


def test_a_process_logs_to_stderr_and_leaves_stdout_to_the_answers():
    code = (
        "from bot.ops.logging import configure_logging; import structlog, logging;"
        "configure_logging('INFO', 'json'); structlog.get_logger('a').info('one'); logging.getLogger('b').info('two')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["one", "two"]
