"""Devices of a shard: who they are bound to, when they were last heard, when they become silent.

Arrays are (devices,). Times are ms of the shard. A device that is bound to nobody here has patient -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.monitor.columns import LONG_AGO, NEVER, Table
from schemas.facts import DeviceFact, Lease

NOBODY = -1
MINUTE_MS = 60_000
MINUTES_KEPT = 64
"""Minutes of placed rows that a correction of a binding can still count."""


class Holder(NamedTuple):
    """Who holds a device at a time: the pseudonym or None, and when that may change next (NEVER = not by time)."""

    patient: str | None
    next_ms: int


def holder(fact: DeviceFact | None, at_ms: int) -> Holder:
    """The lease in force at `at_ms`: from <= at < until; of overlapping leases the one that began last, then the last written."""
    if fact is None:
        return Holder(None, NEVER)
    edges = [e for lease in fact.leases for e in (lease.from_ms, lease.until_ms) if e is not None and e > at_ms]
    active = [x for x in fact.leases if x.from_ms <= at_ms and (x.until_ms is None or at_ms < x.until_ms)]
    lease = newest(active)
    return Holder(lease.patient if lease else None, min(edges, default=NEVER))


def newest(leases: Sequence[Lease]) -> Lease | None:
    """The lease that began last; of several the last written."""
    return max(enumerate(leases), key=lambda x: (x[1].from_ms, x[0]))[1] if leases else None


class Devices(Table):
    """`heard`: last row or beat, or the place of the lease; `late_since`: `received` of the first of only late rows (NEVER = none)."""

    SPEC = {
        "key": ("u8", 0, ()),
        "patient": ("i4", NOBODY, ()),
        "known": ("?", False, ()),
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
    }
    key: NDArray[np.uint64]
    patient: NDArray[np.int32]
    known: NDArray[np.bool_]
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

    def bind(self, d: int, patient: int, at_ms: int, patience: int | None) -> None:
        """Bound to a patient of this shard (or NOBODY) from `at_ms` on: waits for its first row from here."""
        self.patient[d] = patient
        self.bound_at[d] = self.heard[d] = at_ms
        self.last[d] = LONG_AGO
        self.silent[d] = self.judged_late[d] = False
        self.late_since[d] = NEVER
        self.patience[d] = NEVER if patience is None or patient == NOBODY else patience
        self.set_due(d, at_ms)

    def set_due(self, d: int, at_ms: int) -> None:
        """When it becomes silent; what a fact at `at_ms` decides is never before the fact."""
        quiet = self.silent[d] or self.patience[d] == NEVER
        self.due[d] = NEVER if quiet else max(int(self.heard[d] + self.patience[d]), at_ms)

    def hear(self, d: NDArray[np.intp], received: NDArray[np.int64]) -> None:
        """Rows or beats of distinct devices that are not silent."""
        self.heard[d] = heard = np.maximum(self.heard[d], received)
        self.last[d] = received
        patience = self.patience[d]
        self.due[d] = np.where(patience == NEVER, NEVER, heard + np.where(patience == NEVER, 0, patience))


class Pairs(Table):
    """A device with a patient that rows named together: rows by minute of t, all of them, for corrections of a binding."""

    SPEC = {
        "device": ("i4", 0, ()),
        "patient": ("i4", 0, ()),
        "minute": ("i8", LONG_AGO, (MINUTES_KEPT,)),
        "placed": ("i8", 0, (MINUTES_KEPT,)),
    }
    device: NDArray[np.int32]
    patient: NDArray[np.int32]
    minute: NDArray[np.int64]
    placed: NDArray[np.int64]

    def place(self, pair: NDArray[np.intp], t: NDArray[np.int64]) -> None:
        """Counts rows."""
        minute = t // MINUTE_MS
        lane = (minute % MINUTES_KEPT).astype(np.intp)
        fresh = self.minute[pair, lane] < minute
        if fresh.any():
            self.minute[pair[fresh], lane[fresh]] = minute[fresh]
            self.placed[pair[fresh], lane[fresh]] = 0
        same = self.minute[pair, lane] == minute
        np.add.at(self.placed, (pair[same], lane[same]), 1)

    def since(self, pair: int, from_ms: int) -> int:
        """Rows in or after the minute of `from_ms`, as far as kept."""
        return int(self.placed[pair][self.minute[pair] >= from_ms // MINUTE_MS].sum())
