"""The life cycle of one alert: pure steps `(state, what happened) -> (state, event)` (`semantics.md` 4 and 7).

active -> acknowledged by a named person -> cleared; cleared without an owner stays latched until a person has seen it or 12 h have passed.
Worsening takes the owner away: it must ring again. No id is ever used twice: a new crossing is a new episode.
"""

from __future__ import annotations

import msgspec

from operators.clinical.tables import LATCH_MS
from schemas.events import AlertEvent, AlertState, Evidence, Kind, Priority, Transition
from schemas.identity import alert_id, cause_command, event_id

Step = tuple[AlertState, AlertEvent]
replace = msgspec.structs.replace


class Opening(msgspec.Struct, frozen=True):
    """Everything that names a new episode. `slot` and `onset` are the texts that enter its id."""

    patient: str
    kind: Kind
    rule: str
    rule_version: int
    slot: str
    onset: str
    onset_ms: int
    priority: Priority
    code: str = ""
    device: str = ""
    side: str = ""


def _step(
    state: AlertState,
    transition: Transition,
    cause: str,
    at_ms: int,
    evidence: Evidence | None = None,
    by: str = "",
    command: str | None = None,
) -> Step:
    """`state` is the state after the event, except for its sequence number."""
    state = replace(state, seq=state.seq + 1)
    event = AlertEvent(
        id=event_id(state.alert, transition, cause),
        transition=transition,
        patient=state.patient,
        at_ms=at_ms,
        cause=cause,
        seq=state.seq,
        alert=state.alert,
        state=state,
        evidence=evidence,
        by=by,
        command=command,
    )
    return state, event


def raised(opening: Opening, cause: str, at_ms: int, value: float | None, evidence: Evidence) -> Step:
    """A new episode."""
    o = opening
    state = AlertState(
        alert=alert_id(o.patient, o.rule, o.slot, o.onset),
        patient=o.patient,
        kind=o.kind,
        rule=o.rule,
        rule_version=o.rule_version,
        priority=o.priority,
        code=o.code,
        device=o.device,
        side=o.side,
        onset_ms=o.onset_ms,
        raised_ms=at_ms,
        value=value,
        worst=value,
    )
    return _step(state, "raised", cause, at_ms, evidence)


def worsened(state: AlertState, priority: Priority, cause: str, at_ms: int, value: float | None, evidence: Evidence) -> Step:
    """The level rose: the owner is free again, so that it rings again."""
    state = replace(state, priority=priority, owner=None, owner_role="", owned_ms=None, value=value, worst=value)
    return _step(state, "worsened", cause, at_ms, evidence)


def cleared(state: AlertState, cause: str, at_ms: int, evidence: Evidence) -> Step:
    """The condition is gone: closed when a person has it, latched when nobody has seen it."""
    status = "cleared" if state.owner is None else "closed"
    return _step(replace(state, status=status, cleared_ms=at_ms), "cleared", cause, at_ms, evidence)


def closed(state: AlertState, cause: str, at_ms: int, reason: str) -> Step:
    """Ended by something other than recovery: discharge, lease end, latch expiry, a limit switched off."""
    return _step(replace(state, status="closed"), "closed", cause, at_ms, Evidence(reason=reason))


def latch_due_ms(state: AlertState) -> int:
    """When a latched card leaves by itself."""
    return (state.cleared_ms or 0) + LATCH_MS


def commanded(state: AlertState | None, kind: str, by: str, role: str, command: str, at_ms: int) -> Step | str:
    """A person's word on an alert; the text is the reason of a refusal. Acknowledging before or after the clear ends in the same state."""
    if state is None or state.status == "closed":
        return "unknown_alert"
    cause = cause_command(command)
    if kind == "acknowledge":
        if state.owner is not None:
            return "already_owned" if state.owner == by else "owned_by_other"
        status = "closed" if state.status == "cleared" else "active"
        owned = replace(state, owner=by, owner_role=role, owned_ms=at_ms, status=status)
        return _step(owned, "acknowledged", cause, at_ms, by=by, command=command)
    if kind == "unacknowledge":
        if state.owner != by:
            return "not_owner"
        free = replace(state, owner=None, owner_role="", owned_ms=None)
        return _step(free, "unacknowledged", cause, at_ms, by=by, command=command)
    return "unknown_command"


def answered(
    patient: str, transition: Transition, command: str, by: str, at_ms: int, reason: str = "", alert: str | None = None
) -> AlertEvent:
    """The one event of a command that changed no episode: `observed`, or `refused` with its reason."""
    cause = cause_command(command)
    return AlertEvent(
        id=event_id("", transition, cause),
        transition=transition,
        patient=patient,
        at_ms=at_ms,
        cause=cause,
        seq=0,
        alert=alert,
        evidence=Evidence(reason=reason) if reason else None,
        by=by,
        command=command,
    )
