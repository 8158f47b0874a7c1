"""A small ward for the tests of the pure ingest: records of any topic, batches, and the entries that came out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from operators.ingest.arrivals import Clock, Headers
from operators.ingest.core import IngestCore
from schemas.columns import Rows
from schemas.facts import Command, DeviceFact, Lease, PatientFact
from schemas.records import Append
from schemas.timeline import Begin, Bye, End, Entry, Fact, Hello, Time, decode
from schemas.topics import ARRIVAL, MARK, REPLAYED_FROM

T0 = 1_772_323_200_000
"""2026-03-01 00:00 UTC."""
MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Rec(NamedTuple):
    topic: str
    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Recs:
    """Records as a batch."""

    def __init__(self, records: Iterable[Rec]) -> None:
        self.all = list(records)
        self.topics = [r.topic for r in self.all]
        self.partitions = [r.partition for r in self.all]
        self.offsets = [r.offset for r in self.all]
        self.append_ms = [r.append_ms for r in self.all]
        self.keys = [r.key for r in self.all]
        self.values = [r.value for r in self.all]
        self.headers = [r.headers for r in self.all]

    def __len__(self) -> int:
        return len(self.all)


class Log:
    """Gives each record the next offset of its partition. `clock` stream: the time goes into the header `arrival`."""

    def __init__(self, clock: Clock = "live") -> None:
        self.clock = clock
        self.next: dict[tuple[str, int], int] = {}

    def put(
        self,
        topic: str,
        value: bytes | None,
        at: int,
        key: str | None = None,
        partition: int = 0,
        headers: Mapping[str, bytes] | None = None,
    ) -> Rec:
        offset = self.next.get((topic, partition), 0)
        self.next[topic, partition] = offset + 1
        said = dict(headers or {})
        if self.clock == "stream":
            said.setdefault(ARRIVAL, str(at).encode())
        return Rec(topic, partition, offset, at, None if key is None else key.encode(), value, tuple(said.items()))

    def patient(self, patient: str, at: int = T0, **fields: Any) -> Rec:
        fact = PatientFact(patient, fields.pop("revision", "1"), fields.pop("admission", "a1"), **fields)
        return self.put("patients", msgspec.json.encode(fact), at, patient)

    def device(self, device: str, leases: Sequence[tuple[str, int, int | None]], at: int = T0, device_class: str = "monitor") -> Rec:
        """`leases`: (patient, from, until)."""
        fact = DeviceFact(device, "1", device_class, 5000, [Lease(*lease) for lease in leases])  # type: ignore[arg-type]
        return self.put("devices", msgspec.json.encode(fact), at, device)

    def command(self, at: int, number: int, patient: str = "p1", key: str | None = None, **fields: Any) -> Rec:
        command = Command(command_id(number), fields.pop("kind", "observe"), patient, fields.pop("by", "nurse-1"), **fields)
        return self.put("alert-commands", msgspec.json.encode(command), at, patient if key is None else key)

    def said(self, body: bytes | dict[str, Any] | None, at: int, partition: int = 0, headers: Mapping[str, bytes] | None = None) -> Rec:
        """A record of `device-readings`."""
        raw = msgspec.json.encode(body) if isinstance(body, dict) else body
        return self.put("device-readings", raw, at, partition=partition, headers=headers)

    def mark(self, topic: str, at: int, mark: bytes = b"clock", partition: int = 0) -> Rec:
        return self.put(topic, None, at, partition=partition, headers={MARK: mark})


def command_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def reading(
    device: str, t: int | str | None, value: float | None = 72, code: str = "8867-4", unit: str | None = "/min", **more: Any
) -> dict[str, Any]:
    """A message with one reading; `more` goes into the reading."""
    message: dict[str, Any] = {"v": 1, "device": device, "readings": [{"code": code, "value": value, "unit": unit} | more]}
    return message if t is None else message | {"t": t}


def replayed(old_arrival: int, place: str = "device-readings/0/0") -> dict[str, bytes]:
    return {REPLAYED_FROM: f"{place}/{old_arrival}".encode()}


def new_core(clock: Clock = "live", shards: int = 8, state: Mapping[str, Any] | None = None, instance: str = "i1") -> IngestCore:
    return IngestCore(writer="ingest-0", instance=instance, shards=shards, clock=clock, state=state)


def entries(appends: Iterable[Append]) -> list[tuple[int, Entry]]:
    """(shard, entry) of what went to the timeline."""
    return [(a.partition, decode(a.value or b"")) for a in appends if a.topic == "timeline"]


class Out(NamedTuple):
    """What came out of an apply, told apart."""

    rows: list[tuple[Any, ...]]
    """As plain tuples, NaN as None, in the order of the shards' records."""
    facts: list[tuple[int, Fact]]
    statement: list[tuple[int, Begin | End]]
    times: list[tuple[int, Hello | Time | Bye]]
    letters: list[tuple[str, str]]
    """(reason, position)."""


COLUMNS = ("patient", "device", "t", "received", "value", "code", "flags", "partition", "index", "offset")


def plain(rows: Rows) -> list[tuple[Any, ...]]:
    """Rows that compare: NaN is None."""
    return [tuple(None if isinstance(x, float) and math.isnan(x) else x for x in row) for row in rows.tolist()]


def out(appends: Sequence[Append]) -> Out:
    got = Out([], [], [], [], [])
    for shard, entry in entries(appends):
        if isinstance(entry, Fact):
            got.facts.append((shard, entry))
        elif isinstance(entry, Begin | End):
            got.statement.append((shard, entry))
        elif isinstance(entry, Hello | Time | Bye):
            got.times.append((shard, entry))
        else:
            got.rows.extend(plain(entry))
    got.letters.extend(reasons(appends))
    return got


def reasons(appends: Iterable[Append]) -> list[tuple[str, str]]:
    """(reason, position) of the dead letters."""
    found = [dict(a.headers) for a in appends if a.topic == "dead-letter"]
    return [(headers["reason"].decode(), headers["position"].decode()) for headers in found]


def column(rows: Iterable[tuple[Any, ...]], name: str) -> list[Any]:
    return [row[COLUMNS.index(name)] for row in rows]
