"""Medians of two hours for the sparklines: 16 bytes each, so that 5,000 patients fit; JSON made once a change."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Container

import msgspec

from schemas.events import TrendFrame

SERIES_MS = 2 * 3_600_000
DECIMALS = 3


class Series:
    """Medians of one vital of one patient, oldest first: minutes (ms) and values in the canonical unit."""

    __slots__ = ("minutes", "values")

    def __init__(self) -> None:
        self.minutes = array("q")
        self.values = array("d")

    def put(self, minute_ms: int, median: float) -> bool:
        """Takes a median; False when it said nothing new. A repeat after a restart replaces its minute."""
        at = bisect_left(self.minutes, minute_ms)
        if at < len(self.minutes) and self.minutes[at] == minute_ms:
            changed = self.values[at] != median
            self.values[at] = median
            return changed
        self.minutes.insert(at, minute_ms)
        self.values.insert(at, median)
        old = bisect_left(self.minutes, self.minutes[-1] - SERIES_MS)
        if old:
            del self.minutes[:old], self.values[:old]
        return True

    def pairs(self) -> list[tuple[int, float]]:
        """[(minute, median), ...] as the protocol wants them."""
        return [(m, round(v, DECIMALS)) for m, v in zip(self.minutes, self.values, strict=True)]


class Trend:
    """All series of one patient."""

    __slots__ = ("_json", "series")

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self._json: bytes | None = None

    def put(self, loinc: str, minute_ms: int, median: float) -> bool:
        """Takes one median; False for a repeat."""
        series = self.series.get(loinc)
        if series is None:
            series = self.series[loinc] = Series()
        fresh = series.put(minute_ms, median)
        if fresh:
            self._json = None
        return fresh

    def newest_ms(self) -> int:
        """The newest minute of any vital."""
        return max((s.minutes[-1] for s in self.series.values()), default=0)

    def json(self) -> bytes:
        """`{"<loinc>": [[minute_ms, median], ...]}`."""
        if self._json is None:
            self._json = msgspec.json.encode({loinc: s.pairs() for loinc, s in self.series.items()})
        return self._json


class Trends:
    """All patients' series."""

    def __init__(self) -> None:
        self._of: dict[str, Trend] = {}

    def __contains__(self, patient: str) -> bool:
        return patient in self._of

    def apply(self, frame: TrendFrame) -> list[tuple[str, str, float]]:
        """Takes one record of `trends`; answers with what was new: [(patient, LOINC, median), ...]."""
        fresh = []
        for patient, loinc, median in frame.medians:
            trend = self._of.get(patient)
            if trend is None:
                trend = self._of[patient] = Trend()
            if trend.put(loinc, frame.minute_ms, median):
                fresh.append((patient, loinc, median))
        return fresh

    def json(self, patient: str) -> bytes | None:
        """The series of a patient, None when there are none."""
        trend = self._of.get(patient)
        return None if trend is None else trend.json()

    def forget(self, before_ms: int, here: Container[str]) -> None:
        """Lets go of those who are not `here` and whose newest median is older."""
        for patient in [p for p, t in self._of.items() if p not in here and t.newest_ms() < before_ms]:
            del self._of[patient]
