"""The demo model's tokenizer: the same kind as Phi-3's (BPE with byte fallback, the same flags), only much smaller.

Owns the vocabulary and the two tokenizer files. Whole words are learnt from the conversations' fixed texts only, so that names
fall into letters and short pieces: copying a name nobody has seen is then the same task as copying any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

# As in Phi-3's tokenizer.json: (content, rstrip, special).
CONTROL = (("<unk>", False, True), ("<s>", False, True), ("</s>", True, False))
ROLES = (
    ("<|endoftext|>", False, True),
    ("<|assistant|>", True, True),
    ("<|system|>", True, True),
    ("<|end|>", True, True),
    ("<|user|>", True, True),
)
# Equal in form to Phi-3's template (microsoft/Phi-3-mini-4k-instruct, tokenizer_config.json).
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
_LETTERS = (
    "".join(chr(c) for c in range(0x20, 0x7F))
    + "áàâäãåæçéèêëíìîïñóòôöõøúùûüýßœšžčćđłńęąőűřťğışÁÉÖÜØÇŠŽ…“”€\u2019\u2013"
)


def learn(texts: Iterable[str], pieces: int) -> Tokenizer:
    """Learn a vocabulary of 256 bytes, the letters and about `pieces` in all from `texts`, and return the tokenizer."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    # No piece crosses a word, a mark or a digit; a space belongs to the word after it, as sentencepiece has it.
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?\p{L}+|▁?[^\p{L}]"), "isolated")
    alphabet = sorted({"▁", *_LETTERS.replace(" ", "")})
    trainer = trainers.BpeTrainer(
        vocab_size=pieces, initial_alphabet=alphabet, limit_alphabet=len(alphabet), min_frequency=4, show_progress=False
    )
    learner.train_from_iterator((f" {line}" for text in texts for line in text.split("\n")), trainer)
    learnt = json.loads(learner.to_str())["model"]
    tokens = [name for name, _, _ in CONTROL] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokens += [token for token, _ in sorted(learnt["vocab"].items(), key=lambda item: item[1])]
    return _assembled({token: index for index, token in enumerate(tokens)}, [tuple(pair) for pair in learnt["merges"]])


def _assembled(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token=CONTROL[0][0], fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    for content, rstrip, special in CONTROL + ROLES:
        token = AddedToken(content, rstrip=rstrip, normalized=False, special=special)
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([token])
    return tokenizer


class PromptEncoder:
    """Builds prompt ids role by role, as the chat template would, with a copy of the tokenizer that knows no added token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        spec = json.loads(tokenizer.to_str())
        self._ids = {token["content"]: token["id"] for token in spec["added_tokens"]}
        spec["added_tokens"], spec["post_processor"] = [], None
        self._text = Tokenizer.from_str(json.dumps(spec))

    @property
    def added_ids(self) -> list[int]:
        """The ids of all added tokens: what no text produces and every answer ends at."""
        return list(self._ids.values())

    def role(self, name: str) -> int:
        """Return the id of <|name|>."""
        return self._ids[f"<|{name}|>"]

    def segment(self, role: str, text: str) -> list[int]:
        """Return the ids of one message: its role, its text, <|end|>."""
        return [self.role(role), *self.text(text), self.role("end")]

    def text(self, text: str) -> list[int]:
        """Return the ids of a text, whatever it holds, none of them an added token's."""
        return list(self._text.encode(text, add_special_tokens=False).ids)


def save(tokenizer: Tokenizer, folder: Path, window_tokens: int) -> None:
    """Write tokenizer.json and a tokenizer_config.json like Phi-3's into `folder`."""
    tokenizer.save(str(folder / "tokenizer.json"))
    decoder = {
        str(tokenizer.token_to_id(content)): {
            "content": content,
            "lstrip": False,
            "normalized": False,
            "rstrip": rstrip,
            "single_word": False,
            "special": special,
        }
        for content, rstrip, special in CONTROL + ROLES
    }
    config: dict[str, Any] = {
        "add_bos_token": False,
        "add_eos_token": False,
        "added_tokens_decoder": decoder,
        "bos_token": "<s>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|endoftext|>",
        "legacy": False,
        "model_max_length": window_tokens,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
