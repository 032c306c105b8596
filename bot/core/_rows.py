"""The SQL of the history, and how a `Turn` goes into the tables and comes out of them.

Knows the columns of `bot.core.migrations` and nothing of transactions or of when a statement is run. Statements are
constants; every value is a parameter.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from bot.core.messages import (
    ConversationKey,
    Excerpt,
    ExcerptKind,
    Fault,
    Finish,
    Place,
    Receipt,
    ResolvedPersona,
    Sampling,
    Summarizes,
    Turn,
    TurnState,
    Usage,
)

# Loading. One statement loads all of a turn, so that it comes from one snapshot. Its messages are sorted here, not
# there: an aggregate with ORDER BY needs SQLite 3.44.

_TURNS: Final = """
SELECT turns.*, conversations.channel_id, conversations.guild_id, conversations.user_id AS key_user_id,
       (SELECT json_group_array(json_array(kind, position, message_id, excerpts))
        FROM messages WHERE messages.turn_id = turns.id) AS messages,
       (SELECT count(*) + 1 FROM turns AS others
        WHERE others.version_of = coalesce(turns.version_of, turns.id)) AS versions,
       (SELECT json_array(sha256, text) FROM resolved_personas WHERE id = turns.persona_id) AS persona
FROM turns JOIN conversations ON conversations.id = turns.conversation_id
"""

TURN: Final = _TURNS + "WHERE turns.id = :turn"

TURN_OF_MESSAGE: Final = f"""
{_TURNS} WHERE turns.id = (SELECT turn_id FROM messages WHERE message_id = :message)
"""  # noqa: S608 - constants

# Here and below, "state IN" word for word as in the index turns_unfinished, else SQLite does not use that.
TURNS_UNFINISHED: Final = _TURNS + "WHERE state IN ('queued', 'generating', 'interrupted') ORDER BY turns.id"

TURNS_UNSHOWN: Final = f"""
{_TURNS}
WHERE turns.created_at BETWEEN :since AND :before AND state IN ('done', 'stopped', 'failed')
    AND summarizes IS NULL AND NOT no_store AND NOT answer_deleted
    AND EXISTS (SELECT 1 FROM messages WHERE messages.turn_id = turns.id AND kind = 'question')
    AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.turn_id = turns.id AND kind = 'answer')
ORDER BY turns.id
"""  # noqa: S608 - constants

PLACES: Final = """
SELECT DISTINCT channel_id, guild_id FROM turns JOIN conversations ON conversations.id = turns.conversation_id
WHERE turns.created_at BETWEEN :since AND :before
"""

TURNS: Final = _TURNS + "WHERE turns.id IN (SELECT value FROM json_each(:turns)) ORDER BY turns.id"  # noqa: S608

_UP: Final = "turns.id IN (SELECT id FROM up)"

# Up from the turn, one search by primary key a step, until the next one up would lie before the window. Ids rise along
# a path (the schema's CHECK), so they are its order too. What is kept from before the window is looked up by its id.
PATH: Final = f"""
WITH RECURSIVE up (id, parent_id, window_from) AS (
    SELECT id, parent_id, coalesce(window_from, 0) FROM turns WHERE id = :turn
    UNION ALL
    SELECT above.id, above.parent_id, up.window_from
    FROM up CROSS JOIN turns AS above ON above.id = up.parent_id WHERE up.parent_id >= up.window_from
),
prompted (id) AS (
    SELECT id FROM up
    UNION
    SELECT old.id FROM json_each((SELECT kept FROM turns WHERE id = :turn)) AS kept
    CROSS JOIN turns AS old ON old.id = kept.value WHERE old.pinned OR old.summarizes IS NOT NULL
)
{_TURNS} WHERE turns.id IN (SELECT id FROM prompted) ORDER BY turns.id
"""  # noqa: S608 - constants

RECENT: Final = f"""
WITH RECURSIVE up (id, parent_id) AS (
    SELECT turns.id, turns.parent_id FROM conversations JOIN turns ON turns.id = conversations.head_id
    WHERE conversations.channel_id = :channel AND coalesce(conversations.user_id, 0) = :user
    UNION ALL
    SELECT above.id, above.parent_id FROM up CROSS JOIN turns AS above ON above.id = up.parent_id
    LIMIT :limit
)
{_TURNS} WHERE {_UP} ORDER BY turns.id
"""  # noqa: S608 - constants

FORGOTTEN: Final = """
WITH RECURSIVE up (id, parent_id, is_exchange) AS (
    SELECT id, parent_id, 0 FROM turns WHERE id = :turn
    UNION ALL
    SELECT above.id, above.parent_id,
           above.state IN ('done', 'stopped') AND length(above.answer_ids) > 0
           AND above.summarizes IS NULL AND NOT above.pinned
    FROM up CROSS JOIN turns AS above ON above.id = up.parent_id
)
SELECT count(*) AS count FROM up
WHERE is_exchange AND id < (SELECT coalesce(window_from, 0) FROM turns WHERE id = :turn)
"""

# Joined are turns that were never begun; not another conversation's, which this one was carried over from.
HEAD: Final = """
SELECT conversations.id AS conversation_id, turns.id, turns.parent_id, window_from, kept, turns.user_id, summarizes,
       state = 'queued' AND attempts = 0 AND version = 1 AND summarizes IS NULL
           AND turns.conversation_id = conversations.id AS can_be_joined
FROM conversations LEFT JOIN turns ON turns.id = head_id
WHERE channel_id = :channel AND coalesce(conversations.user_id, 0) = :user
"""

# A turn of this conversation, or one that it was carried over from: an ancestor of its head.
PARENT: Final = """
WITH RECURSIVE up (id, parent_id) AS (
    SELECT turns.id, turns.parent_id FROM conversations JOIN turns ON turns.id = conversations.head_id
    WHERE conversations.id = :conversation
    UNION ALL
    SELECT above.id, above.parent_id FROM up CROSS JOIN turns AS above ON above.id = up.parent_id
    WHERE above.id >= :parent
)
SELECT id, window_from, kept FROM turns
WHERE id = :parent AND NOT no_store AND (conversation_id = :conversation OR id IN (SELECT id FROM up))
"""

WAS_TAKEN: Final = """
SELECT 1 FROM messages WHERE message_id = :message
UNION ALL SELECT 1 FROM forgotten_messages WHERE message_id = :message
"""

FACT: Final = "SELECT value FROM facts WHERE name = :name"

# Writing

ADD_CONVERSATION: Final = """
INSERT INTO conversations (channel_id, user_id, guild_id, created_at) VALUES (:channel, :own, :guild, :now)
ON CONFLICT (channel_id, coalesce(user_id, 0)) DO NOTHING
"""

ADD_TURN: Final = """
INSERT INTO turns (conversation_id, parent_id, window_from, kept, user_id, state, created_at, question, asked,
                   summarizes, model, place, no_store)
VALUES (:conversation, :parent, :window, coalesce(:kept, '[]'), :user, 'queued', :now, :question,
        nullif(:asked, :question), :summarizes, :model, :place, :no_store)
"""

ADD_SUMMARY: Final = """
INSERT INTO turns (conversation_id, parent_id, window_from, kept, user_id, state, created_at, question, summarizes,
                   model, place)
SELECT conversations.id, turns.id, turns.window_from, turns.kept, :asker, 'queued', :now, :text, :summarizes, :model,
       turns.place
FROM conversations JOIN turns ON turns.id = conversations.head_id
WHERE conversations.channel_id = :channel AND coalesce(conversations.user_id, 0) = :user AND head_id = :head
"""

ADD_QUESTION: Final = """
INSERT INTO messages (message_id, turn_id, kind, position, author_id, author_name, text, excerpts)
VALUES (:message, :turn, 'question', 0, :user, :name, :text, :excerpts)
"""

# After those there are. Already another turn's: it shows this one's answer now. Already this one's: it keeps its place.
ADD_ANSWER: Final = """
INSERT INTO messages (message_id, turn_id, kind, position)
VALUES (:message, :turn, 'answer',
        (SELECT coalesce(max(position) + 1, 0) FROM messages WHERE turn_id = :turn AND kind = 'answer'))
ON CONFLICT (message_id) DO UPDATE SET turn_id = excluded.turn_id, position = excluded.position
WHERE kind = 'answer' AND turn_id <> excluded.turn_id
"""

SHOW_NO_MORE: Final = "UPDATE turns SET answer_deleted = 1 WHERE id = :turn"

QUESTION_MESSAGES: Final = """
SELECT message_id, text, author_name, excerpts FROM messages
WHERE turn_id = :turn AND kind = 'question' ORDER BY message_id
"""

QUESTION_MESSAGE: Final = """
SELECT turn_id, text, author_name, excerpts FROM messages WHERE message_id = :message AND kind = 'question'
"""

CHANGE_QUESTION: Final = """
UPDATE messages SET text = :text, excerpts = :excerpts WHERE message_id = :message AND kind = 'question'
"""

SET_QUESTION: Final = "UPDATE turns SET question = :question, asked = nullif(:asked, :question) WHERE id = :turn"

SET_HEAD: Final = "UPDATE conversations SET head_id = :turn WHERE id = :conversation"

BEGIN: Final = """
UPDATE turns SET state = 'generating', question_ids = :ids, seed = :seed, attempts = attempts + 1,
    answer_ids = CASE WHEN tokenizer = :tokenizer THEN answer_ids ELSE x'' END, tokenizer = :tokenizer,
    persona_id = (SELECT id FROM resolved_personas WHERE sha256 = :persona_sha256 AND text = :persona)
WHERE id = :turn AND question = :question AND state IN ('queued', 'interrupted')
"""

ADD_PERSONA: Final = """
INSERT INTO resolved_personas (sha256, text) VALUES (:persona_sha256, :persona) ON CONFLICT DO NOTHING
"""

# A turn that does not begin leaves none behind: triggers look only at what turns give up.
DROP_PERSONA: Final = """
DELETE FROM resolved_personas WHERE sha256 = :persona_sha256 AND text = :persona
    AND NOT EXISTS (SELECT 1 FROM turns WHERE persona_id = resolved_personas.id)
"""

SAVE_PARTIAL: Final = """
UPDATE turns SET answer = :answer, answer_ids = :answer_ids WHERE id = :turn AND state = 'generating'
"""

FINISH: Final = """
UPDATE turns SET state = :state, finish = :finish, answer = :answer, answer_ids = :answer_ids,
    prompt_tokens = :prompt_tokens, completion_tokens = :completion_tokens, dropped_turns = :dropped_turns,
    first_token_s = :first_token_s, total_s = :total_s, fault = :fault, discarded_tokens = :discarded_tokens,
    receipt = coalesce(:receipt, receipt)
WHERE id = :turn AND state IN ('queued', 'generating', 'interrupted') AND edits = coalesce(:edits, edits)
"""

# Children that wait already inherited the older cut: they follow.
MOVE_WINDOW: Final = """
UPDATE turns SET window_from = :window, kept = coalesce(:kept, kept)
WHERE id = :turn OR (parent_id = :turn AND state = 'queued')
"""

INTERRUPT_ALL: Final = """
UPDATE turns SET state = 'interrupted'
WHERE state IN ('queued', 'generating', 'interrupted') AND state = 'generating'
"""

PIN: Final = "UPDATE turns SET pinned = :pinned WHERE id = :turn"

# A turn that was dropped already comes back: whatever follows it and begins its window after it keeps it from now on.
# Walks down the tree below it, but only when somebody pins: loading a path never walks.
KEEP_BELOW: Final = """
WITH RECURSIVE down (id) AS (
    SELECT id FROM turns WHERE parent_id = :turn
    UNION ALL
    SELECT below.id FROM down CROSS JOIN turns AS below ON below.parent_id = down.id
)
UPDATE turns SET kept = json_insert(kept, '$[#]', :turn)
WHERE id IN (SELECT id FROM down) AND window_from > :turn
    AND NOT EXISTS (SELECT 1 FROM json_each(turns.kept) AS kept WHERE kept.value = :turn)
"""

RESET: Final = """
UPDATE conversations SET head_id = NULL
WHERE channel_id = :channel AND coalesce(user_id, 0) = :user AND head_id IS NOT NULL
"""

RESET_EVERYWHERE: Final = "UPDATE conversations SET head_id = NULL WHERE user_id = :user AND head_id IS NOT NULL"

SET_FACT: Final = """
INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


def key_parameters(key: ConversationKey) -> dict[str, int]:
    """Return the parameters `:channel` and `:user` of a key; a shared conversation's user is 0."""
    return {"channel": key.channel_id, "user": key.user_id or 0}


def pack_ids(ids: Sequence[int]) -> bytes:
    """Return token ids `(n,)` as 4n bytes: little-endian, unsigned, 32 bits each."""
    return struct.pack(f"<{len(ids)}I", *ids)


def unpack_ids(blob: bytes) -> tuple[int, ...]:
    """Return the token ids `(n,)` of 4n bytes."""
    return struct.unpack(f"<{len(blob) // 4}I", blob)


def storable(text: str) -> str:
    """Return `text` with every lone surrogate replaced by U+FFFD: UTF-8 has none. Halves of a pair are joined."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def pack_excerpts(excerpts: Sequence[Excerpt]) -> str | None:
    """Return excerpts as JSON, NULL for none."""
    if not excerpts:
        return None
    return json.dumps([[one.kind, storable(one.name), storable(one.text), one.left_out_chars] for one in excerpts])


def unpack_excerpts(packed: str | None) -> tuple[Excerpt, ...]:
    """Return the excerpts that `pack_excerpts` packed."""
    if not packed:
        return ()
    return tuple(Excerpt(ExcerptKind(kind), name, text, left_out) for kind, name, text, left_out in json.loads(packed))


def by_name(record: Usage | Receipt | Sampling) -> dict[str, Any]:
    """Return a record's fields as they are: `asdict` would copy each, which takes ten times as long."""
    return {name: getattr(record, name) for name in record.__slots__}


def pack_receipt(receipt: Receipt | None) -> str | None:
    """Return a receipt as JSON, NULL for none."""
    return None if receipt is None else json.dumps({**by_name(receipt), "sampling": by_name(receipt.sampling)})


@lru_cache(maxsize=1024)  # most are alike, a prompt's path has many, and nobody is named in them
def unpack_receipt(packed: str | None) -> Receipt | None:
    """Return the receipt that `pack_receipt` packed."""
    if packed is None:
        return None
    fields = json.loads(packed)
    return Receipt(**{**fields, "sampling": Sampling(**fields["sampling"])})


def pack_place(place: Place) -> str:
    """Return a place as JSON."""
    names = (place.user_name, place.server_name, place.channel_name)
    return json.dumps([place.channel_ids, *map(storable, names)])


def unpack_place(packed: str | None) -> Place | None:
    """Return the place that `pack_place` packed."""
    if packed is None:
        return None
    channel_ids, *names = json.loads(packed)
    return Place(tuple(channel_ids), *names)


def turn_of(found: sqlite3.Row) -> Turn:
    """Return the turn that a row of one of this module's SELECTs holds."""
    row = dict(zip(found.keys(), found, strict=True))  # a Row looks through all its names for each
    message_ids: dict[str, list[int]] = {"question": [], "answer": []}
    excerpts: tuple[Excerpt, ...] = ()
    for kind, _position, message_id, packed in sorted(json.loads(row["messages"])):
        message_ids[kind].append(message_id)
        excerpts += unpack_excerpts(packed)
    return Turn(
        id=row["id"],
        conversation_id=row["conversation_id"],
        parent_id=row["parent_id"],
        user_id=row["user_id"],
        question=row["question"],
        state=TurnState(row["state"]),
        created_at=row["created_at"],
        answer=row["answer"],
        question_ids=unpack_ids(row["question_ids"]),
        answer_ids=unpack_ids(row["answer_ids"]),
        tokenizer=row["tokenizer"],
        window_from=row["window_from"],
        finish=Finish(row["finish"]) if row["finish"] else None,
        seed=row["seed"],
        usage=Usage(
            prompt_tokens=row["prompt_tokens"],
            completion_tokens=row["completion_tokens"],
            dropped_turns=row["dropped_turns"],
            first_token_s=row["first_token_s"],
            total_s=row["total_s"],
            fault=Fault(row["fault"]) if row["fault"] else None,
            discarded_tokens=row["discarded_tokens"],
        ),
        question_message_ids=tuple(message_ids["question"]),
        answer_message_ids=tuple(message_ids["answer"]),
        attempts=row["attempts"],
        model=row["model"] or "",
        edits=row["edits"],
        version=row["version"],
        versions=row["versions"],
        continued_from=row["continued_from"],
        key=ConversationKey(row["channel_id"], row["key_user_id"], row["guild_id"]),
        asked=row["question"] if row["asked"] is None else row["asked"],
        excerpts=excerpts,
        pinned=bool(row["pinned"]),
        kept=() if row["kept"] == "[]" else tuple(json.loads(row["kept"])),
        summarizes=Summarizes(row["summarizes"]) if row["summarizes"] else None,
        receipt=unpack_receipt(row["receipt"]),
        persona=ResolvedPersona(*json.loads(row["persona"])) if row["persona"] else None,
        place=unpack_place(row["place"]),
        payer_id=row["payer_id"],
        no_store=bool(row["no_store"]),
    )
