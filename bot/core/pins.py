"""Pinned turns: exchanges that no cut drops.

Owns how much may be pinned. A pin in the window changes no prompt until the next cut; one of a turn that was dropped
already, or the end of such a one, changes the prefix, so that the next prompt is prefilled from there on.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.core.history import History, NoSuchTurn
from bot.core.layout import is_exchange, lay_out
from bot.core.messages import Turn
from bot.core.prompt import PromptBuilder
from bot.errors import NothingToPin, PinsFull, TurnGone


async def pin(history: History, prompts_of: Callable[[Turn], PromptBuilder], turn_id: int, *, pinned: bool) -> Turn:
    """Pin a turn or take its pin away; return it.

    Pinned turns may have a quarter of the window together, so that there is always room to talk.
    Raises: TurnGone, NothingToPin, PinsFull, HistoryFailed.
    """
    turn = await history.turn(turn_id)
    if turn is None:
        raise TurnGone
    if pinned and not is_exchange(turn):
        raise NothingToPin
    if pinned and not turn.pinned:
        prompts = prompts_of(turn)
        beside = await _pinned_beside(history, turn)
        tokens = prompts.tokens_of_turns([*beside, turn])
        if tokens > prompts.pin_limit_tokens:
            raise PinsFull(tokens, prompts.pin_limit_tokens)
    try:
        return await history.pin(turn_id, pinned=pinned)
    except NoSuchTurn as exc:
        raise TurnGone from exc


async def _pinned_beside(history: History, turn: Turn) -> list[Turn]:
    """Return what is pinned already where the turn's conversation goes on, and before the turn itself."""
    head = next(iter(await history.recent(turn.key, 1)), None) if turn.key is not None else None
    paths = [await history.path(turn.id)]
    if head is not None:
        paths.append(await history.path_to(head.id))
    pinned = {old.id: old for path in paths for old in lay_out(path).turns if old.pinned}
    return [old for old in pinned.values() if old.id != turn.id]
