"""One shard in the gateway's fold: its time, its open alerts, and what was told already."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gateway.ring import Ring
from schemas.events import AlertEvent, AlertState, Evidence, LiveFrame
from schemas.identity import cause_deadline, event_id

FOLD_LOST = "fold lost"
SKEW_MS = 15_000
"""By how much `alerts` may be appended after the `live` frames of the same shard time, at most."""
ROUNDS = 2
"""Rounds after which `alerts` has certainly been read beyond the moment of a key-frame. A round ends when everything that `alerts` held
when it began has been read, and the next begins; so the second one after a key-frame began after it."""
REMEMBER_MS = 15 * 60_000
"""How long (append time) a closed alert, an answered command and a departed patient are remembered."""


@dataclass
class Open:
    """An alert that is not closed."""

    state: AlertState
    at_ms: int
    """Time of its last event, or of the key-frame that told of it."""
    missing: int | None = None
    """Round in which a key-frame first did not list it."""
    unseen: int | None = None
    """Round in which a key-frame told of it, whose event has not come yet: viewers do not know of it."""


class Shard:
    """Times and alerts of one shard."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.time_ms = 0
        self.keyed = False
        self.parts: dict[int, LiveFrame] = {}
        self.after: list[LiveFrame] = []
        self.open: dict[str, Open] = {}
        self.told: dict[str, int] = {}
        """Alert -> highest event number that came on `alerts`."""
        self.ids: set[str] = set()
        """Ids of events that change no alert: they have no number of their own (a refusal names the alert that it could not change)."""
        self.forget: deque[tuple[int, str]] = deque()
        """(append time, alert or event id) of what is over."""
        self.stated: deque[tuple[int, int]] = deque()
        """(append time, shard time) of `live`, of the last minute."""

    @property
    def newest_append_ms(self) -> int:
        """When `live` last moved this shard's time; 0 = never."""
        return self.stated[-1][0] if self.stated else 0

    def state_time(self, append_ms: int, time_ms: int) -> None:
        """The shard time that `live` stated at `append_ms`."""
        self.time_ms = time_ms
        self.stated.append((append_ms, time_ms))
        while len(self.stated) > 1 and self.stated[1][0] < append_ms - 4 * SKEW_MS:
            self.stated.popleft()

    def is_history(self, event: AlertEvent, append_ms: int) -> bool:
        """True for an event of a time that had been passed long before it was appended."""
        for stated_ms, time_ms in reversed(self.stated):
            if stated_ms < append_ms - SKEW_MS:
                return event.at_ms <= time_ms
        return False

    def is_repeat(self, event: AlertEvent) -> bool:
        """True for what was told already."""
        if event.alert is None or event.state is None:
            return event.id in self.ids
        return event.seq <= self.told.get(event.alert, 0)

    def tell(self, event: AlertEvent, append_ms: int) -> None:
        """Remembers an event as told."""
        if event.alert is None or event.state is None:
            self.ids.add(event.id)
            self.forget.append((append_ms, event.id))
        else:
            self.told[event.alert] = event.seq
            if event.state.status == "closed":
                self.forget.append((append_ms, event.alert))
        while self.forget and self.forget[0][0] < append_ms - REMEMBER_MS:
            name = self.forget.popleft()[1]
            self.ids.discard(name)
            if name not in self.open:
                self.told.pop(name, None)


def lost_event(state: AlertState, time_ms: int) -> AlertEvent:
    """The end of an alert that the fold behind it has forgotten. `state` is closed already."""
    cause = cause_deadline("fold_lost", time_ms)
    return AlertEvent(
        id=event_id(state.alert, "closed", cause),
        transition="closed",
        patient=state.patient,
        at_ms=time_ms,
        cause=cause,
        seq=state.seq,
        alert=state.alert,
        state=state,
        evidence=Evidence(reason=FOLD_LOST),
    )
