"""Source and sink as Bytewax sees them: never asleep for long, stopped by checkpoint then abort, nothing committed before it is delivered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bytewax.inputs import AbortExecution

from flows.engine import sink
from flows.engine.health import Health
from flows.engine.source import PART, Part, Source
from schemas.records import Append
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.api import DeliveryFailed, Headers
from tests.support.flows import tps
from tests.support.logs import read_all


class Numbers:
    """A feed that counts; `last` is -1."""

    def __init__(self, finish_at: int | None = None) -> None:
        self.behind = self.finished = False
        self.at, self.finish_at, self.closed = 0, finish_at, False

    def take(self) -> Sequence[tuple[str, Any]]:
        self.at += 1
        self.finished = self.at == self.finish_at
        return [("k", self.at)]

    def last(self) -> Sequence[tuple[str, Any]]:
        return [("k", -1)]

    def snapshot(self) -> dict[str, Any]:
        return {"v": 1, "next": {"n/0": self.at}}

    def close(self) -> None:
        self.closed = True


def made(feed: Numbers) -> tuple[Part, Health, threading.Event]:
    health, stop = Health("ingest", "i", lambda: 1000), threading.Event()
    return Part(feed, health, stop), health, stop


def test_it_wakes_within_100_ms_and_at_once_when_behind() -> None:
    feed = Numbers()
    part, _, _ = made(feed)
    part.next_batch()
    awake = part.next_awake()
    assert awake is not None
    assert awake <= datetime.now(UTC) + timedelta(milliseconds=100)
    feed.behind = True
    assert part.next_awake() is None


def test_a_stop_gives_out_the_last_item_then_waits_for_its_snapshot_then_aborts() -> None:
    feed = Numbers()
    part, health, stop = made(feed)
    part.next_batch()
    part.snapshot()
    stop.set()
    assert part.next_batch() == [("k", -1)]
    for _ in range(3):
        assert part.next_batch() == ()
    assert health.state == "stopping"
    part.snapshot()
    with pytest.raises(AbortExecution):
        part.next_batch()
    assert feed.at == 1, "nothing was read after the stop"


def test_a_feed_that_is_finished_ends_the_same_way() -> None:
    part, health, _ = made(Numbers(finish_at=2))
    part.next_batch()
    part.snapshot()
    assert part.next_batch() == [("k", 2)]
    assert part.next_batch() == ()
    assert health.state == "ending"
    part.snapshot()
    with pytest.raises(AbortExecution):
        part.next_batch()


def test_an_epoch_counts_as_committed_when_the_next_snapshot_is_asked() -> None:
    part, health, _ = made(Numbers())
    assert (health.state, health.committed_ms, health.healthy()) == ("starting", None, False)
    part.snapshot()
    assert (health.state, health.committed_ms, health.healthy()) == ("running", 1000, True)


def test_the_only_part_is_a_recovery_key() -> None:
    feed = Numbers()
    source = Source(lambda state: feed, Health("ingest", "i", lambda: 0), threading.Event())
    assert source.list_parts() == [PART] == ["g0"]
    assert sink.PART == "out"
    source.build_part("in", PART, None).close()
    assert feed.closed


class Broken:
    """A log that takes records and refuses them later."""

    def __init__(self) -> None:
        self.appended = 0

    def append(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        self.appended += 1

    def poll(self) -> None: ...
    def flush(self, timeout_s: float = 30.0) -> None:
        raise DeliveryFailed("refused")

    def close(self) -> None: ...


def test_an_epoch_whose_records_were_refused_is_not_committed() -> None:
    writer = Broken()
    part = sink.Sink(lambda: writer, Health("ingest", "i", lambda: 0)).build_part("out", sink.PART, None)
    part.write_batch([[Append("timeline", 0, b"x")], [Append("timeline", 1, b"y"), Append("dead-letter", 0, b"z")]])
    assert writer.appended == 3
    with pytest.raises(DeliveryFailed):
        part.snapshot()


def test_a_snapshot_returns_when_all_is_readable(log_url: str) -> None:
    log = open_log(log_url)
    log.create(TOPICS)
    part = sink.Sink(lambda: log.writer("ingest"), Health("ingest", "i", lambda: 0)).build_part("out", sink.PART, None)
    headers = (("reason", b"empty"),)
    part.write_batch([[Append("dead-letter", 0, None, b"k", headers)], [Append("timeline", shard, b"%d" % shard) for shard in range(8)]])
    part.snapshot()
    (letter,) = read_all(log, tps("dead-letter"))
    assert (letter.key, letter.value or b"", letter.headers) == (b"k", b"", headers)
    assert sorted(record.value or b"" for record in read_all(log, tps("timeline"))) == [b"%d" % shard for shard in range(8)]
    part.close()
    log.close()
