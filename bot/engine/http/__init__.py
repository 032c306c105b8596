"""The engine's HTTP interface in parts: what requests may say, what answers look like, and how they are streamed."""
