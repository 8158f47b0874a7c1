"""The people of the scene, and what makes the last two hours of each vital look like its story."""

from __future__ import annotations

import math
from typing import Any

import msgspec

HR, SPO2, RR, SBP, DBP, TEMP, GLU = "8867-4", "59408-5", "9279-1", "8480-6", "8462-4", "8310-5", "2339-0"
ACVPU, OXYGEN, FLOW = "67775-7", "107117-4", "3151-8"


class Bed(msgspec.Struct):
    """One patient of the scene. `bp` = systolic, diastolic, minutes old; `temp` = value, minutes old."""

    bed: str
    initials: str
    age: int
    sex: str
    hr: float
    spo2: float
    rr: float
    bp: tuple[float, float, int]
    temp: tuple[float, int]
    points: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 0)
    glucose: float | None = None
    flow: float = 0.0
    drift: dict[str, float] = {}
    """LOINC -> by how much the value rose over the last two hours."""
    extra: dict[str, Any] = {}


WARD = (
    Bed("01", "AB", 54, "M", 76, 98, 15, (124, 78, 22), (36.8, 70)),
    Bed("02", "CD", 61, "F", 93, 97, 17, (136, 82, 24), (37.2, 80), (0, 0, 0, 0, 1, 0, 0)),
    Bed("03", "HR", 58, "M", 96, 98, 16, (128, 76, 31), (36.7, 65), (0, 0, 0, 0, 1, 0, 0), 4.4, drift={HR: 26, GLU: -4}),
    Bed("04", "LK", 72, "M", 84, 90, 22, (142, 80, 18), (37.0, 130), (2, 0, 2, 0, 0, 0, 0), flow=2, extra={"spo2_scale_2": True}),
    Bed("05", "NS", 66, "F", 101, 96, 19, (118, 70, 12), (38.1, 40), (0, 0, 0, 0, 1, 0, 1)),
    Bed("06", "MT", 39, "F", 68, 99, 14, (112, 70, 44), (36.6, 125), extra={"isolation": "A"}),
    Bed("07", "SR", 67, "M", 118, 94, 24, (98, 54, 4), (39.2, 6), (2, 1, 0, 2, 2, 0, 2), drift={HR: 30, SPO2: -5, RR: 10, SBP: -36}),
    Bed("08", "WJ", 58, "M", 128, 96, 18, (122, 74, 5), (36.9, 70), (0, 0, 0, 0, 2, 0, 0)),
    Bed("10", "PV", 70, "F", 91, 95, 20, (128, 72, 34), (37.4, 70), (0, 1, 0, 0, 1, 0, 0)),
    Bed("11", "FZ", 45, "F", 88, 95, 18, (120, 76, 27), (36.9, 125), (0, 1, 0, 0, 0, 0, 0)),
    Bed("12", "GT", 63, "M", 58, 98, 13, (118, 66, 16), (36.5, 70)),
    Bed("13", "RK", 81, "F", 98, 95, 21, (132, 78, 20), (37.6, 40), (2, 1, 0, 0, 1, 0, 0), drift={HR: 26, RR: 10}),
    Bed("14", "YC", 77, "M", 92, 97, 18, (92, 54, 3), (36.4, 70), (0, 0, 0, 2, 1, 0, 0), drift={SBP: -40}),
    Bed("15", "ZM", 52, "M", 74, 98, 15, (130, 80, 50), (36.7, 130), glucose=6.2),
    Bed("16", "ES", 34, "F", 0, 0, 0, (116, 72, 8), (36.9, 8)),
)
NOISE = {HR: 1.6, SPO2: 0.3, RR: 0.8, SBP: 2.5, DBP: 2.0, TEMP: 0.05, GLU: 0.1}


def course(b: Bed, code: str, back: int) -> float:
    """What makes the last two hours of a vital look like its story, relative to its value now."""
    shape = -b.drift.get(code, 0.0) * math.sqrt(back / 118)
    if b.bed == "08" and code == HR and back > 20:
        return -48.0 if back > 23 else -16.0 * (back - 20)
    if b.bed == "11" and code == SPO2 and 18 <= back <= 24:
        return -9.0 * math.sin((back - 17) / 8 * math.pi)
    if b.bed == "07" and code == TEMP:
        return -1.9 / (1 + math.exp(-(back - 60) / 14))
    return shape
