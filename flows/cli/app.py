"""The command `nadi`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def nadi() -> None:
    """From a device's reading to an alert at the bedside."""


def run() -> None:
    """Runs the command line."""
    app()
