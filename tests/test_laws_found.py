"""What the laws found, as small as it shrank, told by hand: each was once an event that `monitor` said otherwise."""

from __future__ import annotations

import msgspec

from schemas.timeline import End, Fact
from tests.support.ward import Ward, limit, ms


def test_the_silence_of_a_new_admission_counts_from_the_later_of_it_and_the_last_row() -> None:
    """Live, a fact stands at the last stated time + 1 ms, and rows may be ahead of that."""
    w = Ward()
    w.time(4.999)
    w.read(5.5, hr=70)
    w.patient(5, admission="second")
    assert w.told(15.5) == ["15.5 silent mon raised technical"]


def test_leases_that_follow_each_other_end_before_what_falls_due_after_them() -> None:
    """Both ends and the delay fall due in one time entry; a fact that stands before the row made the leases."""
    w = Ward(bare=True, limits=[])
    w.patient(0)
    w.device(0)
    w.time(19.8)
    w.read(20, temp=34.9)  # 60 s: 80
    w.device(19.801, "mon", ("amin", 0, 25), ("amin", 25, 45))
    w.time(100)
    assert [line for line in w.told() if "limit" in line] == []


def test_a_median_is_of_the_class_that_the_device_has_now() -> None:
    w = Ward(age_years=70)
    w.read(1, temp=36.9)
    w.read(2, temp=39.1)
    w.device(2.5, kind="spot")
    w.read(3, rr=21)
    w.observe(3, oxygen=1)  # 2 + 2 + temperature: 2 by the newest value, 0 by the median
    assert [line for line in w.told(3) if "news2" in line] == ["3 news2 raised medium"]


def test_a_median_is_of_all_rows_even_if_the_class_was_learned_after_them() -> None:
    w = Ward(bare=True, stated=False)
    w.read(1, temp=36.9)
    w.read(2, temp=39.1)
    w.patient(3, age_years=70, limits=[limit("temp", "high", None, 0)])
    w.device(3)
    w.add(End("a", 2))
    w.read(4, rr=21)
    w.observe(4, oxygen=1)
    assert w.told(4) == ["4 observed"]


def test_silence_that_fell_due_while_cold_is_told_even_if_a_fact_comes_first() -> None:
    for cold in (True, False):
        w = Ward(stated=False)
        if cold:
            w.time(20)
        w.add(End("a", 2))
        w.time(20)
        w.device(20.001, "mon", ("amin", 0, 21), ("amin", 21, 40))
        assert w.told(39) == ["10 silent mon raised technical"]


def test_a_row_ends_no_lease_of_another_patient() -> None:
    """The other may live in another shard, where this row is never seen: what is told must not depend on that."""
    w = Ward()
    w.patient(0, "bala")
    w.read(1, sbp=85)
    w.time(4)
    w.device(4.001, "mon", ("amin", 0, 4.5), ("bala", 4.5, None))
    w.read(4.6, patient="bala", hr=70)
    w.command(4.001, "acknowledge", alert=w.alert())  # its place is before the end of the lease
    told = [
        "1 limit sbp low mon raised medium",
        "4.001 binding_corrected",  # counted a minute at a time: the row of second 1 lies in the minute of the new lease
        "4.001 limit sbp low mon acknowledged medium",
        "4.5 limit sbp low mon closed medium",
    ]
    assert w.told(5) == told


def test_leases_that_follow_each_other_end_in_one_step_of_time() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0)
    w.read(1, spo2=79)
    w.device(5, "mon", ("amin", 0, 15), ("amin", 15, 35))
    w.time(50_000)  # past the latch of 12 h, too
    assert w.told() == [
        "1 limit spo2 low mon raised high",
        "11 silent mon raised technical",
        "35 limit spo2 low mon closed high",
        "35 silent mon closed technical",
    ]


def test_a_fact_stated_again_proves_time_as_any_other() -> None:
    w = Ward()
    again = w.entries[2]
    assert isinstance(again, Fact)
    w.add(msgspec.structs.replace(again, stamp=ms(20)))
    assert w.told() == ["10 silent mon raised technical"]
