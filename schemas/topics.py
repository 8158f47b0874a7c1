"""The topics that exist so far, with the settings that the laws need (`architecture.md` 2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

KIB = 1024
DAY_MS = 86_400_000
MAX_RECORD_BYTES = 512 * KIB


class Topic(NamedTuple):
    """`partitions` is for K = 1; every topic has LogAppendTime."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    max_bytes: int = MAX_RECORD_BYTES


TOPICS: tuple[Topic, ...] = (
    Topic("rules", 1, "compact", -1),
    Topic("patients", 1, "compact", -1),
    Topic("devices", 1, "compact", -1),
    Topic("alert-commands", 1, "delete", 400 * DAY_MS),
    Topic("device-readings", 4, "delete", 7 * DAY_MS),
    Topic("timeline", 8, "delete", 30 * DAY_MS),
    Topic("alerts", 8, "delete", 400 * DAY_MS),
    Topic("live", 8, "delete", 600_000),
    Topic("trends", 8, "delete", 3 * 3_600_000),
    Topic("dead-letter", 1, "delete", 30 * DAY_MS, 2048 * KIB),
)
BY_NAME: dict[str, Topic] = {t.name: t for t in TOPICS}

INPUTS: tuple[str, ...] = ("rules", "patients", "devices", "alert-commands", "device-readings")
"""What `ingest` reads, in the order of the merge (`semantics.md` 2)."""
TABLES: tuple[str, ...] = ("rules", "patients", "devices")
CONTROL: tuple[str, ...] = (*TABLES, "alert-commands")

# Record headers
ARRIVAL = "arrival"
"""Recorded arrival (ms, decimal): counts only with `--clock stream`, is refused as forged otherwise."""
MARK = "mark"
"""`clock` or `end`: keeps partitions moving in a replay; the record has no value."""
REASON = "reason"
POSITION = "position"
"""Of a dead letter: `topic/partition/offset` of the refused record."""
REPLAYED_FROM = "replayed-from"
"""`topic/partition/offset/arrival`: put by `dead-letter replay`."""
DETAIL = "detail"
