"""Engines as the product runs them, with its defaults: in a thread of this process, or in a process of their own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import serve
from bot.core.engine import Engine
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.executor import ThreadedEngine
from bot.engine.model_folder import find_model
from bot.engine.process import EngineProcess
from bot.settings import Settings

SERVE = (sys.executable, "-m", "bot", "serve", "--child")
CACHE_BYTES_PER_VALUE = 1.0833  # on a CPU: 8 bits, and for each head and token a scale and a zero point


@dataclass(frozen=True)
class Choice:
    """Which engine, on what. `kv_cache_gb`: None is the product's own choice."""

    engine: str
    model: Path
    device: str
    kv_cache_gb: int | None = None

    def settings(self) -> dict[str, str]:
        """Return them as settings by name."""
        chosen = {"engine": self.engine, "model_dir": str(self.model.resolve()), "device": self.device}
        return chosen if self.kv_cache_gb is None else {**chosen, "kv_cache_gb": str(self.kv_cache_gb)}

    def cache_tokens(self) -> int | None:
        """Return about how many tokens the KV cache holds, None where there is none of a known size."""
        if self.engine != "genai" or self.kv_cache_gb is None:
            return None
        config = json.loads((self.model / "config.json").read_bytes())
        width = config["hidden_size"] * config["num_key_value_heads"] // config["num_attention_heads"]
        return int(self.kv_cache_gb * 2**30 / (2 * config["num_hidden_layers"] * width * CACHE_BYTES_PER_VALUE))


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings instead of its own."""
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PHIBOT_", "DISCORD_"))}
    return others | {f"PHIBOT_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def opened(choice: Choice, say: Callable[[str], None], *, in_process: bool) -> AsyncIterator[Engine]:
    """Load an engine and close it at the end of the block; `in_process`: one of its own, asked through HTTP.

    Raises: StartError.
    """
    settings = Settings(**choice.settings())
    model = find_model(choice.model, may_use_demo=False)
    known = serve.provisional(settings, model)
    engine: EngineProcess | ThreadedEngine
    if in_process:
        engine = EngineProcess(SERVE, known, environment=environment({**choice.settings(), "log_level": "WARNING"}))
    else:
        engine = ThreadedEngine(serve.factory(settings, model, Phi3Tokenizer.load(model.folder)), known)
    engine.start()
    try:
        await engine.ready()
        say(f"{choice.engine} on {engine.info.device}: loaded in {engine.load_s or 0:.1f} s")
        yield engine
    finally:
        await engine.aclose()
