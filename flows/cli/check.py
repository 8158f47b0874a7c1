"""`nadi doctor` and `nadi score`: is this installation well, and what would NEWS2 say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flows.cli.common import Failed, JsonOption, print_json, table, with_settings
from flows.settings import Settings


@with_settings
def doctor(settings: Settings, as_json: JsonOption = False) -> None:
    """Examines this installation: log, clock, folders, locks, ages, disk, secret. Exit status 1 when something is wrong.

    \b
    Examples:
      nadi doctor
      nadi doctor --json | jq '.[] | select(.level != "ok")'
    """
    from flows.doctor import examine

    findings = list(examine(settings, os.environ))
    if as_json:
        print_json([f._asdict() for f in findings])
    else:
        table(("check", "", "found", "what to do"), ((f.check, f.level, f.found, f.todo) for f in findings))
    if any(f.level == "fail" for f in findings):
        raise typer.Exit(1)


score = typer.Typer(help="Compute scores of values from a file.", no_args_is_help=True, rich_markup_mode=None)


class Observations(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the input; what is absent is missing."""

    respiration_rate_per_min: float | None = None
    spo2_percent: float | None = None
    spo2_scale: int = 1
    on_oxygen: bool | None = None
    systolic_mm_hg: float | None = None
    pulse_per_min: float | None = None
    consciousness: str | None = None
    temperature_cel: float | None = None


@score.callback()
def _scores() -> None:
    """Compute scores of values from a file, without any log."""


@score.command("news2")
def news2(file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines; - reads standard input.")]) -> None:
    """NEWS2 of each line: JSON lines in, JSON lines out. What is absent is missing, never zero.

    In: respiration_rate_per_min, spo2_percent, spo2_scale (1, 2), on_oxygen (true, false), systolic_mm_hg, pulse_per_min,
    consciousness (A C V P U CVPU), temperature_cel. Out: total (null if incomplete), parts (0 to 3 or null), complete,
    lower_bound, response (low, low_medium, medium, high).

    \b
    Examples:
      nadi score news2 ward.jsonl
      echo '{"respiration_rate_per_min": 25, "spo2_percent": 91}' | nadi score news2 -
    """
    from operators.clinical.news2 import score as news2_of

    encode = msgspec.json.Encoder().encode
    decode = msgspec.json.Decoder(Observations).decode
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            result = news2_of(**msgspec.structs.asdict(decode(line)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Failed(f"{file}:{number}: {str(error).replace(' - at `$.', ' - in `')}") from None
        typer.echo(encode(result._asdict()).decode())


def _lines(file: Path) -> Iterator[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as read:
            yield from read
    except OSError as error:
        raise Failed(f"{file}: cannot read: {error.strerror}") from None


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("doctor", short_help="Find what is wrong, say what to do.")(doctor)
    app.add_typer(score, name="score")
