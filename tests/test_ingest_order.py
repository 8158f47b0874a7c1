"""One order (laws 1 and 4): any cut into polls, any truthful time entries, any restart between two polls give the same timeline."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.ingest.arrivals import Clock, reading_order
from operators.ingest.core import IngestCore
from schemas.facts import Observation, RuleFact
from schemas.records import Append
from schemas.timeline import Fact
from schemas.topics import ARRIVAL, INPUTS, TABLES
from tests.support.ingest import DAY, HOUR, T0, Log, Rec, Recs, entries, new_core, plain, reading, replayed
from tests.support.poison import valid

DEVICES = ["d1", "d2", "d3"]
PATIENTS = ["p1", "p2"]
Story = dict[int, list[object]]
"""Shard -> rows and facts in order."""


def story_of(appends: Iterable[Append], into: Story) -> list[tuple[tuple[str, bytes], ...]]:
    """Adds what went to the timeline, without times and record boundaries; returns the headers of the dead letters."""
    appends = list(appends)
    for shard, entry in entries(appends):
        if isinstance(entry, np.ndarray):
            into.setdefault(shard, []).extend(plain(entry))
        elif isinstance(entry, Fact):
            into.setdefault(shard, []).append(entry)
    return [append.headers for append in appends if append.topic == "dead-letter"]


def merged(records: list[Rec]) -> list[Rec]:
    return sorted(records, key=lambda r: (int(dict(r.headers).get(ARRIVAL, b"0")), INPUTS.index(r.topic), r.partition, r.offset))


def day_of(seed: int, clock: Clock, n: int = 120) -> list[Rec]:
    """A hectic hour: bindings change, devices repeat, come late, lie about the time; people observe; some of it is broken."""
    rng, log, at = random.Random(seed), Log(clock), T0 + 1000
    records = [log.patient(name, T0) for name in PATIENTS] + [log.device(name, [("p1", T0 - DAY, None)], T0, "cgm") for name in DEVICES]
    said: list[bytes] = []
    for number in range(n):
        at += rng.choice((0, 0, 0, 1, 700, 5000, 70_000))
        match rng.randrange(20) if clock == "stream" else rng.randrange(5, 19):
            case 0:
                patient, other = rng.sample(PATIENTS, 2)
                leases = [(patient, T0 - DAY, at - rng.randrange(200)), (other, at, None)][: rng.randrange(3)]
                records.append(log.device(rng.choice(DEVICES), leases, at, rng.choice(("monitor", "cgm", "spot"))))
            case 1:
                records.append(log.put("devices", None, at, rng.choice(DEVICES)))
            case 2:
                records.append(log.patient(rng.choice(PATIENTS), at, revision=str(number)))
            case 3:
                values = [Observation("8310-5", rng.choice((37.0, 37.5, 500.0)), "Cel"), Observation("67775-7", coded="V")]
                records.append(log.command(at, number % 7, rng.choice((*PATIENTS, "p9")), readings=values[: rng.randrange(3)]))
            case 4:
                rule = msgspec.json.encode(RuleFact("limits", str(number), number))
                records.append(log.put("rules", rng.choice((rule, rule[:-1])), at, "limits"))
            case 5 | 6 if said:
                records.append(log.said(rng.choice(said), at, rng.randrange(2)))
            case 7:
                headers = rng.choice((replayed(T0 + 5), {"replayed-from": b"?"}, {"mark": b"clock"}))
                records.append(log.said(reading(rng.choice(DEVICES), at - rng.randrange(HOUR)), at, headers=headers))
            case 8:
                records.append(log.said(reading(rng.choice(DEVICES), None, float(rng.randrange(60, 63))), at, rng.randrange(2)))
            case 9:
                records.append(log.mark("device-readings", at) if clock == "stream" else log.said(b"}", at))
            case _:
                said.append(valid(rng, [*DEVICES, "stranger"], at))
                records.append(log.said(said[-1], at, rng.randrange(2)))
    return (
        merged(records) if clock == "stream" else sorted(records, key=lambda r: (r.topic not in TABLES, r.append_ms, r.partition, r.offset))
    )


def run(records: list[Rec], cuts: list[int], clock: Clock, *, times: bool = False, restarts: bool = False) -> tuple[Story, Any, Any]:
    """(timeline, dead letters, slots at the end) of the records cut into polls."""
    core, story, letters = new_core(clock), Story(), []
    letters += story_of(core.start(), story)
    edges = [0, *sorted(cuts), len(records)]
    for start, end in itertools.pairwise(edges):
        upto = T0 + DAY - 1 if end >= len(records) else time_of(records[end]) - 1  # no midnight: a statement falls where polls are
        letters += story_of(core.apply(Recs(records[start:end]), upto if times and upto >= T0 else None), story)
        if restarts:
            core = restarted(core, records[:end], clock)
    return story, letters, [column.tolist() for column in core.snapshot()["slots"].values()]


def time_of(record: Rec) -> int:
    return int(dict(record.headers).get(ARRIVAL, str(record.append_ms).encode()))


def restarted(core: IngestCore, before: list[Rec], clock: Clock) -> IngestCore:
    again = new_core(clock, state=core.snapshot())
    again.load_tables(record for record in before if record.topic in TABLES)
    again.start()
    return again


CUTS = st.lists(st.integers(0, 125), max_size=12)


@settings(max_examples=40)
@given(st.integers(0, 10**6), CUTS, CUTS, st.booleans(), st.booleans())
def test_any_cut_of_a_stream_gives_the_same_timeline(seed: int, cuts: list[int], others: list[int], times: bool, restarts: bool) -> None:
    records = day_of(seed, "stream")
    story, letters, slots = run(records, [min(cut, len(records)) for cut in cuts], "stream")
    again, same, slots_again = run(records, [min(cut, len(records)) for cut in others], "stream", times=times, restarts=restarts)
    assert story == again
    assert sorted(letters) == sorted(same)
    assert sorted(map(str, zip(*slots, strict=True))) == sorted(map(str, zip(*slots_again, strict=True)))


@settings(max_examples=15)
@given(st.integers(0, 10**6), CUTS)
def test_one_record_a_poll_gives_the_same_as_all_at_once(seed: int, cuts: list[int]) -> None:
    records = day_of(seed, "stream", 60)
    assert run(records, list(range(len(records))), "stream")[0] == run(records, [], "stream")[0]


@settings(max_examples=15)
@given(st.integers(0, 10**6), CUTS, st.booleans())
def test_live_too_where_the_records_come_in_their_order(seed: int, cuts: list[int], restarts: bool) -> None:
    records = day_of(seed, "live")
    story, letters, _ = run(records, [], "live")
    again, same, _ = run(records, [min(cut, len(records)) for cut in cuts], "live", restarts=restarts)
    assert story == again
    assert sorted(letters) == sorted(same)


def test_the_stories_are_rich() -> None:
    """What the tests above compare holds rows, facts, refusals of every kind that the story can make."""
    reasons: set[bytes] = set()
    rows = facts = 0
    for seed in range(20):
        story, letters, _ = run(day_of(seed, "stream"), [40], "stream")
        rows += sum(isinstance(entry, tuple) for entries in story.values() for entry in entries)
        facts += sum(isinstance(entry, Fact) for entries in story.values() for entry in entries)
        reasons |= {dict(headers)["reason"] for headers in letters}
    assert rows > 500
    assert facts > 200
    assert {b"unbound", b"forged_header", b"bad_fact", b"ambiguous_binding", b"alarms_not_supported"} <= reasons


def test_live_readings_of_a_poll_stand_by_received_partition_offset() -> None:
    log, core = Log(), new_core()
    core.load_tables([log.device("d1", [("p1", T0 - DAY, None)])])
    core.start()
    records = [
        log.said(reading("d1", T0 + i), T0 + at, partition)
        for i, (at, partition) in enumerate([(5, 1), (9, 1), (5, 0), (7, 0), (9, 0), (5, 2)])
    ]
    (rows,) = (entry for _, entry in entries(core.apply(Recs(records), None)) if isinstance(entry, np.ndarray))
    assert [(r[3] - T0, r[7], r[9]) for r in plain(rows)] == [(5, 0, 0), (5, 1, 0), (5, 2, 0), (7, 0, 1), (9, 0, 2), (9, 1, 1)]


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_live_the_order_in_which_a_poll_brings_its_partitions_means_nothing(seed: int, rng: random.Random) -> None:
    records = day_of(seed, "live")
    parts = {
        at: [record for record in records if (record.topic, record.partition) == at] for at in {(r.topic, r.partition) for r in records}
    }
    mixed: list[Rec] = []
    while parts:
        at = rng.choice(sorted(parts))
        mixed.append(parts[at].pop(0))
        parts = {key: left for key, left in parts.items() if left}
    story, letters, _ = run(records, [], "live")
    again, same, _ = run(mixed, [], "live")
    assert story == again
    assert sorted(letters) == sorted(same)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_offsets_of_a_partition_are_never_turned_round(records: list[tuple[int, int]]) -> None:
    """Not even by a log whose clock stepped back: a fold skips what is not above the highest offset it has seen."""
    append_ms, partition = (np.array(column, np.int64) for column in (zip(*records, strict=True) if records else ([], [])))
    offset = np.arange(len(records))
    order = reading_order(append_ms, partition)
    order = offset if order is None else order
    assert sorted(order.tolist()) == offset.tolist()
    for one in range(3):
        own = offset[order][partition[order] == one]
        assert (own[1:] > own[:-1]).all()


def test_a_snapshot_is_plain_and_does_not_move_with_the_core() -> None:
    records = day_of(1, "stream")
    core = new_core("stream")
    core.start()
    core.apply(Recs(records[:60]), T0 + 1500)
    state = core.snapshot()
    before = msgspec.msgpack.encode(state, enc_hook=lambda array: array.tolist())
    core.apply(Recs(records[60:]), T0 + HOUR)
    assert msgspec.msgpack.encode(state, enc_hook=lambda array: array.tolist()) == before
    assert "p1" not in str(state)


@pytest.mark.parametrize("headers", [{}, {"arrival": b"-5"}, {"arrival": b"1e9"}, {"arrival": b"12345678901234"}])
def test_a_stream_needs_an_arrival_that_can_be_read(headers: dict[str, bytes]) -> None:
    log, core = Log("stream"), new_core("stream")
    core.start()
    record = log.said(reading("d1", T0), T0)._replace(headers=tuple(headers.items()))
    assert [dict(a.headers)["reason"] for a in core.apply(Recs([record]), None)] == [b"forged_header"]
