"""What `monitor` emits: life-cycle events on `alerts`, frames on `live` and `trends` (`semantics.md` 4, 7, 9)."""

from __future__ import annotations

from typing import Literal

import msgspec

Priority = Literal["high", "medium", "technical"]
Transition = Literal[
    "raised", "worsened", "cleared", "acknowledged", "unacknowledged", "closed", "observed", "refused", "binding_corrected"
]
Kind = Literal["limit", "news2", "signal_lost", "silent", "not_judged", "command", "binding"]


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why: everything that the judgement read."""

    inputs: list[dict[str, object]] = []
    """Each: code, value, unit, t_ms, age_ms, device; for NEWS2 also part."""
    limit: dict[str, object] | None = None
    """op, limit, unit, delay_s, clear, hold_s, level."""
    limit_source: str = ""
    """`default`, `site: <revision>`, `patient: <revision> by <who>`."""
    score: dict[str, object] | None = None
    """total, lower_bound, complete, parts, missing."""
    reason: str = ""
    """Absent reason, close reason, refusal."""
    count: int | None = None
    quiet_if: str = ""
    """What would have kept it quiet."""


class AlertState(msgspec.Struct):
    """The whole state of an episode after an event."""

    alert: str
    patient: str
    kind: Kind
    rule: str
    rule_version: int
    priority: Priority
    code: str = ""
    """LOINC, empty when the alert concerns a device or a score."""
    device: str = ""
    side: str = ""
    status: Literal["active", "cleared", "closed"] = "active"
    """cleared = recovered but not yet acknowledged by a person (latched)."""
    onset_ms: int = 0
    raised_ms: int = 0
    cleared_ms: int | None = None
    owner: str | None = None
    owner_role: str = ""
    owned_ms: int | None = None
    value: float | None = None
    """Value (or lower bound of the score) that raised it."""
    worst: float | None = None
    seq: int = 0


class AlertEvent(msgspec.Struct, omit_defaults=True):
    """One record of `alerts`; key = alert id (or patient, for events without one)."""

    id: str
    transition: Transition
    patient: str
    at_ms: int
    """Time of the cause on the timeline."""
    cause: str
    seq: int
    alert: str | None = None
    state: AlertState | None = None
    evidence: Evidence | None = None
    by: str = ""
    command: str | None = None
    """Id of the command that this event answers."""
    v: int = 1


class Vital(msgspec.Struct, omit_defaults=True):
    """Newest value of a slot as the board needs it."""

    device: str
    device_class: str
    t_ms: int
    received_ms: int
    value: float | None = None
    absent: str | None = None
    flags: int = 0
    interval_ms: int = 0
    last_value: float | None = None
    """The last number before the signal went, and its time."""
    last_t_ms: int | None = None


class Score(msgspec.Struct, omit_defaults=True):
    """NEWS2 at `at_ms`; `none` says why there is no score at all."""

    at_ms: int = 0
    total: int | None = None
    lower_bound: int = 0
    parts: dict[str, int | None] = {}
    missing: list[str] = []
    none: str = ""


class DeviceState(msgspec.Struct, omit_defaults=True):
    """A bound device: its last row, its binding, whether it is silent."""

    device: str
    device_class: str
    interval_ms: int
    bound_ms: int
    last_ms: int | None = None
    silent_since_ms: int | None = None


class PatientFrame(msgspec.Struct, omit_defaults=True):
    """What changed of a patient (delta) or all of it (key-frame)."""

    patient: str
    admitted: bool = True
    ward: str = ""
    bed: str = ""
    initials: str = ""
    age_years: int | None = None
    sex: str | None = None
    isolation: str = ""
    spo2_scale_2: bool = False
    diabetes: bool = False
    vitals: dict[str, list[Vital]] = {}
    """LOINC -> slots, best first; whole for each code that is present."""
    score: Score | None = None
    devices: list[DeviceState] = []
    limits: dict[str, list[float | None]] = {}
    """LOINC -> [low, high] medium limits, for the band of the sparkline."""
    alerts: list[AlertState] = []
    """Key-frames only: active and latched."""


class LiveFrame(msgspec.Struct):
    """One record of `live`. A key-frame is `part` (from 1) of `parts`, all of one shard time."""

    shard: int
    t_ms: int
    key: bool
    part: int
    parts: int
    patients: list[PatientFrame]
    v: int = 1


class TrendFrame(msgspec.Struct):
    """One record of `trends`: medians of the minute that ends at `minute_ms`, of each vital that changed in it."""

    shard: int
    minute_ms: int
    medians: list[tuple[str, str, float]]
    """(patient, LOINC, median)."""
    v: int = 1
