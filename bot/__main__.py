"""`python -m bot`: the same as the command `phibot`."""

from bot.cli import main

main()
