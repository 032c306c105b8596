"""One answer on its way: its job in the background and what a reader may see of it.

Owns the text so far and where the turn is in its life. Knows neither how text is generated nor how it is shown; a slow
reader skips what it missed, since only the newest text matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from bot.core.engine import Loading
from bot.core.guard import Guard, Verdict
from bot.core.messages import Finish, Receipt, Turn, TurnState, Usage
from bot.core.phi3 import AnswerDecoder
from bot.core.scheduler import Lease
from bot.core.wordfilter import Mask, WordFilter
from bot.errors import BotError

REPEAT_S = 5.0
"""How often a waiting reader is told again, so that it can show how its place and the seconds change."""


class Taken(Enum):
    """Why a question has no answer of its own."""

    JOINED = auto()  # an answer that is on its way covers it
    BEFORE = auto()  # the very same message, and what became of it is shown already


class Phase(StrEnum):
    """What an answer is doing."""

    WAITING = "waiting"
    LOADING = "loading"
    ANSWERING = "answering"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be shown of an answer at one moment."""

    phase: Phase
    text: str = ""  # the whole answer so far
    loading: Loading | None = None
    ahead: int = 0  # while waiting: questions whose turn comes first
    wait_s: float | None = None  # while waiting: about how long, once that can be told
    turn: Turn | None = None  # ended: the turn as recorded
    error: BotError | None = None  # ended and failed: what to tell the person
    edits: int = 0  # how often the question was changed: when that grows, the text begins anew


class Answer:
    """A turn being answered. Iterate it to see it grow; it goes on whether or not anybody does."""

    def __init__(self, turn: Turn, look: Callable[[Answer], Snapshot], started_s: float = 0.0) -> None:
        """Take the turn as accepted, what makes a snapshot of everything but the end, and the clock's seconds now."""
        self.turn = turn
        self.started_s = started_s
        self.phase = Phase.WAITING
        self.ending: TurnState | None = None  # how it was asked to end, if it was
        self.ids = list(turn.answer_ids)  # what an earlier process had got, until it is begun again
        self.text = turn.answer  # what may be shown of it
        self.usage = Usage()
        self.receipt: Receipt | None = None
        self.next_window: tuple[int, tuple[int, ...]] | None = None  # of a summary: window_from and kept, if it is done
        self.withdrawn: tuple[Turn, ...] = ()  # summaries that went with the words that this question had before
        self.lease: Lease | None = None  # its place in line, once it stands there
        self.generation: asyncio.Task[Finish] | None = None
        self.question_tokens = 0  # of this question, that are charged
        self.generated_tokens = 0  # for this question by this process, with those that were cut since
        self.is_asked_again = False  # and has not begun anew yet
        self.cost_tokens: int | None = None  # the most that it can cost; None: not counted for this question yet
        self.words: WordFilter | None = None  # what is masked in it from the next `restart` on
        self._whole = turn.answer
        self._guard: Guard | None = None
        self._mask: Mask | None = None
        self._look = look
        self._end: Snapshot | None = None
        self._changed = asyncio.Event()

    @property
    def turn_id(self) -> int:
        """The turn's id in the store."""
        return self.turn.id

    @property
    def question_message_ids(self) -> tuple[int, ...]:
        """The messages asked with, oldest first; grows while others join."""
        return self.turn.question_message_ids

    def stop(self, state: TurnState = TurnState.STOPPED) -> bool:
        """Ask that the generation end at the next token, as `state`; False if it is ending already."""
        if self.ending is not None or self._end is not None:
            return False
        if self.generation is not None and not self.generation.cancel() and not self.is_asked_again:
            return False
        self.ending = state
        return True

    def join(self, turn: Turn) -> None:
        """Take the turn as it is after another message joined it, unless it was changed or begun since."""
        if turn.edits == self.turn.edits and self.phase is not Phase.ANSWERING:
            self.turn, self.cost_tokens = turn, None

    def ask_again(self, edits: int, cost_tokens: int | None = None) -> None:
        """End what is being generated, for the question has been changed `edits` times; its job then begins anew.

        `cost_tokens`: the most that the changed question can cost, where that is counted.
        """
        if self.turn.edits >= edits:
            return  # it has begun anew already
        self.is_asked_again, self.cost_tokens = True, cost_tokens
        if self.ending is TurnState.STOPPED:
            self.ending = None  # what was stopped is not what is asked now
        if self.generation is not None:
            self.generation.cancel()

    def begin_again(self, turn: Turn, started_s: float) -> None:
        """Wait with another question and no text, where an answer to the old one was on its way."""
        self.turn, self.started_s, self.usage, self.generation = turn, started_s, Usage(), None
        self.ids, self.text, self._whole = list(turn.answer_ids), turn.answer, turn.answer
        self._guard = self._mask = None
        self.question_tokens, self.generated_tokens, self.cost_tokens, self.is_asked_again = 0, 0, None, False
        self.move_to(Phase.WAITING)

    def move_to(self, phase: Phase) -> None:
        """Enter a phase."""
        self.phase = phase
        self._tell()

    def restart(self, ids: tuple[int, ...], decoder: AnswerDecoder, guard: Guard | None) -> Verdict | None:
        """Begin with `ids: (n,)`, what an earlier process or try had got of this model, and their text.

        From here on what `guard` holds back is not shown, and the words that are filtered are masked: the text is as
        long as it was. Returns the guard's verdict, if it has one already.
        """
        self.ids, self._whole, self._guard = [], "", guard
        self.text, self._mask = "", Mask(self.words) if self.words else None
        self.ids.extend(ids)
        self._grow(decoder.push(ids))
        return self._guard.verdict if self._guard else None

    def take(self, ids: tuple[int, ...], decoder: AnswerDecoder) -> Verdict | None:
        """Add new ids `(n,)` and the text that they complete; return the guard's verdict, if it has one.

        Those behind a verdict are not taken: however many come together, the answer is the same.
        """
        for token in ids:
            self.ids.append(token)
            self._grow(decoder.push((token,)))
            if self._guard is not None and self._guard.verdict is not None:
                return self._guard.verdict
        return None

    def finish(self, decoder: AnswerDecoder) -> Verdict | None:
        """Take the end of the text, all of which is shown now, and return the guard's verdict on it."""
        self._grow(decoder.flush())
        self._show(len(self._whole))
        self.settle()
        return self._guard.finish() if self._guard else None

    def settle(self) -> None:
        """Show what was held back because it might have become a filtered word: nothing more comes."""
        if self._mask is not None:
            self._show(len(self._whole))
            self.text += self._mask.finish()

    @property
    def is_held_back(self) -> bool:
        """Whether there is more of it than may be shown yet."""
        return len(self._whole) > len(self.text)

    def _grow(self, new_text: str) -> None:
        if not new_text:
            return
        self._whole += new_text
        if self._guard is not None:
            self._guard.feed(new_text)
        self._show(len(self._whole) if self._guard is None else self._guard.shown_chars)
        self._tell()

    def _show(self, chars: int) -> None:
        """Show the first characters, as far as no filtered word may stand there."""
        if self._mask is None:
            self.text = self._whole[:chars]
        else:
            self.text += self._mask.feed(self._whole[self._mask.fed_chars : chars])

    def end(self, turn: Turn, error: BotError | None) -> None:
        """Show the end: the turn as recorded, and the error that the person should be told."""
        self.turn, self.text, self.phase = turn, turn.answer, Phase.ENDED
        self._end = Snapshot(Phase.ENDED, turn.answer, turn=turn, error=error, edits=turn.edits)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def __aiter__(self) -> AsyncIterator[Snapshot]:
        """Yield the newest snapshot whenever there is news, and every 5 s while waiting; the last one is ENDED."""
        while self._end is None:
            changed = self.changed
            yield self.newest()
            patience_s = None if self.phase is Phase.ANSWERING else REPEAT_S
            try:
                async with asyncio.timeout(patience_s):
                    await changed.wait()
            except TimeoutError:
                continue
        yield self._end

    @property
    def changed(self) -> asyncio.Event:
        """What is set with the next news; for who does not iterate, to be taken before `newest`."""
        return self._changed

    def newest(self) -> Snapshot:
        """Return what can be shown now; the end is the last."""
        return self._end or self._look(self)
