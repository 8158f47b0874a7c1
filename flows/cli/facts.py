"""`nadi apply`: patients, bindings and rules from files; `nadi topics`: where they go."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.common import Failed, JsonOption, existing_log, note, print_json, span, table, with_settings
from flows.settings import Settings


@with_settings
def apply(
    settings: Settings,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=".toml, .json or .jsonl")],
    by: Annotated[str, typer.Option(help="Who states it, where a fact does not say.", show_default="you")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only check the files.")] = False,
) -> None:
    """States facts from files: patients, device bindings, rules.

    All files are checked before anything is appended: either all facts are stated, or none.
    Files: [[patients]], [[devices]], [[rules]] in TOML; lists of the same names in JSON; a fact a line in JSONL.

    \b
    Examples:
      nadi apply ward.toml
      nadi apply --check patients.jsonl devices.jsonl
    """
    from flows.factfiles import FactError, read_all

    try:
        stated = read_all(files, by or getpass.getuser())
    except FactError as error:
        raise Failed(str(error)) from None
    counts = ", ".join(f"{sum(s.topic == t for s in stated)} {t}" for t in ("patients", "devices", "rules"))
    if check:
        note(f"good: {counts}; nothing was stated")
        return
    log = existing_log(settings)
    try:
        writer = log.writer("apply")
        for one in stated:
            record = one.record()
            writer.append(record.topic, record.partition, record.value, record.key)
        writer.flush()
        writer.close()
    finally:
        log.close()
    note(f"stated: {counts}")


topics = typer.Typer(help="List or create the topics of the log.", no_args_is_help=True, rich_markup_mode=None)


@topics.command("create")
@with_settings
def create_topics(settings: Settings) -> None:
    """Creates the topics that are missing, with the settings that Nadi needs. `nadi up` does it by itself.

    \b
    Examples:
      nadi topics create
      nadi topics create --log kafka://kafka-1:9092
    """
    from schemas.topics import TOPICS
    from sinks.log import open_log

    log = open_log(settings.log_url)
    try:
        made = log.create(TOPICS)
    finally:
        log.close()
    note(f"created: {', '.join(made)}" if made else "all topics are there")


@topics.command("list")
@with_settings
def list_topics(settings: Settings, as_json: JsonOption = False) -> None:
    """Lists the topics with their settings, ends and incarnation.

    \b
    Examples:
      nadi topics list
      nadi topics list --json
    """
    from schemas.topics import TOPICS
    from sinks.log.api import TP

    log = existing_log(settings)
    rows: list[dict[str, Any]] = []
    try:
        there = set(log.topics())
        for topic in TOPICS:
            found = topic.name in there
            tps = [TP(topic.name, p) for p in range(log.partitions(topic.name))] if found else []
            starts, ends = log.starts(tps) if found else {}, log.ends(tps) if found else {}
            rows.append(
                {
                    "topic": topic.name,
                    "exists": found,
                    "partitions": len(tps),
                    "cleanup": topic.cleanup,
                    "retention_ms": topic.retention_ms,
                    "max_bytes": topic.max_bytes,
                    "starts": [starts[tp] for tp in tps],
                    "ends": [ends[tp] for tp in tps],
                    "incarnation": log.incarnation(topic.name) if found else None,
                }
            )
    finally:
        log.close()
    if as_json:
        print_json(rows)
    else:
        table(("topic", "partitions", "cleanup", "keeps", "records", "ends", "incarnation"), map(_row, rows))


def _row(topic: dict[str, Any]) -> tuple[object, ...]:
    return (
        topic["topic"],
        topic["partitions"] if topic["exists"] else "missing",
        topic["cleanup"],
        "newest of each key" if topic["retention_ms"] == -1 else span(topic["retention_ms"]),
        sum(topic["ends"]) - sum(topic["starts"]),
        " ".join(map(str, topic["ends"])),
        topic["incarnation"],
    )


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("apply", short_help="State patients, bindings, rules.")(apply)
    app.add_typer(topics, name="topics")
