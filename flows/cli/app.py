"""The command `nadi`: who is who among its commands, and one clear line with an exit status for all that can go wrong."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, UsageError

from flows.cli import alerts, check, facts, letters, people, serve, simulate
from flows.cli.common import Failed, Usage
from flows.settings import SettingsError
from gateway.config import ConfigError
from sinks.log.api import LogError

OPTIONS: dict[str, object] = {"no_args_is_help": True, "rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}

app = typer.Typer(
    name="nadi",
    help="From a device's reading to an alert at the bedside.",
    epilog="Each command tells more: `nadi COMMAND --help`.  Settings: nadi.toml, NADI_* variables, options; see docs/settings.md.",
    **OPTIONS,  # type: ignore[arg-type]
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nadi {installed_version('nadi')}")
        raise typer.Exit


@app.callback()
def nadi(_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False) -> None:
    """From a device's reading to an alert at the bedside."""


for _module in (serve, facts, people, alerts, letters, check, simulate):
    _module.register(app)


def run(arguments: list[str] | None = None) -> None:
    """Runs one command and ends the process: 0 done, 1 failed, 2 wrong usage (settings too)."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=arguments, prog_name="nadi", standalone_mode=False)
    except UsageError as error:
        where = error.ctx.command_path if error.ctx else "nadi"
        _end(2, f"{where}: {error.format_message().rstrip('.')}; see `{where} --help`")
    except (Usage, SettingsError, ConfigError) as error:
        _end(2, str(error))
    except (Failed, LogError, ClickException) as error:
        _end(1, str(error))
    except (KeyboardInterrupt, typer.Abort):
        _end(130, "")
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has left: nothing to tell
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _end(status: int, text: str) -> None:
    if text:
        typer.echo(text if text.startswith(("nadi ", "nadi: ")) else f"nadi: {text}", err=True)
    sys.exit(status)
