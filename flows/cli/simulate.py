"""`nadi sim` and `nadi replay`: simulated wards and recorded patients."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import Usage, note, print_json, with_settings
from flows.settings import DEFAULT_DATA, Settings


class Clock(StrEnum):
    """Whose time counts."""

    live = "live"
    stream = "stream"


@with_settings
def sim(
    settings: Settings,
    people: Annotated[int, typer.Option(min=1, max=20_000, help="Patients.")] = 30,
    story: Annotated[str, typer.Option(help="demo, mixed, healthy, sepsis, hypoxia, low-glucose, probe-off, site-outage, ...")] = "mixed",
    seed: Annotated[int, typer.Option(help="The same seed gives the same ward, byte for byte.")] = 1,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long.", show_default="for ever")] = None,
    dirt: Annotated[
        bool, typer.Option("--dirt", help="Repeats, disorder, back-fill, zeros, wrong units, clock faults, re-binding.")
    ] = False,
    ward: Annotated[str, typer.Option(help="The ward's name.")] = "4b",
    speed: Annotated[float, typer.Option(min=0.01, help="Seconds of the ward in a second.")] = 1.0,
    clock: Annotated[
        Clock, typer.Option(help="live: messages leave as time passes. stream: with recorded arrivals, at once.")
    ] = Clock.live,
) -> None:
    """Simulates a ward: facts first, then what its devices and nurses send.

    \b
    Examples:
      nadi sim --people 16 --story demo
      nadi sim --people 300 --seed 7 --dirt
      nadi sim --people 30 --minutes 30 --clock stream --data /tmp/run
    """
    from flows.sim import run_sim

    try:
        sent = run_sim(
            settings.log_url,
            people,
            story,
            seed,
            minutes,
            dirt,
            ward,
            speed,
            clock.value,
            script_file=settings.script_file if settings.demo else None,
        )
    except ValueError as error:
        raise Usage(f"nadi sim: {error}") from None
    note(f"sent {sent.messages} messages with {sent.readings} readings, {sent.records} records in all")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: a number above 0, or max", param_hint="--speed") from None


@with_settings
def replay(
    settings: Settings,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A recorded set: mimic3_demo, cinc2012, cgm, or one laid out like them.")
    ],
    speed: Annotated[str, typer.Option(help="Seconds of the record in a second, or max.")] = "max",
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there, as JSON.", show_default=False)] = None,
    poll: Annotated[int, typer.Option(min=1, max=100_000, help="With --alone: at most so many messages a poll.")] = 5000,
    people: Annotated[int | None, typer.Option(min=1, help="Only the first so many.", show_default=False)] = None,
    alone: Annotated[bool, typer.Option("--alone", help="On a fresh --data folder, with its own flows, to the end of the record.")] = False,
) -> None:
    """Sends recorded patients through Nadi by their recorded arrival, each shifted to a common start, and reports what came out.

    With --alone the outcome is a pure function of the record: the same event ids at any speed, poll size and on any log.

    \b
    Examples:
      nadi replay ../shared/data/mimic3_demo --alone --data /tmp/mimic --report report.json
      nadi replay ../shared/data/cgm --speed 60
    """
    from flows.replay import run_replay
    from flows.replay_sets import ReplayError

    if alone and settings.data == DEFAULT_DATA:
        raise Usage("nadi replay: --alone needs --data: a fresh folder for its log")
    if alone and settings.log:
        raise Usage(f"nadi replay: --alone has the embedded log of its own folder: leave out --log (it is {settings.log})")
    try:
        found = run_replay(folder, settings.log_url, _speed(speed), report, poll, alone, settings.folder if alone else None, people)
    except ReplayError as error:
        raise Usage(f"nadi replay: {error}") from None
    print_json(found)


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("replay", short_help="Replay recorded patients.")(replay)
    app.command("sim", short_help="Simulate a ward.")(sim)
