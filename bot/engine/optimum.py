"""The seed's own path as a Backend: optimum-intel's OVModelForCausalLM, one whole `generate()` at a time.

The reference that the faster engine is measured against. Needs the extra `optimum`, whose import takes some 6 s; so
that happens in the constructor, in the engine's thread. One request at a time: the object is not safe for two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Emit, Event, ReportStage
from bot.engine.common import new_tokens_allowed, unusable, warm_up
from bot.errors import EngineFailed, ModelUnusable

_MISSING = (
    "PHIBOT_ENGINE=optimum needs packages that are not installed: run ./scripts/test once, or "
    ".venv/bin/pip install -c constraints.txt -e '.[optimum]'."
)


class OptimumBackend:
    """One OVModelForCausalLM and the requests that wait for it."""

    def __init__(
        self,
        folder: Path,
        info: EngineInfo,
        device: str,
        properties: Mapping[str, object],
        *,
        trust_remote_code: bool,
        warm_up_ids: tuple[int, ...],
        report: ReportStage,
    ) -> None:
        """Load the exported model as the seed does and run a first short generation.

        Raises: ModelUnusable, with the reason.
        """
        self._info = info
        self._waiting: deque[tuple[int, GenerationRequest, int]] = deque()
        try:
            import torch
            import transformers
            from optimum.intel.openvino import OVModelForCausalLM
        except ImportError as exc:
            raise ModelUnusable(_MISSING) from exc
        transformers.utils.logging.set_verbosity_error()  # it warns of every flag that greedy decoding does not need
        self._torch, self._transformers = torch, transformers
        report("loading.compiling")
        try:
            config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
            self._model = OVModelForCausalLM.from_pretrained(
                folder,
                device=device,
                ov_config=dict(properties),
                config=config,
                trust_remote_code=trust_remote_code,
            )
        except (RuntimeError, OSError, ValueError) as exc:
            raise ModelUnusable(unusable(folder, device, exc)) from exc
        report("loading.warming")
        warm_up(self, warm_up_ids)

    @property
    def info(self) -> EngineInfo:
        """What is answering."""
        return self._info

    def start(self, id: int, request: GenerationRequest) -> None:  # noqa: A002
        """Take a request. Raises: PromptTooLong, EngineFailed."""
        self._waiting.append((id, request, new_tokens_allowed(request, self._info.context_tokens)))

    def cancel(self, id: int) -> None:  # noqa: A002
        """Forget a request that waits; the one that runs ends when `emit` returns False."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] != id)

    def step(self, emit: Emit) -> None:
        """Run the next request's generation to its end, a token an event."""
        if not self._waiting:
            return
        number, request, max_new_tokens = self._waiting.popleft()
        tokens = _Tokens(number, request.stop_ids, emit)
        try:
            self._generate(request, max_new_tokens, tokens)
        except Exception as exc:  # noqa: BLE001 - whatever these libraries raise ends this request only
            failure = EngineFailed(f"generate: {type(exc).__name__}: {exc}")
            failure.__cause__ = exc
            emit(Event(number, error=failure))
            return
        if tokens.is_wanted:
            emit(Event(number, finish=Finish.STOP if tokens.has_stopped else Finish.LENGTH))

    def close(self) -> None:
        """Let the model go."""
        self._waiting.clear()
        self._model = None

    def _generate(self, request: GenerationRequest, max_new_tokens: int, tokens: _Tokens) -> None:
        """Call generate() with the seed's parameters: greedy unless told."""
        input_ids = self._torch.tensor([request.prompt_ids], dtype=self._torch.long)
        sampling: dict[str, Any] = {"do_sample": False}
        if request.sampling.do_sample:
            sampling = {
                "do_sample": True,
                "temperature": request.sampling.temperature,
                "top_p": request.sampling.top_p,
                "top_k": 0,  # generate()'s own default of 50 was not asked for
            }
            if request.sampling.seed is None:
                self._torch.seed()  # or it would go on from the last request's seed
            else:
                self._torch.manual_seed(request.sampling.seed)
        self._model.generate(
            input_ids=input_ids,
            attention_mask=self._torch.ones_like(input_ids),
            max_new_tokens=max_new_tokens,
            streamer=tokens,
            stopping_criteria=self._transformers.StoppingCriteriaList([tokens.stopping(self._torch)]),
            eos_token_id=sorted(request.stop_ids) or None,
            pad_token_id=min(request.stop_ids, default=0),
            **sampling,
        )


class _Tokens:
    """What generate() streams to (transformers' BaseStreamer), handed on token by token."""

    def __init__(self, number: int, stop_ids: frozenset[int], emit: Emit) -> None:
        self._number = number
        self._stop_ids = stop_ids
        self._emit = emit
        self._is_prompt = True
        self.has_stopped = False
        self.is_wanted = True

    def put(self, value: Any) -> None:
        """Take the next ids; the first call brings the prompt."""
        if self._is_prompt:
            self._is_prompt = False
            return
        for token in value.reshape(-1).tolist():
            if token in self._stop_ids:
                self.has_stopped = True
            elif self.is_wanted:
                self.is_wanted = self._emit(Event(self._number, (token,)))

    def end(self) -> None:
        """Nothing more comes; `step` says so."""

    def stopping(self, torch: Any) -> Any:
        """Return the criterion that ends generate() at the next token once nobody wants it."""

        def is_over(input_ids: Any, _scores: Any, **_: Any) -> Any:
            return torch.full((input_ids.shape[0],), not self.is_wanted, dtype=torch.bool, device=input_ids.device)

        return is_over
