"""Puts what `sim` and `replay` make into the log: with recorded arrivals (stream) or as time passes (live)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from operators.sim.items import INPUT_PARTITIONS, READINGS, Draft, Item, partition_of
from schemas.topics import ARRIVAL, MARK, TOPICS
from sinks.log.api import TP, Log, LogError, Writer

SHORTEST_SLEEP_S = 0.002
FLUSH_EVERY = 20_000
CHECK_EVERY = 1_000


class Sent(NamedTuple):
    """What was appended."""

    records: int
    messages: int
    readings: int
    first_ms: int
    last_ms: int
    """Arrivals of the first record and of the last that is no mark, or when they were appended (live)."""


class Pace:
    """Waits until an arrival is due: `speed` seconds of the record pass in a second; None = never waits."""

    def __init__(
        self, speed: float | None, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.speed, self.clock, self.sleep = speed, clock, sleep
        self.began: tuple[float, int] | None = None

    def due_s(self, arrival_ms: int) -> float:
        """Seconds until the arrival is due; 0 or less: now."""
        if self.speed is None:
            return 0.0
        if self.began is None:
            self.began = (self.clock(), arrival_ms)
        return self.began[0] + (arrival_ms - self.began[1]) / 1000 / self.speed - self.clock()

    def wait(self, arrival_ms: int, before: Callable[[], None]) -> None:
        """Returns when the arrival is due; calls `before` first if there is to wait."""
        if self.due_s(arrival_ms) <= 0:
            return
        before()
        while (left := self.due_s(arrival_ms)) > 0:
            self.sleep(max(left, SHORTEST_SLEEP_S))


class Progress:
    """One line on a terminal's error output, at most five times a second; nothing in a pipe. `check` may stop the run by raising."""

    def __init__(self, what: str, total: int | None = None, check: Callable[[], None] | None = None) -> None:
        self.what, self.total, self.check, self.count, self.shown_s = what, total, check, 0, 0.0
        self.terminal = sys.stderr.isatty()

    def step(self, text: str = "") -> None:
        self.count += 1
        if self.check is not None and not self.count % CHECK_EVERY:
            self.check()
        if self.terminal and not self.count % 64 and time.monotonic() - self.shown_s > 0.2:
            self.shown_s = time.monotonic()
            share = f"{100 * self.count // max(1, self.total):3d} %  " if self.total else ""
            sys.stderr.write(f"\r{self.what}: {share}{self.count:,} {text}\x1b[K")
            sys.stderr.flush()

    def done(self) -> None:
        if self.terminal and self.shown_s:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def create_topics(log: Log) -> None:
    """All topics with their settings."""
    log.create(TOPICS)


def must_be_empty(log: Log) -> None:
    """A recorded clock starts on empty topics: its positions count from 0. Raises LogError."""
    full = [f"{tp.topic}/{tp.partition}" for tp, end in log.ends([TP(*at) for at in INPUT_PARTITIONS]).items() if end]
    if full:
        raise LogError(f"a run with recorded arrivals needs empty topics, but {full[0]} has records: use another data folder or log")


def append_stream(writer: Writer, items: Iterable[Item], pace: Pace, progress: Progress) -> Sent:
    """Appends items with their arrival headers and marks. Raises DeliveryFailed."""
    records = messages = readings = last_ms = 0
    first_ms = None
    for item in items:
        pace.wait(item.arrival_ms, writer.flush)
        headers = [(ARRIVAL, str(item.arrival_ms).encode())]
        if item.mark:
            headers.append((MARK, item.mark.encode()))
        else:
            messages += item.topic == READINGS
            readings += len(item.truth)
            last_ms = item.arrival_ms
        first_ms = item.arrival_ms if first_ms is None else first_ms
        key = (item.key or item.mark).encode()  # marks too: a compacted topic takes no record without key
        writer.append(item.topic, item.partition, item.body, key, tuple(headers))
        records += 1
        if not records % FLUSH_EVERY:
            writer.poll()
        if not item.mark:
            progress.step()
    writer.flush()
    progress.done()
    return Sent(records, messages, readings, first_ms or 0, last_ms)


def append_live(writer: Writer, drafts: Iterator[Draft], pace: Pace, progress: Progress, until_ms: int | None = None) -> Sent:
    """Appends drafts when they are due, without headers: the log's own stamps count. Ends at `until_ms` or with the drafts."""
    records = messages = readings = last_ms = 0
    first_ms = None
    try:
        for draft in drafts:
            if until_ms is not None and draft.arrival_ms >= until_ms:
                break
            pace.wait(draft.arrival_ms, writer.flush)
            writer.append(draft.topic, partition_of(draft.topic, draft.key), draft.body, draft.key.encode())
            records += 1
            messages += draft.topic == READINGS
            readings += len(draft.truth)
            first_ms, last_ms = (draft.arrival_ms if first_ms is None else first_ms), draft.arrival_ms
            progress.step()
    finally:
        writer.flush()
        progress.done()
    return Sent(records, messages, readings, first_ms or 0, last_ms)
