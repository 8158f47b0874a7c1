"""`nadi sim` and `nadi replay`: simulated wards and recorded patients."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from flows.cli.common import Usage, note, with_settings
from flows.settings import Settings


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
        sent = run_sim(settings.log_url, people, story, seed, minutes, dirt, ward, speed, clock.value)
    except ValueError as error:
        raise Usage(f"nadi sim: {error}") from None
    note(f"sent {sent.messages} messages with {sent.readings} readings, {sent.records} records in all")


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("sim", short_help="Simulate a ward.")(sim)
