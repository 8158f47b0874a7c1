"""What a replay came to: read from the log itself, after the run, so that it can be said again at any time.

`readings dead_letters alerts patient_days event_ids_sha256` are the fixed keys; the rest explains them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from flows.alertfold import events
from flows.records import read_range
from schemas.codes import BEAT, LATE, NO_VALUE
from schemas.columns import SOURCE_TOPICS
from schemas.timeline import Bye, Time, decode
from schemas.topics import BY_NAME, POSITION, REASON
from sinks.log.api import TP, Log

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
TIMELINE_TPS = tuple(TP("timeline", p) for p in range(BY_NAME["timeline"].partitions))
LIVE_TPS = tuple(TP("live", p) for p in range(BY_NAME["live"].partitions))
TAIL = 50
"""So many records before a shard's end hold its last time entry."""
ATTRIBUTION = {
    "mimic3": "MIMIC-III Clinical Database Demo 1.4, PhysioNet, ODbL 1.0",
    "cinc2012": "PhysioNet/CinC Challenge 2012 set a, ODC-By 1.0",
    "cgm": "Glucose-ML collection (Bris-T1D_Open, AZT1D, ShanghaiT1DM, ShanghaiT2DM, HUPA-UCM, Hall_2018), CC BY 4.0; BIGIDEAs, ODC-By 1.0",
}


class _Live(msgspec.Struct):
    """What matters of a frame here."""

    t_ms: int


_live = msgspec.json.Decoder(_Live).decode


def ids_sha256(ids: Iterable[str]) -> str:
    """SHA-256 of the sorted hex ids joined by newline: equal for equal sets."""
    return sha256("\n".join(sorted(set(ids))).encode()).hexdigest()


def judged(log: Log, patients: Collection[str] | None = None) -> dict[str, object]:
    """Alerts and events of these patients (default: all), each event counted once however often it was written."""
    ids: list[str] = []
    transitions: Counter[str] = Counter()
    raised: dict[str, Counter[str]] = {}
    for placed in events(log):
        event = placed.event
        if patients is not None and event.patient not in patients:
            continue
        ids.append(event.id)
        transitions[event.transition] += 1
        if event.transition == "raised" and event.state is not None:
            raised.setdefault(event.state.rule, Counter())[event.state.priority] += 1
    return {
        "alerts": sum(sum(of.values()) for of in raised.values()),
        "alerts_by_rule": {rule: dict(sorted(raised[rule].items())) for rule in sorted(raised)},
        "events": len(ids),
        "events_by_transition": dict(sorted(transitions.items())),
        "event_ids_sha256": ids_sha256(ids),
    }


def refused(log: Log) -> dict[str, object]:
    """Dead letters by reason, each refused record once."""
    reasons: dict[tuple[bytes, bytes], str] = {}
    for record in read_range(log, TP("dead-letter", 0)):
        headers = dict(record.headers)
        reasons[headers.get(POSITION, b""), headers.get(REASON, b"")] = headers.get(REASON, b"?").decode()
    counts = Counter(reasons.values())
    return {"dead_letters": sum(counts.values()), "dead_letters_by_reason": dict(sorted(counts.items()))}


def attributed(log: Log) -> dict[str, object]:
    """Rows of the timeline, each position once: those of devices and of people, late ones, those without value, and hours of patients."""
    rows = late = without = 0
    by_topic: Counter[str] = Counter()
    hours: set[tuple[int, int]] = set()
    seen: dict[tuple[int, int], int] = {}
    for record in read_range(log, *TIMELINE_TPS):
        entry = decode(record.value or b"")
        if not isinstance(entry, np.ndarray):
            continue
        for source in np.unique(entry["partition"]).tolist():
            place = (record.partition, source)
            new = entry[(entry["partition"] == source) & (entry["offset"].astype(np.int64) > seen.get(place, -1))]
            if not len(new):
                continue
            seen[place] = int(new["offset"].max())
            new = new[(new["flags"] & BEAT) == 0]
            rows += len(new)
            late += int(((new["flags"] & LATE) != 0).sum())
            without += int(((new["flags"] & NO_VALUE) != 0).sum())
            by_topic[SOURCE_TOPICS[source >> 16]] += len(new)
            hours.update(zip(new["patient"].tolist(), (new["received"] // HOUR_MS).tolist(), strict=True))
    return {
        "rows": rows,
        "rows_late": late,
        "rows_without_value": without,
        "rows_by_topic": dict(sorted(by_topic.items())),
        "patient_days_with_readings": round(len(hours) / 24, 3),
    }


def timeline_ended(log: Log) -> int | None:
    """The time at which every shard of the timeline ended with a `bye`; None while one has not."""
    least: int | None = None
    ends = log.ends(TIMELINE_TPS)
    for tp in TIMELINE_TPS:
        tail = [decode(r.value or b"") for r in read_range(log, tp, starts={tp: max(0, ends[tp] - TAIL)})]
        if not tail or not isinstance(tail[-1], Bye):
            return None
        times = [entry.t_ms for entry in tail if isinstance(entry, Time)]
        if not times:
            return None
        least = times[-1] if least is None else min(least, times[-1])
    return least


def frames_reach(log: Log, wanted_ms: int) -> bool:
    """Whether the newest frame of every shard is of `wanted_ms` or later."""
    ends = log.ends(LIVE_TPS)
    for tp in LIVE_TPS:
        tail = list(read_range(log, tp, starts={tp: max(0, ends[tp] - 1)})) if ends[tp] else []
        if not tail or _live(tail[-1].value or b"").t_ms < wanted_ms:
            return False
    return True


def replay_report(
    log: Log,
    *,
    name: str,
    spans_ms: Collection[tuple[int, int]],
    patients: Collection[str],
    readings: int,
    left_out: dict[str, int],
    run: dict[str, object],
) -> dict[str, object]:
    """The report of a replay. `spans_ms`: first and last arrival of each person; `readings`: what was sent; `run`: facts of this run."""
    days = sum(last - first for first, last in spans_ms) / DAY_MS
    found = judged(log, patients)
    alerts = found["alerts"]
    assert isinstance(alerts, int)
    return {
        "readings": readings,
        **refused(log),
        "patient_days": round(days, 3),
        **found,
        "alerts_per_patient_day": round(alerts / days, 3) if days else None,
        **attributed(log),
        "set": name,
        "people": len(spans_ms),
        "left_out": left_out,
        "attribution": ATTRIBUTION.get(name, ""),
        **run,
    }


def write_report(report: dict[str, object], path: Path) -> None:
    """As JSON, the fixed keys first."""
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
