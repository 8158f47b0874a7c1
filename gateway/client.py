"""One client: what is ready to be written, how much it has not taken, and when it counts as slow.

No task and no queue a client: `put` collects, the hub flushes each client once a loop tick, and nobody waits for a client.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from gateway import wire
from gateway.auth import Claims
from gateway.config import Limits

BEHIND_BYTES, CAUGHT_UP_BYTES = 16384, 4096
"""Unsent bytes above which newest values are kept back, and below which they go out."""
KEY_GRACE_S = 30.0
"""Age allowed while a key (hundreds of KB) is on its way."""

Room = tuple[wire.Kind, str]


class Line(Protocol):
    """The way to one client."""

    @property
    def usable(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    def unsent_bytes(self) -> int: ...
    def close(self, code: int, reason: str) -> None: ...
    async def finish(self) -> None: ...


class Client:
    """A connection after sign-in. `room` None = nothing subscribed yet."""

    __slots__ = ("_key_bytes", "_marks", "_out", "_written", "claims", "closed", "grace_bytes", "held", "line", "resume", "room", "waiting")

    def __init__(self, line: Line, claims: Claims) -> None:
        self.line = line
        self.claims = claims
        self.room: Room | None = None
        self.resume: tuple[str, list[int]] | None = None
        """Position that the pending or interrupted subscription goes on from."""
        self.waiting = False
        """Subscribed, and the key is still to come."""
        self.held: set[str] = set()
        """Patients whose newest values wait until this client has caught up."""
        self.closed = False
        self.grace_bytes = 0
        """Bytes of keys on their way."""
        self._key_bytes = 0
        self._out: list[bytes] = []
        self._written = 0
        self._marks: deque[tuple[int, float]] = deque()

    def put(self, frame: bytes) -> None:
        """Adds a frame for the next flush."""
        self._out.append(frame)

    def put_key(self, frames: list[bytes]) -> None:
        """Adds a key and what follows it: large, so the bound does not count it until it is taken."""
        self._out += frames
        self._key_bytes += sum(map(len, frames))
        self.held.clear()

    @property
    def queued(self) -> int:
        """Frames put since the last flush."""
        return len(self._out)

    def flush(self, now_s: float, limits: Limits) -> bool:
        """Writes what was put, in one piece; False when the client is too slow and must go."""
        if self.closed or not self._out or not self.line.usable:
            self._out.clear()
            return True
        unsent = self._unsent()
        self.grace_bytes, self._key_bytes = self.grace_bytes + self._key_bytes, 0
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        if unsent and unsent + len(data) > limits.buffered_bytes + self.grace_bytes:
            return False
        self.line.write(data)
        self._written += len(data)
        self._marks.append((self._written, now_s))
        return True

    def _unsent(self) -> int:
        """Bytes that the kernel has not taken; forgets the marks of those that it has."""
        unsent = self.line.unsent_bytes()
        sent = self._written - unsent
        while self._marks and self._marks[0][0] <= sent:
            self._marks.popleft()
        if unsent <= BEHIND_BYTES:
            self.grace_bytes = 0
        return unsent

    def is_slow(self, now_s: float, limits: Limits) -> bool:
        """The oldest unsent byte is too old."""
        self._unsent()
        allowed_s = KEY_GRACE_S if self.grace_bytes else limits.unsent_s
        return bool(self._marks) and now_s - self._marks[0][1] > allowed_s

    def unsent_bytes(self) -> int:
        """Bytes written and put that the kernel has not taken."""
        return self.line.unsent_bytes() + sum(map(len, self._out))

    @property
    def behind(self) -> bool:
        """Newest values wait: an alert must not queue behind old numbers."""
        return bool(self.held) or self.line.unsent_bytes() > BEHIND_BYTES

    @property
    def caught_up(self) -> bool:
        """What was kept back may go out."""
        return self.line.unsent_bytes() <= CAUGHT_UP_BYTES

    def close(self, code: int, reason: str, now_s: float, limits: Limits) -> None:
        """Writes what is left, if it may, then says why and closes. Waits for nobody."""
        if self.closed:
            return
        if self._out and code != wire.SLOW:
            self.flush(now_s, limits)
        self._out.clear()
        self.closed = True
        self.line.close(code, reason)
