"""Reading the SQLite log: one connection a topic, whole polls in columns, every row checked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NoReturn

from sinks.log.api import TP, CorruptRecord, Headers, LogError, OffsetGone, Record
from sinks.log.rows import Row, first_damaged, row_id, unpack_headers
from sinks.log.sqlite_file import Bounds, TopicFile, explain, is_busy, open_file

POLL_BYTES = 32 * 1024 * 1024
"""A poll ends early when its values are larger than this: what a process holds in memory is bounded by bytes too."""
FETCH_ROWS = 512
SELECT = "SELECT id, append_ms, checksum, key, headers, value FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

Piece = tuple[TP, list[Row]]


class SqliteBatch:
    """The rows of one poll, partition by partition; columns are made when asked for."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self._count = sum(len(rows) for _, rows in pieces)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def topics(self) -> list[str]:
        return list(chain.from_iterable([tp.topic] * len(rows) for tp, rows in self._pieces))

    @cached_property
    def partitions(self) -> list[int]:
        return list(chain.from_iterable([tp.partition] * len(rows) for tp, rows in self._pieces))

    @cached_property
    def offsets(self) -> list[int]:
        return [row[0] - base for base, rows in self._based for row in rows]

    @cached_property
    def append_ms(self) -> list[int]:
        return [row[1] for _, rows in self._pieces for row in rows]

    @cached_property
    def keys(self) -> list[bytes | None]:
        return [row[3] for _, rows in self._pieces for row in rows]

    @cached_property
    def headers(self) -> list[Headers]:
        return [unpack_headers(row[4]) for _, rows in self._pieces for row in rows]

    @cached_property
    def values(self) -> list[bytes | None]:
        return [row[5] for _, rows in self._pieces for row in rows]

    @property
    def _based(self) -> list[tuple[int, list[Row]]]:
        return [(row_id(tp.partition, 0), rows) for tp, rows in self._pieces]

    def records(self) -> list[Record]:
        columns = (self.topics, self.partitions, self.offsets, self.append_ms, self.keys, self.values, self.headers)
        return [Record(*fields) for fields in zip(*columns, strict=True)]


EMPTY = SqliteBatch([])


class _Incoming:
    """One topic of a reader. `seen` = the file's data version when it was last read to its end."""

    def __init__(self, file: TopicFile, partitions: list[int]) -> None:
        self.file = file
        self.partitions = partitions
        self.seen: int | None = None


class SqliteReader:
    """Never blocks: a file that is busy (only while it recovers from a kill) yields nothing this time."""

    def __init__(self, folder: Path, positions: Mapping[TP, int], now_ms: int | None) -> None:
        self.positions: dict[TP, int] = dict(positions)
        self._now_ms = now_ms
        self._answer: tuple[int, dict[TP, int]] | None = None
        self._turn = 0
        by_topic: dict[str, list[int]] = {}
        for tp in self.positions:
            by_topic.setdefault(tp.topic, []).append(tp.partition)
        self._topics: list[_Incoming] = []
        try:
            for topic, partitions in by_topic.items():
                self._topics.append(_Incoming(open_file(folder, topic), partitions))
            for incoming in self._topics:
                self._check_positions(incoming)
        except sqlite3.Error as error:
            self.close()
            raise explain(error, folder) from error
        except LogError:
            self.close()
            raise

    def poll(self, max_records: int) -> SqliteBatch:
        """Partitions share `max_records` evenly and take turns at being first, so that none starves behind a long one."""
        wanted = self._with_news()
        if not wanted:
            return EMPTY
        pieces: list[Piece] = []
        left, room = max_records, POLL_BYTES
        self._turn += 1
        turn = self._turn % len(wanted)
        for index, (incoming, partition) in enumerate(wanted[turn:] + wanted[:turn]):
            quota = max(1, left // (len(wanted) - index))
            if left <= 0 or room <= 0:
                incoming.seen = None
                continue
            rows, taken = self._take(incoming, partition, min(quota, left), room)
            left -= len(rows)
            room -= taken
            if rows:
                pieces.append((TP(incoming.file.topic.name, partition), rows))
        return SqliteBatch(pieces) if pieces else EMPTY

    def ask_ends(self) -> None:
        """Reading the ends takes some microseconds: the answer stands at once."""
        asked = time.time_ns() // 1_000_000 if self._now_ms is None else self._now_ms
        ends: dict[TP, int] = {}
        for incoming in self._topics:
            file = incoming.file
            if file.replaced():
                msg = f"{file.path} was removed or replaced while it was read; start again"
                raise OffsetGone(msg)
            try:
                bounds = file.bounds()
            except sqlite3.Error as error:
                if is_busy(error):
                    return
                raise explain(error, file.path) from error
            ends.update({TP(file.topic.name, partition): bounds[partition].next for partition in incoming.partitions})
        self._answer = (asked, ends)

    def ends(self) -> tuple[int, dict[TP, int]] | None:
        answer, self._answer = self._answer, None
        return answer

    def close(self) -> None:
        for incoming in self._topics:
            incoming.file.close()
        self._topics = []

    def _with_news(self) -> list[tuple[_Incoming, int]]:
        """The partitions that have more than was read, of all files that changed since they were last read to their end."""
        wanted = []
        for incoming in self._topics:
            file = incoming.file
            try:
                (version,) = file.conn.execute("PRAGMA data_version").fetchone()
                if version == incoming.seen:
                    continue
                bounds = file.bounds()
            except sqlite3.Error as error:
                if is_busy(error):
                    continue
                raise explain(error, file.path) from error
            incoming.seen = version
            for partition in incoming.partitions:
                tp = TP(file.topic.name, partition)
                check_position(tp, self.positions[tp], bounds[partition])
                if self.positions[tp] < bounds[partition].next:
                    wanted.append((incoming, partition))
        return wanted

    def _take(self, incoming: _Incoming, partition: int, quota: int, room: int) -> tuple[list[Row], int]:
        """Rows from the position on and the bytes of their values; moves the position behind them."""
        file = incoming.file
        tp = TP(file.topic.name, partition)
        position = self.positions[tp]
        try:
            rows, taken = fetch(file, partition, position, quota, room)
            check_rows(file, partition, rows)
            last = rows[-1][0] - row_id(partition, 0) if rows else position - 1
            if file.topic.cleanup == "delete" and (not rows or last - position + 1 != len(rows)):
                explain_hole(file, tp, position)
        except sqlite3.Error as error:
            incoming.seen = None
            if is_busy(error):
                return [], 0
            raise explain(error, file.path) from error
        if len(rows) == quota or taken >= room:
            incoming.seen = None  # maybe more at hand: read on at the next poll
        self.positions[tp] = last + 1
        return rows, taken

    def _check_positions(self, incoming: _Incoming) -> None:
        bounds = incoming.file.bounds()
        for partition in incoming.partitions:
            tp = TP(incoming.file.topic.name, partition)
            if partition not in bounds:
                msg = f"{tp.topic}/{partition}: no such partition, the topic has {len(bounds)}"
                raise LogError(msg)
            check_position(tp, self.positions[tp], bounds[partition])


def fetch(file: TopicFile, partition: int, position: int, quota: int, room: int) -> tuple[list[Row], int]:
    """At most `quota` rows, ending early when their values exceed `room` bytes."""
    cursor = file.conn.execute(SELECT, (row_id(partition, position), row_id(partition + 1, 0), quota))
    rows: list[Row] = []
    taken = 0
    while taken < room:
        more = cursor.fetchmany(FETCH_ROWS)
        rows += more
        taken += sum([len(row[5]) for row in more if isinstance(row[5], bytes)])
        if len(more) < FETCH_ROWS:
            break
    cursor.close()
    return rows, taken


def check_rows(file: TopicFile, partition: int, rows: list[Row]) -> None:
    """Raises CorruptRecord, naming the first row that does not match."""
    damaged = first_damaged(file.seed, rows)
    if damaged is not None:
        offset = rows[damaged][0] - row_id(partition, 0)
        place = f"{file.topic.name}/{partition}/{offset}"
        msg = f"{file.path}: the record at {place} does not match its checksum; restore this file from a backup"
        raise CorruptRecord(msg)


def check_position(tp: TP, position: int, bounds: Bounds) -> None:
    """Raises OffsetGone: a position that the log does not hold (any more)."""
    if not bounds.start <= position <= bounds.next:
        where = "was trimmed" if position < bounds.start else "lies beyond the end"
        msg = f"{tp.topic}/{tp.partition}: offset {position} {where}; the log holds {bounds.start} up to {bounds.next}"
        raise OffsetGone(msg)


def explain_hole(file: TopicFile, tp: TP, position: int) -> NoReturn:
    """Rows are missing though offsets are dense: trimmed since the bounds were read (OffsetGone), or lost (CorruptRecord)."""
    check_position(tp, position, file.bounds()[tp.partition])
    msg = f"{file.path}: records of {tp.topic}/{tp.partition} from offset {position} on are missing; restore this file from a backup"
    raise CorruptRecord(msg)
