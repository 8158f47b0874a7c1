"""The gateway end to end on a real SQLite log and a real server: sign-in, key first, then changes; nobody sees what they may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.config import Limits
from tests.support.gateway import HR, Hospital, Running, beat_of, config_for, eventually, person, running, shard, token, viewing


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital.embedded(tmp_path)
    yield made
    made.close()


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    folder.mkdir()
    return folder


@pytest.fixture
def gateway(hospital: Hospital, static: Path) -> Iterator[Running]:
    """Ward 4b with p-1 and p-2, ward 5a with p-3; ready."""
    hospital.admit(person("p-1", bed="01"), person("p-2", bed="02"), person("p-3", ward="5a"))
    hospital.key()
    with running(config_for(hospital.url, static, beds={"4b": ["01", "02", "03"]})) as made:
        eventually(lambda: made.phase() == "ready", "ready")
        yield made


def test_key_first_then_changes(hospital: Hospital, gateway: Running) -> None:
    hospital.trend("p-1", 60_000, 71.5)
    with viewing(gateway.ws, token(initials="NS")) as viewer:
        welcome = viewer.until("welcome")
        assert (welcome["user"], welcome["role"], welcome["wards"], welcome["ini"]) == ("n-01", "nurse", ["4b"], "NS")
        assert (welcome["v"], welcome["heartbeat_ms"], welcome["demo"], welcome["tz"]) == (1, 2000, False, "Asia/Kuala_Lumpur")
        key = viewer.sub()
        assert [p["patient"] for p in key["patients"]] == ["p-1", "p-2"]
        assert key["recovered"] is None
        assert key["beds"] == ["01", "02", "03"]
        assert len(key["shard_ms"]) == 8
        assert key["pos"]["incarnation"] == hospital.log.incarnation("alerts") == welcome["incarnation"]

        hospital.delta(beat_of("p-1", 99.0, hospital.now()))
        live = viewer.until("live", lambda m: bool(m["frames"]))
        assert [f["patient"] for f in live["frames"]] == ["p-1"]
        assert live["frames"][0]["vitals"][HR][0]["value"] == 99.0
        raised = hospital.raise_alert("p-1")
        event = viewer.until("ev")
        assert event["e"] == msgspec.json.decode(msgspec.json.encode(raised))
        hospital.trend("p-1", 120_000, 73.0)
        assert viewer.until("trend")["m"] == [["p-1", HR, 73.0]]
        beat = viewer.until("hb")
        assert beat["lag_ms"] >= 0
    with viewing(gateway.ws, token()) as late:
        key = late.sub()
        assert key["trends"]["p-1"] == {HR: [[60_000, 71.5], [120_000, 73.0]]}
        assert [a["alert"] for a in key["patients"][0]["alerts"]] == [raised.alert]


def test_a_ward_sees_its_own_patients_only(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token(wards=["4b"])) as own, viewing(gateway.ws, token(wards=["*"])) as other:
        own.sub()
        other.sub("5a")
        elsewhere, here = hospital.raise_alert("p-3"), hospital.raise_alert("p-1")
        assert own.until("ev")["e"]["id"] == here.id
        assert other.until("ev")["e"]["id"] == elsewhere.id


@pytest.mark.parametrize(
    "room", [{"ward": "5a"}, {"ward": "*"}, {"patient": "p-3"}, {"patient": "nobody"}], ids=lambda r: str(next(iter(r.values())))
)
def test_foreign_rooms_are_closed_without_a_word_about_whether_they_exist(gateway: Running, room: dict[str, str]) -> None:
    with viewing(gateway.ws, token(wards=["4b"])) as viewer:
        viewer.send({"t": "sub", **room})
        assert viewer.closed() == (4503, "not allowed")
        assert [m["t"] for m in viewer.ledger if m["t"] == "key"] == []


def test_all_wards(gateway: Running) -> None:
    with viewing(gateway.ws, token(wards=["*"])) as viewer:
        assert viewer.until("welcome")["wards"] == ["4b", "5a"]
        assert [p["patient"] for p in viewer.sub("5a")["patients"]] == ["p-3"]
        assert [p["patient"] for p in viewer.sub(patient="p-2")["patients"]] == ["p-2"]


def test_limits_are_a_setting(hospital: Hospital, static: Path) -> None:
    with running(config_for(hospital.url, static, limits=Limits(auth_s=0.05))) as gateway, viewing(gateway.ws) as viewer:
        assert viewer.closed()[0] == 4408


def test_an_alert_that_monitor_has_forgotten_is_ended_on_the_screen(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token()) as viewer:
        viewer.sub()
        raised = hospital.raise_alert("p-1")
        viewer.until("ev")
        hospital.alerts.clear()
        hospital.key(max(raised.at_ms, hospital.now()))
        said = viewer.until("ev")
        assert (said["e"]["alert"], said["e"]["transition"], said["e"]["evidence"]["reason"]) == (raised.alert, "closed", "fold lost")
        key = viewer.sub(pos=viewer.position())
        assert key["recovered"] is True
        assert key["patients"][0]["alerts"] == []


def test_who_leaves_and_who_comes(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token()) as here, viewing(gateway.ws, token(wards=["5a"])) as there, viewing(gateway.ws, token()) as one:
        assert [p["patient"] for p in here.sub()["patients"]] == ["p-1", "p-2"]
        assert [p["patient"] for p in there.sub("5a")["patients"]] == ["p-3"]
        one.sub(patient="p-2")
        hospital.delta(person("p-2", ward="5a", bed="09"))
        assert here.until("live", lambda m: bool(m["frames"]))["frames"] == [{"patient": "p-2", "admitted": False}]
        assert there.until("live", lambda m: bool(m["frames"]))["frames"][0]["bed"] == "09"
        assert one.closed()[0] == 4503
        assert [p["patient"] for p in here.sub()["patients"]] == ["p-1"]


def test_unreadable_records_are_passed_by(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token()) as viewer:
        where = viewer.sub()["pos"]
        for topic in ("live", "alerts", "trends"):
            for value in (b"", b"{", b'{"v":1}', b"[" * 3000):
                hospital.put(topic, shard("p-1"), value)
        raised = hospital.raise_alert("p-1")
        assert viewer.until("ev")["o"] == 4
        assert viewer.sub(pos=where)["recovered"] is True
        assert viewer.until("ev")["e"]["id"] == raised.id
    assert gateway.metric("unreadable") == 12


def test_a_key_frame_in_parts(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token(wards=["6c"])) as viewer:
        assert viewer.sub("6c")["patients"] == []
        hospital.admit(*[person(f"q-{n}", ward="6c", bed=f"{n:02d}") for n in range(40)])
        hospital.key(parts=3)
        seen: set[str] = set()
        while len(seen) < 40:
            seen |= {f["patient"] for f in viewer.until("live")["frames"]}
        assert len(viewer.sub("6c")["patients"]) == 40
