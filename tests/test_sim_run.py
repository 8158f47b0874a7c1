"""`sim` into a log: a stream at its places, a live ward as time passes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from flows.appending import Pace, Progress, append_live
from flows.sim import run_sim, script_of, sim_drafts, sim_items
from operators.sim.items import INPUT_PARTITIONS, MINUTE_MS, Said, message
from operators.sim.order import START_MS
from schemas.facts import DeviceFact, PatientFact
from schemas.topics import ARRIVAL, MARK, TOPICS
from sinks.log import open_log
from sinks.log.api import TP, LogError
from tests.support.logs import read_all

TPS = [TP(*at) for at in INPUT_PARTITIONS]


def test_a_stream_puts_every_item_at_its_place(log_url: str) -> None:
    sent = run_sim(log_url, 4, "mixed", 2, 2.0, dirt=True, clock="stream")
    items = list(sim_items(4, "mixed", 2, 2.0, dirt=True))
    log = open_log(log_url)
    found = {(r.topic, r.partition, r.offset): r for r in read_all(log, TPS)}
    log.close()
    assert sent.records == len(items) == len(found)
    for item in items:
        record = found[item.topic, item.partition, item.offset]
        headers = dict(record.headers)
        assert headers[ARRIVAL] == str(item.arrival_ms).encode()
        assert headers.get(MARK, b"").decode() == item.mark
        assert (record.value or b"") == (item.body or b"")
        assert record.key == (item.key or item.mark).encode()  # a compacted topic takes no record without a key


def test_a_stream_is_refused_on_topics_that_hold_anything(sqlite_log_url: str) -> None:
    run_sim(sqlite_log_url, 2, "healthy", 1, 0.5, clock="stream")
    with pytest.raises(LogError, match="needs empty topics, but rules/0 has records"):
        run_sim(sqlite_log_url, 2, "healthy", 1, 0.5, clock="stream")


def test_a_live_ward_has_no_arrival_headers_and_stamps_of_now(sqlite_log_url: str, tmp_path: Path) -> None:
    began: list[int] = []
    before_ms = time.time_ns() // 1_000_000
    sent = run_sim(sqlite_log_url, 3, "demo", 1, 1.0, speed=60.0, started=began.append, script_file=tmp_path / "demo" / "script.json")
    after_ms = time.time_ns() // 1_000_000
    log = open_log(sqlite_log_url)
    records = read_all(log, TPS)
    log.close()
    assert len(records) == sent.records > 20
    assert not any(r.headers for r in records)
    assert before_ms <= began[0] <= after_ms
    script = json.loads((tmp_path / "demo" / "script.json").read_text())
    assert script == {"start_ms": began[0], "script": script_of("demo", 3)}
    assert all(before_ms <= r.append_ms <= after_ms + 5 for r in records)


def test_a_live_ward_that_runs_faster_squeezes_times_and_intervals() -> None:
    drafts = list(sim_drafts(3, "healthy", 1, 10, start_ms=START_MS, speed=10.0))
    assert max(d.arrival_ms for d in drafts) <= START_MS + MINUTE_MS
    intervals = {d.fact.interval_ms for d in drafts if isinstance(d.fact, DeviceFact)}
    assert 500 in intervals
    assert sum(isinstance(d.fact, PatientFact) for d in drafts) == 3


class FakeTime:
    def __init__(self) -> None:
        self.now_s, self.slept = 100.0, list[float]()

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def test_pace_waits_for_what_is_due_and_flushes_before_it_waits() -> None:
    clock = FakeTime()
    pace, flushed = Pace(2.0, clock, clock.sleep), list[float]()
    for arrival_ms in (1_000, 1_000, 3_000, 2_500, 7_000):
        pace.wait(arrival_ms, lambda: flushed.append(clock.now_s))
    assert clock.slept == [1.0, 2.0]
    assert flushed == [100.0, 101.0]
    unpaced = Pace(None, clock, clock.sleep)
    unpaced.wait(10**12, lambda: flushed.append(0.0))
    assert len(clock.slept) == 2


def test_a_live_run_ends_at_its_time(sqlite_log_url: str) -> None:
    log = open_log(sqlite_log_url)
    log.create(TOPICS)
    writer = log.writer("sim")
    drafts = iter([message(START_MS + n, "d-1", START_MS, [Said("8867-4", 70.0, "/min")]) for n in range(10)])
    sent = append_live(writer, drafts, Pace(None), Progress("sim"), START_MS + 4)
    writer.close()
    log.close()
    assert (sent.messages, sent.readings, sent.first_ms, sent.last_ms) == (4, 4, START_MS, START_MS + 3)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"speed": 0.0}, "speed is above 0"),
        ({"clock": "stream"}, "needs --minutes"),
        ({"clock": "lunar"}, "live or stream"),
        ({"story": "plague", "minutes": 1.0}, "unknown story"),
    ],
)
def test_wrong_arguments_are_said(sqlite_log_url: str, arguments: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        run_sim(sqlite_log_url, 2, **arguments)  # type: ignore[arg-type]
