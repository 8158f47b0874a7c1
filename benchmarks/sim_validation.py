"""How like recorded people the simulator is: its memory and spread beside theirs, its stories beside what was meant.

Each row gives the simulator's number, the recorded one, and their ratio; numbers of recorded people: `ways-in.md` 7 (CinC 2009 and 2019,
MIMIC numerics). A ratio outside 0.85..1.15 carries the reason. With `--data FOLDER` (default ../shared/data) the steps of one minute are
also compared with the recorded numerics in `wfdb/` by the Kolmogorov-Smirnov distance.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.measure import row
from operators.clinical.news2 import score
from operators.sim.devices import Monitors, Troubles
from operators.sim.physiology import DBP, HR, RR, SBP, SPO2, TEMP, Body
from operators.sim.stories import NATURAL_TAU_H, STORY_NAMES, Course, plan

Array = NDArray[np.floating]
PEOPLE, HOURS, SEED = 200, 24, 1
WARD = "wards are meant to be calmer and more alike than intensive care"
RHYTHM = "a ward has a day rhythm, intensive care almost none"
MOTION = "whole numbers and moved probes; what was recorded is one person"
# (name, vital, recorded number, reason when the simulator is meant to differ)
RECORDED = {
    "sd_between": ((HR, 14.9, WARD), (RR, 2.9, WARD), (SPO2, 1.9, WARD), (SBP, 18.8, WARD), (DBP, 10.7, WARD), (TEMP, 0.55, WARD)),
    "sd_within": ((HR, 9.6, WARD), (RR, 3.5, WARD), (SPO2, 2.1, WARD), (SBP, 15.6, WARD), (DBP, 9.2, WARD), (TEMP, 0.53, WARD)),
    "sd_in_an_hour": ((HR, 3.1, ""), (RR, 2.1, WARD), (SPO2, 0.52, "")),
    "acf_hour_1_min": ((HR, 0.62, ""), (RR, 0.39, ""), (SPO2, 0.70, MOTION)),
    "acf_hours_1_h": ((HR, 0.67, RHYTHM), (RR, 0.44, RHYTHM), (SPO2, 0.38, RHYTHM), (SBP, 0.49, RHYTHM), (TEMP, 0.83, RHYTHM)),
}
NAMES = {HR: "HR", RR: "RR", SPO2: "SpO2", SBP: "SBP", DBP: "DBP", TEMP: "Temp"}
STORY_HOURS = (0, 2, 6, 12)
# vitals-only NEWS2 before, at 2, 6, 12 h, as the stories are meant [PROPOSAL]
MEANT = {
    "well": (1.1, 1.3, 1.0, 1.2),
    "sepsis": (1.2, 2.3, 5.9, 9.1),
    "haemorrhage": (1.2, 6.4, 8.2, 8.4),
    "opioid": (1.2, 6.4, 6.3, 6.1),
    "hypoxia": (1.2, 5.0, 7.7, 7.9),
    "af": (1.2, 4.7, 4.7, 5.1),
    "brady": (1.2, 3.8, 3.2, 3.3),
    "dka": (1.2, 2.4, 4.0, 5.1),
    "hypo": (1.2, 1.8, 2.2, 2.4),
}


def shown_by_minute(seed: int) -> Array:
    """(minutes, people, 3): what monitors show, once a minute, of well people without accidents."""
    folk = plan("healthy", PEOPLE, seed).people
    body, draw = Body(folk, seed, 5.0, 0.0), np.random.default_rng(seed)
    monitors, troubles = Monitors(body.step(), 5.0, draw), Troubles(PEOPLE, (), True, draw)
    minutes = []
    for step in range(HOURS * 720):
        shown = monitors.read(body.step(), troubles.step(step * 5.0, 5.0)["motion"])
        if step % 12 == 0:
            minutes.append(shown)
    return np.stack(minutes)


def bodies_by_minute(seed: int) -> Array:
    """(minutes, people, 7) true values of well people."""
    body = Body(plan("healthy", PEOPLE, seed).people, seed, 60.0, 0.0)
    return np.stack([body.step() for _ in range(HOURS * 60)])


def autocorrelation(x: Array, lag: int) -> float:
    """Of paths along axis 0, each around its own mean."""
    x = x - x.mean(0)
    return float((x[lag:] * x[:-lag]).mean() / (x * x).mean())


def numbers(true: Array, shown: Array) -> dict[str, dict[int, float]]:
    """The simulator's side of `RECORDED`."""
    hourly = true[::60]  # one reading an hour, as the recorded ones are
    in_hour = shown.reshape(HOURS, 60, PEOPLE, 3).transpose(1, 0, 2, 3).reshape(60, -1, 3)
    return {
        "sd_between": {v: float(true[..., v].mean(0).std()) for v in NAMES},
        "sd_within": {v: float(hourly[..., v].std(0).mean()) for v in NAMES},
        "sd_in_an_hour": {v: float(in_hour[..., v].std(0).mean()) for v in (HR, RR, SPO2)},
        "acf_hour_1_min": {v: autocorrelation(in_hour[..., v], 1) for v in (HR, RR, SPO2)},
        "acf_hours_1_h": {v: autocorrelation(hourly[..., v], 1) for v in NAMES},
    }


def compare(true: Array, shown: Array) -> None:
    """One row a number."""
    found = numbers(true, shown)
    for what, of in RECORDED.items():
        for vital, recorded, reason in of:
            here = found[what][vital]
            ratio = round(here / recorded, 2)
            within = 0.85 <= ratio <= 1.15
            row(
                "sim_validation",
                what=what,
                vital=NAMES[vital],
                simulated=round(here, 3),
                recorded=recorded,
                ratio=ratio,
                why="" if within else reason or "unexplained",
            )


def stories(people: int = 100) -> None:
    """Vitals-only NEWS2 (alert, on air) of each story at its own pace, before and 2, 6, 12 h after the onset."""
    for name in STORY_NAMES:
        course = Course(name, 3600.0, NATURAL_TAU_H[name] * 3600)
        body = Body([p._replace(course=course, spo2_scale_2=False) for p in plan("healthy", people, SEED).people], SEED, 60.0, 8.0)
        path = [body.step() for _ in range(60 + 60 * STORY_HOURS[-1] + 2)]
        means = []
        for hour in STORY_HOURS:
            x = path[59 + 60 * hour]
            scores = [score(p[RR], p[SPO2], 1, False, p[SBP], p[HR], "A", p[TEMP]).lower_bound for p in x.tolist()]
            means.append(round(float(np.mean(scores)), 1))
        row("sim_validation", what="news2_by_story", story=name, hours=STORY_HOURS, simulated=means, meant=MEANT[name])


def steps(shown: Array, folder: Path) -> None:
    """Kolmogorov-Smirnov distance of steps of one minute, simulated against recorded; 0 is the same, 1 has nothing in common."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        print(f"sim_validation: no recorded numerics in {folder}: steps are not compared", file=sys.stderr)
        return
    for name, vital, column in (("HR", HR, "HR"), ("RR", RR, "RESP"), ("SpO2", SPO2, "SpO2")):
        recorded = np.concatenate([_steps_of(pl.read_csv(path)[column].to_numpy()) for path in files])
        simulated = np.diff(shown[..., vital], axis=0).ravel()
        distance = ks_distance(simulated, np.round(recorded))
        row("sim_validation", what="ks_of_1_min_steps", vital=name, distance=round(distance, 3), recorded_steps=len(recorded))


def _steps_of(values: Array) -> Array:
    """Differences of neighbours that are both numbers; 0 is a drop-out there."""
    good = np.isfinite(values) & (values > 0)
    return np.diff(values)[good[1:] & good[:-1]]


def ks_distance(a: Array, b: Array) -> float:
    """Greatest difference of the two cumulative distributions."""
    at = np.unique(np.concatenate([a, b]))
    return float(np.abs(np.searchsorted(np.sort(a), at, "right") / len(a) - np.searchsorted(np.sort(b), at, "right") / len(b)).max())


def run(data: Path = Path("../shared/data")) -> None:
    """All rows."""
    true, shown = bodies_by_minute(SEED), shown_by_minute(SEED)
    compare(true, shown)
    steps(shown, data / "wfdb")
    stories()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The simulator beside recorded people.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    run(parser.parse_args().data)
