"""Stream time: all input partitions merged by recorded arrival (`semantics.md` 2). Pure: batches go in, records in their order come out.

A record is given out when every partition has reached its place: the order is a property of the log, whatever the polls were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

from flows.engine.columns import Columns
from schemas.topics import ARRIVAL, INPUTS, MARK
from sinks.log.api import TP, Batch, Headers

Place = tuple[int, int, int, int]
"""(arrival ms, topic in the order of INPUTS, partition, offset): the order of the merge."""
MAX_MS_DIGITS = 13
END = b"end"


@dataclass(slots=True)
class _Waiting:
    """One record that was read and not given out."""

    place: Place
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    mark: bytes | None


@dataclass(slots=True)
class _Partition:
    """`read_ms`, `read_ended`: up to the last record read; `reached_ms`, `ended`: up to `next`, the first record not given out."""

    tp: TP
    rank: int
    next: int
    reached_ms: int | None = None
    ended: bool = False
    read_ms: int | None = None
    read_ended: bool = False
    waiting: deque[_Waiting] = field(default_factory=deque)

    def bound(self) -> Place | None:
        """The least place of what may still be read, while nothing of it waits; None once it has ended."""
        if self.read_ended:
            return None
        return (-1 if self.read_ms is None else self.read_ms, self.rank, self.tp.partition, -1)


class Merge:
    """`push` what was read, `pop` what every partition has reached; `state` and the constructor are each other's inverse."""

    def __init__(self, next_offsets: Mapping[TP, int], reached_ms: Mapping[TP, int] | None = None, ended: Iterable[TP] = ()) -> None:
        """`next_offsets`: of every input partition. `reached_ms`, `ended`: what an earlier run knew of the records below them."""
        known, done = reached_ms or {}, set(ended)
        self._parts = {
            tp: _Partition(tp, INPUTS.index(tp.topic), offset, known.get(tp), tp in done, known.get(tp), tp in done)
            for tp, offset in next_offsets.items()
        }
        self._heads = [part for part in self._parts.values() if part.waiting]
        self._heap: list[tuple[Place, TP]] = []
        self._t_ms: int | None = None

    def push(self, batch: Batch) -> None:
        """Records in order within each partition. What follows a partition's `end` is not of this run and is left alone."""
        for topic, partition, offset, append_ms, key, value, headers in zip(
            batch.topics, batch.partitions, batch.offsets, batch.append_ms, batch.keys, batch.values, batch.headers, strict=True
        ):
            part = self._parts[TP(topic, partition)]
            if part.read_ended:
                continue
            said = dict(headers)
            mark = said.get(MARK)
            # A record without a readable arrival (ingest refuses it), or one that runs back, stands where its partition is.
            arrival = max(_decimal(said.get(ARRIVAL)), part.read_ms or 0)
            part.read_ms = arrival
            part.read_ended = mark == END
            waiting = _Waiting((arrival, part.rank, partition, offset), append_ms, key, value, headers, mark)
            if not part.waiting:
                heappush(self._heap, (waiting.place, part.tp))
            part.waiting.append(waiting)

    def pop(self, at_most: int) -> Columns:
        """The next records that every partition has reached. Marks move their partition and are not given out."""
        out = Columns()
        bounds = [bound for part in self._parts.values() if not part.waiting and (bound := part.bound()) is not None]
        heapify(bounds)
        while self._heap and len(out) < at_most:
            place, tp = self._heap[0]
            if bounds and place > bounds[0]:
                break
            part = self._parts[tp]
            self._give(part, part.waiting.popleft(), out)
            if part.waiting:
                heapreplace(self._heap, (part.waiting[0].place, tp))
                continue
            heappop(self._heap)
            bound = part.bound()
            if bound is not None:
                heappush(bounds, bound)
        return out

    @staticmethod
    def _give(part: _Partition, record: _Waiting, out: Columns) -> None:
        part.next, part.reached_ms = record.place[3] + 1, record.place[0]
        if record.mark is not None:
            part.ended = record.mark == END
            return
        out.topics.append(part.tp.topic)
        out.partitions.append(part.tp.partition)
        out.offsets.append(record.place[3])
        out.append_ms.append(record.append_ms)
        out.keys.append(record.key)
        out.values.append(record.value)
        out.headers.append(record.headers)

    @property
    def waiting(self) -> int:
        """How many records were read and not given out."""
        return sum(len(part.waiting) for part in self._parts.values())

    def t_ms(self) -> int | None:
        """Whatever is given out from now on arrived after this; None while a partition has said nothing. At the end: the end's own time."""
        least: int | None = None
        for part in self._parts.values():
            at = part.waiting[0].place[0] if part.waiting else part.read_ms
            if at is None:
                return None
            if part.ended:
                continue
            least = at - 1 if least is None else min(least, at - 1)
        return self.end_ms() if least is None else least

    def end_ms(self) -> int | None:
        """Arrival of the end marks once everything up to them was given out, else None."""
        if not all(part.ended for part in self._parts.values()):
            return None
        return max((part.reached_ms or 0 for part in self._parts.values()), default=None)

    def next_offsets(self) -> dict[TP, int]:
        """Of each partition: the first record that was not given out."""
        return {part.tp: part.next for part in self._parts.values()}

    def reached_ms(self) -> dict[TP, int]:
        """Arrival of the last record given out of each partition that has one."""
        return {part.tp: part.reached_ms for part in self._parts.values() if part.reached_ms is not None}

    def ended(self) -> list[TP]:
        """Partitions whose end mark was given out."""
        return [part.tp for part in self._parts.values() if part.ended]


def _decimal(text: bytes | None) -> int:
    """Ms in ASCII digits; 0 for anything else."""
    return int(text) if text is not None and text.isdigit() and len(text) <= MAX_MS_DIGITS else 0
