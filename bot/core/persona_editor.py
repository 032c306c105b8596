"""What people do to personas: set, clear, save and delete them, if they may and if it fits.

Owns who may change which, how long a persona may be and how many may be saved. Does not know how anybody is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.core.choices import NOBODY, Scope
from bot.core.excerpts import one_line
from bot.core.limits import Admission
from bot.core.models import Models
from bot.core.permissions import Permissions
from bot.core.personas import Persona, Personas
from bot.core.visitor import Visitor
from bot.errors import (
    NoPersonaToSave,
    NoSuchPersona,
    PersonaEmpty,
    PersonaNameEmpty,
    PersonaNotAllowed,
    PersonaOwnOnly,
    PersonasFull,
    PersonaTooLong,
)

MOST_SAVED: Final = 25
"""How many personas a person, or a server, may save: as many as Discord proposes at once."""

NAME_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """How long a persona is for a visitor, its variables filled in, by the model that answers them."""

    tokens: int
    limit_tokens: int  # of what may be set
    is_used: bool  # False: it was set for another model, and is too long for this one


class PersonaEditor:
    """Changes personas. Every method may be called from many tasks of one event loop."""

    def __init__(self, personas: Personas, models: Models, permissions: Permissions, admission: Admission) -> None:
        """Take the parts."""
        self._personas = personas
        self._models = models
        self._permissions = permissions
        self._admission = admission

    def may_change(self, visitor: Visitor, scope: Scope) -> bool:
        """Tell whether a person may see and change the persona of a scope where they are."""
        if scope is Scope.PERSON:
            return True
        if scope is Scope.EVERYWHERE:
            return visitor.is_owner
        return visitor.guild_id is not None and self._permissions.may_change_personas(visitor)

    def check(self, visitor: Visitor, scope: Scope) -> None:
        """Let a person change the persona of a scope where they are.

        Raises: as `check_may`; what `Admission.check` raises, for who may not use the bot may not change it either.
        """
        self._admission.check(visitor)
        self.check_may(visitor, scope)

    def check_may(self, visitor: Visitor, scope: Scope) -> None:
        """Let a person see the persona of a scope where they are. Raises: PersonaNotAllowed, PersonaOwnOnly."""
        if self.may_change(visitor, scope):
            return
        raise PersonaNotAllowed if visitor.guild_id is not None else PersonaOwnOnly

    def chosen(self, visitor: Visitor, scope: Scope) -> str | None:
        """Return the persona that is set for a scope where a visitor is."""
        return self._personas.chosen(scope, _owner(visitor, scope))

    def measure(self, visitor: Visitor, text: str, *, is_shared: bool = False) -> Measured:
        """Count a persona's tokens, as this visitor's conversations would be told it."""
        prompts = self._models.at(visitor).prompts
        tokens = prompts.persona_tokens(Persona(text, Scope.PERSON), visitor, is_shared=is_shared)
        return Measured(tokens, prompts.persona_limit_tokens, tokens <= prompts.largest_persona_tokens)

    async def set(self, visitor: Visitor, scope: Scope, text: str) -> Measured:
        """Set a persona, from the next question on. Raises: as `check`; PersonaEmpty, PersonaTooLong, HistoryFailed."""
        self.check(visitor, scope)
        if not text.strip():
            raise PersonaEmpty
        measured = self.measure(visitor, text)
        if measured.tokens > measured.limit_tokens:
            raise PersonaTooLong(measured.tokens, measured.limit_tokens)
        await self._personas.set(scope, _owner(visitor, scope), text, guild_id=visitor.guild_id)
        return measured

    async def clear(self, visitor: Visitor, scope: Scope) -> bool:
        """Take a persona away; return whether there was one. Raises: as `check`; HistoryFailed."""
        self.check(visitor, scope)
        return await self._personas.set(scope, _owner(visitor, scope), None, guild_id=visitor.guild_id)

    # The saved ones: a person's, and a server's, which all may take and those with its personas in their care change

    def saved(self, visitor: Visitor) -> list[tuple[str, Scope]]:
        """Return the names of what a visitor may take, their own first, each with whose it is."""
        own = [(name, Scope.PERSON) for name in self._personas.saved(Scope.PERSON, visitor.user_id)]
        if visitor.guild_id is None:
            return own
        return own + [(name, Scope.SERVER) for name in self._personas.saved(Scope.SERVER, visitor.guild_id)]

    def named(self, visitor: Visitor, name: str, scope: Scope | None = None) -> tuple[str, Scope]:
        """Return a saved persona and whose it is: by default a person's own before the server's. Raises: NoSuchPersona.

        Capitals do not matter.
        """
        wanted = one_line(name).casefold()
        for known, known_scope in self.saved(visitor):
            if known.casefold() == wanted and scope in (None, known_scope):
                return self._personas.saved(known_scope, _owner(visitor, known_scope))[known], known_scope
        raise NoSuchPersona

    async def save(self, visitor: Visitor, scope: Scope, name: str) -> str:
        """Save the persona that is set for a scope: one's own for oneself, others for the server; return its name.

        One of the same name is replaced. Raises: as `check`; PersonaNameEmpty, NoPersonaToSave, PersonasFull,
        HistoryFailed.
        """
        self.check(visitor, scope)
        text, kept, library = self.chosen(visitor, scope), one_line(name)[:NAME_CHARS], _library(scope)
        if not kept:
            raise PersonaNameEmpty
        if text is None:
            raise NoPersonaToSave
        owner_id = _owner(visitor, library)
        names = list(self._personas.saved(library, owner_id))
        same = next((known for known in names if known.casefold() == kept.casefold()), None)
        if same is None and len(names) >= MOST_SAVED:
            raise PersonasFull(MOST_SAVED)
        await self._personas.save(library, owner_id, same or kept, text)
        return same or kept

    async def delete(self, visitor: Visitor, scope: Scope, name: str) -> None:
        """Delete a saved persona; where it is in use it stays so. Raises: as `check`; NoSuchPersona, HistoryFailed."""
        self.check(visitor, scope)
        library, wanted = _library(scope), one_line(name).casefold()
        owner_id = _owner(visitor, library)
        same = next((known for known in self._personas.saved(library, owner_id) if known.casefold() == wanted), None)
        if same is None:
            raise NoSuchPersona
        await self._personas.save(library, owner_id, same, None)


def _library(scope: Scope) -> Scope:
    """Return where the persona of a scope is saved; what holds everywhere is an owner's own."""
    return Scope.PERSON if scope in (Scope.PERSON, Scope.EVERYWHERE) else Scope.SERVER


def _owner(visitor: Visitor, scope: Scope) -> int:
    owners = {Scope.PERSON: visitor.user_id, Scope.CHANNEL: visitor.channel_id, Scope.SERVER: visitor.guild_id}
    return owners.get(scope) or NOBODY
