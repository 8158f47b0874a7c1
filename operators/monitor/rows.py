"""Rows of one shard, vectorised by rounds over instants (law 5): the k-th instant of every patient of the batch at once.

A round closes the earlier instant of its patients (judges their scores), fires what is due, then applies the rows. What is quiet stays in
arrays; only rows beyond a limit, without value, or of a slot where something runs are looked at one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import NOT_JUDGED_AFTER_MS
from operators.monitor import judge
from operators.monitor.columns import LONG_AGO, NEVER
from operators.monitor.devices import NOBODY
from operators.monitor.facts import fire_leases
from operators.monitor.people import Index, Judged
from operators.monitor.state import State
from schemas.codes import ABOVE, BEAT, BELOW, LATE, NO_VALUE, OBSERVED
from schemas.columns import Rows
from schemas.identity import cause_reading

# Odd constants of a multiplicative hash: three keys of a slot to one u8 that is looked up in a sorted array.
_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)


def unseen(state: State, records: list[Rows]) -> Rows:
    """Joins the records without the rows that an earlier record of their source partition had already (law 4)."""
    high = state.high
    kept: list[Rows] = []
    for rows in records:
        partition = rows["partition"]
        first = int(partition[0])
        if (partition == first).all():
            top = int(rows["offset"].max())
            if int(rows["offset"].min()) > high.get(first, -1):
                kept.append(rows)
            elif (keep := rows["offset"].astype(np.int64) > high.get(first, -1)).any():
                kept.append(rows[keep])
            high[first] = max(top, high.get(first, -1))
            continue
        offset = rows["offset"].astype(np.int64)
        before = {p: high.get(p, -1) for p in np.unique(partition).tolist()}
        keep = offset > np.array([before[p] for p in partition.tolist()], np.int64)
        for p in before:
            high[p] = max(before[p], int(offset[partition == p].max()))
        kept.append(rows if keep.all() else rows[keep])
    if not kept:
        return np.zeros(0, records[0].dtype)
    return kept[0] if len(kept) == 1 else np.concatenate(kept)


def apply_rows(state: State, records: list[Rows]) -> None:
    """Consecutive R records of the shard, in order."""
    rows = unseen(state, records)
    if not len(rows):
        return
    received = np.maximum(rows["received"], state.time_ms + 1)
    slots = _slots_of(state, rows)
    n = state.devices.n
    if len(rows) > 1 and bool((state.devices.lease_due[:n] <= received.max()).any()):
        for i in range(len(rows)):  # a lease that changes by time inside this batch: row by row, so that each sees its own
            _one_batch(state, rows[i : i + 1], received[i : i + 1], slots[i : i + 1])
        return
    _one_batch(state, rows, received, slots)


def _one_batch(state: State, rows: Rows, received: NDArray[np.int64], slots: Index) -> None:
    people = state.slots.patient[slots].astype(np.intp)
    if len(rows) == 1 and bool((state.devices.lease_due[: state.devices.n] <= received[0]).any()):
        fire_leases(state, int(received[0]), int(people[0]), int(state.slots.device[slots[0]]))
    order = np.argsort(people, kind="stable")
    p, r = people[order], received[order]
    person_starts = np.empty(len(p), np.bool_)
    person_starts[0] = True
    person_starts[1:] = p[1:] != p[:-1]
    instant_starts = person_starts.copy()
    instant_starts[1:] |= r[1:] != r[:-1]
    number = np.cumsum(instant_starts)
    rank = number - np.maximum.accumulate(np.where(person_starts, number, 0))
    rounds = int(rank.max()) + 1
    for k in range(rounds):
        chosen = order if rounds == 1 else order[rank == k]
        _round(state, rows[chosen], received[chosen], slots[chosen], people[chosen])


def _round(state: State, rows: Rows, received: NDArray[np.int64], slots: Index, people: Index) -> None:
    """One instant of each of some patients; rows of a patient are in order."""
    first = np.empty(len(people), np.bool_)
    first[0] = True
    first[1:] = people[1:] != people[:-1]
    p, at_ms = people[first], received[first]
    close_instants(state, p, at_ms)
    due = p[state.people.due[p] <= at_ms]
    for person in due.tolist():
        judge.fire_score(state, person)
    state.people.pending[p] = at_ms
    flags = rows["flags"]
    devices = state.slots.device[slots].astype(np.intp)
    held = (state.devices.patient[devices] == people) | ((flags & OBSERVED) != 0)
    held &= state.people.admitted[people]
    on_time = (flags & (LATE | BEAT)) == 0
    _hear(state, rows, received, devices, held, on_time)
    _newer(state, rows, received, slots, held & on_time)


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
    state.people.dirty[p[changed]] = True
    active = state.people.watched[p] | (judged.lower >= judge.NEWS2_MEDIUM) | (judged.points == judge.NEWS2_SINGLE).any(1)
    for row in np.flatnonzero(active).tolist():
        judge.score_instant(state, int(p[row]), judged, row, int(pending[row]))


def _hear(
    state: State, rows: Rows, received: NDArray[np.int64], devices: Index, held: NDArray[np.bool_], on_time: NDArray[np.bool_]
) -> None:
    """Every row and beat of a bound device, late ones too, says that the device lives."""
    table = state.devices
    bound = np.flatnonzero(held)
    if not len(bound):
        return
    d, which = np.unique(devices[bound], return_index=True)
    first = bound[which]
    if state.warm:
        loud = table.silent[d] | (table.due[d] <= received[first])
        for device, i in zip(d[loud].tolist(), first[loud].tolist(), strict=True):
            _speaks_again(state, device, rows, i, int(received[i]))
    table.hear(d, received[first])
    table.place(devices[bound], rows["t"][bound])
    streaming = table.continuous[devices[bound]]
    late = (rows["flags"][bound] & LATE) != 0
    running = streaming & (late | (table.late_since[devices[bound]] != NEVER))
    if state.warm and running.any():
        running = streaming & np.isin(devices[bound], devices[bound][running])
        for i in bound[running].tolist():
            _late_run(state, int(devices[i]), rows, i, int(received[i]), bool(on_time[i]))


def _speaks_again(state: State, device: int, rows: Rows, i: int, received_ms: int) -> None:
    if not state.devices.silent[device]:
        judge.fire_silence(state, device)
    state.devices.silent[device] = False
    state.people.dirty[state.devices.patient[device]] = True
    judge.device_recovered(state, state.silent, device, _cause(state, rows, i), received_ms)


def _late_run(state: State, device: int, rows: Rows, i: int, received_ms: int, on_time: bool) -> None:
    """Rows that were all late for a minute: the device looks live and nothing of it is judged. Beats say nothing about its clock."""
    table, flags = state.devices, int(rows["flags"][i])
    if flags & BEAT:
        return
    if on_time:
        table.late_since[device] = NEVER
        if table.judged_late[device]:
            table.judged_late[device] = False
            judge.device_recovered(state, state.not_judged, device, _cause(state, rows, i), received_ms)
    elif table.late_since[device] == NEVER:
        table.late_since[device] = received_ms
    elif not table.judged_late[device] and received_ms - int(table.late_since[device]) >= NOT_JUDGED_AFTER_MS:
        table.judged_late[device] = True
        cause = _cause(state, rows, i)
        state.not_judged[device] = judge.device_alert(state, "not_judged", device, cause, received_ms, "clock or link")


def _newer(state: State, rows: Rows, received: NDArray[np.int64], slots: Index, judged: NDArray[np.bool_]) -> None:
    """On-time rows of bound devices; several rows of one slot in an instant go one after the other."""
    left = np.flatnonzero(judged)
    while len(left):
        s = slots[left]
        _u, which = np.unique(s, return_index=True)
        now = left if len(which) == len(left) else left[np.sort(which)]
        _apply(state, rows, received, slots, now)
        if len(now) == len(left):
            return
        left = np.setdiff1d(left, now, assume_unique=True)


def _apply(state: State, rows: Rows, received: NDArray[np.int64], slots: Index, chosen: Index) -> None:
    """Rows of distinct slots."""
    chosen = chosen[rows["t"][chosen] > state.slots.t[slots[chosen]]]
    if not len(chosen):
        return
    s, flags, r = slots[chosen], rows["flags"][chosen], received[chosen]
    absent = (flags & NO_VALUE) != 0
    value = np.where(absent, np.nan, rows["value"][chosen])
    if state.warm:
        for slot, at_ms in zip(*(x[state.slots.due[s] <= r].tolist() for x in (s, r)), strict=True):
            judge.fire_limits(state, slot, at_ms)
    state.slots.take(s, rows["t"][chosen], r, value, flags, (flags & (BELOW | ABOVE)) == 0)
    if not state.warm:
        return
    table = state.slots
    watched = table.busy[s] | absent | (value < table.below[s]) | (value > table.above[s])
    for j in np.flatnonzero(watched).tolist():
        slot, at_ms, cause = int(s[j]), int(r[j]), _cause(state, rows, int(chosen[j]))
        judge.signal_row(state, slot, not absent[j], at_ms, cause)
        judge.limit_row(state, slot, float(value[j]), at_ms, cause)


def _cause(state: State, rows: Rows, i: int) -> str:
    row = rows[i]
    return cause_reading(state.name(int(row["device"])), int(row["code"]), int(row["t"]), int(row["received"]))


def _slots_of(state: State, rows: Rows) -> Index:
    """Slot of each row, found by hash in a sorted array; new ones are made. Beats have slots of code 0."""
    mixed = rows["patient"] * _A ^ rows["device"] * _B ^ rows["code"].astype(np.uint64) * _C
    found = np.full(len(rows), -1, np.intp)
    if len(state.sorted_hash):
        place = np.minimum(np.searchsorted(state.sorted_hash, mixed), len(state.sorted_hash) - 1)
        guess = state.sorted_slot[place]
        table = state.slots
        same = (state.sorted_hash[place] == mixed) & (table.code[guess] == rows["code"])
        same &= (state.people.key[table.patient[guess]] == rows["patient"]) & (state.devices.key[table.device[guess]] == rows["device"])
        found[same] = guess[same]
    for i in np.flatnonzero(found < 0).tolist():
        row = rows[i]
        person, device = state.person(int(row["patient"])), state.device(int(row["device"]))
        before = state.slots.n
        found[i] = state.slot(person, device, int(row["code"]))
        if state.slots.n != before:
            from operators.monitor.facts import set_thresholds

            set_thresholds(state, int(found[i]))
    if state.hashed != state.slots.n:
        _rehash(state)
    return found


def _rehash(state: State) -> None:
    n, table = state.slots.n, state.slots
    patient, device = state.people.key[table.patient[:n]], state.devices.key[table.device[:n]]
    mixed = patient * _A ^ device * _B ^ table.code[:n].astype(np.uint64) * _C
    order = np.argsort(mixed, kind="stable")
    state.sorted_hash, state.sorted_slot, state.hashed = mixed[order], order, n


__all__ = ["NOBODY", "apply_rows", "close_instants", "unseen"]
