"""Writes once a loop tick to each client that has something: a burst of alerts is one write a client, and a calm one waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.client import Client
from gateway.config import Limits
from gateway.metrics import Metrics

SLICE = 500
"""Clients written to before the loop may do something else (about 6 ms)."""


class Flusher:
    """`slow` is called for a client whose buffer is full."""

    def __init__(self, limits: Limits, metrics: Metrics, slow: Callable[[Client], None]) -> None:
        self._limits, self._metrics, self._slow = limits, metrics, slow
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[Client, None] = {}
        self._due = False

    def put(self, client: Client, frame: bytes) -> None:
        """One frame for one client, with the next flush."""
        client.put(frame)
        self.mark(client)

    def mark(self, client: Client) -> None:
        """The client has something to write."""
        self._dirty[client] = None
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        now_s = self._loop.time()
        for client in list(self._dirty)[:SLICE] if len(self._dirty) > SLICE else list(self._dirty):
            del self._dirty[client]
            self._metrics.deliveries += client.queued
            if not client.flush(now_s, self._limits):
                self._slow(client)
        self._due = bool(self._dirty)
        if self._due:
            self._loop.call_soon(self._flush)
