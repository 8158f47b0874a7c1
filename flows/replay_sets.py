"""Recorded sets as one table of what was charted: `mimic3_demo`, `cinc2012`, `cgm`. Read by polars, mapped by tables, nothing guessed.

A set becomes `Recording`: rows (person, device, t_ms, arrival_ms, code, value, unit, compare), observations, people, and counts of what was
left out. Times are the set's own; `flows.replay` shifts them. Dirt stays: zeros, impossible numbers, odd units go to `ingest` as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from flows.replay_tables import (
    CGM_CEILINGS_MG_DL,
    CGM_DIABETES,
    CGM_FLOOR_MG_DL,
    CINC,
    CONSCIOUSNESS,
    MIMIC,
    MIMIC_HIDDEN_AGE_YEARS,
    OLDEST_YEARS,
    OXYGEN_BY,
    Mapping,
)
from schemas.facts import DeviceClass

ROWS = ("person", "device", "t_ms", "arrival_ms", "code", "value", "unit", "compare")
OBSERVATIONS = ("person", "t_ms", "arrival_ms", "kind", "word")


class ReplayError(ValueError):
    """The folder cannot be replayed; the message says why."""


class RecordedPerson(NamedTuple):
    """What the set says about a person."""

    age_years: int | None = None
    sex: Literal["F", "M"] | None = None
    diabetes: bool = False


class Recording(NamedTuple):
    """A set, ready to be shifted."""

    name: str
    device_class: DeviceClass
    interval_ms: int
    rows: pl.DataFrame
    """Columns `ROWS`."""
    observations: pl.DataFrame
    """Columns `OBSERVATIONS`: `kind` = LOINC of consciousness or oxygen, `word` = as a command says it."""
    people: dict[str, RecordedPerson]
    left_out: dict[str, int]
    """What was not sent, by reason."""


def kind_of(folder: Path) -> str:
    """`mimic3_demo`, `cinc2012` or `cgm`, by the files that lie there. Raises ReplayError."""
    if (folder / "vital_events.parquet").is_file():
        return "mimic3_demo"
    if (folder / "events.parquet").is_file() and (folder / "patients.csv").is_file():
        return "cinc2012"
    if any(_is_cgm(path) for path in sorted(folder.glob("*.parquet"))) if folder.is_dir() else _is_cgm(folder):
        return "cgm"
    raise ReplayError(f"{folder}: not laid out as mimic3_demo, cinc2012 or cgm (no vital_events.parquet, events.parquet or CGM parquet)")


def _is_cgm(path: Path) -> bool:
    return path.suffix == ".parquet" and path.is_file() and {"patient", "ts", "mgdl"} <= set(pl.read_parquet_schema(path))


def load(folder: Path, people: int | None = None) -> Recording:
    """Reads a folder (for `cgm` also one file); `people`: only so many, in the order of their ids. Raises ReplayError."""
    return {"mimic3_demo": _mimic, "cinc2012": _cinc, "cgm": _cgm}[kind_of(folder)](folder, people)


def _first(frame: pl.DataFrame, column: str, people: int | None) -> list[str]:
    """The first people in the order of their ids (as text)."""
    ids = sorted(frame[column].cast(pl.String).unique().to_list())
    return ids if people is None else ids[:people]


def _mapped(frame: pl.DataFrame, mapping: Mapping, left_out: dict[str, int]) -> pl.DataFrame:
    """Adds LOINC, device and unit to `code`, `unit`; what has no mapping is counted and goes."""
    known = pl.DataFrame({"said": list(mapping), "code": [m[0] for m in mapping.values()], "device": [m[1] for m in mapping.values()]})
    units = [(said, unit, ucum) for said, (_, _, table) in mapping.items() for unit, ucum in table.items()]
    ucum = pl.DataFrame({"said": [u[0] for u in units], "lower": [u[1] for u in units], "ucum": [u[2] for u in units]})
    frame = frame.rename({"code": "said"}).with_columns(pl.col("said").cast(pl.String), pl.col("unit").cast(pl.String))
    unmapped = frame.filter(~pl.col("said").is_in(list(mapping)))
    left_out |= {f"unmapped code {code}": n for code, n in sorted(unmapped.group_by("said").len().rows())}
    frame = frame.with_columns(lower=pl.col("unit").fill_null("").str.to_lowercase())
    frame = frame.join(known, on="said", how="inner", maintain_order="left")
    frame = frame.join(ucum, on=["said", "lower"], how="left", maintain_order="left")
    return frame.with_columns(unit=pl.coalesce("ucum", "unit"))


def _mimic(folder: Path, people: int | None) -> Recording:
    """By storetime; rows without one arrive at their charttime. Rows that the set marks as error were struck out there: left out."""
    left_out: dict[str, int] = {}
    events = pl.read_parquet(folder / "vital_events.parquet").with_columns(person=pl.col("subject_id").cast(pl.String))
    chosen = _first(events, "person", people)
    events = events.filter(pl.col("person").is_in(chosen))
    struck = events.filter(pl.col("error").fill_null(0) != 0)
    valueless = events.filter(pl.col("value").is_null())
    left_out |= {"marked as error": len(struck), "no value": len(valueless)}
    events = events.filter((pl.col("error").fill_null(0) == 0) & pl.col("value").is_not_null())
    rows = _mapped(events, MIMIC, left_out).with_columns(
        t_ms=pl.col("charttime").dt.epoch("ms"),
        arrival_ms=pl.coalesce("storetime", "charttime").dt.epoch("ms"),
        compare=pl.lit(None, pl.String),
    )
    rows = rows.select(ROWS)
    return Recording("mimic3", "charted", 3_600_000, rows, _words(folder, chosen, left_out), _mimic_people(folder, rows), left_out)


def _no_words() -> pl.DataFrame:
    return pl.DataFrame(schema={name: pl.Int64 if name.endswith("_ms") else pl.String for name in OBSERVATIONS})


def _words(folder: Path, chosen: list[str], left_out: dict[str, int]) -> pl.DataFrame:
    """Consciousness and oxygen from text. A word without a sure meaning is counted."""
    path = folder / "text_obs.parquet"
    if not path.is_file():
        return _no_words()
    text = pl.read_parquet(path).with_columns(person=pl.col("subject_id").cast(pl.String))
    text = text.filter(pl.col("person").is_in(chosen)).with_columns(
        said=pl.col("value").str.to_lowercase(),
        conscious=pl.col("label").str.to_lowercase().str.contains("conscious"),
        charttime=pl.col("charttime").str.to_datetime(),
        storetime=pl.col("storetime").str.to_datetime(),
    )
    acvpu = pl.col("said").replace_strict(CONSCIOUSNESS, default=None, return_dtype=pl.String)
    given = pl.when(pl.col("said").is_in(list(OXYGEN_BY))).then(pl.lit("oxygen"))
    text = text.with_columns(
        kind=pl.when("conscious").then(pl.lit("67775-7")).otherwise(pl.lit("107117-4")),
        word=pl.when("conscious").then(acvpu).otherwise(given),
    )
    for kind, what in (("67775-7", "consciousness"), ("107117-4", "oxygen device")):
        unsure = text.filter((pl.col("kind") == kind) & pl.col("word").is_null()).with_columns(pl.col("value").fill_null("(none)"))
        left_out |= {f"unknown word for {what}: {word}": n for word, n in sorted(unsure.group_by("value").len().rows())}
    return (
        text.filter(pl.col("word").is_not_null())
        .with_columns(t_ms=pl.col("charttime").dt.epoch("ms"), arrival_ms=pl.coalesce("storetime", "charttime").dt.epoch("ms"))
        .select(OBSERVATIONS)
        .unique(maintain_order=True)
    )


def _mimic_people(folder: Path, rows: pl.DataFrame) -> dict[str, RecordedPerson]:
    """Age in whole years at the first arrival, by the set's (shifted) birth dates."""
    first = rows.group_by("person").agg(at=pl.from_epoch(pl.col("arrival_ms").min(), time_unit="ms").dt.date())
    people = dict.fromkeys(first["person"].to_list(), RecordedPerson())
    path = folder / "patients.csv"
    if not path.is_file():
        return people
    table = pl.read_csv(path).select("gender", person=pl.col("subject_id").cast(pl.String), born=pl.col("dob").str.to_datetime().dt.date())
    for person, gender, born, at in table.join(first, on="person").select("person", "gender", "born", "at").rows():
        years = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
        age = OLDEST_YEARS if years >= MIMIC_HIDDEN_AGE_YEARS - 1 else years
        people[person] = RecordedPerson(age, gender if gender in {"F", "M"} else None)
    return people


def _cinc(folder: Path, people: int | None) -> Recording:
    """Minute stamps, which are arrival too. -1 stands for unknown: such weights are left out."""
    left_out: dict[str, int] = {}
    events = pl.read_parquet(folder / "events.parquet").with_columns(person=pl.col("patient").cast(pl.String))
    events = events.filter(pl.col("person").is_in(_first(events, "person", people)))
    unknown = (pl.col("code").cast(pl.String) == "Weight") & (pl.col("value") < 0)
    left_out["weight -1 (unknown)"] = len(events.filter(unknown))
    at_ms = pl.col("minute").cast(pl.Int64) * 60_000
    rows = _mapped(events.filter(~unknown).with_columns(unit=pl.lit("")), CINC, left_out)
    rows = rows.with_columns(t_ms=at_ms, arrival_ms=at_ms, compare=pl.lit(None, pl.String)).select(ROWS)
    table = pl.read_csv(folder / "patients.csv").with_columns(pl.col("patient").cast(pl.String))
    ids = set(rows["person"].unique().to_list())
    sexes: dict[float, Literal["F", "M"]] = {0.0: "F", 1.0: "M"}
    found = {
        person: RecordedPerson(int(age) if age is not None and age >= 0 else None, sexes.get(sex))
        for person, age, sex in table.select("patient", "Age", "Gender").rows()
        if person in ids
    }
    return Recording("cinc2012", "charted", 3_600_000, rows, _no_words(), dict.fromkeys(ids, RecordedPerson()) | found, left_out)


def _cgm(folder: Path, people: int | None) -> Recording:
    """CGM glucose; local clocks are taken as UTC. A number at the sensor's floor or ceiling is LOW or HIGH: the bound with `compare`."""
    files = [folder] if folder.is_file() else [path for path in sorted(folder.glob("*.parquet")) if _is_cgm(path)]
    left_out: dict[str, int] = {}
    frames, folk = [], dict[str, RecordedPerson]()
    for path in files:
        frame = _cgm_file(path, left_out)
        ids = _first(frame, "person", people)
        frames.append(frame.filter(pl.col("person").is_in(ids)))
        folk |= {person: RecordedPerson(diabetes=path.stem in CGM_DIABETES) for person in ids}
    rows = pl.concat(frames)
    if people is not None:
        chosen = sorted(folk)[:people]
        rows, folk = rows.filter(pl.col("person").is_in(chosen)), {person: folk[person] for person in chosen}
    return Recording("cgm", "cgm", 300_000, rows, _no_words(), folk, left_out)


def _cgm_file(path: Path, left_out: dict[str, int]) -> pl.DataFrame:
    """One file: numbers in mg/dL, or text with LOW and HIGH in it."""
    frame = pl.read_parquet(path)
    if frame.schema["mgdl"] in (pl.String, pl.Categorical):
        said = pl.col("mgdl").cast(pl.String).str.to_lowercase()
        frame = frame.with_columns(
            compare=pl.when(said == "low").then(pl.lit("<")).when(said == "high").then(pl.lit(">")),
            value=pl.when(said == "low")
            .then(CGM_FLOOR_MG_DL)
            .when(said == "high")
            .then(CGM_CEILINGS_MG_DL[0])
            .otherwise(said.cast(pl.Float64, strict=False)),
        )
    else:
        top = float(frame["mgdl"].max() or 0)  # type: ignore[arg-type]
        ceiling = top if any(0 <= top - bound < 1 for bound in CGM_CEILINGS_MG_DL) else float("inf")
        value = pl.col("mgdl").cast(pl.Float64).round(3)
        frame = frame.with_columns(
            compare=pl.when(pl.col("mgdl") <= CGM_FLOOR_MG_DL).then(pl.lit("<")).when(pl.col("mgdl") >= ceiling).then(pl.lit(">")),
            value=value,
        )
    left_out["no value"] = left_out.get("no value", 0) + frame["value"].null_count()
    at_ms = pl.col("ts").dt.epoch("ms")
    return (
        frame.filter(pl.col("value").is_not_null())
        .with_columns(
            person=pl.lit(f"{path.stem}-") + pl.col("patient").cast(pl.String),
            device=pl.lit("cgm"),
            t_ms=at_ms,
            arrival_ms=at_ms,
            code=pl.lit("99504-3"),
            unit=pl.lit("mg/dL"),
        )
        .select(ROWS)
    )


def safe_name(text: str) -> str:
    """A set's own id as part of a pseudonym."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)
