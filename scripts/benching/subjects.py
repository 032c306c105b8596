"""From the command line to a subject's measurement."""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from benching import generating, loopback, store, whole
from benching.asking import Prompts
from benching.engines import Choice, opened
from benching.generating import Bench, Sizes
from benching.logs import log_only
from benching.measures import Results
from bot.core.phi3 import Phi3Tokenizer

SEED = 1

Say = Callable[[str], None]
Subject = Callable[[argparse.Namespace, Results, Say], Awaitable[None]]


async def engine(arguments: argparse.Namespace, results: Results, say: Say) -> None:
    """Measure engines in threads of this process, all loaded at once."""
    await _engines(arguments, results, say, in_process=False)


async def server(arguments: argparse.Namespace, results: Results, say: Say) -> None:
    """Measure engines as the bot has them: each in a process of its own, asked through HTTP."""
    await _engines(arguments, results, say, in_process=True)


async def _engines(arguments: argparse.Namespace, results: Results, say: Say, *, in_process: bool) -> None:
    log_only(logging.WARNING)  # an engine that was restarted amid a measurement among them
    async with AsyncExitStack() as stack:
        benches = []
        for name in arguments.engines:
            choice = Choice(name, arguments.model, arguments.device, arguments.kv_cache_gb)
            loaded = await stack.enter_async_context(opened(choice, say, in_process=in_process))
            sizes = Sizes.fitting(loaded.info.context_tokens, arguments.new_tokens)
            bench = Bench(
                name,
                loaded,
                Prompts(arguments.model, SEED),
                sizes,
                arguments.users,
                results,
                choice.cache_tokens(),
            )
            benches.append(bench)
        scenarios = arguments.only or list(generating.SCENARIOS)
        await generating.measure(benches, scenarios, arguments.repeat, say)


async def history(arguments: argparse.Namespace, results: Results, say: Say) -> None:
    """Measure the store at each size, each in a file of its own that is removed afterwards."""
    log_only(logging.WARNING)
    tokenizer = Phi3Tokenizer.load(arguments.model)
    for turns in arguments.turns:
        with tempfile.TemporaryDirectory(prefix="phibot-bench-", dir=arguments.folder) as folder:
            free_bytes = shutil.disk_usage(folder).free
            if store.BYTES_PER_TURN * turns <= free_bytes:
                file = Path(folder) / "phibot.sqlite3"
                await store.measure(file, tokenizer, turns, arguments.repeat, results, say)
            else:
                say(f"{turns} turns are left out: {free_bytes / 1e9:.1f} GB of disk are not enough for them.")


async def bot(arguments: argparse.Namespace, results: Results, say: Say) -> None:
    """Measure the whole bot: what it adds to a model's time or, with a model, its pace beside the bare pipeline's."""
    log_only(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="phibot-bench-", dir=arguments.folder) as folder:
        place, model, repeat = Path(folder), arguments.model.resolve(), arguments.repeat
        if arguments.engine == "echo":
            await loopback.measure(place, model, arguments.rates, arguments.seconds, repeat, results, say)
        else:
            choice = Choice(arguments.engine, model, arguments.device, arguments.kv_cache_gb)
            await whole.measure(place, choice, arguments.users, arguments.new_tokens, repeat, results, say)


SUBJECTS: Mapping[str, Subject] = {"engine": engine, "server": server, "bot": bot, "history": history}
