"""The control topics read from their start, once, before a flow starts: what `ingest` knew where it begins now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing

from sinks.log.api import TP, Log, LogError, Record

AT_ONCE = 5000
DEADLINE_S = 60.0
"""Without a record for so long the log is taken to be out of reach."""


def read_tables(log: Log, spans: Mapping[TP, tuple[int, int]]) -> list[Record]:
    """All records of each partition from the first offset up to before the second. Raises LogError if the log stops to answer."""
    found: list[Record] = []
    wanted = {tp: upto for tp, (start, upto) in spans.items() if start < upto}
    if not wanted:
        return found
    with closing(log.reader({tp: spans[tp][0] for tp in wanted})) as reader:
        heard_s = time.monotonic()
        while any(reader.positions[tp] < upto for tp, upto in wanted.items()):
            batch = reader.poll(AT_ONCE)
            if len(batch):
                found += [record for record in batch.records() if record.offset < wanted[TP(record.topic, record.partition)]]
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > DEADLINE_S:
                msg = f"the log gave nothing of {', '.join(sorted({tp.topic for tp in wanted}))} for {DEADLINE_S:.0f} s: is it reachable?"
                raise LogError(msg)
            else:
                time.sleep(0.005)
    return found
