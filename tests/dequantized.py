"""The float model behind an exported int8 Phi-3, for transformers to judge: its weights are what the export stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import bot.engine  # noqa: F401 - before OpenVINO, which would tell its makers of itself

NORMS = ("input_layernorm", "post_attention_layernorm", "model.norm")


def dequantized_phi3(folder: Path) -> Any:
    """Return transformers' Phi3ForCausalLM with the weights of `folder`, each int8 times its scale, in f32."""
    import torch
    from transformers import AutoConfig, Phi3ForCausalLM

    weights = {name: torch.from_numpy(values) for name, values in _weights(folder)}
    model = Phi3ForCausalLM(AutoConfig.from_pretrained(folder)).to(torch.float32).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert (missing, unexpected) == ([], [])
    return model


def _weights(folder: Path) -> list[tuple[str, np.ndarray]]:
    import openvino

    found = []
    for node in openvino.Core().read_model(folder / "openvino_model.xml").get_ops():
        if node.get_type_name() != "Constant":
            continue
        name, kind = node.get_friendly_name(), node.get_output_element_type(0)
        if kind == openvino.Type.i8:
            scaled = _consumer(_consumer(node))  # Convert, then Multiply by a scale for each row
            scale = next(port.get_source_output().get_node() for port in scaled.inputs() if not _comes_from(port, node))
            scale = scale if scale.get_type_name() == "Constant" else scale.input_value(0).get_node()
            values = node.data.astype(np.float32) * scale.data.astype(np.float32)
            found.append((name.removeprefix("self."), values))
        elif kind == openvino.Type.f32 and node.data.size > 1 and list(node.get_output_shape(0))[:2] == [1, 1]:
            user = _consumer(node).get_friendly_name()
            if any(norm in user for norm in NORMS):
                place = user.split("/")[0].removeprefix("__module.")
                found.append((f"{place}.weight", node.data.astype(np.float32).reshape(-1)))
    return found


def _consumer(node: Any) -> Any:
    return next(iter(node.output(0).get_target_inputs())).get_node()


def _comes_from(port: Any, node: Any) -> bool:
    source = port.get_source_output().get_node()
    return source.get_friendly_name() == node.get_friendly_name() or (
        source.get_type_name() == "Convert" and source.input_value(0).get_node() == node
    )
