"""Helpers for tests of the log: fill a topic, read what was asked for and not one record more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from schemas.topics import Topic
from sinks.log import sqlite_folder
from sinks.log.api import TP, Log, Reader, Record
from tests.support.kafka import drop_topic

LIMIT = 300_000
EVENTS = Topic("events", 3, "delete", -1, LIMIT)
OTHER = Topic("other", 1, "delete", -1, LIMIT)
TABLE = Topic("table", 2, "compact", -1)
TOPICS = (EVENTS, OTHER, TABLE)
ALL = [TP("events", partition) for partition in range(3)]
ZERO: dict[TP, int] = dict.fromkeys(ALL, 0)
WAIT_S = 30.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_S:g} s for {what}"
        time.sleep(0.002)


def fill(log: Log, numbers: Iterable[int]) -> None:
    """Number n goes to partition n mod 3 of `events`, confirmed on return."""
    writer = log.writer("fill")
    for number in numbers:
        writer.append("events", number % 3, b"%d" % number, b"k%d" % number)
    writer.close()


def read(reader: Reader, count: int, poll: int = 1000) -> list[Record]:
    """Polls until `count` records came, never more."""
    records: list[Record] = []

    def enough() -> bool:
        records.extend(reader.poll(poll).records())
        return len(records) >= count

    until(enough, f"{count} records")
    assert len(records) == count
    return records


def read_all(log: Log, tps: list[TP], poll: int = 1000) -> list[Record]:
    """From the starts to the ends of now."""
    starts, ends = log.starts(tps), log.ends(tps)
    reader = log.reader(starts)
    records: list[Record] = []

    def done() -> bool:
        records.extend(reader.poll(poll).records())
        return all(reader.positions[tp] >= ends[tp] for tp in tps)

    until(done, "the ends")
    assert reader.positions == ends
    reader.close()
    return records


def by_partition(records: list[Record]) -> dict[TP, list[Record]]:
    found: dict[TP, list[Record]] = {}
    for record in records:
        found.setdefault(TP(record.topic, record.partition), []).append(record)
    return found


def recreate(log: Log, topic: Topic) -> None:
    """Somebody deletes the topic and creates it again under the same name."""
    if log.url.startswith("kafka://"):
        drop_topic(log.url, topic.name)
    else:
        for path in sqlite_folder(log.url).glob(f"{topic.name}.sqlite3*"):
            os.unlink(path)
    assert log.create([topic]) == [topic.name]
