"""Forgetting: turns that leave the tree and the disk as if they had never been said.

Each call is one transaction, and afterwards nothing of the texts stands in the files (`Database.scrub`). What followed
a forgotten turn follows its parent from then on. Knows nothing of answers on their way: one whose turn is gone finds
nothing to be recorded in.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.core import _questions, _rows, _tree_rows, summaries
from bot.core.history import History, NoSuchTurn, load_turn
from bot.core.messages import Turn, TurnState
from bot.core.versions import versions_of

REMEMBERED_S = 86_400.0
"""How long the number of a forgotten message is kept: a message may be delivered again within minutes."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone of one person: how many exchanges, the turns that had not ended, and the summaries of any."""

    count: int
    unfinished: tuple[Turn, ...] = ()
    summaries: tuple[Turn, ...] = ()


async def forget_turn(history: History, turn_id: int) -> list[Turn]:
    """Forget a turn and all versions of its answer; return them as they were, and summaries that went with them."""
    now = history.now
    return await _write_and_scrub(history, lambda connection: _remove(connection, turn_id, now))


async def forget_messages(history: History, message_ids: Iterable[int]) -> list[Turn]:
    """Forget what these messages asked, all versions of its answer too; return the turns that are gone, as they were.

    While a turn of several messages still waits, only the words of these leave it. A message that shows an answer is
    no longer counted among those that do; its turn stays. A message that is not known yet will not be taken.
    """
    now, wanted = history.now, tuple(message_ids)

    def forget(connection: sqlite3.Connection) -> list[Turn]:
        return [turn for message_id in wanted for turn in _forget_message(connection, message_id, now)]

    return await _write_and_scrub(history, forget)


async def forget_as_it_ends(
    history: History, turn_id: int, *, edits: int, also: Callable[[sqlite3.Connection], None] | None = None
) -> Turn | None:
    """Forget a turn that is not to be stored, its answer having ended: not even its messages' numbers stay.

    One whose question was changed since its `edits` were these has not ended: it is returned, and nothing changes but
    what `also` writes, in any case. Raises: NoSuchTurn, when it was forgotten before.
    """
    now = history.now

    def forget(connection: sqlite3.Connection) -> Turn | NoSuchTurn | None:
        if also is not None:
            also(connection)
        try:
            turn = load_turn(connection, turn_id)
        except NoSuchTurn as exc:
            return exc  # raised here, it would take back what was written along
        if turn.edits != edits:
            return turn
        remove(connection, [turn.id], now)
        connection.execute(_tree_rows.DROP_NUMBERS, {"messages": json.dumps(turn.question_message_ids)})
        connection.execute(_tree_rows.DROP_EMPTY_CONVERSATION, {"conversation": turn.conversation_id})
        return None

    changed = await history.write(forget)
    await history.scrub()
    if isinstance(changed, NoSuchTurn):
        raise changed
    return changed


async def forget_channels(history: History, channel_ids: Sequence[int]) -> list[Turn]:
    """Forget everybody's conversations in these channels; return the turns that had not ended."""
    now, channels = history.now, {"channels": json.dumps(list(channel_ids))}

    def forget(connection: sqlite3.Connection) -> list[Turn]:
        ids = {row["id"] for row in connection.execute(_tree_rows.TURNS_OF_CHANNELS, channels)}
        unfinished = [_rows.turn_of(row) for row in connection.execute(_rows.TURNS_UNFINISHED) if row["id"] in ids]
        remove(connection, ids, now)
        connection.execute(_tree_rows.FORGET_CONVERSATIONS, channels)
        return unfinished

    return await _write_and_scrub(history, forget)


async def forget_person(history: History, user_id: int, guild_id: int | None) -> Erased:
    """Forget all that a person said in a server (None: everywhere), and the answers."""
    now, person = history.now, {"user": user_id, "guild": guild_id}

    def forget(connection: sqlite3.Connection) -> Erased:
        rows = connection.execute(_tree_rows.TURNS_OF_PERSON, person).fetchall()
        ids = {row["id"] for row in rows}
        own = [load_turn(connection, row["id"]) for row in rows if row["summarizes"] is not None]
        unfinished = [_rows.turn_of(row) for row in connection.execute(_rows.TURNS_UNFINISHED) if row["id"] in ids]
        withdrawn = remove(connection, ids, now)
        connection.execute(_tree_rows.FORGET_EMPTY_CONVERSATIONS, person)
        return Erased(len(rows) - len(own), tuple(unfinished), (*own, *withdrawn))

    erased = await history.write(forget)
    await history.scrub()
    return erased


async def _write_and_scrub(history: History, forget: Callable[[sqlite3.Connection], list[Turn]]) -> list[Turn]:
    gone = await history.write(forget)
    await history.scrub()
    return gone


# Inside a transaction -------------------------------------------------------------------------------------------------


def _forget_message(connection: sqlite3.Connection, message_id: int, now: float) -> list[Turn]:
    row = connection.execute(_tree_rows.MESSAGE, {"message": message_id}).fetchone()
    if row is not None and row["kind"] == "answer":
        connection.execute(_rows.SHOW_NO_MORE, {"turn": row["turn_id"]})
        connection.execute(_tree_rows.DELETE_MESSAGE, {"message": message_id})
        return []
    connection.execute(_tree_rows.FORGET_MESSAGE, {"message": message_id, "now": now})
    if row is None:
        return []
    turn = load_turn(connection, row["turn_id"])
    if turn.state is not TurnState.QUEUED or len(turn.question_message_ids) == 1:
        return _remove(connection, turn.id, now)
    connection.execute(_tree_rows.DELETE_MESSAGE, {"message": message_id})
    is_shared = turn.key is not None and turn.key.user_id is None
    _questions.compose_again(connection, turn.id, is_shared=is_shared)
    return []


def _remove(connection: sqlite3.Connection, turn_id: int, now: float) -> list[Turn]:
    gone = [load_turn(connection, row["id"]) for row in versions_of(connection, turn_id)]
    return [*gone, *remove(connection, [turn.id for turn in gone], now)]


def remove(connection: sqlite3.Connection, ids: Collection[int], now: float) -> list[Turn]:
    """Take turns out of the tree, together with all versions of each; return the summaries that are gone beside them.

    Their children, and the conversations that go on from them, go over to the nearest ancestor that stays. Ids still
    rise along every path, so `window_from`, a lower bound, stays right. Summaries of what they said go with them.
    """
    withdrawn = [
        load_turn(connection, turn_id) for turn_id in summaries.withdraw(connection, ids) if turn_id not in ids
    ]
    turns = {"turns": json.dumps([*ids, *(turn.id for turn in withdrawn)])}
    parents: dict[int | None, int | None] = dict(connection.execute(_tree_rows.PARENTS, turns).fetchall())

    stay: dict[int | None, int | None] = {}  # where each leads: a long path is walked once

    def staying(turn_id: int | None) -> int | None:
        passed = []
        while turn_id in parents:
            if turn_id in stay:
                turn_id = stay[turn_id]
                break
            passed.append(turn_id)
            turn_id = parents[turn_id]
        stay.update(dict.fromkeys(passed, turn_id))
        return turn_id

    children = connection.execute(_tree_rows.CHILDREN, turns).fetchall()
    moves = [{"turn": child, "parent": staying(parent)} for child, parent in children if child not in parents]
    connection.executemany(_tree_rows.SET_PARENT, moves)
    heads = [{"turn": turn_id, "to": staying(turn_id)} for turn_id in parents]
    connection.executemany(_tree_rows.MOVE_HEAD, heads)
    connection.execute(_tree_rows.FORGET_MESSAGES_OF, {**turns, "now": now})
    connection.execute(_tree_rows.DELETE_TURNS, turns)
    connection.execute(_tree_rows.DROP_FORGOTTEN, {"before": now - REMEMBERED_S})
    return withdrawn
