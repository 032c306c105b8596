"""What is computed before it is asked for: the prefix of a prompt that will have to cut its window.

A follow-up computes only what is new, but for the turn that cuts: what stays of its conversation was never a prompt's
beginning. Owns which conversations are to be warmed and the one task that does it, for as long as its owner says that
nobody runs or waits. Knows nothing of who asks.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

import structlog

from bot.core.engine import GenerationRequest
from bot.core.history import History
from bot.core.layout import is_exchange
from bot.core.messages import Turn
from bot.core.models import Models
from bot.errors import BotError

log = structlog.get_logger(__name__)

MOST_CONVERSATIONS: Final = 16
"""Whose prefixes wait to be warmed: the ones that ended last. Half a window each, more would not stay in the cache."""


class Warmer:
    """Warms one prefix after the other between `start` and `stop`; does nothing for an engine that caches none.

    It is nobody's generation: it stands in no line, counts for no person, and is cancelled as soon as one asks. What
    it had computed by then stays in the cache, and the rest is taken up at the next `start`.
    """

    def __init__(self, history: History, models: Models) -> None:
        """Take the parts; none is closed here."""
        self._history = history
        self._models = models
        self._turns: dict[int, Turn] = {}  # the last of each conversation that is not looked at yet, newest last
        self._running: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # with those that are cancelled and not yet ended

    def look_forward(self, turn: Turn) -> None:
        """Note a turn that has ended: its conversation's next one is to be prepared."""
        if not (self._models.of(turn).engine.info.caches_prefixes and is_exchange(turn)):
            return
        self._turns.pop(turn.conversation_id, None)
        self._turns[turn.conversation_id] = turn
        if len(self._turns) > MOST_CONVERSATIONS:
            del self._turns[next(iter(self._turns))]

    def start(self) -> None:
        """Warm what there is to warm, since the engine has nothing else to do; returns at once."""
        if self._turns and (self._running is None or self._running.done()):
            self._running = asyncio.create_task(self._run(), name="warming")
            self._tasks.add(self._running)
            self._running.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Give the engine up at its next step; returns at once."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def aclose(self) -> None:
        """Stop for good and wait for that."""
        self._turns.clear()
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self) -> None:
        """Warm the newest conversation first, for its person is likeliest to go on. A task boundary."""
        while self._turns:
            turn = next(reversed(self._turns.values()))
            try:
                await self._warm(turn)
            except BotError as exc:
                log.warning("warming_failed", turn=turn.id, error=str(exc))
            except Exception:
                log.exception("warming_failed", turn=turn.id)
            if self._turns.get(turn.conversation_id) is turn:
                del self._turns[turn.conversation_id]

    async def _warm(self, turn: Turn) -> None:
        """Let the engine compute what the next prompt will begin with, if that is not in its cache."""
        if not await self._is_head(turn):
            return
        model = self._models.of(turn)
        if model.engine.loading is not None:  # it was unloaded meanwhile: its cache with it
            return
        ids = await model.prompts.next_prefix(turn)
        if not ids:
            return
        log.debug("warming", turn=turn.id, tokens=len(ids))
        request = GenerationRequest(ids, max_new_tokens=1, stop_ids=frozenset())
        async with aclosing(model.engine.generate(request)) as chunks:
            async for _chunk in chunks:  # one token, which nobody wants
                pass
        log.debug("warmed", turn=turn.id, tokens=len(ids))

    async def _is_head(self, turn: Turn) -> bool:
        """Tell whether the conversation still ends here: it may have been reset."""
        if turn.key is None:
            return False
        head = await self._history.recent(turn.key, 1)
        return bool(head) and head[0].id == turn.id
