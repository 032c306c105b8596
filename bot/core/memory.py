"""What a conversation has in mind: what the next prompt contains of it, counted, and its summaries.

Owns when a summary is made. What fits is `bot.core.prompt`'s, how a summary is generated `bot.core.jobs`', for it is a
turn like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import structlog

from bot.core import summaries
from bot.core.answer import Answer
from bot.core.context import ContextMap
from bot.core.history import History
from bot.core.jobs import Jobs
from bot.core.layout import is_exchange, lay_out
from bot.core.limits import Admission
from bot.core.messages import ConversationKey, Summarizes, Turn
from bot.core.models import Model, Models
from bot.core.visitor import Visitor
from bot.errors import BotError, NothingToSummarize

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the next prompt would contain of a conversation, and how much of it no prompt contains any more."""

    turns: list[Turn]  # the newest, oldest first
    earlier: int = 0  # older ones that the prompt would contain too
    forgotten: int = 0  # still older ones, which no longer fit or are summed up
    summary: str = ""  # the model's own, of older ones


class Memory:
    """Looks at conversations and sums them up. Every method may be called from many tasks of one event loop."""

    def __init__(self, history: History, models: Models, jobs: Jobs, admission: Admission) -> None:
        """Take the parts; none is closed here."""
        self._history = history
        self._models = models
        self._jobs = jobs
        self._admission = admission

    async def map_of(self, key: ConversationKey, visitor: Visitor | None) -> ContextMap:
        """Count what fills the window of a conversation. See `Chat.context_of`."""
        path = await self._path(key)
        models = self._models
        model = models.at(visitor) if visitor else models.of(path[-1]) if path else models.default
        dropped_turns = await self._history.forgotten(path[-1].id) if path else 0
        asker = visitor if key.user_id is not None else None
        return model.prompts.map(path, dropped_turns=dropped_turns, asker=asker)

    async def remembered(self, key: ConversationKey, limit: int) -> Remembered:
        """Return what is known of a conversation. See `Chat.history`."""
        path = await self._path(key)
        if not path:
            return Remembered([])
        layout = lay_out(path)
        return Remembered(
            layout.turns[-limit:],
            earlier=max(0, len(layout.turns) - limit),
            forgotten=await self._history.forgotten(path[-1].id) + sum(map(is_exchange, path)) - len(layout.turns),
            summary=layout.summary.answer if layout.summary else "",
        )

    async def summarize(self, key: ConversationKey, visitor: Visitor | None) -> Answer:
        """Have a conversation summed up. See `Chat.summarize`."""
        self._admission.check_open()
        while True:
            path = await self._path(key)
            if not path:
                raise NothingToSummarize
            head = path[-1]
            if head.summarizes is not None and head.id in self._jobs.answers:  # it is being made
                return self._jobs.answers[head.id]
            if head.id not in self._jobs.answers and all(turn.pinned for turn in lay_out(path).turns):
                raise NothingToSummarize
            asker = visitor or Visitor(key.user_id or head.user_id, key.guild_id, (key.channel_id,))
            model = self._models.at(asker)
            cost = partial(model.prompts.cost_tokens, summaries.INSTRUCTION)
            with self._admission.admit(asker, cost_tokens=cost):
                answer = await self._add(key, head.id, asker.user_id, Summarizes.ALL, model)
            if answer is not None:  # else somebody asked meanwhile
                return answer

    async def sum_up_if_full(self, turn: Turn) -> None:
        """Have the oldest exchanges summed up, if the next question is likely to drop them: called as a turn ends.

        While the person reads the answer: a summary at the cut itself would keep the next question waiting. A task
        boundary: it fails with a log entry.
        """
        if turn.key is None or not is_exchange(turn) or not self._models.of(turn).prompts.is_nearly_full(turn):
            return
        try:
            self._admission.check_open()
            await self._add(turn.key, turn.id, turn.user_id, Summarizes.CUT, self._models.of(turn))
        except BotError as exc:
            log.warning("summary_not_begun", turn=turn.id, error=str(exc))
        except Exception:
            log.exception("summary_not_begun", turn=turn.id)

    async def _add(
        self, key: ConversationKey, head_id: int, user_id: int, summarizes: Summarizes, model: Model
    ) -> Answer | None:
        turn = await summaries.add(
            self._history, key, head_id, user_id=user_id, summarizes=summarizes, model=model.name
        )
        return self._jobs.start(turn) if turn is not None else None

    async def _path(self, key: ConversationKey) -> list[Turn]:
        """Return what the next prompt is made of, the head included, oldest first."""
        head = next(iter(await self._history.recent(key, 1)), None)
        return await self._history.path_to(head.id) if head is not None else []
