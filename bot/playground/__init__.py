"""A Discord on loopback: gateway and REST for one bot, the world behind them, scripted people and a terminal user.

What a newcomer tries the bot on, and what end-to-end tests run on. It knows nothing of the bot: whatever speaks
Discord's protocol can be pointed at its two addresses.
"""

from bot.playground.server import Playground

__all__ = ["Playground"]
