"""Commands on the way to the fold that answers them; `observe` becomes rows or is refused with its reason (`semantics.md` 5 and 7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from operators.ingest import core, tables
from schemas.codes import CONVERTED, FUTURE, LATE, OBSERVED, SUSPECT
from schemas.columns import source_partition
from schemas.facts import Observation, manual_device
from schemas.identity import key64, shard_of
from tests.support.ingest import HOUR, T0, Log, Out, Rec, Recs, column, command_id, entries, new_core, out

ALERT_A = Observation("67775-7", coded="A")
TEMP = Observation("8310-5", 37.2, "Cel")
SHARD = shard_of(key64("p1"))


class Desk:
    """A live core that knows patient p1."""

    def __init__(self) -> None:
        self.log, self.core = Log(), new_core()
        self.core.load_tables([self.log.patient("p1")])
        self.core.start()

    def hear(self, *records: Rec) -> Out:
        return out(self.core.apply(Recs(records), None))

    def observe(self, *readings: Observation, number: int = 1, at: int = T0, **fields: Any) -> Out:
        return self.hear(self.log.command(at, number, readings=list(readings), **fields))

    def raw(self, value: bytes | None, key: str | None = "p1") -> Out:
        return self.hear(self.log.put("alert-commands", value, T0, key))


def test_an_observation_is_a_fact_and_then_rows_of_a_device_of_its_own() -> None:
    desk = Desk()
    desk.core.apply(Recs([]), T0 - 1)
    record = desk.log.command(T0, 1, readings=[ALERT_A, TEMP], at_ms=T0 - 5000)
    appends = desk.core.apply(Recs([record]), None)
    assert [(shard, type(entry).__name__) for shard, entry in entries(appends)] == [(SHARD, "Fact"), (SHARD, "ndarray")]
    ((_, fact),) = out(appends).facts
    assert (fact.topic, fact.key, fact.version, fact.at, fact.stamp, fact.refused) == ("alert-commands", "p1", 0, T0, T0, None)
    assert fact.value == record.value
    device, partition = key64(manual_device("nurse-1")), source_partition("alert-commands", 0)
    assert out(appends).rows == [
        (key64("p1"), device, T0 - 5000, T0, 0.0, 67775, OBSERVED, partition, 0, 0),
        (key64("p1"), device, T0 - 5000, T0, 37.2, 8310, OBSERVED, partition, 1, 0),
    ]


@pytest.mark.parametrize("letter", "ACVPU")
def test_consciousness_is_a_small_integer(letter: str) -> None:
    assert column(Desk().observe(Observation("67775-7", coded=letter)).rows, "value") == ["ACVPU".index(letter)]


def test_oxygen_is_a_small_integer() -> None:
    assert column(Desk().observe(Observation("107117-4", coded="oxygen")).rows, "value") == [1]


def test_an_observation_without_time_is_now() -> None:
    (row,) = Desk().observe(TEMP).rows
    assert (row[2], row[3], row[6]) == (T0, T0, OBSERVED)


@pytest.mark.parametrize(
    ("ago_ms", "t", "flags"),
    [(4 * HOUR, T0 - 4 * HOUR, 0), (4 * HOUR + 1, T0 - 4 * HOUR - 1, LATE), (-HOUR, T0 + HOUR, 0), (-HOUR - 1, T0, FUTURE)],
)
def test_observations_have_the_limits_of_class_spot(ago_ms: int, t: int, flags: int) -> None:
    (row,) = Desk().observe(TEMP, at_ms=T0 - ago_ms).rows
    assert (row[2], row[6]) == (t, OBSERVED | flags)


def test_units_are_converted_and_odd_values_flagged() -> None:
    (row,) = Desk().observe(Observation("8310-5", 110.0, "[degF]")).rows
    assert row[4] == pytest.approx(43.3333, abs=1e-4)
    assert row[6] == OBSERVED | CONVERTED | SUSPECT


def test_an_earlier_observation_is_late_and_the_same_again_dropped() -> None:
    desk = Desk()
    desk.observe(TEMP, number=1, at_ms=T0 - 10)
    got = desk.observe(TEMP, number=2, at_ms=T0 - 20).rows + desk.observe(TEMP, number=3, at_ms=T0 - 10).rows
    assert column(got, "flags") == [OBSERVED | LATE]
    assert desk.core.counters["repeats"] == 1


@pytest.mark.parametrize(
    ("reason", "readings"),
    [
        ("empty", []),
        ("too_many", [TEMP] * 65),
        ("code_twice", [TEMP, Observation("8331-1", 37.0, "Cel")]),
        ("unknown_code", [TEMP, Observation("1-8", 3.0, "%")]),
        ("bad_shape", [Observation("8310-5")]),
        ("bad_shape", [Observation("8310-5", 37.0, "Cel", coded="A")]),
        ("bad_shape", [Observation("67775-7", 0.0, "{acvpu}")]),
        ("bad_shape", [Observation("67775-7", coded="X")]),
        ("unit-unknown", [Observation("8310-5", 37.0)]),
        ("unit-unknown", [Observation("8310-5", 37.0, "C")]),
        ("unit-suspect", [Observation("8310-5", 98.6, "Cel")]),
        ("impossible", [Observation("8310-5", 10.0, "Cel")]),
        ("zero", [Observation("8867-4", 0.0, "/min")]),
    ],
)
def test_an_observation_that_cannot_be_rows_is_refused_whole(reason: str, readings: list[Observation]) -> None:
    got = Desk().observe(*readings)
    ((shard, fact),) = got.facts
    assert (shard, fact.refused) == (SHARD, reason)
    assert got.rows == got.letters == []


@pytest.mark.parametrize(
    ("reason", "fields"),
    [("bad_time", {"at_ms": T0 // 1000}), ("unknown_patient", {"patient": "p9"}), ("bad_key", {"key": "p2"}), ("bad_shape", {"by": ""})],
)
def test_the_command_around_it_counts_too(reason: str, fields: dict[str, Any]) -> None:
    got = Desk().observe(TEMP, **fields)
    ((_, fact),) = got.facts
    assert fact.refused == reason
    assert got.rows == []


def test_the_same_id_makes_rows_once() -> None:
    desk = Desk()
    assert len(desk.observe(TEMP).rows) == 1
    again = desk.observe(TEMP, at=T0 + 5000)
    assert again.rows == []
    assert [fact.refused for _, fact in again.facts] == [None]


def test_only_the_newest_ids_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "OBSERVED_KEPT", 5)
    desk = Desk()
    records = [desk.log.command(T0 + i, i, readings=[TEMP]) for i in range(7)]
    assert len(desk.hear(*records).rows) == 7
    kept = desk.core.snapshot()["observed"]
    assert (len(kept), kept[0]) == (5, command_id(2))


@pytest.mark.parametrize("kind", ["acknowledge", "unacknowledge", "no such thing", ""])
def test_all_else_passes_on(kind: str) -> None:
    desk = Desk()
    got = desk.hear(desk.log.command(T0, 1, patient="p9", kind=kind, alert="00"))
    assert [(shard, fact.key, fact.refused) for shard, fact in got.facts] == [(shard_of(key64("p9")), "p9", None)]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 7},
        {"readings": [{"value": 1}]},
        {"x": 1},
        {"at_ms": "now"},
        {"at_ms": 1.5},
        {"readings": [{"code": "8310-5", "value": "37"}]},
    ],
)
def test_of_the_wrong_shape_but_answerable(change: dict[str, Any]) -> None:
    good = {"id": command_id(1), "kind": "observe", "patient": "p1", "by": "nurse-1", "readings": []}
    got = Desk().raw(msgspec.json.encode(good | change))
    assert [fact.refused for _, fact in got.facts] == ["bad_shape"]
    assert got.letters == []


@pytest.mark.parametrize(
    ("reason", "value", "key"),
    [
        ("empty", None, "p1"),
        ("not_json", b"", "p1"),
        ("not_json", b'{"id":"\xff"}', "p1"),
        ("bad_shape", b'{"id":' + b"[" * 50_000, "p1"),
        ("not_json", b'{"other":' + b"[" * 50_000, "p1"),
        ("bad_shape", b"[]", "p1"),
        ("bad_shape", b'{"id":7,"patient":"p1"}', "p1"),
        ("bad_shape", b'{"patient":"p1"}', "p1"),
        ("bad_shape", b'{"id":"not-a-uuid","patient":"p1","kind":"observe","by":"n"}', "p1"),
        ("bad_shape", b'{"id":"%s","patient":"","kind":"observe","by":"n"}' % command_id(1).encode(), ""),
        ("bad_shape", b'{"id":"%s","patient":"p1"}' % command_id(1).encode(), "p2"),
        ("bad_shape", b'{"id":"%s","patient":"p1"}' % command_id(1).encode(), None),
        ("too_large", b" " * 70_000, "p1"),
    ],
)
def test_what_nobody_can_be_answered_for_is_a_dead_letter(reason: str, value: bytes | None, key: str | None) -> None:
    got = Desk().raw(value, key)
    assert got.facts == []
    assert got.letters == [(reason, "alert-commands/0/0")]


def test_a_person_whose_key_another_device_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.observe(TEMP)
    monkeypatch.setattr(tables, "key64", lambda name: 7 if name.startswith("manual:") else key64(name))
    desk.observe(TEMP, number=2, by="nurse-2")
    ((_, fact),) = desk.observe(TEMP, number=3, by="nurse-3").facts
    assert fact.refused == "key_collision"
