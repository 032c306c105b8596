"""What goes into openvino_genai and comes out of it: its configurations and tensors, and what a handle has brought.

Owns that library's own forms and the traps of reading and writing them; knows nothing of when what is computed.
"""

from __future__ import annotations

import random
from typing import Final

import numpy as np
import openvino
import openvino_genai

from bot.core.engine import GenerationRequest
from bot.core.messages import Finish
from bot.engine.backend import Event
from bot.errors import EngineFailed

_FINISHES: Final = {
    openvino_genai.GenerationFinishReason.STOP: Finish.STOP,
    openvino_genai.GenerationFinishReason.LENGTH: Finish.LENGTH,
}
FINISHED: Final = openvino_genai.GenerationStatus.FINISHED
ENDED: Final = {
    FINISHED,
    openvino_genai.GenerationStatus.IGNORED,
    openvino_genai.GenerationStatus.CANCEL,
    openvino_genai.GenerationStatus.STOP,
}


def scheduler_of(
    kv_cache_gb: int, kv_cache_blocks: int | None, most_batched_tokens: int
) -> openvino_genai.SchedulerConfig:
    """Return an openvino_genai.SchedulerConfig; with `kv_cache_blocks` the KV cache has those, whatever its size."""
    scheduler = openvino_genai.SchedulerConfig()
    if kv_cache_blocks is None:
        scheduler.cache_size = kv_cache_gb
    else:
        scheduler.num_kv_blocks = kv_cache_blocks
    scheduler.max_num_batched_tokens = most_batched_tokens
    scheduler.enable_prefix_caching = True
    scheduler.dynamic_split_fuse = True
    return scheduler


def tensor_of(ids: tuple[int, ...]) -> openvino.Tensor:
    """Return `(1, T)`. Raises: OverflowError, TypeError for what is no id."""
    return openvino.Tensor(np.array([ids], dtype=np.int64))


_NO_TOKEN: Final = 2**62


def config_of(request: GenerationRequest, max_new_tokens: int) -> openvino_genai.GenerationConfig:
    """Return an openvino_genai.GenerationConfig. Raises: TypeError, OverflowError for numbers that it does not take."""
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = max_new_tokens
    # Both must be set, or the model folder's own eos_token_id would end the answer too.
    config.stop_token_ids = set(request.stop_ids) or {_NO_TOKEN}
    config.eos_token_id = min(config.stop_token_ids)
    config.do_sample = request.sampling.do_sample
    if request.sampling.do_sample:
        config.temperature = request.sampling.temperature
        config.top_p = request.sampling.top_p
        seed = request.sampling.seed
        config.rng_seed = random.getrandbits(31) if seed is None else seed  # its own default is always 0
    return config


PIECE: Final = config_of(GenerationRequest((0,), 1, frozenset()), 1)
"""A piece of a prompt is computed for the cache's sake: the one token that it must generate is thrown away."""


def news_of(
    number: int, handle: openvino_genai.GenerationHandle, stop_ids: frozenset[int], *, has_more: bool
) -> Event | None:
    """Read what a request got in this step. The status first: what it says is then true of what can be read.

    `has_more`: the pipeline still works on something. A request that runs while it does not will never end.
    """
    status = handle.get_status()
    ids: list[int] = []
    reason = None
    while handle.can_read():  # read() on an empty handle blocks for ever, with the GIL held
        for output in handle.read().values():
            ids.extend(output.generated_ids)
            reason = output.finish_reason
    answer = tuple(token for token in ids if token not in stop_ids)
    if status not in ENDED and has_more:
        return Event(number, answer) if answer else None
    if status == FINISHED:
        return Event(number, answer, _FINISHES.get(reason, Finish.STOP))
    why = "it can never fit in the KV cache" if status == openvino_genai.GenerationStatus.IGNORED else status.name
    return Event(number, answer, error=EngineFailed(f"the pipeline gave the request up: {why}"))
