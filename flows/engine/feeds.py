"""What a poll is for each flow: live and stream for `ingest`, the timeline for `monitor`.

Each gives out whole polls and knows what it has read and not given out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flows.engine.clock import ASK_EVERY_MS, LiveClock
from flows.engine.columns import Columns, joined, split
from flows.engine.fold import Progress
from flows.engine.merge import Merge
from schemas.topics import CONTROL
from sinks.log.api import TP, Batch, LogError, Reader

KEY = "ingest"
"""Key of the only fold of `ingest`: a recovery key, never change it."""
BEHIND = 500
"""A poll that brings this many records is followed by the next one at once."""
POLLS_AT_ONCE = 64
HELD_MOST = 100_000


class Poll(NamedTuple):
    """What `ingest` applies at once: records, then T, then bye. The first one of a process is empty."""

    batch: Batch
    t_ms: int | None = None
    bye: bool = False
    end: bool = False
    """The bye is for good: the inputs have ended."""


Given = tuple[tuple[str, Poll], ...]
ShardValues = tuple[int, list[bytes]]
"""What `monitor` applies at once: a shard, values of its records in order."""


def positions_of(state: Mapping[str, Any], starts: Mapping[TP, int]) -> dict[TP, int]:
    """Where a state stands; a partition that it does not know yet from its start."""
    kept: Mapping[str, int] = state["next"]
    return {tp: kept.get(name_of(tp), start) for tp, start in starts.items()}


def name_of(tp: TP) -> str:
    """A topic partition as a plain string."""
    return f"{tp.topic}/{tp.partition}"


def plain(offsets: Mapping[TP, int]) -> dict[str, int]:
    """Offsets as plain values."""
    return {name_of(tp): offset for tp, offset in offsets.items()}


class LiveFeed:
    """Control records of a poll go first; readings of devices that no table knows wait for the control topics, read to ends asked later.

    What waits is given out in one piece and in order: a fold skips rows at or below the highest offset that it has seen of a partition,
    hence a reading given out after later ones. It waits here and not in a state: its offsets count as not given out.
    """

    def __init__(
        self, reader: Reader, at_most: int, progress: Progress, unresolved: Callable[[Batch], bool], now_ms: Callable[[], int]
    ) -> None:
        self.behind = self.finished = False
        self._reader, self._at_most, self._progress, self._unresolved, self._now_ms = reader, at_most, progress, unresolved, now_ms
        self._clock = LiveClock(list(reader.positions), [tp for tp in reader.positions if tp.topic in CONTROL])
        self._held: Batch | None = None
        self._held_polls = 0
        self._draining = False
        self._checked: tuple[int, int] | None = None
        self._given = 0

    def take(self) -> Given:
        if self._given == 0:
            return self._give(Poll(Columns()))
        self.behind = True
        if self._progress.applied < self._given:
            return ()  # the tables are not yet what the records given out make them
        control = self._read() if self._held is None or self._draining else None
        if control is not None:
            return self._give(Poll(control))
        if self._held is not None and not self._may_go(self._held):
            return ()
        batch, self._held, self._draining = self._held or Columns(), None, False
        t_ms = self._clock.take_t_ms(self._reader.positions)
        self.behind = len(batch) >= min(self._at_most, BEHIND)
        return self._give(Poll(batch, t_ms)) if len(batch) or t_ms is not None else ()

    def _read(self) -> Batch | None:
        """One poll, and the ends if an answer is there. Readings are held; control records are returned, None if there are none."""
        control: Batch | None = None
        if not (self._draining and self._clock.unanswered):
            batch = self._reader.poll(self._at_most)
            self._clock.read(batch)
            control, readings = split(batch)
            if readings is not None:
                self._held = readings if self._held is None else joined(self._held, readings)
                self._held_polls = self._clock.polls
            if self._held is not None and len(self._held) > HELD_MOST:
                msg = f"{len(self._held)} readings wait, for the control topics ({', '.join(CONTROL)}) cannot be read to their ends"
                raise LogError(msg)
        self._ask(False)
        return control

    def _ask(self, hurry: bool) -> None:
        """Asks for ends if it is time, and takes the answer if it is there (SQLite answers at once)."""
        now = self._now_ms()
        if self._clock.wants_to_ask(now, hurry):
            self._clock.asked(now)
            self._reader.ask_ends()
        answer = self._reader.ends()
        if answer is not None:
            self._clock.answered(*answer)
        self._clock.drain(self._reader.positions)

    def _may_go(self, held: Batch) -> bool:
        """Every device is known, or nothing that the control topics hold by now could make it so."""
        now = (self._given, self._held_polls)
        if self._clock.drained >= self._held_polls or (now != self._checked and not self._unresolved(held)):
            return True
        self._checked, self._draining = now, True  # until something changes, the answer is the same
        self._ask(True)
        return self._clock.drained >= self._held_polls

    def _give(self, poll: Poll) -> Given:
        self._given += 1
        return ((KEY, poll),)

    def last(self) -> Given:
        return self._give(Poll(Columns(), bye=True))

    def snapshot(self) -> dict[str, Any]:
        offsets = dict(self._reader.positions)
        if self._held is not None:
            for topic, partition, offset in zip(self._held.topics, self._held.partitions, self._held.offsets, strict=True):
                tp = TP(topic, partition)
                offsets[tp] = min(offsets[tp], offset)
        return {"v": 1, "next": plain(offsets)}

    def close(self) -> None:
        self._reader.close()


class StreamFeed:
    """Recorded arrivals, merged. Ends by itself when every partition has ended."""

    def __init__(self, reader: Reader, at_most: int, state: Mapping[str, Any] | None) -> None:
        """`reader` stands at what `state` has not given out."""
        known: Mapping[str, Any] = state or {"reached_ms": {}, "ended": []}
        by_name = {name_of(tp): tp for tp in reader.positions}
        reached = {by_name[name]: ms for name, ms in known["reached_ms"].items()}
        self.behind = self.finished = False
        self._reader, self._at_most = reader, at_most
        self._merge = Merge(reader.positions, reached, [by_name[name] for name in known["ended"]])
        self._started = self._more = False
        self._t_ms: int | None = None

    def take(self) -> Given:
        if not self._started:
            self._started = self.behind = True
            return ((KEY, Poll(Columns())),)
        for _ in range(POLLS_AT_ONCE):  # small polls often complete nothing yet: Bytewax rests 1 ms after nothing
            poll = self._next()
            if poll is not None:
                return ((KEY, poll),)
            if not self.behind:
                break
        return ()

    def _next(self) -> Poll | None:
        """One poll of the log, if all that was read before it is given out, and what it completes; None if that is nothing."""
        self.behind = self._more
        if not self._more:  # memory holds little more than a poll
            batch = self._reader.poll(self._at_most)
            self.behind = len(batch) >= min(self._at_most, BEHIND)
            self._merge.push(batch)
        given = self._merge.pop(self._at_most)
        self._more = len(given) >= self._at_most
        if self._merge.end_ms() is not None:
            self.finished = True
            return Poll(given, self._merge.t_ms(), bye=True, end=True)
        t_ms = self._moved_t_ms()
        return Poll(given, t_ms) if len(given) or t_ms is not None else None

    def _moved_t_ms(self) -> int | None:
        """T, as often in stream time as it is stated live: with tiny polls time entries would be most of the timeline."""
        t_ms = self._merge.t_ms()
        if t_ms is None or (self._t_ms is not None and t_ms < self._t_ms + ASK_EVERY_MS):
            return None
        self._t_ms = t_ms
        return t_ms

    def last(self) -> Given:
        return ((KEY, Poll(Columns(), bye=True)),)

    def snapshot(self) -> dict[str, Any]:
        merge = self._merge
        ended = [name_of(tp) for tp in merge.ended()]
        return {"v": 1, "next": plain(merge.next_offsets()), "reached_ms": plain(merge.reached_ms()), "ended": ended}

    def close(self) -> None:
        self._reader.close()


class TimelineFeed:
    """Values of the timeline's records, shard by shard. `until_end`: ends when the writers of every shard have ended."""

    def __init__(self, reader: Reader, at_most: int, progress: Progress, until_end: bool) -> None:
        self.behind = self.finished = False
        self._reader, self._at_most, self._progress, self._until_end = reader, at_most, progress, until_end

    def take(self) -> Sequence[tuple[str, ShardValues]]:
        if self._until_end and len(self._progress.ended) == len(self._reader.positions):
            self.finished = True
            return ()
        batch = self._reader.poll(self._at_most)
        self.behind = len(batch) >= min(self._at_most, BEHIND)
        shards: dict[int, list[bytes]] = {}
        for partition, value in zip(batch.partitions, batch.values, strict=True):
            shards.setdefault(partition, []).append(value or b"")  # empty cannot be read: the fold says so, with its shard
        return [(str(shard), (shard, values)) for shard, values in shards.items()]

    def last(self) -> Sequence[tuple[str, ShardValues]]:
        return ()

    def snapshot(self) -> dict[str, Any]:
        return {"v": 1, "next": plain(self._reader.positions)}

    def close(self) -> None:
        self._reader.close()
