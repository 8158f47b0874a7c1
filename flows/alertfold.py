"""The newest state of each alert, folded from the topic `alerts`: what `nadi alerts` shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from flows.records import read_range
from schemas.events import AlertEvent, AlertState
from schemas.topics import BY_NAME
from sinks.log.api import TP, Log, Record

ALERT_TPS = tuple(TP("alerts", p) for p in range(BY_NAME["alerts"].partitions))
PREFIX = 6
"""So many hex digits of an alert's id are enough to name it, if no other begins with them."""
ORDER = {"high": 0, "medium": 1, "technical": 2}
_decode = msgspec.json.Decoder(AlertEvent).decode


class NotOne(ValueError):
    """An id that names no alert, or more than one."""


class Placed(NamedTuple):
    """An event and where it stands."""

    event: AlertEvent
    partition: int
    offset: int


def event_of(record: Record) -> AlertEvent | None:
    """The event of a record of `alerts`; None for what this version cannot read."""
    try:
        return _decode(record.value or b"")
    except msgspec.MsgspecError:
        return None


def events(log: Log) -> Iterator[Placed]:
    """All events, in order within each alert; of an event that was repeated after a restart only the first."""
    seen: set[str] = set()
    for record in read_range(log, *ALERT_TPS):
        event = event_of(record)
        if event is not None and event.id not in seen:
            seen.add(event.id)
            yield Placed(event, record.partition, record.offset)


def fold(found: Iterable[Placed]) -> dict[str, AlertState]:
    """Alert id -> its newest state."""
    states: dict[str, AlertState] = {}
    for placed in found:
        state = placed.event.state
        if state is not None and (state.alert not in states or state.seq >= states[state.alert].seq):
            states[state.alert] = state
    return states


def by_urgency(states: Iterable[AlertState]) -> list[AlertState]:
    """Open before closed, unowned before owned, then by priority, newest first."""
    return sorted(states, key=lambda s: (s.status == "closed", s.owner is not None, ORDER.get(s.priority, 3), -s.raised_ms, s.alert))


def one(ids: Iterable[str], prefix: str) -> str:
    """The alert that `prefix` names. Raises NotOne."""
    wanted = prefix.lower()
    fitting = sorted(i for i in ids if i.startswith(wanted))
    if len(wanted) < PREFIX:
        msg = f"{prefix!r} is too short: give {PREFIX} digits of the alert's id at least"
    elif not fitting:
        msg = f"no alert has the id {prefix!r}: `nadi alerts list --all` shows them"
    elif len(fitting) > 1:
        msg = f"{len(fitting)} alerts begin with {prefix!r}: give more digits ({', '.join(i[:12] for i in fitting[:3])}, ...)"
    else:
        return fitting[0]
    raise NotOne(msg)
