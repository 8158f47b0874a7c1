"""Facts of the tables: what is believed, where it goes, in what place and with which stamp; and what is refused (`semantics.md` 1, 4, 8)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from operators.ingest import tables
from schemas.facts import Limit, LimitLevel, RuleFact
from schemas.identity import key64, shard_of
from tests.support.ingest import DAY, T0, Log, Out, Rec, Recs, column, entries, new_core, out, reading

SHARDS = {name: shard_of(key64(name)) for name in ("p1", "p2", "p3")}


class Office:
    """A live core without tables."""

    def __init__(self) -> None:
        self.log, self.core = Log(), new_core()
        self.core.start()

    def file(self, *records: Rec, t_ms: int | None = None) -> Out:
        return out(self.core.apply(Recs(records), t_ms))

    def raw(self, topic: str, key: str | None, value: bytes | dict[str, Any] | None) -> Out:
        return self.file(self.log.put(topic, msgspec.json.encode(value) if isinstance(value, dict) else value, T0, key))


def test_a_patient_goes_to_its_shard_as_it_stood() -> None:
    office = Office()
    record = office.log.patient("p1", T0 + 5, ward="4b")
    ((shard, fact),) = office.file(record).facts
    assert (shard, fact.topic, fact.key, fact.partition, fact.version) == (SHARDS["p1"], "patients", "p1", 0, 0)
    assert (fact.at, fact.stamp, fact.value, fact.refused) == (T0 + 5, 0, record.value, None)


def test_live_a_fact_takes_effect_after_the_last_time_stated() -> None:
    office = Office()
    office.file(t_ms=T0)
    office.file(t_ms=T0 - 9)
    ((_, fact),) = office.file(office.log.patient("p1", T0 + 700), t_ms=T0 + 900).facts
    assert (fact.at, fact.stamp) == (T0 + 700, T0 + 1)
    ((_, fact),) = office.file(office.log.patient("p1", T0 + 950)).facts
    assert fact.stamp == T0 + 901


def test_a_device_goes_to_all_whose_it_is_or_was() -> None:
    office = Office()
    first = office.file(office.log.device("d", [("p1", T0, None)]))
    second = office.file(office.log.device("d", [("p1", T0, T0 + 5), ("p2", T0 + 5, None)]))
    third = office.file(office.log.device("d", [("p3", T0 + 9, None)]))
    gone = office.file(office.log.put("devices", None, T0, "d"))
    assert [sorted(shard for shard, _ in got.facts) for got in (first, second, third, gone)] == [
        sorted({SHARDS[name] for name in names}) for names in (["p1"], ["p1", "p2"], ["p1", "p2", "p3"], ["p3"])
    ]
    assert {fact.value for _, fact in gone.facts} == {None}


def test_a_device_that_is_nobodys_goes_nowhere_but_is_known() -> None:
    office = Office()
    assert office.file(office.log.device("d", [])).facts == []
    assert office.file(office.log.said(reading("d", T0), T0)).letters == [("unbound", "device-readings/0/0")]


def test_a_rule_goes_to_all_shards() -> None:
    office = Office()
    rule = RuleFact("limits", "r1", 1, [Limit("8867-4", "low", LimitLevel("<", 40.0))])
    got = office.raw("rules", "limits", msgspec.json.encode(rule))
    assert [shard for shard, _ in got.facts] == list(range(8))
    assert [shard for shard, _ in office.raw("rules", "limits", None).facts] == list(range(8))


def test_a_deleted_patient_goes_to_its_shard_without_value() -> None:
    office = Office()
    office.file(office.log.patient("p1"))
    assert [(shard, fact.value, fact.version) for shard, fact in office.raw("patients", "p1", None).facts] == [(SHARDS["p1"], None, 1)]


def test_a_version_that_was_applied_or_passed_is_not_applied_again() -> None:
    office = Office()
    old, new = office.log.patient("p1"), office.log.patient("p1", ward="2")
    office.file(new)
    assert office.file(old, new).facts == []
    assert office.core.counters["facts_old"] == 2


def test_a_fact_takes_effect_at_its_place_and_rows_stand_in_order_around_it() -> None:
    """In a stream the order of application is that of the merge."""
    log, core = Log("stream"), new_core("stream")
    core.start()
    records = [
        log.patient("p1", T0),
        log.device("d", [("p1", T0 - DAY, None)], T0),
        log.said(reading("d", T0 + 1), T0 + 1),
        log.device("d", [("p1", T0 - DAY, T0 + 2), ("p1", T0 + 2, None)], T0 + 2),
        log.said(reading("d", T0 + 3, 73), T0 + 3),
    ]
    appends = core.apply(Recs(records), None)
    assert [type(entry).__name__ for _, entry in entries(appends)] == ["Fact", "Fact", "ndarray", "Fact", "ndarray"]
    assert [(fact.at, fact.stamp) for _, fact in out(appends).facts] == [(T0, T0), (T0, T0), (T0 + 2, T0 + 2)]


def test_live_control_records_of_a_poll_go_first() -> None:
    log, core = Log(), new_core()
    core.start()
    records = [log.said(reading("d", T0), T0), log.device("d", [("p1", T0 - DAY, None)], T0 + 1), log.patient("p1", T0 + 2)]
    appends = core.apply(Recs(records), None)
    assert [fact.topic for _, fact in out(appends).facts] == ["patients", "devices"]
    assert type(entries(appends)[-1][1]).__name__ == "ndarray"


GOOD_PATIENT: dict[str, Any] = {"patient": "p1", "revision": "1", "admission": "a"}
GOOD_DEVICE: dict[str, Any] = {"device": "d", "revision": "1", "device_class": "monitor", "interval_ms": 1000}
LIMIT = {"code": "8867-4", "side": "low", "medium": None}


@pytest.mark.parametrize(
    ("reason", "topic", "key", "value"),
    [
        ("bad_fact", "patients", "p1", b""),
        ("bad_fact", "patients", "p1", b"\xff"),
        ("bad_fact", "patients", "p1", b"[" * 50_000),
        ("bad_fact", "patients", "p1", b"[]"),
        ("bad_fact", "patients", "p1", {"patient": "p1"}),
        ("bad_fact", "patients", "p1", GOOD_PATIENT | {"wrd": "4b"}),
        ("bad_fact", "patients", "p1", GOOD_PATIENT | {"age_years": 151}),
        ("bad_fact", "patients", "p1", GOOD_PATIENT | {"state": "gone"}),
        ("bad_fact", "patients", "p1", GOOD_PATIENT | {"limits": [LIMIT, LIMIT]}),
        ("bad_fact", "patients", "p1", GOOD_PATIENT | {"limits": [LIMIT | {"code": "1-8"}]}),
        ("bad_key", "patients", "p2", GOOD_PATIENT),
        ("bad_key", "patients", None, GOOD_PATIENT),
        ("bad_key", "patients", "", GOOD_PATIENT | {"patient": ""}),
        ("bad_key", "patients", "x" * 129, GOOD_PATIENT | {"patient": "x" * 129}),
        ("too_large", "patients", "p1", GOOD_PATIENT | {"zone": "x" * 300_000}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"device_class": "toaster"}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"interval_ms": 0}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"interval_ms": 10**30}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"intervals_ms": {"8867-4": -1}}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"leases": [{"patient": "p1", "from_ms": 9, "until_ms": 8}]}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"leases": [{"patient": "p1", "from_ms": 10**30}]}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"leases": [{"patient": "p1", "from_ms": 1, "until_ms": 10**30}]}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"leases": [{"patient": "", "from_ms": 1}]}),
        ("bad_fact", "devices", "d", GOOD_DEVICE | {"leases": [{"patient": "p1", "from_ms": 1}] * 1001}),
        ("bad_fact", "devices", "manual:nurse-1", GOOD_DEVICE | {"device": "manual:nurse-1"}),
        ("bad_key", "devices", "e", GOOD_DEVICE),
        ("bad_key", "devices", None, None),
        ("bad_fact", "rules", "limits", {"name": "limits"}),
        ("bad_key", "rules", "x", {"name": "limits", "revision": "1", "version": 1}),
    ],
)
def test_what_is_not_believed_goes_to_dead_letter(reason: str, topic: str, key: str | None, value: Any) -> None:
    got = Office().raw(topic, key, value)
    assert got.letters == [(reason, f"{topic}/0/0")]
    assert got.facts == []


def test_a_key_that_is_no_text_is_refused() -> None:
    office = Office()
    record = office.log.patient("p1")._replace(key=b"\xff")
    assert office.file(record).letters == [("bad_key", "patients/0/0")]


def test_a_refused_fact_leaves_the_one_before_it() -> None:
    office = Office()
    office.file(office.log.device("d", [("p1", T0 - DAY, None)]))
    office.raw("devices", "d", GOOD_DEVICE | {"interval_ms": -1})
    assert column(office.file(office.log.said(reading("d", T0), T0)).rows, "patient") == [key64("p1")]


@pytest.mark.parametrize("by_lease", [False, True])
def test_a_second_pseudonym_with_the_same_key_is_refused(monkeypatch: pytest.MonkeyPatch, by_lease: bool) -> None:
    monkeypatch.setattr(tables, "key64", lambda name: 7)
    office = Office()
    office.file(office.log.patient("p1"), office.log.device("d1", [("p1", T0, None)]))
    record = office.log.device("d1", [("p2", T0, None)]) if by_lease else office.log.patient("p2")
    got = office.file(record, office.log.device("d2", []))
    assert [reason for reason, _ in got.letters] == ["key_collision", "key_collision"]
    assert column(office.file(office.log.said(reading("d1", T0), T0)).rows, "patient") == [7]
