"""What the hospital says on a simulated ward: patients, leases of devices, limits, and the nurses' observations.

Pure functions of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from operators.clinical.tables import DEFAULT_LIMITS
from operators.sim.devices import Device
from operators.sim.items import Draft, fact
from operators.sim.order import Ticks
from operators.sim.stories import Person, Plan
from schemas.facts import Command, DeviceFact, Lease, Limit, LimitLevel, Observation, PatientFact, RuleFact

ZONE, STATE_CODE, FACILITY = "KTN01", "KTN", "demo-kb"
ROUNDS_S = 4 * 3600.0
ROUNDS_MAX = 42
"""Rounds planned ahead: a week; a longer live ward must be started again."""
UNBOUND_AFTER_S, SENDS_ON_S = 20.0, 40.0
"""A device is unbound so long after its patient left, and switched off so long after."""
SEVERE = ("sepsis", "haemorrhage", "opioid", "hypoxia", "hypo")
ONE_HOUR_MS = 3_600_000


def command_id(*parts: object) -> str:
    """A UUID that is a pure function of its parts."""
    return str(UUID(bytes=blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()))


def patient_fact(
    person: Person, revision: str, admission: str = "a1", discharged: bool = False, limits: list[Limit] | None = None
) -> PatientFact:
    """What the hospital says of a person."""
    return PatientFact(
        patient=person.patient,
        revision=revision,
        admission=f"{person.patient}-{admission}",
        state="discharged" if discharged else "admitted",
        ward=person.ward,
        bed=person.bed,
        initials=person.initials,
        age_years=person.age_years,
        sex=person.sex,
        pregnant=person.pregnant,
        spo2_scale_2=person.spo2_scale_2,
        spo2_scale_by="doctor-1" if person.spo2_scale_2 else "",
        diabetes=person.diabetes,
        limits=scale_2_limits() if limits is None and person.spo2_scale_2 else limits or [],
        facility=FACILITY,
        state_code=STATE_CODE,
        zone=ZONE,
        languages=["ms", "en"],
        by="admissions",
    )


def own_limits(loosened: bool) -> list[Limit]:
    """Limits that a team gave one patient: tighter SpO2; later the fast-pulse limit is switched off."""
    limits = [Limit("59408-5", "low", LimitLevel("<", 93, 10), 94, 20, LimitLevel("<", 88, 0), by="doctor-1", reason="lung disease")]
    if loosened:
        limits.append(Limit("8867-4", "high", None, by="doctor-2", reason="known fast pulse"))
    return limits


def scale_2_limits() -> list[Limit]:
    """Whoever is prescribed 88-92 % would ring all day at the usual limit of 90 %."""
    return [Limit("59408-5", "low", LimitLevel("<", 85, 15), 87, 30, LimitLevel("<", 78, 0), by="doctor-1", reason="target 88-92 %")]


def site_limits() -> list[Limit]:
    """The default limits with a lower high-pulse limit, as a site may set them."""
    stricter = Limit("8867-4", "high", LimitLevel(">=", 120, 10), 116, 30, by="board", reason="site policy")
    return [stricter if (limit.code, limit.side) == ("8867-4", "high") else limit for limit in DEFAULT_LIMITS]


def facts_of(plan: Plan, devices: Sequence[Device], ticks: Ticks, length_s: float, seed: int, begins_s: Sequence[float]) -> list[Draft]:
    """All facts and commands of a run in order of arrival, patients before their devices. `begins_s`: a nurse's first visit to each."""
    drafts: list[Draft] = []
    for i, person in enumerate(plan.people):
        drafts += _patient(person, ticks, length_s)
        drafts += [draft for device in devices if device.person == i for draft in _leases(device, person, ticks, length_s)]
        drafts += _observations(i, person, ticks, length_s, seed, begins_s[i], plan.quiet)
    if plan.site_limit_at_s < length_s:
        at = ticks.ms(plan.site_limit_at_s)
        drafts.append(fact(at, RuleFact("limits", f"site-{seed}-2", 2, site_limits(), "charge-1", "doctor-9")))
    return sorted(drafts, key=lambda draft: draft.arrival_ms)


def _patient(person: Person, ticks: Ticks, length_s: float) -> list[Draft]:
    ms, name = ticks.ms, str(ticks.start_ms)
    limits = own_limits(False) if person.tight_limits else None
    drafts = [fact(ms(0), patient_fact(person, f"{name}-1", limits=limits))]
    change_s = 0.45 * length_s
    if person.tight_limits and change_s < min(person.leaves_s, length_s):
        drafts.append(fact(ms(change_s), patient_fact(person, f"{name}-2", limits=own_limits(True))))
    if person.leaves_s < length_s:
        drafts.append(fact(ms(person.leaves_s), patient_fact(person, f"{name}-3", discharged=True)))
    if person.returns_s < length_s:
        drafts.append(fact(ms(person.returns_s), patient_fact(person, f"{name}-4", admission="a2")))
    return drafts


def _leases(device: Device, person: Person, ticks: Ticks, length_s: float) -> list[Draft]:
    ms = ticks.ms
    before = ms(0) - ONE_HOUR_MS
    versions = [(0.0, [Lease(person.patient, before, None, "nurse-1")])]
    if person.leaves_s < length_s:
        unbound_s = person.leaves_s + UNBOUND_AFTER_S
        ended = Lease(person.patient, before, ms(unbound_s), "nurse-2")
        versions.append((unbound_s, [ended]))
        if person.returns_s < length_s:
            versions.append((person.returns_s, [ended, Lease(person.patient, ms(person.returns_s), None, "nurse-3")]))
    interval_ms = max(1, round(device.interval_s * 1000 / ticks.speed))
    model = f"sim {device.kind}"
    return [
        fact(ms(at), DeviceFact(device.name, f"{ticks.start_ms}-{n + 1}", device.device_class, interval_ms, leases, model, by="nurse-1"))
        for n, (at, leases) in enumerate(versions)
    ]


def rounds(person: Person, begin_s: float, length_s: float) -> list[tuple[float, str, str]]:
    """(second, consciousness, oxygen) that a nurse notes: at the start, on each round, and where the course asks for it."""
    oxygen = "oxygen" if person.oxygen else "air"
    planned = [(begin_s + k * ROUNDS_S, "A", oxygen) for k in range(ROUNDS_MAX) if begin_s + k * ROUNDS_S < length_s]
    course = person.course
    if course.story in SEVERE:
        worse_s = course.onset_s + max(55.0, 1.2 * course.tau_s)
        given = "oxygen" if course.story in ("hypoxia", "sepsis") else oxygen
        planned.append((worse_s, "C" if course.story == "sepsis" else "V", given))
        if math.isfinite(course.until_s):
            planned.append((course.until_s + 2 * course.tau_s, "A", oxygen))
    return sorted(n for n in planned if n[0] < length_s and not person.leaves_s <= n[0] < person.returns_s)


def _observations(i: int, person: Person, ticks: Ticks, length_s: float, seed: int, begin_s: float, quiet: bool) -> list[Draft]:
    """One command a visit; every other one is entered some time after it was seen, unless `quiet`."""
    drafts = []
    for n, (at_s, acvpu, given) in enumerate(rounds(person, begin_s, length_s)):
        readings = [Observation("67775-7", coded=acvpu), Observation("107117-4", coded=given)]
        seen_ms = ticks.ms(at_s - 20) if n % 2 and not quiet else None
        identity = command_id("observe", ticks.start_ms, seed, person.patient, n)
        by = f"nurse-{i % 5 + 1}"
        drafts.append(fact(ticks.ms(at_s), Command(identity, "observe", person.patient, by, "nurse", seen_ms, None, readings, "sim")))
    return drafts
