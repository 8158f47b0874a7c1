"""Facts and commands on a shard: who is who, whose limits count, who holds which device, what a person said.

A fact takes effect at its place on the timeline. Before it is applied the shard has advanced to the time that the fact proves (`core.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from operators.alerting import episode, limits
from operators.alerting.limits import Side
from operators.clinical.tables import silent_after_ms
from operators.monitor import judge
from operators.monitor.columns import LONG_AGO, NEVER
from operators.monitor.devices import NOBODY, holder, newest
from operators.monitor.instants import close_instant_before
from operators.monitor.people import why_none
from operators.monitor.state import COMMANDS_REMEMBERED, Leaving, State, Versioned, is_continuous
from schemas.codes import BY_NUMBER
from schemas.events import AlertEvent, Evidence
from schemas.facts import Command, DeviceFact, LimitLevel, PatientFact, RuleFact, manual_device
from schemas.facts import Side as SideName
from schemas.identity import cause_deadline, cause_fact, event_id, key64, shard_of
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
        _command(state, fact, at_ms)
        return
    state.facts[fact.topic, fact.key] = Versioned(fact.version, fact.value)
    if fact.topic == "patients":
        _patient(state, fact, at_ms)
    elif fact.topic == "devices":
        _device(state, fact, at_ms)
    elif fact.topic == "rules" and fact.key == "limits":
        before = _limits_before(state, range(state.slots.n))
        state.site = None if fact.value is None else msgspec.json.decode(fact.value, type=RuleFact)
        cause = cause_fact("rules", fact.key, state.site.revision if state.site else "")
        for slot in range(state.slots.n):
            _limits_changed(state, slot, before, cause, at_ms)


# -- patients


def _patient(state: State, fact: Fact, at_ms: int) -> None:
    person = state.person(key64(fact.key), fact.key)
    old = state.patients.get(person)
    new = None if fact.value is None else msgspec.json.decode(fact.value, type=PatientFact)
    cause = cause_fact("patients", fact.key, new.revision if new else "")
    leaves = new is None or new.state == "discharged"
    forgets = leaves or (old is not None and new is not None and new.admission != old.admission)
    if forgets:
        _forget_person(state, person, cause, at_ms, "discharged" if leaves else "new admission")
    before = _limits_before(state, state.slots_of_person[person])
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
        _end_score(state, person, cause, at_ms, "no longer scored")
    for slot in state.slots_of_person[person]:
        _limits_changed(state, slot, before, cause, at_ms)
    if asleep and not leaves:
        _awaken(state, person, at_ms)


def _awaken(state: State, person: int, at_ms: int) -> None:
    """Devices that are bound to a patient who was away are waited for from now on."""
    for device in np.flatnonzero(state.devices.patient[: state.devices.n] == person).tolist():
        heard = int(state.devices.heard[device])
        _bind(state, device, person, at_ms)
        state.devices.heard[device] = max(heard, at_ms)
        state.devices.set_due(device, at_ms)


def _forget_person(state: State, person: int, cause: str, at_ms: int, reason: str) -> None:
    """Alerts close, latched ones too; slots are forgotten; devices of the patient are no longer waited for."""
    for slot in state.slots_of_person[person]:
        _forget_slot(state, slot, cause, at_ms, reason)
    for device in np.flatnonzero(state.devices.patient[: state.devices.n] == person).tolist():
        _end_device(state, device, cause, at_ms, reason)
        state.devices.patience[device] = NEVER
        state.devices.due[device] = NEVER
    if person in state.scores:
        _end_score(state, person, cause, at_ms, reason)
    _close_all(state, person, None, cause, at_ms, reason)
    people = state.people
    people.pending[person] = people.judged_at[person] = LONG_AGO
    people.points[person] = -1


def _end_score(state: State, person: int, cause: str, at_ms: int, reason: str) -> None:
    alert = state.scores.pop(person).alert
    state.people.due[person], state.people.watched[person] = NEVER, False
    judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))


def _forget_slot(state: State, slot: int, cause: str, at_ms: int, reason: str) -> None:
    for name in judge.SIDES:
        side = state.sides.pop((slot, name), None)
        if side is not None and side.alert:
            judge.record(state, episode.closed(state.alerts[side.alert], cause, at_ms, reason))
    if alert := state.signal_lost.pop(slot, None):
        judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))
    state.slots.forget(slot)


# -- limits


def _strict(level: LimitLevel | None) -> tuple[float, float]:
    """(below, above): a value strictly beyond one of them is beyond the level."""
    if level is None:
        return -np.inf, np.inf
    if level.op in ("<", "<="):
        return (level.limit if level.op == "<" else float(np.nextafter(level.limit, np.inf))), np.inf
    return -np.inf, (level.limit if level.op == ">" else float(np.nextafter(level.limit, -np.inf)))


def set_thresholds(state: State, slot: int) -> None:
    """What the vectorised path compares values of a slot with."""
    vital = BY_NUMBER.get(int(state.slots.code[slot]))
    below, above = -np.inf, np.inf
    for name in judge.SIDES if vital else ():
        found = state.limit(int(state.slots.patient[slot]), vital.loinc, name) if vital else None
        for level in (found[0].medium, found[0].high) if found else ():
            low, high = _strict(level)
            below, above = max(below, low), min(above, high)
    state.slots.below[slot], state.slots.above[slot] = below, above


def _limits_changed(state: State, slot: int, before: Before, cause: str, at_ms: int) -> None:
    """A changed limit stops its delays and holds; an open alert stays, unless the side is off now. New values count from the next row."""
    set_thresholds(state, slot)
    if BY_NUMBER.get(int(state.slots.code[slot])) is None:
        return
    for name in judge.SIDES:
        side: Side | None = state.sides.get((slot, name))
        now = _limit_of(state, slot, name)
        if side is None or now == before.get((slot, name)):
            continue
        limits.stopped(side)
        if now is None:
            if side.alert:
                judge.record(state, episode.closed(state.alerts[side.alert], cause, at_ms, "limit switched off"))
            limits.finished(side)
    judge.settle(state, slot)


Before = dict[tuple[int, SideName], "LimitValues | None"]
LimitValues = tuple[LimitLevel | None, LimitLevel | None, float, float]


def _limit_of(state: State, slot: int, name: SideName) -> LimitValues | None:
    found = state.limit(int(state.slots.patient[slot]), BY_NUMBER[int(state.slots.code[slot])].loinc, name)
    return None if found is None else (found[0].medium, found[0].high, found[0].clear, found[0].hold_s)


def _limits_before(state: State, slots: Iterable[int]) -> Before:
    """The limits of the sides on which something runs."""
    return {(s, name): _limit_of(state, s, name) for s in slots for name in judge.SIDES if (s, name) in state.sides}


# -- devices


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
    _corrected(state, device, old, new, at_ms, cause)
    _rebind(state, device, at_ms, cause)


def _rebind(state: State, device: int, at_ms: int, cause: str) -> None:
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
        _end_device(state, device, cause, at_ms, "lease ended")
        for slot in [s for s in state.slots_of_device[device] if int(state.slots.patient[s]) == before]:
            _forget_slot(state, slot, cause, at_ms, "lease ended")
        _close_all(state, before, state.device_name(device), cause, at_ms, "lease ended")
        state.people.dirty[before] = True
    _bind(state, device, after, at_ms)


def _stays(state: State, device: int, person: int, fact: DeviceFact | None, cause: str, at_ms: int) -> None:
    """Same holder, maybe another class or interval."""
    patience = silent_after_ms(fact.device_class, fact.interval_ms) if fact and state.people.admitted[person] else None
    state.devices.patience[device] = NEVER if patience is None else patience
    if patience is None and (alert := state.silent.pop(device, None)):
        judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, "no longer expected to stream"))
        state.devices.silent[device] = False
    state.devices.set_due(device, at_ms)


def _close_all(state: State, person: int, device: str | None, cause: str, at_ms: int, reason: str) -> None:
    """What is left open or latched of a patient, or of one device of it."""
    name = state.patient_name(person)
    for alert in [a for a in state.alerts.values() if a.patient == name and device in (None, a.device)]:
        judge.record(state, episode.closed(alert, cause, at_ms, reason))


def _bind(state: State, device: int, person: int, at_ms: int) -> None:
    fact = state.device_facts.get(device)
    away = person == NOBODY or not state.people.admitted[person]
    patience = None if away or fact is None else silent_after_ms(fact.device_class, fact.interval_ms)
    state.devices.bind(device, person, at_ms, patience)
    if person != NOBODY:
        state.people.dirty[person] = True


def _end_device(state: State, device: int, cause: str, at_ms: int, reason: str) -> None:
    for alerts in (state.silent, state.not_judged):
        if alert := alerts.pop(device, None):
            judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))
    state.devices.silent[device] = state.devices.judged_late[device] = False
    state.devices.late_since[device] = NEVER


def _corrected(state: State, device: int, old: DeviceFact | None, new: DeviceFact | None, at_ms: int, cause: str) -> None:
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
        _forget_slot(state, slot, cause, leaving.at_ms, "lease ended")
    _close_all(state, leaving.person, state.device_name(leaving.device), cause, leaving.at_ms, "lease ended")
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
    _bind(state, device, NOBODY, at_ms)


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
    _rebind(state, device, at_ms, cause_deadline("lease", at_ms))


# -- commands


def _command(state: State, fact: Fact, at_ms: int) -> None:
    """Exactly one event for each id."""
    command = msgspec.json.decode(fact.value or b"null", type=Command) if not fact.refused else _salvaged(fact)
    if command is None or command.id in state.commands:
        return
    state.commands[command.id] = None
    while len(state.commands) > COMMANDS_REMEMBERED:
        del state.commands[next(iter(state.commands))]
    if not state.warm:
        return  # it was answered before this fold was lost
    reason = fact.refused or ""
    if not reason and command.kind == "observe":
        state.names.setdefault(key64(manual_device(command.by)), manual_device(command.by))
        state.device(key64(manual_device(command.by)), manual_device(command.by))
        state.events.append(episode.answered(command.patient, "observed", command.id, command.by, at_ms))
        return
    if not reason:
        alert = state.alerts.get(command.alert or "")
        known = alert if alert is not None and alert.patient == command.patient else None
        done = (
            episode.commanded(known, command.kind, command.by, command.role, command.id, at_ms)
            if command.kind in KNOWN
            else "unknown_command"
        )
        if not isinstance(done, str):
            judge.record(state, done)
            return
        reason = done
    state.events.append(episode.answered(command.patient, "refused", command.id, command.by, at_ms, reason, command.alert))


KNOWN = ("acknowledge", "unacknowledge")


class _Salvage(msgspec.Struct):
    """What can still be read of a command of a wrong shape."""

    id: str
    patient: str = ""
    by: str = ""


def _salvaged(fact: Fact) -> Command | None:
    try:
        kept = msgspec.json.decode(fact.value or b"null", type=_Salvage)
    except msgspec.MsgspecError:
        return None
    return Command(kept.id, "", kept.patient or fact.key, kept.by)
