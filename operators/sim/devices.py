"""What devices make of a body: averaging, noise, rounding, movement, electrodes and probes that come off, links that drop.

Seeded, vectorised. Rates and sizes: `ways-in.md` 7 (movement about once in 25 min for 3-60 s, electrodes off once in 6 h, probe off
once in 2.5 h, link down once in 14 h). One message = one device, one instant, encoded here by hand for speed: the same message as
`items.body_of` would give.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.sim.items import READINGS, Draft, Said, Truth, message, no_value
from operators.sim.physiology import DBP, GLUCOSE, HR, RR, SBP, SPO2, TEMP, Array
from operators.sim.stories import Fault, FaultKind
from schemas.facts import DeviceClass

MONITOR_INTERVAL_S, CUFF_INTERVAL_S, THERMOMETER_INTERVAL_S = 5, 900, 14_400
AVERAGING_S = 8.0
NOISE_SD = np.array([0.8, 0.7, 0.25])
MOTION_EVERY_S, LEADS_OFF_EVERY_S, PROBE_OFF_EVERY_S, LINK_DOWN_EVERY_S = 1500.0, 21_600.0, 9_000.0, 50_000.0
MOTION_SPO2_PERCENT = 4.0
"""Mean fall of SpO2 while the probe is moved."""
CGM_LOW_MMOL_L, CGM_HIGH_MMOL_L = 2.2, 22.2
"""Outside its range (40 to 400 mg/dL) a CGM says LOW or HIGH: the bound with `compare`."""
_LEADS_OFF, _NO_SIGNAL = no_value("lead-off"), no_value("no-signal")

Mask = NDArray[np.bool_]


class Device(NamedTuple):
    """A device at a bed."""

    name: str
    kind: str
    """monitor, cuff, thermometer, cgm."""
    device_class: DeviceClass
    interval_s: int
    person: int
    skew_ms: int
    """How far its clock is off; within every tolerance on a clean ward."""


def devices_of(bed: str, person: int, diabetes: bool, cgm_interval_s: int, draw: np.random.Generator) -> list[Device]:
    """The devices of one patient; `bed` makes their names."""
    kinds: list[tuple[str, DeviceClass, int]] = [
        ("monitor", "monitor", MONITOR_INTERVAL_S),
        ("cuff", "spot", CUFF_INTERVAL_S),
        ("thermometer", "spot", THERMOMETER_INTERVAL_S),
    ]
    if diabetes:
        kinds.append(("cgm", "cgm", cgm_interval_s))
    skews = np.clip(draw.normal(0, 300, len(kinds)), -1200, 1200)
    return [Device(f"{kind}-{bed}", kind, of, every, person, int(skew)) for (kind, of, every), skew in zip(kinds, skews, strict=True)]


class Troubles:
    """Planned faults and accidents, as columns over people; `quiet` leaves the accidents out."""

    def __init__(self, people: int, faults: tuple[Fault, ...], quiet: bool, draw: np.random.Generator) -> None:
        self.people, self.faults, self.quiet, self.draw = people, faults, quiet, draw
        self.left_s = {kind: np.zeros(people) for kind in ("motion", "leads_off", "probe_off", "silent")}

    def step(self, at_s: float, dt_s: float) -> dict[str, Mask]:
        """What ails whom at `at_s`: (people,) masks by kind."""
        found: dict[str, Mask] = {}
        for kind, every_s, mean_s, least_s in (
            ("motion", MOTION_EVERY_S, 14.0, 3.0),
            ("leads_off", LEADS_OFF_EVERY_S, 150.0, 15.0),
            ("probe_off", PROBE_OFF_EVERY_S, 150.0, 15.0),
            ("silent", LINK_DOWN_EVERY_S, 300.0, 20.0),
        ):
            left = self.left_s[kind]
            left -= dt_s
            begins = self.draw.random(self.people) < dt_s / every_s
            left[begins] = self.draw.exponential(mean_s, int(begins.sum())) + least_s
            found[kind] = np.zeros(self.people, bool) if self.quiet else left > 0
        for fault in self.faults:
            if fault.from_s <= at_s < fault.until_s:
                self._planned(found, fault.kind, fault.person)
        return found

    @staticmethod
    def _planned(found: dict[str, Mask], kind: FaultKind, person: int) -> None:
        if person < 0:
            found[kind][:] = True
        else:
            found[kind][person] = True


class Monitors:
    """The bedside monitors of a ward: HR, RR, SpO2 of everyone at each step."""

    def __init__(self, first: Array, dt_s: float, draw: np.random.Generator) -> None:
        self.seen = first[:, :3].copy()
        self.gain = 1 - math.exp(-dt_s / AVERAGING_S)
        self.draw = draw

    def read(self, body: Array, moving: Mask) -> Array:
        """(people, 3) whole numbers as the monitors show them."""
        n, draw = len(body), self.draw
        self.seen += self.gain * (body[:, :3] - self.seen)
        shown = self.seen + 0.6 * NOISE_SD * draw.standard_normal((n, 3))
        shown[:, SPO2] -= np.where(moving, draw.exponential(MOTION_SPO2_PERCENT, n), 0)
        shown[:, HR] += np.where(moving, draw.normal(0, 9, n), 0)
        shown[:, RR] += np.where(moving, draw.normal(3, 5, n), 0)
        shown = np.round(shown)
        np.clip(shown[:, HR], 15, 300, out=shown[:, HR])
        np.clip(shown[:, RR], 3, 80, out=shown[:, RR])
        np.clip(shown[:, SPO2], 45, 100, out=shown[:, SPO2])
        return shown


def monitor_message(arrival_ms: int, device: str, t_ms: int, seq: int, values: list[float], leads_off: bool, probe_off: bool) -> Draft:
    """HR, RR, SpO2 of one instant; what is off has no value but a reason."""
    heart, breath, oxygen = values
    if leads_off:
        electrodes = '{"code":"8867-4","absent":"lead-off"},{"code":"9279-1","absent":"lead-off"}'
        rows = [Truth(device, "8867-4", t_ms, None, _LEADS_OFF), Truth(device, "9279-1", t_ms, None, _LEADS_OFF)]
    else:
        electrodes = f'{{"code":"8867-4","value":{int(heart)},"unit":"/min"}},{{"code":"9279-1","value":{int(breath)},"unit":"/min"}}'
        rows = [
            Truth(device, "8867-4", t_ms, heart, 0 if 20 <= heart <= 300 else 2),
            Truth(device, "9279-1", t_ms, breath, 0 if 3 <= breath <= 80 else 2),
        ]
    if probe_off:
        probe = '{"code":"59408-5","absent":"no-signal"}'
        rows.append(Truth(device, "59408-5", t_ms, None, _NO_SIGNAL))
    else:
        probe = f'{{"code":"59408-5","value":{int(oxygen)},"unit":"%"}}'
        rows.append(Truth(device, "59408-5", t_ms, oxygen, 0 if 50 <= oxygen <= 100 else 2))
    body = f'{{"v":1,"device":"{device}","t":{t_ms},"seq":{seq},"readings":[{electrodes},{probe}]}}'
    return Draft(arrival_ms, READINGS, device, body.encode(), "ok", tuple(rows))


def other_message(arrival_ms: int, device: Device, t_ms: int, seq: int, body: Array, draw: np.random.Generator) -> Draft:
    """A cuff's, thermometer's or CGM's reading of the true state `body` (7,) of its person."""
    if device.kind == "cuff":
        systolic, diastolic = np.round(body[[SBP, DBP]] + draw.normal(0, (2.5, 2.0)))
        diastolic = min(float(diastolic), float(systolic) - 10)
        mean = round(diastolic + (systolic - diastolic) / 3)
        said = [Said("8480-6", float(systolic), "mm[Hg]"), Said("8462-4", diastolic, "mm[Hg]"), Said("8478-0", float(mean), "mm[Hg]")]
    elif device.kind == "thermometer":
        said = [Said("8310-5", round(float(body[TEMP] + draw.normal(0, 0.04)), 1), "Cel")]
    else:
        said = [cgm_reading(round(float(body[GLUCOSE] + draw.normal(0, 0.12)), 1))]
    return message(arrival_ms, device.name, t_ms, said, seq=seq)


def cgm_reading(mmol_l: float) -> Said:
    """A CGM's number, or LOW or HIGH at the ends of its range."""
    if mmol_l < CGM_LOW_MMOL_L:
        return Said("99504-3", CGM_LOW_MMOL_L, "mmol/L", compare="<")
    if mmol_l > CGM_HIGH_MMOL_L:
        return Said("99504-3", CGM_HIGH_MMOL_L, "mmol/L", compare=">")
    return Said("99504-3", mmol_l, "mmol/L")
