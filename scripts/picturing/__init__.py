"""What draws the pictures of the documentation; `scripts/make_pictures.py` is the verb."""
