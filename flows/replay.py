"""`nadi replay`: recorded patients through Nadi, by the arrival that was recorded with them.

Each person is shifted so that their first record arrives at the same instant; the spacing within a person stays. A discharge fact
follows each person's last record. `items_of` is the same list for an oracle.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import polars as pl

from flows.appending import Pace, Progress, Sent, append_live, append_stream, create_topics, must_be_empty
from flows.replay_alone import fresh_folder, running
from flows.replay_sets import RecordedPerson, Recording, ReplayError, load, safe_name
from flows.report import frames_reach, replay_report, timeline_ended, write_report
from operators.sim.hospital import command_id
from operators.sim.items import Draft, Item, Said, fact, message, place
from operators.sim.order import START_MS
from schemas.facts import Command, DeviceFact, Lease, Observation, PatientFact
from sinks.log import open_log, sqlite_url
from sinks.log.api import Log

LEAD_MS = 60_000
"""The first record of each person arrives so long after the facts."""
BEFORE_MS = 3_600_000
"""A lease begins so long before the person's first t."""
SLICE_ROWS = 50_000
MARKS_AFTER = 250
"""Records between clock marks, at least: recorded people say little a minute, and each mark goes to eight partitions."""
CHARTED_BY = "charting"
JUDGED_WAIT_S = 120.0
START_WAIT_S = 20.0
FRAME_MS = 1000
"""Frames come once a second of shard time: the newest may lie so far before the end."""


class Shifted(NamedTuple):
    """A recording on the time of the run."""

    recording: Recording
    rows: pl.DataFrame
    """Sorted by arrival, person, device, t; `again` counts a code's repeats within one instant of a device."""
    observations: pl.DataFrame
    spans: dict[str, tuple[int, int, int]]
    """Person -> (first t, first arrival, last arrival), ms."""
    devices: dict[str, list[str]]


def pseudonym(recording: Recording, person: str) -> str:
    """A set's person on the log."""
    return f"{recording.name}-{safe_name(person)}"


def shift(recording: Recording, start_ms: int, speed: float = 1.0) -> Shifted:
    """Puts each person's first arrival at the common instant. `speed` squeezes times: only for a live log, where arrival is now."""
    both = pl.concat([recording.rows.select("person", "t_ms", "arrival_ms"), recording.observations.select("person", "t_ms", "arrival_ms")])
    if both.is_empty():
        raise ReplayError("nothing to replay: no row of this set has a code that is taken")
    first = both.group_by("person").agg(first=pl.col("arrival_ms").min())
    begin_ms = start_ms + round(LEAD_MS / speed)

    def moved(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(first, on="person", how="left", maintain_order="left")
        at = [(begin_ms + ((pl.col(name) - pl.col("first")) / speed).round().cast(pl.Int64)).alias(name) for name in ("t_ms", "arrival_ms")]
        return joined.with_columns(at).drop("first")

    rows, observations = moved(recording.rows), moved(recording.observations)
    rows = rows.with_columns(again=pl.int_range(pl.len()).over("person", "device", "arrival_ms", "t_ms", "code"))
    rows = rows.sort("arrival_ms", "person", "device", "t_ms", "again", maintain_order=True)
    spans = moved(both).group_by("person").agg(pl.col("t_ms").min(), pl.col("arrival_ms").min(), pl.col("arrival_ms").max().alias("last"))
    pairs = rows.select("person", "device").unique().sort("person", "device")
    devices = {person: list(names) for person, names in pairs.group_by("person").agg("device").rows()}
    return Shifted(
        recording, rows, observations.sort("arrival_ms", "person", "t_ms"), {p: (t, a, b) for p, t, a, b in spans.rows()}, devices
    )


def drafts_of(shifted: Shifted, start_ms: int, speed: float = 1.0) -> Iterator[Draft]:
    """Facts, messages, observations and discharges in order of arrival; holds one slice of rows at a time."""
    sparse = sorted([*_facts(shifted, start_ms, speed), *_observed(shifted)], key=lambda draft: draft.arrival_ms)
    return heapq.merge(sparse, _messages(shifted), key=lambda draft: draft.arrival_ms)


def _facts(shifted: Shifted, start_ms: int, speed: float) -> Iterator[Draft]:
    """Who the people are and which devices they have, at the start; that they have gone, after their last record."""
    recording = shifted.recording
    interval_ms = max(1, round(recording.interval_ms / speed))
    for bed, person in enumerate(sorted(shifted.spans), 1):
        first_t, _, last = shifted.spans[person]
        known, patient = recording.people.get(person, RecordedPerson()), pseudonym(recording, person)
        facts = [
            PatientFact(
                patient,
                f"{start_ms}-{n}",
                f"{patient}-1",
                state,  # type: ignore[arg-type]
                ward=recording.name,
                bed=f"{bed:02d}",
                age_years=known.age_years,
                sex=known.sex,
                diabetes=known.diabetes,
                by=CHARTED_BY,
            )
            for n, state in ((1, "admitted"), (2, "discharged"))
        ]
        yield fact(start_ms, facts[0])
        lease = Lease(patient, first_t - BEFORE_MS, None, CHARTED_BY)
        for device in shifted.devices.get(person, []):
            name = f"{patient}.{device}"
            yield fact(
                start_ms, DeviceFact(name, f"{start_ms}-1", recording.device_class, interval_ms, [lease], f"{recording.name} {device}")
            )
        yield fact(last + 1, facts[1])


def _observed(shifted: Shifted) -> Iterator[Draft]:
    """Consciousness and oxygen as a person's word. What was charted at once is one command; a kind said twice needs a second."""
    for (arrival_ms, person, t_ms), rows in groupby(
        shifted.observations.select("arrival_ms", "person", "t_ms", "kind", "word").rows(), key=lambda row: row[:3]
    ):
        left = [(kind, word) for *_, kind, word in rows]
        n = 0
        while left:
            now = dict(reversed(left))
            left = [pair for pair in left if now.get(pair[0]) != pair[1]]
            patient = pseudonym(shifted.recording, person)
            readings = [Observation(kind, coded=word) for kind, word in sorted(now.items())]
            identity = command_id("replay", patient, arrival_ms, t_ms, n)
            n += 1
            yield fact(arrival_ms, Command(identity, "observe", patient, CHARTED_BY, "nurse", t_ms, None, readings, "replay"))


def _messages(shifted: Shifted) -> Iterator[Draft]:
    """One message for all that one device charted for one instant and that arrived at once."""
    columns = ("arrival_ms", "person", "device", "t_ms", "again", "code", "value", "unit", "compare")
    patients = {person: pseudonym(shifted.recording, person) for person in shifted.spans}
    rows = (row for part in shifted.rows.select(columns).iter_slices(SLICE_ROWS) for row in part.iter_rows())
    for (arrival_ms, person, device, t_ms, _), group in groupby(rows, key=lambda row: row[:5]):
        said = [Said(code, value, unit, None, compare) for *_, code, value, unit, compare in group]
        yield message(arrival_ms, f"{patients[person]}.{device}", t_ms, said)


def _placed(shifted: Shifted) -> Iterator[Item]:
    return place(drafts_of(shifted, START_MS), marks_after=MARKS_AFTER)


def items_of(folder: str | Path, people: int | None = None) -> Iterator[Item]:
    """The items that `replay` of this folder appends with recorded arrivals: what an oracle reads."""
    return _placed(shift(load(Path(folder), people), START_MS))


def run_replay(
    folder: str | Path,
    log_url: str,
    speed: float | None = None,
    report: str | Path | None = None,
    poll: int = 5000,
    alone: bool = False,
    data: str | Path | None = None,
    people: int | None = None,
    clock: str | None = None,
) -> dict[str, object]:
    """Replays a folder and returns its report, which is also written to `report`.

    `speed`: seconds of the record in a second, None = as fast as it goes. `alone`: on a fresh folder `data` with its own log and flows.
    Otherwise into the log of `log_url`, whose flows run already: live if a speed is given (times squeezed to match), else a stream
    (`clock` says otherwise). Raises ReplayError (folder, arguments), LogError.
    """
    if speed is not None and speed <= 0:
        raise ReplayError("speed is above 0, or max")
    recording = load(Path(folder), people)
    if alone:
        if data is None:
            raise ReplayError("--alone needs --data: a fresh folder for its log")
        return _alone(recording, Path(data), speed, poll, report)
    log = open_log(log_url)
    try:
        stream = clock == "stream" if clock else speed is None
        if not stream:
            _must_be_judged(log)
        began_s = time.monotonic()
        sent, shifted = append_recording(log, recording, speed, stream)
        reached = wait_until_judged(log, None if stream else time.time_ns() // 1_000_000)
        return _report(log, shifted, sent, report, {"clock": "stream" if stream else "live", "judged_to_the_end": reached}, began_s)
    finally:
        log.close()


def _alone(recording: Recording, data: Path, speed: float | None, poll: int, report: str | Path | None) -> dict[str, object]:
    fresh_folder(data)
    log_url = sqlite_url(data / "log")
    log = open_log(log_url)
    try:
        began_s = time.monotonic()
        create_topics(log)
        with running(log_url, data, poll) as flows:
            sent, shifted = append_recording(log, recording, speed, stream=True, check=flows.check)
            flows.wait()
        return _report(log, shifted, sent, report, {"clock": "stream", "poll": poll}, began_s)
    finally:
        log.close()


def append_recording(
    log: Log, recording: Recording, speed: float | None, stream: bool, check: Callable[[], None] | None = None
) -> tuple[Sent, Shifted]:
    """Appends a whole set: with recorded arrivals, or live at `speed` with times squeezed to match.

    `check` is called now and then and may raise. Raises LogError, ReplayError.
    """
    create_topics(log)
    progress = Progress(f"replay {recording.name}", len(recording.rows), check)
    writer = log.writer("replay")
    try:
        if stream:
            must_be_empty(log)
            shifted = shift(recording, START_MS)
            return append_stream(writer, _placed(shifted), Pace(speed), progress), shifted
        factor = speed or 1.0
        start_ms = time.time_ns() // 1_000_000
        shifted = shift(recording, start_ms, factor)
        return append_live(writer, drafts_of(shifted, start_ms, factor), Pace(1.0), progress), shifted
    finally:
        writer.close()


def _report(log: Log, shifted: Shifted, sent: Sent, path: str | Path | None, run: dict[str, object], began_s: float) -> dict[str, object]:
    """What came out, read from the log; `readings` are those sent, of devices and of people."""
    recording = shifted.recording
    wall_s = round(time.monotonic() - began_s, 2)
    found = replay_report(
        log,
        name=recording.name,
        spans_ms=[(first, last) for _, first, last in shifted.spans.values()],
        patients={pseudonym(recording, person) for person in shifted.spans},
        readings=len(shifted.rows) + len(shifted.observations),
        left_out={reason: n for reason, n in recording.left_out.items() if n},
        run={"messages": sent.messages, "wall_s": wall_s, **run},
    )
    if path is not None:
        write_report(found, Path(path))
    return found


def _must_be_judged(log: Log) -> None:
    """Live flows must run before the first record: one that starts later would find everybody discharged. Raises ReplayError."""
    create_topics(log)
    now_ms, until_s = time.time_ns() // 1_000_000, time.monotonic() + START_WAIT_S
    while not frames_reach(log, now_ms):
        if time.monotonic() > until_s:
            raise ReplayError("no flow judges this log: start `nadi up` first, or replay with --alone, or without --speed for a stream")
        time.sleep(0.1)


def wait_until_judged(log: Log, live_until_ms: int | None) -> bool:
    """Waits until the flows have come so far: the timeline to its end, the board's frames to the end of the timeline. False after a while.

    A stream has come to its end when every shard said bye; a live log when its frames have passed `live_until_ms`.
    """
    until_s = time.monotonic() + JUDGED_WAIT_S
    while time.monotonic() < until_s:
        if live_until_ms is None:
            end_ms = timeline_ended(log)
            if end_ms is not None and frames_reach(log, end_ms - FRAME_MS):
                return True
        elif frames_reach(log, live_until_ms):
            return True
        time.sleep(0.25)
    return False
