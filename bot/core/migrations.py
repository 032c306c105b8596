"""The schema of the database and its versions: an append-only list of named migrations.

Owns every CREATE and ALTER, and the question which of them a file has seen. Knows nothing of what the rows are used
for (`bot.core.history`) nor of how the file is opened (`bot.core.database`).

A migration that was shipped is never edited: a test pins the sha256 of each. What comes later (pins, summaries,
personas, deletions) is a new entry at the end of `MIGRATIONS`. Therefore the first one has no CHECK on the values of
`state` or `kind`: SQLite can add a column in constant time, but to widen a CHECK it must rewrite the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import aiosqlite

from bot.errors import DatabaseUnusable

APPLICATION_ID: Final = int.from_bytes(b"PhiB", "big")
"""Offset 68 of the file's header (https://sqlite.org/fileformat2.html#application_id): this file is ours."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: its name for ever, and its statements in order."""

    name: str
    statements: tuple[str, ...]


_CONVERSATIONS: Final = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    user_id INTEGER,                        -- NULL: shared by all who write in the channel
    guild_id INTEGER,                       -- NULL: a direct message
    head_id INTEGER REFERENCES turns (id),  -- NULL: the next turn is a new root
    created_at REAL NOT NULL
)"""

# Short columns first: walking up a path then never reads the pages that hold the texts.
# A parent is older than its child, so the tree has no cycles and ids rise along every path. `window_from` is thus a
# lower bound rather than a pointer, and stays right when the very turn it names is deleted.
# AUTOINCREMENT: the id of a deleted turn is never given to another, for buttons in Discord remember it.
_TURNS: Final = """
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent_id INTEGER REFERENCES turns (id) CHECK (parent_id < id),  -- NULL: a root
    window_from INTEGER,                    -- oldest turn of the prompt; NULL: the root
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    user_id INTEGER NOT NULL,               -- who asked
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,    -- how often a generation was begun
    created_at REAL NOT NULL,
    finish TEXT,
    seed INTEGER,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    dropped_turns INTEGER NOT NULL DEFAULT 0,
    first_token_s REAL,
    total_s REAL,
    tokenizer TEXT NOT NULL DEFAULT '',     -- sha256 of the tokenizer the ids belong to
    question TEXT NOT NULL,                 -- the texts of its question messages, joined by newlines
    answer TEXT NOT NULL DEFAULT '',
    question_ids BLOB NOT NULL DEFAULT x'', -- token ids: little-endian, unsigned, 32 bits each
    answer_ids BLOB NOT NULL DEFAULT x''
)"""

_MESSAGES: Final = """
CREATE TABLE messages (
    message_id INTEGER PRIMARY KEY,         -- the service's snowflake, positive in 64 bits with sign
    turn_id INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,                     -- question or answer
    position INTEGER NOT NULL,              -- answers: the order shown; questions: 0, for snowflakes rise with time
    author_id INTEGER,                      -- NULL: the bot
    text TEXT                               -- NULL for answers: the turn has the whole
)"""

# Numbers only, and those only for a day: a message that is delivered again must not be asked again.
_FORGOTTEN_MESSAGES: Final = """
CREATE TABLE forgotten_messages (
    message_id INTEGER PRIMARY KEY,
    forgotten_at REAL NOT NULL
)"""

# What people and admins chose: few rows, and many small subjects that need no table of their own.
_CHOICES: Final = """
CREATE TABLE choices (
    scope TEXT NOT NULL,                    -- everywhere, server, channel or person
    owner_id INTEGER NOT NULL,              -- the server's, channel's or user's id; 0: everywhere
    guild_id INTEGER,                       -- whose server a channel is in; NULL: none, or not known
    name TEXT NOT NULL,
    value TEXT NOT NULL,                    -- JSON
    PRIMARY KEY (scope, owner_id, name)
) WITHOUT ROWID"""

# A persona with its variables filled in may hold people's names, and is one text for many turns: it goes with the last.
_RESOLVED_PERSONAS: Final = """
CREATE TABLE resolved_personas (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,                   -- of the persona as it was written
    text TEXT NOT NULL
)"""
_DROP_PERSONA: Final = """
BEGIN
    DELETE FROM resolved_personas
    WHERE id = OLD.persona_id AND NOT EXISTS (SELECT 1 FROM turns WHERE persona_id = OLD.persona_id);
END"""

# Sums of today alone: whatever is older is deleted.
_SPENDING: Final = """
CREATE TABLE spending (
    day INTEGER NOT NULL,                   -- since 1970, in UTC
    user_id INTEGER NOT NULL,
    place_id INTEGER NOT NULL,              -- a server; 0: everywhere, direct messages among it
    tokens INTEGER NOT NULL DEFAULT 0,
    granted_tokens INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, user_id, place_id)
) WITHOUT ROWID"""

MIGRATIONS: Final[Sequence[Migration]] = (
    Migration(
        "0001 conversations, turns, messages",
        (
            _CONVERSATIONS,
            _TURNS,
            _MESSAGES,
            "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            # NULLs are all distinct to a UNIQUE index, and no snowflake is 0.
            "CREATE UNIQUE INDEX conversations_by_key ON conversations (channel_id, coalesce(user_id, 0))",
            "CREATE INDEX conversations_by_user ON conversations (user_id)",
            "CREATE INDEX conversations_by_head ON conversations (head_id)",
            "CREATE INDEX turns_by_parent ON turns (parent_id)",
            "CREATE INDEX turns_by_conversation ON turns (conversation_id)",
            "CREATE INDEX turns_unfinished ON turns (state) WHERE state IN ('queued', 'generating', 'interrupted')",
            "CREATE INDEX messages_by_turn ON messages (turn_id)",
        ),
    ),
    Migration(
        "0002 excerpts, speakers, rooms",
        (
            "ALTER TABLE messages ADD COLUMN author_name TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE messages ADD COLUMN excerpts TEXT",  # JSON: [[kind, name, text, left_out_chars], ...]
            "ALTER TABLE turns ADD COLUMN asked TEXT",  # NULL: word for word the question
            "CREATE TABLE rooms (channel_id INTEGER PRIMARY KEY, guild_id INTEGER, shared_at REAL NOT NULL)",
        ),
    ),
    Migration(
        "0003 versions, edits and what is forgotten",
        (
            "ALTER TABLE turns ADD COLUMN edits INTEGER NOT NULL DEFAULT 0",  # how often its question was changed
            # A regenerated answer names the first version; that one and all others have NULL.
            "ALTER TABLE turns ADD COLUMN version_of INTEGER REFERENCES turns (id)",
            "ALTER TABLE turns ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
            # How many tokens the answer had when it was told to go on.
            "ALTER TABLE turns ADD COLUMN continued_from INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX turns_by_version ON turns (version_of) WHERE version_of IS NOT NULL",
            _FORGOTTEN_MESSAGES,
        ),
    ),
    Migration(
        "0004 what the guard cut",
        (
            "ALTER TABLE turns ADD COLUMN fault TEXT",  # NULL: nothing was cut
            "ALTER TABLE turns ADD COLUMN discarded_tokens INTEGER NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        "0005 pins, summaries, receipts",
        (
            "ALTER TABLE turns ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
            # Pinned turns and the summary that lie before window_from: [id, ...], inherited as that is. So a path is
            # loaded without a walk to them; one that is pinned or there no more is passed over.
            "ALTER TABLE turns ADD COLUMN kept TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE turns ADD COLUMN summarizes TEXT",  # a summary: what of its path it was to cover
            "ALTER TABLE turns ADD COLUMN receipt TEXT",  # JSON
            "CREATE INDEX turns_summaries ON turns (id) WHERE summarizes IS NOT NULL",
        ),
    ),
    Migration("0006 choices", (_CHOICES,)),
    Migration(
        "0007 which model a turn is for",
        ("ALTER TABLE turns ADD COLUMN model TEXT",),  # its name; NULL: the one that there was then
    ),
    Migration(
        "0008 personas",
        (
            _RESOLVED_PERSONAS,
            "CREATE UNIQUE INDEX resolved_personas_by_text ON resolved_personas (sha256, text)",
            # What the turn was begun with; NULL: the bot's own system prompt.
            "ALTER TABLE turns ADD COLUMN persona_id INTEGER REFERENCES resolved_personas (id)",
            "ALTER TABLE turns ADD COLUMN place TEXT",  # JSON: [[channel, ...], user's name, server's, channel's]
            "CREATE INDEX turns_by_persona ON turns (persona_id) WHERE persona_id IS NOT NULL",
            "CREATE TRIGGER personas_of_deleted_turns AFTER DELETE ON turns WHEN OLD.persona_id IS NOT NULL"
            + _DROP_PERSONA,
            "CREATE TRIGGER personas_of_other_turns AFTER UPDATE OF persona_id ON turns "
            "WHEN OLD.persona_id IS NOT NULL AND OLD.persona_id IS NOT NEW.persona_id" + _DROP_PERSONA,
        ),
    ),
    Migration(
        "0009 spending",
        (
            _SPENDING,
            "ALTER TABLE turns ADD COLUMN payer_id INTEGER",  # on whose quota it counts; NULL: who asked
            "CREATE INDEX turns_by_created ON turns (created_at)",
        ),
    ),
    Migration("0010 no-store mode", ("ALTER TABLE turns ADD COLUMN no_store INTEGER NOT NULL DEFAULT 0",)),
    Migration(
        "0011 answers that were deleted",
        ("ALTER TABLE turns ADD COLUMN answer_deleted INTEGER NOT NULL DEFAULT 0",),  # so none is shown for it again
    ),
)

_RECORDS: Final = (
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL) WITHOUT ROWID"
)


def check_known(path: object, version: int, applied: Iterable[str], known: Sequence[Migration] = MIGRATIONS) -> None:
    """Refuse a database that has seen migrations which this program has not. Raises: DatabaseUnusable."""
    unknown = set(applied) - {migration.name for migration in known}
    if unknown or version > len(known):
        what = f"it has {', '.join(sorted(unknown))!r}" if unknown else f"its version is {version}, ours {len(known)}"
        raise DatabaseUnusable(
            f"The database {path} was made by a newer version of this program ({what}); it was left untouched. "
            "Start that version, or choose another file."
        )


async def migrate(
    connection: aiosqlite.Connection, *, path: object, now: float, known: Sequence[Migration] = MIGRATIONS
) -> list[str]:
    """Apply what is missing within the caller's transaction, each with its record; return the names applied.

    Foreign keys must be off on `connection`, so that a table can be rebuilt; they are checked at the end.
    Raises: DatabaseUnusable when the file is newer than this program or its references are broken.
    """
    await connection.execute(_RECORDS)
    applied = {row[0] for row in await connection.execute_fetchall("SELECT name FROM migrations")}
    [[version]] = await connection.execute_fetchall("PRAGMA user_version")
    check_known(path, version, applied, known)
    missing = [migration for migration in known if migration.name not in applied]
    for migration in missing:
        # Not executescript: it commits whatever transaction is open.
        for statement in migration.statements:
            await connection.execute(statement)
        await connection.execute("INSERT INTO migrations (name, applied_at) VALUES (?, ?)", (migration.name, now))
    if missing:
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(f"PRAGMA user_version = {len(known)}")
        if broken := list(await connection.execute_fetchall("PRAGMA foreign_key_check")):
            raise DatabaseUnusable(f"The database {path} has {len(broken)} rows that refer to missing ones.")
    return [migration.name for migration in missing]
