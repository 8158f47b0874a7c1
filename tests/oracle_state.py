"""What the oracle keeps of a patient, and the parts of NEWS2 as pure functions of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from operators.clinical import tables as tab
from schemas import codes as c
from schemas import identity as ids
from schemas.facts import DeviceFact, Limit, PatientFact

OXYGEN_ABOVE = {"oxygen_given": 0.0, "oxygen_flow": 0.0, "fio2": tab.ROOM_AIR_FIO2_PERCENT}


@dataclass
class Alert:
    id: str
    rule: str
    slot: str
    device: str
    level: str
    owner: str = ""
    seq: int = 0


@dataclass
class Slot:
    t: int = -1  # of the newest row
    value: float | None = None
    ring: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=tab.MEDIAN_MAX))  # on-time numbers, bounds apart


@dataclass
class Patient:
    name: str
    limits: dict[tuple[str, str], Limit]
    fact: PatientFact | None = None  # CHOICE: a patient without a fact counts as admitted, of unknown age, with the site's limits
    gone: bool = False  # discharged or deleted
    instant: int | None = None
    heard: dict[str, int] = field(default_factory=dict)  # bound devices: the later of last row and binding
    slots: dict[tuple[str, int], Slot] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)  # active and latched, by id
    active: dict[tuple[str, str], Alert] = field(default_factory=dict)  # by rule and slot
    due: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)  # (kind, slot) -> (time, device)
    onset: dict[str, str] = field(default_factory=dict)  # first reading beyond of an excursion whose delay runs
    late: dict[str, int] = field(default_factory=dict)  # device -> received of the first of only late rows
    placed: dict[str, dict[int, int]] = field(default_factory=dict)  # device -> minute of t -> rows


def eligible(p: Patient) -> bool:
    """Whether NEWS2 is judged at all."""
    f = p.fact
    return not p.gone and f is not None and f.age_years is not None and f.age_years >= tab.NEWS2_MIN_AGE_YEARS and not f.pregnant


def news2_parts(p: Patient, devices: dict[str, DeviceFact], at: int) -> dict[str, int]:
    """Points of each part that is known at the instant `at`."""
    best: dict[str, tuple[tuple[bool, int, int, int], Decimal]] = {}
    for (device, number), slot in p.slots.items():
        part = tab.PART_OF.get(c.BY_NUMBER[number].loinc)
        if part is None or slot.value is None:
            continue
        continuous = device in devices and devices[device].device_class in tab.CONTINUOUS_CLASSES
        limit = tab.AGE_LIMIT_MS.get(part) or tab.AGE_LIMIT_MS["continuous" if continuous else "spot"]
        rank = (not continuous, -slot.t, ids.key64(device), number)  # CHOICE: then the least code
        if at - min(slot.t, at) <= limit and (part not in best or rank < best[part][0]):
            best[part] = (rank, median(slot) if continuous else Decimal(repr(slot.value)))
    points: dict[str, int] = {}
    if "oxygen" in best:  # CHOICE: not rounded; any flow, FiO2 above room air
        above = OXYGEN_ABOVE[c.BY_NUMBER[best["oxygen"][0][3]].name]
        points["oxygen"] = tab.NEWS2_OXYGEN_POINTS if best["oxygen"][1] > Decimal(above) else 0
    for part, (_, exact) in best.items():
        x, ladder = float(exact.quantize(Decimal("0.1" if part == "temperature" else "1"), ROUND_HALF_UP)), part
        if part == "consciousness":
            points[part] = tab.NEWS2_NOT_ALERT_POINTS if x > 0 else 0
        elif part != "oxygen":
            if part == "spo2":
                scale_2 = p.fact is not None and p.fact.spo2_scale_2
                if scale_2 and x >= 93 and "oxygen" not in points:
                    continue  # CHOICE: on scale 2 this saturation says nothing while oxygen is unknown
                ladder = f"spo2_scale_2_{'oxygen' if points.get('oxygen') else 'air'}" if scale_2 else "spo2_scale_1"
            points[part] = next(score for bound, score in tab.NEWS2_LADDERS[ladder] if x <= bound)
    return points


def median(slot: Slot) -> Decimal:
    """Of its on-time numbers of the last minute of t. CHOICE: when only sensor bounds came in it, the newest."""
    numbers = sorted(v for t, v in slot.ring if slot.t - tab.MEDIAN_WINDOW_MS < t <= slot.t) or [slot.value or 0.0]
    low, high = numbers[(len(numbers) - 1) // 2], numbers[len(numbers) // 2]
    return (Decimal(repr(low)) + Decimal(repr(high))) / 2  # CHOICE: the mean of the middle two in decimals
