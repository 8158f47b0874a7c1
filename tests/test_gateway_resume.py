"""Resume by position: after a cut, a restart, a kill -9, on either log. Everything that was missed, once, in order; or an honest no."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Limits
from sinks.log import sqlite_folder
from sinks.log.api import LogUnreachable
from sinks.log.sqlite_reader import SqliteBatch, SqliteReader
from tests.support.gateway import (
    Hospital,
    Message,
    Process,
    Running,
    config_for,
    eventually,
    health,
    person,
    running,
    shard,
    token,
    viewing,
)

PATIENTS = ["p-1", "p-2", "p-4"]


@pytest.fixture
def hospital(log_url: str) -> Iterator[Hospital]:
    made = Hospital(log_url)
    made.admit(*[person(p) for p in PATIENTS], person("p-3", ward="5a"))
    made.key()
    yield made
    made.close()


@pytest.fixture
def sqlite_hospital(sqlite_log_url: str) -> Iterator[Hospital]:
    made = Hospital(sqlite_log_url)
    made.admit(*[person(p) for p in PATIENTS], person("p-3", ward="5a"))
    made.key()
    yield made
    made.close()


def ready(gateway: Running) -> None:
    eventually(lambda: gateway.phase() == "ready", "ready")


def ids(events: list[Message]) -> list[str]:
    return [e["e"]["id"] for e in events]


def test_after_a_cut_everything_missed_follows_once_and_in_order(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            viewer.sub()
            seen = hospital.raise_alert("p-1")
            assert ids(viewer.events(1)) == [seen.id]
            where = viewer.position()
        missed = [hospital.raise_alert(p) for p in ("p-1", "p-2", "p-3", "p-4", "p-1")]
        with viewing(
            gateway.ws,
            token(),
        ) as viewer:
            key = viewer.sub(pos=where)
            assert key["recovered"] is True
            newer = hospital.raise_alert("p-2")
            events = viewer.events(5)
        assert ids(events)[-1] == newer.id
        own = [m for m in missed if m.patient != "p-3"]
        assert sorted(ids(events)[:-1]) == sorted(m.id for m in own)
        for patient in PATIENTS:
            assert [i for i in ids(events)[:-1] if i in {m.id for m in own if m.patient == patient}] == [
                m.id for m in own if m.patient == patient
            ]
        assert gateway.metric("resume_hits") == 1


def test_a_restarted_gateway_knows_what_a_viewer_missed(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            viewer.sub()
            raised = hospital.raise_alert("p-1")
            viewer.events(1)
            where = viewer.position()
    missed = [hospital.close_alert(raised), hospital.raise_alert("p-2")]
    hospital.key()
    with running(config_for(hospital.url, tmp_path)) as gateway, viewing(gateway.ws, token()) as viewer:
        key = viewer.sub(pos=where)
        assert key["recovered"] is True
        assert ids(viewer.events(2)) == [m.id for m in sorted(missed, key=lambda m: shard(m.patient))]
        assert [a["alert"] for p in key["patients"] for a in p["alerts"]] == [missed[1].alert]


def test_kill_9_and_a_drain_lose_nothing(hospital: Hospital, tmp_path: Path) -> None:
    gateway = Process(hospital.url, tmp_path)
    told: list[str] = []
    where: Any = None
    wanted: list[str] = []
    for kind in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with viewing(gateway.ws, token()) as viewer:
            key = viewer.sub(pos=where)
            assert key["recovered"] is (None if where is None else True)
            wanted.append(hospital.raise_alert("p-1").id)
            viewer.until("ev", lambda m: m["e"]["id"] == wanted[-1])
            status, said = gateway.end(kind)
            code, _ = viewer.closed()
            told += ids([m for m in viewer.ledger if m["t"] == "ev"])
            where = viewer.position()
        if kind is signal.SIGTERM:
            assert (status, code, said) == (0, 4001, "")
            assert viewer.ledger[-1]["t"] == "bye"
            assert viewer.ledger[-1]["retry_ms"] > 0
        wanted.append(hospital.raise_alert("p-2").id)
        hospital.key()
        gateway.start()
    with viewing(gateway.ws, token()) as viewer:
        assert viewer.sub(pos=where)["recovered"] is True
        told += ids(viewer.events(1))
    assert told == wanted
    gateway.end(signal.SIGKILL)


def test_a_viewer_that_is_cut_again_and_again_sees_each_event_once(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    hospital, rng = sqlite_hospital, random.Random(11)
    told: list[str] = []
    wanted: list[str] = []
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            where = viewer.sub()["pos"]
        for _ in range(12):
            wanted += [hospital.raise_alert(rng.choice(PATIENTS)).id for _ in range(rng.randrange(6))]
            with viewing(gateway.ws, token()) as viewer:
                assert viewer.sub(pos=where)["recovered"] is True
                wanted += [hospital.raise_alert(rng.choice(PATIENTS)).id for _ in range(rng.randrange(6))]
                for _ in range(rng.randrange(8)):
                    if len([m for m in viewer.ledger if m["t"] == "ev"]) + len(told) < len(wanted):
                        viewer.until("ev")
                told += ids([m for m in viewer.ledger if m["t"] == "ev"])
                where = viewer.position()
        with viewing(gateway.ws, token()) as viewer:
            assert viewer.sub(pos=where)["recovered"] is True
            told += ids(viewer.events(len(wanted) - len(told)))
    assert sorted(told) == sorted(wanted)
    assert len(set(told)) == len(told)


def test_what_is_too_old_is_said_to_be_gone(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    hospital = sqlite_hospital
    with running(config_for(hospital.url, tmp_path, limits=Limits(ring_events=3))) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            where = viewer.sub()["pos"]
            raised = [hospital.raise_alert("p-1") for _ in range(4)]
            viewer.events(4)
            key = viewer.sub(pos=where)
            assert key["recovered"] is False
            assert [a["alert"] for a in key["patients"][0]["alerts"]] == [r.alert for r in raised]
            newer = hospital.raise_alert("p-2")
            assert ids(viewer.events(1)) == [newer.id]
        assert gateway.metric("resume_misses") == 1


WRONG: dict[str, Any] = {
    "another log": {"incarnation": "another", "offsets": [0] * 8},
    "the future": {"offsets": [10**6] * 8},
    "beyond 64 bits by one": {"offsets": [2**63 - 1] * 8},
    "negative": {"offsets": [-1] * 8},
    "too few": {"offsets": [0] * 7},
    "none": {"offsets": []},
}


def test_a_position_that_was_never_given_out_recovers_nothing(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(sqlite_hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            good = viewer.sub()["pos"]
            assert viewer.sub(pos=good)["recovered"] is True
            for name, fields in WRONG.items():
                assert viewer.sub(pos=good | fields)["recovered"] is False, name
        for shape in ({"offsets": [0] * 8}, {**good, "offsets": ["0"] * 8}, {**good, "offsets": [1.5] * 8}, [1], "x", {**good, "x": 1}):
            with viewing(gateway.ws, token()) as viewer:
                viewer.ask(pos=shape)
                assert viewer.closed()[0] == 4501


def test_resuming_gives_no_one_what_they_may_not_see(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    hospital = sqlite_hospital
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token(wards=["5a"])) as viewer:
            where = viewer.sub("5a")["pos"]
        foreign, own = hospital.raise_alert("p-1"), hospital.raise_alert("p-3")
        with viewing(gateway.ws, token(wards=["5a"])) as viewer:
            viewer.sub("5a", pos=where)
            assert ids(viewer.events(1)) == [own.id]
            assert foreign.id not in str(viewer.ledger)
        with viewing(gateway.ws, token(wards=["5a"])) as viewer:
            viewer.ask(patient="p-1", pos=where)
            assert viewer.closed()[0] == 4503


def test_someone_discharged_meanwhile_makes_the_answer_an_honest_no(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    hospital = sqlite_hospital
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            where = viewer.sub()["pos"]
    hospital.raise_alert("stranger")
    with running(config_for(hospital.url, tmp_path)) as gateway, viewing(gateway.ws, token()) as viewer:
        assert viewer.sub(pos=where)["recovered"] is False


def test_a_gateway_whose_log_fails_opens_it_again_and_viewers_miss_nothing(
    sqlite_hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital, failing = sqlite_hospital, threading.Event()
    poll = SqliteReader.poll

    def fails(reader: SqliteReader, max_records: int) -> SqliteBatch:
        if failing.is_set():
            raise LogUnreachable("the disk went away")
        return poll(reader, max_records)

    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            viewer.sub()
            monkeypatch.setattr(SqliteReader, "poll", fails)
            failing.set()
            eventually(lambda: health(gateway.port)[1]["log"] == "LogUnreachable", "the failure")
            assert health(gateway.port)[0] == 503
            missed = hospital.raise_alert("p-1")
            hospital.key()
            failing.clear()
            assert viewer.until("key")["recovered"] is True
            assert ids(viewer.events(1)) == [missed.id]


def test_another_log_in_the_old_one_s_place_is_another_incarnation(sqlite_hospital: Hospital, tmp_path: Path) -> None:
    hospital = sqlite_hospital
    with running(config_for(hospital.url, tmp_path)) as gateway:
        ready(gateway)
        with viewing(gateway.ws, token()) as viewer:
            before = viewer.sub()
            shutil.rmtree(sqlite_folder(hospital.url))
            other = Hospital(hospital.url)
            other.admit(person("p-9"))
            other.key()
            after = viewer.until("key")
            other.close()
        assert after["recovered"] is False
        assert after["pos"]["incarnation"] != before["pos"]["incarnation"]
        assert [p["patient"] for p in after["patients"]] == ["p-9"]
