"""Stop strings: cuts a growing text before the first of them and shows nothing that might become part of one.

Knows nothing of tokens. The result does not depend on how the text was cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Watches one text grow."""

    def __init__(self, stops: Sequence[str]) -> None:
        """Take the strings to stop at, none of them empty."""
        self._stops = tuple(stops)
        self._longest_chars = max(map(len, self._stops), default=1)
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Take more text; return what may be shown of it, and whether a stop string was found: then nothing follows.

        The string that is complete first wins; of two that end together, the longer one.
        """
        if not self._stops:
            return text, False
        held = self._held + text
        found = [(start + len(stop), start) for stop in self._stops if (start := held.find(stop)) >= 0]
        if found:
            self._held = ""
            return held[: min(found)[1]], True
        kept_chars = self._beginning_chars(held)
        self._held = held[len(held) - kept_chars :]
        return held[: len(held) - kept_chars], False

    def flush(self) -> str:
        """Return what was held back: the text ended, and it was no stop string after all."""
        held, self._held = self._held, ""
        return held

    def _beginning_chars(self, text: str) -> int:
        """Return the length of the longest end of `text` that some stop string begins with."""
        for chars in range(min(len(text), self._longest_chars - 1), 0, -1):
            if any(stop.startswith(text[-chars:]) for stop in self._stops):
                return chars
        return 0
