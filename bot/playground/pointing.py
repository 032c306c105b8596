"""What a terminal's person does to messages that stand there already: press, reply, edit, delete.

Owns the reading of these lines and what they point at: buttons and the bot's messages by number. Knows no terminal.
"""

from __future__ import annotations

from typing import Any, Final

from bot.playground.components import name_of, usable
from bot.playground.model import Channel, Interaction, Message, required
from bot.playground.state import State
from bot.playground.typed import UsageError
from bot.playground.user import Person

USAGES: Final = {
    "press": "/press <number of a button>",
    "reply": "/reply <1 for the bot's newest message, 2 for the one before, ...> <text>",
    "edit": "/edit <new text of your last message>",
    "delete": "/delete",
}


class Pointing:
    """One person in one channel, who points at what he sees there."""

    def __init__(self, state: State, channel: Channel, person: Person) -> None:
        self._state = state
        self._channel = channel
        self._person = person

    def knows(self, line: str) -> bool:
        """Whether a line is one of these."""
        return _split(line)[0] in USAGES

    async def do(self, line: str) -> Message | Interaction | None:
        """Do what a line says; return what the bot may answer to. Raises: UsageError, ApiError."""
        name, rest = _split(line)
        if name == "press":
            message, buttons = self._buttons()
            number = _number(rest, len(buttons), name)
            return await self._person.press(required(message), buttons[number - 1]["custom_id"])
        if name == "reply":
            shown = self._of(self._person.bot.user.id)
            word, _, words = rest.partition(" ")
            number = _number(word, len(shown), name)
            if not words.strip():
                raise UsageError(USAGES[name])
            return await self._person.say(self._channel, words, reply_to=shown[-number])
        own = self._of(self._person.user.id)
        if not own or (name == "edit") != bool(rest):
            raise UsageError(USAGES[name])
        if name == "edit":
            return await self._person.edit(own[-1], rest)
        await self._person.delete(own[-1])
        return None

    def buttons(self) -> str:
        """Return the buttons that can be pressed now, as a line: `[1 Regenerate] [2 Continue]`."""
        return " ".join(f"[{number} {name_of(button)}]" for number, button in enumerate(self._buttons()[1], 1))

    def _buttons(self) -> tuple[Message | None, list[dict[str, Any]]]:
        """Return the newest message that has any, and them."""
        for message in reversed(self._of(self._person.bot.user.id)):
            found = [item for item in usable(message.components) if "label" in item or "emoji" in item]
            if found:
                return message, found
        return None, []

    def _of(self, author_id: int) -> list[Message]:
        messages = self._state.messages.get(self._channel.id, {}).values()
        return [message for message in messages if message.author.id == author_id and self._person.sees(message)]


def _split(line: str) -> tuple[str, str]:
    name, _, rest = line.removeprefix("/").partition(" ")
    return name.lower() if line.startswith("/") else "", rest.strip()


def _number(word: str, most: int, name: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= most:
        raise UsageError(USAGES[name])
    return int(word)
