"""Every sentence a person in Discord can read, in one catalogue that takes a locale.

Knows nothing of who says them. A locale is Discord's code ("en-GB", "de"); the language alone is tried next, then
English. Sentences are str.format templates; a test compares their fields across locales and with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_LOCALE: Final = "en"

RUNNING_MARK: Final = " ▌"
"""Ends the newest message of an answer while more is to come; the final edit removes it."""

ENGLISH: Final[Mapping[str, str]] = {
    # Errors
    "error.unexpected": "Something went wrong on my side. Please try again; the admin finds the cause in my log.",
    "error.start": "I can't start; the admin finds the cause in my log.",
    "error.engine": "The model failed on this answer. Please try again.",
    "error.engine_busy": "I'm answering as many people as I can right now. Please try again in a moment.",
    "error.engine_dead": "The model is not running right now. I'll be back as soon as my admin has restarted me.",
    "error.restarted_too_late": "I was restarted before I could answer this. Please ask me again.",
    # Questions that are not taken
    "refused.empty": "I got no text to answer. Write me a question and I'll try.",
    "refused.too_long": "That is too long for me: {tokens} tokens, and {limit_tokens} is the most I can read at once.",
    "refused.too_many": "That's more than {per_minute} questions a minute. Please try again in {retry_after_s} s.",
    "refused.queue_full": "{waiting} questions are waiting already. Please try again in a minute.",
    "refused.shutting_down": "I'm being restarted. Please ask me again in a minute.",
    # Loading
    "loading.starting": "starting",
    "loading.reading": "reading the model",
    "loading.compiling": "compiling it for the device",
    "loading.warming": "warming up",
    "loading.wait": "I'm still loading ({stage}, {elapsed_s} s so far). I'll answer as soon as I'm ready.",
    "loading.wait_last": (
        "I'm still loading ({stage}, {elapsed_s} s so far; last time it took {last_time_s} s). "
        "I'll answer as soon as I'm ready."
    ),
}

CATALOGUE: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH}


def text(key: str, locale: str = DEFAULT_LOCALE, /, **fields: object) -> str:
    """Return the sentence `key` in `locale`, its fields filled in. Raises: KeyError for an unknown key or field."""
    language = locale.split("-", maxsplit=1)[0]
    for name in (locale, language, DEFAULT_LOCALE):
        template = CATALOGUE.get(name, {}).get(key)
        if template is not None:
            return template.format(**fields)
    raise KeyError(key)
