"""Re-statement: all current facts once more on the timeline, so that the past stays judgeable when older entries expire (`semantics.md` 8).

At a first start at once; then each time T passes midnight UTC, a few facts a poll. Where it stands is part of the snapshot: a restart goes
on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operators.ingest.attribution import TIMELINE
from operators.ingest.tables import Tables
from schemas.records import Append
from schemas.timeline import Begin, End, Fact, encode_fact
from schemas.topics import DAY_MS, TABLES

FACTS_A_POLL = 200


class Statement:
    """Whether one is under way, which facts are still to come, how many went to each shard."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.day: int | None = None
        """Day of T (since 1970, UTC) of the newest statement."""
        self.id = ""
        """Empty: none is under way."""
        self._last: tuple[int, str] | None = None
        self._counts: list[int] = [0] * shards

    def first(self, name: str, tables: Tables, stamp: int) -> Iterator[Append]:
        """A whole one at once."""
        yield from self._begin(f"first:{name}")
        yield from self._some(tables, stamp, len(tables.order))
        yield from self._end()

    def step(self, t_ms: int | None, tables: Tables, stamp: int) -> Iterator[Append]:
        """What one poll states; `t_ms` = T of the writer. Of several midnights passed at once only the last counts."""
        day = self.day if t_ms is None else t_ms // DAY_MS
        if not self.id and day is not None and self.day is not None and day > self.day:
            yield from self._begin(f"daily:{day * DAY_MS}")
            self.day = day
        elif self.day is None:
            self.day = day
        if self.id:
            yield from self._some(tables, stamp, FACTS_A_POLL)
            if next(tables.after(self._last, 1), None) is None:
                yield from self._end()

    def _begin(self, name: str) -> Iterator[Append]:
        self.id, self._last, self._counts = name, None, [0] * self._shards
        yield from (Append(TIMELINE, shard, encode_fact(Begin(name))) for shard in range(self._shards))

    def _some(self, tables: Tables, stamp: int, count: int) -> Iterator[Append]:
        for place, fact in tables.after(self._last, count):
            self._last = place
            value = encode_fact(Fact(TABLES[place[0]], place[1], fact.partition, fact.version, fact.at, stamp, fact.value))
            for shard in fact.shards:
                self._counts[shard] += 1
                yield Append(TIMELINE, shard, value)

    def _end(self) -> Iterator[Append]:
        yield from (Append(TIMELINE, shard, encode_fact(End(self.id, count))) for shard, count in enumerate(self._counts))
        self.id = ""

    def snapshot(self) -> dict[str, Any]:
        return {"day": self.day, "id": self.id, "last": self._last, "counts": list(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        self.day, self.id, self._counts = state["day"], state["id"], list(state["counts"])
        last = state["last"]
        self._last = None if last is None else (last[0], last[1])
