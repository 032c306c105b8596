"""Versions of an answer, and answers that go on: what the store does for them, each in one transaction.

A regenerated answer is a turn of its own, a sibling of the first with the same question. The messages of the question
and of the answer always belong to the version that is shown, so that a reply to them goes on from what the person sees.
Knows nothing of engines or of how an answer is shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from bot.core import _rows, _tree_rows
from bot.core.history import History, NoSuchTurn, load_turn
from bot.core.messages import Finish, Turn, TurnState
from bot.errors import AnswerStillRuns, NothingToContinue

ENDED = frozenset({TurnState.DONE, TurnState.STOPPED, TurnState.FAILED})


async def add(history: History, turn_id: int, *, model: str = "", payer_id: int | None = None) -> Turn:
    """Add a version of the turn's answer, for `model`, queued; it is shown from now on.

    The conversation goes on from it. It counts on the quota of `payer_id`, by default the asker's.
    Raises: NoSuchTurn; AnswerStillRuns while any version has not ended.
    """
    parameters = {"turn": turn_id, "now": history.now, "model": model, "payer": payer_id}

    def add(connection: sqlite3.Connection) -> Turn:
        versions = _ended_versions(connection, turn_id)
        added_id = connection.execute(_tree_rows.ADD_VERSION, parameters).lastrowid
        assert added_id is not None  # noqa: S101 - a row was inserted
        _show(connection, versions, added_id)
        added = load_turn(connection, added_id)
        connection.execute(_rows.SET_HEAD, {"turn": added_id, "conversation": added.conversation_id})
        return added

    return await history.write(add)


async def show_neighbour(history: History, turn_id: int, step: int) -> Turn:
    """Show the version before (-1) or after (1) this one, or this one where there is none; return the one shown.

    The conversation goes on from it if it went on from another version; else what it goes on from stays.
    Raises: NoSuchTurn; AnswerStillRuns while any version has not ended.
    """

    def show(connection: sqlite3.Connection) -> Turn:
        versions = _ended_versions(connection, turn_id)
        wanted = versions.index(turn_id) + step
        shown_id = versions[min(max(wanted, 0), len(versions) - 1)]
        _show(connection, versions, shown_id)
        return load_turn(connection, shown_id)

    return await history.write(show)


async def go_on(
    history: History, turn_id: int, *, answer_ids: Sequence[int], tokenizer: str, payer_id: int | None = None
) -> Turn:
    """Take an answer that its length cut off up again, from `answer_ids: (n,)` of this tokenizer; it is shown.

    What is added counts on the quota of `payer_id`, by default the asker's.

    Raises: NoSuchTurn; AnswerStillRuns while any version has not ended; NothingToContinue.
    """
    parameters = {
        "turn": turn_id,
        "now": history.now,
        "answer_ids": _rows.pack_ids(answer_ids),
        "tokenizer": tokenizer,
        "continued_from": len(answer_ids),
        "payer": payer_id,
    }

    def go_on(connection: sqlite3.Connection) -> Turn:
        versions = _ended_versions(connection, turn_id)
        turn = load_turn(connection, turn_id)
        if turn.state is not TurnState.DONE or turn.finish is not Finish.LENGTH:
            raise NothingToContinue
        _show(connection, versions, turn_id)
        connection.execute(_tree_rows.CONTINUE, parameters)
        return load_turn(connection, turn_id)

    return await history.write(go_on)


# Inside a transaction -------------------------------------------------------------------------------------------------


def versions_of(connection: sqlite3.Connection, turn_id: int) -> list[sqlite3.Row]:
    """Return id and state of each version of a turn, the turn's own among them, the oldest first."""
    return connection.execute(_tree_rows.VERSIONS, {"turn": turn_id}).fetchall()


def _ended_versions(connection: sqlite3.Connection, turn_id: int) -> list[int]:
    rows = versions_of(connection, turn_id)
    if not rows:
        raise NoSuchTurn(turn_id)
    if any(row["state"] not in ENDED for row in rows):
        raise AnswerStillRuns
    return [row["id"] for row in rows]


def _show(connection: sqlite3.Connection, versions: Sequence[int], shown_id: int) -> None:
    """Hand the messages, and the head if a version was it, to one version."""
    moves = [{"turn": version, "to": shown_id} for version in versions if version != shown_id]
    connection.executemany(_tree_rows.MOVE_MESSAGES, moves)
    connection.executemany(_tree_rows.MOVE_HEAD, moves)
