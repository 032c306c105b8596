"""The default Backend: openvino_genai's ContinuousBatchingPipeline, ids in and ids out.

Many requests share each step, and what prompts have in common is computed once (prefix caching). Owns the traps of that
library (docs/decisions.md); knows nothing of text: the tokenizer that the pipeline brings is never used.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai
import structlog

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Emit, Event, ReportStage
from bot.engine.common import new_tokens_allowed, unusable, warm_up
from bot.engine.prefixes import SeenPrompts
from bot.errors import EngineDead, EngineFailed, ModelUnusable

log = structlog.get_logger(__name__)

_WARM_UP_TOKENS = 32
"""In the KV cache after the first generation, the last token being none of them: whole blocks, which are of 32 tokens
on a CPU and of 16 on a GPU."""

_BLOCK_TOKENS = 32
"""The KV cache is given out in blocks: of 32 tokens on a CPU, 16 on a GPU."""

_FINISHES = {
    openvino_genai.GenerationFinishReason.STOP: Finish.STOP,
    openvino_genai.GenerationFinishReason.LENGTH: Finish.LENGTH,
}
_ENDED = {
    openvino_genai.GenerationStatus.FINISHED,
    openvino_genai.GenerationStatus.IGNORED,
    openvino_genai.GenerationStatus.CANCEL,
    openvino_genai.GenerationStatus.STOP,
}


@dataclass(eq=False, slots=True)
class _Waiting:
    id: int
    request: GenerationRequest
    prompt: openvino.Tensor
    config: Any  # openvino_genai.GenerationConfig
    reserved_tokens: int  # of the KV cache, for the prompt and the longest answer
    marks: frozenset[int]  # of the prompts that it continues


@dataclass(eq=False, slots=True)
class _Running:
    handle: Any  # openvino_genai.GenerationHandle
    stop_ids: frozenset[int]
    reserved_tokens: int
    marks: frozenset[int]
    is_prefilling: bool = True
    is_forgotten: bool = False  # cancelled in its prefill: ends with the first token


class GenaiBackend:
    """One pipeline, the requests in it, and those that wait to join it.

    The library computes right answers only while these hold, so this class holds them (docs/decisions.md):
    - No two that continue the same earlier prompt run side by side. Both would take the half-filled last block that its
      answer left in the KV cache, and both write into it: one goes on with the other's words, and later ones with both.
    - One prefill at a time, and none is given up half way. A block counts as filled before it is.
    - All that run fit in the KV cache to their ends. In a full one requests are recomputed, which breaks these rules,
      and some are given up although each would fit alone.
    """

    def __init__(
        self,
        folder: Path,
        info: EngineInfo,
        device: str,
        properties: Mapping[str, object],
        *,
        kv_cache_gb: int,
        warm_up_ids: tuple[int, ...],
        report: ReportStage,
        kv_cache_blocks: int | None = None,
    ) -> None:
        """Load the exported model and run a first short generation.

        `properties` are OpenVINO's for the device. The KV cache has `kv_cache_gb` whole gigabytes (the library takes no
        fractions), or exactly `kv_cache_blocks`; where it holds less than the model's window, the window is cut to it.
        Raises: ModelUnusable, with OpenVINO's reason.
        """
        self._info = info
        self._waiting: deque[_Waiting] = deque()
        self._running: dict[int, _Running] = {}
        self._seen = SeenPrompts()
        self._is_freeing = False  # something was cancelled since the last step: its place is not free yet
        self._cache_tokens: int | None = None  # unknown
        scheduler = openvino_genai.SchedulerConfig()
        if kv_cache_blocks is None:
            scheduler.cache_size = kv_cache_gb
        else:
            scheduler.num_kv_blocks = kv_cache_blocks
        scheduler.enable_prefix_caching = True
        scheduler.dynamic_split_fuse = True
        report("loading.compiling")
        try:
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(folder, scheduler, device, dict(properties))
        except RuntimeError as exc:
            raise ModelUnusable(unusable(folder, device, exc)) from exc
        report("loading.warming")
        warm_up(self, (warm_up_ids * _WARM_UP_TOKENS)[: _WARM_UP_TOKENS - 1])
        self._cache_tokens = self._measured_cache_tokens()
        self._info = replace(info, context_tokens=min(info.context_tokens, self._cache_tokens or info.context_tokens))
        if self._info.context_tokens < info.context_tokens:
            log.warning(
                "window_cut_to_kv_cache",
                window_tokens=info.context_tokens,
                kv_cache_tokens=self._info.context_tokens,
                advice="A larger PHIBOT_KV_CACHE_GB gives the whole window.",
            )

    @property
    def info(self) -> EngineInfo:
        """What is answering."""
        return self._info

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request; it joins the batch as soon as it may. Raises: PromptTooLong, EngineFailed."""
        max_new_tokens = new_tokens_allowed(request, self._info.context_tokens)
        reserved = -(-(len(request.prompt_ids) + max_new_tokens) // _BLOCK_TOKENS) * _BLOCK_TOKENS
        try:
            config = _config(request, max_new_tokens)
            prompt = openvino.Tensor(np.array([request.prompt_ids], dtype=np.int64))
            config.validate()
        except (RuntimeError, TypeError, OverflowError) as exc:
            raise EngineFailed(f"request: {exc}") from exc
        marks = self._seen.add(request.prompt_ids)
        self._waiting.append(_Waiting(id, request, prompt, config, reserved, marks))

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request; the pipeline frees its cache blocks at the next step, or once its prompt is read."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting.id != id)
        running = self._running.get(id)
        if running is None:
            return
        running.is_forgotten = True
        if not running.is_prefilling:
            self._end(id)

    def step(self, emit: Emit) -> None:
        """Generate one token for each running request and prefill some of a new one, 256 tokens in all.

        Raises: EngineDead: after a failed step the pipeline's state is unknown.
        """
        try:
            self._admit(emit)
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            self._is_freeing = False
            has_more = self._pipeline.has_non_finished_requests()
        except RuntimeError as exc:
            raise EngineDead(f"step: {exc}") from exc
        for number, running in list(self._running.items()):
            event = _news(number, running, has_more=has_more)
            if event is None:
                continue
            running.is_prefilling = False
            is_wanted = not running.is_forgotten and emit(event)
            if event.finish is not None or event.error is not None:
                del self._running[number]
            elif not is_wanted:
                self._end(number)

    def close(self) -> None:
        """Cancel everything and let the pipeline go."""
        self._waiting.clear()
        for number in list(self._running):
            self._end(number)
        self._pipeline = None

    def _end(self, number: int) -> None:
        self._running.pop(number).handle.cancel()
        self._is_freeing = True

    def _admit(self, emit: Emit) -> None:
        """Let the first in line that may join the batch do so; who only waits for a like prompt lets others by."""
        if self._is_freeing or any(running.is_prefilling for running in self._running.values()):
            return
        taken = frozenset[int]().union(*(running.marks for running in self._running.values()))
        waiting = next((waiting for waiting in self._waiting if not waiting.marks & taken), None)
        if waiting is None or not self._fits(waiting):
            return
        self._waiting.remove(waiting)
        try:
            handle = self._pipeline.add_request(waiting.id, waiting.prompt, waiting.config)
        except RuntimeError as exc:
            emit(Event(waiting.id, error=EngineFailed(f"add_request: {exc}")))
            return
        self._running[waiting.id] = _Running(handle, waiting.request.stop_ids, waiting.reserved_tokens, waiting.marks)

    def _fits(self, waiting: _Waiting) -> bool:
        if not self._running or self._cache_tokens is None:
            return True
        reserved = sum(running.reserved_tokens for running in self._running.values())
        return reserved + waiting.reserved_tokens <= self._cache_tokens

    def _measured_cache_tokens(self) -> int | None:
        """Return how many tokens the KV cache holds, from the share of it that the first generation took.

        The library does not tell. A request that can never fit must not be let in: it ends every other one with it.
        """
        share: float = self._pipeline.get_metrics().max_cache_usage / 100
        return round(_WARM_UP_TOKENS / share) if share > 0 else None


def _config(request: GenerationRequest, max_new_tokens: int) -> Any:
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = max_new_tokens
    config.stop_token_ids = set(request.stop_ids)  # replaces the model's own, which are among them
    config.do_sample = request.sampling.do_sample
    if request.sampling.do_sample:
        config.temperature = request.sampling.temperature
        config.top_p = request.sampling.top_p
        seed = request.sampling.seed
        config.rng_seed = random.getrandbits(31) if seed is None else seed  # its own default is always 0
    return config


def _news(number: int, running: _Running, *, has_more: bool) -> Event | None:
    """Read what a request got in this step. The status first: what it says is then true of what can be read.

    `has_more`: the pipeline still works on something. A request that runs while it does not will never end.
    """
    status = running.handle.get_status()
    ids: list[int] = []
    reason = None
    while running.handle.can_read():  # read() on an empty handle blocks for ever, with the GIL held
        for output in running.handle.read().values():
            ids.extend(output.generated_ids)
            reason = output.finish_reason
    answer = tuple(token for token in ids if token not in running.stop_ids)
    if status not in _ENDED and has_more:
        return Event(number, answer) if answer else None
    if status == openvino_genai.GenerationStatus.FINISHED:
        return Event(number, answer, _FINISHES.get(reason, Finish.STOP))
    why = "it can never fit in the KV cache" if status == openvino_genai.GenerationStatus.IGNORED else status.name
    return Event(number, answer, error=EngineFailed(f"the pipeline gave the request up: {why}"))
