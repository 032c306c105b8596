"""How much memory the KV cache gets where the admin does not say: what is free, less what others need of it.

Pure arithmetic, and the two places where free memory is asked for. Sizes are in bytes unless a name says otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bot.ops.platform import available_memory_bytes

GB: Final = 2**30

LEAST_GB: Final = 1
"""Less, the library does not take; Phi-3-mini has 5,000 tokens in it on a CPU."""

MOST_GB: Final = 8
"""Eight conversations in full windows of 4,096 tokens take 6.7 GB; the rest keeps those of people who come back."""

UNKNOWN_GB: Final = 2
"""For a device that does not tell its memory."""

RESERVE_BYTES: Final = GB
"""For what is computed with, and everything else in the process."""


def default_kv_cache_gb(free_bytes: int | None, weights_bytes: int) -> int:
    """Return the KV cache's size in whole GB: half of what the weights and a reserve leave of the device's memory."""
    if free_bytes is None:
        return UNKNOWN_GB
    left = free_bytes - weights_bytes - RESERVE_BYTES
    return min(max(left // 2 // GB, LEAST_GB), MOST_GB)


def free_memory_bytes(device: str) -> int | None:
    """Return the memory that the device has free before the model is loaded, None where that cannot be told.

    A GPU tells only how much it has in all. One that is part of the processor has none of its own and takes the
    machine's.
    """
    host = available_memory_bytes()
    if not device.upper().startswith("GPU"):
        return host
    import openvino

    core = openvino.Core()
    try:
        total = int(core.get_property(device, "GPU_DEVICE_TOTAL_MEM_SIZE"))
        is_integrated = "integrated" in str(core.get_property(device, "DEVICE_TYPE")).lower()
    except RuntimeError:
        return None
    return min(total, host) if is_integrated and host is not None else total


def weights_bytes(folder: Path) -> int:
    """Return the size of an exported model's weights."""
    return (folder / "openvino_model.bin").stat().st_size
