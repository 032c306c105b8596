"""The command line: `phibot run`. Turns errors into one sentence and an exit code; holds no logic of its own."""

from __future__ import annotations

from typing import Annotated

import typer

import bot
from bot import app as application
from bot.errors import EX_SOFTWARE, BotError, StartError
from bot.settings import load_settings

cli = typer.Typer(
    name="phibot",
    help=bot.__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"phibot {bot.__version__}")
        raise typer.Exit


@cli.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


@cli.command()
def run(
    console: Annotated[
        bool,
        typer.Option("--console", help="Try the bot in this terminal, on a Discord of its own; also reads a pipe."),
    ] = False,
    sync_commands: Annotated[
        bool, typer.Option("--sync-commands", help="Send the slash commands to Discord even if they did not change.")
    ] = False,
) -> None:
    """Run the bot: on Discord with DISCORD_TOKEN, else, on a terminal, on a Discord of its own."""
    try:
        settings, warnings = load_settings()
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
        code = application.run(settings, console=console, force_sync=sync_commands)
    except StartError as exc:
        typer.echo(f"phibot: {exc}", err=True)
        code = exc.exit_code
    except BotError as exc:
        typer.echo(f"phibot: {exc}", err=True)
        code = EX_SOFTWARE
    raise typer.Exit(code)


def main() -> None:
    """Run the command line."""
    cli()
