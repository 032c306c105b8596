"""A Phi-3 of random weights, small enough for every test: the real architecture, window, roles and stop tokens.

Made without any network. It never ends an answer by itself and never says a lone byte: it talks, readably if
senselessly, until max_new_tokens.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import demo_tokenizer

LAYERS = 2
HIDDEN = 128  # a multiple of the export's default group size, so that the seed's flags fit as they are
WINDOW_TOKENS = 4096
SPEECH = (
    "You are a helpful AI assistant. Can you introduce yourself? My name is Ada and I live by the sea; what is my name?"
    " The quick brown fox jumps over the lazy dog while 12 zebras and 34 yaks drink 567 cups of tea, then 890 more.\n"
)


def make_tiny_phi3(folder: Path, *, seed: int = 0, vocab_from: Path | None = None) -> None:
    """Write a Hugging Face folder of a random Phi-3 (half a million parameters) into `folder`.

    The same seed gives the same weights. Its tokenizer is a small one with Phi-3's role tokens and byte fallback, or a
    copy of the one in `vocab_from`.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import GenerationConfig, Phi3Config, Phi3ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    if vocab_from is None:
        demo_tokenizer.save(demo_tokenizer.learn([SPEECH] * 4, pieces=400), folder, WINDOW_TOKENS)
    else:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(vocab_from / name, folder / name)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end_of_text, end, assistant = (tokenizer.token_to_id(t) for t in ("<|endoftext|>", "<|end|>", "<|assistant|>"))
    config = Phi3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=WINDOW_TOKENS,
        original_max_position_embeddings=WINDOW_TOKENS,
        sliding_window=2047,  # as Phi-3-mini's
        initializer_range=0.3,  # far enough apart that the greatest logit is the same for every backend
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=end_of_text,
        pad_token_id=end_of_text,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Phi3ForCausalLM(config).eval()
    with torch.no_grad():
        # A logit of 0 is never the greatest of some hundred that are spread around 0.
        model.lm_head.weight[unspeakable_ids(tokenizer.get_vocab())] = 0
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=[end_of_text, assistant, end], pad_token_id=end_of_text
    )
    model.save_pretrained(folder)


def unspeakable_ids(vocab: dict[str, int]) -> list[int]:
    """Return the ids of the tokens that stand for no text of their own: control and role tokens, and bytes."""
    return sorted(token for name, token in vocab.items() if re.fullmatch("<.+>", name))
