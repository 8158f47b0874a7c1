"""The one source of a flow: a whole poll of the log is one item. Never blocks, wakes each 10 ms, and stops by checkpoint, then abort.

Bytewax freezes the epochs of a whole flow while its source sleeps, so it never sleeps long. A graceful stop is no end of file: after its
last item the source is quiet until its snapshot was taken; when it is asked again that epoch is durable, and it aborts. Nothing is replayed
at the next start.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition

from flows.engine.health import Health

PART = "g0"
"""The only part: a recovery key, never change it."""
AWAKE_EVERY = timedelta(milliseconds=10)

Item = tuple[str, Any]
"""(key of the fold, what it applies)."""
State = dict[str, Any]
"""Plain values: `next` = topic/partition -> first offset that was not given out."""


class Feed(Protocol):
    """What a poll is for one flow. `take` never blocks."""

    behind: bool
    """More is at hand: ask again at once."""
    finished: bool
    """Nothing will come any more."""

    def take(self) -> Sequence[Item]: ...
    def last(self) -> Sequence[Item]:
        """What to give out before a stop."""
        ...

    def snapshot(self) -> State: ...
    def close(self) -> None: ...


class Part(StatefulSourcePartition[Item, State]):
    """Polls a feed for Bytewax."""

    def __init__(self, feed: Feed, health: Health, stop: threading.Event) -> None:
        self._feed, self._health, self._stop = feed, health, stop
        self._ending = self._snapped = self._frozen = False

    def next_batch(self) -> Sequence[Item]:
        self._health.tick()
        if self._ending:
            if self._snapped:
                raise AbortExecution
            return ()
        if self._stop.is_set():
            self._ending = True
            self._health.state = "stopping"
            return self._feed.last()
        items = self._feed.take()
        if self._feed.finished:
            self._ending = True
            self._health.state = "ending"
        return items

    def next_awake(self) -> datetime | None:
        """None = at once (1 ms after nothing)."""
        return None if self._ending or self._feed.behind else datetime.now(UTC) + AWAKE_EVERY

    def snapshot(self) -> State:
        """Asked at each epoch's end, when the epoch before it is durable."""
        self._snapped = self._ending
        self._health.committed_ms = self._health.now_ms()
        if self._health.state == "starting":
            self._health.state = "running"
        if not self._frozen:
            self._frozen = True
            gc.collect()
            gc.freeze()  # tables and resumed state are no garbage: never scan them again
        return self._feed.snapshot()

    def close(self) -> None:
        self._feed.close()


class Source(FixedPartitionedSource[Item, State]):
    """`open_feed(state)`: of the last committed epoch, or None at the first start."""

    def __init__(self, open_feed: Callable[[Mapping[str, Any] | None], Feed], health: Health, stop: threading.Event) -> None:
        self._open, self._health, self._stop = open_feed, health, stop

    def list_parts(self) -> list[str]:
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> Part:
        return Part(self._open(resume_state), self._health, self._stop)
