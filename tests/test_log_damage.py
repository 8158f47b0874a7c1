"""A flipped bit in a SQLite topic never yields a wrong record: it is told, or nothing was touched."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from sinks.log import open_log, sqlite_folder
from sinks.log.api import TP, CorruptRecord, LogError, Record
from sinks.log.sqlite_file import open_file
from tests.support.logs import TOPICS, read_all

PLACE = TP("other", 0)
SECRET = b"the value of one record, long enough to be found again in the file "
Content = list[Record]


def filled(url: str) -> tuple[Path, Content]:
    """A file of 60 records, all of it in the main file (closing the last connection ends its write-ahead log)."""
    log = open_log(url)
    log.create(TOPICS)
    writer = log.writer("w")
    for number in range(60):
        writer.append("other", 0, SECRET + b"%03d" % number, b"key %d" % number, (("reason", b"%d" % number),) if number % 2 else ())
    writer.append("other", 0, SECRET * 300)  # over many pages
    writer.close()
    records = read_all(log, [PLACE])
    log.close()
    path = sqlite_folder(url) / "other.sqlite3"
    assert not path.with_name("other.sqlite3-wal").exists()
    return path, records


def flip(path: Path, content: bytes, bit: int) -> None:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)


def look(url: str) -> Content:
    log = open_log(url)
    reader = log.reader({PLACE: 0})
    try:
        return reader.poll(1000).records()
    finally:
        reader.close()
        log.close()


def test_a_flipped_bit_in_a_value_names_file_partition_and_offset(sqlite_log_url: str) -> None:
    path, records = filled(sqlite_log_url)
    content = path.read_bytes()
    randomness = random.Random(7)
    for number in range(60):
        at = content.index(SECRET + b"%03d" % number)
        flip(path, content, at * 8 + randomness.randrange(8 * len(SECRET)))
        with pytest.raises(CorruptRecord, match=rf"other\.sqlite3: the record at other/0/{number} does not match its checksum"):
            look(sqlite_log_url)
    path.write_bytes(content)
    assert look(sqlite_log_url) == records


def test_a_flipped_bit_anywhere_is_told_or_harmless(sqlite_log_url: str) -> None:
    path, records = filled(sqlite_log_url)
    content = path.read_bytes()
    used = [index for index, byte in enumerate(content) if byte]  # free space is zeros, and plenty
    randomness = random.Random(11)
    told = 0
    for _ in range(400):
        flip(path, content, randomness.choice(used) * 8 + randomness.randrange(8))
        try:
            assert look(sqlite_log_url) == records
        except LogError:
            told += 1
    assert told > 200


def test_lost_rows_and_lost_bounds_are_told(sqlite_log_url: str) -> None:
    path, _ = filled(sqlite_log_url)
    content = path.read_bytes()
    for statement, text in (
        ("DELETE FROM record WHERE id = 30", "records of other/0 from offset 30 on are missing"),
        ("DELETE FROM record WHERE id = 31", "records of other/0 from offset 30 on are missing"),
        ("DELETE FROM record WHERE id >= 30", "records of other/0 from offset 30 on are missing"),
        ("DELETE FROM bounds", "bounds of 1 partitions are missing"),
        ("UPDATE bounds SET next = 40", "do not match their checksum"),
        ("UPDATE record SET append_ms = 5 WHERE id = 3", "the record at other/0/3 does not match"),
        ("UPDATE record SET value = CAST(value AS TEXT) || 'x' WHERE id = 3", "the record at other/0/3 does not match"),
        ("UPDATE record SET key = 5 WHERE id = 3", "the record at other/0/3 does not match"),
        ("UPDATE meta SET value = '1000' WHERE name = 'retention_ms'", "settings do not match their checksum"),
        ("DROP TABLE record", "no such table"),
    ):
        with sqlite3.connect(path) as conn:
            conn.execute(statement)
        conn.close()
        with pytest.raises(LogError, match=text):
            read_by_thirty(sqlite_log_url)
        path.write_bytes(content)


def read_by_thirty(url: str) -> None:
    """The first poll ends before the damage of some."""
    log = open_log(url)
    reader = log.reader({PLACE: 0})
    try:
        for _ in range(4):
            reader.poll(30)
    finally:
        reader.close()
        log.close()


def test_a_writer_on_a_damaged_file_stops(sqlite_log_url: str) -> None:
    path, _ = filled(sqlite_log_url)
    with sqlite3.connect(path) as conn:
        conn.execute("INSERT INTO record VALUES (61, 0, 0, NULL, NULL, NULL)")  # as if the bounds had lost a batch
    conn.close()
    log = open_log(sqlite_log_url)
    writer = log.writer("w")
    writer.append("other", 0, b"")
    with pytest.raises(CorruptRecord, match="taken already"):
        writer.flush()
    file = open_file(sqlite_folder(sqlite_log_url), "other")
    assert file.bounds()[0].next == 61
    file.close()
    log.close()
