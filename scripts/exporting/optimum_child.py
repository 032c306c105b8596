"""Run optimum-cli in this process, which ends when the export does."""

import sys

import bot.engine  # noqa: F401 - before OpenVINO, which would tell its makers of itself
from exporting.children import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    from optimum.commands.optimum_cli import main

    sys.argv[0] = "optimum-cli"
    main()
