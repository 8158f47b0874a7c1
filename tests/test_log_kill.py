"""A writer process is killed (`kill -9`) in the middle of a batch: what it was told is durable is there, in order, dense; others go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sinks.log import open_log
from sinks.log.api import TP, Log, Record
from tests.support.log_child import PER_FLUSH
from tests.support.logs import ALL, TOPICS, fill, read_all

FIRST = ALL[0]


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url)
    opened.create(TOPICS)
    yield opened
    opened.close()


@contextmanager
def child(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-m", "tests.support.log_child", url, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def confirmed(process: subprocess.Popen[str], at_least: int) -> int:
    """Waits until the child says that so many records are durable (the test's time-out is the deadline)."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= at_least:
            return int(line)
    raise AssertionError("the child ended by itself")


def numbers_of(records: list[Record], name: str) -> list[int]:
    return [int((record.value or b"").split()[1]) for record in records if (record.value or b"").startswith(name.encode())]


@pytest.mark.parametrize("at_least", [PER_FLUSH, 700])
def test_what_was_confirmed_is_there_in_order(log: Log, log_url: str, at_least: int) -> None:
    with child(log_url, "one") as process:
        told = confirmed(process, at_least)
        process.kill()
        process.wait()
        assert process.stdout is not None
        told = max([told, *(int(line) for line in process.stdout)])
    fill(log, [0])  # the next writer waits for no one
    records = read_all(log, [FIRST])
    assert [record.offset for record in records] == list(range(len(records)))
    numbers = numbers_of(records[:-1], "one")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= told
    assert records[-1].value == b"0"


def test_two_processes_append_to_one_topic(log: Log, log_url: str) -> None:
    with child(log_url, "one") as one, child(log_url, "two") as two:
        told = {"one": confirmed(one, 400), "two": confirmed(two, 400)}
        one.kill()
        told["two"] = confirmed(two, told["two"] + 100)  # the survivor goes on
    records = read_all(log, [FIRST])
    assert [record.offset for record in records] == list(range(len(records)))
    stamps = [record.append_ms for record in records]
    assert stamps == sorted(stamps)
    for name, count in told.items():
        numbers = numbers_of(records, name)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= count


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_in_sqlite_is_whole_or_absent(sqlite_log_url: str, batch: int) -> None:
    log = open_log(sqlite_log_url)
    log.create(TOPICS)
    with child(sqlite_log_url, "one", "die-in-batch", str(batch)) as process:
        process.wait()
    reader = log.reader({FIRST: 0})
    assert log.ends([FIRST]) == {FIRST: (batch - 1) * PER_FLUSH}
    assert reader.poll(1000).values == [b"one %d" % number for number in range((batch - 1) * PER_FLUSH)]
    reader.close()
    fill(log, [0])
    assert read_all(log, [FIRST])[-1].offset == (batch - 1) * PER_FLUSH
    assert read_all(log, [TP("events", 1)]) == []
    log.close()
