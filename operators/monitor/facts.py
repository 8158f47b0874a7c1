"""Facts on a shard: which are news, and what patients, devices and site settings change.

A fact takes effect at its place on the timeline. Before it is applied the shard has advanced to the time that the fact proves (`core.py`).
"""

from __future__ import annotations

import msgspec
import numpy as np

from operators.monitor import judge
from operators.monitor.columns import LONG_AGO
from operators.monitor.commands import apply_command
from operators.monitor.endings import end_score, forget_person
from operators.monitor.leases import bind, corrected, rebind
from operators.monitor.people import why_none
from operators.monitor.state import State, Versioned, is_continuous
from operators.monitor.thresholds import limits_before, limits_changed
from schemas.facts import DeviceFact, PatientFact, RuleFact, manual_device
from schemas.identity import cause_fact, key64
from schemas.timeline import Fact


def warm_up(state: State) -> None:
    """A whole statement was read: what was taken of devices that nobody named since is forgotten."""
    state.warm = True
    slots = state.slots
    for slot in range(slots.n):
        device = int(slots.device[slot])
        manual = state.device_name(device).startswith(manual_device(""))
        if not manual and state.devices.patient[device] != slots.patient[slot] and slots.t[slot] != LONG_AGO:
            slots.forget(slot)
    for device in np.flatnonzero(state.devices.due[: state.devices.n] <= state.time_ms).tolist():
        judge.fire_silence(state, device)


def is_news(state: State, fact: Fact) -> bool:
    """A table fact that is newer than what is known; a command that was not seen yet."""
    if fact.topic == "alert-commands":
        return fact.version > state.high_command.get(fact.partition, -1)
    known = state.facts.get((fact.topic, fact.key))
    return known is None or fact.version > known.version


def apply_fact(state: State, fact: Fact, at_ms: int) -> None:
    """A newer fact, with its effective time."""
    if fact.topic == "alert-commands":
        state.high_command[fact.partition] = fact.version
        apply_command(state, fact, at_ms)
        return
    state.facts[fact.topic, fact.key] = Versioned(fact.version, fact.value)
    if fact.topic == "patients":
        _patient(state, fact, at_ms)
    elif fact.topic == "devices":
        _device(state, fact, at_ms)
    elif fact.topic == "rules" and fact.key == "limits":
        before = limits_before(state, range(state.slots.n))
        state.site = None if fact.value is None else msgspec.json.decode(fact.value, type=RuleFact)
        cause = cause_fact("rules", fact.key, state.site.revision if state.site else "")
        for slot in range(state.slots.n):
            limits_changed(state, slot, before, cause, at_ms)


def _patient(state: State, fact: Fact, at_ms: int) -> None:
    person = state.person(key64(fact.key), fact.key)
    old = state.patients.get(person)
    new = None if fact.value is None else msgspec.json.decode(fact.value, type=PatientFact)
    cause = cause_fact("patients", fact.key, new.revision if new else "")
    leaves = new is None or new.state == "discharged"
    forgets = leaves or (old is not None and new is not None and new.admission != old.admission)
    if forgets:
        forget_person(state, person, cause, at_ms, "discharged" if leaves else "new admission")
    before = limits_before(state, state.slots_of_person[person])
    if new is None:
        state.patients.pop(person, None)
    else:
        state.patients[person] = new
    people = state.people
    asleep = not people.admitted[person] or forgets
    people.admitted[person] = not leaves
    people.none[person] = why_none(new) if new is not None else 4
    people.scale_2[person] = new is not None and new.spo2_scale_2
    people.dirty[person] = True
    if people.none[person] and person in state.scores:
        end_score(state, person, cause, at_ms, "no longer scored")
    for slot in state.slots_of_person[person]:
        limits_changed(state, slot, before, cause, at_ms)
    if asleep and not leaves:
        _awaken(state, person, at_ms)


def _awaken(state: State, person: int, at_ms: int) -> None:
    """Devices that are bound to a patient who was away are waited for from now on."""
    for device in np.flatnonzero(state.devices.patient[: state.devices.n] == person).tolist():
        heard = int(state.devices.heard[device])
        bind(state, device, person, at_ms)
        state.devices.heard[device] = max(heard, at_ms)
        state.devices.set_due(device, at_ms)


def _device(state: State, fact: Fact, at_ms: int) -> None:
    device = state.device(key64(fact.key), fact.key)
    new = None if fact.value is None else msgspec.json.decode(fact.value, type=DeviceFact)
    old = state.device_facts.get(device)
    if new is None:
        state.device_facts.pop(device, None)
    else:
        state.device_facts[device] = new
        for lease in new.leases:
            state.names.setdefault(key64(lease.patient), lease.patient)
    table = state.devices
    table.known[device] = new is not None
    table.continuous[device] = new is not None and is_continuous(new.device_class)
    table.interval[device] = new.interval_ms if new else 0
    for slot in state.slots_of_device[device]:
        state.slots.classify(slot, bool(table.continuous[device]))
    state.slots.rescore(np.array(state.slots_of_device[device], np.intp))
    cause = cause_fact("devices", fact.key, new.revision if new else "")
    corrected(state, device, old, new, at_ms, cause)
    rebind(state, device, at_ms, cause)
