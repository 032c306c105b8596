"""Guard rails: watches an answer grow and says when, and from where on, it must not go on.

Owns what counts as the model playing the user, an endless loop, a role marker written out as text, or an echo of the
system prompt. Pure: knows texts only, nothing of engines, of the store or of what is done about a verdict. The numbers
behind its limits stand in docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core._guard_echo import EchoWatch
from bot.core._guard_loops import LoopWatch
from bot.core._guard_turns import TurnWatch
from bot.core.messages import Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer must end; its first `keep_chars` characters are sound."""

    fault: Fault
    keep_chars: int


class Guard:
    """Watches one answer. Takes about as long for each token, however long the answer is."""

    def __init__(
        self,
        *,
        question: str = "",
        questions: Sequence[str] = (),
        answers: Sequence[str] = (),
        system_prompt: str = "",
        names: Sequence[str] = (),
    ) -> None:
        """Take the asker's own words, all that the prompt holds of the conversation, and the system prompt.

        `questions` are what people wrote, with all that they brought in; `names` theirs, in a shared conversation.
        """
        self._turns = TurnWatch(question, "\n".join([*questions, *answers]), names)
        self._loops = LoopWatch(question)
        self._echo = EchoWatch(system_prompt, "\n".join([*questions, question]))
        self._chars = 0
        self._verdict: Verdict | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, once there is one."""
        return self._verdict

    @property
    def shown_chars(self) -> int:
        """How much of the text may be shown: what may have to be cut in a moment is held back."""
        held = [place for place in (self._turns.held_from, self._echo.held_from) if place is not None]
        return min(held, default=self._chars)

    def feed(self, piece: str) -> Verdict | None:
        """Take the text's next piece; return the verdict, the first one for ever, or None while all is well."""
        if self._verdict is None and piece:
            self._chars += len(piece)
            found = self._turns.feed(piece)
            self._judge(found, self._echo.feed(piece), self._loops.feed(piece))
        return self._verdict

    def finish(self) -> Verdict | None:
        """Take the end of the text, and return the verdict on all of it."""
        if self._verdict is None:
            self._judge(self._turns.finish(), self._echo.finish(), None)
        return self._verdict

    def _judge(self, turn: tuple[Fault, int] | None, echo: int | None, loop: int | None) -> None:
        """Keep the verdict that leaves the least, if there is one."""
        verdicts = []
        if turn is not None:
            verdicts.append(Verdict(*turn))
        if echo is not None:
            verdicts.append(Verdict(Fault.PROMPT_ECHO, echo))
        if loop is not None:
            verdicts.append(Verdict(Fault.LOOP, loop))
        self._verdict = min(verdicts, key=lambda verdict: verdict.keep_chars, default=None)
