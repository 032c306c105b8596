"""What the admin reads at the start: what answers, where, and what to do next.

Knows nothing of how any of it is built; takes plain words.
"""

from __future__ import annotations

from typing import Final

TOKEN_STEPS: Final = (
    "To connect it to Discord:",
    "  1. https://discord.com/developers/applications > New Application > Bot > Reset Token",
    "  2. the same page: switch on Message Content Intent (without it: mentions and direct messages only)",
    "  3. put DISCORD_TOKEN=<the token> into the file .env and start again",
    "  4. open the invitation link that `phibot invite`, or the log, then prints, and choose your server",
)

DEMO_STEPS: Final = (
    "This is the demo model: it remembers what you tell it and can do little else.",
    "The real one: python3 scripts/export_model.py   (or, smaller: python3 scripts/export_model.py --ready-made)",
)

CONSOLE_STEPS: Final = ("Talk to it below. /help lists its commands, /quit or Ctrl-D ends it.",)


def banner(*, version: str, model: str, is_demo: bool, engine: str, device: str, console: bool) -> str:
    """Return the start banner: facts first, then what to do next."""
    where = "talking on a Discord of this machine, no token needed" if console else "talking on Discord"
    if engine == "echo":
        return f"Phibot {version}: no model, every question is repeated (PHIBOT_ENGINE=echo); {where}\n"
    lines = [f"Phibot {version}: {model} through {engine}, asked to run on {device}; {where}"]
    if is_demo:
        lines += ["", *DEMO_STEPS]
    if console:
        lines += ["", *TOKEN_STEPS, "", *CONSOLE_STEPS]
    return "\n".join([*lines, ""])
