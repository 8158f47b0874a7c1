"""What is read of the log before a flow starts: the control topics from their start, and the first T that may be stated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from flows.engine.clock import SLACK_MS
from sinks.log.api import TP, Batch, Log, LogError, Reader, Record

AT_ONCE = 5000
DEADLINE_S = 60.0
"""Without a record for so long the log is taken to be out of reach."""


def read_tables(log: Log, spans: Mapping[TP, tuple[int, int]]) -> list[Record]:
    """All records of each partition from the first offset up to before the second. Raises LogError if the log stops to answer."""
    found: list[Record] = []
    wanted = {tp: upto for tp, (start, upto) in spans.items() if start < upto}
    if not wanted:
        return found

    def take(batch: Batch, reader: Reader) -> bool:
        found.extend(record for record in batch.records() if record.offset < wanted[TP(record.topic, record.partition)])
        return all(reader.positions[tp] >= upto for tp, upto in wanted.items())

    _read(log, {tp: spans[tp][0] for tp in wanted}, take)
    return found


def first_t_ms(log: Log, positions: Mapping[TP, int], now_ms: int) -> int:
    """Live, at a first start: everything from `positions` on was appended after this. Raises LogError if the log stops to answer.

    Without it the facts of a first start would take effect at the beginning of time, and every device would have been silent since.
    """
    ends = log.ends(list(positions))
    behind = {tp: at for tp, at in positions.items() if at < ends[tp]}
    first: dict[TP, int] = {}

    def take(batch: Batch, _reader: Reader) -> bool:
        for topic, partition, append_ms in zip(batch.topics, batch.partitions, batch.append_ms, strict=True):
            first.setdefault(TP(topic, partition), append_ms - 1)
        return len(first) == len(behind)

    if behind:
        _read(log, behind, take)
    return min(now_ms - SLACK_MS, *first.values()) if first else now_ms - SLACK_MS


def _read(log: Log, positions: Mapping[TP, int], take: Callable[[Batch, Reader], bool]) -> None:
    """Polls until `take` has enough."""
    with closing(log.reader(positions)) as reader:
        heard_s = time.monotonic()
        while True:
            batch = reader.poll(AT_ONCE)
            if take(batch, reader):
                return
            if len(batch):
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > DEADLINE_S:
                msg = f"the log gave nothing of {', '.join(_names(positions))} for {DEADLINE_S:.0f} s: is it reachable?"
                raise LogError(msg)
            else:
                time.sleep(0.005)


def _names(tps: Iterable[TP]) -> list[str]:
    return sorted({tp.topic for tp in tps})
