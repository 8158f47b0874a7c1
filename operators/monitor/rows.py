"""Rows of one shard, vectorised by rounds over instants (law 5): the k-th instant of every patient of the batch at once.

A round closes the earlier instant of its patients (judges their scores), fires what is due, then applies the rows. What is quiet stays in
arrays; only rows beyond a limit, without value, or of a slot where something runs are looked at one by one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import NOT_JUDGED_AFTER_MS
from operators.monitor import judge
from operators.monitor.columns import NEVER
from operators.monitor.instants import close_instants
from operators.monitor.leases import fire_leases
from operators.monitor.people import Index
from operators.monitor.state import State
from operators.monitor.thresholds import set_thresholds
from schemas.codes import ABOVE, BEAT, BELOW, LATE, NO_VALUE, OBSERVED, REPLAYED
from schemas.columns import ROW, Rows
from schemas.identity import cause_reading

# Odd constants of a multiplicative hash: three keys of a slot to one u8 that is looked up in a sorted array.
_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)


class Columns(NamedTuple):
    """The columns that a judgement reads, contiguous, (n,) each. `at` is `received`, lifted above shard time."""

    patient: NDArray[np.uint64]
    device: NDArray[np.uint64]
    t: NDArray[np.int64]
    received: NDArray[np.int64]
    value: NDArray[np.float64]
    code: NDArray[np.uint32]
    flags: NDArray[np.uint32]
    at: NDArray[np.int64]

    def take(self, index: Index | slice) -> Columns:
        """Some of the rows."""
        return Columns._make([column[index] for column in self])


def unseen(state: State, payloads: list[bytes]) -> Rows:
    """Joins records (raw rows) without the rows that an earlier record of their source partition had already (law 4)."""
    rows = np.frombuffer(payloads[0] if len(payloads) == 1 else b"".join(payloads), ROW)
    offset, partition = rows["offset"].astype(np.int64), np.ascontiguousarray(rows["partition"])
    record = np.repeat(np.arange(len(payloads)), [len(x) // ROW.itemsize for x in payloads])
    keep = np.ones(len(rows), np.bool_)
    one = bool((partition == partition[0]).all())
    for p in [int(partition[0])] if one else np.unique(partition).tolist():
        mine = np.arange(len(rows)) if one else np.flatnonzero(partition == p)
        starts = np.flatnonzero(np.concatenate(([True], record[mine][1:] != record[mine][:-1])))
        tops = np.maximum.accumulate(np.concatenate(([state.high.get(p, -1)], np.maximum.reduceat(offset[mine], starts))))
        state.high[p] = int(tops[-1])
        if (np.minimum.reduceat(offset[mine], starts) <= tops[:-1]).any():
            keep[mine] = offset[mine] > np.repeat(tops[:-1], np.diff(np.append(starts, len(mine))))
    return rows if keep.all() else rows[keep]


def apply_rows(state: State, payloads: list[bytes]) -> None:
    """Consecutive R records of the shard, in order."""
    kept = unseen(state, payloads)
    if not len(kept):
        return
    contiguous = [np.ascontiguousarray(kept[name]) for name in Columns._fields[:-1]]
    rows = Columns._make([*contiguous, np.maximum(kept["received"], state.time_ms + 1)])
    slots = _slots_of(state, rows)
    n = state.devices.n
    if len(kept) > 1 and (state.leaving or bool((state.devices.lease_due[:n] <= rows.at.max()).any())):
        for i in range(len(kept)):  # a lease that changes by time inside this batch: row by row, so that each sees its own
            _one_batch(state, rows.take(slice(i, i + 1)), slots[i : i + 1])
        return
    _one_batch(state, rows, slots)


def _one_batch(state: State, rows: Columns, slots: Index) -> None:
    people = state.slots.patient[slots].astype(np.intp)
    order = np.argsort(people, kind="stable")
    p, r = people[order], rows.at[order]
    person_starts = np.empty(len(p), np.bool_)
    person_starts[0] = True
    person_starts[1:] = p[1:] != p[:-1]
    instant_starts = person_starts.copy()
    instant_starts[1:] |= r[1:] != r[:-1]
    number = np.cumsum(instant_starts)
    rank: NDArray[np.int64] = number - np.maximum.accumulate(np.where(person_starts, number, 0))
    rounds = int(rank.max()) + 1
    if rounds == 1:
        _round(state, rows.take(order), slots[order], p)
        return
    by_round = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank, minlength=rounds)).tolist()
    order = order[by_round]
    rows, slots, people = rows.take(order), slots[order], people[order]
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = slice(start, end)
        _round(state, rows.take(part), slots[part], people[part])


def _round(state: State, rows: Columns, slots: Index, people: Index) -> None:
    """One instant of each of some patients; rows of a patient are in order."""
    first = np.empty(len(people), np.bool_)
    first[0] = True
    first[1:] = people[1:] != people[:-1]
    p, at_ms = people[first], rows.at[first]
    close_instants(state, p, at_ms)
    for person in p[state.people.due[p] <= at_ms].tolist():
        judge.fire_score(state, person)
    if len(p) == 1 and (state.leaving or bool((state.devices.lease_due[: state.devices.n] <= at_ms[0]).any())):
        fire_leases(state, int(at_ms[0]), int(p[0]))
    if state.warm:
        state.people.pending[p] = at_ms
    if len(slots) == len(p) or len(np.unique(slots)) == len(slots):
        _apply(state, rows, slots, people)
        return
    # A slot twice in one instant: one row of each patient after the other, so that the order of a patient's rows holds.
    nth = np.arange(len(people)) - np.maximum.accumulate(np.where(first, np.arange(len(people)), 0))
    for k in range(int(nth.max()) + 1):
        one = np.flatnonzero(nth == k)
        _apply(state, rows.take(one), slots[one], people[one])


def _apply(state: State, rows: Columns, slots: Index, people: Index) -> None:
    """Rows of distinct slots, in the order of each patient's rows."""
    if state.warm:
        due = state.slots.due[slots] <= rows.at
        for slot, at_ms in zip(slots[due].tolist(), rows.at[due].tolist(), strict=True):
            judge.fire_limits(state, slot, at_ms)
    devices = state.slots.device[slots].astype(np.intp)
    state.pairs.place(state.slots.pair[slots].astype(np.intp), rows.t)
    bound = state.devices.patient[devices] == people
    held = bound | ((rows.flags & OBSERVED) != 0)
    if not state.warm:
        held |= ~state.devices.known[devices]
    held &= state.people.admitted[people]
    late = ((rows.flags & LATE) != 0) | (rows.t <= state.slots.t[slots])
    _hear(state, rows, devices, np.flatnonzero(bound & held), late)
    chosen = np.flatnonzero(held & ~late & ((rows.flags & BEAT) == 0))
    if len(chosen):
        _newest(state, rows if len(chosen) == len(slots) else rows.take(chosen), slots[chosen])


def _hear(state: State, rows: Columns, devices: Index, bound: Index, late: NDArray[np.bool_]) -> None:
    """Every row and beat of a bound device, late ones too, says that the device lives."""
    table = state.devices
    if not len(bound):
        return
    d, which = np.unique(devices[bound], return_index=True)
    first = bound[which]
    if state.warm:
        loud = table.silent[d] | (table.due[d] <= rows.at[first])
        for device, i in zip(d[loud].tolist(), first[loud].tolist(), strict=True):
            _speaks_again(state, device, rows, i)
    table.hear(d, rows.at[first])
    streaming = table.continuous[devices[bound]]
    running = streaming & (late[bound] | (table.late_since[devices[bound]] != NEVER))
    if state.warm and running.any():
        running = streaming & np.isin(devices[bound], devices[bound][running])
        for i in bound[running].tolist():
            _late_run(state, int(devices[i]), rows, i, not late[i])


def _speaks_again(state: State, device: int, rows: Columns, i: int) -> None:
    if not state.devices.silent[device]:
        judge.fire_silence(state, device)
    state.devices.silent[device] = False
    state.people.dirty[state.devices.patient[device]] = True
    judge.device_recovered(state, state.silent, device, _cause(state, rows, i), int(rows.at[i]))


def _late_run(state: State, device: int, rows: Columns, i: int, on_time: bool) -> None:
    """Rows that were all late for a minute: it looks live and nothing of it is judged. Beats and replayed letters do not count."""
    table, received_ms = state.devices, int(rows.at[i])
    if rows.flags[i] & (BEAT | REPLAYED):
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


def _newest(state: State, rows: Columns, s: Index) -> None:
    """Rows that become the newest of their (distinct) slots."""
    absent = (rows.flags & NO_VALUE) != 0
    value = np.where(absent, np.nan, rows.value)
    table = state.slots
    bounds = (rows.flags & (BELOW | ABOVE)) != 0
    table.take(s, rows.t, rows.at, value, rows.flags, ~bounds)
    if not state.warm:
        return
    watched = table.busy[s] | absent | bounds | (value < table.below[s]) | (value > table.above[s])
    for i in np.flatnonzero(watched).tolist():
        slot, at_ms, cause = int(s[i]), int(rows.at[i]), _cause(state, rows, i)
        judge.signal_row(state, slot, not absent[i], at_ms, cause)
        judge.limit_row(state, slot, float(value[i]), int(rows.flags[i]), at_ms, cause)


def _cause(state: State, rows: Columns, i: int) -> str:
    return cause_reading(state.name(int(rows.device[i])), int(rows.code[i]), int(rows.t[i]), int(rows.received[i]))


def _slots_of(state: State, rows: Columns) -> Index:
    """Slot of each row, found by hash in a sorted array; new ones are made. Beats have slots of code 0."""
    mixed = rows.patient * _A ^ rows.device * _B ^ rows.code.astype(np.uint64) * _C
    found = np.full(len(mixed), -1, np.intp)
    if len(state.sorted_hash):
        place = np.minimum(np.searchsorted(state.sorted_hash, mixed), len(state.sorted_hash) - 1)
        guess = state.sorted_slot[place]
        table = state.slots
        same = (state.sorted_hash[place] == mixed) & (table.code[guess] == rows.code)
        same &= (state.people.key[table.patient[guess]] == rows.patient) & (state.devices.key[table.device[guess]] == rows.device)
        if same.all():
            return np.asarray(guess)
        found[same] = guess[same]
    for i in np.flatnonzero(found < 0).tolist():
        person, device = state.person(int(rows.patient[i])), state.device(int(rows.device[i]))
        before = state.slots.n
        found[i] = state.slot(person, device, int(rows.code[i]))
        if state.slots.n != before:
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
