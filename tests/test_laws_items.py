"""A dirty ward through both pure cores, without a log or a process: the oracle's events, rows and dead letters, for any poll size.

NADI_LAWS=N runs N times as many seeds.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from flows.sim import sim_items
from operators.ingest.core import IngestCore
from operators.monitor.core import ShardMonitor
from operators.sim.items import Item
from schemas.records import Append
from schemas.timeline import decode
from schemas.topics import ARRIVAL, MARK
from tests.oracle_ingest import Verdict, judge
from tests.support.entries import Event
from tests.support.ingest import Rec, Recs, new_core
from tests.support.monitored import alerts, difference, events

SEEDS = range(3 * int(os.environ.get("NADI_LAWS", "1")))


@cache
def ward(seed: int) -> tuple[list[Item], Verdict]:
    items = list(sim_items(6, "mixed", seed, 12.0, dirt=True))
    return items, judge(items)


def record(item: Item) -> Rec:
    marks = ((MARK, item.mark.encode()),) if item.mark else ()
    headers = ((ARRIVAL, str(item.arrival_ms).encode()), *marks)
    return Rec(item.topic, item.partition, item.offset, item.arrival_ms, (item.key or item.mark).encode(), item.body, headers)


def through(items: list[Item], poll: int) -> tuple[list[Event], int, int]:
    """(events, dead letters, rows) of both cores, `poll` records at a time."""
    ingest, dead_letters, rows = new_core("stream"), 0, 0
    monitors = [ShardMonitor(shard) for shard in range(8)]
    found: list[bytes] = []
    for appends in polls(ingest, items, poll):
        shards: dict[int, list[bytes]] = defaultdict(list)
        for topic, partition, value, *_ in appends:
            if topic == "timeline" and value is not None:
                shards[partition].append(value)
                entry = decode(value)
                rows += len(entry) if isinstance(entry, np.ndarray) else 0
            dead_letters += topic == "dead-letter"
        for shard, values in shards.items():
            found += alerts(monitors[shard].apply(values))
    return events(found), dead_letters, rows


def polls(ingest: IngestCore, items: list[Item], poll: int) -> Iterator[list[Append]]:
    yield ingest.start()
    for start in range(0, len(items), poll):
        end = min(start + poll, len(items))
        after = items[end].arrival_ms - 1 if end < len(items) else items[-1].arrival_ms
        yield ingest.apply(Recs(record(item) for item in items[start:end]), after)
    yield ingest.stop()


@pytest.mark.parametrize("poll", [1, 50, 5000])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_cores_say_what_the_oracle_says(seed: int, poll: int) -> None:
    items, verdict = ward(seed)
    found, dead_letters, rows = through(items, poll)
    assert sorted(found) == sorted(verdict.events), difference(found, verdict.events)
    assert (rows, dead_letters) == (verdict.rows, verdict.dead_letters)
    assert len(verdict.events) > 20
