"""The default Backend: openvino_genai's ContinuousBatchingPipeline, ids in and ids out.

Many requests share each step, and what prompts have in common is computed once (prefix caching). Owns the traps of that
library (docs/decisions.md); knows nothing of text: the tokenizer that the pipeline brings is never used. Which prompt
is computed next is `bot.engine.prefill`'s to say; what the library takes and gives, `bot.engine.genai_forms`'.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import openvino_genai
import structlog

from bot.core.engine import EngineInfo, GenerationRequest
from bot.engine.backend import Emit, Event, ReportStage
from bot.engine.common import new_tokens_allowed, unusable, warm_up
from bot.engine.genai_forms import ENDED, FINISHED, PIECE, config_of, news_of, scheduler_of, tensor_of
from bot.engine.prefill import Line, Start, step_tokens_for
from bot.errors import EngineDead, EngineFailed, ModelUnusable

log = structlog.get_logger(__name__)

_WARM_UP_TOKENS: Final = 32
"""In the KV cache after the first generation, the last token being none of them: whole blocks, which are of 32 tokens
on a CPU and of 16 on a GPU."""

_MOST_BATCHED_TOKENS: Final = {"CPU": 128}
"""What the pipeline computes in one step at most, by the kind of device. On two cores 256 took 4.4 s."""

_MOST_BATCHED_ELSEWHERE: Final = 256  # the library's own


@dataclass(eq=False, slots=True)
class _Request:
    """A request on its way; its handle is the pipeline's, of the piece or the whole that was started last."""

    prompt_ids: tuple[int, ...]
    stop_ids: frozenset[int]
    config: Any  # openvino_genai.GenerationConfig
    handle: Any = None  # openvino_genai.GenerationHandle
    ids: list[int] = field(default_factory=list)  # generated


@dataclass(eq=False, slots=True)
class _Prefill:
    """What was started last, until it is computed."""

    start: Start
    request: _Request
    steps: int = 0
    is_forgotten: bool = False  # by who asked for it


class GenaiBackend:
    """One pipeline, the requests in it, and those that wait to join it.

    One prompt, or piece of a prompt, is computed at a time, beside the answers that grow: that bounds what a
    step takes. And the library computes right answers only while these hold (docs/decisions.md):
    - No two that continue the same earlier prompt run side by side. Both would take the half-filled last block that its
      answer left in the KV cache, and both write into it: one goes on with the other's words, and later ones with both.
    - One prefill at a time, and none is given up half way. A block counts as filled before it is.
    - All that run fit in the KV cache to their ends. In a full one requests are recomputed, which breaks these rules,
      and some are given up although each would fit alone.
    `bot.engine.prefill.Line` holds the first and the last, this class the other.
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
        step_target_s: float = 1.0,
        step_tokens: int | None = None,
    ) -> None:
        """Load the exported model, run a first short generation and measure a prefill.

        `properties` are OpenVINO's for the device. The KV cache has `kv_cache_gb` whole gigabytes (the library takes no
        fractions), or exactly `kv_cache_blocks`; where it holds less than the model's window, the window is cut to it.
        A step computes of a prompt what takes about `step_target_s`, or exactly `step_tokens` (whole blocks).
        Raises: ModelUnusable, with OpenVINO's reason.
        """
        self._info = info
        self._requests: dict[int, _Request] = {}
        self._prefill: _Prefill | None = None
        self._is_freeing = False  # something was cancelled since the last step: its place is not free yet
        self._numbers = itertools.count()  # the pipeline's names for what it computes; one used twice would kill it
        most = step_tokens or _MOST_BATCHED_TOKENS.get(device.partition(".")[0], _MOST_BATCHED_ELSEWHERE)
        self._line = Line(info.context_tokens, most)
        report("loading.compiling")
        try:
            scheduler = scheduler_of(kv_cache_gb, kv_cache_blocks, most + info.slots)
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(folder, scheduler, device, dict(properties))
        except RuntimeError as exc:
            raise ModelUnusable(unusable(folder, device, exc)) from exc
        report("loading.warming")
        warm_up(self, (warm_up_ids * _WARM_UP_TOKENS)[: _WARM_UP_TOKENS - 1])
        cache_tokens = self._cache_tokens()
        self._cut_window(cache_tokens)
        rate = None
        if step_tokens is None:
            step_tokens, rate = self._choose_step_tokens(warm_up_ids, step_target_s, most)
        self._line = Line(cache_tokens, step_tokens)
        log.info(
            "pipeline_ready",
            kv_cache_tokens=cache_tokens,
            step_tokens=step_tokens,
            prefill_tokens_per_s=rate,
            properties=dict(properties),
        )

    @property
    def info(self) -> EngineInfo:
        """What is answering."""
        return self._info

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request; it joins the batch as soon as it may. Raises: PromptTooLong, EngineFailed."""
        max_new_tokens = new_tokens_allowed(request, self._info.context_tokens)
        try:
            config = config_of(request, max_new_tokens)
            config.validate()
            tensor_of(request.prompt_ids)
        except (RuntimeError, TypeError, OverflowError) as exc:
            raise EngineFailed(f"request: {exc}") from exc
        self._requests[id] = _Request(request.prompt_ids, request.stop_ids, config)
        self._line.join(id, request.prompt_ids, max_new_tokens)

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request; the pipeline frees its cache blocks at the next step, or once its prefill is done."""
        request = self._requests.pop(id, None)
        if request is None:
            return
        self._line.leave(id)
        if self._prefill is not None and self._prefill.start.id == id:
            self._prefill.is_forgotten = True
        elif request.handle is not None:
            self._free(request)

    def step(self, emit: Emit) -> None:
        """Generate one token for each running request, and compute at most one prompt or piece of one.

        Raises: EngineDead: after a failed step the pipeline's state is unknown.
        """
        try:
            if self._prefill is None and not self._is_freeing:
                self._start_next(emit)
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            self._is_freeing = False
            has_more = self._pipeline.has_non_finished_requests()
        except RuntimeError as exc:
            raise EngineDead(f"step: {exc}") from exc
        self._look_at_prefill()
        for number, request in list(self._requests.items()):
            if request.handle is not None:
                self._look_at(number, request, emit, has_more=has_more)

    def close(self) -> None:
        """Cancel everything and let the pipeline go."""
        for request in self._requests.values():
            if request.handle is not None:
                request.handle.cancel()
        self._requests.clear()
        self._pipeline = None

    def _start_next(self, emit: Emit) -> None:
        """Start the prompt, or the piece of one, that is next in line, if there is one."""
        start = self._line.next()
        if start is None:
            return
        request = self._requests[start.id]
        prompt = tensor_of(request.prompt_ids[: start.tokens])
        try:
            config = request.config if start.is_whole else PIECE
            request.handle = self._pipeline.add_request(next(self._numbers), prompt, config)
        except RuntimeError as exc:
            self._forget(start.id)
            emit(Event(start.id, error=EngineFailed(f"add_request: {exc}")))
            return
        self._prefill = _Prefill(start, request)

    def _look_at_prefill(self) -> None:
        """Note whether what was started last is computed by now. A piece has done its work then."""
        prefill = self._prefill
        if prefill is None:
            return
        prefill.steps += 1
        request = prefill.request
        if not request.handle.can_read() and request.handle.get_status() not in ENDED:
            return
        self._prefill = None
        if prefill.start.is_whole or prefill.is_forgotten:
            self._line.cached.remember(request.prompt_ids[: prefill.start.tokens])
        if prefill.is_forgotten:
            self._free(request)
        elif not prefill.start.is_whole and request.handle.get_status() == FINISHED:
            request.handle = None
            self._line.piece_done(prefill.start.id, prefill.steps)

    def _look_at(self, number: int, request: _Request, emit: Emit, *, has_more: bool) -> None:
        """Hand over what a request got in this step."""
        event = news_of(number, request.handle, request.stop_ids, has_more=has_more)
        if event is None:
            return
        request.ids.extend(event.ids)
        if event.finish is not None or event.error is not None:
            self._remember(request)
            self._forget(number)
            emit(event)
        elif not emit(event):
            self.cancel(number)

    def _free(self, request: _Request) -> None:
        """End what the pipeline does for a request."""
        request.handle.cancel()
        self._is_freeing = True
        if request.ids:
            self._remember(request)

    def _remember(self, request: _Request) -> None:
        """Note what a request leaves in the prefix cache: all but the last token, which was never put in."""
        self._line.cached.remember((*request.prompt_ids, *request.ids)[:-1])

    def _forget(self, number: int) -> None:
        del self._requests[number]
        self._line.leave(number)

    def _cache_tokens(self) -> int:
        """Return how many tokens the KV cache holds, from the share of it that the first generation took.

        The library does not tell. A request that can never fit must not be let in: it ends every other one with it.
        """
        share: float = self._pipeline.get_metrics().max_cache_usage / 100
        return round(_WARM_UP_TOKENS / share) if share > 0 else self._info.context_tokens

    def _cut_window(self, cache_tokens: int) -> None:
        window_tokens = self._info.context_tokens
        if cache_tokens >= window_tokens:
            return
        self._info = replace(self._info, context_tokens=cache_tokens)
        log.warning(
            "window_cut_to_kv_cache",
            window_tokens=window_tokens,
            kv_cache_tokens=cache_tokens,
            advice="A larger PHIBOT_KV_CACHE_GB gives the whole window.",
        )

    def _choose_step_tokens(self, ids: tuple[int, ...], target_s: float, most: int) -> tuple[int, int]:
        """Return how much of a prompt to compute in a step beside a full batch, and the tokens/s of the last one timed.

        That the weights are paged in must be past.
        """
        beside = self._info.slots - 1
        firsts = itertools.count()  # no two begin alike, or the second would be found in the cache
        rates = [0]

        def seconds_of(tokens: int) -> float:
            prompt = (next(firsts), *itertools.islice(itertools.cycle(ids), tokens - 1))
            handle = self._pipeline.add_request(next(self._numbers), tensor_of(prompt), PIECE)
            began_s = time.perf_counter()
            while not handle.can_read():
                self._pipeline.step()
            took_s = time.perf_counter() - began_s
            rates.append(round(tokens / took_s))
            return took_s

        most = min(most, self._info.context_tokens - 1 - beside)
        step_tokens = step_tokens_for(seconds_of, beside=beside, target_s=target_s, most=most)
        return step_tokens, rates[-1]
