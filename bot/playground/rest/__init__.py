"""The REST routes that bots call, grouped by what they are about; pipeline.py leads every call through them."""
