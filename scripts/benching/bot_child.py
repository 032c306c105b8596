"""The bot in a process of its own, as `phibot run` builds it, on the Discord it is told; and how that process fares.

Each line on stdin is answered on stdout by a JSON object with the event loop's lag since the last one, the memory in
use and the processor time spent. The end of stdin ends the bot. The lag is sampled from the first line on: before, the
pace of a model on the same processors is measured, which a hundred samples a second slow down.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from benching.machine import rss_mb
from benching.measures import percentile
from bot import app
from bot.engine.model_folder import find_model
from bot.frontends.discord.client import Endpoints
from bot.ops import event_loop
from bot.ops.logging import configure_logging
from bot.settings import load_settings

SAMPLE_S = 0.01


class LoopLag:
    """How late the event loop is: a timer of 10 ms, and by how much it is missed."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lags_s: list[float] = []

    async def sample(self) -> None:
        """Sample until cancelled."""
        while True:
            due_s = time.perf_counter() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self._lags_s.append(max(0.0, time.perf_counter() - due_s))

    def take_p99_ms(self) -> float:
        """Return the 99th percentile since the last call."""
        lags_s, self._lags_s = self._lags_s or [0.0], []
        return 1000 * percentile(lags_s, 99)


async def report() -> int:
    """Answer each line until stdin ends."""
    lag = LoopLag()
    sampling: asyncio.Task[None] | None = None
    try:
        while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            sampling = sampling or asyncio.create_task(lag.sample())
            fared = {"loop_lag_p99_ms": lag.take_p99_ms(), "rss_mb": rss_mb(), "cpu_s": time.process_time()}
            print(json.dumps(fared), flush=True)
    finally:
        if sampling is not None:
            sampling.cancel()
    return 0


def main() -> int:
    """Run the bot as the environment says; the two arguments are where its Discord is."""
    api_url, gateway_url = sys.argv[1:]
    settings, _ = load_settings(env_file=Path("there-is-none"))
    token = settings.discord_token.get_secret_value() if settings.discord_token else ""
    configure_logging("INFO", "json", secrets=[token])
    model = find_model(settings.model_dir, may_use_demo=False)
    discord = app.Discord(token, Endpoints(api_url, gateway_url))
    return event_loop.run(app.serve(discord, settings, model, until=lambda _parts: report()))


if __name__ == "__main__":
    sys.exit(main())
