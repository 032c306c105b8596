#!/usr/bin/env python3
"""Draw the pictures of docs/commands.md: real conversations of the bot and its demo model on the loopback Discord.

Needs Chromium (on Debian and Ubuntu the package `chromium`) and its fonts (`fonts-dejavu`, `fonts-noto-color-emoji`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bootstrap

PICTURES = Path(bootstrap.ROOT) / "docs" / "pictures"
WIDTH_PX = 760
TALLEST_PX = 6000
BROWSER_S = 60.0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these pictures (default: all)")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"), metavar="FILE")
    arguments = parser.parse_args()
    if arguments.chromium is None:
        parser.error("there is no chromium; --chromium FILE says where it is")
    return arguments


def photograph(chromium: str, page: str, file: Path) -> None:
    """Write a page's picture, as high as its content. Raises: subprocess.SubprocessError, RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="phibot-picture-") as folder:
        source = Path(folder) / "page.html"
        measured = "<script>document.title = Math.ceil(document.body.getBoundingClientRect().height)</script>"
        source.write_text(page + measured, encoding="utf-8")
        dumped = browse(chromium, folder, "--dump-dom", f"--window-size={WIDTH_PX},{TALLEST_PX}", source.as_uri())
        height = re.search(r"<title>(\d+)</title>", dumped)
        if height is None:
            raise RuntimeError(f"{chromium} drew nothing")
        browse(
            chromium,
            folder,
            f"--screenshot={file}",
            f"--window-size={WIDTH_PX},{min(int(height[1]), TALLEST_PX)}",
            source.as_uri(),
        )


def browse(chromium: str, profile: str, *arguments: str) -> str:
    """Run Chromium once without a window; return what it printed. Raises: subprocess.SubprocessError."""
    quiet = ("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars", "--disable-sync")
    offline = ("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}/profile")
    sandbox = (
        ("--no-sandbox",) if os.name == "posix" and os.geteuid() == 0 else ()
    )  # it refuses to run as root with one
    done = subprocess.run(
        [chromium, *quiet, *offline, *sandbox, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=BROWSER_S,
        text=True,
    )
    return done.stdout


def main() -> int:
    """Draw them."""
    arguments = parse()
    bootstrap.reexec()
    from picturing.scenes import SCENES, play

    unknown = set(arguments.names) - set(SCENES)
    if unknown:
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    PICTURES.mkdir(exist_ok=True)
    for name in arguments.names or SCENES:
        page = asyncio.run(play(name))
        photograph(arguments.chromium, page, PICTURES / f"{name}.png")
        print(f"docs/pictures/{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
