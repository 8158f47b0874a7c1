"""`replay`: the events of a recorded set are the oracle's, alone or into a log whose flows run; the report says what came out."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from flows import replay
from flows.appending import create_topics
from flows.replay import items_of, run_replay
from flows.replay_alone import fresh_folder, running
from flows.replay_sets import ReplayError
from flows.report import ids_sha256
from sinks.log import open_log, sqlite_url
from sinks.log.api import LogError
from tests.oracle_ingest import judge
from tests.support import sets
from tests.support.flows import flow
from tests.support.recorded import recorded

FIXED = ["readings", "dead_letters", "alerts", "patient_days", "event_ids_sha256"]


def alone(folder: Path, data: Path, **arguments: object) -> dict[str, object]:
    return run_replay(folder, "", alone=True, data=data, **arguments)  # type: ignore[arg-type]


def create(log_url: str) -> None:
    log = open_log(log_url)
    create_topics(log)
    log.close()


def oracle_sha(folder: Path, people: int | None = None) -> str:
    return ids_sha256(event.id for event in judge(items_of(folder, people)).events)


@pytest.mark.parametrize("make", [sets.mimic, sets.cinc, sets.cgm])
def test_alone_gives_the_oracles_events_and_a_report(make: object, tmp_path: Path) -> None:
    folder = make(tmp_path / "set")  # type: ignore[operator]
    path = tmp_path / "report.json"
    report = alone(folder, tmp_path / "data", report=path)
    verdict = judge(items_of(folder))
    assert report["event_ids_sha256"] == ids_sha256(event.id for event in verdict.events)
    assert report["alerts"] == sum(event.transition == "raised" for event in verdict.events) > 0
    assert (report["dead_letters"], report["rows"]) == (verdict.dead_letters, verdict.rows)
    assert json.loads(path.read_text()) == report
    assert set(FIXED) <= report.keys()
    assert report["poll"] == 5000


def test_readings_sent_rows_and_days_add_up(tmp_path: Path) -> None:
    report = alone(sets.mimic(tmp_path / "set"), tmp_path / "data")
    assert report["readings"] == 15 + 4  # rows with a code that is taken, and words
    assert report["rows"] == 19
    assert report["rows_by_topic"] == {"alert-commands": 4, "device-readings": 15}
    assert report["rows_without_value"] == 4
    assert report["people"] == 2
    assert report["patient_days"] == pytest.approx((295 + 60) / 1440, abs=0.001)
    assert report["left_out"]
    assert "ODbL" in str(report["attribution"])


def test_the_poll_changes_nothing(tmp_path: Path) -> None:
    folder = sets.mimic(tmp_path / "set")
    ids = {alone(folder, tmp_path / f"data-{poll}", poll=poll)["event_ids_sha256"] for poll in (1, 50, 5000)}
    assert ids == {oracle_sha(folder)}


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "something").write_text("x")
    with pytest.raises(ReplayError, match="not empty"):
        alone(sets.cgm(tmp_path / "set"), tmp_path / "data")
    with pytest.raises(ReplayError, match="--alone needs --data"):
        run_replay(tmp_path / "set", "", alone=True)
    with pytest.raises(ReplayError, match="speed is above 0"):
        run_replay(tmp_path / "set", "", speed=0)
    fresh_folder(tmp_path / "new")
    assert (tmp_path / "new").is_dir()


def test_into_a_log_whose_flows_run_with_the_recorded_clock(sqlite_log_url: str, tmp_path: Path) -> None:
    folder = sets.cinc(tmp_path / "set")
    create(sqlite_log_url)
    with (
        flow("ingest", sqlite_log_url, tmp_path / "run", clock="stream") as ingest,
        flow("monitor", sqlite_log_url, tmp_path / "run") as monitor,
    ):
        ingest.start()
        monitor.start()
        report = run_replay(folder, sqlite_log_url)
        assert report["judged_to_the_end"] is True, ingest.said() + monitor.said()
    assert report["event_ids_sha256"] == oracle_sha(folder)


def test_live_at_a_speed_the_log_stamps_and_the_alerts_come(sqlite_log_url: str, tmp_path: Path) -> None:
    folder = sets.cinc(tmp_path / "set")
    with flow("ingest", sqlite_log_url, tmp_path / "run") as ingest, flow("monitor", sqlite_log_url, tmp_path / "run") as monitor:
        create(sqlite_log_url)
        ingest.start()
        monitor.start()
        report = run_replay(folder, sqlite_log_url, speed=3600.0)
        assert report["judged_to_the_end"] is True, ingest.said() + monitor.said()
    assert report["clock"] == "live"
    assert report["dead_letters"] == 0
    assert report["rows"] == 9
    assert isinstance(report["alerts"], int)
    assert report["alerts"] >= 1


def test_live_without_flows_is_refused(sqlite_log_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "START_WAIT_S", 0.0)
    with pytest.raises(ReplayError, match="no flow judges this log: start `nadi up` first"):
        run_replay(sets.cinc(tmp_path / "set"), sqlite_log_url, speed=10.0)


def test_a_flow_that_fails_ends_the_replay_with_its_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fresh_folder(data)
    url = sqlite_url(data / "log")
    (data / "recovery" / "monitor").mkdir(parents=True)
    (data / "recovery" / "monitor" / "identity.json").write_text("{}")
    (data / "log").write_text("a file where a folder must be")
    with running(url, data, 50) as flows, pytest.raises(LogError, match="ended with status"):
        flows.wait()
    assert all(child.poll() is not None for child in flows.children.values())


def test_the_sha_is_of_the_sorted_ids_joined_by_newline() -> None:
    assert ids_sha256(["b", "a", "b"]) == sha256(b"a\nb").hexdigest()


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "people"), [("mimic3_demo", 3), ("cinc2012", 10)])
def test_recorded_people_give_the_oracles_events(name: str, people: int, tmp_path: Path) -> None:
    folder = recorded(name)
    report = alone(folder, tmp_path / "data", people=people)
    assert report["event_ids_sha256"] == oracle_sha(folder, people)
    assert isinstance(report["alerts"], int)
    assert report["alerts"] > 0
