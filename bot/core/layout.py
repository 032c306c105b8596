"""What of a path a prompt can contain, and in which order. Knows turns, and nothing of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.messages import Finish, Summarizes, Turn, TurnState


def is_exchange(turn: Turn) -> bool:
    """Tell whether later prompts contain the turn as it was said: the person saw an answer, whole or in part."""
    return turn.state in (TurnState.DONE, TurnState.STOPPED) and bool(turn.answer_ids) and turn.summarizes is None


def is_summary(turn: Turn) -> bool:
    """Tell whether the turn's answer stands for what it covers: it is a summary, done and not cut by the guard."""
    is_sound = turn.state is TurnState.DONE and turn.finish is not Finish.GUARD and bool(turn.answer_ids)
    return turn.summarizes is not None and is_sound


@dataclass(frozen=True, slots=True)
class Layout:
    """What of a path a prompt can contain: a summary of the beginning, and exchanges, oldest first."""

    summary: Turn | None
    turns: list[Turn]

    @property
    def parts(self) -> list[Turn]:
        """All of it in the order of the prompt: the summary stands right after the system prompt."""
        return [self.summary, *self.turns] if self.summary else self.turns

    @property
    def keep(self) -> set[int]:
        """The indexes in `parts` that no cut drops."""
        return {index for index, turn in enumerate(self.parts) if turn.pinned or turn.summarizes}


def lay_out(path: Sequence[Turn]) -> Layout:
    """Sort a path's turns, oldest first: the newest whole summary counts, and what it covers only if that is pinned."""
    whole = [turn for turn in path if is_summary(turn)]
    summary = whole[-1] if whole else None
    first_id = (summary.window_from or 0) if summary else 0
    return Layout(summary, [turn for turn in path if is_exchange(turn) and (turn.pinned or turn.id >= first_id)])


def newly_summarized(path: Sequence[Turn]) -> int:
    """Return how many exchanges the newest turn of a path stands for, if it is a summary that nobody asked for."""
    newest = path[-1] if path else None
    if newest is None or not is_summary(newest) or newest.summarizes is not Summarizes.CUT or newest.receipt is None:
        return 0
    return newest.receipt.turns_used
