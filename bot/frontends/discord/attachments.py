"""The files of a message: which are read, what the model gets of them, and what is said of the others.

Owns the limits of number and size. Fetching is `fetch`'s, reading `bot.files`'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import discord

from bot.core.messages import Brought, Excerpt, ExcerptKind, Turn
from bot.errors import ShuttingDown
from bot.files.reader import FileReader
from bot.frontends.discord.fetch import Fetcher, Unfetched
from bot.frontends.discord.split import sayable
from bot.texts import text

PASTED_NAME: Final = "message.txt"
"""What Discord's clients make of a message that is longer than 2000 characters."""

_AT_ONCE: Final = 4  # files on their way, of everybody's; each is held in memory whole
_NAME_CHARS: Final = 60
_MEDIA: Final = {"image": "file.picture", "audio": "file.sound", "video": "file.video"}


@dataclass(frozen=True, slots=True)
class AttachmentLimits:
    """What the admin allows: files of one message, and the bytes of each; all together may have twice as many."""

    files: int = 5
    file_bytes: int = 8 * 2**20

    @property
    def together_bytes(self) -> int:
        """The bytes of all that is read of one message."""
        return 2 * self.file_bytes


DEFAULT_LIMITS: Final = AttachmentLimits()


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file as Discord tells of it; `media` is the first half of its content type, which goes by its name."""

    name: str
    url: str
    size_bytes: int
    media: str = ""


def files_of(message: discord.Message, our_user_id: int) -> list[GivenFile]:
    """Return the files of a message, of what it forwards, and of the message that it replies to unless that is ours."""
    attached = list(message.attachments)
    for snapshot in message.message_snapshots:
        attached += snapshot.attachments
    replied_to = message.reference.resolved if message.reference is not None else None
    if isinstance(replied_to, discord.Message) and replied_to.author.id != our_user_id:
        attached += replied_to.attachments
    return [given(attachment) for attachment in attached]


def unread(files: Sequence[GivenFile]) -> tuple[Excerpt, ...]:
    """Return what stands for files of which nothing was read (yet): their names."""
    return tuple(Excerpt(ExcerptKind.FILE, file.name, "") for file in files)


def given(attachment: discord.Attachment) -> GivenFile:
    """Return what Discord tells of one file."""
    media = (attachment.content_type or "").partition("/")[0]
    return GivenFile(attachment.filename, attachment.url, attachment.size, media)


class Bringing:
    """The files of one question, for the chat to bring in once it has taken the question: `Chat.ask`'s `bring`."""

    def __init__(self, attachments: Attachments, files: Sequence[GivenFile], locale: str) -> None:
        """Take who reads them; nothing is fetched yet."""
        self._attachments = attachments
        self._files = files
        self._locale = locale
        self.notes: list[str] = []
        """Lines for the person about what was not read, once they have been brought."""

    async def __call__(self) -> Brought:
        """Fetch and read them."""
        brought, notes = await self._attachments.bring(self._files, self._locale)
        self.notes += notes
        return brought


class Attachments:
    """Brings files into questions. Lives as long as the frontend; `aclose` it, the reader is its maker's."""

    def __init__(self, reader: FileReader, fetcher: Fetcher, limits: AttachmentLimits) -> None:
        """Take who reads and who fetches."""
        self._reader = reader
        self._fetcher = fetcher
        self._limits = limits
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def aclose(self) -> None:
        """Close the connections that files are fetched over."""
        await self._fetcher.aclose()

    async def bring(self, files: Sequence[GivenFile], locale: str) -> tuple[Brought, Sequence[str]]:
        """Fetch and read the files of a message, as many as the limits allow; return a note for each that is not read.

        Cancelling stops what is being fetched and read.
        """
        reasons = self._refusals(files)
        outcomes: list[Excerpt | str] = [*reasons]
        async with asyncio.TaskGroup() as group:
            reading = {
                index: group.create_task(self._read(file)) for index, file in enumerate(files) if not reasons[index]
            }
        for index, task in reading.items():
            outcomes[index] = task.result()
        excerpts = tuple(
            unread([file])[0] if isinstance(outcome, str) else outcome
            for file, outcome in zip(files, outcomes, strict=True)
        )
        is_pasted = len(excerpts) == 1 and excerpts[0].name == PASTED_NAME and not excerpts[0].left_out_chars
        notes = self._notes(zip(files, outcomes, strict=True), locale)
        return Brought(excerpts, words=excerpts[0].text if is_pasted else ""), notes

    def _refusals(self, files: Sequence[GivenFile]) -> list[str]:
        """Return for each file why it is not even fetched, or nothing: what may be text comes before pictures."""
        limits, reasons, count, sum_bytes = self._limits, [""] * len(files), 0, 0
        for index in sorted(range(len(files)), key=lambda index: files[index].media in _MEDIA):
            file = files[index]
            if not limits.files:
                reasons[index] = "file.off"
            elif file.size_bytes > limits.file_bytes:
                reasons[index] = _MEDIA.get(file.media, "file.too_large")
            elif count == limits.files:
                reasons[index] = "file.too_many"
            elif sum_bytes + file.size_bytes > limits.together_bytes:
                reasons[index] = "file.too_large_together"
            else:
                count, sum_bytes = count + 1, sum_bytes + file.size_bytes
        return reasons

    async def _read(self, file: GivenFile) -> Excerpt | str:
        """Return what the model gets of one file, or why it gets nothing."""
        try:
            async with self._slots:
                content = await self._fetcher.fetch(file.url, file.size_bytes)
                found = await self._reader.read(content, file.name)
        except Unfetched as exc:
            return exc.reason
        except ShuttingDown:
            return "file.unreachable"  # nobody reads this: no question is taken any more
        return found.reason or Excerpt(ExcerptKind.FILE, file.name, found.text, found.left_out_chars)

    def _notes(self, outcomes: Iterable[tuple[GivenFile, Excerpt | str]], locale: str) -> tuple[str, ...]:
        """Return a line for each reason, with the names of all files that it holds for."""
        names: dict[str, list[str]] = {}
        for file, outcome in outcomes:
            if isinstance(outcome, str):
                names.setdefault(outcome, []).append(shown_name(file.name))
        mb = 2**20
        fields = {
            "count": self._limits.files,
            "limit_mb": self._limits.file_bytes // mb,
            "together_mb": self._limits.together_bytes // mb,
        }
        return tuple(text(reason, locale, names=", ".join(those), **fields) for reason, those in names.items())


def notes_of(turn: Turn, locale: str, *, told: Sequence[str] = ()) -> list[str]:
    """Return the lines below an answer about the files and quotes that the model did not get, or not to their ends.

    `told`: what is known of why a file was not read. After a restart, for another version of the answer, or for a
    message that joined it, only that it was not is known.
    """
    notes = [*told]
    files = [one for one in turn.excerpts if one.kind is ExcerptKind.FILE and not one.text and not one.left_out_chars]
    untold = [name for name in (shown_name(one.name) for one in files) if not any(name in line for line in told)]
    if untold:
        notes.append(text("file.unread", locale, names=", ".join(untold)))
    for one in turn.excerpts:
        if one.left_out_chars:
            share = len(one.text) / (len(one.text) + one.left_out_chars)
            key = "file.cut" if one.kind is ExcerptKind.FILE else "file.quote_cut"
            notes.append(text(key, locale, name=shown_name(one.name), percent=round(100 * share)))
    return notes


def shown_name(name: str) -> str:
    """Return a file's or a person's name as code, in which nothing is markup and nobody is mentioned."""
    plain = " ".join(sayable(name).replace("`", "'").split())
    return f"`{plain[:_NAME_CHARS] or '?'}`"
