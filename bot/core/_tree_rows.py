"""The SQL that changes the tree of turns: edited questions, versions of an answer, what is forgotten.

Knows the columns of `bot.core.migrations` and nothing of transactions or of when a statement is run. Statements are
constants; every value is a parameter.
"""

from __future__ import annotations

from typing import Final

MESSAGE: Final = "SELECT turn_id, kind FROM messages WHERE message_id = :message"

# What was begun already is not to be joined: its answer stands further up.
ASK_AGAIN: Final = """
UPDATE turns SET state = 'queued', edits = edits + 1, attempts = min(attempts, 1), created_at = :now,
    continued_from = 0, question_ids = x'', answer = '', answer_ids = x'', finish = NULL,
    seed = NULL, prompt_tokens = 0, completion_tokens = 0, dropped_turns = 0, first_token_s = NULL, total_s = NULL,
    fault = NULL, discarded_tokens = 0, model = :model, payer_id = NULL, answer_deleted = 0,
    window_from = (SELECT above.window_from FROM turns AS above WHERE above.id = turns.parent_id),
    kept = coalesce((SELECT above.kept FROM turns AS above WHERE above.id = turns.parent_id), '[]'), receipt = NULL,
    persona_id = NULL
WHERE id = :turn
"""

# Nothing of it is to be kept any more: it stands alone, and goes as its answer ends.
STORE_NO_MORE: Final = """
UPDATE turns SET no_store = 1, pinned = 0, parent_id = NULL, window_from = NULL, kept = '[]' WHERE id = :turn
"""

# Versions: the first one's id is what the others point to.

VERSIONS: Final = """
SELECT versions.id, versions.state FROM turns
JOIN turns AS versions ON versions.id = coalesce(turns.version_of, turns.id)
    OR versions.version_of = coalesce(turns.version_of, turns.id)
WHERE turns.id = :turn ORDER BY versions.id
"""

ADD_VERSION: Final = """
INSERT INTO turns (conversation_id, parent_id, window_from, kept, summarizes, user_id, state, created_at, question,
    asked, pinned, payer_id, version_of, version, model, persona_id, place)
SELECT turns.conversation_id, turns.parent_id, above.window_from, coalesce(above.kept, '[]'), turns.summarizes,
       turns.user_id, 'queued', :now, turns.question,
       turns.asked, turns.pinned, :payer, coalesce(turns.version_of, turns.id),
       (SELECT max(version) + 1 FROM turns AS others
        WHERE others.id = turns.id OR others.version_of = coalesce(turns.version_of, turns.id)),
       :model, turns.persona_id, turns.place
FROM turns LEFT JOIN turns AS above ON above.id = turns.parent_id WHERE turns.id = :turn
"""

# A version that stands alone, after which the others can be deleted.
LEAVE_VERSIONS: Final = "UPDATE turns SET version_of = NULL, version = 1 WHERE id = :turn"

MOVE_CHILDREN: Final = """
UPDATE turns SET parent_id = CASE WHEN id > :to THEN :to ELSE :above END WHERE parent_id = :turn
"""

DELETE_TURN: Final = "DELETE FROM turns WHERE id = :turn"

MOVE_MESSAGES: Final = "UPDATE messages SET turn_id = :to WHERE turn_id = :turn"

MOVE_HEAD: Final = "UPDATE conversations SET head_id = :to WHERE head_id = :turn"

# The question's ids stay if they are this tokenizer's, too.
CONTINUE: Final = """
UPDATE turns SET state = 'interrupted', attempts = min(attempts, 1), created_at = :now, finish = NULL,
    question_ids = CASE WHEN tokenizer = :tokenizer THEN question_ids ELSE x'' END,
    answer_ids = :answer_ids, tokenizer = :tokenizer, continued_from = :continued_from, payer_id = :payer
WHERE id = :turn
"""

# Forgetting. Sets of turns are given as JSON lists of ids.

CHILDREN: Final = "SELECT id, parent_id FROM turns WHERE parent_id IN (SELECT value FROM json_each(:turns))"

PARENTS: Final = "SELECT id, parent_id FROM turns WHERE id IN (SELECT value FROM json_each(:turns))"

SET_PARENT: Final = "UPDATE turns SET parent_id = :parent WHERE id = :turn"

TURNS_OF_CHANNELS: Final = """
SELECT turns.id FROM conversations JOIN turns ON turns.conversation_id = conversations.id
WHERE channel_id IN (SELECT value FROM json_each(:channels))
"""

# A person's own conversations, and what they asked in shared rooms; in one server, or everywhere.
TURNS_OF_PERSON: Final = """
SELECT turns.id, turns.summarizes FROM conversations JOIN turns ON turns.conversation_id = conversations.id
WHERE conversations.user_id = :user AND (:guild IS NULL OR guild_id = :guild)
UNION ALL
SELECT turns.id, turns.summarizes FROM conversations JOIN turns ON turns.conversation_id = conversations.id
WHERE conversations.user_id IS NULL AND turns.user_id = :user AND (:guild IS NULL OR guild_id = :guild)
"""

FORGET_EMPTY_CONVERSATIONS: Final = """
DELETE FROM conversations WHERE user_id = :user AND (:guild IS NULL OR guild_id = :guild)
    AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation_id = conversations.id)
"""

FORGET_CONVERSATIONS: Final = """
DELETE FROM conversations WHERE channel_id IN (SELECT value FROM json_each(:channels))
"""

# The numbers of messages stay for a while, so that one which is delivered again is known; their texts do not.
FORGET_MESSAGES_OF: Final = """
INSERT INTO forgotten_messages (message_id, forgotten_at)
SELECT message_id, :now FROM messages
WHERE kind = 'question' AND turn_id IN (SELECT value FROM json_each(:turns))
ON CONFLICT (message_id) DO NOTHING
"""

FORGET_MESSAGE: Final = """
INSERT INTO forgotten_messages (message_id, forgotten_at) VALUES (:message, :now) ON CONFLICT (message_id) DO NOTHING
"""

# Of what was never to be kept not even the numbers stay, nor that there was a conversation.
DROP_NUMBERS: Final = "DELETE FROM forgotten_messages WHERE message_id IN (SELECT value FROM json_each(:messages))"

DROP_EMPTY_CONVERSATION: Final = """
DELETE FROM conversations WHERE id = :conversation AND head_id IS NULL
    AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation_id = :conversation)
"""

DROP_FORGOTTEN: Final = "DELETE FROM forgotten_messages WHERE forgotten_at < :before"

DELETE_TURNS: Final = "DELETE FROM turns WHERE id IN (SELECT value FROM json_each(:turns))"

DELETE_MESSAGE: Final = "DELETE FROM messages WHERE message_id = :message"
