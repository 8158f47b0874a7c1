"""The answer to a subscription: everything that it shows, and what a viewer who was away has missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway import wire
from gateway.client import Room
from gateway.fold import Fold

KEY_SHARED_MS = 50
"""Viewers who come to a ward within this time share one encoded key (a thousand screens after a restart do)."""
RESUME_MAX_EVENTS, RESUME_MAX_BYTES = 2000, 1 << 20


def position(incarnation: str, offsets: list[int]) -> bytes:
    """`pos`: what a client may resume from when it has had everything up to here."""
    return wire.to_json({"incarnation": incarnation, "offsets": offsets})


class Keys:
    """Makes keys. `beds`: ward -> its beds."""

    def __init__(self, beds: Mapping[str, Sequence[str]]) -> None:
        self._beds = beds
        self._made: dict[tuple[Room, wire.Recovered, bytes], tuple[int, bytes]] = {}

    def forget(self) -> None:
        """The fold has gone on: what was made is old."""
        self._made.clear()

    def key(self, fold: Fold, room: Room, now_ms: int, recovered: wire.Recovered, where: bytes) -> bytes:
        """The key of a room, as a frame. `where`: the position that a client has when it has had this frame and none after it."""
        slot = now_ms // KEY_SHARED_MS
        made = self._made.get((room, recovered, where))
        if made is not None and made[0] == slot:
            return made[1]
        kind, name = room
        here = fold.wards.get(name, set()) if kind == "ward" else {name} & fold.patients.keys()
        patients = sorted((fold.patients[p] for p in here), key=lambda p: (p.frame.bed, p.frame.patient))
        series = ((p.frame.patient, fold.trends.json(p.frame.patient)) for p in patients)
        data = wire.key(
            kind,
            name,
            now_ms,
            fold.times(),
            recovered,
            where,
            [p.json() for p in patients],
            [(patient, medians) for patient, medians in series if medians is not None],
            self._beds.get(name) if kind == "ward" else None,
        )
        self._made[(room, recovered, where)] = (slot, data)
        return data


def missed(fold: Fold, room: Room, offsets: list[int]) -> list[bytes] | None:
    """Every event of the room at or after a position, as frames; None when that is not certain. Never a part of them."""
    held = fold.missed(offsets)
    if held is None:
        return None
    wards = {h.patient: fold.ward_of(h.patient) for h in held}
    if any(h.of_alert and wards[h.patient] is None for h in held):
        return None  # someone was discharged meanwhile: it is no longer known who may see it
    kind, name = room
    frames = [h.frame for h in held if name == (h.patient if kind == "patient" else wards[h.patient])]
    if len(frames) > RESUME_MAX_EVENTS or sum(map(len, frames)) > RESUME_MAX_BYTES:
        return None
    return frames
