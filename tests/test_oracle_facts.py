"""Commands, leases, discharge, cold folds and repeats told by hand (`semantics.md` 3, 5, 7, 8)."""

from __future__ import annotations

from schemas.codes import LATE
from schemas.identity import cause_command, cause_fact, event_id
from schemas.timeline import Begin, End, Hello
from tests.oracle import Fold
from tests.support.ward import START_MS, Ward, command_id, ms

LOW = "limit sbp low mon"


def test_one_owner_and_the_other_is_told() -> None:
    w = Ward()
    w.read(1, sbp=85)
    a = w.alert()
    w.command(2, "acknowledge", "siti", a)
    w.command(3, "acknowledge", "siti", a)
    w.command(4, "acknowledge", "ravi", a)
    w.command(5, "unacknowledge", "ravi", a)
    w.command(6, "unacknowledge", "siti", a)
    w.command(7, "acknowledge", "ravi", a)
    assert w.told() == [
        f"1 {LOW} raised medium",
        f"2 {LOW} acknowledged medium",
        "3 refused already_owned",
        "4 refused owned_by_other",
        "5 refused not_owner",
        f"6 {LOW} unacknowledged medium",
        f"7 {LOW} acknowledged medium",
    ]
    ids = [event_id(a, "acknowledged", cause_command(command_id(1))), event_id("", "refused", cause_command(command_id(2)))]
    assert [e.id for e in w.fold.events[1:3]] == ids
    assert [e.seq for e in w.fold.events] == [1, 2, 0, 0, 0, 3, 4]


def test_an_owned_alert_closes_when_it_clears() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.command(2, "acknowledge", alert=w.alert())
    w.read(3, sbp=120)
    w.command(4, "unacknowledge", alert=w.alert())
    assert w.told() == [f"1 {LOW} raised medium", f"2 {LOW} acknowledged medium", f"3 {LOW} cleared medium", "4 refused unknown_alert"]


def test_a_cleared_alert_stays_until_acknowledged() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.read(2, sbp=120)
    w.command(3, "unacknowledge", alert=w.alert())
    w.command(4, "acknowledge", alert=w.alert())
    w.command(5, "acknowledge", alert=w.alert())
    lines = [f"1 {LOW} raised medium", f"2 {LOW} cleared medium", "3 refused not_owner", f"4 {LOW} acknowledged medium"]
    assert w.told() == [*lines, "5 refused unknown_alert"]


def test_or_for_12_hours() -> None:
    w = Ward()
    w.device(0, kind="spot")
    w.read(1, sbp=85)
    w.read(2, sbp=120)
    assert w.told(2 + 43_200) == [f"1 {LOW} raised medium", f"2 {LOW} cleared medium", f"43202 {LOW} closed medium"]


def test_worsening_takes_the_owner_away() -> None:
    w = Ward()
    w.every(5, 1, 16, spo2=88)
    w.command(17, "acknowledge", "siti", w.alert())
    w.read(18, spo2=75)
    w.command(19, "acknowledge", "ravi", w.alert())
    told = [line.split(" mon ")[1] for line in w.told()]
    assert told == ["raised medium", "acknowledged medium", "worsened high", "acknowledged high"]


def test_each_command_is_answered_once() -> None:
    w = Ward()
    w.command(1, "dance", n=7)
    w.command(2, "dance", n=7)
    w.command(3, "acknowledge", alert="0" * 32)
    w.command(4, "acknowledge")
    w.command(5, "observe", refused="bad_shape")
    w.command(6, "acknowledge", patient="nobody")
    assert w.told() == [
        "1 refused unknown_command",
        "3 refused unknown_alert",
        "4 refused unknown_alert",
        "5 refused bad_shape",
        "6 refused unknown_alert",
    ]


def test_nobody_acknowledges_another_patients_alert() -> None:
    w = Ward()
    w.patient(0, "bala")
    w.read(1, sbp=85)
    w.command(2, "acknowledge", alert=w.alert(), patient="bala")
    assert w.told() == [f"1 {LOW} raised medium", "2 refused unknown_alert"]


def test_an_observation_is_answered_and_judged() -> None:
    w = Ward()
    w.observe(1, sbp=85)
    assert w.told(1) == ["1 observed", "1 limit sbp low manual:siti raised medium"]
    assert w.fold.events[0].id == event_id("", "observed", cause_command(command_id(1)))


def test_discharge_closes_everything_and_later_rows_are_not_judged() -> None:
    w = Ward()
    w.read(1, sbp=85, hr=None, spo2=85)
    w.read(2, hr=80, sbp=100)
    w.patient(3, state="discharged")
    w.read(4, sbp=60, spo2=70, hr=None)
    assert w.told(2000) == [
        f"1 {LOW} raised medium",
        "1 signal_lost hr mon raised technical",
        "2 signal_lost hr mon cleared technical",
        f"2 {LOW} cleared medium",
        f"3 {LOW} closed medium",
        "3 signal_lost hr mon closed technical",
    ]
    assert w.fold.events[-1].cause == cause_fact("patients", "amin", "p3")


def test_a_new_admission_starts_empty() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.patient(2, admission="second")
    w.read(3, sbp=85)
    w.patient(4, admission="second", state="discharged")
    w.read(5, sbp=85)
    w.patient(6, admission="third")
    w.read(7, sbp=85)
    lines = ["1 raised", "2 closed", "3 raised", "4 closed", "7 raised", "17 silent"]
    assert [line.replace(f"{LOW} ", "").rsplit(" ", 1)[0] for line in w.told(16)] == lines[:5]
    assert w.told(17)[-1] == "17 silent mon raised technical"


def test_the_silence_of_a_re_admitted_patient_counts_from_the_admission() -> None:
    w = Ward()
    w.patient(5, state="discharged")
    w.patient(100, admission="second")
    assert w.told(110) == ["110 silent mon raised technical"]


def test_a_deleted_patient_is_a_discharged_one() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.gone(2, "patients", "amin")
    w.read(3, sbp=85)
    assert w.told(100) == [f"1 {LOW} raised medium", f"2 {LOW} closed medium"]


def test_a_patient_without_a_fact_is_judged_by_the_default_limits() -> None:
    w = Ward(bare=True)
    w.device(0)
    w.read(1, sbp=85, rr=40)
    w.patient(2)  # now known: nothing starts anew
    w.read(3, sbp=120)
    assert w.told(3) == [f"1 {LOW} raised medium", f"3 {LOW} cleared medium"]


def test_the_end_of_a_lease_closes_what_its_device_raised_and_nothing_else() -> None:
    w = Ward()
    w.device(0, "cuff", kind="spot")
    w.read(1, sbp=85)
    w.read(2, "cuff", sbp=85)
    w.device(3, "mon", ("amin", 0, 3))
    w.read(4, sbp=60)
    assert w.told(100) == [f"1 {LOW} raised medium", "2 limit sbp low cuff raised medium", f"3 {LOW} closed medium"]
    assert w.fold.events[-1].cause == cause_fact("devices", "mon", "d3")


def test_a_lease_that_ends_later_ends_by_its_own_time() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, "mon", ("amin", 0, 50))
    w.every(5, 30, 50, spo2=88)  # a delay from 30, a row at the very end
    assert w.told() == [
        "10 silent mon raised technical",
        "30 silent mon cleared technical",
        "45 limit spo2 low mon raised medium",
        "50 silent mon closed technical",
        "50 limit spo2 low mon closed medium",
    ]
    assert w.fold.events[-1].cause == f"deadline:lease:{START_MS + 50_000}"
    assert len(w.told(500)) == 5


def test_a_delay_that_would_end_with_the_lease_says_nothing() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, "mon", ("amin", 0, 16))
    w.every(5, 1, 11, spo2=88)
    assert w.told(16) == []


def test_a_lease_that_begins_later_begins_by_its_own_time() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, "mon", ("amin", 20, None))
    w.read(19.5, t_s=20.5, sbp=85)  # placed for amin by its t, but not judged yet
    w.read(21, t_s=21, sbp=85)
    assert w.told(31) == [f"21 {LOW} raised medium", "31 silent mon raised technical"]


def test_a_lease_renewed_without_a_gap_changes_nothing() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, "mon", ("amin", 0, 5), ("amin", 5, None))
    w.read(4, spo2=85)
    w.read(9, spo2=85)
    w.device(10, "mon", ("amin", 0, None))
    w.read(15, spo2=85)
    assert w.told(19) == ["19 limit spo2 low mon raised medium"]


def test_a_re_bound_device_starts_empty_and_the_event_says_what_was_placed_wrongly() -> None:
    w = Ward()
    w.patient(0, "bala")
    w.every(60, 0, 300, sbp=85, patient="amin")
    w.device(310, "mon", ("amin", 0, 120), ("bala", 120, None))
    w.read(311, sbp=85, patient="bala")
    told = [line for line in w.told(311) if "silent" not in line]
    assert told == [f"0 {LOW} raised medium", "310 binding_corrected", f"310 {LOW} closed medium", f"311 {LOW} raised medium"]
    assert [e.id for e in w.fold.events if e.transition == "binding_corrected"] == [
        event_id("", "binding_corrected", cause_fact("devices", "mon", "d310"))
    ]


def test_a_binding_in_time_corrects_nothing() -> None:
    w = Ward()
    w.patient(0, "bala")
    w.read(1, hr=70)
    w.device(61, "mon", ("amin", 0, 61), ("bala", 61, None))
    w.device(62, "mon", ("amin", 0, 61), ("bala", 61, None))
    assert not [line for line in w.told() if "binding" in line]


def test_a_fact_is_applied_if_newer_and_a_row_if_above_the_earlier_records() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.read(2, sbp=120)
    w.command(3, "acknowledge", alert=w.alert())
    told = w.told()
    before = list(w.entries)
    w.add(Hello("ingest", "2"), *before[-4:], *before)
    assert w.told() == told


def test_rows_of_one_message_in_one_record_are_all_taken() -> None:
    w = Ward()
    w.read(1, sbp=85, hr=20, temp=30)
    assert len(w.told()) == 1
    assert len(w.told(90)) == 4  # HR after 10 s, Temp after 60 s, silence at 11


def test_a_cold_fold_judges_nothing_before_a_whole_statement() -> None:
    w = Ward(stated=False)
    w.read(1, sbp=85, spo2=75, hr=None)
    w.command(2, "acknowledge", alert="0" * 32)
    w.add(Begin("b"))
    w.read(3, spo2=75)
    w.add(End("c", 0), End("b", 1))  # another's, and one that says that a fact is missing
    w.read(4, spo2=75)
    assert w.told(5) == []
    w.patient(5.5)
    w.add(End("b", 1))
    w.read(6, spo2=75)
    assert w.told(6) == ["6 limit spo2 low mon raised high"]


def test_a_cold_fold_remembers_newest_values_and_who_was_heard() -> None:
    w = Ward(stated=False, age_years=70)
    w.read(1, rr=30)  # before the statement: taken as the newest value, no instant
    assert w.told(2) == []
    w.add(End("a", 2))
    assert w.told(3) == []
    w.beat(4)  # the next row's instant is judged
    w.read(5, t_s=0.5, rr=16)  # older than the newest, known from before
    assert w.told(5) == ["4 news2 raised medium"]
    assert w.told(15)[-1] == "15 silent mon raised technical"


def test_silence_that_ended_while_cold_is_told_afterwards() -> None:
    w = Ward(stated=False)
    w.time(60)
    w.add(End("a", 2))
    assert w.told(60.001) == ["10 silent mon raised technical"]


def test_rows_before_their_binding_was_known_are_kept_if_it_is_stated() -> None:
    w = Ward(bare=True, stated=False)
    w.read(1, rr=30)
    w.read(1, "other", rr=30)
    w.patient(2, age_years=70)
    w.device(2)
    w.add(End("a", 2))
    assert [device for device, _ in w.fold.patients["amin"].slots] == ["mon"]


def test_a_row_below_shard_time_is_judged_just_after_it() -> None:
    w = Ward()
    w.time(5)
    w.read(4, spo2=79)
    assert w.told() == ["5.001 limit spo2 low mon raised high"]


def test_a_fact_proves_time_before_it_acts() -> None:
    w = Ward()
    w.every(5, 1, 11, spo2=88)
    w.patient(16, state="discharged")  # 15 s after the first low value the delay ends, at 16: not before 16
    assert w.told() == []
    w = Ward()
    w.every(5, 1, 11, spo2=88)
    w.patient(16.001, state="discharged")
    assert w.told() == ["16 limit spo2 low mon raised medium", "16.001 limit spo2 low mon closed medium"]


def test_nothing_depends_on_who_folds() -> None:
    w = Ward()
    w.read(1, sbp=85)
    w.read(2, t_s=1, flags=LATE, sbp=60)
    again = Fold()
    for entry in w.entries:
        again.take(entry)
    assert again.events == w.fold.events
    assert ms(0) == START_MS
