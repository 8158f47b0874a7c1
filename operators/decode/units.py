"""A number with its code and unit -> the canonical value, or the reason why there is none. Scalar for reading, columns for speed.

Every pair (code, unit) that is understood is a *kind*, a small integer; conversions and bounds are columns by kind, taken from the data of
`schemas.codes`. A unit that does not fit its number is never converted by guess: the row loses its value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from schemas.codes import (
    ABOVE,
    ABSENT,
    ABSENT_SHIFT,
    BELOW,
    BY_LOINC,
    CODED,
    CODES,
    CONVERSIONS,
    CONVERTED,
    NO_VALUE,
    SUSPECT,
    SYNONYMS,
    Code,
)

INF = math.inf
BOUND_FACTOR = 10
"""A sensor's `above range` bound may lie this far above the possible range; beyond it is no bound but a fault."""
GLUCOSE = ("2339-0", "99504-3")
LEAST_LOW_MG_DL = 10.0
"""Meters say LOW below 10 to 40 mg/dL: such a bound is in its own unit, although a reading there would not be believed."""


class Kind:
    """One code in one unit that is understood: `canonical = value * factor + addend`."""

    def __init__(self, code: Code, unit: str, factor: float, addend: float) -> None:
        self.code, self.unit, self.factor, self.addend = code, unit, factor, addend
        self.flags = 0 if unit == code.unit else CONVERTED
        self.coded = code.loinc in CODED
        self.wrong_low, self.wrong_high = _wrong_unit(code.loinc, unit)


def _wrong_unit(loinc: str, unit: str) -> tuple[float, float]:
    """The numbers, both ends inclusive, that only make sense in another unit than the one they name (`ways-in.md` 8)."""
    if loinc == "8310-5" and unit == "Cel":
        return 70.0, 120.0  # Fahrenheit
    if loinc in GLUCOSE and unit == "mmol/L":
        return math.nextafter(40.0, INF), INF  # mg/dL
    if loinc in GLUCOSE and unit == "mg/dL":
        return -INF, math.nextafter(30.0, 0.0)  # mmol/L
    if loinc == "3150-6" and unit == "%":
        return -INF, 1.0  # a fraction
    return INF, -INF


def _kinds() -> list[Kind]:
    return [
        Kind(code, unit, float(factor), float(addend))
        for code in CODES
        for unit, (factor, addend) in ({code.unit: (1.0, 0.0)} | CONVERSIONS[code.unit]).items()
    ]


KINDS: list[Kind] = _kinds()
_by_code_unit = {(kind.code.loinc, kind.unit): number for number, kind in enumerate(KINDS)}
KIND_OF: dict[str, dict[str, int]] = {
    said: {unit: _by_code_unit[code.loinc, unit] for unit in ({code.unit: 0} | CONVERSIONS[code.unit])}
    for said, code in (BY_LOINC | {other: BY_LOINC[loinc] for other, loinc in SYNONYMS.items()}).items()
}
"""LOINC as sent (synonyms too) -> unit as sent -> kind."""


def canonical(loinc: str) -> Code | None:
    """The vital that a code means, None if it is none that Nadi reads."""
    return BY_LOINC.get(SYNONYMS.get(loinc, loinc))


def without_value(reason: str | None) -> int:
    """Flags of a row without value; a word that is not in the list counts as `unknown`."""
    return NO_VALUE | ABSENT.index(reason if reason in ABSENT else "unknown") << ABSENT_SHIFT


def measure(code: str, value: float, unit: str | None, compare: str | None, suspect: bool) -> tuple[float, int]:
    """(canonical value, flags) of one number whose code is known; NaN with NO_VALUE and its reason where there is none.

    `compare` `<` or `>`: the value is the bound of a sensor's range. It counts as beyond, so the possible range does not refuse it;
    a bound on the wrong side of that range, a negative one or one far above says nothing and is impossible.
    """
    number = KIND_OF[code].get(unit or "")
    if number is None:
        return math.nan, without_value("unit-unknown")
    kind = KINDS[number]
    x = value * kind.factor + kind.addend
    if not math.isfinite(x):
        return math.nan, kind.flags | without_value("not-a-number")
    if compare is not None:
        return _bound(kind, value, x, compare, suspect)
    if x == 0 and kind.code.zero_is_no_signal:
        return math.nan, kind.flags | without_value("zero")
    if kind.wrong_low <= value <= kind.wrong_high:
        return math.nan, kind.flags | without_value("unit-suspect")
    if not kind.code.low <= x <= kind.code.high or (kind.coded and x != math.floor(x)):
        return math.nan, kind.flags | without_value("impossible")
    if suspect or not kind.code.suspect_low <= x <= kind.code.suspect_high:
        return x, kind.flags | SUSPECT
    return x, kind.flags


def _bound(kind: Kind, value: float, x: float, compare: str, suspect: bool) -> tuple[float, int]:
    """A sensor's `LOW` or `HIGH`: value is the bound of its range."""
    low_of_meter = compare == "<" and kind.unit == "mg/dL" and value >= LEAST_LOW_MG_DL
    if kind.wrong_low <= value <= kind.wrong_high and not low_of_meter:
        return math.nan, kind.flags | without_value("unit-suspect")
    low, high = (0.0, kind.code.high) if compare == "<" else (kind.code.low, BOUND_FACTOR * kind.code.high)
    if kind.coded or not low <= x <= high:
        return math.nan, kind.flags | without_value("impossible")
    return x, kind.flags | (BELOW if compare == "<" else ABOVE) | (SUSPECT if suspect else 0)


def _column(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)


_FACTOR = _column([k.factor for k in KINDS])
_ADDEND = _column([k.addend for k in KINDS])
_LOW, _HIGH = _column([k.code.low for k in KINDS]), _column([k.code.high for k in KINDS])
_SUSPECT_LOW, _SUSPECT_HIGH = _column([k.code.suspect_low for k in KINDS]), _column([k.code.suspect_high for k in KINDS])
_WRONG_LOW, _WRONG_HIGH = _column([k.wrong_low for k in KINDS]), _column([k.wrong_high for k in KINDS])
_ZERO = np.array([k.code.zero_is_no_signal for k in KINDS])
_CODED = np.array([k.coded for k in KINDS])
_FLAGS = np.array([k.flags for k in KINDS], np.uint32)
KIND_CODE: NDArray[np.uint32] = np.array([k.code.number for k in KINDS], np.uint32)
"""Kind -> the code column of the timeline."""


def measure_all(kind: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """`measure` of whole columns, for numbers without `compare` and of good quality."""
    with np.errstate(over="ignore"):
        x = value * _FACTOR[kind] + _ADDEND[kind]
    flags = _FLAGS[kind]
    odd = ~((x >= _SUSPECT_LOW[kind]) & (x <= _SUSPECT_HIGH[kind]))
    odd |= (value >= _WRONG_LOW[kind]) & (value <= _WRONG_HIGH[kind])
    odd |= _CODED[kind] | (_ZERO[kind] & (x == 0))
    if odd.any():
        _measure_odd(kind, value, x, flags, odd)
    return x, flags


def _measure_odd(
    kind: NDArray[np.int64], value: NDArray[np.float64], x: NDArray[np.float64], flags: NDArray[np.uint32], odd: NDArray[np.bool_]
) -> None:
    """The few numbers that are not plainly good, in place: reasons in the order of `measure`."""
    at = np.flatnonzero(odd)
    k, v, y = kind[at], value[at], x[at]
    reasons = (
        ("not-a-number", ~np.isfinite(y)),
        ("zero", _ZERO[k] & (y == 0)),
        ("unit-suspect", (v >= _WRONG_LOW[k]) & (v <= _WRONG_HIGH[k])),
        ("impossible", ~((y >= _LOW[k]) & (y <= _HIGH[k])) | (_CODED[k] & (y != np.floor(y)))),
    )
    added = np.where((y >= _SUSPECT_LOW[k]) & (y <= _SUSPECT_HIGH[k]), 0, SUSPECT).astype(np.uint32)
    taken = np.zeros(len(at), np.bool_)
    for reason, holds in reasons:
        new = holds & ~taken
        added[new] = without_value(reason)
        taken |= holds
    x[at] = np.where(taken, np.nan, y)
    flags[at] |= added
