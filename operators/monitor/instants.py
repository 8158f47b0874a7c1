"""The end of an instant: scores of its patients are judged (law 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import NEWS2_MEDIUM, NEWS2_SINGLE
from operators.monitor import judge
from operators.monitor.columns import LONG_AGO
from operators.monitor.people import Index, Judged
from operators.monitor.state import State


def close_instants(state: State, p: Index, at_ms: NDArray[np.int64]) -> None:
    """Judges the pending instants of these (distinct) patients that differ from `at_ms`."""
    pending = state.people.pending[p]
    ends = (pending != LONG_AGO) & (pending != at_ms)
    if not ends.any():
        return
    p, pending = p[ends], pending[ends]
    state.people.pending[p] = LONG_AGO
    scored = state.people.none[p] == 0
    if not state.warm or not scored.any():
        return
    p, pending = p[scored], pending[scored]
    judged: Judged = state.people.judge(p, pending, state.slots, state.devices.key)
    changed = (state.people.points[p] != judged.points).any(1)
    state.people.points[p], state.people.judged_at[p] = judged.points, pending
    state.people.rescored[p[changed]] = True
    active = state.people.watched[p] | (judged.lower >= NEWS2_MEDIUM) | (judged.points == NEWS2_SINGLE).any(1)
    for row in np.flatnonzero(active).tolist():
        judge.score_instant(state, int(p[row]), judged, row, int(pending[row]))


def close_instant_before(state: State, person: int, at_ms: int) -> None:
    """Judges the pending instant of one patient if it lies before something that happens at `at_ms`."""
    if LONG_AGO < state.people.pending[person] <= at_ms:
        close_instants(state, np.array([person]), np.array([LONG_AGO]))
