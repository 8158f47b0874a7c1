"""Small made-up folders laid out as the recorded sets are, with their kinds of dirt. Invented numbers; no one's data."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

BEGIN = datetime(2150, 3, 1, 8)  # noqa: DTZ001 - the sets have local times without a zone


def _at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


# person, chart minute, store minute or None, code, value, unit, error
EVENTS: list[tuple[int, float, float | None, str, float, str | None, float]] = [
    (11, 0, 5, "heart_rate", 88.0, "bpm", 0),
    (11, 0, 5, "resp_rate", 18.0, "insp/min", 0),
    (11, 0, 5, "spo2", 97.0, "%", 0),
    (11, 0, 5, "sbp_art", 0.0, "mmHg", 0),  # the line is off
    (11, 0, 5, "sbp_nibp", 118.0, "mmHg", 0),
    (11, 0, 5, "temp_f", 99.5, "?F", 0),
    (11, 0, 5, "temp_c", 37.0, "Deg. C", 0),  # the same twice over: a code twice in one instant
    (11, 60, 50, "heart_rate", 140.0, "BPM", 0),  # stored before its chart time
    (11, 60, 300, "spo2", 85.0, "%", 0),  # four hours late
    (11, 120, None, "glucose_lab", 50.0, "mg/dL", 0),  # no storetime: arrives at its charttime
    (11, 130, 131, "glucose_poc", 120.0, None, 0),  # no unit
    (11, 180, 181, "fio2", 0.5, "torr", 0),
    (11, 200, 201, "sbp_nibp", 11647.0, "mmHg", 0),
    (11, 210, 211, "heart_rate", 300.0, "bpm", 1),  # struck out
    (11, 220, 221, "gcs_total", 15.0, "points", 0),  # not mapped
    (12, 10_000, 10_001, "heart_rate", 60.0, "bpm", 0),
    (12, 10_060, 10_061, "heart_rate", 61.0, "bpm", 0),
]
WORDS: list[tuple[int, float, float | None, str, str | None, str]] = [
    (11, 1, 6, "432", "Alert", "Level of Conscious"),
    (11, 1, 6, "467", "Nasal Cannula", "O2 Delivery Device"),
    (11, 70, 71, "226104", "Arouse to Voice", "Level of Consciousness"),
    (11, 70, 71, "226104", "Unresponsive", "Level of Consciousness"),
    (11, 90, 91, "432", "Lethargic", "Level of Conscious"),
    (11, 95, 96, "467", "Endotracheal tube", "O2 Delivery Device"),
    (11, 99, 99, "467", None, "O2 Delivery Device"),
]


def mimic(folder: Path) -> Path:
    """As `mimic3_demo`: two people, the second a week later and over 89 (birth moved back by 300 years)."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(
        {
            "subject_id": [e[0] for e in EVENTS],
            "charttime": [_at(e[1]) for e in EVENTS],
            "storetime": [None if e[2] is None else _at(e[2]) for e in EVENTS],
            "itemid": list(range(len(EVENTS))),
            "code": [e[3] for e in EVENTS],
            "value": [e[4] for e in EVENTS],
            "unit": [e[5] for e in EVENTS],
            "error": [e[6] for e in EVENTS],
        },
        schema_overrides={"code": pl.Categorical, "unit": pl.Categorical, "charttime": pl.Datetime("us"), "storetime": pl.Datetime("us")},
    ).write_parquet(folder / "vital_events.parquet")
    pl.DataFrame(
        {
            "subject_id": [w[0] for w in WORDS],
            "charttime": [str(_at(w[1])) for w in WORDS],
            "storetime": [None if w[2] is None else str(_at(w[2])) for w in WORDS],
            "itemid": [int(w[3]) for w in WORDS],
            "value": [w[4] for w in WORDS],
            "label": [w[5] for w in WORDS],
        }
    ).write_parquet(folder / "text_obs.parquet")
    (folder / "patients.csv").write_text("subject_id,gender,dob\n11,F,2086-03-01 00:00:00\n12,M,1850-01-01 00:00:00\n")
    return folder


def cinc(folder: Path) -> Path:
    """As `cinc2012`: minute stamps, -1 for unknown, SysABP 0, Temp -17.8, FiO2 a fraction, codes that are not mapped."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ("201", 0, "Weight", -1.0),
        ("201", 7, "HR", 73.0),
        ("201", 7, "NISysABP", 147.0),
        ("201", 7, "Temp", -17.8),
        ("201", 37, "HR", 135.0),
        ("201", 37, "SysABP", 0.0),
        ("201", 67, "HR", 136.0),
        ("201", 67, "FiO2", 0.5),
        ("201", 67, "pH", 7.4),
        ("202", 30, "Weight", 80.6),
        ("202", 30, "RespRate", 31.0),
    ]
    pl.DataFrame(
        {"patient": [r[0] for r in rows], "minute": [r[1] for r in rows], "code": [r[2] for r in rows], "value": [r[3] for r in rows]},
        schema_overrides={"patient": pl.Categorical, "minute": pl.Int16, "code": pl.Categorical},
    ).write_parquet(folder / "events.parquet")
    (folder / "patients.csv").write_text("patient,set,Age,Gender,Height\n201,a,54.0,0.0,-1.0\n202,a,-1.0,-1.0,170.0\n")
    return folder


def cgm(folder: Path) -> Path:
    """As `cgm`: one file of numbers that end at 40 and 400, one with LOW and HIGH as words."""
    folder.mkdir(parents=True, exist_ok=True)
    values = [151.0, 60.0, 45.0, 40.0, 400.0, 120.0]
    at = [BEGIN + timedelta(minutes=5 * n) for n in range(len(values))]
    pl.DataFrame({"patient": ["Subject 1"] * 6, "ts": at, "mgdl": values}, schema_overrides={"mgdl": pl.Float32}).write_parquet(
        folder / "AZT1D.parquet"
    )
    words = ["100", "LOW", "HIGH", "n/a"]
    pl.DataFrame({"patient": ["B"] * 4, "ts": at[:4], "mgdl": words}).write_parquet(folder / "Words.parquet")
    return folder
