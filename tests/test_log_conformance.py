"""One suite for both logs: what every part of Nadi relies on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from schemas.topics import Topic
from sinks.log import open_log
from sinks.log.api import TP, DeliveryFailed, Log, LogError, OffsetGone, Reader, Record

EVENTS = Topic("events", 3, "delete", -1, 4096)
OTHER = Topic("other", 1, "delete", -1, 4096)
TABLE = Topic("table", 2, "compact", -1)
TOPICS = (EVENTS, OTHER, TABLE)
ALL = [TP("events", partition) for partition in range(3)]
ZERO = dict.fromkeys(ALL, 0)
WAIT_S = 20.0


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url)
    opened.create(TOPICS)
    yield opened
    opened.close()


def fill(log: Log, count: int, first: int = 0, topic: str = "events", partitions: int = 3) -> None:
    """Number n goes to partition n mod 3."""
    writer = log.writer("fill")
    for number in range(first, first + count):
        writer.append(topic, number % partitions, b"%d" % number, b"k%d" % number)
    writer.close()


def read(reader: Reader, count: int, poll: int = 1000) -> list[Record]:
    """Polls until `count` records came, never more."""
    records: list[Record] = []
    deadline = time.monotonic() + WAIT_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"only {len(records)} of {count} records came"
        records += reader.poll(poll).records()
    assert len(records) == count
    return records


def read_all(log: Log, tps: list[TP], poll: int = 1000) -> list[Record]:
    starts, ends = log.starts(tps), log.ends(tps)
    reader = log.reader(starts)
    records = read(reader, sum(ends[tp] - starts[tp] for tp in tps), poll)
    assert reader.positions == ends
    reader.close()
    return records


def by_partition(records: list[Record]) -> dict[TP, list[Record]]:
    found: dict[TP, list[Record]] = {}
    for record in records:
        found.setdefault(TP(record.topic, record.partition), []).append(record)
    return found


@pytest.mark.parametrize("poll", [1, 7, 1000])
def test_order_within_a_partition_and_dense_offsets(log: Log, poll: int) -> None:
    fill(log, 90)
    for tp, records in by_partition(read_all(log, ALL, poll)).items():
        assert [record.offset for record in records] == list(range(30))
        assert [int(record.value or b"") for record in records] == list(range(tp.partition, 90, 3))


def test_new_records_reach_an_open_reader(log: Log) -> None:
    reader = log.reader(ZERO)
    assert len(reader.poll(10)) == 0
    for number in range(3):
        fill(log, 1, number)
        assert [record.value for record in read(reader, 1)] == [b"%d" % number]
    reader.close()
