"""Who holds a device: leases that change by a fact or by time, and rows that a late lease leaves where they are."""

from __future__ import annotations

import numpy as np

from operators.alerting import episode
from operators.clinical.tables import silent_after_ms
from operators.monitor import judge
from operators.monitor.columns import NEVER
from operators.monitor.devices import NOBODY, holder, newest
from operators.monitor.endings import close_all, end_device, forget_slot
from operators.monitor.instants import close_instant_before
from operators.monitor.state import Leaving, State
from schemas.events import AlertEvent, Evidence
from schemas.facts import DeviceFact
from schemas.identity import cause_deadline, event_id, key64, shard_of


def rebind(state: State, device: int, at_ms: int, cause: str) -> None:
    """The holder at `at_ms`; a change ends what ran for the old one and waits for the first row of the new one."""
    fact = state.device_facts.get(device)
    name, next_ms = holder(fact, at_ms)
    state.devices.lease_due[device] = next_ms
    before = int(state.devices.patient[device])
    after = NOBODY
    if name is not None and shard_of(key64(name)) == state.shard:
        after = state.person(key64(name), name)
    if before == after:
        if after != NOBODY:
            _stays(state, device, after, fact, cause, at_ms)
        return
    if before != NOBODY:
        end_device(state, device, cause, at_ms, "lease ended")
        for slot in [s for s in state.slots_of_device[device] if int(state.slots.patient[s]) == before]:
            forget_slot(state, slot, cause, at_ms, "lease ended")
        close_all(state, before, state.device_name(device), cause, at_ms, "lease ended")
        state.people.dirty[before] = True
    bind(state, device, after, at_ms)


def _stays(state: State, device: int, person: int, fact: DeviceFact | None, cause: str, at_ms: int) -> None:
    """Same holder, maybe another class or interval."""
    patience = silent_after_ms(fact.device_class, fact.interval_ms) if fact and state.people.admitted[person] else None
    state.devices.patience[device] = NEVER if patience is None else patience
    if patience is None and (alert := state.silent.pop(device, None)):
        judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, "no longer expected to stream"))
        state.devices.silent[device] = False
    state.devices.set_due(device, at_ms)


def bind(state: State, device: int, person: int, at_ms: int) -> None:
    """Bound to a patient (or NOBODY) from `at_ms` on; waited for unless the patient is away."""
    fact = state.device_facts.get(device)
    away = person == NOBODY or not state.people.admitted[person]
    patience = None if away or fact is None else silent_after_ms(fact.device_class, fact.interval_ms)
    state.devices.bind(device, person, at_ms, patience)
    if person != NOBODY:
        state.people.dirty[person] = True


def corrected(state: State, device: int, old: DeviceFact | None, new: DeviceFact | None, at_ms: int, cause: str) -> None:
    """A lease that begins before its place: rows stay with whom they were placed with, and that is said, one event a patient."""
    lease, before = newest(new.leases if new else ()), newest(old.leases if old else ())
    if not state.warm or lease is None or (before is not None and (before.patient, before.from_ms) == (lease.patient, lease.from_ms)):
        return
    name = state.device_name(device)
    for (d, person), pair in sorted(state.pair_of.items()):
        patient = state.patient_name(person)
        count = state.pairs.since(pair, lease.from_ms) if d == device and patient != lease.patient else 0
        if count:
            evidence = Evidence(inputs=[{"device": name, "from_ms": lease.from_ms}], count=count, reason="binding corrected")
            id_ = event_id("", "binding_corrected", cause)
            state.events.append(AlertEvent(id_, "binding_corrected", patient, at_ms, cause, 0, evidence=evidence))


def fire_leases(state: State, until_ms: int, person: int) -> None:
    """Lease changes by time up to `until_ms` that concern a patient, in order."""
    table, name = state.devices, state.patient_name(person)
    for leaving in [x for x in state.leaving if x.person == person and x.at_ms <= until_ms]:
        leave(state, leaving)
    while True:
        due = np.flatnonzero(table.lease_due[: table.n] <= until_ms).tolist()
        due = [d for d in due if any(x.patient == name for x in state.device_facts[d].leases)]
        if not due:
            return
        fire_lease(state, min(due, key=lambda d: int(table.lease_due[d])), person)


def leave(state: State, leaving: Leaving) -> None:
    """A lease end that was put off takes effect, at its own time."""
    state.leaving.remove(leaving)
    cause = cause_deadline("lease", leaving.at_ms)
    close_instant_before(state, leaving.person, leaving.at_ms)
    mine = [s for s in state.slots_of_device[leaving.device] if int(state.slots.patient[s]) == leaving.person]
    for slot in mine:
        judge.fire_limits(state, slot, leaving.at_ms - 1)
    for slot in mine:
        forget_slot(state, slot, cause, leaving.at_ms, "lease ended")
    close_all(state, leaving.person, state.device_name(leaving.device), cause, leaving.at_ms, "lease ended")
    state.people.dirty[leaving.person] = True


def _put_off(state: State, device: int, person: int, at_ms: int) -> None:
    """The next holder's row comes first: what the end closes for the old one waits for the old one's next row, or for time.

    The old one may be in another shard, where that row is never seen: what is told must not depend on it.
    """
    if state.devices.due[device] < at_ms:
        judge.fire_silence(state, device)
    state.silent.pop(device, None)
    state.not_judged.pop(device, None)
    state.leaving.append(Leaving(at_ms, device, person))
    bind(state, device, NOBODY, at_ms)


def fire_lease(state: State, device: int, person: int = NOBODY) -> None:
    """The lease of a device changes by time; `person` = whose row made it, NOBODY = time itself."""
    at_ms = int(state.devices.lease_due[device])
    if state.warm:
        before = int(state.devices.patient[device])
        if person != NOBODY and before not in (NOBODY, person):
            _put_off(state, device, before, at_ms)
        elif before != NOBODY:
            close_instant_before(state, before, at_ms)
        holder_now = int(state.devices.patient[device])
        for slot in [s for s in state.slots_of_device[device] if int(state.slots.patient[s]) == holder_now]:
            judge.fire_limits(state, slot, at_ms - 1)
        if state.devices.due[device] < at_ms:
            judge.fire_silence(state, device)
    rebind(state, device, at_ms, cause_deadline("lease", at_ms))
