"""A poll as `ingest` applies it: in which order, received when, and which headers are believed (`semantics.md` 1 and 2).

What it needs of the log is written down here as protocols, since the pure packages import no log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.topics import ARRIVAL, INPUTS, MARK, REPLAYED_FROM

Headers = tuple[tuple[str, bytes], ...]
Clock = Literal["live", "stream"]
READINGS = "device-readings"


class RecordLike(Protocol):
    """One record of the log."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def append_ms(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class BatchLike(Protocol):
    """A poll in columns, lists of one length."""

    def __len__(self) -> int: ...
    @property
    def topics(self) -> list[str]: ...
    @property
    def partitions(self) -> list[int]: ...
    @property
    def offsets(self) -> list[int]: ...
    @property
    def append_ms(self) -> list[int]: ...
    @property
    def keys(self) -> list[bytes | None]: ...
    @property
    def values(self) -> list[bytes | None]: ...
    @property
    def headers(self) -> list[Headers]: ...


class Item(NamedTuple):
    """One record as it is applied."""

    topic: str
    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def position(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Stamp(NamedTuple):
    """What the headers of a record say, once believed."""

    received: int
    mark: bool
    refused: str
    """Why the headers are not believed, empty if they are."""


class Replay(NamedTuple):
    """Header `replayed-from`: the record was a dead letter before."""

    arrival: int


def stamp(found: Mapping[str, bytes], append_ms: int, clock: Clock) -> Stamp:
    """When a record counts as received. A recorded arrival counts in a stream only; live it is forged."""
    if clock == "live":
        forged = ARRIVAL in found or MARK in found
        return Stamp(append_ms, False, "arrival or mark in a live log" if forged else "")
    arrival = decimal(found.get(ARRIVAL))
    if arrival is None:
        return Stamp(append_ms, False, "no arrival in a stream")
    return Stamp(arrival, MARK in found, "")


def decimal(text: bytes | None) -> int | None:
    """A count of ms written in ASCII digits, None if it is anything else."""
    return int(text) if text is not None and text.isdigit() and len(text) <= 13 else None


def replay_of(found: Mapping[str, bytes]) -> Replay | str | None:
    """The header `replayed-from` (`topic/partition/offset/arrival`), None without one, a sentence if it cannot be read."""
    text = found.get(REPLAYED_FROM)
    if text is None:
        return None
    parts = text.rsplit(b"/", 3)
    arrival = decimal(parts[-1])
    if len(parts) != 4 or arrival is None or decimal(parts[1]) is None or decimal(parts[2]) is None:
        return "replayed-from is topic/partition/offset/arrival"
    return Replay(arrival)


def item(batch: BatchLike, i: int) -> Item:
    """Record `i` of a batch."""
    return Item(
        batch.topics[i], batch.partitions[i], batch.offsets[i], batch.append_ms[i], batch.keys[i], batch.values[i], batch.headers[i]
    )


def control_order(batch: BatchLike, places: list[int]) -> list[int]:
    """Live: the control records of a poll by (topic in the order of the merge, partition, offset)."""
    topics, partitions, offsets = batch.topics, batch.partitions, batch.offsets
    return sorted(places, key=lambda i: (INPUTS.index(topics[i]), partitions[i], offsets[i]))


def reading_order(append_ms: NDArray[np.int64], partition: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Live: readings of a poll by (received, partition, offset); None if they stand so already. They come in order within each partition.

    A log's clock may step back inside a partition. Its offsets must not be turned round even then, for a fold skips what is not above
    the highest offset it has seen: such a record sorts at the latest time before it.
    """
    if not len(append_ms):
        return None
    when = append_ms
    if (append_ms[1:] < append_ms[:-1]).any():
        when = append_ms.copy()
        for one in np.unique(partition).tolist():
            own = partition == one
            when[own] = np.maximum.accumulate(append_ms[own])
    key = (when - when.min()) * (int(partition.max()) + 1) + partition
    return None if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")


def places_of(batch: BatchLike, *, readings: bool) -> NDArray[np.int64]:
    """Where the readings, or the control records, of a batch are."""
    topics = batch.topics
    if topics.count(READINGS) == len(topics):
        return np.arange(len(topics) if readings else 0)
    return np.array([i for i, topic in enumerate(topics) if (topic == READINGS) is readings], np.int64)
