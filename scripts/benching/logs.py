"""What a measurement logs: little, and to stderr, for stdout is the result's."""

from __future__ import annotations

import sys

import structlog


def log_only(level: int) -> None:
    """Log nothing below this level of `logging`."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
