"""Records held in lists: what the merge hands on, or what is left when a poll is parted."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress

from sinks.log.api import Batch, Headers, Record

READINGS = "device-readings"


@dataclass(slots=True)
class Columns:
    """A batch that was put together here (`sinks.log.api.Batch`)."""

    topics: list[str] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    append_ms: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.topics)

    def records(self) -> list[Record]:
        """One tuple a record, for those who read few."""
        columns = (self.topics, self.partitions, self.offsets, self.append_ms, self.keys, self.values, self.headers)
        return [Record(*fields) for fields in zip(*columns, strict=True)]


def split(batch: Batch) -> tuple[Batch | None, Batch | None]:
    """(records of control topics, readings) of a poll, None for none; a poll of one kind is handed on as it is."""
    n, readings = len(batch), batch.topics.count(READINGS)
    if readings == n:
        return None, batch if n else None
    if readings == 0:
        return batch, None
    kinds = [topic == READINGS for topic in batch.topics]
    return _chosen(batch, [not kind for kind in kinds]), _chosen(batch, kinds)


def joined(first: Batch, second: Batch) -> Columns:
    """One after the other."""
    return Columns(
        first.topics + second.topics,
        first.partitions + second.partitions,
        first.offsets + second.offsets,
        first.append_ms + second.append_ms,
        first.keys + second.keys,
        first.values + second.values,
        first.headers + second.headers,
    )


def _chosen(batch: Batch, kept: list[bool]) -> Columns:
    return Columns(
        list(compress(batch.topics, kept)),
        list(compress(batch.partitions, kept)),
        list(compress(batch.offsets, kept)),
        list(compress(batch.append_ms, kept)),
        list(compress(batch.keys, kept)),
        list(compress(batch.values, kept)),
        list(compress(batch.headers, kept)),
    )
