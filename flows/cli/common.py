"""What all commands share: settings from options, one clear line for what fails, tables for people and for pipes."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from flows.settings import Settings, load
from sinks.log.api import Log

ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Settings file instead of nadi.toml.", show_default=False)
]
DataOption = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Data folder instead of .data.", show_default=False)]
LogOption = Annotated[
    str | None, typer.Option("--log", metavar="URL", help="The log: sqlite:///folder/ or kafka://host:port.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
SHARED = {"config": ConfigOption, "data": DataOption, "log": LogOption}


class Failed(Exception):
    """The command could not do it; the message says why and what to do. Exit status 1."""


class Usage(Exception):
    """The command was called wrongly; the message says how to call it. Exit status 2."""


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--config`, `--data` and `--log`, and hands it the checked settings as its first argument."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "settings"]
    shared = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=a) for n, a in SHARED.items()]

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        config, data, log = (given.pop(name) for name in SHARED)
        command(load(os.environ, config, {"data": data, "log": log}), **given)

    wrapper.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in (*own, *shared)} | {"return": None}
    del wrapper.__wrapped__
    return wrapper


def existing_log(settings: Settings) -> Log:
    """The log, which must be there already: a command that only reads must not make an empty one in the wrong folder."""
    from sinks.log import open_log, sqlite_folder

    url = settings.log_url
    if url.startswith("sqlite:///") and not any(sqlite_folder(url).glob("*.sqlite3")):
        msg = f"no log in {sqlite_folder(url)}: start `nadi up`, or say where it is with --data or --log"
        raise Failed(msg)
    return open_log(url)


def print_json(value: object) -> None:
    """One JSON document, readable; key order as given."""
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing to list") -> None:
    """On a terminal a table; in a pipe plain lines with tabs between, header first, for `cut` and `awk`."""
    cells = [[("" if c is None else str(c)).replace("\t", " ").replace("\n", " ") for c in row] for row in rows]
    if not sys.stdout.isatty():
        typer.echo("\t".join(columns))
        for row in cells:
            typer.echo("\t".join(row))
        return
    if not cells:
        typer.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        out.add_row(*row)
    Console(markup=False, highlight=False).print(out)


def note(text: str) -> None:
    """A word to the person, beside the output that a pipe reads."""
    typer.echo(text, err=True)


def utc(ms: int | None) -> str:
    """A time for people and for `sort`: UTC, to the second."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(ms: float) -> str:
    """A duration in its two largest units: 1 d 3 h, 4 min 10 s, 0.8 s."""
    seconds = ms / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, small_size, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small_size
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"
