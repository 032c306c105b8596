"""The child process that reads one file: bytes in at stdin, one JSON object out at stdout, under limits of its own.

Started by `bot.files.reader`, as `python -m bot.files.child`. The first line of stdin is a JSON object (name,
max_chars, memory_bytes, cpu_s, wall_s); everything behind it is the file.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from dataclasses import asdict

from bot.files.extraction import FileText, extract
from bot.files.kinds import Kind
from bot.ops.platform import limit_this_process


def main() -> None:
    """Read one file from stdin and say on stdout what it says."""
    order = json.loads(sys.stdin.buffer.readline())
    # A thread of the interpreter's own, which needs no GIL: the end comes even if nobody is left to kill this process.
    faulthandler.dump_traceback_later(order["wall_s"], exit=True)
    content = sys.stdin.buffer.read()
    limit_this_process(memory_bytes=order["memory_bytes"], cpu_s=order["cpu_s"])
    try:
        found = extract(content, order["name"], order["max_chars"])
    except (MemoryError, RecursionError):
        found = FileText(Kind.BINARY, reason="file.too_hard")
    sys.stdout.buffer.write(json.dumps(asdict(found)).encode())
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing is left to be tidied up, which for a large file takes longer than to read it


if __name__ == "__main__":
    main()
