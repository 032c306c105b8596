"""The default Backend: openvino_genai's ContinuousBatchingPipeline, ids in and ids out.

Many requests share each step, and what prompts have in common is computed once (prefix caching). Owns the traps of that
library (docs/decisions.md); knows nothing of text: the tokenizer that the pipeline brings is never used.
"""

from __future__ import annotations

import random
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
from bot.errors import EngineDead, EngineFailed, ModelUnusable

log = structlog.get_logger(__name__)

_WARM_UP_TOKENS = 32
"""In the KV cache after the first generation, the last token being none of them: whole blocks, which are of 32 tokens
on a CPU and of 16 on a GPU."""

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
class _Running:
    handle: Any  # openvino_genai.GenerationHandle
    stop_ids: frozenset[int]


class GenaiBackend:
    """One pipeline and the requests in it."""

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
        self._running: dict[int, _Running] = {}
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
        self._info = replace(info, context_tokens=self._fitting(info.context_tokens))
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

    def _fitting(self, window_tokens: int) -> int:
        """Return the window, or what the KV cache holds if that is less, from the share that the first generation took.

        The library does not tell. A request that can never fit must not be let in: it ends every other one with it.
        """
        share: float = self._pipeline.get_metrics().max_cache_usage / 100
        return min(window_tokens, round(_WARM_UP_TOKENS / share)) if share > 0 else window_tokens

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request; it joins the batch at the next step. Raises: PromptTooLong, EngineFailed."""
        config = _config(request, new_tokens_allowed(request, self._info.context_tokens))
        prompt = openvino.Tensor(np.array([request.prompt_ids], dtype=np.int64))
        try:
            handle = self._pipeline.add_request(id, prompt, config)
        except RuntimeError as exc:
            raise EngineFailed(f"add_request: {exc}") from exc
        self._running[id] = _Running(handle, request.stop_ids)

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request; the pipeline frees its cache blocks at the next step."""
        running = self._running.pop(id, None)
        if running is not None:
            running.handle.cancel()

    def step(self, emit: Emit) -> None:
        """Generate one token for each running request, or prefill up to 256 tokens of new ones.

        Raises: EngineDead: after a failed step the pipeline's state is unknown.
        """
        try:
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
        except RuntimeError as exc:
            raise EngineDead(f"step: {exc}") from exc
        has_more = self._pipeline.has_non_finished_requests()
        for number, running in list(self._running.items()):
            event = _news(number, running, has_more=has_more)
            if event is None:
                continue
            if event.finish is not None or event.error is not None:
                del self._running[number]
                emit(event)
            elif not emit(event):
                self.cancel(number)

    def close(self) -> None:
        """Cancel everything and let the pipeline go."""
        for number in list(self._running):
            self.cancel(number)
        self._pipeline = None


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
