#!/usr/bin/env python3
"""Make a model of Phi-3-mini's true size out of random weights, so that speed can be measured without downloading any.

It computes exactly what Phi-3-mini computes, talks nonsense, and never ends an answer by itself. Its tokenizer is the
demo model's, padded to Phi-3's number of entries. The weights go through scripts/export_model.py with its defaults,
which are the seed's flags, and are then removed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bootstrap

SCRIPTS = Path(__file__).resolve().parent
TOKENIZER = SCRIPTS.parent / "bot" / "demo_model"
NAME = "random-phi-3-mini"  # what the exported model calls itself
VOCABULARY = 32064
WINDOW_TOKENS = 4096
SLIDING_WINDOW_TOKENS = 2047
HEAD_SIZE = 96
WIDTH_STEP = 384  # the least width with Phi-3-mini's proportions whose matrices divide into int4 groups of 128
BYTES_PER_WEIGHT = 2  # bfloat16


@dataclass(frozen=True)
class Shape:
    """The network's size; the defaults are Phi-3-mini's (config.json of microsoft/Phi-3-mini-4k-instruct)."""

    layers: int = 32
    hidden: int = 3072

    @property
    def inner(self) -> int:
        """The width between a layer's two last matrices."""
        return self.hidden * 8 // 3

    @property
    def weights_bytes(self) -> int:
        """How large the unquantized weights are."""
        attention, feed_forward, norms = 4 * self.hidden**2, 3 * self.hidden * self.inner, 2 * self.hidden
        layers = self.layers * (attention + feed_forward + norms)
        return BYTES_PER_WEIGHT * (layers + 2 * VOCABULARY * self.hidden + self.hidden)


def padded(definition: dict, entries: int) -> dict:
    """Return a parsed tokenizer.json with `entries` tokens in all; the added ones are the last.

    The new ones decode to words, but no merge leads to any of them, so that text never becomes one.
    """
    model = definition["model"]
    added = [token for token in definition["added_tokens"] if token["content"] not in model["vocab"]]
    plain = entries - len(added)
    padding = {f"▁word{number}": number for number in range(len(model["vocab"]), plain)}
    moved = {token["content"]: {**token, "id": plain + place} for place, token in enumerate(added)}
    tokens = [moved.get(token["content"], token) for token in definition["added_tokens"]]
    return {**definition, "added_tokens": tokens, "model": {**model, "vocab": {**model["vocab"], **padding}}}


def write_source(folder: Path, shape: Shape, seed: int) -> None:
    """Write the model to `folder` as transformers does. The same seed gives the same weights."""
    import torch
    from transformers import GenerationConfig, Phi3Config, Phi3ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    ids = _write_tokenizer(folder)
    end_of_text, end, assistant = (ids[f"<|{name}|>"] for name in ("endoftext", "end", "assistant"))
    heads = shape.hidden // HEAD_SIZE
    config = Phi3Config(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=WINDOW_TOKENS,
        original_max_position_embeddings=WINDOW_TOKENS,
        sliding_window=SLIDING_WINDOW_TOKENS,
        bos_token_id=ids["<s>"],
        eos_token_id=end_of_text,
        pad_token_id=end_of_text,
    )
    torch.manual_seed(seed)
    model = Phi3ForCausalLM._from_config(config, dtype=torch.bfloat16).eval()  # float32 is twice as large
    with torch.no_grad():
        # A logit of 0 is never the greatest of thousands that are spread around 0: no answer ends early.
        model.lm_head.weight[[token for name, token in ids.items() if re.fullmatch("<.+>", name)]] = 0
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=[end_of_text, assistant, end], pad_token_id=end_of_text
    )
    model.save_pretrained(folder)


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """Write the padded tokenizer and return the ids of all its tokens by name."""
    definition = padded(json.loads((TOKENIZER / "tokenizer.json").read_bytes()), VOCABULARY)
    (folder / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False) + "\n", encoding="utf-8")
    config = json.loads((TOKENIZER / "tokenizer_config.json").read_bytes())
    config["model_max_length"] = WINDOW_TOKENS
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(TOKENIZER / "chat_template.jinja", folder / "chat_template.jinja")
    return definition["model"]["vocab"] | {token["content"]: token["id"] for token in definition["added_tokens"]}


def check_resources(output: Path, shape: Shape) -> str:
    """Return a warning or nothing. Raises: ExportFailed, where disk or memory will not do."""
    from exporting import resources

    disk_bytes = shape.weights_bytes + resources.export_disk_bytes(shape.weights_bytes, "int4")
    resources.check_disk([resources.DiskNeed(output.parent, disk_bytes, "choose another disk with --output")])
    return resources.check_memory(
        resources.export_memory_bytes(shape.weights_bytes), "close other programs, add swap, or take fewer --layers"
    )


def make(output: Path, shape: Shape, *, seed: int, force: bool) -> int:
    """Make the model in `output` and return the exit code of its export. Raises: ExportFailed."""
    import export_model
    from exporting import run
    from exporting.failure import ExportFailed
    from exporting.workplace import clear_remains, workplace

    if output.exists() and not force:
        raise ExportFailed(f"{output} exists already; replace it with --force, or choose another --output.")
    # Beside the output, under another name than its own: there the export has its own temporary folder and lock.
    beside = output.with_name(output.name + "-weights")
    clear_remains(beside)
    warning = check_resources(output, shape)
    if warning:
        print(warning, flush=True)
    with workplace(beside) as place:
        source = place.folder / NAME
        print(f"Making {shape.weights_bytes / 1e9:.2f} GB of random weights ...", flush=True)
        write_source(source, shape, seed)
        flags = ["--model", str(source), "--output", str(output), *(["--force"] if force else [])]
        return run.run(export_model.parse(flags))


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the exported model goes")
    parser.add_argument("--layers", type=int, default=Shape.layers, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--hidden", type=int, default=Shape.hidden, metavar="N", help=f"width, in steps of {WIDTH_STEP} (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace a model that is there")
    arguments = parser.parse_args(argv)
    if arguments.layers < 1:
        parser.error("--layers must be at least 1")
    if arguments.hidden < WIDTH_STEP or arguments.hidden % WIDTH_STEP:
        parser.error(f"--hidden must be a multiple of {WIDTH_STEP}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 after a sentence, or 130 on Ctrl-C."""
    from exporting.failure import ExportFailed

    arguments = parse(argv)
    try:
        output = arguments.output.expanduser().resolve()
        return make(output, Shape(arguments.layers, arguments.hidden), seed=arguments.seed, force=arguments.force)
    except ExportFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was made.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    bootstrap.reexec("optimum")
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
