"""Phibot: a Discord bot that answers with Phi-3 running on its owner's own Intel hardware."""

__version__ = "0.1.0"
