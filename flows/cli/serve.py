"""`nadi up`, `nadi flow`, `nadi gateway`: what runs and keeps running."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from flows.cli.common import Failed, note, with_settings
from flows.settings import Settings


class Flow(StrEnum):
    """The dataflows."""

    ingest = "ingest"
    monitor = "monitor"


PortOption = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the board; 0 takes a free one.", show_default="8080")]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]


def _at(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the command's own host and port, checked again."""
    from flows.settings import check

    gateway = msgspec.structs.replace(
        settings.gateway, host=settings.gateway.host if host is None else host, port=settings.gateway.port if port is None else port
    )
    return check(msgspec.structs.replace(settings, gateway=gateway), os.environ)


@with_settings
def up(
    settings: Settings,
    demo: Annotated[bool, typer.Option("--demo", help="With a simulated ward and users to sign in as.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="A table of the processes each 5 seconds.")] = False,
    people: Annotated[int, typer.Option(min=1, max=5000, help="Patients of the demo.")] = 16,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Starts everything: topics, ingest, monitor, the gateway; restarts what dies; one Ctrl-C ends all.

    \b
    Examples:
      nadi up --demo
      nadi up --demo --port 0 --stats
      nadi up --log kafka://kafka-1:9092 --data /var/lib/nadi
    """
    from flows.cli.stats import Stats, flow_health, gateway_health
    from flows.supervisor import AlreadyUp
    from flows.up import address, free_port, run

    settings = _at(msgspec.structs.replace(settings, demo=settings.demo or demo), host, port)
    free = free_port(settings.gateway.host, settings.gateway.port)
    settings = msgspec.structs.replace(settings, gateway=msgspec.structs.replace(settings.gateway, port=free))

    def health(name: str) -> str:
        return gateway_health(address(settings)) if name == "gateway" else flow_health(settings.health(name)) if name != "sim" else ""

    try:
        status = run(settings, os.environ, lambda text: note(f"nadi: {text}"), Stats(health) if stats else None, people)
    except AlreadyUp as error:
        raise Failed(str(error)) from None
    raise typer.Exit(status)


@with_settings
def flow(settings: Settings, name: Annotated[Flow, typer.Argument(help="Which one.")]) -> None:
    """Runs one dataflow in this process, until SIGTERM or Ctrl-C: it makes its state durable and ends.

    \b
    Examples:
      nadi flow ingest
      nadi flow monitor --log kafka://kafka-1:9092 --data /var/lib/nadi
    """
    from flows.running import run_flow

    raise typer.Exit(run_flow(name.value, settings))


@with_settings
def gateway(
    settings: Settings,
    demo: Annotated[bool, typer.Option("--demo", help="Hands out tokens to demo users.")] = False,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Serves the board and its websocket, until SIGTERM or Ctrl-C: its viewers are told to come back.

    \b
    Examples:
      nadi gateway
      nadi gateway --port 9000
    """
    from flows.running import gateway_config
    from gateway.server import serve

    settings = _at(msgspec.structs.replace(settings, demo=settings.demo or demo), host, port)
    serve(gateway_config(settings, os.environ))


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("up", short_help="Start everything and keep it running.")(up)
    app.command("flow", short_help="Run ingest or monitor alone.")(flow)
    app.command("gateway", short_help="Serve the board alone.")(gateway)
