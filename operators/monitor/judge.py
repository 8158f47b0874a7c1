"""From what happened to events with evidence: limits, NEWS2, device alerts. Works on one slot, device or patient at a time."""

from __future__ import annotations

import math
from typing import Any

from operators.alerting import episode, limits
from operators.alerting.episode import Opening, Step
from operators.alerting.limits import Happening, Side
from operators.clinical.tables import LIMITS_VERSION, NEWS2_CLEAR_HOLD_MS, NEWS2_HIGH, NEWS2_MEDIUM, NEWS2_SINGLE, NEWS2_VERSION, PARTS
from operators.monitor.columns import NEVER
from operators.monitor.people import Judged
from operators.monitor.state import ScoreEpisode, State
from schemas.codes import ABOVE, BELOW, BY_NUMBER, absent_reason
from schemas.events import Evidence, Priority
from schemas.facts import Limit
from schemas.facts import Side as SideName
from schemas.identity import cause_deadline, cause_instant, key64

SIDES: tuple[SideName, SideName] = ("low", "high")
PRIORITY: dict[int, Priority] = {limits.MEDIUM: "medium", limits.HIGH: "high"}


def record(state: State, step: Step) -> str:
    """Keeps the episode as it stands now (a closed one is forgotten), emits the event; returns the alert's id."""
    alert, event = step
    if alert.status == "closed":
        state.alerts.pop(alert.alert, None)
    else:
        state.alerts[alert.alert] = alert
    person = state.person_of.get(_key(state, alert.patient))
    if person is not None:
        state.people.dirty[person] = True
    state.events.append(event)
    return alert.alert


def _key(state: State, patient: str) -> int:
    return key64(patient) if not patient.startswith("key:") else int(patient[4:], 16)


def describe(state: State, slot: int, at_ms: int) -> dict[str, Any]:
    """Newest value of a slot as an input of a judgement."""
    s = state.slots
    vital = BY_NUMBER.get(int(s.code[slot]))
    value = float(s.value[slot])
    t = int(s.t[slot])
    out: dict[str, Any] = {
        "code": vital.loinc if vital else "",
        "unit": vital.unit if vital else "",
        "t_ms": t,
        "age_ms": at_ms - min(t, int(s.received[slot])),
        "device": state.device_name(int(s.device[slot])),
        "value": None if math.isnan(value) else value,
    }
    if reason := absent_reason(int(s.flags[slot])):
        out["absent"] = reason
    return out


# -- limits


def limit_evidence(state: State, slot: int, limit: Limit, whose: str, level: int, at_ms: int) -> Evidence:
    """The value, the limit and whose it is."""
    spec = limit.high if level == limits.HIGH else limit.medium
    unit = BY_NUMBER[int(state.slots.code[slot])].unit
    shown: dict[str, Any] = {"side": limit.side, "unit": unit, "clear": limit.clear, "hold_s": limit.hold_s}
    quiet = ""
    if spec is not None:
        shown |= {"level": PRIORITY[level], "op": spec.op, "limit": spec.limit, "delay_s": spec.delay_s}
        quiet = f"not {spec.op} {spec.limit:g} {unit}" + (f" within {spec.delay_s:g} s" if spec.delay_s else "")
    return Evidence(inputs=[describe(state, slot, at_ms)], limit=shown, limit_source=whose, quiet_if=quiet)


def limit_happened(state: State, slot: int, name: SideName, side: Side, happening: Happening, row_cause: str) -> None:
    """An event of a limit; `row_cause` names the row when no deadline did it."""
    found = state.limit(int(state.slots.patient[slot]), BY_NUMBER[int(state.slots.code[slot])].loinc, name)
    what, level, kind, at_ms = happening
    cause = cause_deadline(kind, at_ms) if kind else row_cause
    newest = float(state.slots.value[slot])
    value = side.onset_value if math.isnan(newest) else newest
    if what == "clear":
        level = limits.HIGH if state.alerts[side.alert].priority == "high" else limits.MEDIUM
    evidence = limit_evidence(state, slot, *found, level, at_ms) if found else Evidence(inputs=[describe(state, slot, at_ms)])
    if what == "raise":
        code, device = BY_NUMBER[int(state.slots.code[slot])].loinc, state.device_name(int(state.slots.device[slot]))
        patient = state.patient_name(int(state.slots.patient[slot]))
        opening = Opening(
            patient,
            "limit",
            "limit",
            LIMITS_VERSION,
            f"{code}:{name}:{device}",
            side.onset,
            side.onset_ms,
            PRIORITY[level],
            code,
            device,
            name,
        )
        side.alert = record(state, episode.raised(opening, cause, at_ms, value, evidence))
    elif what == "worsen":
        record(state, episode.worsened(state.alerts[side.alert], PRIORITY[level], cause, at_ms, value, evidence))
    else:
        record(state, episode.cleared(state.alerts[side.alert], cause, at_ms, evidence))
        limits.finished(side)


def settle(state: State, slot: int) -> None:
    """Forgets idle sides and sets what the vectorised path looks at: `busy` and `due`."""
    due, busy = NEVER, slot in state.signal_lost
    for name in SIDES:
        side = state.sides.get((slot, name))
        if side is None:
            continue
        if side.idle:
            del state.sides[slot, name]
            continue
        busy = True
        due = min(due, side.due_ms() or NEVER)
    state.slots.busy[slot], state.slots.due[slot] = busy, due


def fire_limits(state: State, slot: int, until_ms: int) -> None:
    """Deadlines of a slot up to `until_ms`: low side before high at the same time."""
    pending = [
        (h.at_ms, i, name, side, h)
        for i, name in enumerate(SIDES)
        if (side := state.sides.get((slot, name)))
        for h in limits.fire(side, until_ms)
    ]
    for _at, _i, name, side, happening in sorted(pending, key=lambda x: x[:2]):
        limit_happened(state, slot, name, side, happening, "")
    settle(state, slot)


def limit_row(state: State, slot: int, value: float, flags: int, received_ms: int, cause: str) -> None:
    """A newer row of a slot, after its deadlines were fired and its newest value was moved. NaN = without value.

    A bound of a sensor's range counts as beyond it: `< 3.9` is beyond a limit `< 3.9`.
    """
    if flags & (BELOW | ABOVE):
        value = math.nextafter(value, -math.inf if flags & BELOW else math.inf)
    if math.isnan(value):
        for name in SIDES:
            if side := state.sides.get((slot, name)):
                limits.no_value(side)
        return settle(state, slot)
    person, loinc = int(state.slots.patient[slot]), BY_NUMBER[int(state.slots.code[slot])].loinc
    for name in SIDES:
        found = state.limit(person, loinc, name)
        if found is None:
            continue
        side = state.sides.setdefault((slot, name), Side())
        for happening in limits.row(side, found[0], value, received_ms, cause):
            limit_happened(state, slot, name, side, happening, cause)
    return settle(state, slot)


# -- signal lost, silence, not judged


def technical(state: State, kind: Any, patient: str, slot: str, cause: str, at_ms: int, code: str, device: str, evidence: Evidence) -> str:
    """Raises a technical alert."""
    opening = Opening(patient, kind, kind, 1, slot, cause, at_ms, "technical", code, device)
    return record(state, episode.raised(opening, cause, at_ms, None, evidence))


def signal_row(state: State, slot: int, has_value: bool, received_ms: int, cause: str) -> None:
    """Signal lost at a row without value, back at the next one with a value."""
    if has_value:
        if alert := state.signal_lost.pop(slot, None):
            record(state, episode.cleared(state.alerts[alert], cause, received_ms, Evidence(inputs=[describe(state, slot, received_ms)])))
    elif slot not in state.signal_lost:
        code, device = BY_NUMBER[int(state.slots.code[slot])].loinc, state.device_name(int(state.slots.device[slot]))
        shown = describe(state, slot, received_ms)
        evidence = Evidence(inputs=[shown], reason=str(shown.get("absent", "unknown")), quiet_if="a value from this sensor")
        patient = state.patient_name(int(state.slots.patient[slot]))
        state.signal_lost[slot] = technical(state, "signal_lost", patient, f"{code}:{device}", cause, received_ms, code, device, evidence)
    settle(state, slot)


def device_alert(state: State, kind: str, device: int, cause: str, at_ms: int, reason: str) -> str:
    """Raises `silent` or `not_judged` for the patient that the device is bound to."""
    name = state.device_name(device)
    patient = state.patient_name(int(state.devices.patient[device]))
    last = int(state.devices.last[device])
    shown: dict[str, Any] = {"device": name, "interval_ms": int(state.devices.interval[device])}
    if last > 0:
        shown |= {"t_ms": last, "age_ms": at_ms - last}
    return technical(state, kind, patient, name, cause, at_ms, "", name, Evidence(inputs=[shown], reason=reason))


def device_recovered(state: State, alerts: dict[int, str], device: int, cause: str, at_ms: int) -> None:
    """Clears `silent` or `not_judged`."""
    if alert := alerts.pop(device, None):
        record(state, episode.cleared(state.alerts[alert], cause, at_ms, Evidence(inputs=[{"device": state.device_name(device)}])))


def fire_silence(state: State, device: int) -> None:
    """The device has said nothing for too long."""
    at_ms = int(state.devices.due[device])
    waiting = int(state.devices.last[device]) <= 0
    cause = cause_deadline("silent", at_ms)
    state.silent[device] = device_alert(state, "silent", device, cause, at_ms, "waiting for first data" if waiting else "no data")
    state.devices.silent[device] = True
    state.devices.due[device] = NEVER
    state.people.dirty[state.devices.patient[device]] = True


# -- NEWS2


def score_level(lower: int, any_three: bool) -> int:
    """Level of a lower bound: it can alarm, never reassure."""
    if lower >= NEWS2_HIGH:
        return limits.HIGH
    return limits.MEDIUM if lower >= NEWS2_MEDIUM or any_three else 0


def score_evidence(state: State, judged: Judged, row: int, at_ms: int) -> Evidence:
    """The seven parts with their values and ages."""
    points = [None if x < 0 else int(x) for x in judged.points[row].tolist()]
    parts = dict(zip(PARTS, points, strict=True))
    inputs = []
    for part, slot in zip(PARTS, judged.slots[row].tolist(), strict=True):
        if slot >= 0:
            rounded = float(state.slots.rounded[slot])
            inputs.append({**describe(state, slot, at_ms), "scored": rounded, "part": part, "points": parts[part]})
    lower, complete = int(judged.lower[row]), bool(judged.complete[row])
    missing = [k for k, v in parts.items() if v is None]
    shown: dict[str, object] = {
        "total": lower if complete else None,
        "lower_bound": lower,
        "complete": complete,
        "parts": parts,
        "missing": missing,
    }
    limit: dict[str, object] = {"medium": NEWS2_MEDIUM, "high": NEWS2_HIGH, "single": NEWS2_SINGLE, "hold_s": NEWS2_CLEAR_HOLD_MS // 1000}
    quiet = f"below {NEWS2_MEDIUM} with no single {NEWS2_SINGLE}"
    return Evidence(inputs=inputs, score=shown, limit=limit, limit_source="NEWS2, RCP 2017", quiet_if=quiet)


def score_instant(state: State, person: int, judged: Judged, row: int, at_ms: int) -> None:
    """A judged instant of a patient whose score is raised, or was."""
    points = judged.points[row]
    level = score_level(int(judged.lower[row]), bool((points == NEWS2_SINGLE).any()))
    open_episode = state.scores.get(person)
    now = open_episode.level if open_episode else 0
    lower = float(judged.lower[row])
    if level > now:
        evidence = score_evidence(state, judged, row, at_ms)
        cause = cause_instant(at_ms)
        if open_episode is None:
            opening = Opening(state.patient_name(person), "news2", "news2", NEWS2_VERSION, "", cause, at_ms, PRIORITY[level])
            open_episode = state.scores[person] = ScoreEpisode(record(state, episode.raised(opening, cause, at_ms, lower, evidence)), level)
        else:
            record(state, episode.worsened(state.alerts[open_episode.alert], PRIORITY[level], cause, at_ms, lower, evidence))
            open_episode.level = level
    if open_episode is not None:
        falling = bool(judged.complete[row]) and level == 0
        due = int(state.people.due[person])
        state.people.due[person] = (due if due != NEVER else at_ms + NEWS2_CLEAR_HOLD_MS) if falling else NEVER
    state.people.watched[person] = open_episode is not None


def fire_score(state: State, person: int) -> None:
    """NEWS2 was complete and below for the whole hold."""
    at_ms = int(state.people.due[person])
    state.people.due[person] = NEVER
    state.people.watched[person] = False
    alert = state.scores.pop(person).alert
    known = state.people.points[person].tolist()
    shown: dict[str, object] = {"lower_bound": sum(x for x in known if x > 0), "complete": all(x >= 0 for x in known)}
    record(state, episode.cleared(state.alerts[alert], cause_deadline("news2_hold", at_ms), at_ms, Evidence(score=shown)))
