"""How a model becomes a folder that Phibot runs: fetched, exported, tried, recorded, put in place."""
