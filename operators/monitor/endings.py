"""What ends with a patient's stay or a device's lease: alerts close, latched ones too, slots are forgotten (ADR 0005)."""

from __future__ import annotations

import numpy as np

from operators.alerting import episode
from operators.monitor import judge
from operators.monitor.columns import LONG_AGO, NEVER
from operators.monitor.state import State


def forget_person(state: State, person: int, cause: str, at_ms: int, reason: str) -> None:
    """Alerts close, latched ones too; slots are forgotten; devices of the patient are no longer waited for."""
    for slot in state.slots_of_person[person]:
        forget_slot(state, slot, cause, at_ms, reason)
    for device in np.flatnonzero(state.devices.patient[: state.devices.n] == person).tolist():
        end_device(state, device, cause, at_ms, reason)
        state.devices.patience[device] = NEVER
        state.devices.due[device] = NEVER
    if person in state.scores:
        end_score(state, person, cause, at_ms, reason)
    close_all(state, person, None, cause, at_ms, reason)
    people = state.people
    people.pending[person] = people.judged_at[person] = LONG_AGO
    people.points[person] = -1


def end_score(state: State, person: int, cause: str, at_ms: int, reason: str) -> None:
    """The open NEWS2 episode closes."""
    alert = state.scores.pop(person).alert
    state.people.due[person], state.people.watched[person] = NEVER, False
    judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))


def forget_slot(state: State, slot: int, cause: str, at_ms: int, reason: str) -> None:
    """Alerts of a slot close; it is as if nothing had ever come."""
    for name in judge.SIDES:
        side = state.sides.pop((slot, name), None)
        if side is not None and side.alert:
            judge.record(state, episode.closed(state.alerts[side.alert], cause, at_ms, reason))
    if alert := state.signal_lost.pop(slot, None):
        judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))
    state.slots.forget(slot)


def close_all(state: State, person: int, device: str | None, cause: str, at_ms: int, reason: str) -> None:
    """What is left open or latched of a patient, or of one device of it."""
    name = state.patient_name(person)
    for alert in [a for a in state.alerts.values() if a.patient == name and device in (None, a.device)]:
        judge.record(state, episode.closed(alert, cause, at_ms, reason))


def end_device(state: State, device: int, cause: str, at_ms: int, reason: str) -> None:
    """Alerts about a device itself close."""
    for alerts in (state.silent, state.not_judged):
        if alert := alerts.pop(device, None):
            judge.record(state, episode.closed(state.alerts[alert], cause, at_ms, reason))
    state.devices.silent[device] = state.devices.judged_late[device] = False
    state.devices.late_since[device] = NEVER
