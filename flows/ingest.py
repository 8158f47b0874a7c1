"""`ingest`: the one door. Source topics in, the timeline out; every decision is taken in `operators.ingest`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from flows.engine.feeds import LiveFeed, Poll, StreamFeed, positions_of
from flows.engine.fold import Fold, Progress
from flows.engine.health import Health
from flows.engine.launch import EPOCH_S
from flows.engine.run import run_flow
from flows.engine.sink import Sink
from flows.engine.source import Feed, Source
from flows.engine.tables import first_t_ms, read_tables
from operators.ingest.arrivals import Clock
from operators.ingest.core import FORMAT, IngestCore
from schemas.identity import SHARDS_PER_PROCESS
from schemas.records import Append
from schemas.topics import INPUTS, TABLES
from sinks.log.api import TP, Batch, Log, Record

FLOW = "ingest"
WRITER = "ingest-0"
"""Name of the only writer of a group of 8 shards; each run of it is another instance."""
OWNED = (*INPUTS, "timeline")
"""Without these very topics a recovery folder is meaningless."""


class Door:
    """The core as a fold: opens this instance on the timeline before its first poll, and closes it after its last."""

    def __init__(self, core: IngestCore, first_t_ms: int | None) -> None:
        self.core, self._first_t_ms = core, first_t_ms
        self.t_ms: int | None = None
        self._opened = False

    def apply(self, poll: Poll) -> list[Append]:
        out: list[Append] = [] if self._opened else self.core.start(self._first_t_ms)
        self._opened = True
        out += self.core.apply(poll.batch, poll.t_ms)
        if poll.t_ms is not None:
            self.t_ms = poll.t_ms
        if poll.bye:
            out += self.core.stop(poll.end)
        return out

    def snapshot(self) -> dict[str, Any]:
        return self.core.snapshot()


class Begin(NamedTuple):
    """Where a run begins. `positions` and `first_t_ms` are of a first start, `tables` is what the control topics held up to there."""

    positions: Mapping[TP, int]
    tables: Sequence[Record]
    first_t_ms: int | None = None


def build(log: Log, clock: Clock, begin: Begin, at_most: int, health: Health, stop: threading.Event) -> Dataflow:
    """One fold over all input topics; `at_most`: messages a poll."""
    progress = Progress()
    cores: list[IngestCore] = []

    def open_fold(state: dict[str, Any] | None) -> Fold[Poll]:
        core = IngestCore(writer=WRITER, instance=health.instance, shards=SHARDS_PER_PROCESS, clock=clock, state=state)
        core.load_tables(begin.tables)
        cores.append(core)
        door = Door(core, begin.first_t_ms)

        def after() -> None:
            health.time_ms = health.time_ms if door.t_ms is None else door.t_ms
            health.counts.update(core.counters)

        return Fold(door, list, progress, after)

    def open_feed(state: Mapping[str, Any] | None) -> Feed:
        reader = log.reader(begin.positions if state is None else positions_of(state, begin.positions))
        if clock == "stream":
            return StreamFeed(reader, at_most, state)
        return LiveFeed(reader, at_most, progress, unresolved, health.now_ms)

    def unresolved(batch: Batch) -> bool:
        return cores[-1].unresolved(batch)

    flow = Dataflow(FLOW)
    polls = op.input("in", flow, Source(open_feed, health, stop))
    appends = op.stateful_batch("fold", polls, open_fold)
    op.output("out", appends, Sink(partial(log.writer, FLOW), health))
    return flow


def begin_of(log: Log, clock: Clock, state: Mapping[str, Any] | None, now_ms: int) -> Begin:
    """Where the log is taken up: after a committed state; live at a first start with whole tables; in a stream at its very start."""
    starts = log.starts([TP(topic, number) for topic in INPUTS for number in range(log.partitions(topic))])
    tables = [tp for tp in starts if tp.topic in TABLES]
    if state is not None:
        upto = positions_of(state, starts)
        return Begin(starts, read_tables(log, {tp: (starts[tp], upto[tp]) for tp in tables}))
    if clock == "stream":
        return Begin(starts, [])  # facts come at their arrival
    positions = {**starts, **log.ends(tables)}
    found = read_tables(log, {tp: (starts[tp], positions[tp]) for tp in tables})
    return Begin(positions, found, first_t_ms(log, positions, now_ms))


def run_ingest(
    *,
    log_url: str,
    recovery_dir: Path,
    clock: Clock = "live",
    poll: int = 5000,
    epoch_s: float = EPOCH_S,
    status_dir: Path | None = None,
    metrics_port: int | None = None,
    instance: str | None = None,
) -> int:
    """Runs until SIGTERM or SIGINT, or until a stream's end. 0 = ended so; 1 = a sentence on standard error says why not."""

    def prepared(log: Log, state: Mapping[str, Any] | None, health: Health, stop: threading.Event) -> Dataflow:
        return build(log, clock, begin_of(log, clock, state, health.now_ms()), poll, health, stop)

    return run_flow(
        FLOW,
        FORMAT,
        OWNED,
        prepared,
        log_url=log_url,
        recovery_dir=recovery_dir,
        epoch_s=epoch_s,
        status_dir=status_dir,
        metrics_port=metrics_port,
        instance=instance,
    )
