"""`nadi dead-letter`: what was refused, and how it gets a second chance."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from flows.cli.common import Failed, JsonOption, Usage, existing_log, note, print_json, table, utc, with_settings
from flows.records import read_range
from flows.settings import Settings
from schemas.topics import DETAIL, POSITION, REASON, REPLAYED_FROM
from sinks.log.api import TP, Log, Record

ARRIVAL_MS = "arrival-ms"
LETTERS = TP("dead-letter", 0)
SOURCE = "device-readings"
SHOWN_BYTES = 100
letters = typer.Typer(help="List or replay what was refused.", no_args_is_help=True, rich_markup_mode=None)

ReasonOption = Annotated[str | None, typer.Option(help="Only this reason.", show_default=False)]
OffsetsOption = Annotated[list[int] | None, typer.Option("--offset", help="Only these letters; may be repeated.", show_default=False)]
MaxOption = Annotated[int, typer.Option("--max", min=1, max=1_000_000, help="At most so many, the newest.")]


def _letters(log: Log, reason: str | None, offsets: list[int] | None) -> Iterator[tuple[dict[str, Any], Record]]:
    for record in read_range(log, LETTERS):
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        if (reason and headers.get(REASON) != reason) or (offsets and record.offset not in offsets):
            continue
        yield (
            {
                "offset": record.offset,
                "refused": utc(record.append_ms),
                "reason": headers.get(REASON, ""),
                "position": headers.get(POSITION, ""),
                "arrival_ms": int(headers[ARRIVAL_MS]) if headers.get(ARRIVAL_MS, "").isdigit() else None,
                "detail": headers.get(DETAIL, ""),
                "replayed_from": headers.get(REPLAYED_FROM, ""),
                "bytes": len(record.value or b""),
            },
            record,
        )


@letters.command("list")
@with_settings
def list_letters(
    settings: Settings, reason: ReasonOption = None, offset: OffsetsOption = None, most: MaxOption = 50, as_json: JsonOption = False
) -> None:
    """Lists what was refused, newest last. With --json all of its bytes, as base64.

    \b
    Examples:
      nadi dead-letter list --reason unbound
      nadi dead-letter list --offset 17 --json | jq -r '.[].value' | base64 -d
    """
    log = existing_log(settings)
    try:
        found = list(_letters(log, reason, offset))
    finally:
        log.close()
    shown = found[-most:]
    if as_json:
        print_json([facts | {"value": base64.b64encode(r.value or b"").decode()} for facts, r in shown])
        return
    columns = ("offset", "refused", "reason", "position", "bytes", "detail")
    table(columns, ([facts[c] for c in columns] for facts, _ in shown), "no dead letters")
    if len(found) > len(shown):
        note(f"the newest {len(shown)} of {len(found)}; more with --max")


@letters.command("replay")
@with_settings
def replay_letters(
    settings: Settings,
    reason: ReasonOption = None,
    offset: OffsetsOption = None,
    most: MaxOption = 1000,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it only says what it would do.")] = False,
) -> None:
    """Appends refused messages to device-readings again, after what refused them was put right.

    Only messages that came from device-readings. Their rows are late rows: they correct history and raise no alert.
    What is still wrong with them is refused again.

    \b
    Examples:
      nadi dead-letter replay --reason unbound
      nadi dead-letter replay --reason unbound --max 200 --yes
    """
    if not reason and not offset:
        raise Usage("say which letters: --reason or --offset; `nadi dead-letter list` shows them")
    log = existing_log(settings)
    try:
        chosen = [(facts, r) for facts, r in _letters(log, reason, offset) if facts["position"].startswith(f"{SOURCE}/")]
        if len(chosen) > most:
            raise Failed(f"{len(chosen)} letters fit, more than --max {most}: choose fewer, or say a higher --max")
        if not chosen:
            raise Failed("no letter from device-readings fits; `nadi dead-letter list` shows all")
        if not yes:
            note(f"would append {len(chosen)} messages to {SOURCE}; say --yes to do it")
            return
        writer = log.writer("dead-letter-replay")
        for facts, record in chosen:
            partition = int(facts["position"].split("/")[1])
            origin = f"{facts['position']}/{facts['arrival_ms'] if facts['arrival_ms'] is not None else record.append_ms}"
            writer.append(SOURCE, partition, record.value, record.key, ((REPLAYED_FROM, origin.encode()),))
        writer.flush()
        writer.close()
    finally:
        log.close()
    note(f"appended {len(chosen)} messages to {SOURCE}")


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(letters, name="dead-letter")
