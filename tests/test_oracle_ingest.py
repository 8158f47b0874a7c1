"""What ingest must do with items, told by hand (`semantics.md` 5 and 6): whose a reading is, repeats, late and future, no clock, `observe`."""

from __future__ import annotations

from collections.abc import Iterable

from operators.sim.items import Draft, Said, beat, fact, message, place
from schemas.codes import FUTURE, LATE, NO_CLOCK, OBSERVED
from schemas.facts import Command, DeviceClass, DeviceFact, Lease, Observation, PatientFact
from schemas.timeline import Begin, End, Hello
from tests.oracle_ingest import Ingest, judge
from tests.support.entries import Row
from tests.support.ward import START_MS, command_id, ms

HR = Said("8867-4", 70, "/min")
PEOPLE = [fact(ms(0), PatientFact(name, name, "first")) for name in ("amin", "bala")]


def device(*leases: tuple[str, float, float | None], at_s: float = 0, kind: DeviceClass = "monitor") -> Draft:
    spans = [Lease(who, ms(start), None if end is None else ms(end)) for who, start, end in leases]
    return fact(ms(at_s), DeviceFact("mon", f"d{at_s}", kind, 2000, spans))


def told(drafts: Iterable[Draft]) -> tuple[list[Row], int]:
    """(rows, dead letters)."""
    ingest, rows = Ingest(), list[Row]()
    take = ingest.fold.take
    ingest.fold.take = lambda entry: (rows.extend(entry) if isinstance(entry, list) else None, take(entry))[1]  # type: ignore[method-assign,func-returns-value]
    for entry in (Hello("ingest", "1"), Begin("a"), End("a", 0)):
        take(entry)
    for item in place([*PEOPLE, *drafts]):
        ingest.item(item)
    assert ingest.rows == len(rows)
    return rows, ingest.dead_letters


def placed(rows: list[Row]) -> list[tuple[str, float, int]]:
    """(patient, t in seconds, flags)."""
    return [(row.patient, (row.t - START_MS) / 1000, row.flags) for row in rows]


def test_a_reading_belongs_to_the_lease_at_its_own_time() -> None:
    bound = device(("amin", 0, 100), ("bala", 100, None))
    rows, dead = told(
        [bound, message(ms(99), "mon", ms(99), [HR]), message(ms(101), "mon", ms(99.5), [HR]), message(ms(102), "mon", ms(100), [HR])]
    )
    assert placed(rows) == [("amin", 99, 0), ("amin", 99.5, 0), ("bala", 100, 0)]
    assert dead == 0


def test_an_old_reading_of_a_moved_monitor_is_nobodys() -> None:
    moved = [("amin", 0.0, 100.0), ("bala", 100.0, None)]
    old = [message(ms(160), "mon", ms(99), [HR]), message(ms(159), "mon", ms(99), [Said("8867-4", 71, "/min")])]
    rows, dead = told([device(*moved), old[1], old[0]])
    assert (placed(rows), dead) == ([("amin", 99, 0)], 1)  # 60 s old: amin's; 61 s: ambiguous
    rows, dead = told([device(*moved, kind="cgm"), old[0]])
    assert (placed(rows), dead) == ([("amin", 99, 0)], 0)  # only a monitor's
    rows, dead = told([device(("amin", 0, 100)), old[0]])
    assert (placed(rows), dead) == ([("amin", 99, LATE)], 0)  # nobody else had it


def test_what_no_lease_covers_is_a_dead_letter_once_a_message() -> None:
    two = [HR, Said("59408-5", 97, "%")]
    assert told([device(("amin", 10, 20)), message(ms(9), "mon", ms(9), two), message(ms(21), "mon", ms(20), two)]) == ([], 2)
    assert told([message(ms(9), "stranger", ms(9), two)]) == ([], 1)


def test_repeats_are_dropped_and_what_is_not_newer_is_late() -> None:
    again = [
        message(ms(2), "mon", ms(2), [HR]),
        message(ms(3), "mon", ms(2), [HR]),  # a repeat of the newest
        message(ms(4), "mon", ms(1), [HR]),
        message(ms(5), "mon", ms(1), [HR]),  # late ones are no newest: no repeat
        message(ms(6), "mon", ms(2), [Said("8867-4", 71, "/min")]),
        message(ms(7), "mon", ms(7), [Said("8867-4", absent="lead-off")]),
        message(ms(8), "mon", ms(7), [Said("8867-4", absent="motion")]),  # without value = without value
    ]
    rows, dead = told([device(("amin", -1000, None)), *again])
    assert [(t, bool(flags & LATE)) for _, t, flags in placed(rows)] == [(2, False), (1, True), (1, True), (2, True), (7, False)]
    assert dead == 0


def test_old_is_late_and_the_future_is_now() -> None:
    sent = [
        message(ms(100), "mon", ms(40), [HR]),
        message(ms(101), "mon", ms(40.5), [HR]),
        message(ms(102), "mon", ms(104), [HR]),
        message(ms(103), "mon", ms(105.001), [HR]),
        message(ms(110), "mon", None, [HR]),
    ]
    rows, _ = told([device(("amin", -1000, None)), *sent])
    assert placed(rows) == [
        ("amin", 40, 0),
        ("amin", 40.5, LATE),
        ("amin", 104, 0),
        ("amin", 103, FUTURE | LATE),  # set to received, and so not newer than the 104 before
        ("amin", 110, NO_CLOCK),
    ]


def test_an_unknown_code_leaves_the_others_and_one_dead_letter() -> None:
    rows, dead = told([device(("amin", 0, None)), message(ms(1), "mon", ms(1), [HR, Said("1-8", 1, "1")])])
    assert (len(rows), dead) == (1, 1)


def test_observations_become_rows_of_the_observer() -> None:
    seen = [Observation("67775-7", coded="V"), Observation("8310-5", 100.4, "[degF]")]
    rows, dead = told([fact(ms(5), Command(command_id(1), "observe", "amin", "siti", at_ms=ms(1), readings=seen))])
    assert [(r.patient, r.device, r.code, r.t, r.value and round(r.value, 6)) for r in rows] == [
        ("amin", "manual:siti", 67775, ms(1), 2),
        ("amin", "manual:siti", 8310, ms(1), 38.0),
    ]
    assert all(row.flags & OBSERVED for row in rows)
    assert dead == 0


def test_what_cannot_be_observed_is_refused_whole() -> None:
    one = Observation("8867-4", 70, "/min")
    wrong = [
        Command(command_id(1), "observe", "nobody", "siti", readings=[one]),
        Command(command_id(2), "observe", "amin", "siti", readings=[one, Observation("8310-5", 98.6, "Cel")]),
        Command(command_id(3), "observe", "amin", "siti", readings=[Observation("1-8", 1, "1")]),
    ]
    verdict = judge(place([*PEOPLE, *(fact(ms(5), command) for command in wrong)]))
    assert [(e.transition, e.reason) for e in verdict.events] == [
        ("refused", "unknown_patient"),
        ("refused", "unit-suspect"),
        ("refused", "unknown_code"),
    ]
    assert (verdict.rows, verdict.dead_letters) == (0, 0)


def test_a_beat_is_a_row() -> None:
    rows, _ = told([device(("amin", 0, None)), beat(ms(1), "mon", ms(1)), beat(ms(2), "mon", ms(1)), beat(ms(3), "mon", ms(2))])
    assert [(row.code, row.t) for row in rows] == [(0, ms(1)), (0, ms(2))]


def test_a_run_ends_with_its_time() -> None:
    verdict = judge(place([*PEOPLE, device(("amin", 0, None)), message(ms(1), "mon", ms(1), [HR])], end_ms=ms(11)))
    assert [(e.transition, e.at_ms) for e in verdict.events] == [("raised", ms(11))]
    verdict = judge(place([*PEOPLE, device(("amin", 0, None)), message(ms(1), "mon", ms(1), [HR])], end_ms=ms(10.999)))
    assert verdict.events == []
