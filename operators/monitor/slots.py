"""Slots (patient, vital, device): newest value, the ring of the last minute, and what a row means for NEWS2.

All arrays are (slots,) or (slots, depth). Times are ms; a slot without any row has t = LONG_AGO.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.clinical.news2 import half_up_array
from operators.clinical.tables import (
    AGE_LIMIT_MS,
    MEDIAN_MAX,
    MEDIAN_WINDOW_MS,
    NEWS2_LADDERS,
    NEWS2_NOT_ALERT_POINTS,
    NEWS2_OXYGEN_POINTS,
    PART_OF,
    PARTS,
    ROOM_AIR_FIO2_PERCENT,
)
from operators.monitor.columns import LONG_AGO, NEVER, Table
from schemas.codes import BY_NAME, BY_NUMBER

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
SPO2_PART = PARTS.index("spo2")
OXYGEN_PART = PARTS.index("oxygen")
MISSING = -1
START_DEPTH = 16
_LADDER_OF_PART = {
    "respiration_rate": "respiration_rate",
    "spo2": "spo2_scale_1",
    "systolic": "systolic",
    "pulse": "pulse",
    "temperature": "temperature",
}


def _ladder_arrays() -> dict[str, tuple[F8, NDArray[np.int8]]]:
    """name -> (upper bounds without the last, points): `points[searchsorted(uppers, value)]`."""
    return {k: (np.array([u for u, _ in v[:-1]]), np.array([p for _, p in v], np.int8)) for k, v in NEWS2_LADDERS.items()}


LADDERS = _ladder_arrays()


def ladder(name: str, values: F8) -> NDArray[np.int8]:
    """Points of rounded values."""
    uppers, points = LADDERS[name]
    return points[np.searchsorted(uppers, values, side="left")]


def age_limit_ms(part: int, continuous: bool) -> int:
    """How old a value may be to count for its part [PROPOSAL, `semantics.md` 7]."""
    name = PARTS[part]
    if name in AGE_LIMIT_MS:
        return AGE_LIMIT_MS[name]
    return AGE_LIMIT_MS["continuous" if continuous else "spot"]


class Slots(Table):
    """See the module. `below`/`above`: a value strictly beyond them may concern a limit; `busy`: something runs or is open here."""

    SPEC = {
        "patient": ("i4", 0, ()),
        "device": ("i4", 0, ()),
        "code": ("u4", 0, ()),
        "pair": ("i4", 0, ()),
        "part": ("i1", MISSING, ()),
        "continuous": ("?", False, ()),
        "age_limit": ("i8", 0, ()),
        "t": ("i8", LONG_AGO, ()),
        "received": ("i8", LONG_AGO, ()),
        "value": ("f8", np.nan, ()),
        "flags": ("u4", 0, ()),
        "last_value": ("f8", np.nan, ()),
        "last_t": ("i8", LONG_AGO, ()),
        "points": ("i1", MISSING, ()),
        "rounded": ("f8", np.nan, ()),
        "below": ("f8", -np.inf, ()),
        "above": ("f8", np.inf, ()),
        "busy": ("?", False, ()),
        "due": ("i8", NEVER, ()),
        "dirty": ("?", False, ()),
        "count": ("i8", 0, ()),
        "ring_t": ("i8", LONG_AGO, (START_DEPTH,)),
        "ring_v": ("f8", np.nan, (START_DEPTH,)),
    }
    patient: NDArray[np.int32]
    device: NDArray[np.int32]
    code: NDArray[np.uint32]
    pair: NDArray[np.int32]
    part: NDArray[np.int8]
    continuous: NDArray[np.bool_]
    age_limit: I8
    t: I8
    received: I8
    value: F8
    flags: NDArray[np.uint32]
    last_value: F8
    last_t: I8
    points: NDArray[np.int8]
    rounded: F8
    below: F8
    above: F8
    busy: NDArray[np.bool_]
    due: I8
    dirty: NDArray[np.bool_]
    count: I8
    ring_t: I8
    ring_v: F8

    def open(self, patient: int, device: int, code: int, continuous: bool) -> int:
        """A fresh slot."""
        s = self.add()
        self.patient[s], self.device[s], self.code[s] = patient, device, code
        vital = BY_NUMBER.get(code)
        part = PART_OF.get(vital.loinc) if vital else None
        self.part[s] = MISSING if part is None else PARTS.index(part)
        self.classify(s, continuous)
        return s

    def classify(self, s: int, continuous: bool) -> None:
        """The class of its device decides its age limit and whether it gives a median."""
        self.continuous[s] = continuous
        if self.part[s] != MISSING:
            self.age_limit[s] = age_limit_ms(int(self.part[s]), continuous)

    def forget(self, s: int) -> None:
        """As if nothing had ever come; the board learns it with the next frame."""
        self.reset(s, "patient", "device", "code", "pair", "part", "continuous", "age_limit", "below", "above")
        self.dirty[s] = True

    def take(self, s: NDArray[np.intp], t: I8, received: I8, value: F8, flags: NDArray[np.uint32], in_median: NDArray[np.bool_]) -> None:
        """Newer rows of distinct slots: moves the newest value, the ring and the points. Without value = NaN: not in the ring."""
        self.t[s], self.received[s], self.value[s], self.flags[s] = t, received, value, flags
        self.dirty[s] = True
        known = ~np.isnan(value)
        k = s if known.all() else s[known]
        self.last_value[k], self.last_t[k] = self.value[k], self.t[k]
        ring = known & in_median
        if ring.any():
            self._push(s[ring], t[ring], value[ring])
        self.rescore(s)

    def rescore(self, s: NDArray[np.intp]) -> None:
        """Points anew: after rows, or when the class of their device has changed."""
        scored = s[self.part[s] != MISSING]
        if len(scored):
            self._score(scored)

    def _push(self, s: NDArray[np.intp], t: I8, value: F8) -> None:
        depth = self.ring_t.shape[1]
        place = self.count[s] % depth
        if depth < MEDIAN_MAX and bool((self.ring_t[s, place] > t - MEDIAN_WINDOW_MS).any()):
            self._deepen(depth * 2)
            return self._push(s, t, value)
        self.ring_t[s, place], self.ring_v[s, place] = t, value
        self.count[s] += 1
        return None

    def _deepen(self, depth: int) -> None:
        """More room for the last minute, for all slots: entries go oldest first to the front."""
        order = np.argsort(self.ring_t, axis=1, kind="stable")
        old_t, old_v = np.take_along_axis(self.ring_t, order, 1), np.take_along_axis(self.ring_v, order, 1)
        filled = np.minimum(self.count, old_t.shape[1])
        new_t = np.full((self.capacity, depth), LONG_AGO, np.int64)
        new_v = np.full((self.capacity, depth), np.nan)
        for s in np.flatnonzero(filled).tolist():
            n = int(filled[s])
            new_t[s, :n], new_v[s, :n] = old_t[s, -n:], old_v[s, -n:]
        self.ring_t, self.ring_v, self.count = new_t, new_v, filled.astype(np.int64)

    def median(self, s: NDArray[np.intp]) -> F8:
        """Median of each slot's rows with t in (newest - 60 s, newest]; NaN when there is none. Newest = of any row, with value or not."""
        live = self.ring_t[s] > (self.t[s] - MEDIAN_WINDOW_MS)[:, None]
        ordered = np.sort(np.where(live, self.ring_v[s], np.inf), axis=1)
        n = live.sum(1)
        lane = np.arange(len(s))
        middle = (ordered[lane, np.maximum(n - 1, 0) // 2] + ordered[lane, np.minimum(n // 2, ordered.shape[1] - 1)]) / 2
        return np.where(n > 0, middle, np.nan)

    def _score(self, s: NDArray[np.intp]) -> None:
        """Points of the newest state of slots that feed a part; SpO2 here on scale 1, scale 2 is decided where the score is judged."""
        part = self.part[s]
        value = self.value[s].copy()
        median = self.continuous[s] & ~np.isnan(value)
        if median.any():
            m = self.median(s[median])
            value[median] = np.where(np.isnan(m), value[median], m)
        rounded = half_up_array(value, part == PARTS.index("temperature"))
        points = np.full(len(s), MISSING, np.int8)
        known = ~np.isnan(value)
        for p, name in enumerate(PARTS):
            rows = known & (part == p)
            if not rows.any():
                continue
            points[rows] = self._points(name, s[rows], value[rows], rounded[rows])
        self.points[s], self.rounded[s] = points, rounded

    def _points(self, part: str, s: NDArray[np.intp], value: F8, rounded: F8) -> NDArray[np.int8]:
        if part in _LADDER_OF_PART:
            return ladder(_LADDER_OF_PART[part], rounded)
        if part == "consciousness":
            return np.where(value > 0, NEWS2_NOT_ALERT_POINTS, 0).astype(np.int8)
        fio2 = self.code[s] == BY_NAME["fio2"].number
        given = np.where(fio2, value > ROOM_AIR_FIO2_PERCENT, value > 0)
        return np.where(given, NEWS2_OXYGEN_POINTS, 0).astype(np.int8)
