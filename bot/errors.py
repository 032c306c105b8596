"""Every error the bot raises on purpose, and what a person is told of it.

    BotError
    ├── StartError                 the process cannot start or go on; ends it with `exit_code`
    │   ├── SettingsInvalid
    │   ├── TokenMissing
    │   ├── TokenMalformed
    │   ├── LoginRefused           Discord will not have this token or these intents
    │   ├── DeviceUnavailable
    │   ├── ModelUnusable
    │   └── DatabaseUnusable       newer than this program, or no database at all
    ├── RestartedTooLate           a question of before a restart, too old to be answered now
    ├── WaitedTooLong              a question whose turn did not come in time
    ├── QuestionRefused            nothing was recorded; the person may try again
    │   ├── QuestionEmpty
    │   ├── QuestionTooLong
    │   ├── QuotaReached           what this person may use is used up for now; `wait_s` tells for how long
    │   │   ├── TooManyQuestions
    │   │   ├── CooldownRuns
    │   │   ├── TokensUsedUp       and TokensUsedUpHere, in one server
    │   │   └── TokensPromised     answers on their way may need the rest
    │   ├── QuotaWithoutLimits
    │   ├── RolesNowhere
    │   ├── QueueFull
    │   ├── TurnGone               an exchange that is forgotten, or another conversation's
    │   ├── AnswerStillRuns
    │   ├── NothingToContinue
    │   ├── NoRoomToContinue
    │   ├── NoSuchModel
    │   ├── PinsFull
    │   ├── NothingToPin
    │   ├── NothingToSummarize
    │   ├── NotYourAnswer
    │   ├── AnswerTooOld
    │   ├── ModeratorsOnly
    │   ├── AdminsOnly
    │   ├── PersonaTooLong         personas: what may be set, and by whom; so with the next seven
    │   ├── PersonaEmpty
    │   ├── PersonaNotAllowed
    │   ├── PersonaOwnOnly
    │   ├── NoSuchPersona
    │   ├── NoPersonaToSave
    │   ├── PersonaNameEmpty
    │   ├── PersonasFull
    │   ├── Paused
    │   ├── PersonBlocked          admins of this server, or the owners, decided so; so with the next four
    │   ├── PersonNotAllowed
    │   ├── PlaceBlocked
    │   ├── PlaceNotAllowed
    │   ├── AgeRestrictedOnly
    │   ├── RulesFull
    │   ├── WordFiltered
    │   ├── WordTooLong
    │   └── ShuttingDown
    ├── HistoryFailed              the database did not take this read or write
    └── EngineError
        ├── PromptTooLong
        ├── EngineBusy
        ├── EngineFailed           this one generation
        ├── ModelNotLoaded         one of several models
        ├── NoRoomForModel
        └── EngineDead             every generation from now on

Each carries its fields and a `user_message` free of internals, from `bot.texts`. Foreign errors are translated once, at
the seam where they enter, with `raise ... from exc`.
"""

from __future__ import annotations

import math
from typing import ClassVar

from bot.texts import DEFAULT_LOCALE, text

EX_UNAVAILABLE = 69  # sysexits.h: a service is unavailable; trying again later may help
EX_SOFTWARE = 70
UNMEASURED_WAIT_S = 60.0  # said while no generation has been measured yet

EX_CONFIG = 78  # sysexits.h: something is configured wrongly; trying again changes nothing


def _seconds(wait_s: float) -> int:
    """Return whole seconds after which it is surely over; at least one."""
    return max(1, math.ceil(wait_s))


class BotError(Exception):
    """The root. `key` names the sentence in the catalogue; `fields` fill it."""

    key: ClassVar[str] = "error.unexpected"

    def __init__(self, detail: str = "", **fields: object) -> None:
        """Take a detail for the log and the fields of the user's sentence."""
        self.detail = detail
        self.fields = fields
        super().__init__(detail or text(self.key, **fields))

    def user_message(self, locale: str = DEFAULT_LOCALE) -> str:
        """Return the sentence for the person, without internals."""
        return text(self.key, locale, **self.fields)


class StartError(BotError):
    """The process cannot start or go on; its message is one sentence for the admin."""

    key = "error.start"
    exit_code: ClassVar[int] = EX_CONFIG


class SettingsInvalid(StartError):
    """One or more settings are wrong; the message has a line for each."""


class TokenMissing(StartError):
    """There is no token and no terminal to try the bot on."""


class TokenMalformed(StartError):
    """The token is none; the message does not hold it."""


class LoginRefused(StartError):
    """Discord refused the token, the intents or the shard for good."""


class DeviceUnavailable(StartError):
    """The device asked for is not there and no fallback is allowed."""


class ModelUnusable(StartError):
    """The model folder is missing, incomplete or not a Phi-3."""


class DatabaseUnusable(StartError):
    """The database is newer than this program, or is none; it was left untouched."""


class RestartedTooLate(BotError):
    """A question of before a restart that is too old to be answered out of the blue."""

    key = "error.restarted_too_late"


class WaitedTooLong(BotError):
    """A question's turn did not come in time. Fields: `minutes`."""

    key = "error.waited_too_long"

    def __init__(self, waited_s: float) -> None:
        """Take how long it waited."""
        super().__init__(minutes=max(1, round(waited_s / 60)))


class QuestionRefused(BotError):
    """The question was not taken; nothing was recorded.

    Most refusals hold for a while, whatever is asked. So that nobody is flooded, a frontend says the sentence once in
    some minutes, and then gives a sign instead.
    """

    is_about_message: ClassVar[bool] = False
    """Whether it is about this very message, so that its sentence is worth saying each time."""
    is_about_place: ClassVar[bool] = False
    """Whether it is about the channel or server, and so for everybody: who does not address the bot need not know."""
    is_about_person: ClassVar[bool] = False
    """Whether it is about who asks, whatever they ask: to who talks to others it is said, but no sign is given."""
    passes: ClassVar[bool] = False
    """Whether it passes by itself, so that it is worth asking again later."""


class QuestionEmpty(QuestionRefused):
    """There is nothing to answer."""

    key = "refused.empty"
    is_about_message = True


class FilesUnreadable(QuestionRefused):
    """There is nothing to answer but files, of which none can be read."""

    key = "empty.attachment"
    is_about_message = True


class QuestionTooLong(QuestionRefused):
    """One message alone is longer than the window. Fields: `tokens`, `limit_tokens`."""

    key = "refused.too_long"
    is_about_message = True

    def __init__(self, tokens: int, limit_tokens: int) -> None:
        """Take the question's length and the longest that would fit, both in tokens."""
        super().__init__(tokens=tokens, limit_tokens=limit_tokens)


class QuotaReached(QuestionRefused):
    """What one person may use is used up; `wait_s`: for how many seconds, 0 where that is not known."""

    passes = True
    wait_s: float = 0.0


class TooManyQuestions(QuotaReached):
    """One person asks faster than the admin allows. Fields: `per_minute`, `retry_after_s`."""

    key = "refused.too_many"

    def __init__(self, per_minute: int, retry_after_s: float) -> None:
        """Take the limit and the seconds until the next question is taken."""
        super().__init__(per_minute=per_minute, retry_after_s=_seconds(retry_after_s))
        self.wait_s = retry_after_s


class CooldownRuns(QuotaReached):
    """The pause between two questions is not over. Fields: `cooldown_s`, `retry_after_s`."""

    key = "refused.cooldown"

    def __init__(self, cooldown_s: int, retry_after_s: float) -> None:
        """Take the pause and what is left of it, in seconds."""
        super().__init__(cooldown_s=cooldown_s, retry_after_s=_seconds(retry_after_s))
        self.wait_s = retry_after_s


class TokensUsedUp(QuotaReached):
    """A person's tokens of today are used up. Fields: `limit_tokens`, `renews_at` (UTC seconds)."""

    key = "refused.tokens_used_up"

    def __init__(self, limit_tokens: int, renews_at: float, wait_s: float) -> None:
        """Take how many they were, when there are new ones, and in how many seconds that is."""
        super().__init__(limit_tokens=limit_tokens, renews_at=round(renews_at))
        self.wait_s = wait_s


class TokensUsedUpHere(TokensUsedUp):
    """Those of one server are."""

    key = "refused.tokens_used_up_here"


class TokensPromised(QuotaReached):
    """Answers on their way to this person may need all that is left of today's tokens. Fields: `left_tokens`."""

    key = "refused.tokens_promised"

    def __init__(self, left_tokens: int) -> None:
        """Take what is left before those answers."""
        super().__init__(left_tokens=left_tokens)


class QuotaWithoutLimits(QuestionRefused):
    """An admin sets a quota and names no limit."""

    key = "refused.quota_without_limits"


class RolesNowhere(QuestionRefused):
    """A role is named where no server is: roles belong to one."""

    key = "refused.roles_nowhere"


class QueueFull(QuestionRefused):
    """Too many questions are waiting. Fields: `waiting`, `retry_after_s`."""

    key = "refused.queue_full"
    passes = True

    def __init__(self, waiting: int, retry_after_s: float | None) -> None:
        """Take how many questions wait already, and the seconds until there is room, where they are known."""
        super().__init__(waiting=waiting, retry_after_s=max(1, round(retry_after_s or UNMEASURED_WAIT_S)))


class TurnGone(QuestionRefused):
    """There is no such exchange in this conversation, or not any more."""

    key = "refused.gone"
    is_about_message = True


class AnswerStillRuns(QuestionRefused):
    """What is asked for needs an answer that has ended, and this one has not."""

    key = "refused.still_runs"


class NothingToContinue(QuestionRefused):
    """The answer was not cut off by its length."""

    key = "refused.nothing_to_continue"


class NoRoomToContinue(QuestionRefused):
    """Question and answer so far fill the window."""

    key = "refused.no_room_to_continue"


class NoSuchModel(QuestionRefused):
    """There is no model of this name. Fields: `model`."""

    key = "refused.no_such_model"

    def __init__(self, model: str) -> None:
        """Take the name."""
        super().__init__(model=model)


class PinsFull(QuestionRefused):
    """The pinned turns would take too much of the window. Fields: `tokens`, `limit_tokens`."""

    key = "refused.pins_full"

    def __init__(self, tokens: int, limit_tokens: int) -> None:
        """Take how many tokens they would be, and how many they may be."""
        super().__init__(tokens=tokens, limit_tokens=limit_tokens)


class NothingToPin(QuestionRefused):
    """The turn has no answer (yet): prompts do not contain it."""

    key = "refused.nothing_to_pin"


class NothingToSummarize(QuestionRefused):
    """No exchange is in the window, or none that may be dropped."""

    key = "refused.nothing_to_summarize"


class NotYourAnswer(QuestionRefused):
    """Somebody else's answer, and no moderator's business either."""

    key = "refused.not_yours"


class AnswerTooOld(QuestionRefused):
    """An answer from so long ago that it is not made anew."""

    key = "refused.too_old"


class ModeratorsOnly(QuestionRefused):
    """It concerns everybody in the channel, and this person does not manage it."""

    key = "refused.moderators_only"


class AdminsOnly(QuestionRefused):
    """It concerns the whole server, and this person does not manage it."""

    key = "refused.admins_only"


class OwnersOnly(QuestionRefused):
    """It concerns all places, and this person is no owner of the bot."""

    key = "refused.owners_only"


class Paused(QuestionRefused):
    """Admins take no questions here for now."""

    key = "refused.paused"
    is_about_place = True
    passes = True


class PersonBlocked(QuestionRefused):
    """Admins blocked this person, or a role of theirs."""

    key = "refused.blocked"
    is_about_person = True


class PersonNotAllowed(QuestionRefused):
    """Admins allowed only some people, and this is none of them."""

    key = "refused.not_allowed"
    is_about_person = True


class PlaceBlocked(QuestionRefused):
    """Admins blocked this channel, what it hangs under, or its category."""

    key = "refused.place_blocked"
    is_about_place = True


class PlaceNotAllowed(QuestionRefused):
    """Admins allowed only some channels, and this is none of them."""

    key = "refused.place_not_allowed"
    is_about_place = True


class AgeRestrictedOnly(QuestionRefused):
    """Admins allowed age-restricted channels only, and this is none."""

    key = "refused.age_restricted"
    is_about_place = True


class RulesFull(QuestionRefused):
    """A list of the admins' is full. Fields: `limit`."""

    key = "refused.rules_full"

    def __init__(self, limit: int) -> None:
        """Take how many it may hold."""
        super().__init__(limit=limit)


class PersonaTooLong(QuestionRefused):
    """The persona would take too much of the window. Fields: `tokens`, `limit_tokens`."""

    key = "refused.persona_too_long"

    def __init__(self, tokens: int, limit_tokens: int) -> None:
        """Take how many tokens it is, and how many it may be."""
        super().__init__(tokens=tokens, limit_tokens=limit_tokens)


class PersonaEmpty(QuestionRefused):
    """The persona says nothing."""

    key = "refused.persona_empty"


class PersonaNotAllowed(QuestionRefused):
    """The persona of a channel or server is not this person's to change."""

    key = "refused.persona_not_allowed"


class PersonaOwnOnly(QuestionRefused):
    """Outside of servers that have the bot, there is only a person's own."""

    key = "refused.persona_own_only"


class NoSuchPersona(QuestionRefused):
    """None is saved under that name."""

    key = "refused.no_such_persona"


class NoPersonaToSave(QuestionRefused):
    """None is set where it was to be saved from."""

    key = "refused.no_persona_to_save"


class PersonaNameEmpty(QuestionRefused):
    """A name of nothing that can be shown."""

    key = "refused.persona_name_empty"


class PersonasFull(QuestionRefused):
    """No more may be saved. Fields: `limit`."""

    key = "refused.personas_full"

    def __init__(self, limit: int) -> None:
        """Take how many may be."""
        super().__init__(limit=limit)


class WordFiltered(QuestionRefused):
    """The question has a word that admins filter, or what it brings in does."""

    key = "refused.filtered"


class WordTooLong(QuestionRefused):
    """A word to be filtered is too long. Fields: `limit_chars`."""

    key = "refused.word_too_long"

    def __init__(self, limit_chars: int) -> None:
        """Take how long it may be, in characters."""
        super().__init__(limit_chars=limit_chars)


class ShuttingDown(QuestionRefused):
    """The process is ending."""

    key = "refused.shutting_down"
    passes = True


class HistoryFailed(BotError):
    """The database did not take this read or write: a full disk, a broken file; nothing of the write was kept."""


class EngineError(BotError):
    """The engine could not answer."""

    key = "error.engine"


class PromptTooLong(EngineError):
    """The prompt leaves no room in the window. Fields: `tokens`, `limit_tokens`."""

    key = "refused.too_long"

    def __init__(self, tokens: int, limit_tokens: int) -> None:
        """Take the prompt's length and the longest that is taken, both in tokens."""
        super().__init__(tokens=tokens, limit_tokens=limit_tokens)


class EngineBusy(EngineError):
    """No slot is free and the engine does not queue."""

    key = "error.engine_busy"


class EngineFailed(EngineError):
    """This one generation failed; others go on."""

    key = "error.engine"


class EngineDead(EngineError):
    """The engine is gone: not loaded, crashed or closed."""

    key = "error.engine_dead"


class ModelNotLoaded(EngineError):
    """A model that is loaded on demand could not be; `detail` says why. Fields: `model`."""

    key = "error.model_not_loaded"

    def __init__(self, model: str, detail: str) -> None:
        """Take the model's name and the reason."""
        super().__init__(f"{model}: {detail}", model=model)


class NoRoomForModel(EngineError):
    """A model does not fit into the memory beside those that are needed now. Fields: `model`, `need_gb`, `free_gb`."""

    key = "error.no_room_for_model"

    def __init__(self, model: str, need_gb: float, free_gb: float) -> None:
        """Take the model's name, and what it needs and what there is in GB."""
        super().__init__(model=model, need_gb=f"{need_gb:.1f}", free_gb=f"{free_gb:.1f}")
