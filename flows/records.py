"""Reading a stretch of the log once, for commands and checks: to the ends that the log named at the start, then done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from sinks.log.api import TP, Log, LogUnreachable, Record

T = TypeVar("T")
POLL = 2000
IDLE_S = 0.005
GIVE_UP_S = 30.0
"""Without a record although the end is not reached: the log does not answer."""


def read_range(log: Log, *tps: TP, starts: Mapping[TP, int] | None = None) -> Iterator[Record]:
    """Records of the partitions from `starts` (else their beginning) up to the ends asked now. Raises LogError."""
    positions = dict(starts) if starts is not None else log.starts(tps)
    ends = log.ends(tps)
    open_tps = {tp: positions[tp] for tp in tps if positions[tp] < ends[tp]}
    if not open_tps:
        return
    reader = log.reader(open_tps)
    quiet_since = time.monotonic()
    try:
        while any(reader.positions[tp] < ends[tp] for tp in open_tps):
            batch = reader.poll(POLL)
            if not len(batch):
                if time.monotonic() - quiet_since > GIVE_UP_S:
                    msg = f"the log gave nothing for {GIVE_UP_S:.0f} s although its end is not reached"
                    raise LogUnreachable(msg)
                time.sleep(IDLE_S)
                continue
            quiet_since = time.monotonic()
            for record in batch.records():
                if record.offset < ends[TP(record.topic, record.partition)]:
                    yield record
    finally:
        reader.close()


def wait_for(log: Log, starts: Mapping[TP, int], find: Callable[[Record], T | None], timeout_s: float) -> T | None:
    """The first thing that `find` makes of a record from `starts` on; None when `timeout_s` have passed."""
    reader = log.reader(starts)
    until = time.monotonic() + timeout_s
    try:
        while time.monotonic() < until:
            batch = reader.poll(POLL)
            for record in batch.records():
                if (found := find(record)) is not None:
                    return found
            if not len(batch):
                time.sleep(IDLE_S)
        return None
    finally:
        reader.close()
