"""The parts of scripts/soak.py: what visitors do, what is looked at, and what counts as leaked."""
