"""The data that travels between the frontend, the store and the engine: frozen, without behaviour.

Knows nothing of where a message came from (Discord) or how an answer is made (OpenVINO). All times are
`time.time()` seconds in UTC; all ids of users, channels and messages are snowflakes of the frontend's service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.core.visitor import Visitor


class TurnState(StrEnum):
    """Where a turn is in its life; only `queued`, `generating` and `interrupted` have something left to do."""

    QUEUED = "queued"
    GENERATING = "generating"
    DONE = "done"
    STOPPED = "stopped"  # by the person; the text so far is kept
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # by the end of the process; taken up again at the next start
    FORGOTTEN = "forgotten"  # never stored: what is told of a turn that is there no more


class Finish(StrEnum):
    """Why a generation ended by itself: the model said so, or its room was used up."""

    STOP = "stop"
    LENGTH = "length"
    GUARD = "guard"  # what came next was no answer, twice (`Usage.fault`); no engine gives this one


class Fault(StrEnum):
    """What the guard (`bot.core.guard`) found wrong with an answer that grew."""

    SELF_DIALOGUE = "self_dialogue"  # the model plays the user
    LOOP = "loop"
    ROLE_MARKER = "role_marker"  # written out as text
    PROMPT_ECHO = "prompt_echo"


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """Whose conversation it is and where: one user in one channel, or a whole channel where `user_id` is None."""

    channel_id: int
    user_id: int | None
    guild_id: int | None = field(default=None, compare=False)  # None in a DM; does not tell conversations apart


class ExcerptKind(StrEnum):
    """What an excerpt was taken from."""

    QUOTE = "quote"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Something of somebody else's that a person brought into the question: a message quoted, a file attached."""

    kind: ExcerptKind
    name: str  # the quoted author's display name, or the file's name
    text: str  # what the model reads of it
    left_out_chars: int = 0  # how much of its end did not fit


@dataclass(frozen=True, slots=True)
class Question:
    """What one person sent: one message, or one use of a slash command (then `message_id` is the interaction's)."""

    key: ConversationKey
    user_id: int
    message_id: int
    text: str  # the person's own words
    author_name: str = ""  # told to the model in shared conversations, and only there
    excerpts: tuple[Excerpt, ...] = ()
    visitor: Visitor | None = field(default=None, compare=False)  # who asks, as seen now; not stored
    no_store: bool = False  # it stands alone, and is forgotten as its answer ends


@dataclass(frozen=True, slots=True)
class Brought:
    """What a question brings in, once it is there.

    An excerpt without text stands for a file that could not be read: the model shall know that it is there and not
    guess what is in it. `words`: what to take for the person's own, if there are none, in place of the excerpts.
    """

    excerpts: tuple[Excerpt, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Greedy, as the seed, unless `do_sample`."""

    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None


GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer cost: token counts, the exchanges that no longer fitted, and seconds."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    dropped_turns: int = 0  # dropped by this very turn's cut, not by earlier ones
    first_token_s: float | None = None
    total_s: float | None = None
    fault: Fault | None = None  # the last that was cut from it; the answer may be a good one since
    discarded_tokens: int = 0  # generated, then cut by the guard; not among completion_tokens


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an answer was made, beside what `Usage` counts: for those who want to know or to make it again."""

    model: str
    revision: str | None  # of the model's repository, where it is known
    device: str
    engine: str
    sampling: Sampling  # with the seed that was drawn
    turns_used: int  # earlier exchanges that the prompt contained
    has_summary: bool = False  # and a summary of still earlier ones
    newly_summarized_turns: int = 0  # that it stands for, when it was made by itself just before this answer


class Summarizes(StrEnum):
    """What a summary was asked to cover."""

    ALL = "all"  # everything in the window
    CUT = "cut"  # what the next cut would drop


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question was asked, and what everything was called there: what personas need of it later.

    `channel_ids`: the channel, the one that it hangs under if it is a thread, and their category; the narrowest first.
    """

    channel_ids: tuple[int, ...] = ()
    user_name: str = ""
    server_name: str = ""
    channel_name: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedPersona:
    """What the model was told to be in place of the bot's own system prompt."""

    sha256: str  # of the persona as it was written: tells whether that is still the one that holds
    text: str  # with its variables filled in


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what was asked (one or more messages joined by newlines) and what was answered.

    `question` is all that the model reads (`bot.core.excerpts` composes it), `asked` the person's own words.
    Ids belong to the tokenizer whose sha256 `tokenizer` holds; with another one they are rebuilt from the texts.
    `window_from` is the id of the oldest turn that is still part of the prompt (None: the root is).
    A regenerated answer is a turn of its own beside the first: a version. The messages, question's and answer's, are
    always those of the version that is shown.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    user_id: int
    question: str
    state: TurnState
    created_at: float  # when it was asked, for the last time
    answer: str = ""
    question_ids: tuple[int, ...] = ()
    answer_ids: tuple[int, ...] = ()  # while generating: the partial ids
    tokenizer: str = ""
    window_from: int | None = None
    finish: Finish | None = None
    seed: int | None = None
    usage: Usage = field(default_factory=Usage)
    question_message_ids: tuple[int, ...] = ()  # in the order sent
    answer_message_ids: tuple[int, ...] = ()  # in the order shown
    attempts: int = 0  # generations begun: a question that ends the process must not be taken up for ever
    edits: int = 0  # how often its question was changed
    version: int = 1
    versions: int = 1  # how many there are
    continued_from: int = 0  # answer tokens that were there when it was told to go on: the length limit counts anew
    key: ConversationKey | None = None  # the conversation's; the store always fills it
    asked: str = ""
    excerpts: tuple[Excerpt, ...] = ()  # in the order of their messages
    pinned: bool = False  # no cut drops it
    kept: tuple[int, ...] = ()  # turns before `window_from` that are part of the prompt while pinned, or a summary
    summarizes: Summarizes | None = None  # then it is no exchange: its answer stands for what lies before `window_from`
    model: str = ""  # which one is to answer, by its name
    no_store: bool = False  # it is in no conversation's path, and is forgotten as its answer ends
    receipt: Receipt | None = None  # None: of a time when none were written, or not answered
    persona: ResolvedPersona | None = None  # that it was begun with; None: the bot's own system prompt
    place: Place | None = None  # None: not known
    payer_id: int | None = None  # on whose quota it counts; None: who asked
