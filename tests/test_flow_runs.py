"""Both flows as real processes: stopped, run twice, started on what is not theirs, and live."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from flows.appending import Pace, Progress, append_stream, create_topics
from flows.sim import sim_items
from operators.sim.items import Item
from schemas.columns import ROW
from schemas.facts import Command, DeviceFact, Lease, PatientFact
from schemas.timeline import Bye, Hello, Time, decode
from schemas.topics import BY_NAME, TOPICS
from sinks.log import open_log
from sinks.log.api import TP, Log
from tests.oracle_ingest import judge
from tests.support.flows import Events, event_ids, events, flow, produce, run_to_end, tps
from tests.support.logs import read_all, recreate, until

MINUTE = 60_000
READINGS = TP("device-readings", 0)


def ward(people: int = 8, minutes: float = 12.0) -> list[Item]:
    return list(sim_items(people, "mixed", 3, minutes, dirt=True))


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url)
    opened.create(TOPICS)
    yield opened
    opened.close()


def size(log: Log, *topics: str) -> int:
    return sum(log.ends(tps(*topics)).values())


def row_records(log: Log) -> list[bytes]:
    return [record.value for record in read_all(log, tps("timeline")) if record.value is not None and record.value[:1] == b"R"]


def test_sigterm_loses_nothing_and_repeats_nothing(log: Log, log_url: str, tmp_path: Path) -> None:
    """`ingest` is stopped twice, then `monitor` twice; each time more has come when it starts again."""
    items = ward()
    thirds = [items[: len(items) // 3], items[len(items) // 3 : 2 * len(items) // 3], items[2 * len(items) // 3 :]]
    writer = log.writer("sim")
    with flow("ingest", log_url, tmp_path, clock="stream", poll=7) as ingest:
        for third in thirds:
            append_stream(writer, third, Pace(None), Progress("sim"))
            before = size(log, "timeline")
            ingest.start()
            if third is not thirds[-1]:
                until(lambda least=before + 20: size(log, "timeline") > least, "some of the timeline")  # type: ignore[misc]
                assert ingest.terminate() == 0, ingest.said()
        assert ingest.wait() == 0, ingest.said()
        assert ingest.status()["state"] == "ended"
    writer.close()
    times = [decode(r.value or b"") for r in read_all(log, [TP("timeline", 5)]) if r.value is not None and r.value[:1] == b"T"]
    instances = [entry.instance for entry in times if isinstance(entry, Hello)]
    assert len(set(instances)) == 3
    assert [entry.instance for entry in times if isinstance(entry, Bye)] == instances, "each that began said bye"
    stated = [entry.t_ms for entry in times if isinstance(entry, Time)]
    assert stated == sorted(stated)
    rows = row_records(log)
    assert len(rows) == len(set(rows)), "no record twice"

    with flow("monitor", log_url, tmp_path, poll=7, epoch_s=0.1) as monitor:
        for least in (1, 10):
            monitor.start()
            until(lambda least=least: size(log, "alerts") >= least, "some events")  # type: ignore[misc]
            assert monitor.terminate() == 0, monitor.said()
        monitor.start(until_end=True)
        assert monitor.wait() == 0, monitor.said()
    found = [event["id"] for event in events(log)]
    assert len(found) == len(set(found)), "no event twice"
    assert set(found) == {event.id for event in judge(items).events}


def test_ingest_run_twice_at_the_same_time_gives_the_same_events(log_url: str, tmp_path: Path) -> None:
    items = ward()
    produce(log_url, items)
    with (
        flow("ingest", log_url, tmp_path / "a", clock="stream", poll=3) as one,
        flow("ingest", log_url, tmp_path / "b", clock="stream", poll=50) as two,
        flow("monitor", log_url, tmp_path, poll=20) as monitor,
    ):
        for each in (one, two, monitor):
            each.start()
        for each in (one, two):
            assert each.wait() == 0, each.said()
        log = open_log(log_url)
        wanted = {event.id for event in judge(items).events}
        alerts = Events(log)
        until(lambda: {event["id"] for event in alerts.now()} >= wanted, "all events")
        assert monitor.terminate() == 0, monitor.said()
        alerts.close()
        log.close()
    assert event_ids(log_url) == wanted
    log = open_log(log_url)
    rows = np.concatenate([np.frombuffer(record, ROW, offset=2) for record in row_records(log)])
    log.close()
    places, times = np.unique(rows[["partition", "offset", "index"]], return_counts=True)
    assert len(places) > 1000
    assert set(times.tolist()) == {2}, "every row stands twice on the timeline"


def test_two_logs_give_the_same_events_byte_for_byte(sqlite_log_url: str, kafka_log_url: str, tmp_path: Path) -> None:
    items = ward()
    found = []
    for name, url in (("sqlite", sqlite_log_url), ("kafka", kafka_log_url)):
        produce(url, items)
        run_to_end(url, tmp_path / name, 100)
        log = open_log(url)
        found.append(sorted(json.dumps(event, sort_keys=True) for event in events(log)))
        log.close()
    assert found[0] == found[1]


def test_a_held_folder_a_new_topic_and_a_trimmed_one_stop_loudly(log: Log, log_url: str, tmp_path: Path) -> None:
    """Status 2, a sentence, nothing appended."""
    with flow("ingest", log_url, tmp_path) as ingest, flow("ingest", log_url, tmp_path) as second:
        ingest.start()
        until(lambda: ingest.status().get("state") == "running", "the first")
        second.start()
        assert second.wait() == 2
        assert f"in use by process {ingest.process.pid if ingest.process else 0}" in second.said()
        assert ingest.terminate() == 0, ingest.said()

        writer = log.writer("test")
        for number in range(5):
            writer.append(*READINGS, b"%d" % number)
        writer.close()
        log.trim(READINGS, 3)
        before = size(log, "timeline", "dead-letter")
        ingest.start()
        assert ingest.wait() == 2
        assert "device-readings/0/0, but the log begins at 3" in ingest.said()

        recreate(log, BY_NAME["timeline"])
        ingest.start()
        assert ingest.wait() == 2
        assert "belongs to another log, of which timeline was part" in ingest.said()
        assert size(log, "timeline", "dead-letter") == 0 < before


def test_live_a_reading_becomes_an_alert(log: Log, log_url: str, tmp_path: Path) -> None:
    """Facts, an unknown device, a low SpO2, an acknowledgement: live, with the log's own stamps."""
    create_topics(log)
    now = time.time_ns() // 1_000_000
    patient = PatientFact("p-1", "r1", "a1", age_years=60, ward="4b")
    device = DeviceFact("mon-1", "r1", "monitor", 5000, [Lease("p-1", now - MINUTE)])
    writer = log.writer("test")

    def say(device: str, value: float) -> None:
        body = {"v": 1, "device": device, "t": time.time_ns() // 1_000_000, "readings": [{"code": "59408-5", "value": value, "unit": "%"}]}
        writer.append("device-readings", 1, json.dumps(body).encode(), device.encode())
        writer.flush()

    alerts = Events(log)

    def of(transition: str) -> list[dict[str, Any]]:
        """Events of the limit's alert."""
        assert ingest.running(), ingest.said()
        assert monitor.running(), monitor.said()
        return [event for event in alerts.now() if event["transition"] == transition and event["state"]["rule"] == "limit"]

    with flow("ingest", log_url, tmp_path) as ingest, flow("monitor", log_url, tmp_path) as monitor:
        ingest.start()
        monitor.start()
        say("stranger", 75)
        until(lambda: size(log, "dead-letter") == 1, "the dead letter of a stranger")
        writer.append("patients", 0, msgspec.json.encode(patient), b"p-1")
        writer.append("devices", 0, msgspec.json.encode(device), b"mon-1")
        writer.flush()  # the log promises no order across topics: whoever binds a device waits for it before it sends
        say("mon-1", 75)
        until(lambda: of("raised") != [], "the alert")
        (raised,) = of("raised")
        assert (raised["patient"], raised["state"]["code"], raised["state"]["priority"]) == ("p-1", "59408-5", "high")
        command = Command(str(uuid.uuid4()), "acknowledge", "p-1", "nurse-1", "nurse", alert=raised["alert"])
        writer.append("alert-commands", 0, msgspec.json.encode(command), b"p-1")
        writer.flush()
        until(lambda: of("acknowledged") != [], "the acknowledgement")
        until(lambda: all(one.status().get("time_ms") for one in (ingest, monitor)), "shard time")
        for one in (ingest, monitor):
            status = one.status()
            assert status["state"] == "running"
            assert status["committed_ms"] >= status["started_ms"] >= now
            assert now - MINUTE < status["time_ms"] < time.time_ns() // 1_000_000
            assert one.terminate() == 0, one.said()
            assert one.status()["state"] == "ended"
    alerts.close()
    writer.close()
    letters = read_all(log, tps("dead-letter"))
    assert [dict(letter.headers)["reason"] for letter in letters] == [b"unbound"]
