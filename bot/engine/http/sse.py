"""Server-sent events, written and read: the one-line `data:` events that OpenAI's protocol streams.

Knows only the form (https://html.spec.whatwg.org/multipage/server-sent-events.html), of which it reads all that a proxy
may make of our own events: comments, other fields, both line ends, events of several lines.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": \n\n"
"""A comment, which every reader skips: the server is alive although there is no token yet."""

MOST_EVENT_BYTES: Final = 8 << 20


def event(content: dict[str, Any]) -> bytes:
    """Return `content` as one event."""
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """Yield the data of each event, however the bytes were cut. An event that is not complete at the end is dropped.

    Raises: ValueError for an event of more than `MOST_EVENT_BYTES` and for bytes that are not UTF-8.
    """
    rest, data = b"", list[str]()
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MOST_EVENT_BYTES:
            raise ValueError("an event of the stream is too long")
        for line in lines:
            text = line.removesuffix(b"\r").decode()
            if text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif not text and data:
                yield "\n".join(data)
                data = []
