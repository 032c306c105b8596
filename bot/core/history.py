"""The history: every conversation as a tree of turns, on disk before anybody is told that it was taken.

Owns what a turn may become and which turns a prompt is made of. Knows nothing of tokens beyond their ids, of engines
or of Discord; the file itself is `bot.core.database`'s, the schema `bot.core.migrations`', the rows `bot.core._rows`'.

A turn is an exchange, question and answer. The path from a conversation's head to the root is what was said; reset
takes the head away, so that the next turn is a new root and everything earlier stays as it was.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Final, Literal, TypeVar

import aiosqlite

from bot.core import _questions, _rows
from bot.core.database import Database
from bot.core.excerpts import said
from bot.core.messages import ConversationKey, Finish, Question, Receipt, ResolvedPersona, Turn, TurnState, Usage
from bot.core.visitor import place_of
from bot.errors import DatabaseUnusable, HistoryFailed

_T = TypeVar("_T")


class NoSuchTurn(LookupError):
    """There is no such turn, or not any more."""


class NotInConversation(ValueError):
    """The turn is not one that this conversation can go on from."""


class MessageForgotten(LookupError):
    """The message was taken once, and is forgotten."""


class NothingToJoin(LookupError):
    """No turn waits that the message could join."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The turn a question belongs to, and how it came there."""

    turn: Turn
    outcome: Literal["new", "joined", "duplicate"]


class History:
    """The store. Its methods may be called from many tasks of one event loop; writes take turns, reads do not wait.

    Every write is one transaction: cancelled or failed, it leaves all of itself or nothing, and the store usable.
    Every method raises HistoryFailed when the database does not do its part.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Take an open database; `open` is the usual way."""
        self._database = database
        self._clock = clock

    @classmethod
    async def open(cls, path: Path, *, clock: Callable[[], float] = time.time, busy_timeout_s: float = 5.0) -> History:
        """Open the database, making it if there is none; `clock` gives UTC seconds.

        The file is this process's alone until `aclose`; another bot's is waited for during `busy_timeout_s`. What an
        earlier process was generating when it ended is interrupted from now on.
        Raises: DatabaseUnusable when the file is newer, in use or no database of ours; it is then left untouched.
        """
        database = await Database.open(path, clock=clock, busy_timeout_s=busy_timeout_s)
        history = cls(database, clock)
        try:
            await history._change(_rows.INTERRUPT_ALL, {})
        except HistoryFailed as exc:
            await database.aclose()
            raise DatabaseUnusable(f"The database {path} is damaged: {exc.detail}. Restore a backup of it.") from exc
        except BaseException:
            await database.aclose()
            raise
        return history

    @property
    def now(self) -> float:
        """UTC seconds, by the store's clock."""
        return self._clock()

    async def scrub(self) -> None:
        """Let nothing of what was deleted or overwritten stand in the files, as `Database.scrub` tells."""
        await self._database.scrub()

    async def aclose(self) -> None:
        """Wait for the running write and close. May be called twice."""
        await self._database.aclose()

    def transaction(self) -> AbstractAsyncContextManager[aiosqlite.Connection]:
        """Write statement by statement, as `Database.transaction` tells: for maintenance, not for every turn."""
        return self._database.transaction()

    # Writing

    async def accept(
        self,
        question: Question,
        *,
        parent_id: int | None = None,
        may_join: Callable[[str], bool] = lambda _question: True,
        model: str = "",
        may_begin: bool = True,
    ) -> Accepted:
        """Record a question; it survives a power cut once this has returned.

        - A message that is known already changes nothing: `duplicate`, with the turn it belongs to.
        - While the conversation's head still waits, asked by the same person in the same conversation, the message
          joins it, if `may_join` has nothing against what both make together: `joined`. The turn's question is what
          `excerpts.compose` makes of its messages in the order sent. `may_join` is asked in the writer's thread.
          So does one that is to follow the waiting turn itself, or the turn that this follows.
        - One that is not to be stored stands alone: `new`, without a parent, and no conversation's head.
        - Otherwise a `new` turn, for `model`, follows `parent_id` (a branch) or the head, and becomes the head. A head
          that is a summary comes after the turn it follows for whoever wants to follow that.

        Raises: NotInConversation when `parent_id` is no turn of this conversation, nor one that it was carried over
        from; MessageForgotten when the message was taken once and is forgotten; NothingToJoin, if it would be a new
        turn and not `may_begin`.
        """
        now = self._clock()

        def accept(connection: sqlite3.Connection) -> Accepted:
            message = {"message": question.message_id}
            if _one(connection, _rows.WAS_TAKEN, message) is not None:
                known = _one(connection, _rows.TURN_OF_MESSAGE, message)
                if known is None:
                    raise MessageForgotten(question.message_id)
                return Accepted(_rows.turn_of(known), "duplicate")
            head = _head(connection, question.key, now)
            outcome: Literal["new", "joined"] = "new"
            is_beside_head = parent_id == head["parent_id"]
            is_next = parent_id in (None, head["id"]) or (is_beside_head and head["summarizes"] is not None)
            may_be_joined = (is_next or is_beside_head) and not question.no_store
            if may_be_joined and _questions.join(connection, head, question, may_join):
                outcome, turn_id = "joined", head["id"]
            elif not may_begin:
                raise NothingToJoin
            else:
                parent = _NO_PARENT if question.no_store else head
                if parent_id is not None and not is_next and not question.no_store:
                    parent = _parent(connection, head["conversation_id"], parent_id)
                turn_id = _add_turn(connection, head["conversation_id"], parent, question, now, model)
                _questions.add(connection, turn_id, question)
            return Accepted(load_turn(connection, turn_id), outcome)

        return await self._database.write(accept)

    async def begin(
        self,
        turn_id: int,
        *,
        question: str,
        question_ids: Sequence[int],
        tokenizer: str,
        window_from: int | None,
        seed: int | None,
        kept: Sequence[int] | None = None,
        persona: ResolvedPersona | None = None,
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Turn | None:
        """Mark a queued or interrupted turn as generating: from now on nothing joins it, and its question is final.

        `question` is the text that `question_ids: (n,)` were made from. Returns None, changing nothing, when a message
        has joined since or the turn waits no longer. An interrupted turn keeps its partial answer, and the partial
        ids if they belong to this tokenizer. `kept`: the turns before `window_from` that no cut drops; None: as before.
        `persona`: what the model is told to be, for the turns that follow to be told the same. `also` writes along if
        the turn begins.
        """
        parameters = {
            "turn": turn_id,
            "question": question,
            "ids": _rows.pack_ids(question_ids),
            "tokenizer": tokenizer,
            "seed": seed,
            "persona_sha256": persona.sha256 if persona else None,
            "persona": persona.text if persona else None,
        }

        def begin(connection: sqlite3.Connection) -> Turn | None:
            if persona is not None:
                connection.execute(_rows.ADD_PERSONA, parameters)
            if not connection.execute(_rows.BEGIN, parameters).rowcount:
                connection.execute(_rows.DROP_PERSONA, parameters)
                return None
            if also is not None:
                also(connection)
            turn = load_turn(connection, turn_id)
            if turn.window_from == window_from and kept in (None, turn.kept):
                return turn
            _move_window(connection, turn_id, window_from, kept)
            return load_turn(connection, turn_id)

        return await self._database.write(begin)

    async def save_partial(
        self,
        turn_id: int,
        *,
        answer: str,
        answer_ids: Sequence[int],
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Write down the answer so far, ids `(n,)`, if the turn is generating; `also` writes along in any case."""
        parameters = {"turn": turn_id, "answer": _rows.storable(answer), "answer_ids": _rows.pack_ids(answer_ids)}

        def save(connection: sqlite3.Connection) -> None:
            if also is not None:
                also(connection)
            connection.execute(_rows.SAVE_PARTIAL, parameters)

        await self._database.write(save)

    async def finish(
        self,
        turn_id: int,
        *,
        state: TurnState,
        finish: Finish | None,
        answer: str,
        answer_ids: Sequence[int],
        usage: Usage,
        receipt: Receipt | None = None,
        window_from: int | EllipsisType | None = ...,
        next_window: tuple[int, Sequence[int]] | None = None,
        edits: int | None = None,
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Turn:
        """Record how a turn ended, generating or not, and return it; `window_from` stays as it was unless given.

        `next_window`: where the window of what follows a summary begins, and what it keeps, once the summary is done.

        The first end counts: a turn that is done, stopped or failed already is returned as it is. So is one whose
        question was changed since its `edits` were these: this is not its answer.
        `also` writes along in the same transaction, whatever becomes of the turn.
        Raises: NoSuchTurn, also when it was forgotten.
        """
        parameters = {
            "turn": turn_id,
            "state": state.value,
            "finish": finish.value if finish is not None else None,
            "answer": _rows.storable(answer),
            "answer_ids": _rows.pack_ids(answer_ids),
            **_rows.by_name(usage),
            "receipt": _rows.pack_receipt(receipt),
            "edits": edits,
        }

        def end(connection: sqlite3.Connection) -> Turn | None:
            if also is not None:
                also(connection)
            changed = connection.execute(_rows.FINISH, parameters)
            if changed.rowcount and not isinstance(window_from, EllipsisType):
                _move_window(connection, turn_id, window_from, None)
            if changed.rowcount and next_window is not None and state is TurnState.DONE and finish is not Finish.GUARD:
                _move_window(connection, turn_id, *next_window)
            row = _one(connection, _rows.TURN, {"turn": turn_id})
            return _rows.turn_of(row) if row is not None else None

        ended = await self._database.write(end)
        if ended is None:  # raised only here, so that what was written along stays
            raise NoSuchTurn(turn_id)
        return ended

    async def add_answer_messages(self, turn_id: int, message_ids: Sequence[int]) -> None:
        """Record the messages that show a turn's answer, after those known already; said twice, it changes nothing.

        A message that showed another turn's answer (a regenerated one) shows this one's from now on. None at all: it is
        told already and no message is to show it, after a restart neither.
        """

        def add(connection: sqlite3.Connection) -> None:
            for message_id in message_ids:
                connection.execute(_rows.ADD_ANSWER, {"message": message_id, "turn": turn_id})
            if not message_ids:
                connection.execute(_rows.SHOW_NO_MORE, {"turn": turn_id})

        await self._database.write(add)

    async def reset(self, key: ConversationKey) -> bool:
        """Let the conversation's next turn be a new root. Returns whether there was something to forget.

        What still waits or generates is not touched: it ends where it stands, below the old root.
        """
        return await self._change(_rows.RESET, _rows.key_parameters(key)) > 0

    async def reset_everywhere(self, user_id: int) -> int:
        """Reset every conversation that is this person's alone, and return how many had something to forget."""
        return await self._change(_rows.RESET_EVERYWHERE, {"user": user_id})

    async def pin(self, turn_id: int, *, pinned: bool) -> Turn:
        """Let no cut drop a turn, or let it be dropped again. Raises: NoSuchTurn."""

        def pin(connection: sqlite3.Connection) -> Turn:
            connection.execute(_rows.PIN, {"turn": turn_id, "pinned": pinned})
            if pinned:
                connection.execute(_rows.KEEP_BELOW, {"turn": turn_id})
            return load_turn(connection, turn_id)

        return await self._database.write(pin)

    async def carry_over(self, source: ConversationKey, target: ConversationKey) -> bool:
        """Let the target, if it has no head, go on from the source's head; return whether it does from now on."""
        now = self._clock()

        def carry_over(connection: sqlite3.Connection) -> bool:
            head = _head(connection, target, now)
            old = _one(connection, _rows.HEAD, _rows.key_parameters(source))
            if old is None or old["id"] is None or head["id"] is not None:
                return False
            connection.execute(_rows.SET_HEAD, {"turn": old["id"], "conversation": head["conversation_id"]})
            return True

        return await self._database.write(carry_over)

    async def remember(self, name: str, value: str) -> None:
        """Store a small fact under a name, in place of the one that was there."""
        await self._change(_rows.SET_FACT, {"name": name, "value": _rows.storable(value)})

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Change the tree in one transaction, as `Database.write` tells."""
        return await self._database.write(work)

    async def _change(self, sql: str, parameters: Mapping[str, object]) -> int:
        """Write with one statement, and return how many rows it changed."""
        return await self._database.write(lambda connection: connection.execute(sql, parameters).rowcount)

    # Reading

    async def path(self, turn_id: int) -> list[Turn]:
        """Return what a turn's prompt is made of: its ancestors from `window_from` on, or the root, oldest first.

        Costs one search by primary key for each turn returned, however long the path and the table are.
        """
        return (await self.path_to(turn_id))[:-1]

    async def path_to(self, turn_id: int) -> list[Turn]:
        """Return the same and, last, the turn itself, all as they are in one moment; nothing if there is no such turn.

        Each read is a trip to the reader's thread, which costs more than the reading.
        """
        return await self._turns(_rows.PATH, {"turn": turn_id})

    async def turn(self, turn_id: int) -> Turn | None:
        """Return the turn, or None if there is no such one."""
        return next(iter(await self._turns(_rows.TURN, {"turn": turn_id})), None)

    async def turn_of_message(self, message_id: int) -> Turn | None:
        """Return the turn that a message asked or shows, or None if it is none of ours."""
        return next(iter(await self._turns(_rows.TURN_OF_MESSAGE, {"message": message_id})), None)

    async def recent(self, key: ConversationKey, limit: int) -> list[Turn]:
        """Return the newest turns of the path that ends in the conversation's head, oldest first, at most `limit`."""
        return await self._turns(_rows.RECENT, {**_rows.key_parameters(key), "limit": limit})

    async def forgotten(self, turn_id: int) -> int:
        """Return how many answered turns on the path to this one lie before its `window_from`: no prompt has them.

        Costs one search by primary key for each turn of the path.
        """
        [row] = await self._database.fetch(_rows.FORGOTTEN, {"turn": turn_id})
        count: int = row["count"]
        return count

    async def unfinished(self) -> list[Turn]:
        """Return the turns that are queued, generating or interrupted, oldest first."""
        return await self._turns(_rows.TURNS_UNFINISHED, {})

    async def recall(self, name: str) -> str | None:
        """Return the fact stored under a name, or None."""
        rows = await self._database.fetch(_rows.FACT, {"name": name})
        return rows[0]["value"] if rows else None

    async def fetch(self, sql: str, parameters: Mapping[str, object]) -> list[sqlite3.Row]:
        """Read all rows of one statement, for what has tables of its own in this file, as `Database.fetch` tells."""
        return await self._database.fetch(sql, parameters)

    async def _turns(self, sql: str, parameters: Mapping[str, object]) -> list[Turn]:
        return [_rows.turn_of(row) for row in await self._database.fetch(sql, parameters)]


# Inside a transaction, in the writer's thread ------------------------------------------------------------------------


_NO_PARENT: Final[Mapping[str, None]] = {"id": None, "window_from": None, "kept": None}


def _one(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(sql, parameters).fetchone()
    return row


def load_turn(connection: sqlite3.Connection, turn_id: int) -> Turn:
    """Return the turn as this transaction sees it. Raises: NoSuchTurn."""
    row = _one(connection, _rows.TURN, {"turn": turn_id})
    if row is None:
        raise NoSuchTurn(turn_id)
    return _rows.turn_of(row)


def _head(connection: sqlite3.Connection, key: ConversationKey, now: float) -> sqlite3.Row:
    """Find or make the conversation; return its id with its head's id, window_from and user_id, or NULLs."""
    parameters = {**_rows.key_parameters(key), "own": key.user_id, "guild": key.guild_id, "now": now}
    row = _one(connection, _rows.HEAD, parameters)
    if row is None:
        connection.execute(_rows.ADD_CONVERSATION, parameters)
        row = _one(connection, _rows.HEAD, parameters)
        assert row is not None  # noqa: S101 - it was added
    return row


def _parent(connection: sqlite3.Connection, conversation_id: int, parent_id: int) -> sqlite3.Row:
    row = _one(connection, _rows.PARENT, {"parent": parent_id, "conversation": conversation_id})
    if row is None:
        raise NotInConversation(f"turn {parent_id} is not in conversation {conversation_id}")
    return row


def _add_turn(
    connection: sqlite3.Connection,
    conversation_id: int,
    parent: sqlite3.Row | Mapping[str, None],
    question: Question,
    now: float,
    model: str,
) -> int:
    parameters = {
        "conversation": conversation_id,
        "parent": parent["id"],
        "window": parent["window_from"],
        "kept": parent["kept"],
        "summarizes": None,
        "model": model,
        "user": question.user_id,
        "now": now,
        "place": _rows.pack_place(place_of(question.visitor)) if question.visitor else None,
        "no_store": question.no_store,
        **_questions.texts([said(question)], is_shared=question.key.user_id is None),
    }
    turn_id = connection.execute(_rows.ADD_TURN, parameters).lastrowid
    assert turn_id is not None  # noqa: S101 - a row was inserted
    if not question.no_store:
        connection.execute(_rows.SET_HEAD, {"turn": turn_id, "conversation": conversation_id})
    return turn_id


def _move_window(
    connection: sqlite3.Connection, turn_id: int, window_from: int | None, kept: Sequence[int] | None
) -> None:
    packed = None if kept is None else json.dumps(list(kept))
    connection.execute(_rows.MOVE_WINDOW, {"turn": turn_id, "window": window_from, "kept": packed})
