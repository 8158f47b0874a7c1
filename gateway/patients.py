"""One patient as the gateway holds it: the merged frame, open alerts, medians of two hours; JSON of each made once a change."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import msgspec

from schemas.events import AlertState, PatientFrame

SERIES_MS = 2 * 3_600_000
HEADER = ("ward", "bed", "initials", "age_years", "sex", "isolation", "spo2_scale_2", "diabetes")
"""Who it is: these fields come together, or not at all."""
DECIMALS = 3


def is_whole(frame: PatientFrame) -> bool:
    """True for a frame that tells everything of a patient but limits and alerts; a delta of values alone has no score and no header."""
    return frame.score is not None or bool(frame.ward or frame.bed or frame.initials)


def merge(into: PatientFrame, delta: PatientFrame) -> None:
    """Puts a delta on top, in place: a field that is present is whole (vitals and limits: per code).

    Lists are never changed in place, so `into` may share them with others.
    """
    into.admitted = delta.admitted
    into.vitals.update(delta.vitals)
    into.limits.update(delta.limits)
    if is_whole(delta):
        for name in HEADER:
            setattr(into, name, getattr(delta, name))
        into.score = delta.score if delta.score is not None else into.score
    if is_whole(delta) or delta.devices:
        into.devices = delta.devices


def copy(frame: PatientFrame) -> PatientFrame:
    """A frame that `merge` may write to without touching the other; without alerts."""
    return msgspec.structs.replace(frame, vitals=dict(frame.vitals), limits=dict(frame.limits), alerts=[])


def encode(frame: PatientFrame, alerts: list[AlertState] | None = None) -> bytes:
    """JSON in which a field that is present is whole: what fell back to its default is said too, unlike in the log's own JSON."""
    fields: dict[str, object] = {"patient": frame.patient, "admitted": frame.admitted}
    if is_whole(frame):
        fields.update((name, getattr(frame, name)) for name in HEADER)
        fields["score"] = frame.score
        fields["devices"] = frame.devices
    elif frame.devices:
        fields["devices"] = frame.devices
    if frame.vitals:
        fields["vitals"] = frame.vitals
    if frame.limits:
        fields["limits"] = frame.limits
    if alerts is not None:
        fields["alerts"] = alerts
    return msgspec.json.encode(fields)


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


class Patient:
    """The newest state of one patient. `alerts` (active and latched) is kept by the fold, which calls `touch`."""

    __slots__ = ("_json", "alerts", "frame", "shard")

    def __init__(self, shard: int, frame: PatientFrame, alerts: dict[str, AlertState]) -> None:
        self.shard = shard
        self.frame = frame
        self.alerts = alerts
        self._json: bytes | None = None

    @property
    def ward(self) -> str:
        """Where the patient is."""
        return self.frame.ward

    def touch(self) -> None:
        """What the JSON was made from has changed."""
        self._json = None

    def json(self) -> bytes:
        """The whole frame with its alerts, oldest onset first."""
        if self._json is None:
            alerts = sorted(self.alerts.values(), key=lambda a: (a.onset_ms, a.alert))
            self._json = encode(self.frame, alerts)
        return self._json
