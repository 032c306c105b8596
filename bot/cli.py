"""The command line: `phibot run`. Turns errors into one sentence and an exit code; holds no logic of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

import bot
from bot import app as application
from bot import serve as serving
from bot.errors import EX_SOFTWARE, BotError, StartError, TokenMissing
from bot.ops.invitation import HIGHEST_ID, application_id_of, invitation
from bot.settings import Settings, load_settings

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
    _end_with(lambda settings: application.run(settings, console=console, force_sync=sync_commands))


@cli.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen; others than 127.0.0.1 need PHIBOT_ENGINE_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = 8000,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Listen on a free port, end with stdin.")] = False,
) -> None:
    """Run only the engine, over HTTP in the OpenAI protocol: for PHIBOT_ENGINE_URL, or for any client of that."""
    _end_with(lambda settings: serving.run(settings, host=host, port=0 if child else port, as_child=child))


@cli.command()
def invite(
    application_id: Annotated[
        int | None,
        typer.Option(min=1, max=HIGHEST_ID, help="The application's id; else the one that DISCORD_TOKEN holds."),
    ] = None,
    guild: Annotated[
        int | None, typer.Option(min=1, max=HIGHEST_ID, help="The id of the server to invite it to.")
    ] = None,
) -> None:
    """Print the link that invites the bot to a server, the permissions that it asks for, and why. Needs no network."""

    def show(settings: Settings) -> int:
        whose = _application_id(settings, application_id)
        typer.echo(invitation(whose, guild_id=guild, allowed=settings.allowed_guild_ids))
        return 0

    _end_with(show)


def _application_id(settings: Settings, given: int | None) -> int:
    """Return the id given, else the token's. Raises: TokenMissing, TokenMalformed."""
    if given is not None:
        return given
    if settings.discord_token is None:
        raise TokenMissing("DISCORD_TOKEN is not set; without it, --application-id makes the link too.")
    return application_id_of(settings.discord_token.get_secret_value())


def _end_with(run: Callable[[Settings], int]) -> NoReturn:
    """Load the settings, run, and end with an exit code; an error becomes a sentence on stderr."""
    try:
        settings, warnings = load_settings()
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
        code = run(settings)
    except BotError as exc:
        typer.echo(f"phibot: {exc}", err=True)
        code = exc.exit_code if isinstance(exc, StartError) else EX_SOFTWARE
    raise typer.Exit(code)


def main() -> None:
    """Run the command line, under its own name also where it was started as `python -m bot`."""
    cli(prog_name="phibot")
