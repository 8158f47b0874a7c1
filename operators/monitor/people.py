"""Patients of a shard: who may be scored, their instant that is still open, and NEWS2 judged for many at once.

Arrays are (patients,), parts are (patients, 7) in the order of `tables.PARTS`. Times are ms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import NEWS2_MIN_AGE_YEARS, PARTS
from operators.monitor.columns import LONG_AGO, NEVER, Table
from operators.monitor.slots import MISSING, OXYGEN_PART, SPO2_PART, Slots, ladder
from schemas.facts import PatientFact

Index = NDArray[np.intp]
START_CHOICES = 2
NO_SLOT = -1
WHY_NONE: tuple[str, ...] = ("", "age unknown", "under 16", "pregnant", "discharged")


def why_none(fact: PatientFact | None) -> int:
    """Index into WHY_NONE: why this patient has no NEWS2; 0 = has one (`clinical.md` 1.1)."""
    if fact is None or (fact.state != "discharged" and fact.age_years is None):
        return 1
    if fact.state == "discharged":
        return 4
    if fact.age_years is not None and fact.age_years < NEWS2_MIN_AGE_YEARS:
        return 2
    return 3 if fact.pregnant else 0


class Judged(NamedTuple):
    """Scores of n patients: (n, 7) points (-1 = missing), (n, 7) slots that gave them (-1 = none), (n,) lower bounds, complete."""

    points: NDArray[np.int8]
    slots: NDArray[np.intp]
    lower: NDArray[np.int64]
    complete: NDArray[np.bool_]


class People(Table):
    """`pending`: `received` of the instant not judged yet; `due`: deadline of the NEWS2 hold; `watched`: an episode exists."""

    SPEC = {
        "key": ("u8", 0, ()),
        "none": ("i1", 1, ()),
        "scale_2": ("?", False, ()),
        "admitted": ("?", True, ()),
        "pending": ("i8", LONG_AGO, ()),
        "due": ("i8", NEVER, ()),
        "watched": ("?", False, ()),
        "dirty": ("?", False, ()),
        "rescored": ("?", False, ()),
        "judged_at": ("i8", LONG_AGO, ()),
        "points": ("i1", MISSING, (len(PARTS),)),
        "choices": ("i4", NO_SLOT, (len(PARTS), START_CHOICES)),
    }
    key: NDArray[np.uint64]
    none: NDArray[np.int8]
    scale_2: NDArray[np.bool_]
    admitted: NDArray[np.bool_]
    pending: NDArray[np.int64]
    due: NDArray[np.int64]
    watched: NDArray[np.bool_]
    dirty: NDArray[np.bool_]
    rescored: NDArray[np.bool_]
    judged_at: NDArray[np.int64]
    points: NDArray[np.int8]
    choices: NDArray[np.int32]

    def offer(self, patient: int, part: int, slot: int) -> None:
        """A slot that may give this part."""
        places = np.flatnonzero(self.choices[patient, part] == NO_SLOT)
        if not len(places):
            more = np.full((*self.choices.shape[:2], self.choices.shape[2]), NO_SLOT, np.int32)
            self.choices = np.concatenate([self.choices, more], axis=2)
            places = np.flatnonzero(self.choices[patient, part] == NO_SLOT)
        self.choices[patient, part, places[0]] = slot

    def best_slots(self, p: Index, at_ms: NDArray[np.int64], slots: Slots, device_keys: NDArray[np.uint64]) -> Index:
        """(n, 7): within its age limit, continuous before spot, newest t, least device key, least code."""
        offered = self.choices[p]
        best = np.full(offered.shape[:2], NO_SLOT, np.intp)
        for c in range(offered.shape[2]):
            s = offered[:, :, c].astype(np.intp)
            if c and not (s != NO_SLOT).any():
                break
            age = at_ms[:, None] - slots.t[s]
            valid = (s != NO_SLOT) & ~np.isnan(slots.value[s]) & (age <= slots.age_limit[s])
            if c == 0:
                best = np.where(valid, s, NO_SLOT)
                continue
            contest = valid & (best != NO_SLOT)
            better = valid & (best == NO_SLOT)
            if contest.any():
                kind, kind_best = slots.continuous[s], slots.continuous[best]
                t, t_best = slots.t[s], slots.t[best]
                key, key_best = device_keys[slots.device[s]], device_keys[slots.device[best]]
                lesser = (key < key_best) | ((key == key_best) & (slots.code[s] < slots.code[best]))
                better |= contest & ((kind & ~kind_best) | ((kind == kind_best) & ((t > t_best) | ((t == t_best) & lesser))))
            best = np.where(better, s, best)
        return best

    def judge(self, p: Index, at_ms: NDArray[np.int64], slots: Slots, device_keys: NDArray[np.uint64]) -> Judged:
        """NEWS2 of the patients `p` at the end of their instants. Ages are computed here; they are no deadlines."""
        best = self.best_slots(p, at_ms, slots, device_keys)
        points = np.where(best == NO_SLOT, np.int8(MISSING), slots.points[best]).astype(np.int8)
        second = np.flatnonzero(self.scale_2[p] & (best[:, SPO2_PART] != NO_SLOT))
        if len(second):
            points[second, SPO2_PART] = self._scale_2(slots.rounded[best[second, SPO2_PART]], points[second, OXYGEN_PART])
        known = points != MISSING
        lower = np.where(known, points, 0).sum(1).astype(np.int64)
        return Judged(points, best, lower, known.all(1))

    @staticmethod
    def _scale_2(rounded: NDArray[np.float64], oxygen: NDArray[np.int8]) -> NDArray[np.int8]:
        """SpO2 scale 2; missing where a value above 92 would need to know about oxygen."""
        air, given = ladder("spo2_scale_2_air", rounded), ladder("spo2_scale_2_oxygen", rounded)
        unknown = np.where(air == given, air, np.int8(MISSING))
        return np.where(oxygen == MISSING, unknown, np.where(oxygen > 0, given, air)).astype(np.int8)
