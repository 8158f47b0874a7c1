"""Values of the control topics: patients, devices, rules, alert-commands. Every fact carries its provenance (`by`, `revision`)."""

from __future__ import annotations

from typing import Literal

import msgspec

DeviceClass = Literal["monitor", "cgm", "spot", "charted"]
Side = Literal["low", "high"]
Level = Literal["medium", "high"]
Operator = Literal["<", "<=", ">", ">="]


class LimitLevel(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`value op limit` for `delay_s` without break raises at this level."""

    op: Operator
    limit: float
    """In the canonical unit of the code."""
    delay_s: float = 0.0


class Limit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One side of one vital: a medium and maybe a high level; clears at `clear` for `hold_s` without break."""

    code: str
    side: Side
    medium: LimitLevel | None
    """None switches this side off (with provenance)."""
    clear: float = 0.0
    """The good side: value >= clear (low side) or value <= clear (high side)."""
    hold_s: float = 0.0
    high: LimitLevel | None = None
    by: str = ""
    """Who set it; empty only in the defaults, which are a PROPOSAL that needs sign-off."""
    reason: str = ""


class PatientFact(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Context of a patient; key of the topic = pseudonym. `revision` names this version for causes (any unique text of the sender)."""

    patient: str
    revision: str
    admission: str
    state: Literal["admitted", "discharged"] = "admitted"
    ward: str = ""
    bed: str = ""
    initials: str = ""
    age_years: int | None = None
    """None = unknown: no NEWS2, and the board says so."""
    sex: Literal["F", "M", "X"] | None = None
    pregnant: bool = False
    spo2_scale_2: bool = False
    """Prescribed 88-92 % target in confirmed hypercapnic failure; never inferred. `spo2_scale_by` names who authorised it."""
    spo2_scale_by: str = ""
    diabetes: bool = False
    isolation: Literal["", "A", "D"] = ""
    limits: list[Limit] = []
    facility: str = ""
    state_code: str = ""
    zone: str = ""
    languages: list[str] = []
    by: str = ""


class Lease(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`device` belongs to `patient` from `from_ms` until `until_ms` (exclusive; None = open)."""

    patient: str
    from_ms: int
    until_ms: int | None = None
    by: str = ""


class DeviceFact(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All binding leases of the last 30 days of a device; key of the topic = device."""

    device: str
    revision: str
    device_class: DeviceClass
    interval_ms: int
    """Expected interval between messages."""
    leases: list[Lease] = []
    model: str = ""
    intervals_ms: dict[str, int] = {}
    """LOINC -> own interval of a vital; ages its tile only."""
    by: str = ""


class RuleFact(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A site setting; key of the topic = `name`. Known names: `limits` (default limits of the site)."""

    name: str
    revision: str
    version: int
    limits: list[Limit] = []
    by: str = ""
    signed_off_by: str = ""


class Observation(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One observed value of `observe`. Coded vitals take `coded` (A C V P U; air, oxygen), others `value` and `unit`."""

    code: str
    value: float | None = None
    unit: str | None = None
    coded: str | None = None


class Command(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A person's word on `alert-commands`; key = patient. Each `id` (a UUID) yields exactly one event."""

    id: str
    kind: str
    """acknowledge, unacknowledge, observe; others are refused with `unknown_command`."""
    patient: str
    by: str
    role: str = ""
    at_ms: int | None = None
    """When the person says it happened (`observe`); absent = its append time."""
    alert: str | None = None
    readings: list[Observation] = []
    origin: str = ""
    """From where: board, cli."""


def manual_device(user: str) -> str:
    """The device that the rows of `observe` come from."""
    return f"manual:{user}"
