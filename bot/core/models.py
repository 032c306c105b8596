"""The models that answer: what belongs to each, and which of them a turn is for.

What depends on the model is together in `Model`: its ids are its tokenizer's, its prompts fit its window, and whoever
asks it waits for a slot of its engine. Knows nothing of files, devices or of how an engine comes to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.core.engine import Engine
from bot.core.history import History
from bot.core.messages import Turn
from bot.core.phi3 import Phi3Tokenizer
from bot.core.prompt import PromptBuilder
from bot.core.scheduler import Scheduler


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """One model, and all that is made for it alone."""

    engine: Engine
    tokenizer: Phi3Tokenizer
    prompts: PromptBuilder
    scheduler: Scheduler


def assemble(
    engine: Engine,
    tokenizer: Phi3Tokenizer,
    history: History,
    *,
    system_prompt: str,
    max_new_tokens: int,
    clock: Callable[[], float],
) -> Model:
    """Make what belongs to a model; `clock` gives seconds."""
    prompts = PromptBuilder(
        history,
        tokenizer,
        system_prompt=system_prompt,
        context_tokens=lambda: engine.info.context_tokens,
        max_new_tokens=max_new_tokens,
    )
    return Model(engine, tokenizer, prompts, Scheduler(engine.info.slots, clock))


class Models:
    """Every model there is, and which one answers."""

    def __init__(self, default: Model) -> None:
        """Take the model that answers where nobody chose another."""
        self.default = default

    def of(self, turn: Turn) -> Model:
        """Return the model that a turn is for."""
        return self.default
