"""Order of arrival, and how seconds of a story become ms of a record."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from operators.sim.items import Draft

START_MS = 1_767_229_200_000
"""Where a recorded run begins unless told otherwise: 2026-01-01 09:00 in Kuala Lumpur."""


class Ticks(NamedTuple):
    """Seconds of the story -> ms of the record. `speed` makes a live ward run faster than its clock."""

    start_ms: int
    speed: float = 1.0

    def ms(self, at_s: float) -> int:
        """The ms of second `at_s`."""
        return self.start_ms + round(at_s * 1000 / self.speed)


def in_order(batches: Iterable[tuple[int, list[Draft]]]) -> Iterator[Draft]:
    """Sorts drafts by arrival; each batch comes with a horizon: no later batch holds an earlier arrival than it. Ties keep their order."""
    heap: list[tuple[int, int, Draft]] = []
    count = 0
    for horizon_ms, drafts in batches:
        for draft in drafts:
            heapq.heappush(heap, (draft.arrival_ms, count, draft))
            count += 1
        while heap and heap[0][0] < horizon_ms:
            yield heapq.heappop(heap)[2]
    while heap:
        yield heapq.heappop(heap)[2]
