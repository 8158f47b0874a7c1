"""NEWS2: the 19 published vectors, every boundary of chart 1, and what a missing value means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.clinical.news2 import INPUTS, half_up, half_up_array, response_of, score
from operators.monitor.slots import LADDERS, ladder

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden" / "news2.json").read_text())["vectors"]
BANDS = {"Low": "low", "Low-Medium": "low_medium", "Medium": "medium", "High": "high"}
HEALTHY: dict[str, Any] = {
    "respiration_rate_per_min": 16,
    "spo2_percent": 97,
    "on_oxygen": False,
    "systolic_mm_hg": 120,
    "pulse_per_min": 75,
    "consciousness": "A",
    "temperature_cel": 37.0,
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: str(v["name"]))
def test_published_vector(vector: dict[str, Any]) -> None:
    got = score(vector["rr"], vector["spo2"], vector["scale"], vector["o2"], vector["sbp"], vector["hr"], vector["acvpu"], vector["temp"])
    assert got.total == vector["expected"]
    assert got.complete
    assert list(got.parts.values()) == vector["parts"]
    assert got.response == BANDS[vector["band"]]


def test_there_are_nineteen() -> None:
    assert len(VECTORS) == 19


# clinical.md 1.7: value -> points
BOUNDARIES: dict[str, tuple[dict[str, Any], str, dict[float, int]]] = {
    "respiration": ({}, "respiration_rate_per_min", {8: 3, 9: 1, 11: 1, 12: 0, 20: 0, 21: 2, 24: 2, 25: 3}),
    "spo2 scale 1": ({}, "spo2_percent", {91: 3, 92: 2, 93: 2, 94: 1, 95: 1, 96: 0, 100: 0}),
    "spo2 scale 2, air": (
        {"spo2_scale": 2},
        "spo2_percent",
        {83: 3, 84: 2, 85: 2, 86: 1, 87: 1, 88: 0, 92: 0, 93: 0, 100: 0},
    ),
    "spo2 scale 2, oxygen": (
        {"spo2_scale": 2, "on_oxygen": True},
        "spo2_percent",
        {83: 3, 84: 2, 86: 1, 88: 0, 92: 0, 93: 1, 94: 1, 95: 2, 96: 2, 97: 3, 100: 3},
    ),
    "systolic": ({}, "systolic_mm_hg", {90: 3, 91: 2, 100: 2, 101: 1, 110: 1, 111: 0, 219: 0, 220: 3}),
    "pulse": ({}, "pulse_per_min", {40: 3, 41: 1, 50: 1, 51: 0, 90: 0, 91: 1, 110: 1, 111: 2, 130: 2, 131: 3}),
    "temperature": (
        {},
        "temperature_cel",
        {35.0: 3, 35.1: 1, 36.0: 1, 36.1: 0, 38.0: 0, 38.1: 1, 39.0: 1, 39.1: 2},
    ),
}


@pytest.mark.parametrize(
    ("name", "value", "points"), [(name, v, p) for name, (_b, _i, table) in BOUNDARIES.items() for v, p in table.items()]
)
def test_boundary(name: str, value: float, points: int) -> None:
    base, field, _table = BOUNDARIES[name]
    assert score(**{**HEALTHY, **base, field: value}).parts[field] == points


@pytest.mark.parametrize(("word", "points"), [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3), ("CVPU", 3)])
def test_consciousness(word: str, points: int) -> None:
    assert score(**{**HEALTHY, "consciousness": word}).parts["consciousness"] == points


@pytest.mark.parametrize(("given_oxygen", "points"), [(False, 0), (True, 2)])
def test_oxygen(given_oxygen: bool, points: int) -> None:
    assert score(**{**HEALTHY, "on_oxygen": given_oxygen}).parts["on_oxygen"] == points


# No value falls between two bands: half-up first (clinical.md 1.4).
@pytest.mark.parametrize(
    ("field", "value", "points"),
    [
        ("respiration_rate_per_min", 8.5, 1),
        ("respiration_rate_per_min", 20.5, 2),
        ("pulse_per_min", 90.5, 1),
        ("temperature_cel", 36.05, 0),
        ("temperature_cel", 35.04, 3),
        ("temperature_cel", 35.05, 1),
        ("spo2_percent", 91.49, 3),
        ("spo2_percent", 91.5, 2),
    ],
)
def test_between_two_bands(field: str, value: float, points: int) -> None:
    assert score(**{**HEALTHY, field: value}).parts[field] == points


@pytest.mark.parametrize("field", INPUTS)
def test_a_missing_value_is_never_zero(field: str) -> None:
    got = score(**{**HEALTHY, field: None})
    assert got.total is None
    assert not got.complete
    assert got.parts[field] is None
    assert got.lower_bound == sum(p for p in got.parts.values() if p is not None)


def test_scale_2_above_92_without_knowing_about_oxygen_is_missing() -> None:
    assert score(**{**HEALTHY, "spo2_scale": 2, "spo2_percent": 97, "on_oxygen": None}).parts["spo2_percent"] is None
    assert score(**{**HEALTHY, "spo2_scale": 2, "spo2_percent": 90, "on_oxygen": None}).parts["spo2_percent"] == 0


@pytest.mark.parametrize(
    ("total", "three", "response"),
    [(0, False, "low"), (4, False, "low"), (3, True, "low_medium"), (5, True, "medium"), (6, False, "medium"), (7, True, "high")],
)
def test_response(total: int, three: bool, response: str) -> None:
    assert response_of(total, three) == response


@pytest.mark.parametrize(
    "wrong", [{"spo2_scale": 3}, {"consciousness": "X"}, {"pulse_per_min": float("nan")}, {"spo2_percent": float("inf")}]
)
def test_nonsense_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        score(**{**HEALTHY, **wrong})


@settings(derandomize=True, max_examples=300)
@given(st.floats(20, 300, allow_nan=False), st.booleans())
def test_the_arrays_round_and_score_as_the_scalar_does(value: float, tenths: bool) -> None:
    scale = 10 if tenths else 1
    rounded = half_up_array(np.array([value]), np.array([tenths]))
    assert rounded[0] == half_up(value, scale)
    for name in LADDERS:
        fields: dict[str, Any] = {"respiration_rate": "respiration_rate_per_min", "systolic": "systolic_mm_hg", "pulse": "pulse_per_min"}
        if name in fields and not tenths:
            assert ladder(name, rounded)[0] == score(**dict[str, Any]({fields[name]: value})).parts[fields[name]]
        if name == "temperature" and tenths:
            assert ladder(name, rounded)[0] == score(temperature_cel=value).parts["temperature_cel"]
