"""What memory the device has, told to a process that shall not load OpenVINO: it asks another one.

`python -m bot.engine.device_memory DEVICE [FALLBACK]` prints one JSON object: the device that would run a model, and
the memory in bytes that it has free before that, or null.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bot.engine.kv import free_memory_bytes
from bot.errors import DeviceUnavailable
from bot.ops.platform import available_memory_bytes
from bot.ops.processor import on_all_processors

log = structlog.get_logger(__name__)

TIMEOUT_S = 60.0
"""Loading OpenVINO takes a second, or many on a disk that is busy."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What a device has: `at_first_bytes`, before any model was loaded there, None where that cannot be told."""

    device: str
    at_first_bytes: int | None

    def free_bytes(self) -> int | None:
        """Return what it has free now: the machine's for a processor; for others what they had at first."""
        return available_memory_bytes() if self.device.upper().startswith("CPU") else self.at_first_bytes


async def ask_device_memory(device: str, fallback: str | None, environment: Mapping[str, str]) -> DeviceMemory:
    """Ask in a process with this environment, which takes about a second; if that fails, take the processor's."""
    arguments = [device, fallback] if fallback else [device]
    with on_all_processors():
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, errors = await child.communicate()
        return DeviceMemory(**json.loads(out))
    except TimeoutError:
        log.warning("device_memory_unknown", device=device, reason=f"no answer in {TIMEOUT_S:.0f} s")
    except (ValueError, TypeError):
        reason = (errors.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
        log.warning("device_memory_unknown", device=device, reason=reason)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return DeviceMemory("CPU", available_memory_bytes())


def _tell(device: str, fallback: str | None) -> None:
    from bot.engine.device import choose_device, list_devices

    try:
        name = choose_device(device, fallback, list_devices()).name
    except DeviceUnavailable:  # said in full by the engine that cannot be loaded there
        name = device
    sys.stdout.write(json.dumps({"device": name, "at_first_bytes": free_memory_bytes(name)}) + "\n")


if __name__ == "__main__":
    _tell(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
