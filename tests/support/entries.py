"""What the oracle reads and says: rows with names for keys, entries of a timeline, events as plain tuples; and their encoded form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from schemas.columns import Rows, empty
from schemas.events import AlertEvent
from schemas.identity import key64
from schemas.timeline import Begin, Bye, End, Fact, Hello, Time, encode_fact, encode_rows, encode_time


class Row(NamedTuple):
    """`value` None = without value; `partition` as in the columns (`columns.source_partition`); `place` = their `index`."""

    patient: str
    device: str
    code: int
    t: int
    received: int
    value: float | None
    flags: int
    partition: int
    offset: int
    place: int


class Event(NamedTuple):
    """A command's event without alert has alert "" and seq 0; `reason` is told of refusals alone."""

    id: str
    alert: str
    seq: int
    transition: str
    rule: str
    slot: str
    at_ms: int
    priority: str
    cause: str
    reason: str = ""


Entry = list[Row] | Fact | Begin | End | Hello | Time | Bye
"""One record of the timeline."""


def columns(rows: Iterable[Row]) -> Rows:
    """The rows as ingest writes them."""
    rows = list(rows)
    table = empty(len(rows))
    for i, row in enumerate(rows):
        value = math.nan if row.value is None else row.value
        where = (row.partition, row.place, row.offset)
        table[i] = (key64(row.patient), key64(row.device), row.t, row.received, value, row.code, row.flags, *where)
    return table


def encode(entry: Entry) -> bytes:
    """The record of an entry."""
    if isinstance(entry, list):
        return encode_rows(columns(entry))
    if isinstance(entry, Fact | Begin | End):
        return encode_fact(entry)
    return encode_time(entry)


def plain(event: AlertEvent) -> Event:
    """An event of `monitor` as the oracle would say it."""
    reason = event.evidence.reason if event.transition == "refused" and event.evidence else ""
    if event.state is None:
        # A refusal may name the alert that was meant: it is no event of that alert.
        return Event(event.id, "", event.seq, event.transition, "", "", event.at_ms, "", event.cause, reason)
    s = event.state
    slots = {"limit": f"{s.code}:{s.side}:{s.device}", "news2": "", "signal_lost": f"{s.code}:{s.device}"}
    slot = slots.get(s.rule, s.device)
    return Event(event.id, event.alert or "", event.seq, event.transition, s.rule, slot, event.at_ms, s.priority, event.cause, reason)
