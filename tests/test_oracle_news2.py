"""NEWS2 in time, told by hand (`semantics.md` 7, `clinical.md` 1): parts, slots, ages, the lower bound, the hold, who has a score."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codes import ABOVE, LATE
from schemas.identity import alert_id, cause_instant, event_id, key64
from tests.oracle_state import news2_parts
from tests.support.ward import CODE, HEALTHY, START_MS, Ward, limit, ms

OFF = [limit(code, side, None, 0) for code in ("hr", "rr", "spo2", "sbp", "temp") for side in ("low", "high")]
"""Limits out of the way."""


def ward(age: int | None = 70, **person: Any) -> Ward:
    return Ward(age_years=age, limits=OFF, **person)


def whole(w: Ward, at_s: float, acvpu: float = 0, oxygen: float = 0) -> None:
    """All seven parts."""
    w.observe(at_s, acvpu=acvpu, oxygen=oxygen)
    w.read(at_s, **HEALTHY)


def points(at_s: float, w: Ward) -> dict[str, int]:
    return news2_parts(w.fold.patients["amin"], w.fold.devices, ms(at_s))


BOUNDARIES: list[tuple[str, list[tuple[float, int]]]] = [
    ("rr", [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]),
    ("spo2", [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
    ("sbp", [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]),
    ("hr", [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)]),
    ("temp", [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]),
    ("acvpu", [(0, 0), (1, 3), (2, 3), (3, 3), (4, 3)]),
    ("oxygen", [(0, 0), (1, 2)]),
    ("fio2", [(21, 0), (21.5, 2)]),
    ("flow", [(0, 0), (0.5, 2)]),
]
"""`clinical.md` 1.7, all of it."""
HALF_UP = [("rr", 8.4, 3), ("rr", 8.5, 1), ("rr", 20.5, 2), ("hr", 90.5, 1), ("hr", 90.49, 0), ("temp", 36.05, 0), ("temp", 35.04, 3)]
"""`clinical.md` 1.4: rounded half-up before the ladder; Python's own round would say 0 for 20.5 and 90.5."""


@pytest.mark.parametrize(("code", "value", "score"), [(code, *row) for code, rows in BOUNDARIES for row in rows] + HALF_UP)
def test_boundaries(code: str, value: float, score: int) -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    told: dict[str, Any] = {code: value}
    w.read(1, "spot", **told)
    assert list(points(1, w).values()) == [score]


@pytest.mark.parametrize(
    ("oxygen", "rows"),
    [
        (0, [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (100, 0)]),
        (1, [(83, 3), (84, 2), (86, 1), (88, 0), (92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3)]),
    ],
)
def test_scale_2(oxygen: float, rows: list[tuple[float, int]]) -> None:
    for value, score in rows:
        w = ward(spo2_scale_2=True)
        w.observe(1, oxygen=oxygen)
        w.read(2, spo2=value)
        assert points(2, w)["spo2"] == score, value


def test_scale_2_above_92_says_nothing_while_oxygen_is_unknown() -> None:
    w = ward(spo2_scale_2=True)
    w.read(1, spo2=97)
    assert points(1, w) == {}
    w.read(2, t_s=-70, spo2=85)  # older than the newest: nothing
    w.read(80, spo2=85)
    assert points(80, w) == {"spo2": 2}


def test_a_single_3_is_medium_at_the_end_of_its_instant() -> None:
    w = ward()
    w.read(1, **HEALTHY)
    w.read(5, rr=25)  # the median of 16 and 25 is 20.5, half-up 21: 2 points
    w.read(6, rr=25)  # median 25: 3 points
    assert w.told() == []  # the instant is still open
    assert w.told(6) == ["6 news2 raised medium"]
    (raised,) = w.fold.events
    assert raised.alert == alert_id("amin", "news2", "", cause_instant(START_MS + 6000))
    assert raised.id == event_id(raised.alert, "raised", cause_instant(START_MS + 6000))


def test_the_lower_bound_raises_without_the_missing_parts() -> None:
    w = ward()
    w.read(1, hr=115, sbp=95, spo2=94)  # 2 + 2 + 1
    assert w.told(1) == ["1 news2 raised medium"]


def test_high_from_7_and_worsened_once() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", hr=115, sbp=95, spo2=94)
    w.read(2, "spot", rr=21)  # 7
    w.read(3, "spot", rr=25)  # 8, high already
    w.read(4, "spot", rr=16, spo2=99)  # 4, incomplete: stays
    assert w.told(4) == ["1 news2 raised medium", "2 news2 worsened high"]


def test_it_clears_only_complete_and_below_for_5_minutes() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", rr=30)
    w.read(10, "spot", rr=16, hr=70, spo2=98, sbp=120, temp=37)  # still incomplete
    w.observe(20, acvpu=0, oxygen=0)  # complete: the hold runs
    w.read(100, "spot", rr=30)  # stops it
    w.read(200, "spot", rr=16)  # a new hold
    w.read(300, "spot", hr=71)
    w.time(499.999)
    told = w.told(500)
    assert [line for line in told if "news2" in line] == ["1 news2 raised medium", "500 news2 cleared medium"]


def test_a_part_that_goes_missing_stops_the_hold() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", rr=30)
    w.observe(2, acvpu=0, oxygen=0)
    w.read(3, "spot", rr=16, hr=70, spo2=98, sbp=120, temp=37)
    w.read(100, "spot", hr=None)  # the number goes away, its part with it
    w.read(200, "spot", hr=70)
    told = [line for line in w.told(1000) if "news2" in line]
    assert told == ["1 news2 raised medium", "500 news2 cleared medium"]


def test_the_hold_ends_before_the_row_of_the_same_ms() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", rr=30)
    w.observe(2, acvpu=0, oxygen=0)
    w.read(3, "spot", rr=16, hr=70, spo2=98, sbp=120, temp=37)
    w.read(303, "spot", rr=30)
    told = [line for line in w.told(303) if "news2" in line]
    assert told == ["1 news2 raised medium", "303 news2 cleared medium", "303 news2 raised medium"]
    assert w.alert(0) != w.alert(1)


@pytest.mark.parametrize(
    ("device", "code", "limit_s"),
    [
        ("mon", "hr", 300),
        ("mon", "sbp", 3600),
        ("spot", "sbp", 3600),
        ("spot", "hr", 21600),
        ("spot", "temp", 21600),
        ("spot", "acvpu", 43200),
    ],
)
def test_ages(device: str, code: str, limit_s: float) -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    told: dict[str, Any] = {code: 1}
    w.read(1, device, **told)
    assert len(points(1 + limit_s, w)) == 1
    assert points(1 + limit_s + 0.001, w) == {}


def test_the_age_counts_from_t_but_a_clock_ahead_makes_no_row_younger() -> None:
    w = ward()
    w.read(100, t_s=60, hr=70)
    assert points(360, w) == {"pulse": 0}
    assert points(361, w) == {}
    w = ward()
    w.read(100, t_s=101, hr=70)  # within the tolerance of 2 s
    assert points(100, w) == {"pulse": 0}


def test_continuous_goes_before_spot_then_newest_then_least_key() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.device(0, "mon2")
    w.read(1, "mon", hr=70)
    w.read(2, "spot", hr=135)
    assert points(2, w) == {"pulse": 0}
    assert points(302, w) == {"pulse": 3}  # the monitor's is too old
    w.read(3, "mon2", hr=100)
    assert points(3, w) == {"pulse": 1}
    w.read(3, "mon", hr=120)  # median of 70 and 120: 95
    assert points(3, w) == {"pulse": 1}
    w.read(100, "mon", hr=120)
    w.read(100, "mon2", hr=70)
    assert points(100, w) == {"pulse": 2 if key64("mon") < key64("mon2") else 0}


def test_a_continuous_part_is_the_median_of_the_last_minute() -> None:
    w = ward()
    for at_s, hr in [(1, 200), (41, 70), (51, 72), (61, 131)]:  # second 1 is exactly 60 s before 61: out
        w.read(at_s, hr=hr)
    assert points(61, w) == {"pulse": 0}  # median 72
    w.read(62, hr=133)  # 70 72 131 133: mean 101.5, half-up 102
    assert points(62, w) == {"pulse": 1}


def test_at_most_64_numbers_count() -> None:
    w = ward()
    for n in range(65):
        w.read(1 + n * 0.1, hr=200 if n < 32 else 70)  # the first of 32 high ones falls out: 31 against 33
    assert points(7.4, w) == {"pulse": 0}


def test_late_and_bounded_rows_are_left_out_of_the_median() -> None:
    w = ward()
    w.read(1, spo2=97)
    w.read(2, flags=LATE, t_s=1.5, spo2=80)
    w.read(3, flags=ABOVE, spo2=100)
    assert points(3, w) == {"spo2": 0}
    w = ward()
    w.read(1, flags=ABOVE, spo2=85)  # nothing but a bound: it is what we know
    assert points(1, w) == {"spo2": 3}


def test_a_row_without_value_takes_the_part_away_and_another_slot_may_stand_in() -> None:
    w = ward()
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", hr=120)
    w.read(2, hr=70)
    w.read(3, hr=None)
    assert points(3, w) == {"pulse": 2}


@pytest.mark.parametrize("person", [{"age": None}, {"age": 15}, {"age": 30, "pregnant": True}, {"age": 70, "state": "discharged"}])
def test_who_has_no_score(person: dict[str, Any]) -> None:
    w = ward(**person)
    w.read(1, rr=30)
    assert w.told(2) == []


def test_losing_eligibility_closes_the_alert() -> None:
    w = ward(age=30)
    w.read(1, rr=30)
    w.patient(2, age_years=30, pregnant=True, limits=OFF)
    w.read(3, rr=31)
    assert w.told(4) == ["1 news2 raised medium", "2 news2 closed medium"]


def test_rows_of_one_received_are_one_instant() -> None:
    w = ward()
    w.device(0, "a", kind="spot")
    w.device(0, "b", kind="spot")
    w.read(1, "a", rr=30)
    w.read(1, "b", rr=16)  # same instant, same t: which counts is the least key, judged once
    best = min(("a", "b"), key=key64)
    assert w.told(1) == (["1 news2 raised medium"] if best == "a" else [])


def test_every_vital_feeds_its_part() -> None:
    w = ward()
    whole(w, 1)
    assert sorted(points(1, w)) == ["consciousness", "oxygen", "pulse", "respiration_rate", "spo2", "systolic", "temperature"]
    assert {CODE["fio2"], CODE["flow"]} == {3150, 3151}
