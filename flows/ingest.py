"""`ingest`: the one door. Source topics in, the timeline out; every decision is taken in `operators.ingest`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from flows.engine.feeds import LiveFeed, Poll, StreamFeed, positions_of
from flows.engine.fold import Fold, Progress
from flows.engine.health import Health
from flows.engine.launch import EPOCH_S
from flows.engine.run import run_flow
from flows.engine.sink import Sink
from flows.engine.source import Feed, Source
from flows.engine.tables import read_tables
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

    def __init__(self, core: IngestCore) -> None:
        self.core = core
        self.t_ms: int | None = None
        self._opened = False

    def apply(self, poll: Poll) -> list[Append]:
        out: list[Append] = [] if self._opened else self.core.start()
        self._opened = True
        out += self.core.apply(poll.batch, poll.t_ms)
        if poll.t_ms is not None:
            self.t_ms = poll.t_ms
        if poll.bye:
            out += self.core.stop()
        return out

    def snapshot(self) -> dict[str, Any]:
        return self.core.snapshot()


def build(
    log: Log, clock: Clock, positions: Mapping[TP, int], tables: Sequence[Record], at_most: int, health: Health, stop: threading.Event
) -> Dataflow:
    """`positions`: where a first start begins. `tables`: what the control topics held up to where this run begins."""
    progress = Progress()
    cores: list[IngestCore] = []

    def open_fold(state: dict[str, Any] | None) -> Fold[Poll]:
        core = IngestCore(writer=WRITER, instance=health.instance, shards=SHARDS_PER_PROCESS, clock=clock, state=state)
        core.load_tables(tables)
        cores.append(core)
        door = Door(core)

        def after() -> None:
            health.time_ms = health.time_ms if door.t_ms is None else door.t_ms
            health.counts.update(core.counters)

        return Fold(door, list, progress, after)

    def open_feed(state: Mapping[str, Any] | None) -> Feed:
        reader = log.reader(positions if state is None else positions_of(state, positions))
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
        tps = [TP(topic, number) for topic in INPUTS for number in range(log.partitions(topic))]
        positions = log.starts(tps)
        tables = [tp for tp in tps if tp.topic in TABLES]
        if state is not None:
            upto = positions_of(state, positions)
        elif clock == "live":
            upto = log.ends(tables)
        else:
            upto = positions  # a stream's facts come at their arrival
        found = read_tables(log, {tp: (positions[tp], upto[tp]) for tp in tables})
        positions.update({tp: upto[tp] for tp in tables})
        return build(log, clock, positions, found, poll, health, stop)

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
