"""From a message to a row of the timeline: whose it is, when it was, what is late, future, repeated, without value (`semantics.md` 3, 5, 6)."""

from __future__ import annotations

import pytest

from operators.clinical.tables import LATE_LIMIT_MS, TOLERANCE_MS
from operators.ingest.core import IngestCore
from schemas.codes import ABSENT, ABSENT_SHIFT, BEAT, FUTURE, LATE, NO_CLOCK, NO_VALUE, REPLAYED, absent_reason
from schemas.columns import source_partition
from schemas.identity import key64, shard_of
from tests.support.ingest import DAY, HOUR, MIN, T0, Log, Out, Recs, column, entries, new_core, out, reading, replayed

CLASSES = tuple(LATE_LIMIT_MS)


class Ward:
    """One core, live, with devices bound to p1 from a day ago: d-monitor, d-cgm, d-spot, d-charted; and `dev`, whose leases a test chooses."""

    def __init__(self, leases: list[tuple[str, int, int | None]] | None = None, device_class: str = "monitor") -> None:
        self.log, self.core = Log(), new_core()
        self.core.load_tables(
            [
                *(self.log.patient(name) for name in ("p1", "p2")),
                *(self.log.device(f"d-{name}", [("p1", T0 - DAY, None)], device_class=name) for name in CLASSES),
                self.log.device("dev", leases or [], device_class=device_class),
            ]
        )
        self.core.start()

    def say(self, *bodies: dict[str, object] | bytes, at: int = T0, headers: dict[str, bytes] | None = None) -> Out:
        return out(self.core.apply(Recs(self.log.said(body, at, headers=headers) for body in bodies), None))


def test_a_reading_becomes_one_row_in_the_shard_of_its_patient() -> None:
    ward = Ward()
    appends = ward.core.apply(Recs([ward.log.said(reading("d-monitor", T0 - 3), T0, partition=2)]), None)
    ((shard, _),) = entries(appends)
    assert shard == shard_of(key64("p1"))
    assert out(appends).rows == [(key64("p1"), key64("d-monitor"), T0 - 3, T0, 72.0, 8867, 0, source_partition("device-readings", 2), 0, 0)]


def test_all_readings_of_a_message_are_rows_with_their_places() -> None:
    body = reading("d-monitor", T0)
    body["readings"] += [
        {"code": "1-8", "value": 1, "unit": "%"},
        {"code": "59408-5", "value": 97, "unit": "%"},
        {"code": "9279-1", "absent": "motion"},
    ]
    got = Ward().say(body)
    assert column(got.rows, "code") == [8867, 59408, 9279]
    assert column(got.rows, "index") == [0, 2, 3]
    assert got.letters == [("unknown_code", "device-readings/0/0")]


def test_an_impossible_number_leaves_the_screen_and_is_not_hidden() -> None:
    """Law 6: the row goes on without value and with its reason."""
    (row,) = Ward().say(reading("d-monitor", T0, 0)).rows
    assert row[4] is None
    assert absent_reason(row[6]) == "zero"


# Leases


def test_unknown_or_unbound_is_a_dead_letter() -> None:
    ward = Ward([("p1", T0, T0 + 10)])
    got = ward.say(reading("nobody", T0), reading("dev", T0 - 1), reading("dev", T0 + 10), reading("dev", T0 + 9), at=T0 + 10)
    assert got.letters == [("unbound", f"device-readings/0/{i}") for i in range(3)]
    assert column(got.rows, "t") == [T0 + 9]


@pytest.mark.parametrize(
    ("t", "patient"),
    [
        (T0 - 60_001, None),
        (T0 - 50_000, "p1"),
        (T0 - 30_001, "p1"),
        (T0 - 30_000, "p2"),
        (T0 - 20_001, "p2"),
        (T0 - 20_000, None),
        (T0 - 10_000, "p1"),
    ],
)
def test_the_lease_at_the_time_of_the_reading_counts(t: int, patient: str | None) -> None:
    ward = Ward([("p1", T0 - 60_000, T0 - 30_000), ("p2", T0 - 30_000, T0 - 20_000), ("p1", T0 - 10_000, None)])
    got = ward.say(reading("dev", t))
    assert column(got.rows, "patient") == ([] if patient is None else [key64(patient)])
    assert [reason for reason, _ in got.letters] == ([] if patient else ["unbound"])


def test_leases_in_any_order_and_a_later_binding_supersedes_one_that_was_not_ended() -> None:
    ward = Ward([("p2", T0 - 1000, None), ("p1", T0 - HOUR, None)])
    rows = ward.say(reading("dev", T0 - 1001), reading("dev", T0 - 1000)).rows
    assert {row[2] - T0: row[0] for row in rows} == {-1001: key64("p1"), -1000: key64("p2")}


@pytest.mark.parametrize(
    ("device_class", "age_ms", "letter"),
    [("monitor", 60_001, True), ("monitor", 60_000, False), ("cgm", HOUR, False), ("spot", 5 * HOUR, False)],
)
def test_an_old_reading_of_a_monitor_that_has_changed_hands_is_ambiguous(device_class: str, age_ms: int, letter: bool) -> None:
    ward = Ward([("p1", T0 - DAY, T0 - 10), ("p2", T0 - 10, None)], device_class)
    got = ward.say(reading("dev", T0 - age_ms))
    assert [reason for reason, _ in got.letters] == (["ambiguous_binding"] if letter else [])
    assert column(got.rows, "patient") == ([] if letter else [key64("p1")])


@pytest.mark.parametrize("leases", [[("p1", T0 - DAY, T0 - 10)], [("p1", T0 - DAY, T0 - HOUR), ("p1", T0 - MIN, None)]])
def test_old_is_not_ambiguous_while_nobody_else_has_the_device(leases: list[tuple[str, int, int | None]]) -> None:
    (row,) = Ward(leases).say(reading("dev", T0 - 2 * HOUR)).rows
    assert row[0] == key64("p1")
    assert row[6] & LATE


def test_rebinding_acts_from_its_place() -> None:
    ward = Ward([("p1", T0 - DAY, None)])
    log = ward.log
    first = ward.say(reading("dev", T0))
    second = out(
        ward.core.apply(
            Recs(
                [log.said(reading("dev", T0 + 2000), T0 + 2000), log.device("dev", [("p1", T0 - DAY, T0 + 1000), ("p2", T0 + 1000, None)])]
            ),
            None,
        )
    )
    assert column(first.rows + second.rows, "patient") == [key64("p1"), key64("p2")]


def test_ended_and_deleted_devices_are_unbound() -> None:
    ward = Ward([("p1", T0 - DAY, None)])
    gone = ward.log.put("devices", None, T0, "dev")
    assert out(ward.core.apply(Recs([gone, ward.log.said(reading("dev", T0), T0)]), None)).letters == [("unbound", "device-readings/0/0")]
    back = ward.log.device("dev", [("p2", T0 - DAY, None)])
    assert column(out(ward.core.apply(Recs([back, ward.log.said(reading("dev", T0), T0)]), None)).rows, "patient") == [key64("p2")]


# Repeats and lateness


def test_the_newest_again_is_dropped_and_counted() -> None:
    ward = Ward()
    ward.say(reading("d-monitor", T0), reading("d-monitor", T0))
    again = ward.say(reading("d-monitor", T0), reading("d-monitor", T0, 73), reading("d-monitor", T0, None), at=T0 + 9)
    assert [(row[4], bool(row[6] & LATE)) for row in again.rows] == [(73.0, True), (None, True)]
    assert ward.core.counters["repeats"] == 2


def test_rows_without_value_at_one_time_are_the_same() -> None:
    ward = Ward()
    got = ward.say(reading("d-monitor", T0, 0), reading("d-monitor", T0, None))
    assert len(got.rows) == 1


def test_the_same_reading_of_another_device_or_vital_is_no_repeat() -> None:
    got = Ward().say(reading("d-monitor", T0), reading("d-spot", T0), reading("d-monitor", T0, 72, "9279-1"))
    assert len(got.rows) == 3
    assert not any(flags & LATE for flags in column(got.rows, "flags"))


def test_not_newer_than_the_newest_is_late_and_moves_nothing() -> None:
    got = Ward().say(
        reading("d-monitor", T0 - 5), reading("d-monitor", T0 - 9, 60), reading("d-monitor", T0 - 7, 61), reading("d-monitor", T0 - 5)
    )
    assert [(row[2] - T0, bool(row[6] & LATE)) for row in got.rows] == [(-5, False), (-9, True), (-7, True)]


@pytest.mark.parametrize("device_class", CLASSES)
def test_late_by_age(device_class: str) -> None:
    limit = LATE_LIMIT_MS[device_class]
    ward = Ward()
    too_old = ward.say(reading(f"d-{device_class}", T0 - limit - 1))
    at_limit = ward.say(reading(f"d-{device_class}", T0 - limit))
    assert [flags & LATE for flags in column(too_old.rows + at_limit.rows, "flags")] == [LATE, 0]


def test_what_was_late_by_age_is_not_the_newest() -> None:
    old = reading("d-monitor", T0 - HOUR)
    got = Ward().say(old, old, reading("d-monitor", T0 - HOUR + 1))
    assert [bool(flags & LATE) for flags in column(got.rows, "flags")] == [True] * 3


@pytest.mark.parametrize("device_class", CLASSES)
def test_a_time_ahead_is_set_to_received(device_class: str) -> None:
    ahead = TOLERANCE_MS[device_class]
    ward = Ward()
    got = (
        ward.say(reading(f"d-{device_class}", T0 + ahead)).rows
        + ward.say(reading(f"d-{device_class}", T0 + ahead + 1), at=T0 + ahead * 2 + 9).rows
    )
    assert column(got, "flags") == [0, 0]
    (row,) = Ward().say(reading(f"d-{device_class}", T0 + ahead + 1)).rows
    assert (row[2], row[6]) == (T0, FUTURE)


def test_the_lease_of_a_reading_from_the_future_is_the_one_at_received() -> None:
    (row,) = Ward([("p1", T0 - DAY, T0 + 5), ("p2", T0 + 5, None)]).say(reading("dev", T0 + HOUR)).rows
    assert row[0] == key64("p1")


def test_a_device_without_clock() -> None:
    (row,) = Ward().say(reading("d-monitor", None), at=T0 + 7).rows
    assert (row[2], row[3], row[6]) == (T0 + 7, T0 + 7, NO_CLOCK)


# Beats


def test_a_beat_is_a_row_of_code_0() -> None:
    ward = Ward()
    got = ward.say({"device": "d-monitor", "t": T0, "beat": True}, {"device": "d-monitor", "battery_percent": 4}, at=T0 + 1)
    assert [(row[2], row[4], row[5], row[6]) for row in got.rows] == [
        (T0, None, 0, BEAT | NO_VALUE),
        (T0 + 1, None, 0, BEAT | NO_VALUE | NO_CLOCK),
    ]
    assert absent_reason(got.rows[0][6]) == "unknown"
    assert ward.core.counters["beats"] == 2


def test_a_beat_needs_a_lease_too() -> None:
    assert Ward().say({"device": "nobody", "beat": True}).letters == [("unbound", "device-readings/0/0")]


# Dead letters that come back


def test_a_replayed_dead_letter_is_late_and_judged_by_its_own_time() -> None:
    now = T0 + 20 * DAY
    ward = Ward([("p1", T0 - DAY, T0 + HOUR), ("p2", T0 + HOUR, None)])
    (row,) = ward.say(reading("dev", T0 - 10), at=now, headers=replayed(T0)).rows
    assert (row[0], row[2], row[3], row[6]) == (key64("p1"), T0 - 10, now, LATE | REPLAYED)
    (fresh,) = ward.say(reading("dev", now), at=now).rows
    assert fresh[6] == 0


def test_a_dead_letter_replayed_at_once_is_late_all_the_same_and_moves_nothing() -> None:
    ward = Ward()
    (row,) = ward.say(reading("d-monitor", T0), at=T0 + 10, headers=replayed(T0 + 5)).rows
    assert row[6] == LATE | REPLAYED
    (row,) = ward.say(reading("d-monitor", T0 - 1), at=T0 + 10).rows
    assert row[6] == 0


def test_a_replayed_dead_letter_without_clock_was_measured_when_it_first_arrived() -> None:
    ward = Ward([("p1", T0 - DAY, T0 + HOUR), ("p2", T0 + HOUR, None)])
    rows = ward.say(reading("dev", None), at=T0 + DAY, headers=replayed(T0)).rows
    rows += ward.say(reading("dev", T0 + MIN, 60), at=T0 + DAY, headers=replayed(T0)).rows
    assert [(row[0], row[2], row[6]) for row in rows] == [
        (key64("p1"), T0, LATE | REPLAYED | NO_CLOCK),
        (key64("p1"), T0, LATE | REPLAYED | FUTURE),
    ]


def test_a_replay_stays_ambiguous_until_the_leases_say_otherwise() -> None:
    ward = Ward([("p1", T0 - DAY, T0 - 10), ("p2", T0 - 10, None)])
    assert [why for why, _ in ward.say(reading("dev", T0 - HOUR), at=T0 + DAY, headers=replayed(T0)).letters] == ["ambiguous_binding"]
    ward.core.apply(Recs([ward.log.device("dev", [("p1", T0 - DAY, T0 + 10), ("p2", T0 + 10, None)])]), None)
    (row,) = ward.say(reading("dev", T0 - HOUR), at=T0 + DAY, headers=replayed(T0)).rows
    assert row[0] == key64("p1")


@pytest.mark.parametrize(
    "text", [b"", b"x", b"device-readings/0/1", b"device-readings/0/1/-5", b"device-readings/a/1/5", b"a/1/2/99999999999999", b"t/0/1/1e3"]
)
def test_a_replay_header_that_cannot_be_read_is_refused(text: bytes) -> None:
    got = Ward().say(reading("d-monitor", T0), headers={"replayed-from": text})
    assert got.letters == [("forged_header", "device-readings/0/0")]
    assert got.rows == []


@pytest.mark.parametrize("header", ["arrival", "mark"])
def test_live_a_recorded_arrival_or_a_mark_is_forged(header: str) -> None:
    ward = Ward()
    assert ward.say(reading("d-monitor", T0), headers={header: b"1"}).letters == [("forged_header", "device-readings/0/0")]
    fact = ward.log.put("devices", b"{}", T0, "dev", headers={header: b"1"})
    assert out(ward.core.apply(Recs([fact]), None)).letters == [("forged_header", "devices/0/5")]


# The tables of a live writer may be behind its readings


def unresolved(core: IngestCore, log: Log, *bodies: dict[str, object] | bytes) -> bool:
    return core.unresolved(Recs(log.said(body, T0) for body in bodies))


def test_unresolved_asks_for_the_control_topics_first() -> None:
    ward = Ward([("p1", T0 - DAY, T0 - HOUR)])
    core, log = ward.core, ward.log
    assert not core.unresolved(Recs([]))
    assert not unresolved(core, log, reading("d-monitor", T0), b"not json", reading("d-monitor", T0 - 5 * HOUR))
    assert unresolved(core, log, reading("d-monitor", T0), reading("new-one", T0))
    assert unresolved(core, log, reading("dev", T0))
    batch = Recs([log.said(reading("new-one", T0), T0), log.said(b"not json", T0)])
    assert core.unresolved(batch)
    core.apply(Recs([log.device("new-one", [("p2", T0 - 1, None)])]), None)
    assert not core.unresolved(batch)
    got = out(core.apply(batch, None))
    assert column(got.rows, "patient") == [key64("p2")]
    assert [reason for reason, _ in got.letters] == ["not_json"]


def test_absent_reasons_fit_their_bits() -> None:
    assert len(ABSENT) << ABSENT_SHIFT < BEAT
