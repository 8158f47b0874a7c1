"""How the gateway is: what `/health` says, and whether viewers may be served yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from gateway.fold import Fold

KEY_WAIT_MS = 12_000
"""A key-frame comes each 10 s; a shard that has none by then is shown as waiting."""
STALE_MS = 10_000
"""Shard time older than this is not live."""


class FeedState(NamedTuple):
    """What the reading thread knows."""

    caught_up: bool = False
    """Everything that the log held at the start has been read."""
    lag: int = 0
    """Records between the position and the end last heard of."""
    rounds: int = 0
    """How often everything that `alerts` held when it was asked has been read."""
    error: str = ""
    """Why the log is not being read, in one word; empty = it is."""


class Status:
    """Phases: starting (clients wait) -> waiting (some shard has no key-frame) -> ready."""

    def __init__(self, clock: Literal["live", "stream"]) -> None:
        self.phase: Literal["starting", "waiting", "ready"] = "starting"
        self.incarnation = ""
        self.draining = False
        self.feed = FeedState()
        self._stream = clock == "stream"
        self._began_ms = 0

    @property
    def serving(self) -> bool:
        """Keys may be given out."""
        return self.phase != "starting"

    def begin(self, incarnation: str, now_ms: int) -> None:
        """A new reading of the log starts."""
        self.phase, self.incarnation, self._began_ms, self.feed = "starting", incarnation, now_ms, FeedState()

    def seen(self, feed: FeedState, fold: Fold, now_ms: int) -> None:
        """The feed has gone on."""
        self.feed = feed
        if fold.shards and feed.caught_up:
            if fold.keyed():
                self.phase = "ready"
            elif self.phase == "starting" and now_ms - self._began_ms >= KEY_WAIT_MS:
                self.phase = "waiting"

    def waited(self, fold: Fold, now_ms: int) -> bool:
        """True when the wait for key-frames has just ended without them."""
        return bool(fold.shards) and not self.serving and self.feed.caught_up and now_ms - self._began_ms >= KEY_WAIT_MS

    def now_ms(self, clock_ms: int, times: Mapping[int, int]) -> int:
        """Now for viewers: in a replay the newest shard time."""
        return max(times.values(), default=clock_ms) if self._stream else clock_ms

    def shard_age_ms(self, fold: Fold, clock_ms: int) -> int | None:
        """Age of the oldest shard time (in a replay: of its last move); None before the first key-frame."""
        if self._stream:
            newest = max((s.newest_append_ms for s in fold.shards), default=0)
            return max(0, clock_ms - newest) if newest else None
        times = fold.times()
        return max(0, clock_ms - min(times.values())) if times else None

    def health(self, fold: Fold, clock_ms: int, clients: int) -> tuple[int, dict[str, object]]:
        """(HTTP status, answer): 503 while not ready, while shard time stands still, and when leaving."""
        age = self.shard_age_ms(fold, clock_ms)
        live = age is not None and age <= STALE_MS
        ready = self.phase == "ready" and live and not self.draining and not self.feed.error
        return (200 if ready else 503), {
            "ready": ready,
            "state": "draining" if self.draining else self.phase,
            "shard_age_ms": age,
            "clients": clients,
            "lag": self.feed.lag,
            "log": self.feed.error or "ok",
        }
