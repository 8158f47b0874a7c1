"""A person's command from the websocket to `alert-commands`: who may, what is taken, and that `taken` means the log has it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from gateway.config import Limits
from gateway.line import Bucket
from schemas.facts import Command
from sinks.log.api import DeliveryFailed
from sinks.log.sqlite_writer import SqliteWriter
from tests.support.gateway import Hospital, Running, config_for, event_of, eventually, person, running, token, viewing

ALERT = "a" * 32


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    made = Hospital.embedded(tmp_path_factory.mktemp("hospital"))
    made.admit(person("p-1"), person("p-3", ward="5a"))
    made.key()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(config_for(hospital.url, tmp_path_factory.mktemp("static"))) as made:
        eventually(lambda: made.phase() == "ready", "ready")
        yield made


@pytest.fixture
def before(hospital: Hospital) -> int:
    """How many commands the log held before the test."""
    return len(hospital.records("alert-commands"))


def ack(**fields: Any) -> dict[str, Any]:
    return {"t": "cmd", "id": str(uuid.uuid4()), "kind": "acknowledge", "patient": "p-1", "alert": ALERT} | fields


def observe(**fields: Any) -> dict[str, Any]:
    readings = [{"code": "67775-7", "coded": "A"}, {"code": "8867-4", "value": 72, "unit": "/min"}]
    return {"t": "cmd", "id": str(uuid.uuid4()), "kind": "observe", "patient": "p-1", "readings": readings} | fields


def test_taken_means_that_the_log_has_it_under_the_name_of_the_token(hospital: Hospital, gateway: Running, before: int) -> None:
    with viewing(gateway.ws, token("n-07", "charge")) as viewer:
        viewer.sub()
        first, second = ack(), observe(at_ms=1_700_000_000_000)
        for asked in (first, second):
            viewer.send(asked)
            assert viewer.until("taken")["id"] == asked["id"]
    (key, value), (_, other) = hospital.records("alert-commands")[before:]
    assert key == b"p-1"
    taken = msgspec.json.decode(value or b"", type=Command)
    assert (taken.id, taken.kind, taken.patient, taken.alert) == (first["id"], "acknowledge", "p-1", ALERT)
    assert (taken.by, taken.role, taken.origin) == ("n-07", "charge", "board")
    seen = msgspec.json.decode(other or b"", type=Command)
    assert (seen.at_ms, [r.coded or r.value for r in seen.readings]) == (1_700_000_000_000, ["A", 72])


def test_the_outcome_comes_back_from_the_log(hospital: Hospital, gateway: Running) -> None:
    raised = hospital.raise_alert("p-1")
    assert raised.state is not None
    with viewing(gateway.ws, token("n-07")) as mine, viewing(gateway.ws, token("n-08")) as other:
        mine.sub()
        other.sub()
        asked = ack(alert=raised.alert)
        mine.send(asked)
        mine.until("taken")
        owned = msgspec.structs.replace(raised.state, owner="n-07", seq=2)
        hospital.tell(event_of(owned, "acknowledged", hospital.now() + 1, command=asked["id"], by="n-07"))
        for viewer in (mine, other):
            said = viewer.until("ev", lambda m: m["e"]["transition"] == "acknowledged")["e"]
            assert (said["command"], said["by"], said["state"]["owner"]) == (asked["id"], "n-07", "n-07")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another ward's patient": (ack(patient="p-3"), "not_allowed"),
    "nobody": (ack(patient="nobody"), "not_allowed"),
    "unknown kind": (ack(kind="escalate"), "bad_shape"),
    "id is no UUID": (ack(id="1"), "bad_shape"),
    "id in capitals": (ack(id="A" * 8 + "-0000-4000-8000-000000000000"), "bad_shape"),
    "no alert": (ack(alert=None), "bad_shape"),
    "alert is no id": (ack(alert="../../x"), "bad_shape"),
    "acknowledge with readings": (ack(readings=[{"code": "8867-4", "value": 1, "unit": "/min"}]), "bad_shape"),
    "acknowledge of a time": (ack(at_ms=1), "bad_shape"),
    "observe nothing": (observe(readings=[]), "bad_shape"),
    "observe too much": (observe(readings=[{"code": "8867-4", "value": 1, "unit": "/min"}] * 65), "bad_shape"),
    "observe an alert": (observe(alert=ALERT), "bad_shape"),
    "observe unknown fields": (observe(readings=[{"code": "8867-4", "value": 1, "by": "someone"}]), "bad_shape"),
    "somebody else's name": (ack(by="n-99"), "bad_shape"),
    "a role": (ack(role="doctor"), "bad_shape"),
    "patient is a list": (ack(patient=["p-1"]), "bad_shape"),
}


@pytest.mark.parametrize(("asked", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_command_is_refused_with_its_reason(
    hospital: Hospital, gateway: Running, before: int, asked: dict[str, Any], reason: str
) -> None:
    with viewing(gateway.ws, token()) as viewer:
        viewer.sub()
        viewer.send(asked)
        assert viewer.until("refused") == {"t": "refused", "id": asked["id"], "reason": reason}
    assert len(hospital.records("alert-commands")) == before


def test_a_viewer_may_look_and_not_touch(hospital: Hospital, gateway: Running, before: int) -> None:
    with viewing(gateway.ws, token("v-01", "viewer")) as viewer:
        viewer.sub()
        viewer.send(ack())
        assert viewer.until("refused")["reason"] == "not_allowed"
    assert len(hospital.records("alert-commands")) == before


def test_a_log_that_does_not_take_it_is_told_and_the_same_id_may_come_again(
    hospital: Hospital, gateway: Running, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise DeliveryFailed("the disk is full")

    with viewing(gateway.ws, token()) as viewer:
        viewer.sub()
        asked = ack()
        with monkeypatch.context() as broken:
            broken.setattr(SqliteWriter, "append", fails)
            viewer.send(asked)
            assert viewer.until("refused")["reason"] == "log_unavailable"
        viewer.send(asked)
        assert viewer.until("taken")["id"] == asked["id"]
    assert len(hospital.records("alert-commands")) == before + 1


def test_too_many_commands_are_refused_and_too_many_messages_closed(hospital: Hospital, tmp_path: Path) -> None:
    limits = Limits(commands_per_s=0.5, messages_per_s=5.0)
    with running(config_for(hospital.url, tmp_path, limits=limits)) as gateway, viewing(gateway.ws, token()) as viewer:
        viewer.sub()
        for _ in range(3):
            viewer.send(ack())
        assert viewer.until("refused")["reason"] == "rate"
        with contextlib.suppress(ConnectionClosed):  # it may be closed before the last is sent
            for _ in range(20):
                viewer.send(ack())
        assert viewer.closed() == (4013, "too many messages")


def test_a_bucket_fills_again() -> None:
    bucket = Bucket(2.0, 0.0)
    assert [bucket.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert [bucket.take(0.5), bucket.take(0.5), bucket.take(1000.0)] == [True, False, True]
