"""Limits as a clinician would tell them, event by event (`semantics.md` 7, `clinical.md` 6.4). Each line was written by hand."""

from __future__ import annotations

from schemas.codes import ABOVE, BELOW, LATE
from schemas.identity import alert_id, cause_deadline, cause_reading, event_id
from tests.support.ward import START_MS, Ward, limit


def test_spo2_below_90_raises_after_15_s_and_clears_after_30_s_at_92() -> None:
    w = Ward()
    w.every(5, 1, 16, spo2=88)  # below since second 1
    w.every(5, 21, 61, spo2=93)  # good since second 21
    assert w.told(61) == ["16 limit spo2 low mon raised medium", "51 limit spo2 low mon cleared medium"]


def test_the_ids_are_functions_of_the_causes() -> None:
    w = Ward()
    w.every(5, 1, 16, spo2=88)
    (raised,) = w.fold.events
    onset = cause_reading("mon", 59408, START_MS + 1000, START_MS + 1000)
    assert raised.alert == alert_id("amin", "limit", "59408-5:low:mon", onset)
    assert raised.cause == cause_deadline("delay", START_MS + 16000)
    assert raised.id == event_id(raised.alert, "raised", raised.cause)
    assert raised.seq == 1


def test_a_dip_shorter_than_the_delay_says_nothing() -> None:
    w = Ward()
    w.read(1, spo2=88)
    w.beat(8)
    w.read(15, spo2=90)  # 90 is not below 90
    w.read(17, spo2=89)  # a new excursion
    w.beat(24)
    w.read(30, spo2=91)
    assert w.told(40) == ["40 silent mon raised technical"]  # last row 30, 5 x 2 s


def test_a_deadline_fires_before_the_row_of_the_same_ms() -> None:
    w = Ward()
    w.read(1, spo2=88)
    w.beat(9)
    w.read(16, spo2=97)  # the delay ends at 16: it was below all the while
    w.beat(25)
    w.beat(34)
    w.beat(43)
    assert w.told(46) == ["16 limit spo2 low mon raised medium", "46 limit spo2 low mon cleared medium"]


def test_below_80_is_high_at_once() -> None:
    w = Ward()
    w.read(1, spo2=79)
    assert w.told() == ["1 limit spo2 low mon raised high"]


def test_a_fall_below_80_within_the_delay_is_one_alert_with_the_first_reading_as_onset() -> None:
    w = Ward()
    w.read(1, spo2=88)
    w.read(6, spo2=79)
    (raised,) = w.fold.events
    assert w.told(15) == ["6 limit spo2 low mon raised high"]
    onset = cause_reading("mon", 59408, START_MS + 1000, START_MS + 1000)
    assert raised.alert == alert_id("amin", "limit", "59408-5:low:mon", onset)


def test_worsening_rings_again_and_never_falls_back() -> None:
    w = Ward()
    w.every(5, 1, 16, spo2=88)
    w.read(17, spo2=75)
    w.read(18, spo2=88)  # back to medium: stays high
    w.read(19, spo2=70)  # high already
    assert w.told(28) == ["16 limit spo2 low mon raised medium", "17 limit spo2 low mon worsened high"]


def test_the_deadband_keeps_an_alert_open() -> None:
    w = Ward()
    w.every(5, 1, 16, spo2=88)
    w.every(5, 21, 31, spo2=92)
    w.read(36, spo2=91)  # not below 90, not yet good: the hold starts anew
    w.every(5, 41, 71, spo2=92)
    assert w.told(71) == ["16 limit spo2 low mon raised medium", "71 limit spo2 low mon cleared medium"]


def test_after_the_clear_a_new_crossing_is_a_new_alert() -> None:
    w = Ward()
    w.read(1, sbp=85)  # no delay, no hold
    w.read(2, sbp=95)
    w.read(3, sbp=90)
    lines = ["1 limit sbp low mon raised medium", "2 limit sbp low mon cleared medium", "3 limit sbp low mon raised medium"]
    assert w.told() == lines
    assert w.alert(0) != w.alert(1)


def test_a_row_without_value_stops_a_hold_but_not_a_delay() -> None:
    w = Ward()
    w.read(1, spo2=88)
    w.read(6, spo2=None)  # the delay runs on
    w.beat(11)
    w.read(16, spo2=93)
    w.read(21, spo2=None)
    w.every(5, 26, 56, spo2=93)  # a new hold from 26
    assert w.told(56) == [
        "6 signal_lost spo2 mon raised technical",
        "16 limit spo2 low mon raised medium",
        "16 signal_lost spo2 mon cleared technical",
        "21 signal_lost spo2 mon raised technical",
        "26 signal_lost spo2 mon cleared technical",
        "56 limit spo2 low mon cleared medium",
    ]


def test_late_rows_are_history_and_judge_nothing() -> None:
    w = Ward()
    w.read(1, t_s=-100, flags=LATE, sbp=60)
    w.read(2, t_s=2, sbp=120)
    w.read(3, t_s=1, sbp=60)  # older than the newest, even without the flag
    assert w.told(4) == []


def test_two_devices_are_two_slots() -> None:
    w = Ward()
    w.device(0, "cuff", kind="spot")
    w.read(1, sbp=85)
    w.read(2, "cuff", sbp=85)
    w.read(3, sbp=120)
    lines = ["1 limit sbp low mon raised medium", "2 limit sbp low cuff raised medium", "3 limit sbp low mon cleared medium"]
    assert w.told() == lines


def test_delays_of_both_levels_run_side_by_side() -> None:
    w = Ward(limits=[limit("hr", "high", (120, 4), 110, 2, high=(150, 6))])
    w.read(1, hr=155)  # medium at 5, high at 7
    w.read(6, hr=155)
    w.read(8, hr=105)
    w.read(10, hr=105)  # good for 2 s
    lines = ["5 limit hr high mon raised medium", "7 limit hr high mon worsened high", "10 limit hr high mon cleared high"]
    assert w.told() == lines


def test_delays_that_end_together_are_one_event_of_the_higher_level() -> None:
    w = Ward(limits=[limit("hr", "high", (120, 4), 110, 2, high=(150, 4))])
    w.read(1, hr=155)
    assert w.told(5) == ["5 limit hr high mon raised high"]


def test_leaving_the_high_level_stops_its_delay_alone() -> None:
    w = Ward(limits=[limit("hr", "high", (120, 4), 110, 2, high=(150, 6))])
    w.read(1, hr=155)
    w.read(3, hr=130)
    w.read(6, hr=155)  # high again: a new delay, 12
    w.read(9, hr=155)
    assert w.told(12) == ["5 limit hr high mon raised medium", "12 limit hr high mon worsened high"]


def test_the_excursion_goes_on_from_level_to_level() -> None:
    w = Ward(limits=[limit("hr", "high", (120, 8), 110, 2, high=(150, 3))])
    w.read(1, hr=155)
    w.read(2, hr=130)  # high's delay stops, the excursion began at 1
    w.read(9, hr=130)
    assert w.told(9) == ["9 limit hr high mon raised medium"]
    onset = cause_reading("mon", 8867, START_MS + 1000, START_MS + 1000)
    assert w.alert() == alert_id("amin", "limit", "8867-4:high:mon", onset)


def test_a_patients_limit_goes_before_the_sites_and_that_before_the_default() -> None:
    w = Ward()
    w.site(1, limit("sbp", "low", (100, 0), 105))
    w.read(2, sbp=95)
    w.patient(3, limits=[limit("sbp", "low", (80, 0), 85)])
    w.read(4, sbp=90)  # good by the patient's own limit
    w.read(5, sbp=79)
    w.gone(6, "rules", "limits")
    w.patient(7)
    w.read(8, sbp=94)  # default: good from 95
    w.read(9, sbp=95)
    assert w.told() == [
        "2 limit sbp low mon raised medium",
        "4 limit sbp low mon cleared medium",
        "5 limit sbp low mon raised medium",
        "9 limit sbp low mon cleared medium",
    ]


def test_switching_a_side_off_closes_its_alert_and_stops_its_delay() -> None:
    w = Ward()
    w.read(1, sbp=85, spo2=85)
    w.patient(2, limits=[limit("sbp", "low", None, 0), limit("spo2", "low", None, 0)])
    w.read(3, sbp=60, spo2=70)
    w.beat(12)
    assert w.told(17) == ["1 limit sbp low mon raised medium", "2 limit sbp low mon closed medium"]


def test_a_changed_limit_starts_its_delay_anew_and_the_same_limit_does_not() -> None:
    w = Ward()
    w.read(1, spo2=85)
    w.patient(3, ward="other")  # nothing about limits
    w.read(8, spo2=85)
    w.read(14, spo2=85)
    w.beat(16)
    assert w.told(17) == ["16 limit spo2 low mon raised medium"]
    w = Ward()
    w.read(1, spo2=85)
    w.site(3, limit("spo2", "low", (88, 15), 90, 30))
    w.read(8, spo2=85)
    w.beat(16)
    w.beat(22)
    assert w.told(23) == ["23 limit spo2 low mon raised medium"]


def test_a_sensor_at_its_bound_is_beyond_it() -> None:
    own = [limit("glucose", "low", (2.2, 0), 3, 0), limit("glucose", "high", (22.2, 0), 20)]
    w = Ward(limits=own)
    w.device(0, "meter", kind="spot")
    w.read(1, "meter", flags=BELOW, glucose=2.2)
    w.read(2, "meter", glucose=5)
    w.read(3, "meter", glucose=2.2)
    w.read(4, "meter", flags=ABOVE, glucose=22.2)
    assert w.told() == [
        "1 limit glucose low meter raised medium",
        "2 limit glucose low meter cleared medium",
        "4 limit glucose high meter raised medium",
    ]


def test_a_value_beyond_is_never_good_wherever_the_clear_level_lies() -> None:
    w = Ward(limits=[limit("sbp", "low", (90, 0), 0)])
    w.every(1, 1, 5, sbp=85)
    w.read(6, sbp=90)
    assert w.told() == ["1 limit sbp low mon raised medium", "6 limit sbp low mon cleared medium"]
