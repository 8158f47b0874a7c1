"""What a person said: exactly one event for each id (`semantics.md` 7)."""

from __future__ import annotations

import msgspec

from operators.alerting import episode
from operators.monitor import judge
from operators.monitor.state import COMMANDS_REMEMBERED, State
from schemas.facts import Command, manual_device
from schemas.identity import key64
from schemas.timeline import Fact

KNOWN = ("acknowledge", "unacknowledge")


def apply_command(state: State, fact: Fact, at_ms: int) -> None:
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
