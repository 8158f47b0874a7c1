"""Appending to the SQLite log: buffer, then one transaction a batch."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sinks.log.api import CorruptRecord, DeliveryFailed, Headers, LogError
from sinks.log.rows import Row, pack_headers, row_checksum, row_id, size_bytes
from sinks.log.sqlite_file import TopicFile, explain, is_busy, open_file
from sinks.log.sqlite_upkeep import compact, expire

BUFFER_RECORDS = 10_000
BUFFER_BYTES = 8 * 1024 * 1024
BATCH_RECORDS = 2_000
"""Records of one transaction: some 10 ms of write lock, and far below `STAMP_AGE_MS`."""
STAMP_AGE_MS = 100
"""A batch that took longer from its stamp to its commit is stamped anew: who was told the ends in between relies on it that nothing older
comes (the margin of a writer's time is 200 ms)."""
FULL_WAIT_S = 30.0
UPKEEP_MS = 60_000
UPKEEP_BEHIND_MS = 1_000
UPKEEP_ROWS = 20_000
COMPACT_AFTER = 5_000
"""Records appended to a compact topic by this writer before it compacts."""

Pending = tuple[int, bytes | None, bytes | None, bytes | None]
"""(partition, key, headers, value)"""


def wall_ms() -> int:
    """The clock that stamps records."""
    return time.time_ns() // 1_000_000


class _StampTooOld(Exception):
    """Rolls a batch back."""


class _Outgoing:
    """One topic of a writer: its file, what is buffered, when it was last looked after."""

    def __init__(self, file: TopicFile) -> None:
        self.file = file
        self.pending: list[Pending] = []
        self.upkeep_due_ms = 0
        self.since_compacted = 0


class SqliteWriter:
    """`append` buffers, and commits when the buffer is full; `poll` commits unless another process holds the lock; `flush` waits for it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        self._topics: dict[str, _Outgoing] = {}
        self._records = 0
        self._bytes = 0

    def append(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        """Raises DeliveryFailed: record too large, no such partition, no key on a compact topic; LogError: no such topic."""
        out = self._topics.get(topic)
        if out is None:
            out = self._topics[topic] = _Outgoing(open_file(self._folder, topic))
        settings = out.file.topic
        size = size_bytes(key, value, headers)
        if size > settings.max_bytes:
            limit = f"above this topic's limit of {settings.max_bytes}"
            msg = f"{topic}/{partition}: a record of {size} bytes is {limit}; nothing of it was written"
            raise DeliveryFailed(msg)
        if not 0 <= partition < settings.partitions:
            msg = f"{topic}/{partition}: no such partition, the topic has {settings.partitions}"
            raise DeliveryFailed(msg)
        if key is None and settings.cleanup == "compact":
            msg = f"{topic}/{partition}: a record of a compacted topic needs a key"
            raise DeliveryFailed(msg)
        out.pending.append((partition, key, pack_headers(headers), value))
        self._records += 1
        self._bytes += size
        if self._records >= BUFFER_RECORDS or self._bytes >= BUFFER_BYTES:
            self._commit_all(FULL_WAIT_S)

    def poll(self) -> None:
        if self._records:
            self._commit_all(0.0)

    def flush(self, timeout_s: float = 30.0) -> None:
        self._commit_all(timeout_s)

    def close(self) -> None:
        """Commits what is buffered."""
        try:
            self.flush()
        finally:
            for out in self._topics.values():
                out.file.close()
            self._topics.clear()

    def _commit_all(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        for out in self._topics.values():
            while out.pending:
                batch = out.pending[:BATCH_RECORDS]
                try:
                    done = commit_batch(out.file, batch, max(0.0, deadline - time.monotonic()))
                except sqlite3.Error as error:
                    if is_busy(error) and wait_s == 0.0:
                        return  # stays buffered, goes with the next poll
                    raise as_delivery(error, out.file) from error
                del out.pending[:done]
                out.since_compacted += done
                self._records -= done
            self._look_after(out)
        self._bytes = 0

    def _look_after(self, out: _Outgoing) -> None:
        """Retention and compaction, now and then and in bounded steps. A busy file is looked after next time."""
        now = wall_ms()
        if now < out.upkeep_due_ms:
            return
        try:
            more = expire(out.file, now, UPKEEP_ROWS)
            if out.since_compacted >= COMPACT_AFTER:
                compact(out.file, now)
                out.since_compacted = 0
        except sqlite3.Error as error:
            if not is_busy(error):
                raise explain(error, out.file.path) from error
            more = True
        out.upkeep_due_ms = now + (UPKEEP_BEHIND_MS if more else UPKEEP_MS)


def as_delivery(error: sqlite3.Error, file: TopicFile) -> LogError:
    """Damage stays CorruptRecord; everything else means that the batch was not taken."""
    told = explain(error, file.path)
    return told if isinstance(told, CorruptRecord) else DeliveryFailed(str(told))


def commit_batch(file: TopicFile, batch: list[Pending], wait_s: float) -> int:
    """One transaction. Returns how many records of the batch it holds: a half, a quarter ... where the machine is too slow for all."""
    count = len(batch)
    while True:
        try:
            with file.transaction(wait_s):
                stamped = wall_ms()
                insert(file, batch[:count], stamped)
                if count > 1 and wall_ms() - stamped > STAMP_AGE_MS:
                    raise _StampTooOld
        except _StampTooOld:
            count //= 2
        else:
            return count


def insert(file: TopicFile, batch: list[Pending], now_ms: int) -> None:
    """Offsets are dense; a partition's append time never falls, whatever the wall clock does."""
    bounds = file.bounds()
    following = {partition: bound.next for partition, bound in bounds.items()}
    stamps = {partition: max(now_ms, bound.last_ms) for partition, bound in bounds.items()}
    seed = file.seed
    rows: list[Row] = []
    for partition, key, headers, value in batch:
        offset = following[partition]
        following[partition] = offset + 1
        ident = row_id(partition, offset)
        stamp = stamps[partition]
        rows.append((ident, stamp, row_checksum(seed, ident, stamp, key, headers, value), key, headers, value))
    file.conn.executemany("INSERT INTO record (id, append_ms, checksum, key, headers, value) VALUES (?, ?, ?, ?, ?, ?)", rows)
    for partition, bound in bounds.items():
        if following[partition] != bound.next:
            file.set_bounds(partition, bound._replace(next=following[partition], last_ms=stamps[partition]))
