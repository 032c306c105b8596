"""Who is told how things go, for whoever counts and times them: core owns this interface and knows of no metrics.

What is told is numbers and fixed words, never what people write or who they are. `bot.ops.bot_metrics` implements it.
"""

from __future__ import annotations

from typing import Final, Protocol


class Observer(Protocol):
    """Told of events as they happen, on the event loop; every method returns at once and raises nothing."""

    def asked(self, outcome: str) -> None:
        """Hear of a question: `taken`, `joined`, `repeated`, why it was refused (`queue_full`), or `failed`."""

    def waited(self, wait_s: float) -> None:
        """Hear of an answer that got its slot, so long after it stood in line for one."""

    def began(self, prompt_tokens: int) -> None:
        """Hear of a prompt of so many tokens that goes to the engine."""

    def first_token(self, after_s: float) -> None:
        """Hear of a first token, so long after the question was taken: earlier answers, loading and queue included."""

    def generated(self, tokens: int) -> None:
        """Hear of so many (0 or more) new tokens of an answer."""

    def ended(self, outcome: str, answer_tokens: int) -> None:
        """Hear of an answer that ended (`done`, `stopped`, `failed`, `interrupted`, `forgotten`), and of its length."""


class _Nobody:
    """Listens to nothing."""

    def asked(self, outcome: str) -> None: ...
    def waited(self, wait_s: float) -> None: ...
    def began(self, prompt_tokens: int) -> None: ...
    def first_token(self, after_s: float) -> None: ...
    def generated(self, tokens: int) -> None: ...
    def ended(self, outcome: str, answer_tokens: int) -> None: ...


NOBODY: Final[Observer] = _Nobody()
