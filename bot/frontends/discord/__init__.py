"""Phibot on Discord: what people say there becomes questions, and answers become messages.

`frontend.DiscordFrontend` is the door; everything else is behind it. Knows `bot.core.chat` and discord.py, and neither
settings nor engines nor the store.
"""
