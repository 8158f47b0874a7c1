"""Live polls (`semantics.md` 2): control first; a device is refused only after the control topics were read to ends asked after its reading."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from flows.engine.feeds import LiveFeed, Poll, TimelineFeed
from flows.engine.fold import Progress
from schemas.topics import INPUTS, TOPICS
from sinks.log import open_log
from sinks.log.api import TP, Batch, Log
from tests.support.flows import tps
from tests.support.logs import until

READINGS = "device-readings"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class World(NamedTuple):
    """A feed over a real log, and what a fold would know: devices by name. A reading's value is its device."""

    log: Log
    feed: LiveFeed
    progress: Progress
    known: set[bytes]
    polls: list[Poll]

    def take(self) -> None:
        """One awakening; what it gives out is applied at once."""
        for _, poll in self.feed.take():
            self.polls.append(poll)
            self.known.update(value or b"" for topic, value in zip(poll.batch.topics, poll.batch.values, strict=True) if topic == "devices")
            self.progress.applied += 1

    def take_until(self, count: int) -> list[tuple[str, bytes | None]]:
        """Until so many records were given out, not one more: (topic, value) in order."""

        def there() -> bool:
            self.take()
            return len(self.given()) >= count

        until(there, f"{count} records")
        assert len(self.given()) == count
        return self.given()

    def given(self) -> list[tuple[str, bytes | None]]:
        return [pair for poll in self.polls for pair in zip(poll.batch.topics, poll.batch.values, strict=True)]

    def append(self, *records: tuple[str, int, bytes]) -> None:
        writer = self.log.writer("test")
        for topic, partition, value in records:
            writer.append(topic, partition, value, b"k")
        writer.close()


@pytest.fixture
def world(log_url: str) -> Iterator[World]:
    log = open_log(log_url)
    log.create(TOPICS)
    progress, known = Progress(), set[bytes]()

    def unresolved(batch: Batch) -> bool:
        return any(value not in known for value in batch.values)

    feed = LiveFeed(log.reader(log.starts(tps(*INPUTS))), 1000, progress, unresolved, now_ms)
    yield World(log, feed, progress, known, [])
    feed.close()
    log.close()


def test_the_first_poll_is_empty_so_that_the_fold_opens(world: World) -> None:
    world.take()
    assert [(len(poll.batch), poll.t_ms) for poll in world.polls] == [(0, None)]


def test_control_records_of_a_poll_go_first(sqlite_log_url: str) -> None:
    """SQLite gives in one poll what was appended before it; Kafka may need several."""
    log = open_log(sqlite_log_url)
    log.create(TOPICS)
    writer = log.writer("test")
    for topic in (READINGS, "devices", "rules"):
        writer.append(topic, 0, b"d1", b"k")
    writer.close()
    progress = Progress(applied=10)
    feed = LiveFeed(log.reader(log.starts(tps(*INPUTS))), 1000, progress, lambda batch: False, now_ms)
    topics = [sorted(poll.batch.topics) for _ in range(3) for _, poll in feed.take()]
    assert topics == [[], ["devices", "rules"], [READINGS]]
    feed.close()
    log.close()


def test_nothing_more_is_read_before_the_fold_applied_what_was_given(world: World) -> None:
    world.take()
    world.progress.applied -= 1
    world.append((READINGS, 0, b"d1"))
    for _ in range(20):
        world.take()
    assert world.given() == []
    assert world.feed.behind, "it asks again at once"


def test_a_reading_of_an_unknown_device_waits_for_a_fact_that_was_there_before_it(world: World) -> None:
    """However the partitions are fetched: the fact stands before the ends asked after the reading."""
    world.append(("devices", 0, b"d1"), (READINGS, 0, b"d1"))
    assert world.take_until(2) == [("devices", b"d1"), (READINGS, b"d1")]


def test_a_device_that_stays_unknown_is_given_out_once_nothing_can_make_it_known(world: World) -> None:
    world.append((READINGS, 0, b"d1"), (READINGS, 1, b"d2"))
    assert sorted(world.take_until(2)) == [(READINGS, b"d1"), (READINGS, b"d2")]


def test_what_waits_counts_as_not_read_and_holds_time_and_order(log_url: str) -> None:
    """With a log that does not answer: nothing is refused, no time is stated, later readings of the partition stay behind the one that waits."""
    log = open_log(log_url)
    log.create(TOPICS)
    writer = log.writer("test")
    writer.append(READINGS, 2, b"known", b"k")
    writer.append(READINGS, 2, b"unknown", b"k")
    writer.append(READINGS, 2, b"known", b"k")
    writer.append("rules", 0, b"r", b"k")
    writer.close()
    reader, progress = log.reader(log.starts(tps(*INPUTS))), Progress()

    class Mute:
        positions = reader.positions
        poll, close = reader.poll, reader.close

        def ask_ends(self) -> None: ...
        def ends(self) -> tuple[int, dict[TP, int]] | None:
            return None

    feed = LiveFeed(Mute(), 1000, progress, lambda batch: b"unknown" in batch.values, now_ms)
    polls: list[Poll] = []

    def everything_is_read() -> bool:
        for _, poll in feed.take():
            polls.append(poll)
            progress.applied += 1
        return reader.positions[TP(READINGS, 2)] == 3 and reader.positions[TP("rules", 0)] == 1

    until(everything_is_read, "the log")
    for _ in range(20):
        everything_is_read()
    assert [poll.t_ms for poll in polls] == [None] * len(polls)
    assert {topic for poll in polls for topic in poll.batch.topics} == {"rules"}
    assert feed.snapshot()["next"] == {f"{tp.topic}/{tp.partition}": int(tp.topic == "rules") for tp in tps(*INPUTS)}
    feed.close()
    log.close()


def test_read_to_the_ends_t_follows_the_clock(world: World) -> None:
    world.append((READINGS, 0, b"d1"), ("devices", 0, b"d1"))
    world.take_until(2)
    before = now_ms()

    def stated() -> list[int]:
        world.take()
        return [poll.t_ms for poll in world.polls if poll.t_ms is not None]

    until(lambda: len(stated()) >= 3, "three time entries")
    times = stated()
    assert times == sorted(times)
    assert before - 1200 < times[-1] < now_ms()
    assert world.polls[-1].t_ms is None or len(world.polls[-1].batch) == 0


def test_the_snapshot_is_plain_and_a_feed_goes_on_from_it(world: World) -> None:
    world.append((READINGS, 0, b"d1"), ("devices", 0, b"d1"))
    world.take_until(2)
    state = world.feed.snapshot()
    assert state["next"]["device-readings/0"] == 1
    assert state["next"]["devices/0"] == 1
    assert {type(value) for value in state["next"].values()} == {int}


def test_the_last_item_says_bye(world: World) -> None:
    ((_, poll),) = world.feed.last()
    assert (len(poll.batch), poll.t_ms, poll.bye) == (0, None, True)


def test_the_timeline_is_given_out_shard_by_shard_in_order(log_url: str) -> None:
    log = open_log(log_url)
    log.create(TOPICS)
    writer = log.writer("test")
    for number in range(40):
        writer.append("timeline", number % 8, b"%d" % number)
    writer.close()
    feed = TimelineFeed(log.reader(log.starts(tps("timeline"))), 7, Progress(), until_end=False)
    found: dict[int, list[bytes]] = {shard: [] for shard in range(8)}

    def there() -> bool:
        items = feed.take()
        assert sum(len(values) for _, (_, values) in items) <= 7
        for key, (shard, values) in items:
            assert key == str(shard)
            found[shard] += values
        return sum(map(len, found.values())) == 40

    until(there, "40 records")
    assert found == {shard: [b"%d" % number for number in range(shard, 40, 8)] for shard in range(8)}
    assert feed.snapshot()["next"] == {f"timeline/{shard}": 5 for shard in range(8)}
    feed.close()
    log.close()


def test_a_monitor_that_runs_until_the_end_needs_the_end_of_every_shard(sqlite_log_url: str) -> None:
    log = open_log(sqlite_log_url)
    log.create(TOPICS)
    progress = Progress()
    feed = TimelineFeed(log.reader(log.starts(tps("timeline"))), 7, progress, until_end=True)
    finished = []
    for shards in (7, 8):
        progress.ended.update(range(shards))
        feed.take()
        finished.append(feed.finished)
    assert finished == [False, True]
    feed.close()
    log.close()
