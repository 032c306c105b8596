"""Engines: what turns prompt ids into answer ids. Knows models and devices, and nothing of people or Discord."""
