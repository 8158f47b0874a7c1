"""What keeps a topic's file small: retention, trimming, compaction; and the search by append time.

Each step is a short transaction, so that writers hardly wait.
"""

from __future__ import annotations

import sqlite3

from sinks.log.api import LogError
from sinks.log.rows import row_id
from sinks.log.sqlite_file import Bounds, TopicFile

STEP_ROWS = 2_000
"""Rows deleted in one transaction: some milliseconds of write lock."""
TOMBSTONE_MS = 86_400_000
"""How long a compact topic keeps a record without value, so that slow readers learn of the deletion (Kafka's default)."""


def first_at(file: TopicFile, partition: int, bounds: Bounds, append_ms: int) -> int:
    """First offset appended at or after `append_ms`, the partition's end if there is none. Append times never fall, so halving finds it."""
    low, high = bounds.start, bounds.next
    while low < high:
        middle = (low + high) // 2
        row = file.conn.execute(
            "SELECT id, append_ms FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (row_id(partition, middle), row_id(partition, high)),
        ).fetchone()
        if row is None or row[1] >= append_ms:  # nothing between middle and high (compaction leaves holes), or late enough
            high = middle
        else:
            low = row[0] - row_id(partition, 0) + 1
    following = file.conn.execute(
        "SELECT id FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", (row_id(partition, low), row_id(partition, bounds.next))
    ).fetchone()
    return bounds.next if following is None else int(following[0]) - row_id(partition, 0)


def trim(file: TopicFile, partition: int, before: int, wait_s: float = 30.0) -> None:
    """Deletes the records below `before`, in steps; a process killed in between has trimmed a part."""
    if file.topic.cleanup == "compact":
        msg = f"topic {file.topic.name} is compacted, not trimmed"
        raise LogError(msg)
    while True:
        with file.transaction(wait_s):
            bounds = file.bounds()[partition]
            if before > bounds.next:
                msg = f"{file.topic.name}/{partition}: cannot trim below {before}, its end is {bounds.next}"
                raise LogError(msg)
            upto = min(before, bounds.start + STEP_ROWS)
            if upto <= bounds.start:
                return
            file.conn.execute("DELETE FROM record WHERE id >= ? AND id < ?", (row_id(partition, bounds.start), row_id(partition, upto)))
            file.set_bounds(partition, bounds._replace(start=upto))


def expire(file: TopicFile, now_ms: int, max_rows: int, wait_s: float = 1.0) -> bool:
    """Retention: deletes records appended before now - retention, at most `max_rows` in all. True = there is more to delete."""
    if file.topic.cleanup == "compact" or file.topic.retention_ms < 0:
        return False
    left = max_rows
    for partition, bounds in file.bounds().items():
        gone = first_at(file, partition, bounds, now_ms - file.topic.retention_ms) - bounds.start
        if gone > 0:
            trim(file, partition, bounds.start + min(gone, left), wait_s)
            left -= min(gone, left)
        if left == 0:
            return True
    return False


def compact(file: TopicFile, now_ms: int, wait_s: float = 30.0) -> int:
    """Keeps the newest record of each key in each partition and the newest of the partition; offsets stay. Returns how many went.

    A record once superseded stays so: the search runs without the write lock, only the deleting takes it.
    """
    if file.topic.cleanup != "compact":
        return 0
    superseded: list[int] = []
    for partition, bounds in file.bounds().items():
        newest: dict[bytes, int] = {}
        span = (row_id(partition, 0), row_id(partition, bounds.next))
        for ident, key in file.conn.execute("SELECT id, key FROM record WHERE id >= ? AND id < ? ORDER BY id", span):
            if key in newest:
                superseded.append(newest[key])
            newest[key] = ident
        last = row_id(partition, bounds.next - 1)
        known = set(superseded)
        tombstones = file.conn.execute(
            "SELECT id FROM record WHERE id >= ? AND id < ? AND value IS NULL AND append_ms < ?", (*span, now_ms - TOMBSTONE_MS)
        )
        superseded += [ident for (ident,) in tombstones if ident != last and ident not in known]
    for first in range(0, len(superseded), STEP_ROWS):
        with file.transaction(wait_s):
            file.conn.executemany("DELETE FROM record WHERE id = ?", [(ident,) for ident in superseded[first : first + STEP_ROWS]])
    return len(superseded)


def integrity(file: TopicFile) -> str:
    """SQLite's own check of the file's structure: "ok" or what is wrong."""
    try:
        return str(file.conn.execute("PRAGMA quick_check(1)").fetchone()[0].decode())
    except sqlite3.DatabaseError as error:
        return str(error)
