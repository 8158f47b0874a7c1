"""Kill runs (`semantics.md` 11): both flows over a recorded run, killed by a seeded plan when they have appended so much, until the end.

A kill is *early* when it falls before the first epoch after a restart is committed: then the store holds what the life before it left, and
perhaps rows of an epoch that never was. Such a life gets an epoch that is too long to end.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sinks.log import open_log
from sinks.log.api import Log
from tests.support.flows import OUTPUTS, Flow, flow, tps

EPOCH_S, NEVER_S = 0.2, 600.0
EARLY_MOST = 8
WATCH_S = 0.001
DEADLINE_S = 500.0


class Kill(NamedTuple):
    """`after`: records that the flow must have appended in this life."""

    flow: str
    after: int
    early: bool


class Died(NamedTuple):
    """What a kill met."""

    kill: Kill
    appended: int
    epochs: int
    """Committed in this life."""


@dataclass
class _Life:
    """A flow and the kills that it still has before it."""

    flow: Flow
    kills: list[Kill]
    base: int = 0
    frontier: int = 0
    died: list[Died] = field(default_factory=list)

    def start(self, log: Log) -> None:
        self.base, self.frontier = _appended(log, self.flow.name), frontier(self.flow.recovery)
        early = bool(self.kills) and self.kills[0].early
        self.flow.start(epoch_s=NEVER_S if early else EPOCH_S)

    def watch(self, log: Log) -> bool:
        """True when it has ended for good. Kills it if it is due; a flow that ended before its kill starts once more and dies at once."""
        if not self.flow.running():
            assert self.flow.wait() == 0, self.flow.said()
            if not self.kills:
                return True
            self.kills[0] = self.kills[0]._replace(after=1, early=True)
            self.start(log)
            return False
        if self.kills and (appended := _appended(log, self.flow.name) - self.base) >= self.kills[0].after:
            self.flow.kill()
            self.died.append(Died(self.kills.pop(0), appended, frontier(self.flow.recovery) - self.frontier))
            self.start(log)
        return False


def plan(seed: int, polls: int) -> list[Kill]:
    """Three kills of `ingest` and two of `monitor`, the second of each early; `polls`: about how many a whole run takes.

    A life appends at least a record a poll, and an early one no more than what is left: it must not have to wait for more than there is.
    """
    draw = random.Random(seed)

    def kill(flow: str, early: bool = False) -> Kill:
        return Kill(flow, draw.randint(1, EARLY_MOST if early else max(2, polls)), early)

    return [kill("ingest"), kill("ingest", early=True), kill("ingest"), kill("monitor"), kill("monitor", early=True)]


def kill_run(log_url: str, folder: Path, kills: Sequence[Kill], poll: int) -> list[Died]:
    """Runs to the end. What came out is in the log. Raises TimeoutError, or AssertionError with what a flow said."""
    log = open_log(log_url)
    with (
        flow("ingest", log_url, folder, clock="stream", poll=poll) as ingest,
        flow("monitor", log_url, folder, poll=poll, until_end=True) as monitor,
    ):
        lives = [_Life(one, [kill for kill in kills if kill.flow == one.name]) for one in (ingest, monitor)]
        for life in lives:
            life.start(log)
        going, end_s = list(lives), time.monotonic() + DEADLINE_S
        while going:
            going = [life for life in going if not life.watch(log)]
            if time.monotonic() > end_s:
                raise TimeoutError(f"{[life.flow.name for life in going]} did not end")
            time.sleep(WATCH_S)
    log.close()
    return [died for life in lives for died in life.died]


def frontier(recovery: Path) -> int:
    """The first epoch that is not committed."""
    store = recovery / "part-0.sqlite3"
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as db:
        return int(db.execute("SELECT coalesce(max(worker_frontier), 0) FROM fronts").fetchone()[0])


def _appended(log: Log, name: str) -> int:
    return sum(log.ends(tps(*OUTPUTS[name])).values())
