"""Devices of a shard: who they are bound to, when they were last heard, when they become silent.

Arrays are (devices,). Times are ms of the shard. A device that is bound to nobody here has patient -1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.monitor.columns import LONG_AGO, NEVER, Table
from schemas.facts import DeviceFact

NOBODY = -1
MINUTE_MS = 60_000
MINUTES_KEPT = 64
"""Minutes of placed rows that a correction of a binding can still count."""


class Holder(NamedTuple):
    """Who holds a device at a time: the pseudonym or None, and when that may change next (NEVER = not by time)."""

    patient: str | None
    next_ms: int


def holder(fact: DeviceFact | None, at_ms: int) -> Holder:
    """The lease in force at `at_ms`: from <= at < until; the latest `from` wins where leases overlap."""
    if fact is None:
        return Holder(None, NEVER)
    edges = [e for lease in fact.leases for e in (lease.from_ms, lease.until_ms) if e is not None and e > at_ms]
    active = [x for x in fact.leases if x.from_ms <= at_ms and (x.until_ms is None or at_ms < x.until_ms)]
    patient = max(active, key=lambda x: x.from_ms).patient if active else None
    return Holder(patient, min(edges, default=NEVER))


def corrected_from_ms(fact: DeviceFact | None, patient: str, at_ms: int) -> int | None:
    """From when on the leases name somebody else (or nobody) than `patient`, looking back from `at_ms`; None = not before `at_ms`.

    `fact` is the new version. With no lease of the patient left, all of the kept past was somebody else's.
    """
    if fact is None:
        return None
    until = [x.until_ms for x in fact.leases if x.patient == patient and x.until_ms is not None and x.from_ms <= at_ms]
    if until:
        return min(max(until), at_ms)
    others = [x.from_ms for x in fact.leases if x.patient != patient and x.from_ms <= at_ms]
    return min(others) if others else None


class Devices(Table):
    """`heard`: last row or beat, or the place of the lease; `late_since`: `received` of the first of only late rows (NEVER = none)."""

    SPEC = {
        "key": ("u8", 0, ()),
        "patient": ("i4", NOBODY, ()),
        "manual": ("?", False, ()),
        "continuous": ("?", False, ()),
        "interval": ("i8", 0, ()),
        "patience": ("i8", NEVER, ()),
        "bound_at": ("i8", LONG_AGO, ()),
        "heard": ("i8", LONG_AGO, ()),
        "last": ("i8", LONG_AGO, ()),
        "silent": ("?", False, ()),
        "due": ("i8", NEVER, ()),
        "lease_due": ("i8", NEVER, ()),
        "late_since": ("i8", NEVER, ()),
        "judged_late": ("?", False, ()),
        "minute": ("i8", LONG_AGO, (MINUTES_KEPT,)),
        "placed": ("i8", 0, (MINUTES_KEPT,)),
    }
    key: NDArray[np.uint64]
    patient: NDArray[np.int32]
    manual: NDArray[np.bool_]
    continuous: NDArray[np.bool_]
    interval: NDArray[np.int64]
    patience: NDArray[np.int64]
    bound_at: NDArray[np.int64]
    heard: NDArray[np.int64]
    last: NDArray[np.int64]
    silent: NDArray[np.bool_]
    due: NDArray[np.int64]
    lease_due: NDArray[np.int64]
    late_since: NDArray[np.int64]
    judged_late: NDArray[np.bool_]
    minute: NDArray[np.int64]
    placed: NDArray[np.int64]

    def bind(self, d: int, patient: int, at_ms: int, patience: int | None) -> None:
        """Bound to a patient of this shard (or NOBODY) from `at_ms` on: waits for its first row from here."""
        self.patient[d] = patient
        self.bound_at[d] = self.heard[d] = at_ms
        self.last[d] = LONG_AGO
        self.silent[d] = self.judged_late[d] = False
        self.late_since[d] = NEVER
        self.minute[d], self.placed[d] = LONG_AGO, 0
        self.patience[d] = NEVER if patience is None or patient == NOBODY else patience
        self.set_due(d)

    def set_due(self, d: int) -> None:
        """When it becomes silent."""
        quiet = self.silent[d] or self.patience[d] == NEVER
        self.due[d] = NEVER if quiet else self.heard[d] + self.patience[d]

    def hear(self, d: NDArray[np.intp], received: NDArray[np.int64]) -> None:
        """Rows or beats of distinct devices that are not silent."""
        self.heard[d] = self.last[d] = received
        patience = self.patience[d]
        self.due[d] = np.where(patience == NEVER, NEVER, received + np.where(patience == NEVER, 0, patience))

    def place(self, d: NDArray[np.intp], t: NDArray[np.int64]) -> None:
        """Counts rows by the minute of t, for corrections of a binding."""
        minute = t // MINUTE_MS
        lane = (minute % MINUTES_KEPT).astype(np.intp)
        fresh = self.minute[d, lane] < minute
        if fresh.any():
            self.minute[d[fresh], lane[fresh]] = minute[fresh]
            self.placed[d[fresh], lane[fresh]] = 0
        same = self.minute[d, lane] == minute
        np.add.at(self.placed, (d[same], lane[same]), 1)

    def placed_since(self, d: int, from_ms: int) -> int:
        """Rows placed in or after the minute of `from_ms`, as far as kept."""
        return int(self.placed[d][self.minute[d] >= from_ms // MINUTE_MS].sum())
