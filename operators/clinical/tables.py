"""Clinical numbers as data. Each carries its source; what is marked PROPOSAL needs a clinician's sign-off before use on patients.

NEWS2 bands: Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017, chart 1 (`clinical.md` 1.1).
Limits, delays, deadbands, holds: `semantics.md` 7 and `clinical.md` 6.4 [PROPOSAL].
Late limits, tolerances, age limits, silence: `semantics.md` 6 and 7 [PROPOSAL].
"""

from __future__ import annotations

from schemas.facts import Limit, LimitLevel

# Band ladders: (upper bound inclusive, points); the last has no bound. Values are rounded half-up before (1; temperature 0.1).
Ladder = tuple[tuple[float, int], ...]
INF = float("inf")
NEWS2_LADDERS: dict[str, Ladder] = {
    "respiration_rate": ((8, 3), (11, 1), (20, 0), (24, 2), (INF, 3)),
    "spo2_scale_1": ((91, 3), (93, 2), (95, 1), (INF, 0)),
    "spo2_scale_2_air": ((83, 3), (85, 2), (87, 1), (INF, 0)),
    "spo2_scale_2_oxygen": ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (INF, 3)),
    "systolic": ((90, 3), (100, 2), (110, 1), (219, 0), (INF, 3)),
    "pulse": ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (INF, 3)),
    "temperature": ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (INF, 2)),
}
NEWS2_OXYGEN_POINTS = 2
NEWS2_NOT_ALERT_POINTS = 3
NEWS2_MEDIUM, NEWS2_HIGH, NEWS2_SINGLE = 5, 7, 3
NEWS2_MIN_AGE_YEARS = 16
NEWS2_CLEAR_HOLD_MS = 300_000
NEWS2_VERSION = 1

# Parts in the order of chart 1, and the codes that feed each.
PARTS: tuple[str, ...] = ("respiration_rate", "spo2", "oxygen", "systolic", "pulse", "consciousness", "temperature")
PART_OF: dict[str, str] = {
    "9279-1": "respiration_rate",
    "59408-5": "spo2",
    "107117-4": "oxygen",
    "3151-8": "oxygen",
    "3150-6": "oxygen",
    "8480-6": "systolic",
    "8867-4": "pulse",
    "67775-7": "consciousness",
    "8310-5": "temperature",
}
ROOM_AIR_FIO2_PERCENT = 21.0
"""FiO2 above this, or any oxygen flow, is oxygen given."""

CONTINUOUS_CLASSES: tuple[str, ...] = ("monitor", "cgm")
AGE_LIMIT_MS = {"continuous": 300_000, "systolic": 3_600_000, "spot": 21_600_000, "consciousness": 43_200_000, "oxygen": 43_200_000}
MEDIAN_WINDOW_MS = 60_000
MEDIAN_MAX = 64

LATE_LIMIT_MS = {"monitor": 60_000, "cgm": 900_000, "spot": 14_400_000, "charted": 14_400_000}
TOLERANCE_MS = {"monitor": 2_000, "cgm": 300_000, "spot": 3_600_000, "charted": 3_600_000}
NOT_JUDGED_AFTER_MS = 60_000
SILENT_FACTOR, SILENT_MIN_MS, SILENT_MAX_MS = 5, 10_000, 900_000
LATCH_MS = 12 * 3_600_000


def _limit(
    code: str, side: str, op: str, limit: float, clear: float, delay_s: float, hold_s: float, high: tuple[float, float] | None = None
) -> Limit:
    """`high` = (limit, delay_s) with the same operator."""
    upper = None if high is None else LimitLevel(op, high[0], high[1])  # type: ignore[arg-type]
    return Limit(code, side, LimitLevel(op, limit, delay_s), clear, hold_s, upper)  # type: ignore[arg-type]


DEFAULT_LIMITS: tuple[Limit, ...] = (
    _limit("59408-5", "low", "<", 90, 92, 15, 30, (80, 0)),
    _limit("8867-4", "low", "<=", 40, 45, 10, 30),
    _limit("8867-4", "high", ">=", 131, 126, 10, 30),
    _limit("9279-1", "low", "<=", 8, 10, 15, 30),
    _limit("9279-1", "high", ">=", 25, 23, 15, 30),
    _limit("8480-6", "low", "<=", 90, 95, 0, 0),
    _limit("8480-6", "high", ">=", 220, 215, 0, 0),
    _limit("8310-5", "low", "<=", 35.0, 35.2, 60, 300),
    _limit("2339-0", "low", "<", 3.9, 4.2, 0, 0, (3.0, 0)),
    _limit("99504-3", "low", "<", 3.9, 4.2, 0, 300, (3.0, 0)),
)
"""[PROPOSAL] NEWS2's 3-point bands medium; SpO2 < 90 medium, < 80 high at once; glucose < 3.9 medium, < 3.0 high."""
LIMITS_VERSION = 1


def silent_after_ms(device_class: str, interval_ms: int) -> int | None:
    """How long a device may say nothing; None for classes that are never silent (spot, charted, manual)."""
    if device_class not in CONTINUOUS_CLASSES:
        return None
    return min(max(SILENT_FACTOR * interval_ms, SILENT_MIN_MS), SILENT_MAX_MS)
