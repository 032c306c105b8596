"""The filtered words: which ones admins chose for a server, or for everywhere, and what becomes of texts with them.

A question with one is refused; in an answer they are masked as it grows, and it is stored as it was shown: so history,
versions, summaries and quotes show nothing else either, while the ids are what the model wrote. What they are compared
with is `bot.core.wordfilter`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, Final

from bot.core.choices import NOBODY, Choices, Scope
from bot.core.messages import ExcerptKind, Question
from bot.core.wordfilter import WordFilter, entry_of
from bot.errors import RulesFull, WordFiltered, WordTooLong

MOST_WORDS: Final = 200
"""Of one server, and of everywhere: with both full, masking costs some 50 us a token."""
MOST_WORD_CHARS: Final = 60

_WORDS: Final = "filtered_words"
_MOST_KEPT: Final = 100  # filters made ready; one server needs one


class FilteredWords:
    """The lists. Nothing here waits, but for changes; those take turns. `guild_id` None means everywhere."""

    def __init__(self, choices: Choices) -> None:
        """Take the choices."""
        self._choices = choices
        self._changing = asyncio.Lock()
        self._filters: dict[tuple[str, ...], WordFilter] = {}

    def listed(self, guild_id: int | None) -> list[str]:
        """Return the words of a server, as they are compared, in alphabetical order."""
        return sorted(self._known(guild_id))

    async def add(self, guild_id: int | None, words: Iterable[str]) -> list[str]:
        """Add words and phrases; return those that are new. Raises: WordTooLong, RulesFull: then none is added."""
        entries = list(dict.fromkeys(filter(None, map(entry_of, words))))
        if any(len(entry) > MOST_WORD_CHARS for entry in entries):
            raise WordTooLong(MOST_WORD_CHARS)
        async with self._changing:
            known = self._known(guild_id)
            new = [entry for entry in entries if entry not in known]
            if len(known) + len(new) > MOST_WORDS:
                raise RulesFull(MOST_WORDS)
            await self._put(guild_id, [*known, *new])
            return new

    async def remove(self, guild_id: int | None, words: Iterable[str]) -> list[str]:
        """Take words off the list; return those that were on it. Raises: HistoryFailed."""
        entries = set(map(entry_of, words))
        async with self._changing:
            known = self._known(guild_id)
            await self._put(guild_id, [entry for entry in known if entry not in entries])
            return [entry for entry in known if entry in entries]

    def at(self, guild_id: int | None) -> WordFilter | None:
        """Return the filter that holds in a server (None: in direct messages), None if there is none."""
        words = tuple(self._get(None)) if guild_id is None else (*self._get(None), *self._get(guild_id))
        if not words:
            return None
        found = self._filters.get(words)
        if found is None:
            if len(self._filters) >= _MOST_KEPT:
                self._filters.clear()
            found = self._filters[words] = WordFilter(map(entry_of, words))
        return found

    def check(self, guild_id: int | None, texts: Iterable[str]) -> None:
        """Refuse texts with a filtered word. Raises: WordFiltered."""
        words = self.at(guild_id)
        if words is not None and any(words.is_in(text) for text in texts):
            raise WordFiltered

    def check_question(self, question: Question) -> None:
        """Refuse a question with a filtered word, in what it brings in too. Raises: WordFiltered."""
        self.check(question.key.guild_id, texts_of(question))

    def _known(self, guild_id: int | None) -> list[str]:
        """Return a list as it is compared today: it may be kept as it was when other characters counted."""
        return list(dict.fromkeys(filter(None, map(entry_of, self._get(guild_id)))))

    def _get(self, guild_id: int | None) -> Collection[str]:
        known: Any = self._choices.get(*_owner(guild_id), _WORDS)
        return known or ()

    async def _put(self, guild_id: int | None, words: list[str]) -> None:
        await self._choices.put(*_owner(guild_id), _WORDS, words or None, guild_id=guild_id)


def texts_of(question: Question) -> list[str]:
    """Return all texts of a question: its words and what it brings in; a quoted author's name is not its asker's."""
    names = [one.name for one in question.excerpts if one.kind is ExcerptKind.FILE]
    return [question.text, *names, *(one.text for one in question.excerpts)]


def _owner(guild_id: int | None) -> tuple[Scope, int]:
    return (Scope.EVERYWHERE, NOBODY) if guild_id is None else (Scope.SERVER, guild_id)
