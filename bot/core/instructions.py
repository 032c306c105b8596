"""Which system prompt a turn has: the persona that its conversation was told, or the bot's own.

Owns when a persona's variables are filled in: for a conversation's first turn, again where a cut changes the prompt
anyway, and when another persona holds by then. In between every turn, branch and version is told the very same, else
nothing of its prompt would be in the prefix cache. Knows nothing of who may choose a persona.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import structlog

from bot.core.choices import Scope
from bot.core.layout import is_summary
from bot.core.messages import Place, Question, ResolvedPersona, Turn
from bot.core.personas import Persona, Personas
from bot.core.phi3 import Phi3Tokenizer
from bot.core.preferences import LANGUAGES, Preferences
from bot.core.visitor import Visitor, place_of, visitor_of_question

log = structlog.get_logger(__name__)

LARGEST_SHARE: Final = 2
"""A persona that is more than one part in so many of the window is not used: there would be no room to talk."""

_ENCODED: Final = 64  # texts whose ids are kept


@dataclass(frozen=True, slots=True)
class Instructions:
    """A system prompt. `ids: (n,)`."""

    text: str
    ids: tuple[int, ...]
    persona: ResolvedPersona | None = None  # None: the bot's own system prompt
    is_inherited: bool = False  # from the turn before
    is_secret: bool = True  # from those who ask: it is not theirs
    tells_time: bool = False  # the newest question does, that is
    language: str | None = None  # that the newest question asks to be answered in, by its code


class Instructor:
    """Chooses the system prompts of one model's turns."""

    def __init__(
        self,
        tokenizer: Phi3Tokenizer,
        system_prompt: str,
        personas: Personas | None,
        context_tokens: Callable[[], int],
        preferences: Preferences | None = None,
    ) -> None:
        """Take the bot's own system prompt, and where personas and people's languages are known, if at all."""
        self._preferences = preferences
        self._encode = lru_cache(_ENCODED)(tokenizer.encode)
        self._personas = personas
        self._context_tokens = context_tokens
        self._own = Instructions(system_prompt, tokenizer.encode(system_prompt))
        self._last_too_long = ""

    @property
    def own(self) -> Instructions:
        """The bot's own system prompt."""
        return self._own

    def of(self, turn: Turn, parent: Turn | None) -> Instructions:
        """Return a turn's, `parent` being the last before it that was begun."""
        told = self._told(turn, parent)
        return told if turn.summarizes is not None else self._in_language(told, turn.user_id)

    def _told(self, turn: Turn, parent: Turn | None) -> Instructions:
        held = self._personas.of(turn) if self._personas else None
        if turn.answer_ids:  # it goes on where it was
            return self._as_told(turn.persona, held)
        if turn.summarizes is not None:  # all but its instruction is cached
            return self._as_told(turn.persona or (parent.persona if parent else None), held)
        if held is not None and turn.persona is not None and turn.persona.sha256 == held.sha256:
            return self._as_told(turn.persona, held)
        return self._after(parent, held) or self.anew(turn)

    def after(self, head: Turn) -> Instructions:
        """Return what a question that follows this turn will have, unless another persona holds by then."""
        held = self._personas.of(head) if self._personas else None
        return self._after(head, held) or self.anew(head)

    def _after(self, parent: Turn | None, held: Persona | None) -> Instructions | None:
        """Return what is inherited; None where the variables are to be filled in anew."""
        if held is None:
            return self._own
        if parent is None or parent.persona is None or parent.persona.sha256 != held.sha256 or is_summary(parent):
            return None
        return self._as_told(parent.persona, held, is_inherited=True)

    def anew(self, turn: Turn) -> Instructions:
        """Return what holds for a turn now, its variables filled in now."""
        held = self._personas.of(turn) if self._personas else None
        is_shared, guild_id = (turn.key.user_id is None, turn.key.guild_id) if turn.key else (False, None)
        return self._resolved(held, turn.place or Place(), is_shared=is_shared, guild_id=guild_id)

    def for_question(self, question: Question) -> Instructions:
        """Return what a question will have as the first of its conversation."""
        visitor, is_shared = visitor_of_question(question), question.key.user_id is None
        return self.for_visitor(visitor, is_shared=is_shared)

    def for_visitor(self, visitor: Visitor, *, is_shared: bool = False) -> Instructions:
        """Return what a visitor's question will have as the first of its conversation."""
        held = self._personas.at(visitor, is_shared=is_shared) if self._personas else None
        resolved = self._resolved(held, place_of(visitor), is_shared=is_shared, guild_id=visitor.guild_id)
        return self._in_language(resolved, visitor.user_id)

    def _in_language(self, told: Instructions, user_id: int) -> Instructions:
        language = self._preferences.language(user_id) if self._preferences else None
        return told if language is None else replace(told, language=language)

    def _resolved(self, held: Persona | None, place: Place, *, is_shared: bool, guild_id: int | None) -> Instructions:
        if held is None or self._personas is None:
            return self._own
        resolved = self._personas.resolve(held, place, is_shared=is_shared, is_private=guild_id is None)
        return self._as_told(resolved, held)

    def _as_told(
        self, persona: ResolvedPersona | None, held: Persona | None, *, is_inherited: bool = False
    ) -> Instructions:
        """Return a persona as a system prompt; the bot's own where it is too long for this model."""
        if persona is None:
            return self._own
        ids = self._encode(persona.text)
        limit_tokens = self.largest_persona_tokens
        if len(ids) > limit_tokens:
            if persona.sha256 != self._last_too_long:
                self._last_too_long = persona.sha256
                log.warning("persona_too_long", sha256=persona.sha256, tokens=len(ids), limit_tokens=limit_tokens)
            return self._own
        if held is None or held.sha256 != persona.sha256:  # an older one, of an answer that goes on
            return Instructions(persona.text, ids, persona, is_inherited)
        is_secret = held.scope is not Scope.PERSON
        return Instructions(persona.text, ids, persona, is_inherited, is_secret, held.tells_time)

    def persona_tokens(self, persona: Persona, visitor: Visitor, *, is_shared: bool) -> int:
        """Return how many tokens a persona is, its variables filled in for a visitor now."""
        if self._personas is None:
            return len(self._encode(persona.text))
        is_private = visitor.guild_id is None
        resolved = self._personas.resolve(persona, place_of(visitor), is_shared=is_shared, is_private=is_private)
        return len(self._encode(resolved.text))

    @property
    def largest_persona_tokens(self) -> int:
        """The longest persona that is used."""
        return self._context_tokens() // LARGEST_SHARE

    def read(self, question: str, system: Instructions, asked_at: float = 0.0) -> str:
        """Return what the model reads of a question: with the time of day (UTC seconds), where its persona wants it.

        And in which language to answer, where its person chose one: here and not in the system prompt, so that nobody's
        choice changes what all of a shared conversation have in the prefix cache.
        """
        told = [question]
        if self._personas is not None and system.tells_time:
            told.append(self._personas.time_told(asked_at))
        if system.language is not None:
            told.append(f"(Please answer in {LANGUAGES[system.language]}.)")
        return "\n\n".join(told)
