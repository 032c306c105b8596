"""What somebody gets instead of an answer, and how it is logged: one sentence, then only a sign for some minutes.

Interactions always get their sentence: one person alone sees it. Messages are answered where all read, so whoever is
refused again and again would flood the channel. Knows neither messages nor how anything is written.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import structlog

from bot.errors import BotError, QuestionRefused
from bot.frontends.discord.triggers import SeenEvents

log = structlog.get_logger(__name__)

SAID_AGAIN_S: Final = 300.0
"""After so long the sentence is said again: whoever comes back after a while has forgotten it."""

_MOST_SAID: Final = 10_000

_EVERYBODY: Final = 0


class Told(Enum):
    """How a person is told that a message is not answered."""

    SENTENCE = auto()
    SIGN = auto()  # a reaction
    NOT = auto()


class Refusals:
    """Which refusals were said lately, to whom and where."""

    def __init__(self, said_again_s: float = SAID_AGAIN_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the seconds after which the same is said again; `clock` gives seconds."""
        self._said_again_s = said_again_s
        self._clock = clock
        self._said: OrderedDict[tuple[int, int, str], float] = OrderedDict()
        self._answered = SeenEvents()

    def how(
        self, error: BotError, *, user_id: int, channel_id: int, message_id: int, is_addressed: bool = True
    ) -> Told:
        """Return how to tell about a message, and take that as done.

        `is_addressed`: the bot was mentioned, replied to or written to in private; else the message may be meant for
        others. Then what the channel's rules refuse is not told at all, a pause to nobody twice, and whoever is blocked
        gets no sign for all that they say.
        """
        if not isinstance(error, QuestionRefused) or error.is_about_message:
            return Told.SENTENCE
        if not self._answered.is_new(message_id):  # edited since
            return Told.NOT
        is_for_all = error.is_about_place and not is_addressed
        if is_for_all and not error.passes:
            return Told.NOT
        if self._is_to_be_said((_EVERYBODY if is_for_all else user_id, channel_id, error.key)):
            return Told.SENTENCE
        is_left_alone = is_for_all or (error.is_about_person and not is_addressed)
        return Told.NOT if is_left_alone else Told.SIGN

    def _is_to_be_said(self, what: tuple[int, int, str]) -> bool:
        now = self._clock()
        said_at = self._said.get(what)
        if said_at is not None and now - said_at < self._said_again_s:
            return False
        self._said[what] = now
        self._said.move_to_end(what)
        if len(self._said) > _MOST_SAID:
            self._said.popitem(last=False)
        return True


def sign_of(error: BotError) -> str:
    """Return the catalogue's key of the emoji that stands for a refusal."""
    return "sign.wait" if isinstance(error, QuestionRefused) and error.passes else "sign.refused"


def log_refusal(exc: BotError, **where: object) -> None:
    """Log why somebody gets a sentence instead of an answer: with its cause, where that is for the admin to mend."""
    kind = type(exc).__name__
    if isinstance(exc, QuestionRefused):
        log.info("question_refused", error=kind, **where)
    else:
        log.error("question_failed", error=kind, reason=exc.detail, **where)
