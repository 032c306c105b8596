"""The messages that a turn was asked with, and the texts that they make together.

Statements within the caller's transaction, in the writer's thread; knows nothing of what becomes of the turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bot.core import _rows
from bot.core.excerpts import Said, compose, said
from bot.core.messages import Question
from bot.core.wordfilter import WordFilter
from bot.errors import WordFiltered


def add(connection: sqlite3.Connection, turn_id: int, question: Question) -> None:
    """Add a message to a turn; the turn's own texts stay as they are."""
    parameters = {
        "message": question.message_id,
        "turn": turn_id,
        "user": question.user_id,
        "name": _rows.storable(question.author_name),
        "text": _rows.storable(question.text),
        "excerpts": _rows.pack_excerpts(question.excerpts),
    }
    connection.execute(_rows.ADD_QUESTION, parameters)


def join(
    connection: sqlite3.Connection, head: sqlite3.Row, question: Question, may_join: Callable[[str], bool]
) -> bool:
    """Add a message to the head, if that still waits, is the same person's and may take it; return whether it did."""
    if not head["can_be_joined"] or head["user_id"] != question.user_id:
        return False
    turn_id, is_shared = head["id"], question.key.user_id is None
    messages = sorted([*_messages(connection, turn_id), (question.message_id, said(question))])
    together = texts([message for _, message in messages], is_shared=is_shared)
    if not may_join(together["question"]):
        return False
    add(connection, turn_id, question)
    connection.execute(_rows.SET_QUESTION, {"turn": turn_id, **together})
    return True


def stored(connection: sqlite3.Connection, message_id: int) -> tuple[int, Said] | None:
    """Return the turn that a message asked and what it says, or None if it asked nothing."""
    rows = connection.execute(_rows.QUESTION_MESSAGE, {"message": message_id})
    for row in rows:
        return row["turn_id"], Said(row["text"], row["author_name"], _rows.unpack_excerpts(row["excerpts"]))
    return None


def change(connection: sqlite3.Connection, question: Question) -> None:
    """Give a message its new words and excerpts; the turn's own texts stay as they are."""
    parameters = {
        "message": question.message_id,
        "text": _rows.storable(question.text),
        "excerpts": _rows.pack_excerpts(question.excerpts),
    }
    connection.execute(_rows.CHANGE_QUESTION, parameters)


def compose_again(
    connection: sqlite3.Connection, turn_id: int, *, is_shared: bool, words: WordFilter | None = None
) -> None:
    """Make the turn's texts anew, after one of its messages was changed or taken away.

    Raises: WordFiltered, if only the lines together have one of `words`; each was looked through by itself.
    """
    messages = [message for _, message in _messages(connection, turn_id)]
    together = texts(messages, is_shared=is_shared)
    if words is not None and len(messages) > 1 and words.is_in(together["asked"]):
        raise WordFiltered
    connection.execute(_rows.SET_QUESTION, {"turn": turn_id, **together})


def others(connection: sqlite3.Connection, turn_id: int, message_id: int, *, is_shared: bool) -> str:
    """Return what the model reads of a turn's messages beside this one."""
    return compose([said for other, said in _messages(connection, turn_id) if other != message_id], is_shared=is_shared)


def texts(messages: Sequence[Said], *, is_shared: bool) -> dict[str, str]:
    """Return a turn's `:question`, all that the model reads, and `:asked`, the person's words alone."""
    words = "\n".join(message.words for message in messages)
    question = compose(messages, is_shared=is_shared)
    return {"question": _rows.storable(question), "asked": _rows.storable(words)}


def _messages(connection: sqlite3.Connection, turn_id: int) -> list[tuple[int, Said]]:
    """Return the messages, each with its id, in the order sent."""
    rows = connection.execute(_rows.QUESTION_MESSAGES, {"turn": turn_id})
    return [
        (row["message_id"], Said(row["text"], row["author_name"], _rows.unpack_excerpts(row["excerpts"])))
        for row in rows
    ]
