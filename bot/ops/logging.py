"""Logs: structlog's and the standard library's (discord.py, aiohttp, asyncio, warnings) as one stream of lines.

Owns what may never be in a log: tokens anywhere in a line, and what people wrote above DEBUG. Knows nothing of what is
logged; modules call `structlog.get_logger(__name__)` and need nothing from here.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["console", "json"]

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

REDACTED: Final = "[redacted]"

# A bot token is base64(user id) "." base64(time) "." HMAC; an interaction's token, which stands in the addresses that
# discord.py logs, is base64("interaction:...").
_TOKEN: Final = re.compile(r"\b[\w-]{23,30}\.[\w-]{6,7}\.[\w-]{27,}|\baW50ZXJhY3Rpb246[\w+/=-]+", re.ASCII)

_CONTENT_FIELDS: Final = frozenset({"content", "prompt", "text"})


def configure_logging(
    level: str,
    format: LogFormat = "console",  # noqa: A002
    stream: TextIO | None = None,
    secrets: Sequence[str] = (),
) -> None:
    """Send every log line of this process to `stream` (stderr if None), redacted; replaces an earlier call's effect.

    `level` is one of LEVELS, in any case. Whatever looks like a Discord token, and each of `secrets` to the letter, is
    replaced in the finished line: fields, message and traceback alike. Fields that carry what people wrote
    (`content`, `prompt`, `text`) are dropped from events above DEBUG, nested ones too.
    Raises: ValueError for another level or format.
    """
    if level.upper() not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    if format not in ("console", "json"):
        raise ValueError(f"format must be console or json, not {format!r}")
    threshold = logging.getLevelNamesMapping()[level.upper()]
    target = sys.stderr if stream is None else stream
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        _drop_content,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *chain,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(target)
    renderers = _json_renderers() if format == "json" else _console_renderers(target)
    handler.setFormatter(_RedactingFormatter(chain, renderers, secrets))
    _replace_root_handler(handler, threshold)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours: told apart from handlers that others (pytest, say) put on the root logger."""


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record and redacts the finished line, so that no field, message or traceback can be forgotten."""

    def __init__(self, foreign: Sequence[Processor], renderers: Sequence[Processor], secrets: Sequence[str]) -> None:
        remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
        super().__init__(foreign_pre_chain=foreign, processors=[remove_meta, *renderers])
        # As it is, and as it stands inside JSON or a repr.
        forms = {
            form for secret in secrets if secret for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])
        }
        longest_first = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if self._secrets is not None:
            line = self._secrets.sub(REDACTED, line)
        return _TOKEN.sub(REDACTED, line)


def _replace_root_handler(handler: logging.Handler, threshold: int) -> None:
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    # A line for each request is DEBUG to us.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING if threshold > logging.DEBUG else logging.DEBUG)
    logging.captureWarnings(capture=True)


def _json_renderers() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]


def _console_renderers(stream: TextIO) -> list[Processor]:
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _escape_controls,
        structlog.dev.ConsoleRenderer(
            colors=colors,
            pad_event_to=0,
            pad_level=False,
            # rich's tracebacks wrap and colour, which would cut a token in pieces that no longer look like one.
            exception_formatter=structlog.dev.plain_traceback,
            # Names come from strangers: a repr keeps their line feeds and terminal codes from being obeyed.
            repr_native_str=True,
        ),
    ]


def _escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show line feeds and terminal codes of a message as escapes: one event, one line (tracebacks aside)."""
    message = str(event.get("event", ""))
    if not message.isprintable():
        event["event"] = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    return event


def _drop_content(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if event.get("level") == "debug":
        return event
    return {key: _without_content(value) for key, value in event.items() if key not in _CONTENT_FIELDS}


def _without_content(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_content(inner) for key, inner in value.items() if key not in _CONTENT_FIELDS}
    if isinstance(value, list):
        return [_without_content(inner) for inner in value]
    return value
