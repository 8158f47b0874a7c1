"""One suite for both logs: order, positions, what stops loudly. What every other part of Nadi relies on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from schemas.topics import Topic
from sinks.log import open_log
from sinks.log.api import TP, DeliveryFailed, Headers, Log, LogError, OffsetGone
from tests.support.logs import ALL, EVENTS, LIMIT, OTHER, TOPICS, ZERO, by_partition, fill, read, read_all, recreate, until

FIRST = ALL[0]


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url)
    opened.create(TOPICS)
    yield opened
    opened.close()


@pytest.mark.parametrize("poll", [1, 7, 1000])
def test_order_within_a_partition_and_dense_offsets(log: Log, poll: int) -> None:
    fill(log, range(90))
    found = by_partition(read_all(log, ALL, poll))
    assert sorted(found) == ALL
    for tp, records in found.items():
        assert [record.offset for record in records] == list(range(30))
        assert [record.value for record in records] == [b"%d" % number for number in range(tp.partition, 90, 3)]
        assert [record.key for record in records] == [b"k%d" % number for number in range(tp.partition, 90, 3)]


def test_append_times_never_fall_in_a_partition(log: Log) -> None:
    for first in range(0, 60, 20):
        fill(log, range(first, first + 20))
    for records in by_partition(read_all(log, ALL)).values():
        assert all(before.append_ms <= after.append_ms for before, after in itertools.pairwise(records))
        assert records[0].append_ms > 1_600_000_000_000


def test_an_open_reader_sees_what_comes(log: Log) -> None:
    reader = log.reader(ZERO)
    assert len(reader.poll(10)) == 0
    for number in range(3):
        fill(log, [number])
        assert [record.value for record in read(reader, 1)] == [b"%d" % number]
    reader.close()


def test_no_gap_and_no_repeat_after_restarts_of_reader_and_writer(log: Log, log_url: str) -> None:
    seen: list[bytes | None] = []
    positions = dict(ZERO)
    for round_ in range(4):
        fill(log, range(round_ * 30, round_ * 30 + 30))
        again = open_log(log_url)
        reader = again.reader(positions)
        half = read(reader, 15, poll=5)
        positions = dict(reader.positions)
        reader.close()
        again.close()
        seen += [record.value for record in half]
    reader = log.reader(positions)
    seen += [record.value for record in read(reader, 60)]
    reader.close()
    assert sorted(int(value or b"") for value in seen) == list(range(120))


def test_two_writers_at_once(log: Log) -> None:
    writers = {name: log.writer(name) for name in ("one", "two")}
    for number in range(200):
        for name, writer in writers.items():
            writer.append("events", 0, f"{name} {number}".encode())
            if number % 7 == 0:
                writer.poll()
    for writer in writers.values():
        writer.close()
    records = read_all(log, [FIRST])
    assert [record.offset for record in records] == list(range(400))
    for name in writers:
        mine = [record.value for record in records if (record.value or b"").startswith(name.encode())]
        assert mine == [f"{name} {number}".encode() for number in range(200)]


def test_a_slow_reader_misses_nothing(log: Log) -> None:
    slow, fast = log.reader(ZERO), log.reader(ZERO)
    seen = []
    for first in range(0, 300, 30):
        fill(log, range(first, first + 30))
        assert len(read(fast, 30)) == 30
        seen += slow.poll(2).values
    seen += [record.value for record in read(slow, 300 - len(seen), poll=11)]
    assert sorted(int(value or b"") for value in seen) == list(range(300))
    slow.close()
    fast.close()


def test_no_partition_starves(log: Log) -> None:
    fill(log, range(0, 3000, 3))
    fill(log, [1, 2])
    reader = log.reader(ZERO)
    seen: set[int] = set()

    def all_three() -> bool:
        seen.update(reader.poll(10).partitions)
        return len(seen) == 3

    until(all_three, "each of the three partitions")
    reader.close()


def test_nothing_is_confirmed_before_flush_and_all_after(log: Log) -> None:
    writer = log.writer("w")
    writer.append("other", 0, b"a")
    writer.flush()
    assert log.ends([TP("other", 0)]) == {TP("other", 0): 1}
    writer.append("other", 0, b"b")

    def two() -> bool:
        writer.poll()
        return log.ends([TP("other", 0)]) == {TP("other", 0): 2}

    until(two, "what poll let go")
    writer.close()


def test_starts_and_ends_outlast_trimming_everything(log: Log) -> None:
    fill(log, range(30))
    assert (log.starts(ALL), log.ends(ALL)) == (ZERO, dict.fromkeys(ALL, 10))
    log.trim(FIRST, 4)
    log.trim(FIRST, 2)  # nothing left to do
    assert log.starts(ALL) == ZERO | {FIRST: 4}
    assert [record.offset for record in read_all(log, [FIRST])] == list(range(4, 10))
    log.trim(FIRST, 10)
    assert (log.starts([FIRST]), log.ends([FIRST])) == ({FIRST: 10}, {FIRST: 10})
    fill(log, [30])
    assert [(record.offset, record.value) for record in read_all(log, [FIRST])] == [(10, b"30")]
    with pytest.raises(LogError):
        log.trim(FIRST, 12)


def test_a_trimmed_position_stops_loudly(log: Log) -> None:
    fill(log, range(30))
    log.trim(FIRST, 4)
    with pytest.raises(OffsetGone, match=r"events/0: offset 3 was trimmed; the log holds 4 up to 10"):
        log.reader({FIRST: 3})
    log.reader({FIRST: 4}).close()


def test_a_position_beyond_the_end_stops_loudly(log: Log) -> None:
    fill(log, range(30))
    log.reader({FIRST: 10}).close()
    with pytest.raises(OffsetGone, match=r"events/0: offset 11 lies beyond the end; the log holds 0 up to 10"):
        log.reader({FIRST: 11})


def test_a_reader_whose_position_is_trimmed_away_stops_loudly(log: Log) -> None:
    fill(log, range(3 * 4000))
    reader = log.reader(ZERO)
    read(reader, 30, poll=30)
    behind = reader.positions[FIRST]
    log.trim(FIRST, 4000)
    fill(log, [12_000])
    offsets: list[int] = []

    def poll() -> bool:
        batch = reader.poll(500)
        offsets.extend(offset for partition, offset in zip(batch.partitions, batch.offsets, strict=True) if partition == 0)
        return False

    try:
        until(lambda: poll() or reader.positions[FIRST] == 4001, "the loss to be told, or all records that the client had fetched already")
    except OffsetGone:
        pass
    else:
        assert offsets == list(range(behind, 4001)), "a gap was hidden"
    reader.close()


def test_another_incarnation_after_re_creation(log: Log, log_url: str) -> None:
    fill(log, range(3))
    before = log.incarnation("events")
    assert before == open_log(log_url).incarnation("events") != log.incarnation("other")
    recreate(log, EVENTS)
    assert log.incarnation("events") != before
    assert log.ends(ALL) == ZERO


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", b"v" * 4000])
@pytest.mark.parametrize("key", [None, b"", b"\xff\x00key"])
def test_nulls_and_bytes_come_back_as_they_were(log: Log, key: bytes | None, value: bytes | None) -> None:
    headers: tuple[Headers, ...] = ((), (("reason", b"bad_json"),), (("a", b""), ("a", b"\x00\xff"), ("é", b"2")))
    writer = log.writer("w")
    for given in headers:
        writer.append("other", 0, value, key, given)
    writer.close()
    records = read_all(log, [TP("other", 0)])
    assert [(record.key, record.value, record.headers) for record in records] == [(key, value, given) for given in headers]


def test_a_record_too_large_is_refused_before_anything_is_written(log: Log) -> None:
    writer = log.writer("w")
    writer.append("other", 0, b"v" * (LIMIT - 7), b"key", (("name", b""),))
    for value, key, headers in (
        (b"v" * (LIMIT + 1), None, ()),
        (b"v" * LIMIT, b"k", ()),
        (b"v" * (LIMIT - 6), b"key", (("nam", b"x"),)),
    ):
        with pytest.raises(DeliveryFailed, match="300001 bytes is above this topic's limit of 300000"):
            writer.append("other", 0, value, key, headers)
    writer.append("other", 0, b"next")
    writer.close()
    assert [len(record.value or b"") for record in read_all(log, [TP("other", 0)])] == [LIMIT - 7, 4]


def test_a_large_topic_takes_two_mebibytes(log: Log) -> None:
    log.create([Topic("dead-letter", 1, "delete", -1, 2048 * 1024)])
    writer = log.writer("w")
    writer.append("dead-letter", 0, bytes(2048 * 1024))
    writer.append("dead-letter", 0, b"after")
    writer.close()
    assert [len(record.value or b"") for record in read_all(log, [TP("dead-letter", 0)])] == [2048 * 1024, 5]


def test_mistakes_of_the_caller_are_told(log: Log) -> None:
    writer = log.writer("w")
    with pytest.raises(DeliveryFailed, match="no such partition"):
        writer.append("events", 3, b"")
    with pytest.raises(DeliveryFailed, match="needs a key"):
        writer.append("table", 0, b"")
    with pytest.raises(LogError, match="does not exist"):
        writer.append("nowhere", 0, b"")
    writer.close()
    for call in (lambda: log.reader({TP("nowhere", 0): 0}), lambda: log.partitions("nowhere"), lambda: log.incarnation("nowhere")):
        with pytest.raises(LogError, match=r"does not exist.*create the topics first"):
            call()


def test_create_is_repeatable_and_refuses_another_shape(log: Log, log_url: str) -> None:
    assert open_log(log_url).create(TOPICS) == []
    assert log.topics() == ["events", "other", "table"]
    assert [log.partitions(topic.name) for topic in TOPICS] == [3, 1, 2]
    for changed in (EVENTS._replace(partitions=4), OTHER._replace(cleanup="compact")):
        with pytest.raises(LogError, match=changed.name):
            log.create([changed])


def test_offsets_at_an_append_time(log: Log) -> None:
    for first in range(0, 30, 3):
        fill(log, range(first, first + 3))
        last = read_all(log, ALL)[-1].append_ms
        until(lambda: read_clock(log) > last, "the next millisecond")  # noqa: B023 - called before the next round
    log.trim(FIRST, 2)
    log.trim(TP("events", 1), 10)
    stamps = {tp: [(record.append_ms, record.offset) for record in found] for tp, found in by_partition(read_all(log, ALL)).items()}
    for tp in ALL:
        of_tp = stamps.get(tp, [])
        for wanted in {0, *(stamp + step for stamp, _ in of_tp for step in (-1, 0, 1))}:
            expected = next((offset for stamp, offset in of_tp if stamp >= wanted), 10)
            assert log.offsets_at([tp], wanted) == {tp: expected}


def read_clock(log: Log) -> int:
    """The log's own clock: the stamp of one more record elsewhere."""
    writer = log.writer("clock")
    writer.append("other", 0, None)
    writer.close()
    place = TP("other", 0)
    reader = log.reader({place: log.ends([place])[place] - 1})
    (record,) = read(reader, 1)
    reader.close()
    return record.append_ms


def test_a_compacted_topic_keeps_the_newest_of_each_key(log: Log) -> None:
    place = TP("table", 0)
    for round_ in range(5):
        writer = log.writer("w")
        for key in (b"a", b"b", b"c"):
            writer.append("table", 0, b"%d" % round_, key)
        writer.close()
        log.create(TOPICS)  # an occasion to compact
    records = read_all(log, [place])
    assert {record.key: record.value for record in records} == dict.fromkeys((b"a", b"b", b"c"), b"4")
    assert [record.offset for record in records][-3:] == [12, 13, 14]
    assert (log.starts([place]), log.ends([place])) == ({place: 0}, {place: 15})
    with pytest.raises(LogError):
        log.trim(place, 3)


def test_the_ends_asked_for_while_reading(log: Log) -> None:
    reader = log.reader(ZERO, now_ms=1234)
    assert reader.ends() is None
    fill(log, range(30))
    answers: list[tuple[int, dict[TP, int]]] = []

    def answered() -> bool:
        found = reader.ends()
        answers.extend([] if found is None else [found])
        return found is not None

    reader.ask_ends()
    until(answered, "an answer")
    assert answers == [(1234, dict.fromkeys(ALL, 10))]
    assert reader.ends() is None
    reader.close()
