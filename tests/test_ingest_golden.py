"""What leaves the door is a storage format: a small story, kept as it left. If it must change, `python -m tests.test_ingest_golden` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

from schemas.facts import Observation
from schemas.records import Append
from schemas.timeline import decode
from tests.support.ingest import DAY, MIN, T0, Log, Recs, new_core, plain, reading, replayed

GOLDEN = Path(__file__).parent / "golden" / "ingest.jsonl"


def story() -> list[Append]:
    """A ward of two in stream time: binding, rebinding, every kind of row, a command of each fate, a dead letter of each stage, a midnight."""
    log, core = Log("stream"), new_core("stream", shards=2)
    appends = core.start()
    opening = [
        log.patient("p1", T0, ward="4b", age_years=70),
        log.patient("p2", T0),
        log.device("m1", [("p1", T0 - DAY, None)], T0),
        log.device("g1", [("p2", T0 - DAY, None)], T0, "cgm"),
        log.mark("rules", T0),
    ]
    appends += core.apply(Recs(opening), T0)
    vitals = reading("m1", T0 + 1000, 88.5)
    vitals["readings"] += [{"code": "59408-5", "value": 0, "unit": "%"}, {"code": "8310-5", "value": 99.5, "unit": "[degF]"}]
    rows = [
        log.said(vitals, T0 + 1200),
        log.said(vitals, T0 + 1300),
        log.said(reading("m1", T0 + 500, 87), T0 + 1400),
        log.said(reading("m1", T0 + MIN, 86), T0 + 1500),
        log.said({"device": "g1", "beat": True}, T0 + 1600),
        log.said(reading("g1", T0 + 1600, 39, "99504-3", "mg/dL", compare="<"), T0 + 1700, 1),
        log.command(T0 + 1800, 1, readings=[Observation("67775-7", coded="V")], at_ms=T0 + 900),
        log.command(T0 + 1900, 2, "p9", readings=[Observation("67775-7", coded="V")]),
        log.command(T0 + 1900, 3, kind="acknowledge", alert="00"),
        log.device("m1", [("p1", T0 - DAY, T0 + 2000), ("p2", T0 + 2000, None)], T0 + 2000),
        log.said(reading("m1", T0 + 2000, 70), T0 + 2100),
        log.said(reading("stranger", T0 + 2000), T0 + 2200),
        log.said(b"{", T0 + 2300),
        log.said(reading("m1", T0 + 100, 90), T0 + 2400, headers=replayed(T0 + 150)),
        log.put("devices", None, T0 + 2500, "g1"),
        log.mark("device-readings", T0 + 3000, b"end"),
    ]
    appends += core.apply(Recs(rows), T0 + 2999)
    return appends + core.apply(Recs([]), T0 + DAY) + core.stop()


def lines(appends: list[Append]) -> list[str]:
    """One line an append: topic, partition, and the value as people can read it."""
    return [json.dumps([a.topic, a.partition, readable(a), [f"{name}={value.decode()}" for name, value in a.headers]]) for a in appends]


def readable(append: Append) -> object:
    value = append.value or b""
    if append.topic != "timeline":
        return value.decode()
    entry = decode(value)
    if isinstance(entry, np.ndarray):
        return plain(entry)
    said = msgspec.to_builtins(entry, builtin_types=(bytes,))
    return [part.decode() if isinstance(part, bytes) else part for part in said]


def test_what_leaves_is_what_left() -> None:
    assert lines(story()) == GOLDEN.read_text().splitlines()


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(lines(story())) + "\n")
