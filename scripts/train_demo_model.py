#!/usr/bin/env python3
"""Train the demo model that ships with Phibot, export it to OpenVINO, and check what it can do.

    python scripts/train_demo_model.py            train, export to bot/demo_model, check
    python scripts/train_demo_model.py --check    check the exported model with new names and colours

Owns the network's size and its training. What it is taught stands in demo_dialogues.py and demo_phrases.py, the order
of the teaching in demo_samples.py, the tokenizer in demo_tokenizer.py and the examination in demo_check.py.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

import demo_check
import demo_samples
import demo_tokenizer

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Phi3ForCausalLM

SCRIPTS = Path(__file__).resolve().parent
SHIPPED = SCRIPTS.parent / "bot" / "demo_model"


@dataclass(frozen=True)
class Plan:
    """Everything that decides what comes out of a training run."""

    steps: int = 2600
    seed: int = 1
    rate: float = 2e-3
    batch_tokens: int = 4096
    window_tokens: int = 768
    pieces: int = 1100
    layers: int = 5
    hidden: int = 192
    heads: int = 6
    inner: int = 512
    conversations: int = 2500  # that the vocabulary is learnt from
    save_every: int = 250
    report_every: int = 50


def train(plan: Plan, folder: Path, start_from: Path | None = None) -> None:
    """Train a model and write it to `folder` as transformers does, with its tokenizer; every `save_every` steps, too.

    `start_from`: a folder written by an earlier run, whose weights and tokenizer are taken over.
    """
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    if start_from:
        tokenizer = Tokenizer.from_file(str(start_from / "tokenizer.json"))
    else:
        tokenizer = demo_samples.vocabulary(plan.seed, plan.pieces, plan.conversations)
    demo_tokenizer.save(tokenizer, folder, plan.window_tokens)
    model = _network(plan, tokenizer, start_from)
    print(f"{model.num_parameters() / 1e6:.2f} million parameters, {tokenizer.get_vocab_size()} tokens", flush=True)
    sampler = demo_samples.Sampler(tokenizer, plan.seed + 1, plan.window_tokens, plan.batch_tokens)
    started, mean_loss = time.monotonic(), 0.0
    for step, loss in enumerate(_steps(plan, model, sampler, settled=start_from is not None), 1):
        mean_loss = loss if step == 1 else 0.95 * mean_loss + 0.05 * loss
        if step % plan.report_every == 0:
            print(f"step {step} of {plan.steps}: loss {mean_loss:.4f}, {time.monotonic() - started:.0f} s", flush=True)
        if step % plan.save_every == 0 or step == plan.steps:
            model.save_pretrained(folder)


def _network(plan: Plan, tokenizer: Tokenizer, start_from: Path | None) -> Phi3ForCausalLM:
    from transformers import GenerationConfig, Phi3Config, Phi3ForCausalLM

    end_of_text, end, assistant = (tokenizer.token_to_id(t) for t in ("<|endoftext|>", "<|end|>", "<|assistant|>"))
    if start_from:
        model = Phi3ForCausalLM.from_pretrained(start_from)
    else:
        config = Phi3Config(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=plan.hidden,
            intermediate_size=plan.inner,
            num_hidden_layers=plan.layers,
            num_attention_heads=plan.heads,
            num_key_value_heads=plan.heads,
            max_position_embeddings=plan.window_tokens,
            original_max_position_embeddings=plan.window_tokens,
            sliding_window=None,
            bos_token_id=tokenizer.token_to_id("<s>"),
            eos_token_id=end_of_text,
            pad_token_id=end_of_text,
        )
        model = Phi3ForCausalLM(config)
    # As in Phi-3's generation_config.json.
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id, eos_token_id=[end_of_text, assistant, end], pad_token_id=end_of_text
    )
    return model.train()


def _steps(plan: Plan, model: Phi3ForCausalLM, sampler: demo_samples.Sampler, *, settled: bool) -> Iterator[float]:
    """Take the optimizer's steps, yielding the loss of each; a `settled` model skips the first copying."""
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers" in name]
    others = [p for name, p in model.named_parameters() if not (p.ndim == 2 and "layers" in name)]
    # match_rms_adamw: Muon's updates are as large as AdamW's, so that one rate fits both (arXiv 2502.16982).
    optimizers = [
        torch.optim.Muon(matrices, lr=plan.rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(o, plan.rate, total_steps=plan.steps, pct_start=0.05, cycle_momentum=False)
        for o in optimizers
    ]
    for step in range(plan.steps):
        done = step / plan.steps
        loss = _loss(model, sampler.batch(0.3 + 0.7 * done if settled else done))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        yield loss.item()


def _loss(model: Phi3ForCausalLM, rows: Sequence[demo_samples.Row]) -> Tensor:
    """Return the mean cross entropy of the wanted tokens; rows are padded on the right, where nothing looks."""
    import torch

    length = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (length - len(row.ids)) for row in rows])  # (rows, length)
    wanted = torch.tensor([row.wanted + [False] * (length - len(row.wanted)) for row in rows])[:, 1:]
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]), ids[:, 1:][wanted])


def export(folder: Path, output: Path) -> None:
    """Export a trained folder to OpenVINO with 8-bit weights, by the same script that exports Phi-3.

    Raises:
        subprocess.CalledProcessError: the export script failed; it has said why.
    """
    script = SCRIPTS / "export_model.py"
    flags = ["--weight-format", "int8", "--force"]  # --force: an earlier demo model gives way
    subprocess.run([sys.executable, str(script), "--model", str(folder), "--output", str(output), *flags], check=True)


def passes(speaker: demo_check.Talker, seed: int | None, trials: int, *, verbose: bool = False) -> bool:
    """Check a model, print its scores and return whether every task is good enough."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    scores = demo_check.check(speaker, seed, trials, verbose=verbose)
    failed = [task for task, score in scores.items() if score < demo_check.PASS]
    print(f"seed {seed}: " + (f"under {demo_check.PASS:.0%}: {', '.join(failed)}" if failed else "all passed"))
    return not failed


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="only check the exported model")
    parser.add_argument("--trials", type=int, default=50, help="conversations of each task in the check (default: 50)")
    parser.add_argument("--verbose", action="store_true", help="show the conversations that failed the check")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="the exported folder (default: bot/demo_model)")
    parser.add_argument("--steps", type=int, default=Plan.steps, help=f"training steps (default: {Plan.steps})")
    parser.add_argument("--rate", type=float, default=Plan.rate, help=f"highest learning rate (default: {Plan.rate})")
    parser.add_argument("--seed", type=int, help="decides all that is random (default: 1; for the check: a new one)")
    parser.add_argument("--output", type=Path, help="where the trained model is kept (default: nowhere)")
    parser.add_argument("--start-from", type=Path, help="continue from the --output of an earlier run")
    parser.add_argument("--no-export", action="store_true", help="train only; needs --output")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1 if the exported model does not do what it should."""
    arguments = _arguments(argv)
    if not arguments.check:
        plan = Plan(steps=arguments.steps, rate=arguments.rate, seed=1 if arguments.seed is None else arguments.seed)
        with tempfile.TemporaryDirectory() as scratch:
            folder = arguments.output or Path(scratch) / "phibot-demo"
            train(plan, folder, arguments.start_from)
            if arguments.no_export:
                return 0
            export(folder, arguments.model)
    speaker = demo_check.Speaker(arguments.model)
    return 0 if passes(speaker, arguments.seed, arguments.trials, verbose=arguments.verbose) else 1


if __name__ == "__main__":
    sys.exit(main())
