"""The log: an ordered, durable list of records a topic partition. One interface, two logs (Kafka, SQLite), one conformance suite.

All positions are offsets of the NEXT record. Times are ms since 1970 UTC as the log itself stamped them (LogAppendTime).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.topics import Topic

Headers = tuple[tuple[str, bytes], ...]


class TP(NamedTuple):
    """A topic partition."""

    topic: str
    partition: int


class LogError(RuntimeError):
    """The log cannot do what was asked; the message says what to do next."""


class LogUnreachable(LogError):
    """No answer from the log."""


class DeliveryFailed(LogError):
    """A record was not taken: the writer must not go on (its process ends and repeats from its last position)."""


class OffsetGone(LogError):
    """The wanted position was trimmed or lies beyond the end: reading on would hide a gap."""


class CorruptRecord(LogError):
    """A stored record does not match its checksum."""


class Record(NamedTuple):
    """One record, for those who read few."""

    topic: str
    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Batch(Protocol):
    """A whole poll in columns, in order within each partition; lists of one length, made when first asked for."""

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
    def records(self) -> list[Record]: ...


class Reader(Protocol):
    """Reads assigned partitions from given positions; never blocks, never skips."""

    positions: dict[TP, int]
    """Next offset of each assigned partition, moved by `poll`."""

    def poll(self, max_records: int) -> Batch:
        """What is at hand, at most `max_records`. Raises OffsetGone, CorruptRecord, LogError."""
        ...

    def ask_ends(self) -> None:
        """Asks the log for the ends of all assigned partitions; does not wait."""
        ...

    def ends(self) -> tuple[int, dict[TP, int]] | None:
        """The newest whole answer not taken yet: (ms of the asking clock handed to the reader, ends), else None."""
        ...

    def close(self) -> None: ...


class Writer(Protocol):
    """Appends. Order within a partition is kept; nothing is confirmed before `flush`. Buffers are bounded: `append` waits when full."""

    def append(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None: ...

    def poll(self) -> None:
        """Lets buffered records go and raises DeliveryFailed if one was refused; does not wait."""
        ...

    def flush(self, timeout_s: float = 30.0) -> None:
        """Returns when every record is durable. Raises DeliveryFailed."""
        ...

    def close(self) -> None: ...


class Log(Protocol):
    """Opened by `sinks.log.open_log(url)`."""

    url: str

    def incarnation(self, topic: str) -> str:
        """Identity of this topic's data: Kafka cluster id + topic id, or the SQLite file's uuid. Another log never has the same."""
        ...

    def create(self, topics: Iterable[Topic]) -> list[str]:
        """Creates what is missing; returns the names created. An existing topic of other partitions or clean-up is a LogError."""
        ...

    def topics(self) -> list[str]: ...
    def starts(self, tps: Sequence[TP]) -> dict[TP, int]: ...
    def ends(self, tps: Sequence[TP]) -> dict[TP, int]: ...
    def partitions(self, topic: str) -> int: ...

    def offsets_at(self, tps: Sequence[TP], append_ms: int) -> dict[TP, int]:
        """First offset of each partition appended at or after `append_ms` (its end if there is none)."""
        ...

    def trim(self, tp: TP, before: int) -> None:
        """Deletes the records below `before`."""
        ...

    def reader(self, positions: Mapping[TP, int], now_ms: int | None = None) -> Reader:
        """`now_ms`: fixed asking clock for tests; None = the wall clock of this machine."""
        ...

    def writer(self, name: str) -> Writer: ...
    def close(self) -> None: ...
