"""The native contract of `device-readings`: one message = one device, one instant (`ways-in.md` 1). Unknown fields are refused."""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_MESSAGE_BYTES = 65536
MAX_READINGS = 64


class Reading(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One value of one vital, or the reason why there is none."""

    code: str
    """LOINC."""
    value: float | None = None
    """Absent or null = no value; then `absent` says why."""
    unit: str | None = None
    """UCUM; required with a value."""
    compare: Literal["<", ">"] | None = None
    """The sensor is below or above its range: `value` is the bound."""
    absent: str | None = None
    """FHIR data-absent-reason, or lead-off, motion, no-signal, calibrating."""
    quality: Literal["good", "suspect", "test", "demo"] = "good"
    index: float | None = None
    """Perfusion or signal quality index, 0..100 %."""


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What a device produces. `patient`, `waveform` and `alarms` exist only to be refused by name."""

    device: str
    v: int = 1
    t: int | str | None = None
    """ms since 1970 UTC, or RFC 3339 with offset; absent = the device has no clock."""
    boot: str | None = None
    """Changes when `seq` starts again."""
    seq: int | None = None
    """+1 a message: a gap is counted, never used to drop or order."""
    readings: list[Reading] = []
    alarms: list[msgspec.Raw] = []
    beat: bool = False
    """The link lives, nothing to report."""
    battery_percent: float | None = None
    buffered: int | None = None
    """Messages the device still holds: back-fill is under way."""
    code: str | None = None
    """Short form: one reading at top level."""
    value: float | None = None
    unit: str | None = None
    patient: str | None = None
    waveform: list[float] | None = None
