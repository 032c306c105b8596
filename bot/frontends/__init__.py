"""Frontends: where people meet the bot. Each knows `bot.core` and its own service, and never an engine."""
