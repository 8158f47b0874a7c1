"""What happens on a simulated ward: people, the courses of their illness, faults of their devices, facts that change.

Seeded plans, pure data.

Shifts and time constants of the courses [PROPOSAL]: `ways-in.md` 7, from memory; a clinician signs before they stand for anything.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

FaultKind = Literal["probe_off", "leads_off", "silent"]
HOUR_S = 3600.0

# shift at full strength: HR, RR, SpO2, SBP, DBP, Temp, glucose; natural time constant in hours
SHIFTS: dict[str, tuple[float, ...]] = {
    "well": (0, 0, 0, 0, 0, 0, 0),
    "sepsis": (38, 11, -5, -38, -20, 2.1, 2),
    "haemorrhage": (48, 9, -1, -52, -22, -0.5, 1),
    "opioid": (-14, -11, -13, -14, -8, -0.3, 0),
    "hypoxia": (22, 12, -11, 8, 4, 0.3, 0),
    "af": (52, 3, -1, -16, -6, 0, 0),
    "brady": (-38, 0, 0, -22, -12, 0, 0),
    "dka": (26, 11, 0, -16, -8, 0, 17),
    "hypo": (16, 2, 0, 10, 0, -0.3, -5.6),
}
NATURAL_TAU_H: dict[str, float] = {
    "well": 1,
    "sepsis": 7,
    "haemorrhage": 1.6,
    "opioid": 0.8,
    "hypoxia": 3,
    "af": 0.03,
    "brady": 0.05,
    "dka": 6,
    "hypo": 0.5,
}
STORY_NAMES: tuple[str, ...] = tuple(SHIFTS)
SCENARIOS: tuple[str, ...] = ("healthy", *STORY_NAMES[1:-1], "low-glucose", "probe-off", "site-outage", "mixed", "demo")
"""What `sim --story` takes."""


class Course(NamedTuple):
    """An illness: begins at `onset_s`, rises with `tau_s`, is treated at `until_s` and falls as it rose. Seconds since the start."""

    story: str = "well"
    onset_s: float = math.inf
    tau_s: float = HOUR_S
    until_s: float = math.inf


NO_HAPPENING = Course()


class Person(NamedTuple):
    """One patient as the hospital knows them. `age_years` None = the hospital does not know."""

    patient: str
    ward: str
    bed: str
    initials: str
    age_years: int | None
    sex: Literal["F", "M"]
    diabetes: bool = False
    spo2_scale_2: bool = False
    oxygen: bool = False
    pregnant: bool = False
    course: Course = NO_HAPPENING
    tight_limits: bool = False
    """The team gave this patient SpO2 and pulse limits of their own."""
    leaves_s: float = math.inf
    """Discharged then; `returns_s`: admitted anew."""
    returns_s: float = math.inf


class Fault(NamedTuple):
    """A device trouble of one person (index), or of everyone (-1). `silent` = all devices say nothing. Seconds since the start."""

    kind: FaultKind
    person: int
    from_s: float
    until_s: float


class Plan(NamedTuple):
    """A ward and what happens on it."""

    people: tuple[Person, ...]
    faults: tuple[Fault, ...] = ()
    script: tuple[tuple[float, str], ...] = ()
    """(seconds since the start, what happens) for the board of a demo."""
    spread: float = 1.0
    """How far people differ from the mean: 1 = as on a real ward."""
    site_limit_at_s: float = math.inf
    """The site's default limits change then."""
    cgm_interval_s: int = 300
    quiet: bool = False
    """No accidents of devices but the planned ones: for a demonstration."""


def plan(scenario: str, people: int, seed: int, ward: str = "4b", minutes: float = 120.0, natural: bool = False) -> Plan:
    """The plan of a scenario; courses are hurried so that they show within `minutes`, unless `natural`. An unknown one is a ValueError."""
    if scenario not in SCENARIOS and scenario != "well":
        raise ValueError(f"unknown story {scenario!r}; choose from {', '.join(SCENARIOS)}")
    if scenario == "demo":
        return demo(people, seed, ward)
    draw = np.random.default_rng(seed)
    folk = _folk(people, draw, ward)
    length_s = minutes * 60
    if scenario in ("healthy", "well"):
        return Plan(folk)
    if scenario == "site-outage":
        return Plan(folk, (Fault("silent", -1, length_s / 3, length_s / 3 + min(300.0, length_s / 6)),))
    if scenario == "probe-off":
        return Plan(folk, tuple(_fault("probe_off", i, draw, length_s) for i in range(0, people, 3)))
    if scenario == "mixed":
        return _mixed(folk, draw, length_s, natural)
    story = "hypo" if scenario == "low-glucose" else scenario
    ill = tuple(
        p._replace(course=_course(story, draw, length_s, natural), diabetes=p.diabetes or story in ("hypo", "dka")) if i % 3 == 0 else p
        for i, p in enumerate(folk)
    )
    return Plan(ill)


def _folk(people: int, draw: np.random.Generator, ward: str) -> tuple[Person, ...]:
    """People of one or more wards of 30 beds."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    folk = []
    for i in range(people):
        at, bed = divmod(i, 30)
        initials = "".join(letters[k] for k in draw.integers(0, 26, 2))
        folk.append(
            Person(
                patient=f"p-{i + 1:02d}",
                ward=ward if at == 0 else f"{ward}{at + 1}",
                bed=f"{bed + 1:02d}",
                initials=initials,
                age_years=int(np.clip(draw.normal(60, 17), 18, 95)),
                sex="F" if draw.random() < 0.5 else "M",
                diabetes=bool(draw.random() < 0.25),
                spo2_scale_2=bool(draw.random() < 0.05),
                oxygen=bool(draw.random() < 0.15),
            )
        )
    return tuple(folk)


def _course(story: str, draw: np.random.Generator, length_s: float, natural: bool) -> Course:
    """Begins in the first third; half of the people are treated in time to recover within the run."""
    tau_s = NATURAL_TAU_H[story] * HOUR_S
    if not natural:
        tau_s = min(tau_s, 0.08 * length_s)
    onset_s = float(draw.uniform(0.03, 0.33) * length_s)
    until_s = onset_s + 3 * tau_s if draw.random() < 0.5 else math.inf
    return Course(story, round(onset_s, 1), round(tau_s, 1), round(until_s, 1))


def _fault(kind: FaultKind, person: int, draw: np.random.Generator, length_s: float) -> Fault:
    from_s = float(draw.uniform(0.05, 0.85) * length_s)
    return Fault(kind, person, round(from_s, 1), round(from_s + float(draw.uniform(20, 240)), 1))


def _mixed(folk: tuple[Person, ...], draw: np.random.Generator, length_s: float, natural: bool) -> Plan:
    """A bit of everything: each story in turn, device faults, people who leave and return, limits that change, one outage of all."""
    people = list(folk)
    for i, person in enumerate(people):
        story = STORY_NAMES[i % len(STORY_NAMES)]
        if story != "well":
            person = person._replace(course=_course(story, draw, length_s, natural), diabetes=person.diabetes or story in ("hypo", "dka"))
        if i % 11 == 7:
            leaves_s = round(float(draw.uniform(0.4, 0.7)) * length_s, 1)
            returns_s = round(leaves_s + 0.1 * length_s, 1) if draw.random() < 0.6 else math.inf
            person = person._replace(leaves_s=leaves_s, returns_s=returns_s)
        people[i] = person._replace(tight_limits=i % 7 == 3)
    for i, change in ((9, {"age_years": 12}), (14, {"age_years": None}), (17, {"pregnant": True, "age_years": 31, "sex": "F"})):
        if i < len(people):
            people[i] = people[i]._replace(**change)
    kinds: tuple[FaultKind, ...] = ("probe_off", "leads_off", "silent")
    faults = [_fault(kinds[k % 3], int(draw.integers(0, len(people))), draw, length_s) for k in range(max(3, len(people) // 3))]
    outage_s = 0.55 * length_s
    faults.append(Fault("silent", -1, round(outage_s, 1), round(outage_s + min(90.0, length_s / 12), 1)))
    return Plan(tuple(people), tuple(faults), site_limit_at_s=round(0.6 * length_s, 1))


DEMO_BEDS, DEMO_EMPTY_BED = 16, "09"
DEMO_WORSE, DEMO_PROBE, DEMO_HYPO, DEMO_SCALE_2 = "05", "11", "14", "03"
DEMO_SCRIPT: tuple[tuple[float, str], ...] = (
    (0.0, "All beds report. Bed 09 is empty. Bed 03 is scored on SpO2 scale 2."),
    (20.0, "Bed 05 begins to get worse: breathing faster, oxygen falling."),
    (45.0, "The SpO2 probe of bed 11 falls off."),
    (65.0, "The glucose of bed 14 goes low."),
    (70.0, "The nurse finds bed 14 drowsy."),
    (75.0, "The nurse gives bed 05 oxygen and finds it answers to voice only."),
    (240.0, "The probe of bed 11 is back on."),
    (420.0, "Bed 05 is treated and begins to recover."),
    (600.0, "Bed 14 has eaten; its glucose rises."),
)
_DEMO_FOLK: tuple[tuple[str, str, int, Literal["F", "M"], bool, bool], ...] = (
    # bed, initials, age, sex, diabetes, oxygen
    ("01", "NA", 67, "F", False, False),
    ("02", "LH", 54, "M", True, False),
    ("03", "RK", 71, "M", False, True),
    ("04", "SZ", 45, "F", False, False),
    ("05", "MY", 63, "M", False, False),
    ("06", "TB", 58, "F", True, False),
    ("07", "AI", 76, "F", False, False),
    ("08", "KW", 39, "M", False, False),
    ("10", "ZR", 82, "M", False, False),
    ("11", "PV", 49, "F", False, False),
    ("12", "HD", 70, "M", True, False),
    ("13", "NF", 33, "F", False, False),
    ("14", "CS", 61, "M", True, False),
    ("15", "WO", 66, "F", False, False),
    ("16", "JE", 52, "M", False, False),
)


def demo(people: int, seed: int, ward: str) -> Plan:
    """Ward 4b of 16 beds, one kept empty; in the first two minutes one patient deteriorates, one probe falls off, one glucose goes low.

    More than 15 `people` come as neighbours on further wards; fewer leave out the last beds without a part in the script.
    """
    folk = []
    for bed, initials, age, sex, diabetes, oxygen in _DEMO_FOLK:
        course = NO_HAPPENING
        if bed == DEMO_WORSE:
            course = Course("hypoxia", 20.0, 12.0, 420.0)
        elif bed == DEMO_HYPO:
            course = Course("hypo", 15.0, 20.0, 600.0)
        scale_2 = bed == DEMO_SCALE_2
        folk.append(Person(f"p-{bed}", ward, bed, initials, age, sex, diabetes, scale_2, oxygen, course=course))
    parts = (DEMO_WORSE, DEMO_PROBE, DEMO_HYPO, DEMO_SCALE_2)
    if people < len(folk):
        spare = [p for p in folk if p.bed not in parts][max(0, people - len(parts)) :]
        folk = [p for p in folk if p not in spare]
    elif people > DEMO_BEDS:
        more = _folk(people - DEMO_BEDS, np.random.default_rng(seed), ward)
        folk += [p._replace(patient=f"p-{i + 17}", ward=f"{ward}{i // 30 + 2}") for i, p in enumerate(more)]
    probe = next(i for i, p in enumerate(folk) if p.bed == DEMO_PROBE)
    return Plan(tuple(folk), (Fault("probe_off", probe, 45.0, 240.0),), DEMO_SCRIPT, spread=0.35, cgm_interval_s=60, quiet=True)
