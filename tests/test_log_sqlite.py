"""What the SQLite log promises alone: clocks, retention, compaction, locks, folders of another format."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import Topic
from sinks.log import open_log, sqlite_folder, sqlite_reader, sqlite_url, sqlite_writer
from sinks.log.api import TP, DeliveryFailed, LogError, OffsetGone
from sinks.log.rows import pack_headers, unpack_headers
from sinks.log.sqlite import SqliteLog
from sinks.log.sqlite_file import open_file
from tests.support.logs import ALL, EVENTS, TOPICS, ZERO, fill, read_all, recreate

PLACE = TP("short", 0)
SHORT = Topic("short", 1, "delete", 1000)


class Clock:
    """The stamping clock of writers, in ms."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000
        self.step = 0

    def __call__(self) -> int:
        self.now += self.step
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sqlite_writer, "wall_ms", clock)
    return clock


@pytest.fixture
def log(sqlite_log_url: str) -> Iterator[SqliteLog]:
    opened = SqliteLog(sqlite_log_url, sqlite_folder(sqlite_log_url))
    opened.create([*TOPICS, SHORT])
    yield opened
    opened.close()


def append(log: SqliteLog, topic: str, *values: bytes | None, key: bytes | None = None) -> None:
    writer = log.writer("w")
    for value in values:
        writer.append(topic, 0, value, key)
    writer.close()


def test_append_times_stand_while_the_clock_goes_back(log: SqliteLog, clock: Clock) -> None:
    for step in (5, -3_600_000, 1, 3_600_001):
        clock.now += step
        append(log, "other", b"")
    start = 1_700_000_000_005
    assert [record.append_ms - start for record in read_all(log, [TP("other", 0)])] == [0, 0, 0, 2]


def test_a_batch_that_took_too_long_is_stamped_anew(log: SqliteLog, clock: Clock) -> None:
    """Each reading of this clock is 300 ms later: no transaction with more than one record is young enough at its commit."""
    clock.step = 300
    append(log, "other", b"0", b"1", b"2", b"3", b"4")
    records = read_all(log, [TP("other", 0)])
    assert [record.value for record in records] == [b"0", b"1", b"2", b"3", b"4"]
    assert len({record.append_ms for record in records}) == 5


def test_retention_deletes_what_is_older_and_keeps_the_offsets(log: SqliteLog, clock: Clock) -> None:
    append(log, "short", *[b"old"] * 10)
    clock.now += 1001
    append(log, "short", b"new")  # a writer looks after its topic when it first commits
    assert log.starts([PLACE]) == {PLACE: 10}
    assert [(record.offset, record.value) for record in read_all(log, [PLACE])] == [(10, b"new")]
    with pytest.raises(OffsetGone, match="was trimmed"):
        log.reader({PLACE: 9})


def test_retention_goes_in_bounded_steps(log: SqliteLog, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, "short", *[b"old"] * 25)
    monkeypatch.setattr(sqlite_writer, "UPKEEP_ROWS", 10)
    clock.now += 1001
    writer = log.writer("w")
    starts = []
    for _ in range(4):
        writer.append("short", 0, b"new")
        writer.flush()
        starts.append(log.starts([PLACE])[PLACE])
        clock.now += sqlite_writer.UPKEEP_BEHIND_MS
    writer.close()
    assert starts[:2] == [10, 20]
    assert starts[2] >= 25


def test_compaction_keeps_offsets_the_last_record_and_young_tombstones(
    log: SqliteLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.log.sqlite.wall_ms", clock)
    place = TP("table", 0)
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", None), (b"b", b"2"), (b"c", None)):
        append(log, "table", value, key=key)
    assert log.compact("table") == 2
    assert [(record.offset, record.key, record.value) for record in read_all(log, [place])] == [
        (2, b"a", None),
        (3, b"b", b"2"),
        (4, b"c", None),
    ]
    clock.now += 86_400_001
    assert log.compact("table") == 1
    assert [record.offset for record in read_all(log, [place], poll=1)] == [3, 4]
    log.reader({place: 1}).close()  # a hole is not a loss here


def test_a_writer_compacts_a_busy_table(log: SqliteLog, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "COMPACT_AFTER", 50)
    writer = log.writer("w")
    for number in range(100):
        writer.append("table", 0, b"%d" % number, b"key")
        clock.now += sqlite_writer.UPKEEP_MS
        writer.flush()
    writer.close()
    assert len(read_all(log, [TP("table", 0)])) <= 50


def test_a_locked_file_holds_a_poll_up_for_nothing_and_a_flush_for_its_time(log: SqliteLog) -> None:
    writer = log.writer("w")
    writer.append("other", 0, b"waiting")
    blocker = open_file(log.folder, "other")
    with blocker.transaction(1.0):
        writer.poll()
        assert log.ends([TP("other", 0)]) == {TP("other", 0): 0}
        with pytest.raises(DeliveryFailed, match="another process holds its write lock"):
            writer.flush(0.05)
    writer.poll()
    assert [record.value for record in read_all(log, [TP("other", 0)])] == [b"waiting"]
    writer.close()
    blocker.close()


def test_a_full_buffer_is_committed_by_append(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "BUFFER_RECORDS", 10)
    monkeypatch.setattr(sqlite_writer, "BUFFER_BYTES", 1000)
    writer = log.writer("w")
    for _ in range(25):
        writer.append("other", 0, b"")
    assert log.ends([TP("other", 0)]) == {TP("other", 0): 20}
    writer.append("other", 0, bytes(1000))
    assert log.ends([TP("other", 0)]) == {TP("other", 0): 26}
    writer.close()


def test_a_poll_is_bounded_by_bytes(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_reader, "POLL_BYTES", 1000)
    monkeypatch.setattr(sqlite_reader, "FETCH_ROWS", 2)
    append(log, "other", *[bytes(400)] * 10)
    reader = log.reader({TP("other", 0): 0})
    sizes = [len(reader.poll(100)) for _ in range(4)]
    reader.close()
    assert sizes == [4, 4, 2, 0]


def test_a_file_replaced_under_a_reader_is_told(log: SqliteLog) -> None:
    fill(log, range(3))
    reader = log.reader(ZERO)
    reader.poll(10)
    recreate(log, EVENTS)
    with pytest.raises(OffsetGone, match="was removed or replaced"):
        reader.ask_ends()
    reader.close()


def test_folders_and_files_of_another_format_are_refused(log: SqliteLog) -> None:
    with sqlite3.connect(log.folder / "other.sqlite3") as conn:
        conn.execute("UPDATE meta SET value = '2' WHERE name = 'format'")
    conn.close()
    with pytest.raises(LogError, match="has format 2, this Nadi reads format 1"):
        log.reader({TP("other", 0): 0})
    (log.folder / "alien.sqlite3").write_bytes(b"no database at all, though it is long enough" * 100)
    with pytest.raises(LogError, match="is damaged"):
        log.partitions("alien")
    with sqlite3.connect(log.folder / "stranger.sqlite3") as conn:
        conn.execute("CREATE TABLE t (x)")
    conn.close()
    with pytest.raises(LogError, match="has format unknown"):
        log.partitions("stranger")
    (log.folder / "folder.meta").write_text("nadi-log 7 abc\n")
    with pytest.raises(LogError, match="holds a log of format 7"):
        open_log(log.url)


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match=r"the log's folder .*file/log cannot be used"):
        open_log(sqlite_url(tmp_path / "file" / "log"))


@pytest.mark.parametrize("topic", ["", "a/b", "..", ".hidden", "a b", "x" * 201])
def test_a_topic_name_leads_nowhere_else(log: SqliteLog, topic: str) -> None:
    with pytest.raises(LogError, match="cannot name a topic"):
        log.partitions(topic)


@pytest.mark.parametrize(
    "url", ["sqlite:///", "sqlite://x", "postgres://x", "kafka://", "kafka://host", "kafka://u@h:1", "kafka://h:1/a/b", ""]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LogError):
        open_log(url)


def test_addresses_of_folders() -> None:
    assert sqlite_folder("sqlite:///var/nadi/log/") == Path("/var/nadi/log")
    assert sqlite_folder("sqlite:////var/nadi/log") == Path("/var/nadi/log")
    assert sqlite_folder("sqlite:///.data/log/") == Path(".data/log")
    assert sqlite_folder(sqlite_url(Path("/with space/and%20"))) == Path("/with space/and%20")


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=5))
def test_headers_round_trip(headers: list[tuple[str, bytes]]) -> None:
    assert unpack_headers(pack_headers(tuple(headers))) == tuple(headers)


def test_an_empty_log_has_empty_polls(log: SqliteLog) -> None:
    reader = log.reader(ZERO)
    batch = reader.poll(100)
    assert (len(batch), batch.topics, batch.values, batch.records()) == (0, [], [], [])
    assert (log.starts(ALL), log.ends(ALL)) == (ZERO, ZERO)
    reader.close()
