"""`monitor`: the timeline in, alerts and live frames out; a fold a shard, every decision is taken in `operators.monitor`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from flows.engine.feeds import ShardValues, TimelineFeed, positions_of
from flows.engine.fold import Fold, Progress
from flows.engine.health import Health
from flows.engine.launch import EPOCH_S
from flows.engine.run import run_flow
from flows.engine.sink import Sink
from flows.engine.source import Source
from operators.monitor.core import ShardMonitor
from operators.monitor.state import FORMAT
from schemas.identity import SHARDS_PER_PROCESS
from schemas.records import Append
from sinks.log.api import TP, Log

FLOW = "monitor"
TIMELINE = "timeline"
OWNED = (TIMELINE, "alerts")
"""Without these very topics a recovery folder is meaningless."""


class Shard:
    """A fold that learns from its first records which shard it is, for Bytewax tells no key."""

    def __init__(self, state: Mapping[str, Any] | None, live: bool) -> None:
        self._live = live
        self.monitor = None if state is None else ShardMonitor(state["shard"], state, live)

    def apply(self, given: ShardValues) -> list[Append]:
        shard, values = given
        if self.monitor is None:
            self.monitor = ShardMonitor(shard, None, self._live)
        return self.monitor.apply(values)

    def snapshot(self) -> dict[str, Any]:
        assert self.monitor is not None, "a fold is made for its first records"
        return self.monitor.snapshot()


def joined(polls: list[ShardValues]) -> list[ShardValues]:
    """All records at hand are judged together: large batches are cheap."""
    return [(polls[0][0], list(chain.from_iterable(values for _, values in polls)))]


def build(
    log: Log, positions: Mapping[TP, int], at_most: int, health: Health, stop: threading.Event, *, until_end: bool, live: bool
) -> Dataflow:
    """`positions`: where a first start begins. `live`: whether frames for the board are made."""
    progress = Progress()

    def open_fold(state: dict[str, Any] | None) -> Fold[ShardValues]:
        core = Shard(state, live)

        def after() -> None:
            monitor = core.monitor
            if monitor is None:
                return
            shard = monitor.state.shard
            if monitor.time_ms is not None:
                progress.times_ms[shard] = monitor.time_ms
            (progress.ended.add if monitor.ended else progress.ended.discard)(shard)
            if len(progress.times_ms) == len(positions):
                health.time_ms = min(progress.times_ms.values())

        return Fold(core, joined, progress, after)

    def open_feed(state: Mapping[str, Any] | None) -> TimelineFeed:
        reader = log.reader(positions if state is None else positions_of(state, positions))
        return TimelineFeed(reader, at_most, progress, until_end)

    flow = Dataflow(FLOW)
    values = op.input("in", flow, Source(open_feed, health, stop))
    appends = op.stateful_batch("fold", values, open_fold)
    op.output("out", appends, Sink(partial(log.writer, FLOW), health))
    return flow


def run_monitor(
    *,
    log_url: str,
    recovery_dir: Path,
    poll: int = 5000,
    epoch_s: float = EPOCH_S,
    status_dir: Path | None = None,
    metrics_port: int | None = None,
    instance: str | None = None,
    until_end: bool = False,
    live: bool = True,
) -> int:
    """Runs until SIGTERM or SIGINT, with `until_end` also until the writers of every shard have ended. Exit status: see `engine.run`."""

    def prepared(log: Log, _state: Mapping[str, Any] | None, health: Health, stop: threading.Event) -> Dataflow:
        positions = log.starts([TP(TIMELINE, shard) for shard in range(SHARDS_PER_PROCESS)])
        return build(log, positions, poll, health, stop, until_end=until_end, live=live)

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
