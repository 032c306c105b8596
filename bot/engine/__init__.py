"""Engines: what turns prompt ids into answer ids. Knows models and devices, and nothing of people or Discord."""

import sys

# `import openvino` tells its makers of itself by way of this package, unless there is none. Its own ways out are a file
# in the home folder, for every program of this user, and CI=true, which other libraries read too.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
