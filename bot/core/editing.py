"""Edited questions: a turn that is asked again in place, in one transaction.

The old words leave the disk with the old answer (`Database.scrub`). Knows nothing of answers on their way: one that was
being made for the old words finds at its end that they were changed (`History.finish`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from bot.core import _questions, _rows, _tree_rows, forgetting, summaries
from bot.core.excerpts import Said
from bot.core.history import History, load_turn
from bot.core.messages import ExcerptKind, Question, Turn, TurnState
from bot.core.versions import ENDED, versions_of
from bot.core.wordfilter import WordFilter


@dataclass(frozen=True, slots=True)
class Edited:
    """A turn whose question was changed, and what it was doing until then."""

    turn: Turn
    was: TurnState
    withdrawn: tuple[Turn, ...] = ()  # summaries of the old words, which are gone with them

    @property
    def had_ended(self) -> bool:
        """Tell whether it had an answer already, or none to come."""
        return self.was in ENDED


async def stored(history: History, message_id: int) -> Said | None:
    """Return what a message says, or None if it asked nothing; one that is being written down is waited for."""
    found = await history.write(lambda connection: _questions.stored(connection, message_id))
    return found[1] if found else None


def refilled(question: Question, before: Said, *, is_whole: bool = False) -> Question:
    """Return a changed question with what its message brought in before: all, or of the files it names their texts.

    `is_whole`: it names all files that it still has, if only none.
    """
    if not question.excerpts and not is_whole:
        return replace(question, excerpts=before.excerpts)
    of_before = [one for one in before.excerpts if one.kind is ExcerptKind.QUOTE]
    quotes = [one for one in question.excerpts if one.kind is ExcerptKind.QUOTE] or of_before
    files = [one for one in question.excerpts if one.kind is ExcerptKind.FILE]
    read = {one.name: one for one in before.excerpts if one.kind is ExcerptKind.FILE}
    if len(files) == 1 and not read and not files[0].text and before.words:  # its words had come as this file
        if not question.text.strip():
            return replace(question, text=before.words, excerpts=tuple(quotes))
        read = {files[0].name: replace(files[0], text=before.words)}
    kept = [one if one.text else read.get(one.name, one) for one in files]
    return replace(question, excerpts=(*quotes, *kept))


def says_the_same(question: Question, before: Said) -> bool:
    """Tell whether a changed message asks just what it asked before, of the same files."""
    names, names_before = (
        [_rows.storable(one.name) for one in excerpts if one.kind is ExcerptKind.FILE]
        for excerpts in (question.excerpts, before.excerpts)
    )
    return before.words == _rows.storable(question.text) and names == names_before


async def edit(
    history: History,
    question: Question,
    *,
    model: str = "",
    words: WordFilter | None = None,
    no_store: bool = False,
) -> Edited | None:
    """Give a message its new words, and queue its turn anew for `model`; None if the message asked nothing (any more).

    All that the old words led to goes: the answer, its other versions, its partial text. A turn that had ended is what
    the conversation goes on from now; later ones leave its path, but stay below it. One that waits keeps its place.
    `no_store`: it leaves the conversation as a forgotten one does, with all its messages, and goes as its answer ends.
    Raises: WordFiltered, with nothing changed, if the new words have one of `words` together with the turn's others.
    """
    now = history.now

    def edit(connection: sqlite3.Connection) -> Edited | None:
        found = _questions.stored(connection, question.message_id)
        if found is None:
            return None
        before = load_turn(connection, found[0])
        versions = [row["id"] for row in versions_of(connection, before.id)]
        withdrawn = [load_turn(connection, turn_id) for turn_id in summaries.withdraw(connection, versions)]
        forgetting.remove(connection, [turn.id for turn in withdrawn], now)
        _questions.change(connection, question)
        is_shared = before.key is not None and before.key.user_id is None
        _questions.compose_again(connection, before.id, is_shared=is_shared, words=words)
        _drop_other_versions(connection, before)
        connection.execute(_tree_rows.ASK_AGAIN, {"turn": before.id, "now": now, "model": model})
        if no_store:
            _leave_conversation(connection, before)
        elif before.state in ENDED:
            connection.execute(_rows.SET_HEAD, {"turn": before.id, "conversation": before.conversation_id})
        return Edited(load_turn(connection, before.id), before.state, tuple(withdrawn))

    edited = await history.write(edit)
    await history.scrub()
    return edited


def _leave_conversation(connection: sqlite3.Connection, turn: Turn) -> None:
    """Let what followed a turn follow what is before it, and the turn stand alone."""
    parameters = {"turn": turn.id, "to": turn.parent_id, "above": turn.parent_id}
    connection.execute(_tree_rows.MOVE_CHILDREN, parameters)
    connection.execute(_tree_rows.MOVE_HEAD, parameters)
    connection.execute(_tree_rows.STORE_NO_MORE, parameters)


def _drop_other_versions(connection: sqlite3.Connection, kept: Turn) -> None:
    """Delete the versions beside this one. What followed them follows it, or what is before it if that is older."""
    others = [row["id"] for row in versions_of(connection, kept.id) if row["id"] != kept.id]
    connection.execute(_tree_rows.LEAVE_VERSIONS, {"turn": kept.id})
    for other in reversed(others):  # the first one last: the others point to it
        parameters = {"turn": other, "to": kept.id, "above": kept.parent_id}
        connection.execute(_tree_rows.MOVE_CHILDREN, parameters)
        connection.execute(_tree_rows.MOVE_HEAD, parameters)
        connection.execute(_tree_rows.DELETE_TURN, {"turn": other})
