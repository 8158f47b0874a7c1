"""Frames of the gateway in lines for people: what `nadi watch` prints."""

from __future__ import annotations

from typing import Any

import msgspec

from flows.alertfold import by_urgency
from flows.cli.common import utc
from schemas.codes import BY_LOINC, CODED
from schemas.events import AlertState, Evidence

NOT_LIVE_MS = 10_000


def what(state: AlertState) -> str:
    """What an alert is about, in a few words."""
    label = label_of(state.code)
    about = {
        "limit": f"{label} {state.side}",
        "news2": "NEWS2",
        "signal_lost": f"{label} signal lost",
        "silent": "silent",
        "not_judged": "not judged",
    }
    return about.get(state.kind, state.kind)


def label_of(code: str) -> str:
    """Short name of a vital; the code itself if it is none of ours."""
    return BY_LOINC[code].label if code in BY_LOINC else code


def number(value: object, code: str = "") -> str:
    """A value as people write it; coded ones in their words."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    words = CODED.get(code)
    if words is not None and value in range(len(words)):
        return words[int(value)]
    return f"{value:g}"


class Teller:
    """Remembers what was told, so that a key that says the same again is not told again."""

    def __init__(self, values: bool = False) -> None:
        self.values = values
        self._connected = self._late = False
        self._patients = -1

    def told(self, frame: dict[str, Any]) -> list[str]:
        """A frame in lines."""
        kind = frame.get("t")
        if kind == "welcome":
            self._connected = True
        elif kind == "key":
            return self._key(frame)
        elif kind == "ev":
            return [event_line(frame["e"])]
        elif kind == "live" and self.values:
            return [line for patient in frame.get("frames", []) if (line := values_line(patient))]
        elif kind == "hb":
            return self._heartbeat(frame)
        elif kind == "bye":
            return ["the gateway restarts"]
        return []

    def _key(self, frame: dict[str, Any]) -> list[str]:
        patients = frame.get("patients", [])
        first, self._connected = self._connected, False
        if not first and len(patients) == self._patients:
            return []
        self._patients = len(patients)
        about = f"ward {frame['ward']}" if "ward" in frame else f"patient {frame.get('patient')}"
        states = by_urgency(msgspec.convert([a for p in patients for a in p.get("alerts", [])], list[AlertState]))
        lines = [f"{utc(frame['now_ms'])}  {about}: {len(patients)} patients, {len(states)} open alerts"]
        if not first:
            return lines
        if frame.get("recovered") is False:
            lines.append("  what happened while away is no longer held: this list is the truth")
        lines += [
            f"  {s.alert[:12]}  {s.priority}  {s.patient}  {what(s)}  {s.status}{f'  {s.owner} has it' * bool(s.owner)}" for s in states
        ]
        return lines + ([line for p in patients if (line := values_line(p))] if self.values else [])

    def _heartbeat(self, frame: dict[str, Any]) -> list[str]:
        lag = frame.get("lag_ms")
        late = not isinstance(lag, int | float) or lag > NOT_LIVE_MS
        changed, self._late = late != self._late, late
        if not changed:
            return []
        if not late:
            return [f"{utc(frame['now_ms'])}  live again"]
        age = f"the newest values are {lag / 1000:.0f} s old" if isinstance(lag, int | float) else "there are no values yet"
        return [f"{utc(frame['now_ms'])}  NOT LIVE: {age}; `nadi doctor` tells why"]


def event_line(event: dict[str, Any]) -> str:
    """An alert event in one line."""
    state = msgspec.convert(event["state"], AlertState) if event.get("state") else None
    evidence = msgspec.convert(event.get("evidence") or {}, Evidence)
    words = [utc(event["at_ms"]), str(event["transition"]), str(event["patient"])]
    if state is not None:
        words += [f"[{state.priority}] {what(state)}", number(state.worst), state.alert[:12]]
    elif evidence.inputs:
        words.append(", ".join(f"{label_of(str(i.get('code')))} {number(i.get('value'), str(i.get('code')))}" for i in evidence.inputs))
    words += [f"by {event['by']}" if event.get("by") else "", evidence.reason]
    return "  ".join(w for w in words if w)


def values_line(patient: dict[str, Any]) -> str:
    """Newest values of a patient in one line; empty if the frame has none."""
    parts = []
    for code, slots in (patient.get("vitals") or {}).items():
        if slots:
            shown = number(slots[0].get("value"), code)
            parts.append(f"{label_of(code)} {shown}" if shown else f"{label_of(code)} -- ({slots[0].get('absent') or 'no value'})")
    score = patient.get("score") or {}
    if score.get("total") is not None:
        parts.append(f"NEWS2 {score['total']}")
    return f"  {patient['patient']}  " + "  ".join(parts) if parts else ""
