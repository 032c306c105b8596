"""How a processor rounds activations to 8 bits on the fly: over groups of how many values that share one scale.

OpenVINO's default is 32. Groups of 64 make a step of eight answers and a prefill a fifth faster, and the logits' error
a tenth larger (docs/decisions.md says where that was measured, and more of the error). A group must lie within one of
the weights' own groups: where it does not, OpenVINO rounds nothing, without a word, at less than half the speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import openvino

ACTIVATION_GROUP: Final = 64

_GROUP_SIZE: Final = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
_WHOLE_ROWS: Final = -1  # as NNCF writes it


def with_larger_groups(properties: Mapping[str, object], folder: Path, device: str) -> Mapping[str, object]:
    """Return OpenVINO's properties with groups of `ACTIVATION_GROUP`, where that is faster and nobody chose otherwise.

    Who may have chosen: whoever wrote the properties, and whoever exported the model, in its runtime options.
    """
    is_chosen = _GROUP_SIZE in properties or properties.get("EXECUTION_MODE_HINT") == "ACCURACY"  # which rounds nothing
    if device != "CPU" or is_chosen or not _can_hold(_weight_group(folder)):
        return properties
    return {**properties, _GROUP_SIZE: str(ACTIVATION_GROUP)}


def _can_hold(weight_group: int | None) -> bool:
    if weight_group is None:
        return False
    return weight_group == _WHOLE_ROWS or (weight_group > 0 and weight_group % ACTIVATION_GROUP == 0)


def _weight_group(folder: Path) -> int | None:
    """Return how many weights share one scale; None: they are not compressed, or the model has a choice of its own."""
    path = ["nncf", "weight_compression", "group_size"]
    try:
        model = openvino.Core().read_model(folder / "openvino_model.xml")
        if model.has_rt_info(["runtime_options", _GROUP_SIZE]) or not model.has_rt_info(path):
            return None
        return int(model.get_rt_info(path).astype(int))
    except RuntimeError:  # no model, whose reason the loading tells, or no number
        return None
