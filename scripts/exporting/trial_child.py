"""Generate a few tokens with an exported folder on the CPU, as the bot will: ids in, ids out."""

import sys
from pathlib import Path

import bot.engine  # noqa: F401 - before OpenVINO, which would tell its makers of itself
from exporting.children import end_with_parent

NEW_TOKENS = 8


def generate(folder: Path) -> list[int]:
    """Return the ids of a short greedy answer."""
    import numpy as np
    import openvino
    import openvino_genai
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    roles = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("user", "end", "assistant")}
    missing = [name for name, token in roles.items() if token is None]
    if missing:
        sys.exit(f"the tokenizer has no <|{missing[0]}|>")
    question = tokenizer.encode("Hello", add_special_tokens=False).ids
    prompt = openvino.Tensor(np.array([[roles["user"], *question, roles["end"], roles["assistant"]]], dtype=np.int64))
    config = openvino_genai.GenerationConfig(max_new_tokens=NEW_TOKENS, ignore_eos=True)
    pipeline = openvino_genai.ContinuousBatchingPipeline(folder, openvino_genai.SchedulerConfig(), "CPU", {})
    handle = pipeline.add_request(0, prompt, config)
    ids: list[int] = []
    while pipeline.has_non_finished_requests():
        pipeline.step()
        while handle.can_read():
            ids += [token for output in handle.read().values() for token in output.generated_ids]
    return ids


if __name__ == "__main__":
    end_with_parent()
    generated = generate(Path(sys.argv[1]))
    if len(generated) != NEW_TOKENS:
        sys.exit(f"it generated {len(generated)} tokens instead of {NEW_TOKENS}")
