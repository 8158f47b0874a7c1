"""The last alert events of a shard, encoded, so that a client that was cut off gets what it missed - or is told that it cannot."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Held(NamedTuple):
    """One event: where it lies on the log, whom it concerns, its websocket frame."""

    offset: int
    patient: str
    of_alert: bool
    """False for what changed no alert: an answer to a command."""
    frame: bytes


class Ring:
    """Events of one shard. It holds every event from offset `start` up to `next`, or says so by a later `start`."""

    def __init__(self, start: int, max_events: int, max_bytes: int) -> None:
        self.start = start
        self.next = start
        self.bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._held: deque[Held] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def advance(self, offset: int) -> bool:
        """The log was read up to and with `offset`; False when it had been already."""
        if offset < self.next:
            return False
        self.next = offset + 1
        return True

    def append(self, held: Held) -> None:
        """Keeps an event whose offset `advance` took; the oldest make room."""
        self._held.append(held)
        self.bytes += len(held.frame)
        while len(self._held) > self._max_events or self.bytes > self._max_bytes:
            oldest = self._held.popleft()
            self.bytes -= len(oldest.frame)
            self.start = oldest.offset + 1

    def since(self, offset: int) -> list[Held] | None:
        """All events at or after `offset`, oldest first; None when some of them are gone or `offset` was never given out."""
        if not self.start <= offset <= self.next:
            return None
        missed: list[Held] = []
        for held in reversed(self._held):
            if held.offset < offset:
                break
            missed.append(held)
        missed.reverse()
        return missed
