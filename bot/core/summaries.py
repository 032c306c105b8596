"""Summaries: turns that ask the model to sum up what was said, and whose answer then stands for it in every prompt.

Owns what the model is asked, when that happens by itself, and what becomes of a summary of words that are forgotten. A
summary is a turn like any other: it waits, is charged, stopped, resumed and recorded as one. It stands in the prompt as
question and answer, not in the system prompt, for its words are people's; and only once it is whole, so that one that
failed or was stopped leaves everything as it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from bot.core import _rows
from bot.core.history import History, load_turn
from bot.core.messages import ConversationKey, Summarizes, Turn

INSTRUCTION: Final = (
    "Sum up our conversation so far in at most 150 words, for you to go on from. Keep names, numbers, what was decided "
    "and what is still open. Write nothing else."
)

# Every summary below these turns: it was made of their words, or of answers to them.
_OVER: Final = """
WITH RECURSIVE down (id) AS (
    SELECT value FROM json_each(:turns)
    UNION
    SELECT below.id FROM down CROSS JOIN turns AS below ON below.parent_id = down.id
)
SELECT id FROM turns WHERE summarizes IS NOT NULL AND id > :oldest AND id IN (SELECT id FROM down) ORDER BY id
"""

_HAS_LATER: Final = "SELECT 1 FROM turns WHERE summarizes IS NOT NULL AND id > :oldest LIMIT 1"

# What goes on from a summary had its window begin where that ends: it begins where it did before.
_REOPEN: Final = """
WITH RECURSIVE down (id) AS (
    SELECT :turn
    UNION ALL
    SELECT below.id FROM down CROSS JOIN turns AS below ON below.parent_id = down.id
)
UPDATE turns SET (window_from, kept) =
    (SELECT above.window_from, coalesce(above.kept, '[]') FROM turns AS summary
     LEFT JOIN turns AS above ON above.id = summary.parent_id WHERE summary.id = :turn)
WHERE id IN (SELECT id FROM down) AND window_from IS (SELECT window_from FROM turns WHERE id = :turn)
    AND (SELECT state FROM turns WHERE id = :turn) = 'done'
"""


def withdraw(connection: sqlite3.Connection, turn_ids: Iterable[int]) -> list[int]:
    """Take back every summary of these turns, within the caller's transaction; return their ids, for it to delete.

    Later prompts begin again where they did before the summary. To be called before the turns are deleted or changed.
    """
    turns = list(turn_ids)
    if not turns:
        return []
    parameters = {"turns": json.dumps(turns), "oldest": min(turns)}
    if connection.execute(_HAS_LATER, {"oldest": min(turns)}).fetchone() is None:
        return []
    summaries = [row["id"] for row in connection.execute(_OVER, parameters)]
    for summary_id in summaries:  # oldest first: a later one's parent has its old window again by then
        connection.execute(_REOPEN, {"turn": summary_id})
    return summaries


async def add(
    history: History, key: ConversationKey, head_id: int, *, user_id: int, summarizes: Summarizes, model: str = ""
) -> Turn | None:
    """Queue a summary, asked by this person of `model`, after a conversation's head; None if that is it no more."""
    parameters = {
        **_rows.key_parameters(key),
        "head": head_id,
        "asker": user_id,
        "now": history.now,
        "text": INSTRUCTION,
        "summarizes": summarizes.value,
        "model": model,
    }

    def add(connection: sqlite3.Connection) -> Turn | None:
        added = connection.execute(_rows.ADD_SUMMARY, parameters)
        if not added.rowcount or added.lastrowid is None:
            return None
        turn = load_turn(connection, added.lastrowid)
        connection.execute(_rows.SET_HEAD, {"turn": turn.id, "conversation": turn.conversation_id})
        return turn

    return await history.write(add)
