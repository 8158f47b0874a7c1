"""NEWS2, the score itself: pure functions of one set of values. Royal College of Physicians 2017 (`clinical.md` 1.1-1.2).

Values are rounded half-up before they meet a band (whole numbers; temperature 0.1), so that no value falls between two bands
(`clinical.md` 1.4 [PROPOSAL]). A missing value is never 0: the total is then None and `lower_bound` is what is known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import (
    NEWS2_HIGH,
    NEWS2_LADDERS,
    NEWS2_MEDIUM,
    NEWS2_NOT_ALERT_POINTS,
    NEWS2_OXYGEN_POINTS,
    NEWS2_SINGLE,
    Ladder,
)
from schemas.codes import ACVPU

TIE = 1e-9
"""Half-up must see 36.05 as a tie although the double is a little less."""
INPUTS: tuple[str, ...] = (
    "respiration_rate_per_min",
    "spo2_percent",
    "on_oxygen",
    "systolic_mm_hg",
    "pulse_per_min",
    "consciousness",
    "temperature_cel",
)
"""The seven parameters in the order of chart 1."""
CONSCIOUSNESS: tuple[str, ...] = (*ACVPU, "CVPU")
"""CVPU: not alert, without more detail."""


class News2(NamedTuple):
    """`parts`: input name -> 0..3 or None; `response`: low, low_medium, medium, high, by the lower bound when incomplete."""

    total: int | None
    parts: dict[str, int | None]
    complete: bool
    lower_bound: int
    response: str


def half_up(value: float, scale: int = 1) -> float:
    """The nearest whole number (`scale` 1) or tenth (10), ties upwards."""
    return math.floor(value * scale + 0.5 + TIE) / scale


def half_up_array(values: NDArray[np.float64], tenths: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`half_up` for many: (n,) values, (n,) True where the step is 0.1."""
    scale = np.where(tenths, 10.0, 1.0)
    return np.floor(values * scale + 0.5 + TIE) / scale


def ladder_points(ladder: Ladder, value: float) -> int:
    """Points of a rounded value."""
    return next(points for upper, points in ladder if value <= upper)


def response_of(total: int, any_three: bool) -> str:
    """Class of a (lower bound of a) total: >= 7, then >= 5, then a single 3 (`clinical.md` 1.2)."""
    if total >= NEWS2_HIGH:
        return "high"
    if total >= NEWS2_MEDIUM:
        return "medium"
    return "low_medium" if any_three else "low"


def spo2_points(value: float, scale: int, on_oxygen: bool | None) -> int | None:
    """SpO2 on scale 1 or 2; None when scale 2 would need to know about oxygen (a rounded value above 92)."""
    if scale == 1:
        return ladder_points(NEWS2_LADDERS["spo2_scale_1"], value)
    air = ladder_points(NEWS2_LADDERS["spo2_scale_2_air"], value)
    oxygen = ladder_points(NEWS2_LADDERS["spo2_scale_2_oxygen"], value)
    if on_oxygen is None:
        return air if air == oxygen else None
    return oxygen if on_oxygen else air


def combine(points: dict[str, int | None]) -> News2:
    """The score of seven parts, in the names and order of `INPUTS`."""
    known = [p for p in points.values() if p is not None]
    lower, complete = sum(known), len(known) == len(INPUTS)
    return News2(lower if complete else None, points, complete, lower, response_of(lower, NEWS2_SINGLE in known))


def score(
    respiration_rate_per_min: float | None = None,
    spo2_percent: float | None = None,
    spo2_scale: int = 1,
    on_oxygen: bool | None = None,
    systolic_mm_hg: float | None = None,
    pulse_per_min: float | None = None,
    consciousness: str | None = None,
    temperature_cel: float | None = None,
) -> News2:
    """NEWS2 of one set of observations; None = missing.

    ValueError for a scale or consciousness that does not exist, or a number that is not finite.
    """
    if spo2_scale not in (1, 2):
        raise ValueError(f"spo2_scale is 1 or 2, not {spo2_scale!r}")
    if consciousness is not None and consciousness not in CONSCIOUSNESS:
        raise ValueError(f"consciousness is one of {' '.join(CONSCIOUSNESS)}, not {consciousness!r}")

    def points(name: str, value: float | None, scale: int = 1) -> int | None:
        if value is None:
            return None
        if not math.isfinite(value):
            raise ValueError(f"{name} is not a finite number")
        return ladder_points(NEWS2_LADDERS[name], half_up(value, scale))

    if spo2_percent is not None and not math.isfinite(spo2_percent):
        raise ValueError("spo2 is not a finite number")
    spo2 = None if spo2_percent is None else spo2_points(half_up(spo2_percent), spo2_scale, on_oxygen)
    return combine(
        {
            "respiration_rate_per_min": points("respiration_rate", respiration_rate_per_min),
            "spo2_percent": spo2,
            "on_oxygen": None if on_oxygen is None else NEWS2_OXYGEN_POINTS * on_oxygen,
            "systolic_mm_hg": points("systolic", systolic_mm_hg),
            "pulse_per_min": points("pulse", pulse_per_min),
            "consciousness": None if consciousness is None else (0 if consciousness == "A" else NEWS2_NOT_ALERT_POINTS),
            "temperature_cel": points("temperature", temperature_cel, 10),
        }
    )
