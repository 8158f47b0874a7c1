"""Technical alerts told by hand (`semantics.md` 6): silence, signal lost, not judged; and time, which is data (sections 1 and 2)."""

from __future__ import annotations

import pytest

from schemas.codes import LATE, REPLAYED
from schemas.identity import alert_id, cause_deadline, cause_reading
from schemas.timeline import Hello, Time
from tests.support.ward import START_MS, Ward, ms


def test_a_monitor_is_silent_after_5_intervals_and_any_row_ends_it() -> None:
    w = Ward()
    w.read(1, hr=70)
    w.time(30)
    w.beat(40)
    assert w.told(41) == ["11 silent mon raised technical", "40 silent mon cleared technical"]
    cause = cause_deadline("silent", START_MS + 11000)
    assert w.alert() == alert_id("amin", "silent", "mon", cause)
    assert w.fold.events[1].cause == cause_reading("mon", 0, START_MS + 40000, START_MS + 40000)


def test_a_device_that_never_said_anything_is_silent_from_its_binding() -> None:
    assert Ward().told(60) == ["10 silent mon raised technical"]


@pytest.mark.parametrize(("every_s", "after_s"), [(1, 10), (2, 10), (60, 300), (300, 900)])
def test_silence_is_bounded(every_s: int, after_s: int) -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, every_s=every_s)
    assert w.told(after_s - 0.001) == []
    assert w.told(after_s) == [f"{after_s} silent mon raised technical"]


@pytest.mark.parametrize("kind", ["spot", "charted"])
def test_spot_and_charted_devices_are_never_silent(kind: str) -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, kind=kind)
    w.observe(1, hr=70)
    assert w.told(100_000) == ["1 observed"]


def test_late_rows_and_beats_break_the_silence() -> None:
    w = Ward()
    w.beat(9)
    w.read(18, t_s=-100, flags=LATE, hr=70)
    assert w.told(27.999) == []
    assert w.told(28) == ["28 silent mon raised technical"]


def test_while_time_stands_still_nobody_is_silent() -> None:
    w = Ward()
    w.read(1, hr=70)
    w.add(Hello("ingest", "2"))  # the new instance has not said a time yet
    w.time(600, instance="1")  # the old one counts no longer
    assert w.told() == []
    w.time(600, instance="2")
    assert w.told() == ["11 silent mon raised technical"]


def test_shard_time_is_the_least_of_the_live_writers() -> None:
    w = Ward()
    w.add(Hello("second", "1"))
    w.time(600)
    assert w.told() == []
    w.add(Time("second", "1", ms(9)))
    assert w.told() == []
    w.add(Time("second", "1", ms(10)))
    assert w.told() == ["10 silent mon raised technical"]


def test_a_writer_that_leaves_holds_nobody_back() -> None:
    w = Ward()
    w.add(Hello("second", "1"), Time("second", "1", ms(5)))
    w.time(5)
    w.add(Time("second", "1", ms(600)))
    assert w.told() == []
    w.bye()
    assert w.told() == ["10 silent mon raised technical"]


def test_a_shorter_interval_counts_from_the_last_row_but_never_before_its_fact() -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, every_s=60)
    w.read(1, hr=70)
    w.device(100, every_s=2)
    w.device(100, "spare", ("amin", 0, None), kind="spot")
    assert w.told(200) == ["100 silent mon raised technical"]


def test_a_device_that_becomes_a_spot_device_is_silent_no_more() -> None:
    w = Ward()
    w.time(20)
    w.device(25, kind="spot")
    assert w.told(60) == ["10 silent mon raised technical", "25 silent mon closed technical"]


def test_signal_lost_is_one_alert_a_vital_and_device() -> None:
    w = Ward()
    w.read(1, hr=None, spo2=97)
    w.read(2, hr=None, spo2=None)
    w.beat(3)
    w.read(4, hr=71)
    assert w.told(5) == [
        "1 signal_lost hr mon raised technical",
        "2 signal_lost spo2 mon raised technical",
        "4 signal_lost hr mon cleared technical",
    ]
    reading = cause_reading("mon", 8867, START_MS + 1000, START_MS + 1000)
    assert w.alert() == alert_id("amin", "signal_lost", "8867-4:mon", reading)


def test_a_late_row_without_value_loses_no_signal() -> None:
    w = Ward()
    w.read(2, hr=70)
    w.read(3, t_s=1, hr=None)
    w.read(4, t_s=-100, flags=LATE, spo2=None)
    assert w.told(5) == []


def test_only_late_rows_for_60_s_are_not_judged() -> None:
    w = Ward()
    w.read(1, hr=70)
    for at_s in range(5, 70, 5):
        w.read(at_s, t_s=at_s - 61, flags=LATE, hr=200)
    w.beat(70)
    w.read(71, hr=71)
    assert w.told(72) == ["65 not_judged mon raised technical", "71 not_judged mon cleared technical"]
    reading = cause_reading("mon", 8867, START_MS + 4000, START_MS + 65000)
    assert w.alert() == alert_id("amin", "not_judged", "mon", reading)


def test_one_row_on_time_breaks_the_count_a_beat_does_not() -> None:
    w = Ward()
    for at_s in range(5, 60, 5):
        w.read(at_s, t_s=at_s - 61, flags=LATE, hr=70)
    w.read(60, hr=None)  # without value, but on time
    for at_s in range(65, 120, 5):
        w.read(at_s, t_s=at_s - 61, flags=LATE, hr=70)
        w.beat(at_s + 1)
    w.read(125, t_s=64, flags=LATE, hr=70)
    assert [line for line in w.told(126) if "not_judged" in line] == ["125 not_judged mon raised technical"]


@pytest.mark.parametrize(("kind", "flags"), [("charted", LATE), ("spot", LATE), ("monitor", LATE | REPLAYED)])
def test_back_entry_is_normal_practice(kind: str, flags: int) -> None:
    w = Ward(bare=True)
    w.patient(0)
    w.device(0, kind=kind)
    for at_s in range(5, 200, 5):
        w.read(at_s, t_s=at_s - 20_000, flags=flags, hr=70)
    assert w.told(200) == []
