"""Which controls stand under an answer at each moment: pure decisions on snapshots. Knows no discord.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.core.chat import Phase, Snapshot
from bot.core.messages import Finish, Turn, TurnState

_FINISHED: Final = (TurnState.DONE, TurnState.STOPPED, TurnState.FAILED)


class Stage(StrEnum):
    """How far an answer is, as far as its controls go."""

    WAITING = "waiting"
    GROWING = "growing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Controls:
    """What the controls under one answer depend on; the same ones look the same."""

    turn_id: int
    stage: Stage
    version: int = 1
    versions: int = 1
    can_continue: bool = False


def controls_of(snapshot: Snapshot, turn_id: int) -> Controls | None:
    """Return the controls of an answer as it is now, or None: nothing can be done about it here."""
    if snapshot.phase is not Phase.ENDED:
        return Controls(turn_id, Stage.GROWING if snapshot.phase is Phase.ANSWERING else Stage.WAITING)
    turn = snapshot.turn
    if turn is None or not has_ended(turn) or turn.summarizes is not None:  # a summary is no answer to make again
        return None
    if turn.no_store:  # there is nothing left to make it of
        return None
    return ended_controls(turn)


def has_ended(turn: Turn) -> bool:
    """Whether nothing more comes of a turn by itself, as it does after an interruption."""
    return turn.state in _FINISHED


def ended_controls(turn: Turn) -> Controls:
    """Return the controls of an answer that has ended."""
    can_continue = turn.state is TurnState.DONE and turn.finish is Finish.LENGTH
    return Controls(turn.id, Stage.ENDED, turn.version, turn.versions, can_continue)
