"""A Backend without a model: repeats the question, or plays a script, at the pace and with the failures asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Emit, Event
from bot.engine.common import new_tokens_allowed
from bot.errors import EngineDead, EngineFailed


@dataclass(frozen=True, slots=True)
class Say:
    """Ids to say, one token a step, each after `delay_s`."""

    ids: tuple[int, ...]
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fail:
    """This request fails here."""


@dataclass(frozen=True, slots=True)
class Die:
    """The whole backend is gone from here on."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing more comes, until the request is cancelled."""


Action = Say | Fail | Die | Hang
Script = Callable[[GenerationRequest], Sequence[Action]]

_IDLE_S = 0.001  # a step in which every request hangs: the thread must not spin


@dataclass(slots=True)
class _Running:
    tokens: Iterator[int | Action]
    left: int
    delay_s: float = 0.0


class EchoBackend:
    """Runs a script for each request. The default script repeats the last part of the prompt: the question."""

    def __init__(
        self,
        info: EngineInfo,
        script: Script | None = None,
        *,
        delay_s: float = 0.0,
        load_s: float = 0.0,
    ) -> None:
        """Take what to claim of itself, a script, seconds a token takes (for the default script), seconds to load."""
        time.sleep(load_s)
        self._info = info
        self._script = script or (lambda request: [Say(_question(request), delay_s)])
        self._running: dict[int, _Running] = {}

    @property
    def info(self) -> EngineInfo:
        """What is answering."""
        return self._info

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request. Raises: PromptTooLong, EngineFailed."""
        left = new_tokens_allowed(request, self._info.context_tokens)
        self._running[id] = _Running(_tokens(self._script(request)), left)

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request."""
        self._running.pop(id, None)

    def step(self, emit: Emit) -> None:
        """Say one token of each request. Raises: EngineDead when a script says so."""
        is_idle = True
        for number, running in list(self._running.items()):
            event = self._next(number, running)
            if event is None:
                continue
            is_idle = False
            ended = event.finish is not None or event.error is not None
            if not emit(event) or ended:
                self.cancel(number)
        if is_idle and self._running:
            time.sleep(_IDLE_S)

    def _next(self, number: int, running: _Running) -> Event | None:
        action = next(running.tokens, None)
        if action is None:
            return Event(number, finish=Finish.STOP)
        if isinstance(action, Hang):
            return None
        if isinstance(action, Die):
            raise EngineDead("scripted")
        if isinstance(action, Fail):
            return Event(number, error=EngineFailed("scripted"))
        if isinstance(action, Say):
            running.delay_s = action.delay_s
            return Event(number)
        time.sleep(running.delay_s)
        running.left -= 1
        return Event(number, (action,), Finish.LENGTH if not running.left else None)

    def close(self) -> None:
        """Forget everything."""
        self._running.clear()


def _tokens(script: Sequence[Action]) -> Iterator[int | Action]:
    for action in script:
        yield action
        while isinstance(action, Hang):
            yield action
        if isinstance(action, Say):
            yield from action.ids


def _question(request: GenerationRequest) -> tuple[int, ...]:
    """Return the ids between the prompt's last role token and the answer's: `<|user|>` ids `<|end|><|assistant|>`."""
    ids = list(request.prompt_ids[:-2])
    marks = [index for index, token in enumerate(ids) if token in request.stop_ids]
    return tuple(ids[marks[-1] + 1 :] if marks else ids)
