"""The real command line, `phibot run`, in a process of its own, with discord.py pointed at a loopback Discord."""

import sys

from bot.cli import main
from bot.frontends.discord.client import Endpoints

if __name__ == "__main__":
    api_url, gateway_url, *arguments = sys.argv[1:]
    Endpoints(api_url, gateway_url).use()
    sys.argv = ["phibot", *arguments]
    main()
