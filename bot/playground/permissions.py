"""Permissions, computed as Discord computes them.

Owns the bits and the algorithm (Discord's documentation, "Permission Overwrites"); the caller
hands in roles and overwrites, nothing here looks anything up.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag


class Permission(IntFlag):
    """Permission bits that this server looks at."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EXTERNAL_APPS = 1 << 50


NOTHING = Permission(0)
EVERYTHING = Permission((1 << 51) - 1)
DEFAULT_EVERYONE = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.USE_EXTERNAL_APPS
)
"""What a new guild gives to @everyone (of the bits above, mention_everyone left out)."""

ANSWERING_PERMISSIONS = Permission.EMBED_LINKS | Permission.ATTACH_FILES | Permission.MENTION_EVERYONE
"""What of its user's permissions an application has that only this user installed."""

DM_PERMISSIONS = DEFAULT_EVERYONE & ~Permission.CREATE_PUBLIC_THREADS


def base(everyone: Permission, roles: Iterable[Permission], *, is_owner: bool) -> Permission:
    """Return what a member may do in the guild, before any channel's overwrites."""
    if is_owner:
        return EVERYTHING
    granted = everyone
    for permissions in roles:
        granted |= permissions
    return EVERYTHING if granted & Permission.ADMINISTRATOR else granted


def overwrite(
    granted: Permission,
    everyone: tuple[Permission, Permission],
    roles: Iterable[tuple[Permission, Permission]],
    member: tuple[Permission, Permission],
) -> Permission:
    """Apply a channel's overwrites, each (allow, deny): @everyone, then roles together, then member."""
    if granted & Permission.ADMINISTRATOR:
        return EVERYTHING
    granted = (granted & ~everyone[1]) | everyone[0]
    allowed, denied = NOTHING, NOTHING
    for allow, deny in roles:
        allowed |= allow
        denied |= deny
    granted = (granted & ~denied) | allowed
    granted = (granted & ~member[1]) | member[0]
    return _implied(granted)


def _implied(granted: Permission) -> Permission:
    """Take away what is worth nothing without the permission it builds on."""
    if not granted & Permission.VIEW_CHANNEL:
        return NOTHING
    if not granted & Permission.SEND_MESSAGES:
        granted &= ~(Permission.MENTION_EVERYONE | Permission.EMBED_LINKS | Permission.ATTACH_FILES)
    return granted
