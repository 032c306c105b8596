"""How it is logged that somebody gets a sentence instead of an answer."""

from __future__ import annotations

import structlog

from bot.errors import BotError, QuestionRefused

log = structlog.get_logger(__name__)


def log_refusal(exc: BotError, **where: object) -> None:
    """Log why somebody gets a sentence instead of an answer: with its cause, where that is for the admin to mend."""
    kind = type(exc).__name__
    if isinstance(exc, QuestionRefused):
        log.info("question_refused", error=kind, **where)
    else:
        log.error("question_failed", error=kind, reason=exc.detail, **where)
