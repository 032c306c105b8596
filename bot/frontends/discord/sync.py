"""Tells Discord which slash commands there are, only when they have changed: it allows few such calls a day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Final

import discord
import structlog
from discord import app_commands

from bot.frontends.discord.surface import Unwritable, calling

log = structlog.get_logger(__name__)

Recall = Callable[[str], Awaitable[str | None]]
Remember = Callable[[str, str], Awaitable[None]]

FACT: Final = "discord.commands"
"""The name under which the synced commands' fingerprint is remembered."""


async def sync_commands(
    tree: app_commands.CommandTree[discord.Client],
    application_id: int,
    *,
    recall: Recall,
    remember: Remember,
    force: bool,
) -> bool:
    """Send the commands if they are not what was sent last, or if forced. Returns whether they were sent.

    A failure is logged and tried again at the next start: a bot with last week's commands is better than none.
    """
    fingerprint = fingerprint_of(tree, application_id)
    if not force and await recall(FACT) == fingerprint:
        return False
    try:
        await calling(tree.sync())
    except Unwritable as exc:
        log.warning("commands_not_synced", reason=str(exc))
        return False
    await remember(FACT, fingerprint)
    log.info("commands_synced", count=len(tree.get_commands()))
    return True


def fingerprint_of(tree: app_commands.CommandTree[discord.Client], application_id: int) -> str:
    """Return the sha256 of the application and of everything that Discord would be sent."""
    payloads = sorted((command.to_dict(tree) for command in tree.get_commands()), key=lambda payload: payload["name"])
    sent = json.dumps([application_id, payloads], sort_keys=True)
    return hashlib.sha256(sent.encode()).hexdigest()
